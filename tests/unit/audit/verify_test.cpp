// SPDX-License-Identifier: Apache-2.0
// The verifier with the public key alone: what holds, and that nothing can be changed unseen.
#include <functional>

#include "tests/unit/audit/support.hpp"

namespace postern::audit {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kLeaves = 600;

class Verify : public testing::Test {
 protected:
  explicit Verify(std::size_t count = kLeaves) {
    Result<Tiles> tiles = ledger.open(audit);
    EXPECT_TRUE(tiles->append(ledger.grow(count)).has_value());
    EXPECT_TRUE(ledger.publish(*tiles).has_value());
    good = files_of(audit);
  }
  void restore() {
    fs::remove_all(audit);
    for (const auto& [name, bytes] : good) {
      fs::create_directories(fs::path(audit + "/" + name).parent_path());
      write_all(audit + "/" + name, ByteView(bytes));
    }
  }
  std::string verdict() { return verified(audit, ledger.vkey()); }
  // The bundles' leaves one after another; and back.
  std::vector<Bytes> leaves(const std::string& name) {
    ByteReader in(good.at(name));
    std::vector<Bytes> all;
    while (in.left() > 0) {
      const ByteView leaf = in.view16();
      all.emplace_back(leaf.begin(), leaf.end());
    }
    return all;
  }
  void write_leaves(const std::string& name, const std::vector<Bytes>& all) {
    Bytes bytes;
    for (const Bytes& leaf : all) ByteWriter(bytes).view16(leaf);
    write_all(audit + "/" + name, ByteView(bytes));
  }

  TempFolder folder;
  std::string audit = folder / "audit";
  Ledger ledger;
  std::map<std::string, Bytes> good;
};

TEST_F(Verify, AWholeLogHolds) {
  const Result<Verdict> verdict = verify(audit, ledger.vkey());
  ASSERT_TRUE(verdict.has_value());
  EXPECT_FALSE(verdict->bad.has_value()) << verdict->bad->what;
  EXPECT_EQ(verdict->leaves, kLeaves);
  EXPECT_EQ(verdict->origin, kOrigin);
  EXPECT_EQ(verdict->counts.at("started"), kLeaves / 5 - 1);
  EXPECT_EQ(verdict->counts.at("accepted"), kLeaves - kLeaves / 5);
  EXPECT_EQ(verdict->last_us - verdict->first_us, static_cast<std::int64_t>(kLeaves - 1));
  EXPECT_EQ(verdict->root, to_hex(ledger.log.mark().tree.root()));
}

TEST_F(Verify, AnEmptyLogHolds) {
  Ledger empty;
  Result<Tiles> tiles = empty.open(folder / "empty");
  ASSERT_TRUE(empty.publish(*tiles).has_value());
  EXPECT_EQ(verified(folder / "empty", empty.vkey()), "");
}

// One full tile and partial ones of both levels, and small enough for thousands of verifications.
class VerifySmall : public Verify {
 protected:
  VerifySmall() : Verify(280) {}
};

TEST_F(VerifySmall, AFlipInEverySeventhByteOfEveryFileIsSeen) {
  std::size_t tried = 0;
  for (const auto& [name, bytes] : good) {
    if (name == "vkey") continue;  // a convenience: who verifies brings the key along
    for (std::size_t at = tried % 7; at < bytes.size(); at += 7, ++tried) {
      Bytes bad = bytes;
      bad[at] ^= static_cast<std::uint8_t>(1U << at % 8);
      write_all(audit + "/" + name, ByteView(bad));
      ASSERT_NE(verdict(), "") << name << " byte " << at;
    }
    write_all(audit + "/" + name, ByteView(bytes));
  }
  EXPECT_GT(tried, 1000U);
  EXPECT_EQ(verdict(), "");
}

TEST_F(Verify, LeavesThatAreTakenOutSwappedDoubledOrAddedAreSeen) {
  const std::vector<std::string> bundles{"tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"};
  for (const std::string& name : bundles) {
    const std::vector<Bytes> all = leaves(name);
    for (std::size_t at = 0; at < all.size(); at += 11) {
      std::vector<Bytes> bad = all;
      bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(at));
      write_leaves(name, bad);
      ASSERT_NE(verdict(), "") << name << " without " << at;
      bad = all;
      std::swap(bad[at], bad[(at + 1) % bad.size()]);
      write_leaves(name, bad);
      ASSERT_NE(verdict(), "") << name << " swapped " << at;
      bad = all;
      bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(at), bad[at]);
      write_leaves(name, bad);
      ASSERT_NE(verdict(), "") << name << " doubled " << at;
      bad = all;
      bad[at] = all[(at + 5) % all.size()];
      write_leaves(name, bad);
      ASSERT_NE(verdict(), "") << name << " replaced " << at;
    }
    write_leaves(name, all);
  }
  EXPECT_EQ(verdict(), "");
}

