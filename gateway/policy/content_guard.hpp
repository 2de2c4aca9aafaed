// SPDX-License-Identifier: Apache-2.0
// Purpose: what may not stand in a text that leaves the bank: card and account numbers, links that lead elsewhere, letters
// and characters that deceive. Used by: the vault, on each rendered text before it is accepted. Threads: pure; any.
// Ownership: nothing of the text is kept, and no finding carries any of it. Errors: none; what cannot be read is a finding.
// Units: offsets and lengths in bytes. Limits: 64 KiB are read, what is longer is a finding; 64 findings, then it stops.
// Time: linear in the text (the digits of a card or account number are looked at some twenty times); logarithmic in the domains.
// It catches mistakes and careless misuse. Who wants to smuggle a number out can spell it in words.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/policy/domains.hpp"

namespace postern::policy {

struct ContentRules {
  bool cards = true;
  bool ibans = true;
  bool links = true;
  bool letters = true;      // that look like others
  bool hidden = true;       // what cannot be seen, and what turns the direction
  DomainList domains = {};  // to which links may lead; none: no link may stand
};

enum class FindingKind : std::uint8_t {
  card = 1,                 // 13 to 19 digits of a payment card's series with a right check digit (ISO/IEC 7812-1)
  iban = 2,                 // right check digits (ISO 13616-1)
  link = 3,                 // a link, or what a phone makes one of, to a domain that is not listed
  link_look_alike = 4,      // the same, and its name looks like a listed one
  link_disguised = 5,       // a name before the real one (https://bank.example@evil), or a backslash in it
  mixed_scripts = 6,        // one word of Latin and Cyrillic, Greek or Armenian letters
  styled_letters = 7,       // letters of mathematics, in circles or boxes
  bidi = 8,                 // a character that turns the direction of what follows
  invisible = 9,            // a character that does not show, where no script needs it
  control = 10,             // a control character but the end of a line and the tab
  invalid_utf8 = 11,
  too_long = 12,
};
std::string_view name_of(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::card;
  std::uint32_t offset = 0, length = 0;
  bool operator==(const Finding&) const = default;
};

// By their offset; empty: the text may go.
std::vector<Finding> check(std::string_view text, const ContentRules& rules);

}  // namespace postern::policy
