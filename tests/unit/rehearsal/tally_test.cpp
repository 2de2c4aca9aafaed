// SPDX-License-Identifier: Apache-2.0
// What worlds tell each other adds up and survives its way through a pipe.
#include "gateway/rehearsal/tally.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/rehearsal/chance.hpp"

namespace postern::rehearsal {
namespace {

Tally some(std::uint64_t seed) {
  Chance chance(seed);
  Tally tally;
  for (const char* scenario : {"otp", "alert", "campaign"}) {
    Row& row = tally.rows[{"core", "otp", "code", scenario}];
    for (std::uint64_t& count : row.counts) count = chance.below(1000);
    for (std::int64_t& cost : row.cost) cost = chance.from_to(0, 1'000'000'000);
    for (std::uint64_t& count : row.reached_by) count = chance.below(1000);
    row.reasons["expired: deadline"] = chance.below(1000);
    row.rules["held: sms quiet-hours"] = chance.below(1000);
    for (int i = 0; i < 500; ++i) row.to_reach.add(chance.delay(1'000'000'000));
  }
  tally.submits["stored"] = chance.below(1000);
  tally.faults["a receipt is lost"] = chance.below(1000);
  tally.said["customers opted out"] = chance.below(1000);
  tally.kept["every message has one end"] = chance.below(1000);
  tally.facts["turns"] = chance.below(1000);
  if (chance.percent(50)) tally.broken.emplace_back("message 1 has two ends");
  return tally;
}

TEST(Tally, SurvivesItsWayAsBytes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Tally tally = some(seed);
    const Bytes bytes = encode(tally);
    const std::optional<Tally> read = decode_tally(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(*read), bytes);
    EXPECT_EQ(read->broken, tally.broken);
  }
}

TEST(Tally, BytesThatAreNoneAreRefused) {
  const Bytes bytes = encode(some(3));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_tally(ByteView(bytes).first(size))) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode_tally(longer));
}

TEST(Tally, AddsUpWhateverTheOrder) {
  Tally one = some(1), other = some(2);
  one.broken.clear(), other.broken.clear();
  Tally forth = one, back = other;
  forth.add(other);
  back.add(one);
  EXPECT_EQ(encode(forth), encode(back));
  EXPECT_EQ(forth.submits.at("stored"), one.submits.at("stored") + other.submits.at("stored"));
}

TEST(Times, APercentileIsAtMostThreePercentTooLong) {
  Chance chance(5);
  Times times;
  std::vector<TimeMs> all;
  for (int i = 0; i < 10'000; ++i) all.push_back(chance.delay(TimeMs{40} * 24 * 3600 * 1000));
  for (const TimeMs ms : all) times.add(ms);
  std::ranges::sort(all);
  for (const std::uint64_t share : {10U, 500U, 950U, 990U, 1000U}) {
    const TimeMs exact = all[(all.size() * share + 999) / 1000 - 1], told = times.within(share);
    EXPECT_GE(told, exact);
    EXPECT_LE(told, exact + exact / 32 + 1);
  }
  EXPECT_EQ(times.count(), all.size());
  EXPECT_EQ(Times().within(500), 0);
}

}  // namespace
}  // namespace postern::rehearsal
