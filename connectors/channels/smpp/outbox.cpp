// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/outbox.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <utility>

#include "crypto/secret.hpp"

namespace postern::smpp {
namespace {

// A ticket names the message and the part; a message has at most 255 parts.
constexpr std::uint64_t ticket_of(std::uint64_t message, std::size_t part) { return (message << 8) | part; }
constexpr std::uint64_t message_of(std::uint64_t ticket) { return ticket >> 8; }
constexpr std::size_t part_index(std::uint64_t ticket) { return ticket & 0xff; }

constexpr std::uint32_t kRetryAfterMs = 5'000, kThrottledAfterMs = 1'000;
constexpr std::int64_t kPartPauseMs = 1'000;

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_sender_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view(" ._-&").find(c) != std::string_view::npos;
}

// Lanes in the order in which they are served: the category's number, UNSET at the end.
std::size_t lane_of(wire::Category category) {
  const auto number = static_cast<std::size_t>(category);
  return number >= 1 && number <= 5 ? number - 1 : 5;
}

}  // namespace

std::optional<TonNpi> sender_kind(std::string_view sender, const Settings& settings) {
  if (sender.empty()) return TonNpi{0, 0};  // the SMS centre's default
  if (is_digits(sender)) {
    // Short codes have up to six digits, numbers at least seven (ITU-T E.164).
    if (sender.size() <= 6) return settings.short_code;
    if (sender.size() <= 15) return TonNpi{1, 1};
    return std::nullopt;
  }
  const bool safe = std::all_of(sender.begin(), sender.end(), is_sender_character);
  if (!safe || sender.size() > 11) return std::nullopt;  // 3GPP TS 23.040 section 9.1.2.5: 11 septets
  return TonNpi{5, 0};
}

std::string validity_text(const Settings& settings, std::int64_t expires_ms, std::int64_t now_ms) {
  if (settings.validity == Validity::none) return {};
  // Rounded down: nothing may reach a handset after its deadline.
  const std::int64_t left = std::clamp<std::int64_t>((expires_ms - now_ms) / 1000, 1, settings.max_validity.count());
  if (settings.validity == Validity::relative)
    return fmt::format("0000{:02}{:02}{:02}{:02}000R", left / 86400, left / 3600 % 24, left / 60 % 60, left % 60);
  const std::time_t until = now_ms / 1000 + left;
  std::tm utc{};
  gmtime_r(&until, &utc);
  return fmt::format("{:%y%m%d%H%M%S}000+", utc);
}

Outbox::Message::~Message() {
  for (Bytes& part : text.parts) wipe_text(part);
}

Outbox::Outbox(const Settings& settings, std::uint16_t first_reference, Handlers handlers)
    : settings_(settings), handlers_(std::move(handlers)), next_reference_(first_reference) {}

void Outbox::turn_away(const wire::Attempt& attempt, wire::Result::Kind kind, std::string_view reason) {
  wire::Result result;
  *result.mutable_attempt() = attempt;
  result.set_kind(kind);
  result.set_reason(std::string(reason));
  handlers_.result(std::move(result));
}

void Outbox::add(wire::Deliver&& deliver, Now now) {
  auto message = std::make_unique<Message>();
  message->attempt = deliver.attempt();
  message->expires_ms = static_cast<std::int64_t>(deliver.expires_ms());
  message->arrived = now.steady;
  message->lane = lane_of(deliver.category());
  message->priority = settings_.priority.at(static_cast<std::size_t>(deliver.category()) % settings_.priority.size());
  message->destination = deliver.address();
  message->source = deliver.sender().empty() ? settings_.sender : deliver.sender();
  message->reference = next_reference_++;

  if (draining_) return turn_away(message->attempt, wire::Result::RETRY, "drain");
  if (message->expires_ms <= now.wall) return turn_away(message->attempt, wire::Result::REFUSED, "expired");
  const std::string& to = message->destination;
  if (!is_digits(to) || to.size() < 7 || to.size() > 15)
    return turn_away(message->attempt, wire::Result::REFUSED, "address-invalid");
  const std::optional<TonNpi> kind = sender_kind(message->source, settings_);
  if (!kind) return turn_away(message->attempt, wire::Result::REFUSED, "sender-invalid");
  message->source_kind = *kind;
  EncodeOptions options;
  options.long_messages = settings_.long_messages;
  options.max_parts = settings_.max_parts;
  options.reference = message->reference;
  options.default_alphabet = settings_.default_alphabet;
  std::expected<Encoded, EncodeFault> text = encode(deliver.text(), options);
  wipe_text(*deliver.mutable_text());
  if (!text) return turn_away(message->attempt, wire::Result::REFUSED, reason_word(text.error()));
  message->text = std::move(*text);
  message->parts.resize(message->text.parts.size());

  const std::uint64_t key = next_key_++;
  by_attempt_[{message->attempt.message(), message->attempt.number()}] = key;
  message->queued = true;
  lanes_.at(message->lane).push_back(key);
  messages_.emplace(key, std::move(message));
}

