// SPDX-License-Identifier: Apache-2.0
// Purpose: a list of phone numbers and e-mail addresses, exact or by pattern: what a bank never writes to, or alone writes
// to. Used by: the configuration (loads), the vault (asks). Threads: immutable after loading; any.
// Ownership: the list owns what it holds; a million exact numbers take 16 MB. Errors: every line that is wrong (twenty are
// shown), with its line and column, counted from 1, and how it is written; an error never shows the line's own text.
// Limits: 256 MiB of text, 320 characters a line, 5 million entries, of which 1,000 with `?`.
// Secrecy: it holds addresses of customers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"

namespace postern::policy {

class AddressList {
 public:
  AddressList() = default;

  // One entry a line; empty lines and what follows a # (at the line's beginning or after a space) are left out:
  //   +380671234567                  one number
  //   +38067*                        all that begin so
  //   +38067??00000                  ? is one digit
  //   +380670000000-+380670099999    a range, both ends in it
  //   anna@bank.example              one address, in any case of letters
  //   *@bank.example                 all of a domain, not of those below it
  // The + may be left out.
  static Result<AddressList> load(std::string_view text);

  // The line of the first entry that matches; nothing when none does. `address` as a payload has it: digits, with or
  // without +, or an e-mail address.
  std::optional<std::uint32_t> find(std::string_view address) const;

  std::size_t size() const { return entries_; }

  // A number or address that it holds, another for most other `n`; empty: it holds none. For rehearsals.
  std::string sample(std::uint64_t n) const;

 private:
  struct Number {
    std::uint64_t number;
    std::uint32_t line;
  };
  struct Range {
    std::uint64_t first, last;
    std::uint32_t line;
  };
  struct Pattern {
    std::string text;               // digits and ?
    std::uint32_t line;
    bool open;                      // more digits may follow
  };
  struct Name {                     // a piece of names_
    std::uint32_t offset, size, line;
  };
  class Loader;

  std::string_view text_of(const Name& name) const { return std::string_view(names_).substr(name.offset, name.size); }
  std::uint32_t line_of(const std::vector<Name>& names, std::string_view text) const;

  std::size_t entries_ = 0;
  std::vector<Number> numbers_;     // sorted
  std::array<std::vector<Number>, 16> prefixes_;  // by their length; sorted
  std::vector<Range> ranges_;       // sorted, apart; each with the first line of those that cover it
  std::vector<Pattern> patterns_;   // by line
  std::string names_;
  std::vector<Name> addresses_, domains_;  // sorted by text
};

}  // namespace postern::policy
