// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/pace.hpp"

#include <gtest/gtest.h>

#include "connectors/channels/smpp/breaker.hpp"
#include "connectors/channels/smpp/status.hpp"

namespace postern::smpp {
namespace {

int taken(Pace& pace, std::int64_t from, std::int64_t to) {
  int count = 0;
  for (std::int64_t now = from; now < to; ++now) {
    while (pace.take(now)) ++count;
  }
  return count;
}

TEST(SmppPace, GivesTheConfiguredRate) {
  for (const std::uint32_t rate : {1U, 7U, 100U, 5'000U, 50'000U}) {
    Pace pace(rate);
    const int count = taken(pace, 1'000, 11'000);
    EXPECT_NEAR(count, 10.0 * rate, 10.0 * rate * 0.02 + 1) << rate;
  }
}

TEST(SmppPace, TellsWhenTheNextTokenComes) {
  Pace pace(10);
  ASSERT_TRUE(pace.take(0));
  ASSERT_FALSE(pace.take(0));
  EXPECT_EQ(pace.next(0), 100);
  EXPECT_FALSE(pace.take(99));
  EXPECT_TRUE(pace.take(100));
}

TEST(SmppPace, KeepsTheLastTokensForWhatIsUrgent) {
  Pace pace(1'000);   // fifty at most, of which twenty-five are kept
  pace.take(0);
  int ordinary = 0, urgent = 0;
  while (pace.take(10'000)) ++ordinary;
  EXPECT_GT(pace.next(10'000), 10'000);
  EXPECT_EQ(pace.next(10'000, true), 10'000);
  while (pace.take(10'000, true)) ++urgent;
  EXPECT_EQ(ordinary, 25);
  EXPECT_EQ(urgent, 25);
  EXPECT_GT(pace.next(10'000, true), 10'000);
  // What was taken is missing to the others: the rate stays what it is.
  EXPECT_NEAR(taken(pace, 10'000, 20'000), 10'000 - 25, 2);
}

TEST(SmppPace, SavesNoBurstFromAQuietTime) {
  Pace pace(100);
  pace.take(0);
  EXPECT_LE(taken(pace, 3'600'000, 3'600'001), 5);
}

TEST(SmppPace, HalvesWhenThrottledAndGrowsBack) {
  Pace pace(100);
  pace.take(0);
  pace.throttled(0);
  EXPECT_EQ(pace.rate(), 50);
  pace.throttled(500);  // of the same window
  EXPECT_EQ(pace.rate(), 50);
  pace.throttled(999);
  EXPECT_EQ(pace.rate(), 50);
  pace.take(4'000);
  EXPECT_GT(pace.rate(), 50);
  EXPECT_LT(pace.rate(), 100);
  pace.take(60'000);
  EXPECT_EQ(pace.rate(), 100);
  for (std::int64_t now = 60'000; now < 200'000; now += 1'001) pace.throttled(now);
  EXPECT_GE(pace.rate(), 1);
}

TEST(SmppBreaker, OpensAfterARowOfFailuresAndProbesAfterwards) {
  Breaker breaker(3, 1'000);
  breaker.bad(0);
  breaker.bad(0);
  breaker.good();
  breaker.bad(0);
  breaker.bad(0);
  EXPECT_FALSE(breaker.open(0));
  breaker.bad(0);
  EXPECT_TRUE(breaker.open(999));
  EXPECT_FALSE(breaker.open(1'000));
  breaker.bad(1'000);
  EXPECT_TRUE(breaker.open(1'500));
  breaker.good();
  breaker.bad(2'000);
  EXPECT_FALSE(breaker.open(2'000));
}

TEST(SmppStatus, PutsEveryStatusInAClass) {
  const StatusTable table({{0x400, StatusClass::throttle}, {0x0b, StatusClass::retry}});
  EXPECT_EQ(table.of(0x400), StatusClass::throttle);
  EXPECT_EQ(table.of(0x0b), StatusClass::retry);  // the provider's own map wins
  const StatusTable standard;
  EXPECT_EQ(standard.of(0x00), StatusClass::accepted);
  EXPECT_EQ(standard.of(0x0b), StatusClass::number);
  EXPECT_EQ(standard.of(0x14), StatusClass::throttle);
  EXPECT_EQ(standard.of(0x0a), StatusClass::config);
  EXPECT_EQ(standard.of(0x61), StatusClass::permanent);
  EXPECT_EQ(standard.of(0x4ff), StatusClass::retry);
  EXPECT_EQ(standard.of(0xdeadbeef), StatusClass::permanent);
  for (std::uint32_t value = 1; value < 0x600; ++value) EXPECT_NE(standard.of(value), StatusClass::accepted) << value;
  EXPECT_EQ(reason_word(0x58), "smsc-0x00000058");
}

}  // namespace
}  // namespace postern::smpp
