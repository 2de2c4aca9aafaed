// SPDX-License-Identifier: Apache-2.0
// Purpose: cuts a condition's text into words, signs and literals. Used by: the parser of conditions. Threads: any.
// Errors: a fault with its place. What a token spells points into the text, which outlives it.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/policy/condition/condition.hpp"

namespace postern::policy {

struct Token {
  enum class Kind : std::uint8_t { word, sign, literal, end };
  Kind kind = Kind::end;
  Type type = Type::text;      // of a literal
  std::size_t offset = 0;
  std::string_view spelled;    // as it stands there
  std::string text;            // of a text: without quotes and escapes
  std::int64_t number = 0;     // of any other literal

  bool is(std::string_view word_or_sign) const { return (kind == Kind::word || kind == Kind::sign) && spelled == word_or_sign; }
};

// The last one is the end.
std::expected<std::vector<Token>, Fault> tokens_of(std::string_view source);

// A piece of a condition as an error quotes it: cut to a length that a line can hold.
std::string quoted(std::string_view piece);

}  // namespace postern::policy
