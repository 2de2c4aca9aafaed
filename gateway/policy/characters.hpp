// SPDX-License-Identifier: Apache-2.0
// Purpose: what the content guard must know of characters: UTF-8, digits of every script, scripts of letters that are taken
// for each other, what cannot be seen. Small tables after Unicode 14, of what a bank's texts are attacked with; not a
// general library. Used by: the content guard, domain lists. Threads: pure. Errors: invalid UTF-8 is told as such.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::policy {

// One character of a text. Invalid: not UTF-8 (RFC 3629: also over-long forms and surrogates); then one byte wide.
struct Decoded {
  char32_t code = 0;
  std::uint8_t size = 1;
  bool valid = true;
};
Decoded decode(std::string_view text, std::size_t offset);  // offset < text.size()
void append_utf8(std::string& out, char32_t code);

// Of letters: only those scripts are told apart whose letters look like each other's.
enum class Script : std::uint8_t { none = 0, latin = 1, cyrillic = 2, greek = 4, armenian = 8, other = 16 };
Script script_of(char32_t code);

int digit_of(char32_t code);          // 0..9 of any script, also full-width, raised and in circles; -1: no digit
bool is_mark(char32_t code);          // combines with the letter before it
bool is_space(char32_t code);         // of any width, also line ends
bool is_dash(char32_t code);
bool is_styled(char32_t code);        // letters of mathematics and in circles or boxes: letters in disguise
bool is_right_to_left(char32_t code);
bool is_symbol(char32_t code);        // pictures, arrows, signs: what emoji are made of

// What does not show and has no business in a text, or only in some scripts.
enum class Hidden : std::uint8_t { no, control, override_, mark, joiner, selector, invisible };
Hidden hidden_kind(char32_t code);

// Small letters for capitals of Latin, Cyrillic, Greek and Armenian; ASCII for full-width; a dot for each kind of full stop
// that a browser takes for one.
char32_t folded(char32_t code);
// The ASCII letter or digit that a letter looks like, small; itself, folded, when it looks like none.
char32_t look_of(char32_t code);

}  // namespace postern::policy
