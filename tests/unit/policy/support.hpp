// SPDX-License-Identifier: Apache-2.0
// What the tests of policy share: instants written as people write them, and zones that must be there.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "gateway/policy/zone.hpp"

namespace postern::policy {

// Days since 1970-01-01, by counting: independent of what is tested.
inline std::int64_t days_until(int year, int month, int day) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const auto is_leap = [](int y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); };
  std::int64_t days = 0;
  for (int y = 1970; y < year; ++y) days += is_leap(y) ? 366 : 365;
  for (int y = year; y < 1970; ++y) days -= is_leap(y) ? 366 : 365;
  for (int m = 1; m < month; ++m) days += kDays[m - 1] + (m == 2 && is_leap(year) ? 1 : 0);
  return days + day - 1;
}

// "2026-03-29 03:00" or with ":ss"; as if it were UTC.
inline std::int64_t at(const char* text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(text, "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second) < 5) ADD_FAILURE() << text;
  return days_until(year, month, day) * kDayMs + hour * kHourMs + minute * kMinuteMs + second * std::int64_t{1000};
}

inline Zone zone(const char* name) {
  const Result<Zone> found = Zone::find(name);
  if (!found) ADD_FAILURE() << found.what();
  return *found;
}

}  // namespace postern::policy
