// SPDX-License-Identifier: Apache-2.0
// Purpose: time zones by their IANA name: the local time of an instant and the instant of a local time.
// Used by: quiet hours, budgets, the configuration. Threads: a Zone is immutable and may be used by any; copies share
// one table. Ownership: values. Errors: a name that is none, a database that is missing or too short.
// Units: instants are Unix milliseconds (UTC, without leap seconds). Range: the years 1 to 9999; what lies outside is
// taken as the end of the range. Limits: the system's database tells changes until the end of 2037; later years keep the
// last offset. It is read once in the life of a process: a new one is used after a restart.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"
#include "gateway/domain/words.hpp"

namespace postern::policy {

inline constexpr std::int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs, kDayMs = 24 * kHourMs;
inline constexpr TimeMs kFirstMs = -62'135'596'800'000, kLastMs = 253'402'300'799'999;  // 0001-01-01 ... 9999-12-31

// What a clock on the wall shows, as the Unix milliseconds that a clock in Greenwich would have then.
struct Local {
  std::int64_t ms = 0;

  std::int64_t day() const;         // days since 1970-01-01
  std::int64_t week() const;        // weeks since the one of Monday 1969-12-29
  unsigned weekday() const;         // 0 Monday ... 6 Sunday
  std::int64_t ms_of_day() const;   // 0 ... kDayMs - 1
  auto operator<=>(const Local&) const = default;
};

class Zone {
 public:
  // "Europe/Kyiv", "UTC". The first call in a process reads the list of the system's zones.
  static Result<Zone> find(std::string_view name);

  const std::string& name() const { return table_->name; }
  Local local_of(TimeMs at) const;
  // A local time that is skipped (clocks go forward) is the first instant after the gap; one that comes twice is
  // the first of the two.
  TimeMs instant_of(Local local) const;
  // The next instant after `at` at which clocks here are put forward or back; nothing when they never are again.
  std::optional<TimeMs> change_after(TimeMs at) const;

 private:
  struct Period {
    TimeMs from_ms;
    std::int64_t offset_ms;         // local = instant + offset
  };
  struct Table {
    std::string name;
    std::vector<Period> periods;    // by time; the first begins with the range
  };
  explicit Zone(std::shared_ptr<const Table> table) : table_(std::move(table)) {}
  static Result<Zone> read(std::string_view name);
  std::size_t period_at(TimeMs at) const;

  std::shared_ptr<const Table> table_;
};

}  // namespace postern::policy
