// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/time_text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace postern::https {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Exactly `count` digits at the front, taken off; -1 when they are not there.
int take_number(std::string_view& text, std::size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (!is_digit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take_one_of(std::string_view& text, std::string_view characters) {
  if (text.empty() || characters.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// The fraction of a second in milliseconds; digits beyond the third are cut off.
std::optional<int> take_fraction(std::string_view& text) {
  if (!take_one_of(text, ".")) return 0;
  int value = 0, digits = 0;
  for (; !text.empty() && is_digit(text.front()) && digits < 9; text.remove_prefix(1), ++digits)
    if (digits < 3) value = value * 10 + (text.front() - '0');
  if (digits == 0) return std::nullopt;
  for (; digits < 3; ++digits) value *= 10;
  return value;
}

std::optional<int> take_zone_minutes(std::string_view& text) {
  if (take_one_of(text, "Zz")) return 0;
  const int sign = text.starts_with('-') ? -1 : 1;
  if (!take_one_of(text, "+-")) return std::nullopt;
  const int hours = take_number(text, 2);
  const bool colon = take_one_of(text, ":");
  const int minutes = take_number(text, 2);
  if (hours < 0 || hours > 23 || !colon || minutes < 0 || minutes > 59) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

}  // namespace

std::optional<std::int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const int y = take_number(text, 4);
  const bool dash1 = take_one_of(text, "-");
  const int m = take_number(text, 2);
  const bool dash2 = take_one_of(text, "-");
  const int d = take_number(text, 2);
  const bool t = take_one_of(text, "Tt");
  const int hour = take_number(text, 2);
  const bool colon1 = take_one_of(text, ":");
  const int minute = take_number(text, 2);
  const bool colon2 = take_one_of(text, ":");
  const int second = take_number(text, 2);
  if (!dash1 || !dash2 || !t || !colon1 || !colon2) return std::nullopt;
  if (y < 2000 || y > 2199 || m < 1 || d < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 59)
    return std::nullopt;
  const year_month_day date{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
  if (!date.ok()) return std::nullopt;
  const std::optional<int> fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const std::optional<int> zone = take_zone_minutes(text);
  if (!zone || !text.empty()) return std::nullopt;
  const sys_time<milliseconds> at =
      sys_days{date} + hours{hour} + minutes{minute} + seconds{second} + milliseconds{*fraction} - minutes{*zone};
  return at.time_since_epoch().count();
}

std::string format_time(std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds{unix_ms}};
  const sys_days date = floor<days>(at);
  const year_month_day ymd{date};
  const hh_mm_ss<milliseconds> clock{at - date};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<std::chrono::milliseconds> parse_span(std::string_view text) {
  using namespace std::chrono;
  const std::size_t digits =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  if (digits == 0 || digits > 9) return std::nullopt;
  std::string_view number = text.substr(0, digits);
  const milliseconds::rep value = take_number(number, digits);
  static constexpr std::array<std::pair<std::string_view, milliseconds>, 5> kUnits = {
      {{"ms", milliseconds{1}}, {"s", seconds{1}}, {"m", minutes{1}}, {"h", hours{1}}, {"d", days{1}}}};
  for (const auto& [name, unit] : kUnits) {
    if (text.substr(digits) != name) continue;
    const milliseconds span = unit * value;
    if (span <= milliseconds{0} || span > days{366}) return std::nullopt;
    return span;
  }
  return std::nullopt;
}

}  // namespace postern::https
