// SPDX-License-Identifier: Apache-2.0
// Purpose: turns what a bank system wrote as a phone number into E.164 digits. Used by: the sources;
// the vault sees digits only. Threads: one Normaliser on one thread.
// Ownership: plain values; the cache holds keyed hashes and prefixes, never a number.
// Errors: a Refusal says why; it never repeats the number. Limits: kMaxText bytes of text.
//
// What is taken: ASCII digits with an optional leading '+', and the separators space - ( ) . / between
// them. With '+' the number is international. Without it the number is national in the default region
// (its "00"-like prefix included), or, when no default region is given, E.164 digits.
// The number plan is libphonenumber's and is as old as the package: a number that is possible but not
// in the plan passes with `in_plan` false, because a range may be newer than the plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace postern::phone {

inline constexpr std::size_t kMaxText = 40;

// unknown: the plan does not tell (also where fixed and mobile numbers share ranges, as in the USA).
enum class Kind : std::uint8_t { mobile, fixed, other, unknown };

struct Number {
  std::string digits;  // E.164 without '+', 7..15 digits
  std::string region;  // ISO 3166 "UA", or empty when the plan does not tell
  Kind kind = Kind::unknown;
  bool in_plan = true;
};

enum class Refusal : std::uint8_t {
  malformed,   // not a phone number: letters, odd characters, no digits, too long a text
  impossible,  // no number of that country has this length, or there is no such country code
  fixed_line,  // a fixed line where a mobile number is needed
  premium,     // a number that charges its caller or is free to call: never a customer's
};

// "phone-malformed", "phone-impossible", "phone-fixed-line", "phone-premium".
std::string_view code_of(Refusal refusal);
// A sentence for the person who sent it.
std::string_view detail_of(Refusal refusal);

enum class Need : std::uint8_t { any, mobile };

class Table;

class Normaliser {
 public:
  // `default_region`: ISO 3166 two letters, or empty. `cache_entries` is rounded up to a power of two.
  explicit Normaliser(std::string default_region, std::size_t cache_entries = 64 * 1024);
  ~Normaliser();

  // False when libphonenumber knows no such region.
  static bool known_region(std::string_view region);

  // The region is the default one, or the given one when it is not empty.
  std::expected<Number, Refusal> normalise(std::string_view text, Need need, std::string_view region = {});

  std::uint64_t cache_hits() const;

 private:
  std::string default_region_;
  std::unique_ptr<Table> cache_;
};

}  // namespace postern::phone
