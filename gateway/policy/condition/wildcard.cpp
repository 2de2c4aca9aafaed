// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/condition/wildcard.hpp"

namespace postern::policy {
namespace {

// RFC 3629 section 3: 10xxxxxx.
constexpr bool continues_character(std::uint8_t byte) { return (byte & 0xc0) == 0x80; }

}  // namespace

std::optional<Wildcard> Wildcard::of(std::string_view pattern) {
  Wildcard made;
  for (const char c : pattern) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte == '*') {
      made.stays_ |= std::uint64_t{1} << made.length_;
      continue;
    }
    if (made.length_ == kMaxBytes) return std::nullopt;
    const std::uint64_t bit = std::uint64_t{1} << ++made.length_;
    if (byte != '?') {
      made.takes_[byte] |= bit;
      continue;
    }
    made.in_character_ |= bit;
    for (std::size_t any = 0; any < made.takes_.size(); ++any)
      if (!continues_character(static_cast<std::uint8_t>(any))) made.takes_[any] |= bit;
  }
  return made;
}

bool Wildcard::matches(std::string_view text) const {
  std::uint64_t reached = 1;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const std::uint64_t stay = continues_character(byte) ? stays_ | in_character_ : stays_;
    reached = ((reached << 1) & takes_[byte]) | (reached & stay);
    if (reached == 0) return false;
  }
  return (reached >> length_ & 1) != 0;
}

}  // namespace postern::policy
