// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/route_health.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>

namespace postern::policy {
namespace {

using Why = RouteHealth::Why;
constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute;
constexpr TimeMs kBegin = 1'800'000'000'000;

RouteHealth route(const RouteRules& rules = {}) {
  Result<RouteHealth> made = RouteHealth::make(rules);
  if (!made) ADD_FAILURE() << made.what();
  return std::move(*made);
}

// A provider for some time: each message that the route takes is answered at once, its receipt comes after `latency`.
// Returns how often the share changed.
struct Provider {
  std::function<bool(TimeMs)> fails = [](TimeMs) { return false; };
  std::function<std::int64_t(TimeMs)> latency = [](TimeMs) { return 2 * kSecond; };
  std::int64_t every_ms = 200;
};

int play(RouteHealth& route, const Provider& provider, TimeMs from, TimeMs to, std::vector<std::uint16_t>* shares = nullptr) {
  int changes = 0;
  std::multimap<TimeMs, TimeMs> receipts;  // due, handed
  std::uint64_t number = static_cast<std::uint64_t>(from);
  for (TimeMs now = from; now < to; now += provider.every_ms) {
    for (; !receipts.empty() && receipts.begin()->first <= now; receipts.erase(receipts.begin()))
      route.receipt(receipts.begin()->second, false, receipts.begin()->first);
    if (const RouteHealth::Judgement judged = now % kSecond == 0 ? route.judge(now) : RouteHealth::Judgement{}; judged.changed) {
      ++changes;
      if (shares != nullptr) shares->push_back(judged.change.share);
    }
    if (!route.takes(++number)) continue;
    const bool failed = provider.fails(now);
    route.answered(now, failed, now + 50);
    if (!failed) receipts.emplace(now + provider.latency(now), now);
  }
  return changes;
}

TEST(RouteHealth, AGoodRouteKeepsAll) {
  RouteHealth it = route();
  EXPECT_EQ(it.share(), 1000);
  EXPECT_EQ(play(it, {}, kBegin, kBegin + kHour), 0);
  EXPECT_EQ(it.share(), 1000);
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_TRUE(it.takes(i));
}

TEST(RouteHealth, AFailingRouteIsDemotedSoon) {
  RouteHealth it = route();
  std::vector<std::uint16_t> shares;
  EXPECT_EQ(play(it, {.fails = [](TimeMs) { return true; }}, kBegin, kBegin + 10 * kSecond, &shares), 1);
  EXPECT_EQ(shares, std::vector<std::uint16_t>{10});
}

TEST(RouteHealth, FewFailuresAreBorne) {
  RouteHealth it = route();
  std::uint64_t count = 0;
  EXPECT_EQ(play(it, {.fails = [&count](TimeMs) { return ++count % 10 == 0; }}, kBegin, kBegin + kHour), 0);
}

TEST(RouteHealth, TooFewSamplesTellNothing) {
  RouteHealth it = route();
  for (int i = 0; i < 19; ++i) it.answered(kBegin, true, kBegin + i);
  EXPECT_FALSE(it.judge(kBegin + 100).changed);
  it.answered(kBegin, true, kBegin + 100);
  const RouteHealth::Judgement judged = it.judge(kBegin + 100);
  EXPECT_TRUE(judged.changed);
  EXPECT_EQ(judged.change.why, Why::failing);
  EXPECT_EQ(judged.change.share, 10);
}

TEST(RouteHealth, ASlowRouteIsDemoted) {
  RouteHealth it = route();
  // One receipt in five is slow: the ninth of ten is among them. (One in fifteen: it is not.)
  for (int i = 0; i < 50; ++i) it.receipt(kBegin, false, kBegin + (i < 40 ? 2 * kSecond : 90 * kSecond));
  const RouteHealth::Judgement judged = it.judge(kBegin + 91 * kSecond);
  EXPECT_TRUE(judged.changed);
  EXPECT_EQ(judged.change.why, Why::slow);
  RouteHealth fewer = route();
  for (int i = 0; i < 60; ++i) fewer.receipt(kBegin, false, kBegin + (i < 56 ? 2 * kSecond : 90 * kSecond));
  EXPECT_FALSE(fewer.judge(kBegin + 91 * kSecond).changed);
  RouteHealth unasked = route({.slowest_p90_ms = 0});
  for (int i = 0; i < 50; ++i) unasked.receipt(kBegin, false, kBegin + 90 * kSecond);
  EXPECT_FALSE(unasked.judge(kBegin + 91 * kSecond).changed);
}

TEST(RouteHealth, ComesBackInStepsThatAreEachHeld) {
  RouteHealth it = route();
  const auto broken = [](TimeMs now) { return now < kBegin + kMinute; };
  std::vector<std::uint16_t> shares;
  (void)play(it, {.fails = broken}, kBegin, kBegin + kMinute + 4 * kMinute, &shares);
  EXPECT_EQ(it.share(), 10);
  (void)play(it, {}, kBegin + 5 * kMinute, kBegin + 40 * kMinute, &shares);
  EXPECT_EQ(shares, (std::vector<std::uint16_t>{10, 100, 500, 1000}));
}

TEST(RouteHealth, AStepIsHeldItsWholeTime) {
  RouteHealth it = route();
  for (int i = 0; i < 20; ++i) it.answered(kBegin, true, kBegin);
  (void)it.judge(kBegin);
  for (int i = 0; i < 100; ++i) it.answered(kBegin, false, kBegin + 1);
  EXPECT_FALSE(it.judge(kBegin + 300'000 - 1).changed);
  EXPECT_TRUE(it.judge(kBegin + 300'000).changed);
  EXPECT_EQ(it.share(), 100);
}

TEST(RouteHealth, WhatWasHandedBeforeTheFallDoesNotCount) {
  RouteHealth it = route();
  for (int i = 0; i < 20; ++i) it.answered(kBegin, true, kBegin + kSecond);
  (void)it.judge(kBegin + kSecond);
  for (int i = 0; i < 100; ++i) it.receipt(kBegin, true, kBegin + 2 * kSecond);  // late news of the same failure
  for (int i = 0; i < 5; ++i) it.receipt(kBegin + 2 * kSecond, false, kBegin + 4 * kSecond);
  EXPECT_TRUE(it.judge(kBegin + kSecond + 300'000).changed);
  EXPECT_EQ(it.share(), 100);
}

TEST(RouteHealth, AFewBadProbesSendItToTheBeginning) {
  RouteHealth it = route();
  for (int i = 0; i < 20; ++i) it.answered(kBegin, true, kBegin);
  (void)it.judge(kBegin);
  for (int i = 0; i < 5; ++i) it.answered(kBegin, false, kBegin + 1);
  (void)it.judge(kBegin + 300'000);
  ASSERT_EQ(it.share(), 100);
  for (int i = 0; i < 3; ++i) it.answered(kBegin + 300'000, true, kBegin + 300'001);
  const RouteHealth::Judgement judged = it.judge(kBegin + 300'002);
  EXPECT_TRUE(judged.changed);
  EXPECT_EQ(it.share(), 10);
  // And waits twice as long there.
  for (int i = 0; i < 5; ++i) it.answered(kBegin + 300'002, false, kBegin + 300'003);
  EXPECT_FALSE(it.judge(kBegin + 300'002 + 599'999).changed);
  EXPECT_TRUE(it.judge(kBegin + 300'002 + 600'000).changed);
}

TEST(RouteHealth, ARouteWithFewMessagesComesBackToo) {
  RouteHealth it = route();
  for (int i = 0; i < 20; ++i) it.answered(kBegin, true, kBegin);
  (void)it.judge(kBegin);
  // One probe in forty minutes: no window ever holds three.
  for (int i = 1; i <= 3; ++i) it.answered(kBegin + i * 40 * kMinute, false, kBegin + i * 40 * kMinute + 1);
  EXPECT_TRUE(it.judge(kBegin + 3 * 40 * kMinute + 2).changed);
  // None at all: after twelve holds.
  const TimeMs raised = kBegin + 3 * 40 * kMinute + 2;
  EXPECT_FALSE(it.judge(raised + 12 * 300'000 - 1).changed);
  EXPECT_TRUE(it.judge(raised + 12 * 300'000).changed);
  EXPECT_EQ(it.share(), 500);
}

// However a provider alternates, its share changes seldom: a fall and the way back take three holds, and twice as long each time.
TEST(RouteHealth, AnAlternatingProviderDoesNotFlap) {
  int most = 0;
  for (const std::int64_t period : {10 * kSecond, 30 * kSecond, kMinute, 2 * kMinute, 4 * kMinute, 7 * kMinute, 10 * kMinute, 16 * kMinute, 23 * kMinute}) {
    RouteHealth it = route();
    const Provider provider{.fails = [period](TimeMs now) { return now / period % 2 == 0; }};
    for (int hour = 0; hour < 4; ++hour) {
      const int changes = play(it, provider, kBegin + hour * kHour, kBegin + (hour + 1) * kHour);
      most = std::max(most, changes);
      EXPECT_LE(changes, 9) << "period " << period << ", hour " << hour;
    }
  }
  EXPECT_GE(most, 2);
}

TEST(RouteHealth, TheShareIsTheShare) {
  RouteHealth it = route();
  for (int i = 0; i < 20; ++i) it.answered(kBegin, true, kBegin);
  (void)it.judge(kBegin);
  TimeMs now = kBegin;
  std::vector<bool> taken(100'000);
  for (const std::uint16_t share : RouteHealth::kSteps) {
    ASSERT_EQ(it.share(), share);
    std::size_t count = 0;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      const bool takes = it.takes(i);
      ASSERT_TRUE(takes || !taken[i]) << "taken at a smaller share and not at a greater one";
      taken[i] = takes;
      count += takes ? 1U : 0U;
    }
    EXPECT_NEAR(static_cast<double>(count), static_cast<double>(taken.size()) * share / 1000, 400);
    for (int i = 0; i < 10; ++i) it.answered(now, false, now);
    (void)it.judge(now += 300'000);
  }
}

TEST(RouteHealth, LatenciesAreKnownToAnEighth) {
  for (const std::int64_t latency : {0L, 1L, 15L, 16L, 17L, 31L, 32L, 100L, 999L, 5000L, 60'000L, 1'000'000L, 3'599'999L}) {
    RouteHealth it = route();
    for (int i = 0; i < 10; ++i) {
      it.receipt(kBegin, false, kBegin + latency);
      it.answered(kBegin, false, kBegin + latency);
    }
    const RouteHealth::Facts facts = it.facts(kBegin + latency);
    EXPECT_EQ(facts.receipts, 10U);
    EXPECT_EQ(facts.answers, 10U);
    EXPECT_GE(facts.receipt_p90_ms, latency);
    EXPECT_LE(facts.receipt_p90_ms, latency + latency / 8);
    EXPECT_EQ(facts.receipt_p90_ms, facts.answer_p90_ms);
  }
}

TEST(RouteHealth, OldSamplesLeaveTheWindowAndOddTimesAreSurvived) {
  RouteHealth it = route();
  for (int i = 0; i < 15; ++i) it.answered(kBegin, true, kBegin);
  EXPECT_EQ(it.facts(kBegin + kMinute).failed, 15U);
  EXPECT_EQ(it.facts(kBegin + 6 * kMinute).failed, 0U);
  for (int i = 0; i < 15; ++i) it.answered(kBegin + 6 * kMinute, true, kBegin + 6 * kMinute);
  EXPECT_FALSE(it.judge(kBegin + 6 * kMinute).changed);
  it.receipt(kBegin + 60 * kMinute, false, kBegin);  // handed after now: a clock went back
  it.answered(-1, false, -1);
  EXPECT_FALSE(it.judge(-1).changed);
}

TEST(RouteHealth, WrongRulesAreRefused) {
  const std::pair<RouteRules, const char*> faults[] = {{{.window_ms = 0}, "window"},         {{.least_samples = 0}, "sample"}, {{.least_probes = 0}, "probe"},
                                                       {{.most_failed = 0}, "failures"},     {{.most_failed = 1001}, "failures"},
                                                       {{.slowest_p90_ms = -1}, "slowest"},  {{.slowest_p90_ms = kHour}, "slowest"},
                                                       {{.hold_ms = 0}, "held"},             {{.longest_hold_ms = 1}, "longest hold"}};
  for (const auto& [rules, word] : faults) {
    const Result<RouteHealth> made = RouteHealth::make(rules);
    ASSERT_FALSE(made.has_value()) << word;
    EXPECT_NE(made.what().find(word), std::string::npos) << made.what();
  }
}

}  // namespace
}  // namespace postern::policy
