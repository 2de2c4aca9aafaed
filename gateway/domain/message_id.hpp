// SPDX-License-Identifier: Apache-2.0
// Purpose: the id of a message: a UUIDv7 (RFC 9562 section 5.7) that holds the store's key, so that no
// index leads from one to the other. Threads: plain values.
// Layout: 48 bits Unix milliseconds | version 7 | 12 bits counter, high part | variant | 8 bits counter,
// low part | 54 random bits. Key = milliseconds << 20 | counter: unique and growing within one store.
// The random bits are stored with the message and must match: an id cannot be guessed from another.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/domain/words.hpp"

namespace postern {

using MessageKey = std::int64_t;  // > 0; grows with time

struct MessageId {
  MessageKey key = 0;
  std::uint64_t random = 0;       // 54 bits

  std::array<std::uint8_t, 16> bytes() const;
  std::string text() const;       // 36 characters, lower case
  static std::optional<MessageId> parse(std::string_view text);
  bool operator==(const MessageId&) const = default;
};

// Gives keys that only grow, also when the clock steps back or a million ids fall into one
// millisecond: it then runs ahead of the clock.
class KeySource {
 public:
  explicit KeySource(MessageKey last = 0) : last_(last) {}
  MessageKey next(TimeMs now);
  MessageKey last() const { return last_; }

 private:
  MessageKey last_;
};

inline TimeMs time_of(MessageKey key) { return key >> 20; }

}  // namespace postern
