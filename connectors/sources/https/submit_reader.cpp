// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/submit_reader.hpp"

#include <algorithm>
#include <array>

#include "connectors/sources/https/idempotency_key.hpp"
#include "connectors/sources/https/time_text.hpp"

namespace postern::https {
namespace {

using json::Kind;
using json::Value;

// Bytes of UTF-8. The vault's own limits may be lower.
constexpr std::size_t kMaxName = 128;  // template, scenario, reference, variable name
constexpr std::size_t kMaxText = 64 * 1024;
constexpr std::size_t kMaxSubject = 998;  // RFC 5322 section 2.1.1
constexpr std::size_t kMaxEmail = 254;    // RFC 5321 section 4.5.3.1.3
constexpr std::size_t kMaxToken = 4096;
constexpr std::size_t kMaxLocale = 35;  // RFC 5646 section 4.4.1
constexpr std::size_t kMaxTimeZone = 64;
constexpr std::size_t kMaxVariables = 100, kMaxVariable = 8 * 1024;
constexpr std::size_t kMaxPush = 16;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool alphanumeric_or(char c, std::string_view others) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         others.find(c) != std::string_view::npos;
}

// One '@' with something on both sides and a host that could be one. Whether it exists is for the
// mail system to find out.
bool plausible_email(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || text.find('@', at + 1) != std::string_view::npos)
    return false;
  const std::string_view host = text.substr(at + 1);
  const bool clean = std::none_of(text.begin(), text.end(), [](char c) {
    return is_control(c) || std::string_view(" ,;<>()[]\\\"").find(c) != std::string_view::npos;
  });
  return clean && !host.empty() && host.front() != '.' && host.back() != '.' &&
         host.find("..") == std::string_view::npos;
}

}  // namespace

// The reading of one message; collects faults.
class SubmitReading {
 public:
  SubmitReading(SubmitReader& reader, Form form, std::int64_t now_ms, wire::Submit& out)
      : reader_(reader), form_(form), now_ms_(now_ms), out_(out) {}

  std::vector<http::Fault> run(Value root) {
    if (!root.is(Kind::object)) {
      fault(root, "wrong-type", "The message must be a JSON object.");
      return std::move(faults_);
    }
    for (Value v = root.first(); v; v = v.next()) member(v);
    require(root);
    settle_deadline();
    return std::move(faults_);
  }

  // What is kept of a customer: the fields of a message's recipient.
  std::vector<http::Fault> run_recipient(Value root) {
    if (root.is(Kind::object)) recipient_fields(root);
    else fault(root, "wrong-type", "This must be a JSON object.");
    return std::move(faults_);
  }

 private:
  void member(Value v) {
    const std::string_view key = v.key();
    if (key == "category") return category(v);
    if (key == "template") return name(v, *out_.mutable_template_());
    if (key == "scenario") return name(v, *out_.mutable_scenario());
    if (key == "reference") return name(v, *out_.mutable_reference());
    if (key == "text") return text(v, kMaxText, *out_.mutable_text(), Lines::several);
    if (key == "subject") return text(v, kMaxSubject, *out_.mutable_subject(), Lines::one);
    if (key == "variables") return variables(v);
    if (key == "recipient") return recipient(v);
    if (key == "deadline") return deadline(v);
    if (key == "send_at") return send_at(v);
    if (key == "idempotency_key") return idempotency_key(v);
    unknown(v);
  }

  void require(Value root) {
    if (!root.find("category"))
      missing(root, "category", "The category is missing: otp, security, transaction, service or marketing.");
    const bool by_template = static_cast<bool>(root.find("template")), by_text = static_cast<bool>(root.find("text"));
    if (by_template == by_text)
      fault(root, by_text ? "content-twice" : "content-missing", "Give either a template or a text.");
    if (by_text && root.find("variables"))
      fault(root.find("variables"), "content-twice", "Variables belong to a template, not to a text.");
    if (!root.find("recipient")) missing(root, "recipient", "The recipient is missing.");
  }

  void category(Value v) {
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    for (const auto& [word, value] : kCategories)
      if (v.text() == word) return out_.set_category(value);
    fault(v, "unknown-value", "The category must be otp, security, transaction, service or marketing.");
  }

  void variables(Value object) {
    if (!object.is(Kind::object)) return wrong_type(object, "an object of names and values");
    if (object.size() > kMaxVariables) return fault(object, "too-many", "At most 100 variables are taken.");
    for (Value v = object.first(); v; v = v.next()) {
      const std::string_view key = v.key();
      if (key.empty() || key.size() > kMaxName || std::any_of(key.begin(), key.end(), is_control)) {
        fault(v, "name", "A variable's name must have 1 to 128 bytes and no control character.");
        continue;
      }
      if (!v.is(Kind::string) && !v.is(Kind::number)) {
        wrong_type(v, "a string or a number");
        continue;
      }
      wire::Variable& variable = *out_.add_variable();
      variable.set_name(key.data(), key.size());
      if (v.is(Kind::number))
        variable.set_value(v.text().data(), v.text().size());
      else
        text(v, kMaxVariable, *variable.mutable_value(), Lines::several, Empty::allowed);
    }
  }

