// SPDX-License-Identifier: Apache-2.0
// Purpose: how much of the bank one customer gets in a time, all departments together: caps over what was sent to the
// customer. Used by: the vault. Threads: pure functions of values; any. Ownership: nothing is kept; what was sent is the
// caller's, in any order. Errors: none; a message heavier than a cap is told as such.
// Units: instants and periods are Unix milliseconds, limits and weights are units of the bank's choosing (a push 1, a call 5).
// What lies in the future (clocks went back, or it is planned) counts as sent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "gateway/domain/flight.hpp"
#include "gateway/policy/zone.hpp"

namespace postern::policy {

// Categories as bits, so that one cap may count several.
using CategoryMask = std::uint8_t;
constexpr CategoryMask mask_of(Category category) { return static_cast<CategoryMask>(1U << static_cast<unsigned>(category)); }

enum class Period : std::uint8_t {
  rolling,                // the last `rolling_ms`, whenever that began
  day,                    // of the recipient's calendar
  week,                   // the same, from Monday
};

struct Cap {
  std::string name;       // as the configuration and the audit log have it
  CategoryMask categories = 0;
  std::uint32_t limit = 0;
  Period period = Period::day;
  std::int64_t rolling_ms = 0;  // > 0 where the period is rolling
};

// What one customer was sent. The weight is that of its client or category, set when it was sent.
struct Sighting {
  TimeMs at_ms = 0;
  Category category = Category::service;
  ClientId client = 0;
  std::uint32_t weight = 1;
};

struct Verdict {
  bool allowed = true;
  TimeMs at_ms = 0;             // now, or the earliest instant at which it will be; 0: never, it weighs more than the cap
  std::uint64_t used = 0;       // of the cap's limit, now
  std::uint32_t limit = 0;
};

// Whether something of this category and weight may go now under one cap. A cap that does not count the category allows it.
Verdict allowed_at(const Cap& cap, std::span<const Sighting> sent, Category category, std::uint32_t weight, TimeMs now, const Zone& zone);

// The same under all caps: the one that holds longest decides.
struct Decision {
  std::optional<std::size_t> cap;  // index of the one that forbids it; nothing when it is allowed
  Verdict verdict;                 // of that cap; of no cap when allowed
};
Decision allowed_at(std::span<const Cap> caps, std::span<const Sighting> sent, Category category, std::uint32_t weight, TimeMs now, const Zone& zone);

}  // namespace postern::policy
