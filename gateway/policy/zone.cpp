// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/zone.hpp"

#include <date/tz.h>

#include <algorithm>
#include <exception>

namespace postern::policy {
namespace {

// No zone was ever further from Greenwich than 16 hours; the file format allows 26.
constexpr std::int64_t kMaxOffsetMs = 26 * kHourMs;
constexpr std::size_t kMaxPeriods = 4096, kMaxName = 64;
constexpr std::size_t kMaxDistance = 3;  // letters by which a suggested name may differ

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

TimeMs in_range(TimeMs at) { return std::clamp(at, kFirstMs, kLastMs); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Letters to change, add or leave out (Levenshtein), without regard to case.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// Files of the database that name no place of their own: what they say is another on each machine.
bool is_zone_name(std::string_view name) { return name != "localtime" && name != "posixrules" && name != "Factory"; }

// The name that was probably meant: a city without its continent, or a few letters away.
std::string suggestion(const date::tzdb& database, std::string_view wanted) {
  std::string_view best;
  std::size_t least = kMaxDistance + 1;
  for (const date::time_zone& zone : database.zones) {
    const std::string_view name = zone.name();
    if (!is_zone_name(name)) continue;
    const std::string_view city = name.substr(name.rfind('/') + 1);
    const std::size_t far = same_letters(city, wanted) ? 0 : distance(name, wanted);
    // A short name is near to everything: a third of its letters may differ at most.
    if (far >= least || far * 3 > wanted.size()) continue;
    least = far;
    best = name;
  }
  return std::string(best);
}

std::string shown(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, kMaxName)) out += c > ' ' && c < 0x7f ? c : '?';
  return out;
}

}  // namespace

std::int64_t Local::day() const { return floor_div(ms, kDayMs); }
std::int64_t Local::week() const { return floor_div(day() + 3, 7); }
unsigned Local::weekday() const { return static_cast<unsigned>(day() + 3 - week() * 7); }
std::int64_t Local::ms_of_day() const { return ms - day() * kDayMs; }

// All changes of the zone are taken out of the library here, so that nothing later depends on it.
Result<Zone> Zone::read(std::string_view name) {
  const std::string there(name);
  try {
    const date::time_zone* zone = date::locate_zone(there);
    auto table = std::make_shared<Table>();
    table->name = there;
    const date::sys_seconds end{std::chrono::seconds(kLastMs / 1000)};
    for (date::sys_seconds at{std::chrono::seconds(kFirstMs / 1000)}; at < end;) {
      const date::sys_info info = zone->get_info(at);
      const TimeMs from = at.time_since_epoch().count() * 1000;
      const std::int64_t offset = info.offset.count() * std::int64_t{1000};
      if (offset > kMaxOffsetMs || offset < -kMaxOffsetMs || info.end <= at || table->periods.size() == kMaxPeriods)
        return fail("the time zone '" + there + "' of the system's database cannot be: install the package tzdata anew");
      if (table->periods.empty() || table->periods.back().offset_ms != offset) table->periods.push_back({from, offset});
      at = info.end;
    }
    return Zone(std::move(table));
  } catch (const std::exception&) {
    return fail("the time zone '" + there + "' cannot be read from the system's database: install the package tzdata anew");
  }
}

Result<Zone> Zone::find(std::string_view name) {
  if (name.empty()) return fail("a time zone has a name such as 'Europe/Kyiv'; none is given");
  try {
    const date::tzdb& database = date::get_tzdb();
    const auto found = std::ranges::find(database.zones, name, [](const date::time_zone& zone) { return std::string_view(zone.name()); });
    if (found == database.zones.end() || !is_zone_name(name)) {
      const std::string near = name.size() > kMaxName ? std::string() : suggestion(database, name);
      return fail("there is no time zone '" + shown(name) + "'; " +
                  (near.empty() ? "it is named by region and city, such as 'Europe/Kyiv'" : "did you mean '" + near + "'?"));
    }
  } catch (const std::exception&) {
    return fail("the system has no time-zone database: install the package tzdata (/usr/share/zoneinfo)");
  }
  // A database made without years to come ('slim') would leave summer time out silently: Berlin has it in law.
  const Result<Zone> berlin = read("Europe/Berlin");
  constexpr TimeMs kSummer2036 = 2'098'224'000'000;  // 2036-06-28
  if (!berlin) return berlin;
  if (berlin->local_of(kSummer2036).ms - kSummer2036 != 2 * kHourMs)
    return fail("the system's time-zone database does not tell the years until 2037: install Debian's package tzdata, which does");
  return read(name);
}

std::size_t Zone::period_at(TimeMs at) const {
  const auto after = std::ranges::upper_bound(table_->periods, at, {}, &Period::from_ms);
  return after == table_->periods.begin() ? 0 : static_cast<std::size_t>(after - table_->periods.begin()) - 1;
}

Local Zone::local_of(TimeMs at) const {
  at = in_range(at);
  return {at + table_->periods[period_at(at)].offset_ms};
}

TimeMs Zone::instant_of(Local local) const {
  const std::vector<Period>& periods = table_->periods;
  local.ms = std::clamp(local.ms, kFirstMs + kMaxOffsetMs, kLastMs - kMaxOffsetMs);
  // The first period that ends after this local time holds it, or begins where a gap has swallowed it.
  for (std::size_t i = period_at(local.ms - kMaxOffsetMs);; ++i)
    if (i + 1 == periods.size() || local.ms < periods[i + 1].from_ms + periods[i].offset_ms)
      return std::max(local.ms - periods[i].offset_ms, periods[i].from_ms);
}

std::optional<TimeMs> Zone::change_after(TimeMs at) const {
  const std::size_t next = period_at(in_range(at)) + 1;
  return next < table_->periods.size() ? std::optional(table_->periods[next].from_ms) : std::nullopt;
}

}  // namespace postern::policy