  void recipient(Value object) {
    if (!object.is(Kind::object)) return wrong_type(object, "an object");
    recipient_fields(object);
    static constexpr std::array<std::string_view, 5> kWays = {"reference", "phone", "email", "push", "whatsapp"};
    if (std::none_of(kWays.begin(), kWays.end(),
                     [&object](std::string_view way) { return static_cast<bool>(object.find(way)); }))
      fault(object, "address-missing", "Give at least one of: reference, phone, email, push, whatsapp.");
  }

  void recipient_fields(Value object) {
    wire::Recipient& to = *out_.mutable_recipient();
    for (Value v = object.first(); v; v = v.next()) {
      const std::string_view key = v.key();
      if (key == "reference")
        name(v, *to.mutable_reference());
      else if (key == "phone")
        read_phone(v, reader_.options_.allow_fixed_lines ? phone::Need::any : phone::Need::mobile, *to.mutable_phone());
      else if (key == "whatsapp")
        read_phone(v, phone::Need::any, *to.mutable_whatsapp());
      else if (key == "email")
        email(v, *to.mutable_email());
      else if (key == "push")
        push(v, to);
      else if (key == "locale")
        pattern(v, kMaxLocale, "-", "a BCP 47 tag, as in \"uk-UA\"", *to.mutable_locale());
      else if (key == "time_zone")
        pattern(v, kMaxTimeZone, "_+-/", "an IANA name, as in \"Europe/Kyiv\"", *to.mutable_time_zone());
      else if (key == "preferred")
        channel(v, *to.mutable_preferred());
      else
        unknown(v);
    }
  }

  void read_phone(Value v, phone::Need need, std::string& to) {
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    const auto number = reader_.numbers_.normalise(v.text(), need);
    if (!number) return fault(v, phone::code_of(number.error()), phone::detail_of(number.error()));
    if (!number->in_plan) ++reader_.outside_plan_;
    to = number->digits;
  }

  void email(Value v, std::string& to) {
    const std::size_t before = faults_.size();
    text(v, kMaxEmail, to, Lines::one);
    if (faults_.size() == before && !plausible_email(to))
      fault(v, "email-malformed", "This is no e-mail address: write local-part@host, without a name.");
  }

  void push(Value list, wire::Recipient& to) {
    if (!list.is(Kind::array)) return wrong_type(list, "a list of {token, platform}");
    if (list.size() > kMaxPush) return fault(list, "too-many", "At most 16 push tokens are taken.");
    for (Value entry = list.first(); entry; entry = entry.next()) {
      if (!entry.is(Kind::object)) {
        wrong_type(entry, "an object {token, platform}");
        continue;
      }
      wire::PushToken& token = *to.add_push();
      for (Value v = entry.first(); v; v = v.next()) {
        if (v.key() == "token")
          text(v, kMaxToken, *token.mutable_token(), Lines::one);
        else if (v.key() == "platform")
          platform(v, *token.mutable_platform());
        else
          unknown(v);
      }
      if (!entry.find("token")) missing(entry, "token", "The push token is missing.");
      if (!entry.find("platform")) missing(entry, "platform", "The platform is missing: fcm, apns or hms.");
    }
  }

  void platform(Value v, std::string& to) {
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    if (v.text() != "fcm" && v.text() != "apns" && v.text() != "hms")
      return fault(v, "unknown-value", "The platform must be fcm, apns or hms.");
    to = v.text();
  }

  void deadline(Value v) {
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    deadline_at_ = parse_time(v.text());
    if (!deadline_at_) deadline_span_ = parse_span(v.text());
    if (!deadline_at_ && !deadline_span_)
      fault(v, "time-malformed",
            "Write a time with its zone, as in \"2026-11-22T12:14:07Z\", or a span, as in \"5m\" (ms, s, m, h, d).");
  }

  void send_at(Value v) {
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    const auto at = parse_time(v.text());
    if (!at) return fault(v, "time-malformed", "Write a time with its zone, as in \"2026-11-22T12:14:07Z\".");
    out_.set_send_at_ms(static_cast<std::uint64_t>(*at));
  }

  // A span counts from the time of sending: now, or send_at when that is later.
  void settle_deadline() {
    if (deadline_at_) out_.set_deadline_ms(static_cast<std::uint64_t>(*deadline_at_));
    if (deadline_span_) {
      const std::int64_t from = std::max(now_ms_, static_cast<std::int64_t>(out_.send_at_ms()));
      out_.set_deadline_ms(static_cast<std::uint64_t>(from + deadline_span_->count()));
    }
  }

