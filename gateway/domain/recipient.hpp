// SPDX-License-Identifier: Apache-2.0
// Purpose: what the bank tells the gateway of a customer beside messages: addresses, preferences, and what the customer has consented to or
// opted out of, with its history. Threads: plain values. Secrecy: all of it is personal data; it is sealed under the person's key.
// One Recipient is one row of the store (encode/decode).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "gateway/domain/words.hpp"

namespace postern {

// One statement of a customer: from now on, for this purpose, on this channel, yes or no.
struct ConsentRecord {
  Category purpose = Category::marketing;
  std::optional<Channel> channel;       // nothing: every channel
  bool given = false;                   // false: opted out
  TimeMs at_ms = 0;                     // when the customer said so
  std::string source;                   // where: "branch-17", "app", "reply sms"
  std::string wording;                  // what the customer was shown and agreed to, or wrote
};
inline constexpr std::size_t kMaxConsents = 100, kMaxSource = 64, kMaxWording = 1000;

struct PushAddress {
  std::string token, platform;
};

struct Recipient {
  std::string phone, email, whatsapp;   // as in a submit; empty: not known
  std::vector<PushAddress> push;
  std::string locale, time_zone, preferred;
  std::vector<ConsentRecord> consents;        // history in the order in which the gateway heard of it; oldest are dropped beyond kMaxConsents

  bool has_address() const { return !phone.empty() || !email.empty() || !whatsapp.empty() || !push.empty(); }
  // What the customer said last that speaks of this purpose on this channel; null: nothing.
  const ConsentRecord* consent(Category purpose, Channel channel) const;
  // Adds it to the history. What still decides something is never dropped.
  void add(ConsentRecord consent);
};

Bytes encode(const ConsentRecord& consent);   // what its hash is over
Bytes encode(const Recipient& recipient);
std::optional<Recipient> decode_recipient(ByteView row);

}  // namespace postern
