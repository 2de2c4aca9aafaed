// SPDX-License-Identifier: Apache-2.0
// The files of the audit log: right at every size, made again where they are damaged, never ahead of the truth.
#include "tests/unit/audit/support.hpp"

namespace postern::audit {
namespace {

namespace fs = std::filesystem;

class TilesTest : public testing::TestWithParam<Profile> {
 protected:
  void grow_and_publish(Tiles& tiles, std::size_t count) {
    ASSERT_TRUE(tiles.append(ledger.grow(count)).has_value());
    const Status published = ledger.publish(tiles);
    ASSERT_TRUE(published.has_value()) << published.what();
  }
  void expect_good(std::uint64_t size) {
    if (size == 0) return;  // a log without a first leaf names no key
    std::uint64_t leaves = 0;
    EXPECT_EQ(verified(folder / "audit", ledger.vkey(), &leaves), "") << "at size " << size;
    EXPECT_EQ(leaves, size);
  }
  void expect_same(const std::map<std::string, Bytes>& good, const std::string& what) {
    std::map<std::string, Bytes> now = files_of(audit);
    // Of one checkpoint ECDSA makes another signature each time.
    if (GetParam() == Profile::fips && now.contains("checkpoint")) now["checkpoint"] = good.at("checkpoint");
    EXPECT_TRUE(now == good) << what;
    EXPECT_EQ(verified(audit, ledger.vkey()), "") << what;
  }
  TempFolder folder;
  std::string audit = folder / "audit";
  Ledger ledger{GetParam()};
};
// Above 65,536 leaves, where the kind of signature makes no difference any more.
class LargeTilesTest : public TilesTest {};
INSTANTIATE_TEST_SUITE_P(Profiles, LargeTilesTest, testing::Values(Profile::modern), [](const auto& one) { return std::string(name_of(one.param)); });
INSTANTIATE_TEST_SUITE_P(Profiles, TilesTest, testing::Values(Profile::modern, Profile::fips), [](const auto& one) { return std::string(name_of(one.param)); });

TEST(TilePath, FollowsTlogTiles) {
  EXPECT_EQ(tile_path(0), "000");
  EXPECT_EQ(tile_path(67), "067");
  EXPECT_EQ(tile_path(999), "999");
  EXPECT_EQ(tile_path(1000), "x001/000");
  EXPECT_EQ(tile_path(1234067), "x001/x234/067");
}

TEST_P(TilesTest, AreRightAtTheSizesAroundFullTilesWithARestartAtEach) {
  std::uint64_t size = 0;
  for (const std::uint64_t wanted : {0U, 1U, 2U, 255U, 256U, 257U, 511U, 512U, 513U, 1000U}) {
    Result<Tiles> tiles = ledger.open(audit);
    ASSERT_TRUE(tiles.has_value()) << tiles.what();
    EXPECT_EQ(tiles->size(), size);
    grow_and_publish(*tiles, wanted - size);
    size = wanted;
    EXPECT_EQ(tiles->published(), size);
    expect_good(size);
  }
}

TEST_P(TilesTest, GoOnFromTheCheckpointWithoutReadingTheStoreAgain) {
  {
    Result<Tiles> tiles = ledger.open(audit);
    grow_and_publish(*tiles, 1000);
  }
  ledger.loaded = 0;
  Result<Tiles> again = ledger.open(audit);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(ledger.loaded, 1U) << "the first leaf alone, which names the first epoch's key";
  EXPECT_EQ(again->size(), 1000U);
}

TEST_P(LargeTilesTest, AreRightAcrossTheSecondLevel) {
  Result<Tiles> tiles = ledger.open(audit);
  ASSERT_TRUE(tiles.has_value());
  grow_and_publish(*tiles, 65'535);
  expect_good(65'535);
  grow_and_publish(*tiles, 1);
  expect_good(65'536);
  EXPECT_TRUE(fs::exists(audit + "/tile/1/000"));
  EXPECT_TRUE(fs::exists(audit + "/tile/2/000.p/1"));
  Result<Tiles> again = ledger.open(audit);
  ASSERT_TRUE(again.has_value());
  grow_and_publish(*again, 300);
  expect_good(65'836);
}

TEST_P(TilesTest, OldPartialTilesGoAndTheNewOnesStay) {
  Result<Tiles> tiles = ledger.open(audit);
  for (int i = 0; i < 20; ++i) grow_and_publish(*tiles, 30);
  std::size_t partial = 0;
  for (const auto& [name, bytes] : files_of(audit)) partial += name.find(".p/") != std::string::npos;
  EXPECT_EQ(partial, 3U) << "level 0, level 1 and the bundle";
  expect_good(600);
}

TEST_P(TilesTest, APublishThatHasNothingNewChangesNoFile) {
  Result<Tiles> tiles = ledger.open(audit);
  grow_and_publish(*tiles, 10);
  const auto before = files_of(audit);
  const auto time = fs::last_write_time(audit + "/checkpoint");
  ASSERT_TRUE(ledger.publish(*tiles).has_value());
  EXPECT_TRUE(files_of(audit) == before);
  EXPECT_EQ(fs::last_write_time(audit + "/checkpoint"), time);
}

TEST_P(LargeTilesTest, AMissingFileIsMadeAgain) {
  {
    Result<Tiles> tiles = ledger.open(audit);
    grow_and_publish(*tiles, 65'536 + 600);
  }
  const auto good = files_of(audit);
  for (const char* name : {"checkpoint", "vkey", "tile/0/000", "tile/0/257", "tile/0/258.p/88", "tile/1/000", "tile/1/001.p/2", "tile/2/000.p/1",
                           "tile/entries/000", "tile/entries/257", "tile/entries/258.p/88"}) {
    ASSERT_TRUE(fs::remove(audit + "/" + name)) << name;
    {
      Result<Tiles> tiles = ledger.open(audit);
      ASSERT_TRUE(tiles.has_value()) << name << ": " << tiles.what();
      EXPECT_EQ(tiles->size(), 65'536U + 600);
      ASSERT_TRUE(ledger.publish(*tiles).has_value());
    }
    expect_same(good, name);
  }
}

TEST_P(TilesTest, MendingLoadsOnlyWhatIsMissing) {
  {
    Result<Tiles> tiles = ledger.open(audit);
    grow_and_publish(*tiles, 2000);
  }
  fs::remove(audit + "/tile/entries/003");
  ledger.loaded = 0;
  const Result<Tiles> tiles = ledger.open(audit);
  ASSERT_TRUE(tiles.has_value());
  EXPECT_EQ(ledger.loaded, 1U + 256U);
  EXPECT_EQ(tiles->mended(), std::vector<std::string>{audit + "/tile/entries/003"});
}

TEST_P(TilesTest, ADamagedUnfinishedFileIsMadeAgain) {
  {
    Result<Tiles> tiles = ledger.open(audit);
    grow_and_publish(*tiles, 600);
  }
  const auto good = files_of(audit);
  for (const char* name : {"checkpoint", "vkey", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88"}) {
    for (const bool cut : {false, true}) {
      Bytes bad = good.at(name);
      bad[bad.size() / 2] ^= 1;
      write_all(audit + "/" + name, ByteView(bad).first(cut ? bad.size() / 2 : bad.size()));
      {
        Result<Tiles> tiles = ledger.open(audit);
        ASSERT_TRUE(tiles.has_value()) << name << ": " << tiles.what();
        ASSERT_TRUE(ledger.publish(*tiles).has_value());
      }
      expect_same(good, name);
    }
  }
}

TEST_P(TilesTest, ADamagedFinishedFileIsEvidenceAndStaysUntilItIsTakenAway) {
  {
    Result<Tiles> tiles = ledger.open(audit);
    grow_and_publish(*tiles, 600);
  }
  const auto good = files_of(audit);
  for (const char* name : {"tile/0/000", "tile/entries/001"}) {
    Bytes bad = good.at(name);
    bad[bad.size() / 2] ^= 1;
    write_all(audit + "/" + name, ByteView(bad));
    ASSERT_TRUE(ledger.open(audit).has_value());
    EXPECT_TRUE(read_all(audit + "/" + name) == bad);
    EXPECT_NE(verified(audit, ledger.vkey()), "") << name;
    fs::remove(audit + "/" + name);
    ASSERT_TRUE(ledger.open(audit).has_value());
    EXPECT_EQ(verified(audit, ledger.vkey()), "") << name;
  }
}

TEST_P(TilesTest, ADamagedPartialBundleIsNotCarriedIntoTheFullOne) {
  {
    Result<Tiles> tiles = ledger.open(audit);
    grow_and_publish(*tiles, 100);
  }
  const std::string path = audit + "/tile/entries/000.p/100";
  Bytes bundle = read_all(path);
  bundle[bundle.size() / 2] ^= 4;
  write_all(path, ByteView(bundle));
  Result<Tiles> tiles = ledger.open(audit);
  ASSERT_TRUE(tiles.has_value());
  grow_and_publish(*tiles, 200);
  expect_good(300);
}

TEST_P(TilesTest, AWriteThatFailsIsTriedAgainAndLosesNothing) {
  for (const char* blocked : {"/tile/entries/000.new", "/tile/0/000.new"}) {
    fs::remove_all(audit);
    Ledger fresh(GetParam());
    Result<Tiles> tiles = fresh.open(audit);
    ASSERT_TRUE(tiles.has_value());
    ASSERT_TRUE(tiles->append(fresh.grow(250)).has_value());
    ASSERT_TRUE(fresh.publish(*tiles).has_value());
    // A folder where the file should be written: every try to write it fails.
    fs::create_directories(audit + blocked);
    const std::vector<Entry> more = fresh.grow(20);
    EXPECT_FALSE(tiles->append(more).has_value());
    fs::remove(audit + blocked);
    // As the vault does: what the tiles have not taken is given to them again from the store.
    while (tiles->size() < fresh.log.size()) {
      const std::uint64_t at = tiles->size();
      ASSERT_TRUE(tiles->append({{at, fresh.stored[at], leaf_hash(fresh.stored[at])}}).has_value());
    }
    ASSERT_TRUE(fresh.publish(*tiles).has_value());
    EXPECT_EQ(verified(audit, fresh.vkey()), "") << blocked;
    const Result<Checkpoint> checkpoint = open_checkpoint(as_text(read_all(audit + "/checkpoint")), fresh.vkey());
    EXPECT_EQ(checkpoint->root, fresh.log.mark().tree.root());
  }
}

// The end of an epoch is two writes, checkpoint and epoch file. Whichever of them fails, or is not reached: the folder holds as it is
// left, the next try makes it whole, and the log goes on.
TEST_P(TilesTest, TheEndOfAnEpochHoldsWhereverACrashLeavesIt) {
  for (const char* blocked : {"/checkpoint.new", "/epoch/000000.new", "/epoch/000001.new"}) {
    for (const bool restarted : {false, true}) {
      fs::remove_all(audit);
      Ledger fresh(GetParam());
      Result<Tiles> tiles = fresh.open(audit);
      ASSERT_TRUE(tiles.has_value());
      for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
        ASSERT_TRUE(tiles->append(fresh.grow(20)).has_value());
        ASSERT_TRUE(fresh.publish(*tiles).has_value());
        ASSERT_TRUE(tiles->append(fresh.end_epoch()).has_value());
        fs::create_directories(audit + blocked);
        const bool ended = tiles->publish_last_of(epoch, fresh.signers()).has_value();
        fs::remove(audit + blocked);
        std::uint64_t leaves = 0;
        EXPECT_EQ(verified(audit, fresh.vkey(), &leaves), "") << blocked << " at the end of epoch " << epoch;
        if (!ended) {
          EXPECT_EQ(leaves, fresh.log.size() - (std::string_view(blocked).starts_with("/checkpoint") ? 1 : 0)) << "the checkpoint is the first to tell";
          if (restarted) tiles = fresh.open(audit);
          ASSERT_TRUE(tiles.has_value()) << tiles.what();
          ASSERT_TRUE(tiles->publish_last_of(epoch, fresh.signers()).has_value());
        }
        ASSERT_TRUE(fresh.epochs->close().has_value());
        EXPECT_TRUE(fs::exists(audit + "/" + epoch_path(epoch)));
        EXPECT_EQ(verified(audit, fresh.vkey(), &leaves), "") << blocked;
        EXPECT_EQ(leaves, fresh.log.size());
      }
    }
  }
}

// An auditor reads while the epoch ends: he has the old checkpoint in his hand and comes upon the new files.
TEST_P(TilesTest, AnAuditorWhoReadsWhileAnEpochEndsFindsNothing) {
  for (const char* blocked : {"", "/checkpoint.new", "/epoch/000000.new"}) {
    fs::remove_all(audit);
    Ledger fresh(GetParam());
    Result<Tiles> tiles = fresh.open(audit);
    ASSERT_TRUE(tiles.has_value());
    ASSERT_TRUE(tiles->append(fresh.grow(300)).has_value());
    ASSERT_TRUE(fresh.publish(*tiles).has_value());
    bool ended = false;
    std::uint64_t leaves = 0;
    EXPECT_EQ(verified(audit, fresh.vkey(), &leaves,
                       [&](std::uint64_t, std::uint64_t) {
                         if (std::exchange(ended, true)) return;
                         ASSERT_TRUE(tiles->append(fresh.end_epoch()).has_value());
                         if (*blocked != 0) fs::create_directories(audit + blocked);
                         EXPECT_EQ(tiles->publish_last_of(0, fresh.signers()).has_value(), *blocked == 0);
                         if (*blocked != 0) fs::remove(audit + blocked);
                       }),
              "")
        << blocked;
    EXPECT_TRUE(ended);
    EXPECT_GE(leaves, 300U);
  }
}

TEST_P(TilesTest, AStoreThatIsOlderThanTheCheckpointIsRefused) {
  Result<Tiles> tiles = ledger.open(audit);
  grow_and_publish(*tiles, 50);
  const Result<Tiles> old = Tiles::open(audit, ledger.identity(), 49, ledger.load());
  ASSERT_FALSE(old.has_value());
  EXPECT_NE(old.what().find("an old copy was restored"), std::string::npos) << old.what();
}

TEST_P(TilesTest, AStoreWithAHoleIsAnError) {
  ledger.grow(10);
  const Tiles::Load nothing = [](std::uint64_t, std::size_t) -> Result<std::vector<Bytes>> { return std::vector<Bytes>{}; };
  EXPECT_FALSE(Tiles::open(audit, ledger.identity(), 10, nothing).has_value());
}

TEST_P(TilesTest, RootIsThatOfTheLog) {
  Result<Tiles> tiles = ledger.open(audit);
  for (const std::size_t step : {1U, 2U, 250U, 3U, 1U, 300U}) {
    ASSERT_TRUE(tiles->append(ledger.grow(step)).has_value());
    EXPECT_EQ(tiles->root(), ledger.log.mark().tree.root());
  }
}

// A sync failed while the leaf that begins an epoch was committed; the leaf stood in the store, and the file held the key of a second try.
TEST_P(TilesTest, AnEpochsKeyIsOfferedAgainWhileNobodyKnowsWhetherItsLeafStands) {
  ledger.grow(1);
  const std::int64_t end_us = 1'800'000'000'000'000 + kEpochUs;
  ASSERT_TRUE(ledger.epochs->prepare(end_us).has_value());
  const Body first = ledger.epochs->next_body();
  ASSERT_TRUE(ledger.epochs->prepare(end_us + 1'000'000).has_value());
  EXPECT_EQ(ledger.epochs->next_body(), first);
}

// A folder that could not be made for an epoch's last checkpoint was made a moment later, and its name was never synced.
TEST_P(TilesTest, AnEpochsLastCheckpointIsNotSignedWithoutItsFolder) {
  Result<Tiles> tiles = ledger.open(audit);
  grow_and_publish(*tiles, 3);
  ASSERT_TRUE(tiles->append(ledger.end_epoch()).has_value());
  std::ofstream(audit + "/epoch") << "in the way";
  EXPECT_FALSE(tiles->publish_last_of(0, ledger.signers()).has_value());
  EXPECT_EQ(tiles->published(), 3U);
  std::filesystem::remove(audit + "/epoch");
  EXPECT_TRUE(tiles->publish_last_of(0, ledger.signers()).has_value());
  EXPECT_EQ(tiles->published(), 4U);
}

}  // namespace
}  // namespace postern::audit
