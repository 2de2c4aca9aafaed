// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/velocity.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace postern::policy {
namespace {

using Why = Velocity::Why;
constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr TimeMs kBegin = 1'800'000'000'000;

Velocity guard(const VelocityRules& rules = {}) {
  Result<Velocity> made = Velocity::make(rules);
  if (!made) ADD_FAILURE() << made.what();
  return std::move(*made);
}

TEST(Velocity, APrefixIsTheCountryAndThreeDigits) {
  const Velocity usual = guard();
  const std::pair<const char*, const char*> table[] = {{"380671234567", "380671"}, {"+380671234567", "380671"}, {"14155550100", "1415"}, {"79161234567", "7916"},
                                                       {"441632960001", "44163"},  {"9771234567", "977123"},   {"21", "21"},            {"", ""}};
  for (const auto& [number, prefix] : table) EXPECT_EQ(usual.prefix_of(number), prefix);
  EXPECT_EQ(guard({.digits = 0}).prefix_of("380671234567"), "380");
  EXPECT_EQ(guard({.digits = 5, .whole_prefix = true}).prefix_of("380671234567"), "38067");
}

TEST(Velocity, TripsAboveTheLimitAndTellsItOnce) {
  Velocity it = guard({.limit = 10});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(it.submit("380671000000", kBegin + i).why, Why::fine);
  const Velocity::Verdict tripped = it.submit("380671000001", kBegin + 10);
  EXPECT_EQ(tripped.why, Why::too_many);
  EXPECT_TRUE(tripped.tripped_now);
  EXPECT_EQ(tripped.count, 11U);
  EXPECT_EQ(tripped.allowance, 10U);
  EXPECT_EQ(tripped.closed_until, kBegin + 10 + 30 * kMinute);
  EXPECT_FALSE(it.submit("380671000002", kBegin + 11).tripped_now);
  EXPECT_EQ(it.submit("380672000000", kBegin + 11).why, Why::fine);
}

TEST(Velocity, ASlidingWindowForgets) {
  Velocity it = guard({.limit = 10});
  // Ten each ten minutes for a day, evenly: never more than ten in a window of twelve slices.
  for (TimeMs now = kBegin; now < kBegin + kDay; now += kMinute) EXPECT_EQ(it.submit("380671000000", now).why, Why::fine);
}

TEST(Velocity, OpensAfterTheCoolDownWhenItIsQuiet) {
  Velocity it = guard({.limit = 10});
  for (int i = 0; i < 12; ++i) (void)it.submit("380671000000", kBegin + i);
  EXPECT_EQ(it.submit("380671000000", kBegin + 29 * kMinute).why, Why::too_many);
  EXPECT_EQ(it.submit("380671000000", kBegin + 31 * kMinute).why, Why::fine);
  EXPECT_EQ(it.submit("380671000000", kBegin + 32 * kMinute).closed_until, 0);
}

TEST(Velocity, StaysClosedWhileTheAttackGoesOn) {
  Velocity it = guard({.limit = 10});
  std::size_t let = 0, told = 0;
  for (TimeMs now = kBegin; now < kBegin + kDay; now += 10 * kSecond) {
    const Velocity::Verdict verdict = it.submit("380671000000", now);
    let += verdict.why == Why::fine ? 1U : 0U;
    told += verdict.tripped_now ? 1U : 0U;
  }
  EXPECT_EQ(let, 10U);
  EXPECT_EQ(told, 1U);
  EXPECT_EQ(it.submit("380671000000", kBegin + kDay + kHour).why, Why::fine);
}

TEST(Velocity, WhatIsUsualMayGrowByItsFactor) {
  Velocity it = guard({.limit = 10, .factor_percent = 300});
  it.remember({"380671", 100'000}, kBegin);
  std::size_t let = 0;
  for (int i = 0; i < 500; ++i) let += it.submit("380671000000", kBegin + i).why == Why::fine ? 1U : 0U;
  EXPECT_EQ(let, 300U);
}

TEST(Velocity, TheUsualIsLearnedSlowlyAndKeptOverARestart) {
  Velocity it = guard({.limit = 1000, .usual_ms = kDay});
  for (TimeMs now = kBegin; now < kBegin + 10 * kDay; now += 6 * kSecond) (void)it.submit("380671000000", now);
  const std::vector<Velocity::Usual> learned = it.usual();
  ASSERT_EQ(learned.size(), 1U);
  EXPECT_NEAR(learned[0].per_window_milli, 100'000, 1500);
  // Silence lets it sink: to a third in a day.
  (void)it.submit("380671000000", kBegin + 11 * kDay);
  EXPECT_NEAR(it.usual()[0].per_window_milli, 36'800, 1500);
  Velocity next = guard({.limit = 10, .usual_ms = kDay});
  next.remember(learned[0], kBegin);
  EXPECT_EQ(next.submit("380671000000", kBegin).allowance, learned[0].per_window_milli * 3 / 1000);
  // One wild window moves it by less than a hundredth part of itself: an attacker cannot raise it fast.
  Velocity fresh = guard({.limit = 100});
  for (int i = 0; i < 100; ++i) (void)fresh.submit("380671000000", kBegin + i);
  (void)fresh.submit("380671000000", kBegin + 20 * kMinute);
  EXPECT_LT(fresh.usual()[0].per_window_milli, 100U);
}

TEST(Velocity, UnconfirmedCodesTripWhereConfirmationsAreTold) {
  const VelocityRules rules{.limit = 1000, .least_confirmed = 200, .least_samples = 20};
  Velocity it = guard(rules);
  // Of 40 codes to one range none is used; of 40 to another half are.
  bool tripped = false;
  for (int i = 0; i < 60; ++i) {
    const TimeMs now = kBegin + i * 5 * kSecond;
    const Velocity::Verdict bad = it.submit("380671000000", now);
    tripped = tripped || bad.why == Why::not_confirmed;
    ASSERT_EQ(it.submit("380672000000", now).why, Why::fine) << i;
    if (i % 2 == 0) it.confirmed("380672000000", now, now + 30 * kSecond);
  }
  EXPECT_TRUE(tripped);
  // Told of nothing, nothing is asked.
  Velocity untold = guard({.limit = 1000});
  for (int i = 0; i < 500; ++i) ASSERT_EQ(untold.submit("380671000000", kBegin + i * kSecond).why, Why::fine);
}

TEST(Velocity, ACodeIsNotJudgedBeforeItCouldBeUsed) {
  Velocity it = guard({.limit = 1000, .least_confirmed = 500, .least_samples = 10, .answer_ms = 2 * kMinute});
  for (int i = 0; i < 100; ++i) ASSERT_EQ(it.submit("380671000000", kBegin + i).why, Why::fine);
  EXPECT_EQ(it.submit("380671000000", kBegin + 4 * kMinute).why, Why::not_confirmed);
}

TEST(Velocity, ConfirmationsCannotBeInvented) {
  Velocity it = guard({.limit = 1000, .least_confirmed = 1000, .least_samples = 10});
  for (int i = 0; i < 10; ++i) (void)it.submit("380671000000", kBegin);
  for (int i = 0; i < 5; ++i) it.confirmed("380671000000", kBegin, kBegin + 1);
  for (int i = 0; i < 50; ++i) it.confirmed("380671000000", kBegin + kMinute, kBegin + kMinute + 1);  // nothing was sent then
  it.confirmed("380999000000", kBegin, kBegin + 1);
  it.confirmed("380671000000", -5, kBegin + 1);
  EXPECT_EQ(it.submit("380671000000", kBegin + 4 * kMinute).why, Why::not_confirmed);
}

TEST(Velocity, KeepsNoMorePrefixesThanItMay) {
  Velocity it = guard({.limit = 2, .prefixes = 100});
  for (int i = 0; i < 3; ++i) (void)it.submit("380100000000", kBegin);
  for (int i = 101; i < 900; ++i) {
    (void)it.submit("380" + std::to_string(i) + "000000", kBegin + i);
    // One that is asked for again and again is not forgotten for others.
    ASSERT_EQ(it.submit("380100000000", kBegin + i).why, Why::too_many);
  }
  EXPECT_EQ(it.size(), 100U);
}

TEST(Velocity, AClockThatGoesBackIsSurvived) {
  Velocity it = guard({.limit = 5});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(it.submit("380671000000", kBegin - i * kHour).why, Why::fine);
  EXPECT_EQ(it.submit("380671000000", -1).why, Why::too_many);
}

TEST(Velocity, WrongRulesAreRefused) {
  const std::pair<VelocityRules, const char*> faults[] = {{{.digits = 16}, "digits"},       {{.digits = 0, .whole_prefix = true}, "digits"},
                                                          {{.window_ms = 1000}, "window"},  {{.limit = 0}, "limit"},
                                                          {{.factor_percent = 99}, "factor"}, {{.usual_ms = kHour}, "usual"},
                                                          {{.cool_down_ms = 0}, "cool-down"}, {{.least_confirmed = 1001}, "confirmed"},
                                                          {{.least_samples = 0}, "sample"}, {{.answer_ms = 600'000}, "answer"},
                                                          {{.prefixes = 0}, "prefixes"}};
  for (const auto& [rules, word] : faults) {
    const Result<Velocity> made = Velocity::make(rules);
    ASSERT_FALSE(made.has_value()) << word;
    EXPECT_NE(made.what().find(word), std::string::npos) << made.what();
  }
}

// A bank's evening, and beside it a ring that pumps codes to one range: first suddenly, then in the rhythm of a patient thief.
class Attack : public testing::Test {
 protected:
  struct Told {
    std::size_t asked = 0, let = 0;
  };
  // Normal: eight ranges of two networks, 5 to 60 codes in ten minutes, by Poisson's law; attack: one code each `every_ms`.
  std::map<std::string, Told> run(std::int64_t every_ms, const VelocityRules& rules) {
    Velocity it = guard(rules);
    std::mt19937_64 random(11);
    std::map<std::string, Told> told;
    const auto ask = [&](const std::string& number, TimeMs now, bool honest) {
      Told& prefix = told[it.prefix_of(number)];
      ++prefix.asked;
      if (it.submit(number, now).why != Why::fine) return;
      ++prefix.let;
      if (honest && random() % 10 < 8) it.confirmed(number, now, now + 20 * kSecond);
    };
    for (TimeMs now = kBegin; now < kBegin + 6 * kHour; now += kSecond) {
      for (std::uint64_t range = 0; range < 8; ++range)
        if (random() % 6000 < 50 + range * 70) ask("38067" + std::to_string(range) + "123456", now, true);
      if (now >= kBegin + 2 * kHour && (now - kBegin) % every_ms == 0) ask("992918" + std::to_string(100'000 + random() % 900'000), now, false);
    }
    return told;
  }
};

TEST_F(Attack, IsStoppedWithinTheLimitAndNobodyElseIsTouched) {
  const auto told = run(/*every_ms=*/kSecond, {.limit = 150});
  EXPECT_EQ(told.at("992918").asked, 14'400U);
  EXPECT_LE(told.at("992918").let, 150U);
  for (const auto& [prefix, counts] : told)
    if (prefix != "992918") {
      EXPECT_EQ(counts.let, counts.asked) << prefix;
      EXPECT_GT(counts.asked, 100U);
    }
}

TEST_F(Attack, UnderTheLimitIsStoppedByWhatIsNotConfirmed) {
  const VelocityRules rules{.limit = 150, .least_confirmed = 200, .least_samples = 20};
  const auto told = run(/*every_ms=*/6 * kSecond, rules);
  EXPECT_EQ(told.at("992918").asked, 2400U);
  // Twenty to judge by, and what is sent while customers may still answer; again after each cool-down.
  EXPECT_LE(told.at("992918").let, 8 * 60U);
  for (const auto& [prefix, counts] : told)
    if (prefix != "992918") {
      EXPECT_EQ(counts.let, counts.asked) << prefix;
    }
}

TEST_F(Attack, TheSameRunIsTheSame) {
  const auto first = run(kSecond, {.limit = 150}), second = run(kSecond, {.limit = 150});
  for (const auto& [prefix, counts] : first) EXPECT_EQ(counts.let, second.at(prefix).let);
}

}  // namespace
}  // namespace postern::policy
