// SPDX-License-Identifier: Apache-2.0
// Purpose: one audit leaf: what stands in the Merkle tree, byte by byte (crypto/DESIGN.md, "Audit
// leaf"). The header is readable by anybody, the body is sealed (to the log, or to the person it speaks
// of) or open; the tree's hash covers both, so a verifier needs no key, and a person's key can be
// destroyed without breaking the tree. Used by: posternd, the verifiers. Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/merkle.hpp"
#include "gateway/domain/event_type.hpp"
#include "gateway/domain/flight.hpp"

namespace postern::audit {

// Fields of a body; numbers are frozen.
enum class Field : std::uint8_t {
  reason = 1,       // machine word
  provider_id = 2,
  actor = 3,        // administrator, or connector that reported
  object = 4,       // certificate fingerprint, row key, file hash
  text = 5,         // one sentence
  recipient = 6,    // pseudonym, 16 hex digits
  count = 7,
  scenario = 8,
  template_name = 9,
  network = 10,
  key = 11,         // 32 bytes: an epoch's public key
  begins = 12,      // 8 bytes, UTC microseconds: of an epoch
  ends = 13,
  commitment = 14,  // keyed, hex: of a text that nobody may read
  facts = 15,       // what the policy was asked and answered: gateway/policy/decided.hpp
  consent = 16,     // hex: the hash of a person's consent
};
using Body = std::vector<std::pair<Field, std::string>>;

// How the body stands in the leaf; numbers are frozen.
enum class BodyKind : std::uint8_t {
  none = 0,
  open = 1,         // readable by everybody
  log = 2,          // sealed under the log's own key
  person = 3,       // sealed under the key of the person it speaks of
};

struct Leaf {
  std::uint64_t sequence = 0;      // 0 for the first
  std::uint32_t epoch = 0;         // of the signing key
  std::int64_t utc_us = 0;
  std::uint64_t steady_us = 0;
  EventType type = EventType::started;
  MessageId message;               // key 0: of no message
  std::uint64_t before = 0;        // sequence + 1 of the message's previous leaf, 0: none
  ClientId client = 0;
  ConnectorId connector = 0;
  std::uint8_t attempt = 0;        // number from 1, 0: none
  MessageState state = MessageState::active;  // the final state that this event brought, else active
  Hash previous{};                 // leaf hash of the leaf before
  BodyKind body_kind = BodyKind::none;
  Bytes body;                      // empty exactly for `none`
};

Bytes encode(const Leaf& leaf);
std::optional<Leaf> decode_leaf(ByteView bytes);

Bytes encode(const Body& body);
std::optional<Body> decode_body(ByteView bytes);

inline constexpr std::size_t kMaxLeaf = 8 * 1024;

}  // namespace postern::audit
