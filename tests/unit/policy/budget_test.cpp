// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/budget.hpp"

#include <algorithm>
#include <limits>
#include <random>

#include "tests/unit/policy/support.hpp"

namespace postern::policy {
namespace {

constexpr CategoryMask kOffers = mask_of(Category::marketing) | mask_of(Category::service);

Cap daily(std::uint32_t limit) { return {"daily", kOffers, limit, Period::day, 0}; }
Cap weekly(std::uint32_t limit) { return {"weekly", kOffers, limit, Period::week, 0}; }
Cap rolling(std::uint32_t limit, std::int64_t ms) { return {"rolling", kOffers, limit, Period::rolling, ms}; }

Sighting offer(const char* when, std::uint32_t weight = 1, ClientId client = 1) { return {at(when), Category::marketing, client, weight}; }

TEST(Budget, CountsAllDepartmentsTogether) {
  const std::vector<Sighting> sent{offer("2026-07-01 08:00", 1, 1), offer("2026-07-01 09:00", 1, 2), offer("2026-07-01 10:00", 1, 3)};
  const Verdict verdict = allowed_at(daily(3), sent, Category::service, 1, at("2026-07-01 12:00"), zone("UTC"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.at_ms, at("2026-07-02 00:00"));
  EXPECT_EQ(verdict.used, 3U);
  EXPECT_EQ(verdict.limit, 3U);
  EXPECT_TRUE(allowed_at(daily(4), sent, Category::service, 1, at("2026-07-01 12:00"), zone("UTC")).allowed);
  EXPECT_TRUE(allowed_at(daily(3), sent, Category::service, 1, at("2026-07-02 00:00"), zone("UTC")).allowed);
}

TEST(Budget, OtherCategoriesNeitherCountNorAreHeld) {
  const std::vector<Sighting> sent{offer("2026-07-01 08:00"), {at("2026-07-01 09:00"), Category::otp, 1, 100}};
  const Verdict code = allowed_at(daily(1), sent, Category::otp, 50, at("2026-07-01 12:00"), zone("UTC"));
  EXPECT_TRUE(code.allowed);
  EXPECT_EQ(code.at_ms, at("2026-07-01 12:00"));
  EXPECT_EQ(code.used, 1U);
  EXPECT_FALSE(allowed_at(daily(1), sent, Category::marketing, 1, at("2026-07-01 12:00"), zone("UTC")).allowed);
}

TEST(Budget, TheDayIsTheRecipients) {
  const std::vector<Sighting> sent{offer("2026-07-01 20:30")};  // 23:30 in Kyiv
  EXPECT_TRUE(allowed_at(daily(1), sent, Category::marketing, 1, at("2026-07-01 21:00"), zone("Europe/Kyiv")).allowed);
  const Verdict utc = allowed_at(daily(1), sent, Category::marketing, 1, at("2026-07-01 21:00"), zone("UTC"));
  EXPECT_FALSE(utc.allowed);
  EXPECT_EQ(utc.at_ms, at("2026-07-02 00:00"));
  const Verdict kyiv = allowed_at(daily(1), sent, Category::marketing, 1, at("2026-07-01 20:40"), zone("Europe/Kyiv"));
  EXPECT_EQ(kyiv.at_ms, at("2026-07-01 21:00"));
}

TEST(Budget, DaysOfOddLengths) {
  // Sao Paulo 2018-11-04 begins at 01:00, Apia has no 2011-12-30, Kyiv's 2026-10-25 has 25 hours.
  EXPECT_EQ(allowed_at(daily(1), std::vector{offer("2018-11-03 15:00")}, Category::marketing, 1, at("2018-11-03 16:00"), zone("America/Sao_Paulo")).at_ms,
            at("2018-11-04 03:00"));
  EXPECT_EQ(allowed_at(daily(1), std::vector{offer("2011-12-29 12:00")}, Category::marketing, 1, at("2011-12-29 13:00"), zone("Pacific/Apia")).at_ms,
            at("2011-12-30 10:00"));
  EXPECT_EQ(allowed_at(daily(1), std::vector{offer("2026-10-24 21:30")}, Category::marketing, 1, at("2026-10-25 12:00"), zone("Europe/Kyiv")).at_ms,
            at("2026-10-25 22:00"));
}

TEST(Budget, AWeekBeginsOnMonday) {
  const std::vector<Sighting> sent{offer("2026-06-29 00:00"), offer("2026-07-05 23:59"), offer("2026-06-28 23:59")};
  const Verdict verdict = allowed_at(weekly(2), sent, Category::marketing, 1, at("2026-07-05 23:59"), zone("UTC"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.used, 2U);
  EXPECT_EQ(verdict.at_ms, at("2026-07-06 00:00"));
}

TEST(Budget, ARollingPeriodFreesWhatIsOldest) {
  const std::vector<Sighting> sent{offer("2026-07-01 12:00", 3), offer("2026-07-01 09:00", 1), offer("2026-07-01 10:00", 2)};
  const TimeMs now = at("2026-07-01 13:00");
  const auto earliest = [&](std::uint32_t weight) { return allowed_at(rolling(6, kDayMs), sent, Category::marketing, weight, now, zone("UTC")).at_ms; };
  EXPECT_EQ(earliest(0), now);
  EXPECT_EQ(earliest(1), at("2026-07-02 09:00"));
  EXPECT_EQ(earliest(2), at("2026-07-02 10:00"));
  EXPECT_EQ(earliest(3), at("2026-07-02 10:00"));
  EXPECT_EQ(earliest(4), at("2026-07-02 12:00"));
  EXPECT_EQ(earliest(6), at("2026-07-02 12:00"));
  EXPECT_EQ(earliest(7), 0);
  // Exactly a period old counts no more.
  EXPECT_EQ(allowed_at(rolling(6, kDayMs), sent, Category::marketing, 1, at("2026-07-02 09:00"), zone("UTC")).used, 5U);
}

TEST(Budget, WhatIsHeavierThanTheCapIsNeverAllowed) {
  const Verdict verdict = allowed_at(daily(5), {}, Category::marketing, 6, 1000, zone("UTC"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.at_ms, 0);
  EXPECT_FALSE(allowed_at(daily(0), {}, Category::marketing, 1, 1000, zone("UTC")).allowed);
}

TEST(Budget, WhatLiesInTheFutureCounts) {
  const Verdict verdict = allowed_at(daily(1), std::vector{offer("2026-07-03 12:00")}, Category::marketing, 1, at("2026-07-01 12:00"), zone("UTC"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.at_ms, at("2026-07-04 00:00"));
}

TEST(Budget, TheCapThatHoldsLongestDecides) {
  const std::vector<Cap> caps{daily(1), weekly(1), rolling(1, 2 * kDayMs)};
  const std::vector<Sighting> sent{offer("2026-06-30 12:00")};
  const Decision held = allowed_at(caps, sent, Category::marketing, 1, at("2026-06-30 13:00"), zone("UTC"));
  EXPECT_EQ(held.cap, 1U);
  EXPECT_EQ(held.verdict.at_ms, at("2026-07-06 00:00"));
  const Decision never = allowed_at(std::vector<Cap>{weekly(2), daily(1), weekly(2)}, sent, Category::marketing, 2, at("2026-06-30 13:00"), zone("UTC"));
  EXPECT_EQ(never.cap, 1U);
  EXPECT_EQ(never.verdict.at_ms, 0);
  EXPECT_EQ(allowed_at(caps, {}, Category::marketing, 1, at("2026-06-30 13:00"), zone("UTC")).cap, std::nullopt);
  EXPECT_TRUE(allowed_at(std::span<const Cap>(), sent, Category::marketing, 1, 5, zone("UTC")).verdict.allowed);
}

TEST(Budget, HugeNumbersDoNotOverflow) {
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
  const std::vector<Sighting> sent(1000, Sighting{std::numeric_limits<TimeMs>::max(), Category::marketing, 1, kMost});
  const Verdict verdict = allowed_at(rolling(kMost, kDayMs), sent, Category::marketing, kMost, 0, zone("UTC"));
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.used, std::uint64_t{1000} * kMost);
}

// The answer holds: a millisecond earlier it is refused, at that instant allowed; in any order of what was sent.
TEST(Budget, TheEarliestInstantIsTheEarliest) {
  std::mt19937 random(7);
  const Zone places[] = {zone("Europe/Kyiv"), zone("America/Sao_Paulo"), zone("Pacific/Apia")};
  const TimeMs begin = at("2018-02-10 00:00");
  std::size_t held = 0;
  for (int round = 0; round < 3000; ++round) {
    const Zone& here = places[static_cast<std::size_t>(round) % 3];
    const auto below = [&random](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
    std::vector<Sighting> sent;
    for (std::uint32_t i = below(12); i > 0; --i) sent.push_back({begin + below(14 * 86'400) * std::int64_t{1000}, Category::marketing, 1, 1 + below(3)});
    const Cap cap = round % 2 == 0 ? Cap{"c", kOffers, 1 + below(8), Period::rolling, 1 + below(200'000'000)}
                                   : Cap{"c", kOffers, 1 + below(8), round % 4 == 1 ? Period::day : Period::week, 0};
    const TimeMs now = begin + below(15 * 86'400) * std::int64_t{1000};
    const std::uint32_t weight = 1 + below(cap.limit);
    const Verdict verdict = allowed_at(cap, sent, Category::marketing, weight, now, here);
    std::shuffle(sent.begin(), sent.end(), random);
    ASSERT_EQ(allowed_at(cap, sent, Category::marketing, weight, now, here).at_ms, verdict.at_ms);
    ASSERT_EQ(verdict.allowed, verdict.used + weight <= cap.limit);
    if (verdict.allowed) continue;
    ++held;
    ASSERT_GT(verdict.at_ms, now);
    ASSERT_TRUE(allowed_at(cap, sent, Category::marketing, weight, verdict.at_ms, here).allowed);
    ASSERT_FALSE(allowed_at(cap, sent, Category::marketing, weight, verdict.at_ms - 1, here).allowed);
  }
  EXPECT_GT(held, 500U);
}

}  // namespace
}  // namespace postern::policy
