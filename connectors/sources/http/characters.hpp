// SPDX-License-Identifier: Apache-2.0
// Purpose: the character classes of RFC 9110 (token, field value) and RFC 3986 (path), from one table.
// Used by: the request parser and the response writer. Threads: pure functions. Limits: none.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace postern::http {

inline constexpr std::array<std::uint8_t, 256> kCharacterClasses = [] {
  constexpr std::uint8_t token = 1, value = 2, path = 4, unreserved = 8;
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&classes](std::string_view characters, unsigned what) {
    for (const char c : characters)
      classes[static_cast<unsigned char>(c)] = static_cast<std::uint8_t>(classes[static_cast<unsigned char>(c)] | what);
  };
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", token | path | unreserved);
  add("-._~", token | path | unreserved);
  add("!#$%&'*+^`|", token);
  add("!$&'()*+,;=:@", path);
  for (unsigned c = 0x20; c < 256; ++c)
    if (c != 0x7f) classes[c] = static_cast<std::uint8_t>(classes[c] | value);
  classes['\t'] = value;
  return classes;
}();

constexpr bool in_class(char c, unsigned what) {
  return (kCharacterClasses[static_cast<unsigned char>(c)] & what) != 0;
}

constexpr bool is_token_character(char c) { return in_class(c, 1); }
constexpr bool is_value_character(char c) { return in_class(c, 2); }  // visible, space, tab, obs-text
constexpr bool is_path_character(char c) { return in_class(c, 4); }   // pchar without percent-encoding
constexpr bool is_unreserved(char c) { return in_class(c, 8); }
constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// 0..15, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace postern::http
