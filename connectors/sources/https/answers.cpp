// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/answers.hpp"

#include <algorithm>
#include <array>

#include "connectors/sources/https/time_text.hpp"
#include "connectors/sources/json/writer.hpp"

namespace postern::https {
namespace {

unsigned seconds_of(std::uint32_t ms) { return std::max(1U, (ms + 999) / 1000); }

Outcome refused(int status, std::string_view code, std::string_view detail) {
  Outcome outcome;
  outcome.status = status;
  outcome.code = code;
  outcome.detail = detail;
  return outcome;
}

Outcome client_unknown() {
  return refused(403, "client-unknown",
                 "The name in your certificate belongs to no client; ask the gateway's administrators.");
}

void write_optional(json::Writer& w, std::string_view key, std::string_view value) {
  if (!value.empty()) w.key(key).text(value);
}
void write_time(json::Writer& w, std::string_view key, std::uint64_t unix_ms) {
  if (unix_ms != 0) w.key(key).text(format_time(static_cast<std::int64_t>(unix_ms)));
}

void write_message(json::Writer& w, const wire::MessageView& m) {
  w.object().key("id").text(m.id());
  write_optional(w, "reference", m.reference());
  w.key("category").text(category_word(m.category())).key("state").text(progress_word(m.state()));
  write_optional(w, "reason", m.reason());
  write_time(w, "accepted_at", m.accepted_ms());
  write_time(w, "deadline", m.deadline_ms());
  write_time(w, "send_at", m.send_at_ms());
  write_time(w, "ended_at", m.ended_ms());
  w.key("attempts").array();
  for (const wire::AttemptView& a : m.attempt()) {
    w.object().key("number").number(a.number()).key("channel").text(a.channel()).key("connector").text(a.connector());
    w.key("state").text(progress_word(a.progress()));
    write_optional(w, "reason", a.reason());
    write_time(w, "handed_at", a.handed_ms());
    write_time(w, "changed_at", a.changed_ms());
    w.key("parts").number(a.parts()).end_object();
  }
  w.end_array().end_object();
}

void write_event(json::Writer& w, const wire::Event& e) {
  w.object().key("sequence").number(std::uint64_t{e.sequence()}).key("id").text(e.id());
  write_optional(w, "reference", e.reference());
  w.key("state").text(progress_word(e.progress()));
  write_optional(w, "channel", e.channel());
  write_optional(w, "reason", e.reason());
  write_time(w, "at", e.at_ms());
  write_optional(w, "text", e.text());
  w.end_object();
}

// What every question to the vault can be answered with beside OK.
Outcome query_refusal(const wire::Answer& answer) {
  switch (static_cast<int>(answer.outcome())) {  // an open enum: a newer vault may know more words
    case wire::Answer::NOT_FOUND:
      return refused(404, "not-found", "You have no message of this id.");
    case wire::Answer::CLIENT_UNKNOWN:
      return client_unknown();
    case wire::Answer::FORBIDDEN:
      return refused(403, "forbidden", "You may not do this; ask the gateway's administrators.");
    case wire::Answer::TOO_LATE:
      return refused(409, "too-late", "The message has gone too far for this: it has been handed over or has ended.");
    case wire::Answer::BAD_REQUEST:
      return refused(400, "bad-request", "The vault could not take the request as it is.");
    default:
      return unavailable("unavailable", "The vault cannot answer now; try again.", 1);
  }
}

}  // namespace

Outcome outcome_of(const wire::Verdict& verdict) {
  Outcome outcome;
  switch (static_cast<int>(verdict.outcome())) {
    case wire::Verdict::STORED:
    case wire::Verdict::REPLAYED:
      outcome.status = 202;
      outcome.id = verdict.id();
      outcome.replayed = verdict.outcome() == wire::Verdict::REPLAYED;
      return outcome;
    case wire::Verdict::VALID:
      outcome.status = 200;
      outcome.valid = true;
      return outcome;
    case wire::Verdict::INVALID:
      outcome = refused(422, "invalid", "The message has faults; each is listed with its place.");
      for (const wire::Problem& p : verdict.problem()) outcome.faults.push_back({p.pointer(), p.code(), p.detail()});
      return outcome;
    case wire::Verdict::KEY_REUSED:
      return refused(422, "idempotency-key-reused",
                     "This idempotency key stands for another message already; use a new key.");
    case wire::Verdict::CLIENT_UNKNOWN:
      return client_unknown();
    case wire::Verdict::FORBIDDEN:
      outcome = refused(403, "forbidden", "You may not send this; ask the gateway's administrators.");
      for (const wire::Problem& p : verdict.problem()) outcome.faults.push_back({p.pointer(), p.code(), p.detail()});
      return outcome;
    case wire::Verdict::BUSY:
      outcome = refused(429, "rate", "You send faster than your agreed rate; wait, then go on.");
      outcome.retry_after_s = seconds_of(verdict.retry_after_ms());
      return outcome;
    case wire::Verdict::CLOSED:
      outcome = refused(429, "closed", "Nothing is taken for this recipient for a while; others are not affected.");
      for (const wire::Problem& p : verdict.problem()) outcome.faults.push_back({p.pointer(), p.code(), p.detail()});
      outcome.retry_after_s = seconds_of(verdict.retry_after_ms());
      return outcome;
    default:
      return unavailable("unavailable", "The vault cannot store now; the message was not accepted. Try again.",
                         seconds_of(verdict.retry_after_ms()));
  }
}

Outcome outcome_of(Refusal&& refusal) {
  Outcome outcome = refused(refusal.status, refusal.code, refusal.detail);
  outcome.faults = std::move(refusal.faults);
  return outcome;
}

Outcome unavailable(std::string_view code, std::string_view detail, unsigned retry_after_s) {
  Outcome outcome = refused(503, code, detail);
  outcome.retry_after_s = retry_after_s;
  return outcome;
}

http::Response to_response(const Outcome& outcome) {
  if (outcome.status == 202) {
    std::string body;
    json::Writer(body).object().key("id").text(outcome.id).key("status").text("accepted").end_object();
    http::Response response = http::json_response(202, std::move(body));
    response.add("Location", "/v1/messages/" + outcome.id);
    if (outcome.replayed) response.add("Idempotent-Replayed", "true");
    return response;
  }
  if (outcome.valid) return http::json_response(200, R"({"valid":true})");
  if (outcome.status == 204) return http::Response{.status = 204, .type = {}, .body = {}, .fields = {}, .close = false};
  http::Response response = http::problem(outcome.status, outcome.code, outcome.detail, outcome.faults);
  if (outcome.retry_after_s != 0) response.retry_after(outcome.retry_after_s);
  return response;
}

std::string to_line(std::size_t index, const Outcome& outcome) {
  std::string line;
  json::Writer w(line);
  w.object().key("index").number(std::uint64_t{index}).key("status").number(outcome.status);
  if (!outcome.id.empty()) w.key("id").text(outcome.id);
  if (outcome.replayed) w.key("replayed").boolean(true);
  if (outcome.retry_after_s != 0) w.key("retry_after").number(outcome.retry_after_s);
  if (outcome.status >= 400)
    w.key("problem").raw(http::problem_body(outcome.status, outcome.code, outcome.detail, outcome.faults));
  w.end_object();
  line.push_back('\n');
  return line;
}

http::Response message_response(const wire::Answer& answer) {
  if (answer.outcome() != wire::Answer::OK) return to_response(query_refusal(answer));
  std::string body;
  json::Writer w(body);
  write_message(w, answer.message());
  return http::json_response(200, std::move(body));
}

http::Response list_response(const wire::Answer& answer) {
  if (answer.outcome() != wire::Answer::OK) return to_response(query_refusal(answer));
  std::string body;
  json::Writer w(body);
  w.object().key("messages").array();
  for (const wire::MessageView& message : answer.listed()) write_message(w, message);
  w.end_array();
  write_optional(w, "next", answer.next());
  w.end_object();
  return http::json_response(200, std::move(body));
}

http::Response signal_response(const wire::Answer& answer) {
  if (answer.outcome() != wire::Answer::OK) return to_response(query_refusal(answer));
  std::string body;
  json::Writer(body).object().key("ended").number(answer.count()).key("begun").number(answer.begun()).end_object();
  return http::json_response(200, std::move(body));
}

http::Response recipient_response(const wire::Answer& answer) {
  if (answer.outcome() == wire::Answer::NOT_FOUND) return to_response(refused(404, "not-found", "Nothing is kept of a customer of this reference."));
  if (answer.outcome() == wire::Answer::BAD_REQUEST && answer.problem_size() > 0) {
    Outcome outcome = refused(422, "invalid", "Nothing was changed; each fault is listed with its place.");
    for (const wire::Problem& p : answer.problem()) outcome.faults.push_back({p.pointer(), p.code(), p.detail()});
    return to_response(outcome);
  }
  if (answer.outcome() != wire::Answer::OK) return to_response(query_refusal(answer));
  const wire::Recipient& r = answer.recipient().recipient();
  std::string body;
  json::Writer w(body);
  w.object().key("reference").text(r.reference());
  write_optional(w, "phone", r.phone().empty() ? std::string() : "+" + r.phone());
  write_optional(w, "email", r.email());
  write_optional(w, "whatsapp", r.whatsapp().empty() ? std::string() : "+" + r.whatsapp());
  if (r.push_size() > 0) {
    w.key("push").array();
    for (const wire::PushToken& t : r.push()) w.object().key("token").text(t.token()).key("platform").text(t.platform()).end_object();
    w.end_array();
  }
  write_optional(w, "locale", r.locale());
  write_optional(w, "time_zone", r.time_zone());
  write_optional(w, "preferred", r.preferred());
  w.key("consents").array();
  for (const wire::ConsentView& c : answer.recipient().consent()) {
    w.object().key("purpose").text(category_word(c.purpose()));
    write_optional(w, "channel", c.channel());
    w.key("given").boolean(c.given());
    write_time(w, "at", c.at_ms());
    w.key("source").text(c.source()).key("wording").text(c.wording()).key("hash").text(c.hash()).end_object();
  }
  w.end_array().end_object();
  return http::json_response(200, std::move(body));
}

http::Response events_response(const wire::Answer& answer) {
  if (answer.outcome() != wire::Answer::OK) return to_response(query_refusal(answer));
  std::string body;
  json::Writer w(body);
  w.object().key("events").array();
  for (const wire::Event& event : answer.event()) write_event(w, event);
  w.end_array().key("cursor").number(std::uint64_t{answer.cursor()}).end_object();
  return http::json_response(200, std::move(body));
}

http::Response no_events_response(std::uint64_t cursor) {
  std::string body;
  json::Writer(body).object().key("events").array().end_array().key("cursor").number(cursor).end_object();
  return http::json_response(200, std::move(body));
}

Outcome query_outcome(const wire::Answer& answer) {
  if (answer.outcome() != wire::Answer::OK) return query_refusal(answer);
  Outcome outcome;
  outcome.status = 204;
  return outcome;
}

std::string_view progress_word(wire::Progress progress) {
  static constexpr std::array<std::pair<wire::Progress, std::string_view>, 13> kWords = {
      {{wire::ACCEPTED, "accepted"},
       {wire::HANDED, "handed"},
       {wire::SENT, "sent"},
       {wire::DELIVERED, "delivered"},
       {wire::READ, "read"},
       {wire::REPLIED, "replied"},
       {wire::REFUSED, "refused"},
       {wire::UNKNOWN, "unknown"},
       {wire::REACHED, "reached"},
       {wire::FAILED, "failed"},
       {wire::EXPIRED, "expired"},
       {wire::CANCELLED, "cancelled"},
       {wire::SUPPRESSED, "suppressed"}}};
  for (const auto& [value, word] : kWords)
    if (value == progress) return word;
  return "unknown";
}

std::string_view category_word(wire::Category category) {
  for (const auto& [word, value] : kCategories)
    if (value == category) return word;
  return "unset";
}

}  // namespace postern::https
