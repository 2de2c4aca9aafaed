// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/queries.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "connectors/sources/https/time_text.hpp"
#include "connectors/sources/json/writer.hpp"

namespace postern::https {
namespace {

using json::Kind;
using json::Value;

Outcome no_answer() { return unavailable("unavailable", "The vault is away or does not answer; try again.", 1); }

struct Confirmation {
  std::string id;
  wire::Progress progress = wire::DELIVERED;
};

// {"id": UUID, "status": "delivered" | "read"}
std::optional<Confirmation> read_confirmation(Value v, std::vector<http::Fault>& faults) {
  const std::size_t before = faults.size();
  const auto fault = [&faults](Value at, std::string_view code, std::string_view detail) {
    if (faults.size() < kMaxFaults) faults.push_back({at.pointer(), std::string(code), std::string(detail)});
  };
  if (!v.is(Kind::object)) {
    fault(v, "wrong-type", "A receipt is an object {id, status}.");
    return std::nullopt;
  }
  Confirmation confirmation;
  for (Value member = v.first(); member; member = member.next()) {
    if (member.key() == "id") {
      if (member.is(Kind::string) && is_uuid(member.text()))
        confirmation.id = member.text();
      else
        fault(member, "malformed", "The id must be the one that the message was accepted under.");
    } else if (member.key() == "status") {
      if (member.is(Kind::string) && member.text() == "delivered")
        confirmation.progress = wire::DELIVERED;
      else if (member.is(Kind::string) && member.text() == "read")
        confirmation.progress = wire::READ;
      else
        fault(member, "unknown-value", "The status must be delivered or read.");
    } else {
      fault(member, "unknown-field", "A receipt has the fields id and status only.");
    }
  }
  if (!v.find("id")) fault(v, "missing", "The id is missing.");
  if (!v.find("status")) fault(v, "missing", "The status is missing: delivered or read.");
  if (faults.size() != before) return std::nullopt;
  return confirmation;
}

}  // namespace

struct Queries::Receipts {
  Reply reply;
  std::vector<Outcome> outcomes;
  std::size_t done = 0;
  bool list = false;
};

void Queries::ask(wire::Query&& query, std::string_view identity, Finish finish, std::chrono::milliseconds wait,
                  bool long_poll) {
  const std::uint64_t tag = next_tag_++;
  query.set_tag(tag);
  query.set_identity(identity.data(), identity.size());
  if (waiting_.size() >= kMaxQueries || !link_.query(std::move(query))) return finish(nullptr);
  waiting_.emplace(tag, Waiting{std::move(finish), steady_ms() + wait.count() + timeout_.count(), long_poll});
}

void Queries::answer_with(wire::Query&& query, std::string_view identity, http::Response (*respond)(const wire::Answer&),
                          Reply reply) {
  const auto held = std::make_shared<Reply>(std::move(reply));
  const auto finish = [held, respond](const wire::Answer* answer) {
    held->send(answer ? respond(*answer) : to_response(no_answer()));
  };
  ask(std::move(query), identity, finish, {}, /*long_poll=*/false);
}

void Queries::read(std::string_view identity, std::string_view id, Reply reply) {
  wire::Query query;
  query.set_get(id.data(), id.size());
  answer_with(std::move(query), identity, message_response, std::move(reply));
}

void Queries::cancel(std::string_view identity, std::string_view id, Reply reply) {
  wire::Query query;
  query.set_cancel(id.data(), id.size());
  answer_with(std::move(query), identity, message_response, std::move(reply));
}

void Queries::list(std::string_view identity, const ListQuery& asked, Reply reply) {
  wire::Query query;
  query.mutable_list()->set_after(asked.after.data(), asked.after.size());
  query.mutable_list()->set_limit(asked.limit);
  query.mutable_list()->set_scheduled(asked.scheduled);
  answer_with(std::move(query), identity, list_response, std::move(reply));
}

void Queries::move(std::string_view identity, std::string_view id, std::string_view body, std::size_t limit,
                   Reply reply) {
  if (const auto error = document_.parse(body, limit)) return reply.send(to_response(outcome_of(refusal_of(*error))));
  const Value root = document_.root();
  std::vector<http::Fault> faults;
  wire::Query query;
  query.mutable_move()->set_id(id.data(), id.size());
  if (!root.is(Kind::object)) faults.push_back({"", "wrong-type", "This must be an object {send_at, deadline}."});
  for (Value v = root.is(Kind::object) ? root.first() : Value(); v; v = v.next()) {
    const bool known = v.key() == "send_at" || v.key() == "deadline";
    const std::optional<std::int64_t> at = known && v.is(Kind::string) ? parse_time(v.text()) : std::nullopt;
    if (!known)
      faults.push_back({v.pointer(), "unknown-field", "A move has the fields send_at and deadline only."});
    else if (!at)
      faults.push_back({v.pointer(), "malformed", "Write a time with its zone, as in \"2026-11-22T12:14:07+02:00\"."});
    else if (v.key() == "send_at")
      query.mutable_move()->set_send_at_ms(static_cast<std::uint64_t>(*at));
    else
      query.mutable_move()->set_deadline_ms(static_cast<std::uint64_t>(*at));
  }
  if (root.is(Kind::object) && !root.find("send_at")) faults.push_back({"/send_at", "missing", "The new time is missing: send_at."});
  if (!faults.empty()) return reply.send(http::problem(422, "invalid", "The message was not moved.", faults));
  answer_with(std::move(query), identity, message_response, std::move(reply));
}

void Queries::signal(std::string_view identity, std::string_view body, std::size_t limit, Reply reply) {
  if (const auto error = document_.parse(body, limit)) return reply.send(to_response(outcome_of(refusal_of(*error))));
  const Value root = document_.root();
  std::vector<http::Fault> faults;
  wire::Query query;
  wire::SignalAsk& signal = *query.mutable_signal();
  if (!root.is(Kind::object)) faults.push_back({"", "wrong-type", "This must be an object {event, id or recipient}."});
  for (Value v = root.is(Kind::object) ? root.first() : Value(); v; v = v.next()) {
    const std::string_view text = v.is(Kind::string) ? v.text() : std::string_view();
    if (v.key() == "event" && !text.empty() && text.size() <= 64)
      signal.set_event(text.data(), text.size());
    else if (v.key() == "id" && is_uuid(text))
      signal.set_id(text.data(), text.size());
    else if (v.key() == "recipient" && !text.empty() && text.size() <= 128)
      signal.set_recipient(text.data(), text.size());
    else if (v.key() == "event" || v.key() == "id" || v.key() == "recipient")
      faults.push_back({v.pointer(), "malformed", "An event has 1 to 64 bytes, an id is a message's, a recipient has 1 to 128 bytes."});
    else
      faults.push_back({v.pointer(), "unknown-field", "A signal has the fields event, id and recipient only."});
  }
  if (faults.empty() && signal.event().empty()) faults.push_back({"/event", "missing", "The event is missing."});
  if (faults.empty() && signal.id().empty() == signal.recipient().empty())
    faults.push_back({"", "whom", "Give either the id of one message, or the recipient whose messages it ends."});
  if (!faults.empty()) return reply.send(http::problem(422, "invalid", "The signal was not taken.", faults));
  answer_with(std::move(query), identity, signal_response, std::move(reply));
}

void Queries::events(std::string_view identity, const EventsQuery& asked, Reply reply) {
  if (draining_) return reply.send(no_events_response(asked.after));
  wire::Query query;
  query.mutable_events()->set_after(asked.after);
  query.mutable_events()->set_limit(asked.limit);
  query.mutable_events()->set_wait_ms(asked.wait_ms);
  const auto held = std::make_shared<Reply>(std::move(reply));
  const auto finish = [this, held, after = asked.after](const wire::Answer* answer) {
    if (answer) return held->send(events_response(*answer));
    held->send(draining_ ? no_events_response(after) : to_response(no_answer()));
  };
  ask(std::move(query), identity, finish, std::chrono::milliseconds(asked.wait_ms), /*long_poll=*/true);
}

void Queries::receipts(std::string_view identity, std::string_view body, std::size_t limit, Reply reply) {
  if (const auto error = document_.parse(body, limit)) return reply.send(to_response(outcome_of(refusal_of(*error))));
  const Value root = document_.root();
  const bool list = root.is(Kind::array);
  std::vector<Confirmation> confirmations;
  std::vector<http::Fault> faults;
  if (list && (root.size() == 0 || root.size() > kMaxReceipts)) {
    faults.push_back({"", "list-size", "A list has 1 to 1000 receipts."});
  } else {
    for (Value v = list ? root.first() : root; v; v = list ? v.next() : Value())
      if (auto confirmation = read_confirmation(v, faults)) confirmations.push_back(std::move(*confirmation));
  }
  if (!faults.empty())
    return reply.send(http::problem(422, "invalid", "The receipts have faults; none of them was taken.", faults));

  const auto receipts =
      std::make_shared<Receipts>(Receipts{std::move(reply), std::vector<Outcome>(confirmations.size()), 0, list});
  for (std::size_t i = 0; i < confirmations.size(); ++i) {
    wire::Query query;
    query.mutable_app_receipt()->set_id(confirmations[i].id);
    query.mutable_app_receipt()->set_progress(confirmations[i].progress);
    const auto finish = [this, receipts, i](const wire::Answer* answer) {
      finish_receipt(receipts, i, answer ? query_outcome(*answer) : no_answer());
    };
    ask(std::move(query), identity, finish, {}, /*long_poll=*/false);
  }
}

void Queries::finish_receipt(const std::shared_ptr<Receipts>& receipts, std::size_t at, const Outcome& outcome) {
  receipts->outcomes[at] = outcome;
  if (++receipts->done < receipts->outcomes.size()) return;
  if (!receipts->list) return receipts->reply.send(to_response(receipts->outcomes.front()));
  std::string body;
  json::Writer w(body);
  w.object().key("results").array();
  for (std::size_t i = 0; i < receipts->outcomes.size(); ++i) {
    const Outcome& one = receipts->outcomes[i];
    w.object().key("index").number(std::uint64_t{i}).key("status").number(one.status);
    if (one.status >= 400) w.key("problem").raw(http::problem_body(one.status, one.code, one.detail));
    w.end_object();
  }
  w.end_array().end_object();
  receipts->reply.send(http::json_response(200, std::move(body)));
}

void Queries::metrics(std::string_view identity, std::string own, Reply reply) {
  wire::Query query;
  query.set_metrics(true);
  const auto held = std::make_shared<Reply>(std::move(reply));
  const auto finish = [held, own = std::move(own)](const wire::Answer* answer) {
    // A client without the right to read metrics gets neither part.
    if (answer && answer->outcome() != wire::Answer::OK && answer->outcome() != wire::Answer::UNAVAILABLE)
      return held->send(to_response(query_outcome(*answer)));
    http::Response response;
    response.type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = own;
    if (answer) response.body += answer->metrics();
    held->send(std::move(response));
  };
  ask(std::move(query), identity, finish, {}, /*long_poll=*/false);
}

void Queries::on_answer(const wire::Answer& answer) {
  const auto found = waiting_.find(answer.tag());
  if (found == waiting_.end()) return;
  const Finish finish = std::move(found->second.finish);
  waiting_.erase(found);
  finish(&answer);
}

void Queries::on_lost() {
  for (const auto& [tag, waiting] : std::exchange(waiting_, {})) waiting.finish(nullptr);
}

void Queries::on_time(std::int64_t now_ms) {
  std::vector<Finish> late;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.deadline > now_ms) {
      ++it;
      continue;
    }
    late.push_back(std::move(it->second.finish));
    it = waiting_.erase(it);
  }
  for (const Finish& finish : late) finish(nullptr);
}

void Queries::drain() {
  draining_ = true;
  std::vector<Finish> polls;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!it->second.long_poll) {
      ++it;
      continue;
    }
    polls.push_back(std::move(it->second.finish));
    it = waiting_.erase(it);
  }
  for (const Finish& finish : polls) finish(nullptr);
}

}  // namespace postern::https
