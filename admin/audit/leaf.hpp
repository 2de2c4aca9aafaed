// SPDX-License-Identifier: Apache-2.0
// Purpose: reads one audit leaf (crypto/DESIGN.md, "Audit leaf"), apart from the code that writes it: an error
// of the one is not an error of both. Used by: the verbs of postern-audit. Threads: plain values.
// Ownership: a Leaf views the bytes it was read from. Errors: nothing, for bytes of any other form.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/merkle.hpp"
#include "crypto/note.hpp"

namespace postern::auditor {

inline constexpr std::size_t kMaxLeaf = 8192;
inline constexpr std::uint16_t kInitialised = 6, kEpochBegun = 9;   // the types with a meaning for verification

using MessageId = std::array<std::uint8_t, 16>;

enum class BodyKind : std::uint8_t {
  none = 0,
  open = 1,       // a list of fields that everybody may read
  sealed = 2,     // under the log's body key
  personal = 3,   // under the key of one person
};

struct Leaf {
  std::uint16_t type = 0;
  std::uint64_t sequence = 0;
  std::uint32_t epoch = 0;
  std::int64_t utc_us = 0;
  std::uint64_t steady_us = 0;
  MessageId message{};            // zeros: of no message
  std::uint64_t before = 0;       // sequence + 1 of the message's previous leaf, 0: none
  std::uint16_t client = 0, connector = 0;
  std::uint8_t attempt = 0, state = 0;
  Hash previous{};
  BodyKind kind = BodyKind::none;
  ByteView body;
};
std::optional<Leaf> read_leaf(ByteView bytes);

// A field of an open body.
struct Field {
  std::uint8_t number = 0;
  ByteView value;
};
// Nothing unless the body is a list of fields in which key, begins and ends have their sizes.
std::optional<std::vector<Field>> read_open_body(ByteView body);

// What an epoch's first word says of it; nothing unless the body has each of the three exactly once.
struct Terms {
  PublicKey key{};
  std::int64_t begins_us = 0, ends_us = 0;
};
std::optional<Terms> read_terms(const Leaf& leaf);

// "accepted", or "type-77" for a type of a later version.
std::string event_name(std::uint16_t type);

std::string message_text(const MessageId& id);                      // 36 characters, lower case
std::optional<MessageId> parse_message(std::string_view text);
inline bool of_message(const Leaf& leaf) { return leaf.message != MessageId{}; }

}  // namespace postern::auditor