  void idempotency_key(Value v) {
    if (form_ == Form::single)
      return fault(v, "unknown-field", "A single message carries its key in the Idempotency-Key header.");
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    if (!good_idempotency_key(v.text()))
      return fault(v, "key-malformed", "A key has 1 to 128 visible ASCII characters.");
    out_.set_idempotency_key(v.text().data(), v.text().size());
  }

  enum class Lines { one, several };
  enum class Empty { refused, allowed };

  void text(Value v, std::size_t most, std::string& to, Lines lines, Empty empty = Empty::refused) {
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    const std::string_view value = v.text();
    if (value.empty() && empty == Empty::refused)
      return fault(v, "empty", "This may not be empty; leave it out instead.");
    if (value.size() > most) return fault(v, "too-long", "At most " + std::to_string(most) + " bytes are taken here.");
    const auto refused = [lines](char c) {
      return is_control(c) && (lines == Lines::one || (c != '\n' && c != '\r' && c != '\t'));
    };
    if (std::any_of(value.begin(), value.end(), refused))
      return fault(v, "control-character", "A control character is not taken here.");
    to = value;
  }

  void name(Value v, std::string& to) { text(v, kMaxName, to, Lines::one); }

  void pattern(Value v, std::size_t most, std::string_view others, std::string_view what, std::string& to) {
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    const std::string_view value = v.text();
    if (value.empty() || value.size() > most ||
        !std::all_of(value.begin(), value.end(), [others](char c) { return alphanumeric_or(c, others); }))
      return fault(v, "malformed", "Write " + std::string(what) + ".");
    to = value;
  }

  void channel(Value v, std::string& to) {
    static constexpr std::array<std::string_view, 7> kChannels = {"push", "sms", "whatsapp", "viber", "telegram", "email", "voice"};
    if (!v.is(Kind::string)) return wrong_type(v, "a string");
    if (std::find(kChannels.begin(), kChannels.end(), v.text()) == kChannels.end())
      return fault(v, "unknown-value", "The channel must be push, sms, whatsapp, viber, telegram, email or voice.");
    to = v.text();
  }

  void unknown(Value v) {
    fault(v, "unknown-field", "No such field is known here; the API's description is at /v1/openapi.json.");
  }
  void wrong_type(Value v, std::string_view expected) {
    fault(v, "wrong-type", "This must be " + std::string(expected) + ".");
  }

  void missing(Value parent, std::string_view key, std::string_view detail) {
    std::string pointer = parent.pointer();
    json::append_token(pointer, key);
    add({std::move(pointer), "missing", std::string(detail)});
  }
  void fault(Value v, std::string_view code, std::string_view detail) {
    add({v.pointer(), std::string(code), std::string(detail)});
  }
  void add(http::Fault fault) {
    if (faults_.size() < kMaxFaults) faults_.push_back(std::move(fault));
  }

  SubmitReader& reader_;
  Form form_;
  std::int64_t now_ms_;
  wire::Submit& out_;
  std::vector<http::Fault> faults_;
  std::optional<std::int64_t> deadline_at_;
  std::optional<std::chrono::milliseconds> deadline_span_;
};

SubmitReader::SubmitReader(ReaderOptions options) : options_(std::move(options)), numbers_(options_.default_region) {}

std::optional<Refusal> SubmitReader::read(std::string_view body, Form form, std::int64_t now_ms, wire::Submit& out) {
  if (const auto error = document_.parse(body, options_.body_limit)) return refusal_of(*error);
  std::vector<http::Fault> faults = SubmitReading(*this, form, now_ms, out).run(document_.root());
  document_.wipe();
  if (!faults.empty())
    return Refusal{422, "invalid", "The message has faults; each is listed with its place.", std::move(faults)};
  out.set_fingerprint(sha256_(body));
  return std::nullopt;
}

std::optional<Refusal> SubmitReader::read_recipient(std::string_view body, wire::Recipient& out) {
  if (const auto error = document_.parse(body, options_.body_limit)) return refusal_of(*error);
  wire::Submit submit;
  std::vector<http::Fault> faults = SubmitReading(*this, Form::single, 0, submit).run_recipient(document_.root());
  document_.wipe();
  if (!faults.empty()) return Refusal{422, "invalid", "The recipient has faults; each is listed with its place.", std::move(faults)};
  out.Swap(submit.mutable_recipient());
  return std::nullopt;
}

Refusal refusal_of(const json::ParseError& error) {
  const int status = error.code == "too-large" ? 413 : 400;
  return {status,
          "json-" + error.code,
          error.detail + " Byte " + std::to_string(error.offset) + ".",
          {{error.pointer, error.code, error.detail}}};
}

}  // namespace postern::https