bool Outbox::touched(const Message& message) const {
  return message.under_way > 0 || std::any_of(message.parts.begin(), message.parts.end(),
                                              [](const PartState& part) { return part.at != PartState::At::waiting; });
}

void Outbox::cancel(const wire::Attempt& attempt) {
  const auto at = by_attempt_.find({attempt.message(), attempt.number()});
  if (at == by_attempt_.end()) return;
  const std::uint64_t key = at->second;
  if (touched(*messages_.at(key))) return;  // on its way: its own result follows
  wire::Result result;
  result.set_kind(wire::Result::REFUSED);
  result.set_reason("cancelled");
  finish(key, std::move(result));
}

bool Outbox::waiting() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return !lane.empty(); });
}

bool Outbox::urgent() const { return !lanes_[0].empty() || !lanes_[1].empty(); }

std::int64_t Outbox::next_retry() const {
  return again_.empty() ? std::numeric_limits<std::int64_t>::max() : again_.begin()->first;
}

std::optional<std::uint64_t> Outbox::next_message(Now now) {
  while (!again_.empty() && again_.begin()->first <= now.steady) {
    const std::uint64_t key = again_.begin()->second;
    again_.erase(again_.begin());
    const auto at = messages_.find(key);
    if (at != messages_.end()) lanes_.at(at->second->lane).push_front(key);
  }
  for (auto& lane : lanes_) {
    while (!lane.empty()) {
      const std::uint64_t key = lane.front();
      lane.pop_front();
      const auto at = messages_.find(key);
      if (at == messages_.end()) continue;  // cancelled or expired meanwhile
      at->second->queued = false;
      at->second->taken = true;
      return key;
    }
  }
  return std::nullopt;
}

// No further part is sent once one has failed: either the message is over, or the failed part comes first.
bool Outbox::going(const Message& message) const {
  return std::all_of(message.parts.begin(), message.parts.end(), [](const PartState& part) {
    return part.at == PartState::At::waiting || part.at == PartState::At::under_way ||
           part.at == PartState::At::accepted;
  });
}

std::optional<Outbox::Part> Outbox::next_part(std::uint64_t key, Now now) {
  const auto at = messages_.find(key);
  if (at == messages_.end() || !going(*at->second)) return std::nullopt;
  Message& message = *at->second;
  const auto next = std::find_if(message.parts.begin(), message.parts.end(),
                                 [](const PartState& part) { return part.at == PartState::At::waiting; });
  if (next == message.parts.end()) return std::nullopt;
  const auto index = static_cast<std::size_t>(next - message.parts.begin());
  if (message.expires_ms <= now.wall) {
    // Never after the deadline: the rest of a half-sent message stays unsent too.
    next->at = PartState::At::refused;
    settle(key, now);
    return std::nullopt;
  }
  next->at = PartState::At::under_way;
  ++next->tries;
  ++message.under_way;
  message.validity = validity_text(settings_, message.expires_ms, now.wall);

  Part part;
  part.ticket = ticket_of(key, index);
  SubmitSm& submit = part.submit;
  submit.service_type = settings_.service_type;
  submit.source = {message.source_kind.ton, message.source_kind.npi, message.source};
  submit.destination = {1, 1, message.destination};
  submit.esm_class = message.text.udhi ? esm::kUdhi : std::uint8_t{0};
  submit.priority = message.priority;
  submit.validity = message.validity;
  submit.registered_delivery = 1;
  submit.data_coding = message.text.alphabet == Alphabet::gsm7 ? std::uint8_t{0} : settings_.ucs2_data_coding;
  if (message.text.payload)
    submit.payload = message.text.parts[index];
  else
    submit.short_message = message.text.parts[index];
  // A 3.3 peer knows no optional parameters.
  if (settings_.interface_version >= 0x34) submit.user_message_reference = message.reference;
  const std::size_t total = message.parts.size();
  if (total > 1 && !message.text.udhi)
    submit.sar =
        Concatenation{message.reference, static_cast<std::uint8_t>(total), static_cast<std::uint8_t>(index + 1)};
  return part;
}

