// SPDX-License-Identifier: Apache-2.0
// Epochs of the audit log as the vault keeps them, held against the auditor's own tool.
#include <gtest/gtest.h>

#include <filesystem>

#include "admin/audit/verify.hpp"
#include "gateway/audit/epochs.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

constexpr TimeMs kMinute = 60'000, kHour = 60 * kMinute;

class Epoch : public testing::TestWithParam<Profile> {
 protected:
  House house{{}, {}, {}, GetParam()};
  PeerId api = house.join("api");

  // Empty when the log holds under the keys that stood beside it at its beginning.
  std::string verdict(std::uint32_t epochs) {
    EXPECT_TRUE(house.vault().publish().has_value());
    const Result<auditor::Trust> trust = auditor::read_trust({house.state() + "/audit/vkey"}, {});
    EXPECT_TRUE(trust.has_value()) << (trust ? "" : trust.what());
    const Result<auditor::Verdict> seen = auditor::verify({house.state() + "/audit", *trust, {}, {}});
    if (!seen) return seen.what();
    EXPECT_TRUE(seen->anchored);
    EXPECT_EQ(seen->epochs, epochs);
    EXPECT_EQ(seen->leaves, house.vault().context().log.size());
    return seen->bad ? std::to_string(seen->bad->leaf) + ": " + seen->bad->what : "";
  }
};

INSTANTIATE_TEST_SUITE_P(Profiles, Epoch, testing::Values(Profile::modern, Profile::fips), [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(Epoch, EachQuarterOfAnHourHasItsOwn) {
  EXPECT_EQ(verdict(0), "");
  for (std::uint32_t i = 1; i <= 5; ++i) {
    house.send(api, House::submit());
    house.now += 15 * kMinute;
    house.send(api, House::submit());
    EXPECT_EQ(verdict(i), "") << i;
  }
}

TEST_P(Epoch, ANightWithoutTheGatewayIsAtMostADayEach) {
  house.close();
  house.now += 60 * kHour;
  house.reopen();
  api = house.join("api");
  house.send(api, House::submit());
  EXPECT_EQ(verdict(4), "") << "a quarter of an hour, two days and what is left";
}

TEST_P(Epoch, AnEmptyOneIsSealedToo) {
  for (int i = 0; i < 8; ++i) {
    house.now += 15 * kMinute;
    house.turn();
  }
  EXPECT_EQ(verdict(8), "");
}

TEST_P(Epoch, AClockThatGoesBackKeepsTheOrder) {
  house.now += 20 * kMinute;
  house.send(api, House::submit());
  house.now -= kHour;
  house.send(api, House::submit());
  house.send(api, House::submit());
  EXPECT_EQ(verdict(1), "");
  const std::vector<audit::Leaf> leaves = house.leaves();
  EXPECT_EQ(std::ranges::count(leaves, EventType::clock_jumped, &audit::Leaf::type), 1);
  house.now += 3 * kHour;
  house.send(api, House::submit());
  EXPECT_EQ(verdict(3), "") << "the one that was open, and one for the gap";
}

// Each step of closing an epoch writes a file. Where it fails the vault goes on with it later; nothing
// happens in between.
TEST_P(Epoch, IsClosedLaterWhereAFileCannotBeWritten) {
  const std::string in_the_way[] = {house.state() + "/epoch.new", house.state() + "/audit/epoch/000000.new"};
  for (const std::string& path : in_the_way) {
    House home({}, {}, {}, GetParam());
    const std::string blocked = home.state() + path.substr(house.state().size());
    const PeerId source = home.join("api");
    std::filesystem::create_directories(blocked);
    home.now += 15 * kMinute;
    EXPECT_FALSE(home.turn_once().has_value()) << blocked;
    const std::uint64_t size = home.vault().context().log.size();
    EXPECT_FALSE(home.turn_once().has_value());
    EXPECT_EQ(home.vault().context().log.size(), size) << "no leaf stands in an epoch that is over";
    std::filesystem::remove(blocked);
    home.turn();
    home.send(source, House::submit());
    ASSERT_TRUE(home.vault().publish().has_value());
    const Result<auditor::Verdict> seen = auditor::verify({home.state() + "/audit", *auditor::read_trust({home.state() + "/audit/vkey"}, {}), {}, {}});
    ASSERT_TRUE(seen.has_value()) << seen.what();
    EXPECT_FALSE(seen->bad.has_value()) << seen->bad->what;
    EXPECT_EQ(seen->epochs, 1U);
  }
}

TEST_P(Epoch, ACrashBeforeItsLastCheckpointIsMadeGood) {
  const std::string blocked = house.state() + "/audit/epoch/000000.new";
  std::filesystem::create_directories(blocked);
  house.now += 15 * kMinute;
  EXPECT_FALSE(house.turn_once().has_value()) << "the leaf is committed, the checkpoint is not written";
  std::filesystem::remove(blocked);
  house.reopen();
  api = house.join("api");
  house.send(api, House::submit());
  EXPECT_EQ(verdict(1), "");
}

TEST_P(Epoch, AnOldKeyFileIsRefused) {
  std::filesystem::copy_file(house.state() + "/epoch", house.state() + "/old");
  house.now += 30 * kMinute;
  house.turn();
  house.close();
  std::filesystem::copy_file(house.state() + "/old", house.state() + "/epoch", std::filesystem::copy_options::overwrite_existing);
  const Status opened = house.try_open(Vault::Opening::existing);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("an old copy"), std::string::npos) << opened.what();
}

TEST_P(Epoch, TheKeyOfAClosedOneIsInNoFile) {
  Keys keys(house.ring());
  const std::string path = house.state() + "/epoch", origin = "bank.example/postern/audit";
  const Result<audit::Epochs> before = audit::Epochs::open(path, origin, keys, 0);
  ASSERT_TRUE(before.has_value());
  const PublicKey first = before->signer().verifier.key;
  house.now += 15 * kMinute;
  house.turn();
  const Result<audit::Epochs> after = audit::Epochs::open(path, origin, keys, 1);
  ASSERT_TRUE(after.has_value()) << after.what();
  EXPECT_NE(after->signer().verifier.key, first);
  EXPECT_EQ(after->number(), 1U);
}

}  // namespace
}  // namespace postern::vault
