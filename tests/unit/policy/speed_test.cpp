// SPDX-License-Identifier: Apache-2.0
// The speed of a campaign: whatever is asked in whatever order, never more than the rate goes, and each asks about twice.
#include "gateway/policy/speed.hpp"

#include <gtest/gtest.h>

#include <map>

namespace postern::policy {
namespace {

constexpr TimeMs kStart = 1'800'000'000'000, kNever = kStart * 2;

TEST(Speed, OneAfterTheOtherAtTheRate) {
  Speed speed(50, 1000);
  EXPECT_EQ(speed.ask(kStart, 0, kNever), kStart);
  for (int i = 1; i < 100; ++i) EXPECT_EQ(speed.ask(kStart, 0, kNever), kStart + i * 20);
}

TEST(Speed, APromiseIsKeptAgainstWhoeverComesLater) {
  Speed speed(1, 1000);
  EXPECT_EQ(speed.ask(kStart, 0, kNever), kStart);
  const TimeMs mine = speed.ask(kStart, 0, kNever);
  EXPECT_EQ(mine, kStart + 1000);
  EXPECT_EQ(speed.ask(mine, 0, kNever), kStart + 2000) << "a new one does not take it";
  EXPECT_EQ(speed.ask(mine, mine, kNever), mine);
  EXPECT_EQ(speed.ask(mine, mine, kNever), kStart + 3000) << "nobody has it twice";
}

TEST(Speed, ManyAskTwiceAndNeedLittle) {
  Speed speed(1000, 60'000);
  std::multimap<TimeMs, TimeMs> waiting;
  for (int i = 0; i < 200'000; ++i) waiting.emplace(kStart, 0);
  std::size_t asked = 0, gone = 0;
  while (!waiting.empty()) {
    const auto [at, told] = *waiting.begin();
    waiting.erase(waiting.begin());
    ++asked;
    const TimeMs when = speed.ask(at, told, kNever);
    if (when <= at) ++gone;
    else waiting.emplace(when, when);
  }
  EXPECT_EQ(gone, 200'000U);
  EXPECT_EQ(asked, 399'999U);
  EXPECT_LE(speed.promised(), 1U);
}

TEST(Speed, NoWindowHoldsMoreThanTheRateAndOne) {
  for (const auto& [count, per] : {std::pair<int, int>{7, 1000}, {10'000, 1000}, {1000, 60'000}, {1, 60'000}, {999, 3'600'000}}) {
    Speed speed(count, per);
    std::uint64_t random = 1;
    std::map<TimeMs, int> gone;
    for (TimeMs now = kStart; now < kStart + 3000; now += 1 + static_cast<TimeMs>(random >> 60)) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      if (speed.ask(now, 0, now + 1) <= now) ++gone[now];
    }
    int all = 0;
    for (const auto& [at, many] : gone) all += many;
    EXPECT_LE(all, 3000 * count / per + 1) << count << "/" << per;
  }
}

TEST(Speed, WhatIsNotTakenIsForgottenAndAnIdleHourIsNoCredit) {
  Speed speed(100, 1000);
  for (int i = 0; i < 1000; ++i) speed.ask(kStart, 0, kNever);
  EXPECT_EQ(speed.promised(), 1000U - 1);
  const TimeMs later = kStart + 3'600'000;
  EXPECT_EQ(speed.ask(later, 0, kNever), later);
  EXPECT_EQ(speed.ask(later, 0, kNever), later + 10);
  EXPECT_LE(speed.promised(), 2U);
}

TEST(Speed, ATurnPastTheDeadlineIsNotPromised) {
  Speed speed(1, 1000);
  speed.ask(kStart, 0, kNever);
  EXPECT_EQ(speed.ask(kStart, 0, kStart + 500), kStart + 1000);
  EXPECT_EQ(speed.ask(kStart, 0, kNever), kStart + 1000);
}

}  // namespace
}  // namespace postern::policy
