// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/zone.hpp"

#include <limits>

#include "tests/unit/policy/support.hpp"

namespace postern::policy {
namespace {

std::string refused(std::string_view name) {
  const Result<Zone> found = Zone::find(name);
  return found ? "found" : found.what();
}

TEST(Zone, TellsTheLocalTimeOfAnInstant) {
  EXPECT_EQ(zone("UTC").local_of(at("2026-07-01 12:00")).ms, at("2026-07-01 12:00"));
  EXPECT_EQ(zone("Europe/Kyiv").local_of(at("2026-07-01 12:00")).ms, at("2026-07-01 15:00"));
  EXPECT_EQ(zone("Europe/Kyiv").local_of(at("2026-01-01 12:00")).ms, at("2026-01-01 14:00"));
  EXPECT_EQ(zone("Europe/Kyiv").local_of(at("2036-07-01 12:00")).ms, at("2036-07-01 15:00"));
  EXPECT_EQ(zone("Asia/Kathmandu").local_of(at("2026-01-01 12:00")).ms, at("2026-01-01 17:45"));
  EXPECT_EQ(zone("America/Sao_Paulo").local_of(at("2018-12-01 12:00")).ms, at("2018-12-01 10:00"));
  EXPECT_EQ(zone("America/Sao_Paulo").local_of(at("2026-12-01 12:00")).ms, at("2026-12-01 09:00"));
  EXPECT_EQ(zone("Pacific/Apia").local_of(at("2011-12-30 09:59")).ms, at("2011-12-29 23:59"));
  EXPECT_EQ(zone("Pacific/Apia").local_of(at("2011-12-30 10:00")).ms, at("2011-12-31 00:00"));
}

TEST(Zone, AfterTheEndOfTheDatabaseTheLastOffsetStays) {
  EXPECT_EQ(zone("Europe/Kyiv").local_of(at("2037-07-01 12:00")).ms, at("2037-07-01 15:00"));
  EXPECT_EQ(zone("Europe/Kyiv").local_of(at("2038-07-01 12:00")).ms, at("2038-07-01 14:00"));
}

TEST(Zone, DaysAndWeeksBeginAtLocalMidnightAndMonday) {
  const Local sunday{at("2026-03-29 23:59")}, monday{at("2026-03-30 00:00")}, before{at("1969-12-28 23:59:59")};
  EXPECT_EQ(sunday.weekday(), 6U);
  EXPECT_EQ(monday.weekday(), 0U);
  EXPECT_EQ(sunday.week() + 1, monday.week());
  EXPECT_EQ(sunday.day() + 1, monday.day());
  EXPECT_EQ(monday.ms_of_day(), 0);
  EXPECT_EQ(sunday.ms_of_day(), kDayMs - kMinuteMs);
  EXPECT_EQ(Local{at("1970-01-01 00:00")}.weekday(), 3U);
  EXPECT_EQ(before.weekday(), 6U);
  EXPECT_EQ(before.week(), -1);
  EXPECT_EQ(before.ms_of_day(), kDayMs - 1000);
}

TEST(Zone, ASkippedLocalTimeIsTheFirstInstantAfterTheGap) {
  // Kyiv 2026-03-29: 03:00 becomes 04:00.
  const TimeMs change = at("2026-03-29 01:00");
  EXPECT_EQ(zone("Europe/Kyiv").instant_of({at("2026-03-29 02:59")}), change - kMinuteMs);
  EXPECT_EQ(zone("Europe/Kyiv").instant_of({at("2026-03-29 03:00")}), change);
  EXPECT_EQ(zone("Europe/Kyiv").instant_of({at("2026-03-29 03:30")}), change);
  EXPECT_EQ(zone("Europe/Kyiv").instant_of({at("2026-03-29 04:00")}), change);
  EXPECT_EQ(zone("Europe/Kyiv").instant_of({at("2026-03-29 04:01")}), change + kMinuteMs);
  // Sao Paulo 2018-11-04: midnight becomes 01:00. Apia left out 2011-12-30 as a whole.
  EXPECT_EQ(zone("America/Sao_Paulo").instant_of({at("2018-11-04 00:00")}), at("2018-11-04 03:00"));
  EXPECT_EQ(zone("Pacific/Apia").instant_of({at("2011-12-30 00:00")}), at("2011-12-30 10:00"));
  EXPECT_EQ(zone("Pacific/Apia").instant_of({at("2011-12-30 23:59")}), at("2011-12-30 10:00"));
}

TEST(Zone, ALocalTimeThatComesTwiceIsTheFirst) {
  // Kyiv 2026-10-25: 04:00 becomes 03:00.
  EXPECT_EQ(zone("Europe/Kyiv").instant_of({at("2026-10-25 03:30")}), at("2026-10-25 00:30"));
  EXPECT_EQ(zone("Europe/Kyiv").instant_of({at("2026-10-25 04:00")}), at("2026-10-25 02:00"));
  EXPECT_EQ(zone("America/Sao_Paulo").instant_of({at("2018-02-17 23:30")}), at("2018-02-18 01:30"));
  EXPECT_EQ(zone("America/Sao_Paulo").instant_of({at("2018-02-18 00:00")}), at("2018-02-18 03:00"));
}

// Whatever the zone has done to its clocks: an instant found for a local time shows it (or the end of a gap), and
// no earlier one does.
TEST(Zone, InstantAndLocalTimeAgree) {
  for (const char* name : {"Europe/Kyiv", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca"}) {
    const Zone here = zone(name);
    TimeMs last = std::numeric_limits<TimeMs>::min();
    for (std::int64_t local = at("2009-01-01 00:00"); local < at("2013-01-01 00:00"); local += 15 * kMinuteMs) {
      const TimeMs instant = here.instant_of({local});
      ASSERT_GE(instant, last) << name;
      ASSERT_GE(here.local_of(instant).ms, local) << name;
      if (here.local_of(instant).ms > local) {
        ASSERT_LT(here.local_of(instant - 1).ms, local) << name;
      }
      last = instant;
    }
  }
}

TEST(Zone, KnowsTheNextChange) {
  EXPECT_EQ(zone("Europe/Kyiv").change_after(at("2026-03-29 00:59")), at("2026-03-29 01:00"));
  EXPECT_EQ(zone("Europe/Kyiv").change_after(at("2026-03-29 01:00")), at("2026-10-25 01:00"));
  EXPECT_EQ(zone("Asia/Kathmandu").change_after(at("2026-01-01 00:00")), std::nullopt);
  EXPECT_EQ(zone("UTC").change_after(0), std::nullopt);
}

TEST(Zone, TakesAnyNumberAsAnInstant) {
  for (const TimeMs odd : {std::numeric_limits<TimeMs>::min(), std::numeric_limits<TimeMs>::max()}) {
    const Zone here = zone("Europe/Kyiv");
    EXPECT_NEAR(static_cast<double>(here.instant_of(here.local_of(odd))), static_cast<double>(here.instant_of({odd})), 30.0 * kHourMs);
    (void)here.change_after(odd);
  }
}

TEST(Zone, AWrongNameIsRefusedWithTheOneThatWasMeant) {
  EXPECT_EQ(refused("Europe/Kyyv"), "there is no time zone 'Europe/Kyyv'; did you mean 'Europe/Kyiv'?");
  EXPECT_EQ(refused("europe/kyiv"), "there is no time zone 'europe/kyiv'; did you mean 'Europe/Kyiv'?");
  EXPECT_EQ(refused("Kyiv"), "there is no time zone 'Kyiv'; did you mean 'Europe/Kyiv'?");
  EXPECT_EQ(refused("America/San_Paulo"), "there is no time zone 'America/San_Paulo'; did you mean 'America/Sao_Paulo'?");
  EXPECT_EQ(refused("Nowhere"), "there is no time zone 'Nowhere'; it is named by region and city, such as 'Europe/Kyiv'");
  EXPECT_EQ(refused("../../etc/passwd"), "there is no time zone '../../etc/passwd'; it is named by region and city, such as 'Europe/Kyiv'");
  EXPECT_EQ(refused("localtime").substr(0, 34), "there is no time zone 'localtime';");
  EXPECT_EQ(refused(""), "a time zone has a name such as 'Europe/Kyiv'; none is given");
  EXPECT_EQ(refused(std::string_view("UTC\0x", 5)).substr(0, 30), "there is no time zone 'UTC?x';");
  EXPECT_LT(refused(std::string(100'000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace postern::policy
