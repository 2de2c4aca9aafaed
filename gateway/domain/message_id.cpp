// SPDX-License-Identifier: Apache-2.0
#include "gateway/domain/message_id.hpp"

#include <algorithm>

namespace postern {
namespace {

constexpr std::uint64_t kRandomMask = (1ULL << 54) - 1;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::array<std::uint8_t, 16> MessageId::bytes() const {
  const auto bits = static_cast<std::uint64_t>(key);
  const std::uint64_t counter = bits & 0xfffff;
  const std::uint64_t high = (bits >> 20) << 16 | 0x7000 | counter >> 8;
  const std::uint64_t low = 2ULL << 62 | (counter & 0xff) << 54 | (random & kRandomMask);
  std::array<std::uint8_t, 16> out{};
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    out[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return out;
}

std::string MessageId::text() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  const auto all = bytes();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kDigits[all[i] >> 4];
    out += kDigits[all[i] & 15];
  }
  return out;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::uint64_t half[2] = {0, 0};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return std::nullopt;
    half[digits / 16] = half[digits / 16] << 4 | static_cast<std::uint64_t>(value);
    ++digits;
  }
  // A key holds 44 of the 48 bits of time (to the year 2527): the others must be zero, or two texts name one message.
  if ((half[0] >> 12 & 15) != 7 || half[1] >> 62 != 2 || half[0] >> 60 != 0) return std::nullopt;
  const std::uint64_t counter = (half[0] & 0xfff) << 8 | (half[1] >> 54 & 0xff);
  const std::uint64_t key = half[0] >> 16 << 20 | counter;
  if (key == 0 || key > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return MessageId{static_cast<MessageKey>(key), half[1] & kRandomMask};
}

MessageKey KeySource::next(TimeMs now) {
  last_ = std::max(last_ + 1, static_cast<MessageKey>(static_cast<std::uint64_t>(now) << 20));
  return last_;
}

}  // namespace postern