void Outbox::unsendable(std::uint64_t ticket, std::string_view reason) {
  wire::Result result;
  result.set_kind(wire::Result::REFUSED);
  result.set_reason(std::string(reason));
  finish(message_of(ticket), std::move(result));
}

Outbox::Advice Outbox::answered(const Action& answer, Now now) {
  if (answer.kind == Action::Kind::late_answer) {
    late_answer(answer);
    return Advice::none;
  }
  const std::uint64_t key = message_of(answer.ticket);
  const auto at = messages_.find(key);
  if (at == messages_.end()) return Advice::none;
  Message& message = *at->second;
  PartState& part = message.parts.at(part_index(answer.ticket));
  if (part.at != PartState::At::under_way) return Advice::none;
  --message.under_way;
  part.status = answer.status;
  Advice advice = Advice::none;
  switch (answer.outcome) {
    case Action::Outcome::accepted:
      part.at = PartState::At::accepted;
      part.id = canonical_id(answer.message_id, settings_.id_in_response);
      break;
    case Action::Outcome::refused:
      switch (settings_.statuses.of(answer.status)) {
        case StatusClass::throttle:
          advice = Advice::slow_down;
          part.at = PartState::At::later;
          break;
        case StatusClass::reconnect:
          advice = Advice::reconnect;
          part.at = PartState::At::later;
          break;
        case StatusClass::retry:
          part.at = PartState::At::later;
          break;
        case StatusClass::accepted:  // an error status is never in this class
        case StatusClass::number:
        case StatusClass::permanent:
        case StatusClass::config:
          part.at = PartState::At::refused;
          break;
      }
      break;
    case Action::Outcome::timed_out:
    case Action::Outcome::lost:
      part.at = PartState::At::unknown;
      break;
    case Action::Outcome::not_sent:
      // It never left: as if it had not been tried.
      part.at = PartState::At::waiting;
      --part.tries;
      break;
  }
  settle(key, now);
  return advice;
}

void Outbox::release(std::uint64_t key, Now now) {
  const auto at = messages_.find(key);
  if (at == messages_.end() || !std::exchange(at->second->taken, false)) return;
  settle(key, now);
}

std::string Outbox::part_of(const Message& message, std::string reason, std::size_t part) const {
  if (message.parts.size() == 1) return reason;
  return fmt::format("{} part {} of {}", reason, part + 1, message.parts.size());
}

// See the table in outbox.hpp.
void Outbox::settle(std::uint64_t key, Now now) {
  Message& message = *messages_.at(key);
  if (message.under_way > 0) return;
  const auto find = [&](PartState::At at) {
    const auto found =
        std::find_if(message.parts.begin(), message.parts.end(), [&](const PartState& p) { return p.at == at; });
    return static_cast<std::size_t>(found - message.parts.begin());
  };
  const std::size_t none = message.parts.size();
  const std::size_t refused = find(PartState::At::refused), unknown = find(PartState::At::unknown),
                    later = find(PartState::At::later), accepted = find(PartState::At::accepted),
                    unsent = find(PartState::At::waiting);
  wire::Result result;
  if (refused != none) {
    const std::uint32_t status = message.parts[refused].status;
    result.set_kind(wire::Result::REFUSED);
    // Only an expired part is refused without a status.
    const bool expired = status == 0;
    result.set_reason(
        expired && accepted == none ? "expired" : part_of(message, expired ? "expired" : reason_word(status), refused));
    result.set_address_dead(status == status::kInvalidDestination);
    return finish(key, std::move(result));
  }
  if (unknown != none) {
    InDoubt doubt;
    doubt.attempt = message.attempt;
    for (const PartState& part : message.parts) {
      if (part.at == PartState::At::unknown) ++doubt.missing;
      if (part.at == PartState::At::accepted && !part.id.empty()) result.add_provider_id(part.id);
    }
    // Where parts were left unsent no late answer can make the message whole.
    if (unsent == none && later == none) {
      in_doubt_.emplace(key, std::move(doubt));
      in_doubt_order_.push_back(key);
      if (in_doubt_order_.size() > kMaxInDoubt) {
        in_doubt_.erase(in_doubt_order_.front());
        in_doubt_order_.pop_front();
      }
    }
    result.set_kind(wire::Result::UNKNOWN);
    result.set_receipts(result.provider_id_size() > 0);
    result.set_reason(part_of(message, "smsc-no-answer", unknown));
    return finish(key, std::move(result));
  }
  if (later != none && accepted == none) {
    const std::uint32_t status = message.parts[later].status;
    const bool throttled = settings_.statuses.of(status) == StatusClass::throttle;
    result.set_kind(throttled ? wire::Result::THROTTLED : wire::Result::RETRY);
    result.set_retry_after_ms(throttled ? kThrottledAfterMs : kRetryAfterMs);
    result.set_reason(reason_word(status));
    return finish(key, std::move(result));
  }
  if (draining_ && (later != none || unsent != none)) return give_back(key, message);
  if (later != none) {
    const PartState& failed = message.parts[later];
    if (failed.tries >= kPartTries) {
      result.set_kind(wire::Result::REFUSED);
      result.set_reason(part_of(message, reason_word(failed.status), later));
      return finish(key, std::move(result));
    }
    for (PartState& part : message.parts) {
      if (part.at == PartState::At::later) part.at = PartState::At::waiting;
    }
    if (!std::exchange(message.queued, true)) again_.emplace(now.steady + kPartPauseMs * failed.tries, key);
    return;
  }
  if (unsent != none) {
    // The session that has it sends on; otherwise another one does.
    if (!message.taken && !std::exchange(message.queued, true)) lanes_.at(message.lane).push_front(key);
    return;
  }
  result.set_kind(wire::Result::SENT);
  for (PartState& part : message.parts) {
    if (!part.id.empty()) result.add_provider_id(std::move(part.id));
  }
  // Without an id no receipt can ever be matched.
  result.set_receipts(static_cast<std::size_t>(result.provider_id_size()) == message.parts.size());
  finish(key, std::move(result));
}