TEST_F(Verify, EveryFileThatIsMissingOrCutIsSeen) {
  for (const auto& [name, bytes] : good) {
    if (name == "vkey") continue;
    fs::remove(audit + "/" + name);
    EXPECT_NE(verdict(), "") << name << " is missing";
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
      write_all(audit + "/" + name, ByteView(bytes).first(size));
      EXPECT_NE(verdict(), "") << name << " cut to " << size;
    }
    Bytes longer = bytes;
    longer.push_back('\n');
    write_all(audit + "/" + name, ByteView(longer));
    EXPECT_NE(verdict(), "") << name << " with a byte more";
    write_all(audit + "/" + name, ByteView(bytes));
  }
}

TEST_F(Verify, TheWrongKeyHoldsNothing) {
  const Keys other(Keyring::create(2));
  EXPECT_NE(verified(audit, verifier_key(kOrigin, other.log_public_key())), "");
  EXPECT_NE(verified(audit, verifier_key("elsewhere", ledger.keys.log_public_key())), "");
  EXPECT_NE(verified(audit, "nonsense"), "");
}

TEST_F(Verify, ALogResignedWithoutTheKeyIsSeen) {
  // A thief rewrites everything from leaf 300 on, consistently, and signs with a key of his own.
  Ledger thief;
  Result<Tiles> tiles = thief.open(folder / "forged");
  ASSERT_TRUE(tiles->append(thief.grow(kLeaves)).has_value());
  ASSERT_TRUE(thief.publish(*tiles).has_value());
  EXPECT_EQ(verified(folder / "forged", thief.vkey()), "");
  EXPECT_NE(verified(folder / "forged", ledger.vkey()), "");
  // Or keeps the true checkpoint above his own files.
  write_all(folder / "forged/checkpoint", ByteView(good.at("checkpoint")));
  EXPECT_NE(verified(folder / "forged", ledger.vkey()), "");
}

TEST_F(Verify, AnOlderCheckpointWithItsOwnPartialTilesHoldsForWhatItCovers) {
  const Bytes old = good.at("checkpoint");
  Result<Tiles> tiles = ledger.open(audit);
  ASSERT_TRUE(tiles->append(ledger.grow(300)).has_value());
  ASSERT_TRUE(ledger.publish(*tiles).has_value());
  EXPECT_EQ(verdict(), "");
  // The old signature is good, but its partial tiles are gone: nobody can pass 600 leaves off as the whole.
  write_all(audit + "/checkpoint", ByteView(old));
  EXPECT_NE(verdict(), "");
  // With them it is the log as it was then, which is true and older: only a witness knows of the rest.
  for (const auto& [name, bytes] : good)
    if (name.find(".p/") != std::string::npos) {
      fs::create_directories(fs::path(audit + "/" + name).parent_path());
      write_all(audit + "/" + name, ByteView(bytes));
    }
  std::uint64_t size = 0;
  EXPECT_EQ(verified(audit, ledger.vkey(), &size), "");
  EXPECT_EQ(size, kLeaves);
}

TEST_F(Verify, TheFindingNamesTheFirstBadLeaf) {
  std::vector<Bytes> all = leaves("tile/entries/001");
  all[44][20] ^= 1;
  write_leaves("tile/entries/001", all);
  const Result<Verdict> verdict = verify(audit, ledger.vkey());
  ASSERT_TRUE(verdict->bad.has_value());
  EXPECT_GE(verdict->bad->leaf, 256U + 44);
  EXPECT_LE(verdict->bad->leaf, 256U + 45);
}

TEST_F(Verify, AFolderWithoutALogIsAnError) {
  EXPECT_FALSE(verify(folder / "none", ledger.vkey()).has_value());
}

TEST_F(Verify, TellsItsProgress) {
  std::uint64_t last = 0, of = 0;
  ASSERT_TRUE(verify(audit, ledger.vkey(), [&](std::uint64_t at, std::uint64_t size) {
                last = at;
                of = size;
              }).has_value());
  EXPECT_GT(last, 0U);
  EXPECT_EQ(of, kLeaves);
}

}  // namespace
}  // namespace postern::audit
