// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/quiet_hours.hpp"

#include <limits>

#include "tests/unit/policy/support.hpp"

namespace postern::policy {
namespace {

using Spans = std::vector<std::string_view>;

QuietHours hours(const Spans& spans) {
  const Result<QuietHours> read = QuietHours::parse(spans);
  if (!read) ADD_FAILURE() << read.what();
  return *read;
}

// The local time at which it ends, asked at an instant; -1: it is not quiet.
std::int64_t ends(const Spans& spans, const char* name, const char* instant) {
  const std::optional<TimeMs> until = hours(spans).quiet_until(at(instant), zone(name));
  return until ? zone(name).local_of(*until).ms : -1;
}

TEST(QuietHours, NoneAreNeverQuiet) {
  EXPECT_EQ(QuietHours().quiet_until(at("2026-07-01 00:00"), zone("UTC")), std::nullopt);
  EXPECT_EQ(ends({}, "UTC", "2026-07-01 00:00"), -1);
}

TEST(QuietHours, ASpanOverMidnightEndsInTheMorning) {
  const Spans night{"21:00-08:00"};
  EXPECT_EQ(ends(night, "UTC", "2026-07-01 20:59:59"), -1);
  EXPECT_EQ(ends(night, "UTC", "2026-07-01 21:00"), at("2026-07-02 08:00"));
  EXPECT_EQ(ends(night, "UTC", "2026-07-02 07:59:59"), at("2026-07-02 08:00"));
  EXPECT_EQ(ends(night, "UTC", "2026-07-02 08:00"), -1);
  EXPECT_EQ(ends(night, "Europe/Kyiv", "2026-07-01 18:00"), at("2026-07-02 08:00"));
  EXPECT_EQ(ends(night, "Europe/Kyiv", "2026-07-01 17:59"), -1);
  EXPECT_EQ(ends(night, "Asia/Kathmandu", "2026-07-01 15:15"), at("2026-07-02 08:00"));
  EXPECT_EQ(ends(night, "Asia/Kathmandu", "2026-07-01 15:14"), -1);
}

TEST(QuietHours, DaysAreThoseOnWhichASpanBegins) {
  const Spans fridays{"fri 22:00-10:00"};
  EXPECT_EQ(ends(fridays, "UTC", "2026-07-03 23:00"), at("2026-07-04 10:00"));  // a Friday
  EXPECT_EQ(ends(fridays, "UTC", "2026-07-04 09:00"), at("2026-07-04 10:00"));
  EXPECT_EQ(ends(fridays, "UTC", "2026-07-04 23:00"), -1);
  EXPECT_EQ(ends(fridays, "UTC", "2026-07-03 09:00"), -1);
  EXPECT_EQ(ends({"sun 22:00-10:00"}, "UTC", "2026-07-05 23:00"), at("2026-07-06 10:00"));
  EXPECT_EQ(ends({"sun 22:00-10:00"}, "UTC", "2026-07-06 00:00"), at("2026-07-06 10:00"));
}

TEST(QuietHours, SpansThatJoinAreOne) {
  const Spans weekend{"21:00-08:00", "sat,sun 00:00-24:00"};
  EXPECT_EQ(ends(weekend, "UTC", "2026-07-03 21:30"), at("2026-07-06 08:00"));  // Friday evening to Monday morning
  EXPECT_EQ(ends(weekend, "UTC", "2026-07-05 12:00"), at("2026-07-06 08:00"));
  EXPECT_EQ(ends(weekend, "UTC", "2026-07-06 12:00"), -1);
  EXPECT_EQ(ends({"12:00-13:00", "13:00-14:00"}, "UTC", "2026-07-06 12:30"), at("2026-07-06 14:00"));
  EXPECT_EQ(ends({"12:00-13:00", "13:01-14:00"}, "UTC", "2026-07-06 12:30"), at("2026-07-06 13:00"));
  EXPECT_EQ(ends({"12:00-15:00", "13:00-14:00"}, "UTC", "2026-07-06 12:30"), at("2026-07-06 15:00"));
}

TEST(QuietHours, RangesOfDaysMayGoOverSunday) {
  EXPECT_EQ(ends({"sat-mon 10:00-11:00"}, "UTC", "2026-07-06 10:30"), at("2026-07-06 11:00"));
  EXPECT_EQ(ends({"sat-mon 10:00-11:00"}, "UTC", "2026-07-07 10:30"), -1);
  EXPECT_EQ(ends({"mon-fri,sun 10:00-11:00"}, "UTC", "2026-07-04 10:30"), -1);
}

TEST(QuietHours, WhenClocksGoForwardTheEndIsReadOffTheWall) {
  // Kyiv 2026-03-29: 03:00 becomes 04:00. The night is an hour shorter.
  const QuietHours night = hours({"21:00-08:00"});
  EXPECT_EQ(night.quiet_until(at("2026-03-28 19:00"), zone("Europe/Kyiv")), at("2026-03-29 05:00"));
  // An end inside the gap: over as soon as the clocks are past it.
  EXPECT_EQ(hours({"21:00-03:30"}).quiet_until(at("2026-03-28 20:00"), zone("Europe/Kyiv")), at("2026-03-29 01:00"));
  // A span inside the gap is not on that day.
  EXPECT_EQ(hours({"03:00-03:59"}).quiet_until(at("2026-03-29 01:00"), zone("Europe/Kyiv")), std::nullopt);
}

TEST(QuietHours, WhenClocksGoBackTheEndIsReadOffTheWall) {
  // Kyiv 2026-10-25: 04:00 becomes 03:00. The night is an hour longer.
  EXPECT_EQ(hours({"21:00-08:00"}).quiet_until(at("2026-10-24 20:00"), zone("Europe/Kyiv")), at("2026-10-25 06:00"));
  // 03:30 comes twice: over at the first, quiet again from the second 03:00 to the second 03:30.
  const QuietHours early = hours({"21:00-03:30"});
  EXPECT_EQ(early.quiet_until(at("2026-10-24 20:00"), zone("Europe/Kyiv")), at("2026-10-25 00:30"));
  EXPECT_EQ(early.quiet_until(at("2026-10-25 00:45"), zone("Europe/Kyiv")), std::nullopt);
  EXPECT_EQ(early.quiet_until(at("2026-10-25 01:10"), zone("Europe/Kyiv")), at("2026-10-25 01:30"));
  // An end exactly where the clocks go back: 04:00 is not reached the first time.
  EXPECT_EQ(hours({"21:00-04:00"}).quiet_until(at("2026-10-24 20:00"), zone("Europe/Kyiv")), at("2026-10-25 02:00"));
}

TEST(QuietHours, ChangesAtMidnightAsInSaoPaulo) {
  // 2018-11-04: 00:00 becomes 01:00; 2018-02-18: 00:00 becomes 23:00 of the day before.
  EXPECT_EQ(hours({"sat 20:00-24:00"}).quiet_until(at("2018-11-04 00:00"), zone("America/Sao_Paulo")), at("2018-11-04 03:00"));
  EXPECT_EQ(hours({"sat 20:00-24:00"}).quiet_until(at("2018-02-17 23:00"), zone("America/Sao_Paulo")), at("2018-02-18 03:00"));
  EXPECT_EQ(hours({"sun 00:00-00:30"}).quiet_until(at("2018-11-04 03:00"), zone("America/Sao_Paulo")), std::nullopt);
}

TEST(QuietHours, ApiaLeftAFridayOut) {
  const Spans friday{"fri 00:00-24:00"};
  EXPECT_EQ(ends(friday, "Pacific/Apia", "2011-12-30 09:59"), -1);
  EXPECT_EQ(ends(friday, "Pacific/Apia", "2011-12-30 10:00"), -1);
  EXPECT_EQ(ends(friday, "Pacific/Apia", "2012-01-05 10:00"), at("2012-01-07 00:00"));
  // Only Fridays are free: the next one comes a week later.
  EXPECT_EQ(ends({"sat-thu 00:00-24:00"}, "Pacific/Apia", "2011-12-29 12:00"), at("2012-01-06 00:00"));
}

TEST(QuietHours, ARecipientWhoMovesIsAskedAnew) {
  const QuietHours night = hours({"21:00-08:00"});
  const TimeMs late = at("2026-07-01 20:00");  // 23:00 in Kyiv, 17:00 in Sao Paulo, 01:45 in Kathmandu
  EXPECT_EQ(night.quiet_until(late, zone("Europe/Kyiv")), at("2026-07-02 05:00"));
  EXPECT_EQ(night.quiet_until(late, zone("America/Sao_Paulo")), std::nullopt);
  EXPECT_EQ(night.quiet_until(late, zone("Asia/Kathmandu")), at("2026-07-02 02:15"));
  // What waited for the morning of Kyiv is asked there and finds the evening of Sao Paulo not yet quiet, nor is it.
  EXPECT_EQ(night.quiet_until(at("2026-07-02 05:00"), zone("America/Sao_Paulo")), at("2026-07-02 11:00"));
}

TEST(QuietHours, EndsOfTheTimeAreSurvived) {
  const QuietHours night = hours({"21:00-20:59"});
  for (const TimeMs odd : {std::numeric_limits<TimeMs>::min(), kFirstMs - 1, kLastMs + 1, std::numeric_limits<TimeMs>::max()})
    EXPECT_EQ(night.quiet_until(odd, zone("Europe/Kyiv")), std::nullopt);
  EXPECT_GT(night.quiet_until(kLastMs - kHourMs, zone("UTC")), kLastMs - kHourMs);
}

TEST(QuietHours, EachFaultIsRefusedWithItsReason) {
  const std::pair<Spans, const char*> faults[] = {
      {{"21:00"}, "must look like"},        {{"21:00-8:00"}, "must look like"},  {{"21:00-08:60"}, "must look like"},
      {{"21:00-24:01"}, "must look like"},  {{"24:00-08:00"}, "must look like"}, {{"21.00-08.00"}, "must look like"},
      {{"21:00 - 08:00"}, "a day that is none"}, {{"21:00-08:00 sat"}, "a day that is none"}, {{"Sat 21:00-08:00"}, "a day that is none"},
      {{"sat, 21:00-08:00"}, "a day that is none"}, {{"sat  21:00-08:00"}, "must look like"}, {{""}, "must look like"},
      {{"08:00-08:00"}, "whole day is 00:00-24:00"}, {{"00:00-24:00"}, "no minute of the week"},
      {{"08:00-20:00", "20:00-08:00"}, "no minute of the week"}, {Spans(33, "21:00-08:00"), "32 are the most"}};
  for (const auto& [spans, reason] : faults) {
    const Result<QuietHours> read = QuietHours::parse(spans);
    ASSERT_FALSE(read.has_value()) << spans.front();
    EXPECT_NE(read.what().find(reason), std::string::npos) << read.what();
  }
}

// Every minute of two years, against a walk minute by minute over what the wall shows.
TEST(QuietHours, EveryMinuteOfTwoYearsAgreesWithANaiveWalk) {
  const struct {
    const char *zone, *from, *to;
    Spans spans;
  } table[] = {{"Europe/Kyiv", "2025-01-01 00:00", "2027-01-01 00:00", {"21:00-08:00", "sat,sun 00:00-24:00"}},
               {"Europe/Kyiv", "2026-01-01 00:00", "2028-01-01 00:00", {"02:10-03:30", "03:45-04:00", "sun 04:00-04:15"}},
               {"America/Sao_Paulo", "2017-06-01 00:00", "2019-06-01 00:00", {"22:30-00:15", "sat 23:00-00:30", "sun 00:10-01:00"}},
               {"Asia/Kathmandu", "2025-01-01 00:00", "2027-01-01 00:00", {"21:00-08:00", "fri 12:00-15:00"}},
               {"Pacific/Apia", "2011-01-01 00:00", "2013-01-01 00:00", {"20:00-09:00", "thu,fri 00:00-23:59"}},
               {"Australia/Lord_Howe", "2025-01-01 00:00", "2027-01-01 00:00", {"01:15-02:15", "mon-wed 21:00-01:45"}}};
  for (const auto& row : table) {
    const QuietHours quiet = hours(row.spans);
    const Zone here = zone(row.zone);
    // Backwards: the end of a quiet minute is that of the next one, or the next minute itself.
    const TimeMs first = at(row.from), last = at(row.to);
    TimeMs end = 0;
    std::size_t quiet_minutes = 0;
    for (TimeMs now = last + 14 * kDayMs; now >= first; now -= kMinuteMs) {
      const bool is_quiet = quiet.quiet_at(here.local_of(now));
      if (!is_quiet) end = now;
      if (now >= last) continue;
      ASSERT_EQ(quiet.quiet_until(now, here), is_quiet ? std::optional(end) : std::nullopt) << row.zone << " " << now;
      quiet_minutes += is_quiet ? 1 : 0;
    }
    EXPECT_GT(quiet_minutes, 40'000U) << row.zone;
  }
}

// quiet_at is what the walk trusts: it is held against the words of the spans themselves.
TEST(QuietHours, TheWallIsReadAsWritten) {
  const QuietHours quiet = hours({"21:00-08:00", "sat 00:00-24:00"});
  for (std::int64_t minute = 0; minute < 7 * 24 * 60; ++minute) {
    const std::int64_t of_day = minute % (24 * 60), day = minute / (24 * 60);
    const bool expected = of_day >= 21 * 60 || of_day < 8 * 60 || day == 5;
    ASSERT_EQ(quiet.quiet_at({at("2026-06-29 00:00") + minute * kMinuteMs}), expected) << minute;
  }
}

}  // namespace
}  // namespace postern::policy
