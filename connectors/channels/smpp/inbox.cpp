// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/inbox.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "connectors/channels/smpp/receipt.hpp"

namespace postern::smpp {
namespace {

constexpr std::int64_t kRepeatWindowMs = 10 * 60 * 1000;
constexpr std::size_t kMaxSeen = 10'000;

std::string sha256_hex(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(as_bytes(text).data(), text.size(), digest.data());
  return to_hex(digest);
}

wire::Progress progress_of(MessageState state) {
  switch (state) {
    case MessageState::delivered:
      return wire::DELIVERED;
    case MessageState::expired:
    case MessageState::deleted:
    case MessageState::undeliverable:
    case MessageState::rejected:
    case MessageState::skipped:
      return wire::REFUSED;
    case MessageState::scheduled:
    case MessageState::enroute:
    case MessageState::accepted:
    case MessageState::unknown:  // final, but says nothing: resending would be a guess
      return wire::SENT;
  }
  return wire::SENT;
}

// "dlr-undeliverable-27": the state, and the provider's error code without leading zeros.
std::string receipt_reason(const DeliveryReceipt& receipt) {
  std::string reason = "dlr-" + std::string(state_word(receipt.state));
  const std::size_t digits = receipt.error.find_first_not_of('0');
  if (digits == std::string::npos) return reason;
  std::string error = receipt.error[digits] == 'x' ? receipt.error : receipt.error.substr(digits);
  std::transform(error.begin(), error.end(), error.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return reason + "-" + error;
}

std::optional<Concatenation> sar_of(const Tlvs& tlvs) {
  const auto reference = tlvs.number(tag::kSarReference), total = tlvs.number(tag::kSarTotal),
             part = tlvs.number(tag::kSarPart);
  if (!reference || !total || !part || *part == 0 || *part > *total || *total > 255) return std::nullopt;
  return Concatenation{static_cast<std::uint16_t>(*reference), static_cast<std::uint8_t>(*total),
                       static_cast<std::uint8_t>(*part)};
}

std::string address_text(const Address& address) {
  return std::string(address.value.starts_with('+') ? address.value.substr(1) : address.value);
}

}  // namespace

Inbox::Inbox(const Settings& settings, Handlers handlers)
    : settings_(settings), handlers_(std::move(handlers)), joiner_(settings.join_timeout.count()) {}

void Inbox::take(const Pdu& pdu, const Origin& origin, Now now) {
  DeliveryReceipt receipt;
  switch (read_inbound(pdu, settings_.receipts, receipt)) {
    case Inbound::receipt:
      return take_receipt(receipt, origin);
    case Inbound::broken_receipt:
      handlers_.dropped("receipt-without-id");
      handlers_.taken(origin);
      return;
    case Inbound::message:
      return take_message(pdu, origin, now);
  }
}

void Inbox::take_receipt(const DeliveryReceipt& receipt, const Origin& origin) {
  wire::Receipt fact;
  fact.set_provider_id(receipt.id);
  fact.set_progress(progress_of(receipt.state));
  fact.set_reason(receipt_reason(receipt));
  if (receipt.done_ms > 0) fact.set_at_ms(static_cast<std::uint64_t>(receipt.done_ms));
  handlers_.receipt(std::move(fact), [this, origin] { handlers_.taken(origin); });
}

void Inbox::take_message(const Pdu& pdu, const Origin& origin, Now now) {
  Joiner::Part part;
  part.source = address_text(pdu.source);
  part.destination = address_text(pdu.destination);
  part.data_coding = pdu.data_coding;
  ByteView octets = pdu.content();
  std::optional<Concatenation> place = sar_of(pdu.tlvs);
  if ((pdu.esm_class & esm::kUdhi) != 0) {
    if (const std::optional<UserDataHeader> header = read_header(octets)) {
      if (header->destination_port) {
        // For an application on a handset, not for people.
        handlers_.dropped("port");
        handlers_.taken(origin);
        return;
      }
      octets = octets.subspan(header->size);
      part.single_shift = header->single_shift;
      part.locking_shift = header->locking_shift;
      if (header->concatenation) place = header->concatenation;
    }
  }
  part.octets.assign(octets.begin(), octets.end());
  // A message of one part is whole at once.
  part.place = place.value_or(Concatenation{0, 1, 1});
  part.tag = next_tag_++;
  held_.emplace(part.tag, Held{origin, now.steady + kHoldMs});
  std::vector<Joiner::Joined> joined;
  joiner_.add(std::move(part), now.steady, joined);
  give(joined, now);
}

void Inbox::give(std::vector<Joiner::Joined>& joined, Now now) {
  for (const Joiner::Joined& message : joined) {
    std::vector<Origin> origins;
    for (const std::uint64_t tag : message.tags) {
      if (const auto held = held_.extract(tag)) origins.push_back(held.mapped().origin);
    }
    reply(message, std::move(origins), now);
  }
}

// A peer that lost our answer sends the message again; that must not become a second reply. It carries no
// id of its own, so within the window the same content whose answer did not arrive keeps its id, while a
// customer who writes the same twice is heard twice.
std::string Inbox::id_of(const Joiner::Joined& message, Now now, std::string& content) {
  content = sha256_hex(message.source + '\0' + message.destination + '\0' + static_cast<char>(message.data_coding) +
                       std::string(as_text(message.octets)));
  const auto at = seen_.find(content);
  if (at != seen_.end() && at->second.until > now.steady) return at->second.id;
  const std::string id = sha256_hex(content + std::to_string(now.wall)).substr(0, 32);
  if (seen_.size() < kMaxSeen) seen_.insert_or_assign(content, Seen{id, now.steady + kRepeatWindowMs});
  return id;
}

void Inbox::reply(const Joiner::Joined& message, std::vector<Origin> origins, Now now) {
  DecodeOptions coding;
  coding.data_coding = message.data_coding;
  coding.default_alphabet = settings_.default_alphabet;
  coding.single_shift = message.single_shift;
  coding.locking_shift = message.locking_shift;
  std::optional<std::string> text = decode_text(message.octets, coding);
  if (!text) {
    handlers_.dropped("binary");
    for (const Origin& origin : origins) handlers_.taken(origin);
    return;
  }
  std::string content;
  wire::Reply fact;
  fact.set_provider_id(id_of(message, now, content));
  fact.set_channel("sms");
  fact.set_from(message.source);
  fact.set_text(std::move(*text));
  fact.set_at_ms(static_cast<std::uint64_t>(now.wall));
  handlers_.reply(std::move(fact), [this, origins = std::move(origins), content = std::move(content)] {
    bool all = true;
    for (const Origin& origin : origins) all = handlers_.taken(origin) && all;
    if (all) seen_.erase(content);
  });
}

void Inbox::tick(Now now) {
  std::vector<Joiner::Joined> joined;
  joiner_.expire(now.steady, joined);
  give(joined, now);
  for (auto at = held_.begin(); at != held_.end();) {
    if (at->second.deadline > now.steady) {
      ++at;
      continue;
    }
    handlers_.taken(at->second.origin);
    at = held_.erase(at);
  }
  std::erase_if(seen_, [&](const auto& entry) { return entry.second.until <= now.steady; });
}

void Inbox::flush(Now now) {
  std::vector<Joiner::Joined> joined;
  joiner_.flush(joined);
  give(joined, now);
}

}  // namespace postern::smpp
