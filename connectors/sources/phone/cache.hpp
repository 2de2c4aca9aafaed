// SPDX-License-Identifier: Apache-2.0
// Purpose: remembers what libphonenumber said about a number without remembering the number.
// Used by: phone::Normaliser. Threads: one. Ownership: a fixed table, no allocation after the start.
// Errors: none; an entry that was pushed out is asked again. Limits: the table's size; sets of eight,
// the least recently used one of a set goes first.
//
// A source sees every customer's number once, and whoever takes it over should not find yesterday's.
// So the key is a SipHash of the text under a random key of this process, and the result is kept as
// the change that makes E.164 out of the text: how many leading digits to drop, which to put in front.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "connectors/sources/phone/phone.hpp"

namespace postern::phone {

// What is known of one text. `refused` entries hold only the refusal.
struct Verdict {
  std::uint16_t country_code = 0;  // put in front; 0: nothing
  std::uint8_t drop = 0;           // leading digits to leave out
  Kind kind = Kind::unknown;
  bool in_plan = true, premium = false, refused = false;
  Refusal refusal = Refusal::malformed;
  std::array<char, 2> region{};  // zero: unknown
};

class Table {
 public:
  explicit Table(std::size_t entries);
  std::uint64_t hash(std::string_view digits, bool plus, std::string_view region) const;
  const Verdict* find(std::uint64_t hash);
  void keep(std::uint64_t hash, const Verdict& verdict);
  std::uint64_t hits() const { return hits_; }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t used = 0;  // 0: empty
    Verdict verdict;
  };
  Entry* set_of(std::uint64_t hash) { return &entries_[(hash & mask_) * kWays]; }

  std::array<unsigned char, 16> key_{};
  std::vector<Entry> entries_;
  std::uint64_t mask_ = 0, hits_ = 0;
  std::uint32_t clock_ = 0;
};

}  // namespace postern::phone
