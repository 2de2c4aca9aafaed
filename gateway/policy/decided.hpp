// SPDX-License-Identifier: Apache-2.0
// Purpose: what the policy was asked about one step of one message and what it answered, as it stands in the audit log: enough to
// ask the same again under the same or another policy. Used by: the vault (writes), the explanation and the rehearsal of a policy
// (read). Threads: plain values. Errors: decode_decided() gives nothing for bytes that encode() does not make.
// Secrecy: says when the customer was written to, and stands in leaves only sealed under the customer's key. The address is not in
// it: it goes with the message's content, which is not kept for ever as leaves are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "gateway/policy/policy.hpp"

namespace postern::policy {

inline constexpr std::size_t kMaxSeen = 64, kMaxDecided = 1024;

struct Decided {
  std::uint64_t policy = 0;            // version: the first 8 bytes of the policy's SHA-256
  // The question, without the address.
  Category category = Category::service;
  std::uint8_t step = 0;               // index in the message's plan
  Channel channel = Channel::sms;
  TimeMs now = 0;
  std::string zone;                    // the recipient's own; empty: the bank's
  std::uint32_t weight = 1;
  bool counted = false;
  ConsentState consent = ConsentState::none;
  std::string speed;                   // the rule that counts it, and when it is its turn; empty: none
  TimeMs turn_ms = 0;
  std::optional<TimeMs> same_ms;       // when the same words were sent before
  std::vector<Sighting> sent;          // the newest kMaxSeen, newest first
  bool sent_cut = false;               // there were more
  bool sent_known = false;             // false: no cap counted this category, and nobody looked
  // What the engine made of the answer depends on these too; 0: none.
  TimeMs deadline_ms = 0, stage_end_ms = 0;
  Answer answer;

  // What is to be asked, of this address, where the recipient's own zone is `own` (null: not known). Views facts and address.
  Question question(std::string_view address, const Zone* own) const;
  // The engine leaves a step out that would have to wait past its end.
  bool fits(const Answer& hold) const;
};

// The first 8 bytes of a policy's SHA-256 in hexadecimal; 0: there is none.
std::uint64_t version_of(std::string_view sha256);

// Keeps what is newest of `sent`.
void keep_newest(std::vector<Sighting>& sent, bool& cut);

// At most kMaxDecided bytes.
Bytes encode(const Decided& facts);
std::optional<Decided> decode_decided(ByteView bytes);

}  // namespace postern::policy