void Outbox::finish(std::uint64_t key, wire::Result&& result) {
  const auto node = messages_.extract(key);
  if (!node) return;
  const wire::Attempt& attempt = node.mapped()->attempt;
  by_attempt_.erase({attempt.message(), attempt.number()});
  *result.mutable_attempt() = attempt;
  handlers_.result(std::move(result));
}

void Outbox::late_answer(const Action& answer) {
  const auto at = in_doubt_.find(message_of(answer.ticket));
  if (at == in_doubt_.end()) return;
  InDoubt& doubt = at->second;
  wire::Receipt receipt;
  *receipt.mutable_attempt() = doubt.attempt;
  if (answer.outcome != Action::Outcome::accepted) {
    receipt.set_progress(wire::REFUSED);
    receipt.set_reason(reason_word(answer.status));
    handlers_.receipt(std::move(receipt));
    in_doubt_.erase(at);
    return;
  }
  doubt.ids.push_back(canonical_id(answer.message_id, settings_.id_in_response));
  if (--doubt.missing > 0) return;
  receipt.set_progress(wire::SENT);
  receipt.set_reason("smsc-late-answer");
  for (const std::string& id : doubt.ids) {
    wire::Receipt one = receipt;
    one.set_provider_id(id);
    handlers_.receipt(std::move(one));
  }
  in_doubt_.erase(at);
}

void Outbox::sweep(Now now, std::int64_t patience_ms, std::uint32_t retry_after_ms) {
  std::vector<std::pair<std::uint64_t, bool>> over;
  for (const auto& [key, message] : messages_) {
    if (message->under_way > 0) continue;
    if (message->expires_ms <= now.wall)
      over.emplace_back(key, true);
    else if (!touched(*message) && now.steady - message->arrived >= patience_ms)
      over.emplace_back(key, false);
  }
  for (const auto& [key, expired] : over) {
    wire::Result result;
    result.set_kind(expired ? wire::Result::REFUSED : wire::Result::RETRY);
    result.set_reason(expired ? "expired" : "smsc-unbound");
    if (!expired) result.set_retry_after_ms(retry_after_ms);
    finish(key, std::move(result));
  }
}

// Nothing is under way and nothing more will be sent.
void Outbox::give_back(std::uint64_t key, const Message& message) {
  const bool half = touched(message);
  wire::Result result;
  result.set_kind(half ? wire::Result::UNKNOWN : wire::Result::RETRY);
  result.set_reason(half ? "drain-half-sent" : "drain");
  finish(key, std::move(result));
}

void Outbox::drain(Now now) {
  draining_ = true;
  std::vector<std::uint64_t> keys;
  for (const auto& [key, message] : messages_) keys.push_back(key);
  for (const std::uint64_t key : keys) settle(key, now);
}

}  // namespace postern::smpp
