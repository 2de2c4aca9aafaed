// SPDX-License-Identifier: Apache-2.0
// Purpose: the character tables of 3GPP TS 23.038: the default alphabet, its extension, and the national
// language tables that handsets are known to use (Turkish, Spanish, Portuguese).
// Used by: encoding.cpp. Threads: constants and pure functions. Errors: none; 0 means "no such entry".
#pragma once

#include <cstdint>

namespace postern::smpp::gsm {

inline constexpr std::uint8_t kEscape = 0x1b;

// National language ids of user data header elements 0x24 and 0x25, TS 23.038 section 6.2.1.2.4.
inline constexpr std::uint8_t kDefault = 0, kTurkish = 1, kSpanish = 2, kPortuguese = 3;

// The character of one septet in the locking table of a language; 0xffff for the escape itself. Languages
// without a table of their own here use the default one.
char16_t locking_character(std::uint8_t language, std::uint8_t septet);

// The character of the septet after an escape; 0 when the table has none there.
char16_t shifted_character(std::uint8_t language, std::uint8_t septet);

// The septet of a character in the default alphabet; septet | kExtended when it needs an escape in front;
// kNone when it has none.
inline constexpr std::uint16_t kExtended = 0x100, kNone = 0xffff;
std::uint16_t septet_of(char32_t character);

}  // namespace postern::smpp::gsm
