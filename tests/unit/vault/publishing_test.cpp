// SPDX-License-Identifier: Apache-2.0
// The audit files of each second, written beside the turns.
#include <gtest/gtest.h>

#include <filesystem>

#include "admin/audit/verify.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

namespace fs = std::filesystem;

std::string audited(House& house) {
  const Result<auditor::Trust> trust = auditor::read_trust({house.state() + "/audit/vkey"}, {});
  if (!trust) return trust.what();
  const Result<auditor::Verdict> seen = auditor::verify({house.state() + "/audit", *trust, {}, {}});
  if (!seen) return seen.what();
  return seen->bad ? std::to_string(seen->bad->leaf) + ": " + seen->bad->what : "";
}

// All that is committed now.
Status publish_all(House& house) {
  const Status before = house.vault().published_beside();
  if (!before) return before;
  const Status begun = house.vault().publish_beside();
  return begun ? house.vault().published_beside() : begun;
}

TEST(PublishedBeside, WhileTurnsGoOnItIsAWholeLog) {
  House house;
  const PeerId api = house.join("api");
  // Enough that tiles become full.
  for (int i = 0; i < 600; ++i) {
    house.send(api, House::submit());
    const Status published = house.vault().publish_beside();
    ASSERT_TRUE(published.has_value()) << published.what();
  }
  const std::uint64_t leaves = house.vault().context().log.size();
  ASSERT_GT(leaves, 512U);
  const Status published = publish_all(house);
  ASSERT_TRUE(published.has_value()) << published.what();
  EXPECT_EQ(house.vault().published(), leaves);
  EXPECT_EQ(audited(house), "");
  house.reopen();
  EXPECT_EQ(audited(house), "");
}

TEST(PublishedBeside, AnEpochEndsAfterWhatIsUnderWay) {
  House house;
  const PeerId api = house.join("api");
  for (int i = 0; i < 5; ++i) {
    house.send(api, House::submit());
    ASSERT_TRUE(house.vault().publish_beside().has_value());
    house.now += 16 * 60'000;
    house.send(api, House::submit());
  }
  ASSERT_TRUE(publish_all(house).has_value());
  EXPECT_EQ(audited(house), "");
}

TEST(PublishedBeside, WhatCouldNotBeWrittenIsToldAndMadeGood) {
  House house;
  const PeerId api = house.join("api");
  house.send(api, House::submit());
  ASSERT_TRUE(publish_all(house).has_value());
  // A folder where the checkpoint is to be made.
  const std::string in_the_way = house.state() + "/audit/checkpoint.new";
  fs::create_directories(in_the_way + "/full");
  house.send(api, House::submit());
  const std::uint64_t before = house.vault().published(), leaves = house.vault().context().log.size();
  EXPECT_FALSE(publish_all(house).has_value());
  EXPECT_EQ(house.vault().published(), before);
  fs::remove_all(in_the_way);
  const Status published = publish_all(house);
  EXPECT_TRUE(published.has_value()) << published.what();
  EXPECT_EQ(house.vault().published(), leaves);
  EXPECT_EQ(audited(house), "");
  house.reopen();
  EXPECT_EQ(audited(house), "");
}

}  // namespace
}  // namespace postern::vault
