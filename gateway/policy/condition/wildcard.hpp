// SPDX-License-Identifier: Apache-2.0
// Purpose: patterns of whole texts with * (any characters, or none) and ? (one character). Used by: conditions.
// Threads: immutable. Limits: 63 bytes besides the stars. The text is read once from left to right and each byte
// costs the same few operations whatever the pattern: a customer's text cannot make the matching slow.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::policy {

class Wildcard {
 public:
  static constexpr std::size_t kMaxBytes = 63;

  // Nothing when the pattern is longer.
  static std::optional<Wildcard> of(std::string_view pattern);
  bool matches(std::string_view text) const;

 private:
  // All prefixes of the pattern that end here are followed at once: bit n of a set says "the first n of it are matched".
  std::array<std::uint64_t, 256> takes_{};  // for a byte: the bits it may lead to from the bit below
  std::uint64_t stays_ = 0;                 // a star follows: any byte stays
  std::uint64_t in_character_ = 0;          // behind a ?: the rest of a character in UTF-8 stays
  unsigned length_ = 0;
};

}  // namespace postern::policy
