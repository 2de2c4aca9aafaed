// SPDX-License-Identifier: Apache-2.0
// Ways of several slots, quorums, and changes of slots and ways.
#include "crypto/unlocking.hpp"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

PassphraseCost cheap(Profile profile) { return profile == Profile::fips ? PassphraseCost{1000, 0} : PassphraseCost{1, 8192}; }
Secret text(std::string_view words) { return Secret(words); }

class Ways : public testing::TestWithParam<Profile> {
 protected:
  Ways() {
    for (const char* name : {"alice", "bob", "carol"}) {
      people.push_back(suite.new_box_key());
      public_keys.push_back({name, people.back().public_key});
    }
  }
  Status passphrase(const std::string& name, std::string_view words, Keyring::Opens opens = Keyring::Opens::part) {
    return ring.add_slot(SlotKind::passphrase, name, text(words), 1, cheap(GetParam()), opens);
  }
  KeyringFile saved() {
    EXPECT_TRUE(ring.save(path, std::filesystem::exists(path) ? Keyring::Replace::yes : Keyring::Replace::no).has_value());
    Result<KeyringFile> file = read_keyring(path);
    EXPECT_TRUE(file.has_value());
    return file ? std::move(*file) : KeyringFile{};
  }
  Secret share_of(const KeyringFile& file, const std::string& slot, std::size_t i) {
    const Custodian& custodian = file.slot(slot)->info.custodians[i];
    Secret share(kKeySize);
    EXPECT_TRUE(suite.unbox(people[i], custodian.share, share.writable()));
    return share;
  }
  void expect_open(Result<Unlocking::Outcome> outcome, const std::string& way) {
    ASSERT_TRUE(outcome.has_value()) << outcome.what();
    ASSERT_TRUE(outcome->ring.has_value()) << outcome->needed;
    EXPECT_EQ(outcome->way, way);
    EXPECT_TRUE(outcome->ring->master().equals(ring.master().bytes()));
  }
  void expect_waits(Result<Unlocking::Outcome> outcome, const std::string& words) {
    ASSERT_TRUE(outcome.has_value()) << outcome.what();
    ASSERT_FALSE(outcome->ring.has_value());
    EXPECT_NE(outcome->needed.find(words), std::string::npos) << outcome->needed;
  }

  TempFolder folder;
  std::string path = folder / "keyring";
  const Suite& suite = Suite::of(GetParam());
  Keyring ring = Keyring::create(500, GetParam());
  std::vector<Suite::BoxKey> people;
  std::vector<NamedPublicKey> public_keys;
};
INSTANTIATE_TEST_SUITE_P(Profiles, Ways, testing::Values(Profile::modern, Profile::fips), [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(Ways, OfTwoSlotsOpenWithBothInEitherOrderAndAtOnce) {
  const Secret key = Secret::random(32);
  ASSERT_TRUE(passphrase("ops", "the first passphrase").has_value());
  ASSERT_TRUE(ring.add_slot(SlotKind::key_file, "file", key, 1, {}, Keyring::Opens::part).has_value());
  EXPECT_FALSE(ring.save(path, Keyring::Replace::no).has_value()) << "slots without a way open nothing";
  ASSERT_TRUE(ring.add_way("both", {"ops", "file"}).has_value());
  const KeyringFile file = saved();
  for (const bool key_first : {true, false}) {
    Unlocking unlocking;
    for (const bool turn : {true, false}) {
      if (turn == key_first) {
        ASSERT_TRUE(unlocking.offer(file, SlotKind::key_file, "", key).has_value());
      } else {
        ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "", text("the first passphrase")).has_value());
      }
      if (turn) expect_waits(unlocking.open(file), key_first ? "passphrase 'ops'" : "key file 'file'");
    }
    expect_open(unlocking.open(file), "both");
  }
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key).has_value());
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase")).has_value());
}

TEST_P(Ways, ASlotAloneOfAWayOfTwoTellsNotEvenWhetherItIsRight) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase").has_value());
  ASSERT_TRUE(ring.add_slot(SlotKind::key_file, "file", Secret::random(32), 1, {}, Keyring::Opens::part).has_value());
  ASSERT_TRUE(ring.add_way("both", {"ops", "file"}).has_value());
  const KeyringFile file = saved();
  Unlocking right, wrong;
  ASSERT_TRUE(right.offer(file, SlotKind::passphrase, "", text("the first passphrase")).has_value());
  ASSERT_TRUE(wrong.offer(file, SlotKind::passphrase, "", text("quite another one")).has_value());
  const Result<Unlocking::Outcome> a = right.open(file), b = wrong.open(file);
  ASSERT_TRUE(a.has_value() && b.has_value());
  EXPECT_EQ(a->needed, b->needed);
  ASSERT_TRUE(wrong.offer(file, SlotKind::key_file, "", Secret::random(32)).has_value());
  const Result<Unlocking::Outcome> done = wrong.open(file);
  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.what().find("way 'both'"), std::string::npos) << done.what();
  EXPECT_TRUE(wrong.empty()) << "nobody can tell which was wrong, so both are forgotten";
}

TEST_P(Ways, OfTwoPassphrasesNeedTwoPersons) {
  ASSERT_TRUE(passphrase("ann", "the passphrase of ann").has_value());
  ASSERT_TRUE(passphrase("ben", "the passphrase of ben").has_value());
  ASSERT_TRUE(ring.add_way("four eyes", {"ann", "ben"}).has_value());
  const KeyringFile file = saved();
  // Without saying whose slot it is: each passphrase is tried for both, and serves one.
  for (const bool ben_first : {true, false}) {
    Unlocking unlocking;
    ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "", text(ben_first ? "the passphrase of ben" : "the passphrase of ann")).has_value());
    expect_waits(unlocking.open(file), "another person");
    ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "", text(ben_first ? "the passphrase of ann" : "the passphrase of ben")).has_value());
    expect_open(unlocking.open(file), "four eyes");
  }
  Unlocking unlocking;
  ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "ann", text("the passphrase of ann")).has_value());
  expect_waits(unlocking.open(file), "passphrase 'ben'");
  EXPECT_FALSE(unlocking.offer(file, SlotKind::passphrase, "nobody", text("the passphrase of ben")).has_value());
  ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "ben", text("the passphrase of ben")).has_value());
  expect_open(unlocking.open(file), "four eyes");
}

TEST_P(Ways, AWrongSecretForASlotThatOpensAloneIsWrongEverywhere) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  ASSERT_TRUE(ring.add_slot(SlotKind::key_file, "file", Secret::random(32), 1, {}, Keyring::Opens::part).has_value());
  ASSERT_TRUE(ring.add_way("both", {"file", "ops"}).has_value());
  const KeyringFile file = saved();
  Unlocking unlocking;
  ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "", text("quite another one")).has_value());
  EXPECT_EQ(unlocking.open(file).what(), "wrong passphrase");
}

TEST_P(Ways, OfAQuorumOpenWithAnyKSharesAndSayHowManyAreMissing) {
  ASSERT_TRUE(ring.add_quorum_slot("board", 2, public_keys, 1).has_value());
  const KeyringFile file = saved();
  for (std::size_t first = 0; first < 3; ++first)
    for (std::size_t second = 0; second < 3; ++second) {
      if (first == second) continue;
      Unlocking unlocking;
      ASSERT_TRUE(unlocking.offer_share(file, "board", static_cast<std::uint8_t>(first + 1), share_of(file, "board", first)).has_value());
      expect_waits(unlocking.open(file), "1 of the other custodians of quorum 'board'");
      ASSERT_TRUE(unlocking.offer_share(file, "board", static_cast<std::uint8_t>(second + 1), share_of(file, "board", second)).has_value());
      expect_open(unlocking.open(file), "board");
      EXPECT_EQ(unlocking.custodians().size(), 2U);
      EXPECT_EQ(unlocking.custodians()[0], "board/" + public_keys[first].name);
    }
}

TEST_P(Ways, OfAQuorumLoseNothingToWrongDamagedOrRepeatedShares) {
  ASSERT_TRUE(ring.add_quorum_slot("board", 2, public_keys, 1).has_value());
  const KeyringFile file = saved();
  const Bytes before = read_all(path);
  Unlocking unlocking;
  ASSERT_TRUE(unlocking.offer_share(file, "board", 1, share_of(file, "board", 0)).has_value());
  expect_waits(unlocking.open(file), "1 of the other");
  const Status again = unlocking.offer_share(file, "board", 1, share_of(file, "board", 0));
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.what().find("'alice' is here already; 1 more"), std::string::npos) << again.what();
  for (std::size_t bit = 0; bit < kKeySize * 8; ++bit) {
    Secret bad = share_of(file, "board", 1);
    bad.writable()[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const Status taken = unlocking.offer_share(file, "board", 2, bad);
    ASSERT_FALSE(taken.has_value()) << bit;
    EXPECT_NE(taken.what().find("'bob' is wrong or damaged"), std::string::npos);
  }
  EXPECT_FALSE(unlocking.offer_share(file, "board", 2, share_of(file, "board", 0)).has_value()) << "alice's share under bob's number";
  EXPECT_FALSE(unlocking.offer_share(file, "board", 0, share_of(file, "board", 1)).has_value());
  EXPECT_FALSE(unlocking.offer_share(file, "board", 4, share_of(file, "board", 1)).has_value());
  EXPECT_FALSE(unlocking.offer_share(file, "other", 2, share_of(file, "board", 1)).has_value());
  EXPECT_FALSE(unlocking.offer_share(file, "board", 2, Secret(31)).has_value());
  EXPECT_EQ(read_all(path), before);
  ASSERT_TRUE(unlocking.offer_share(file, "board", 2, share_of(file, "board", 1)).has_value()) << "what alice gave is still there";
  expect_open(unlocking.open(file), "board");
}

TEST_P(Ways, OfQuorumAndPassphraseKeepTheSharesWhenThePassphraseIsWrong) {
  ASSERT_TRUE(ring.add_quorum_slot("board", 2, public_keys, 1, Keyring::Opens::part).has_value());
  ASSERT_TRUE(passphrase("ops", "the first passphrase").has_value());
  ASSERT_TRUE(ring.add_way("all", {"board", "ops"}).has_value());
  const KeyringFile file = saved();
  Unlocking unlocking;
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(unlocking.offer_share(file, "board", static_cast<std::uint8_t>(i + 1), share_of(file, "board", i)).has_value());
    expect_waits(unlocking.open(file), i == 0 ? "1 of the other custodians" : "passphrase 'ops'");
  }
  ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "", text("quite another one")).has_value());
  EXPECT_FALSE(unlocking.open(file).has_value());
  ASSERT_TRUE(unlocking.offer(file, SlotKind::passphrase, "", text("the first passphrase")).has_value());
  expect_open(unlocking.open(file), "all");
}

TEST_P(Ways, AreRefusedAtEveryFlippedBitOfAnyKindOfSlot) {
  const Secret key = Secret::random(32), from_token = Secret::random(32);
  ASSERT_TRUE(ring.add_slot(SlotKind::key_file, "file", key, 1).has_value());
  ASSERT_TRUE(ring.add_token_slot("hsm", {"token", "0001", "key", 3, Bytes(60, 7)}, from_token, 1).has_value());
  ASSERT_TRUE(ring.add_quorum_slot("board", 2, public_keys, 1).has_value());
  const KeyringFile good_file = saved();
  const Bytes good = read_all(path);
  const Secret shares[] = {share_of(good_file, "board", 0), share_of(good_file, "board", 1)};
  // The payload's own bits are tried in keyring_test.cpp.
  for (std::size_t bit = 0; bit < (good.size() - good_file.payload.size()) * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    write_all(path, ByteView(bad));
    const Result<KeyringFile> file = read_keyring(path);
    if (!file) continue;
    // Everything at once: one good way is as little use as all of them when a bit elsewhere is wrong.
    Unlocking unlocking;
    (void)unlocking.offer(*file, SlotKind::key_file, "", key);
    (void)unlocking.offer(*file, SlotKind::token, "", from_token);
    for (std::uint8_t i = 0; i < 2; ++i) (void)unlocking.offer_share(*file, "board", static_cast<std::uint8_t>(i + 1), shares[i]);
    const Result<Unlocking::Outcome> outcome = unlocking.open(*file);
    ASSERT_FALSE(outcome && outcome->ring) << "byte " << bit / 8 << " bit " << bit % 8;
  }
}

// ---- changes ----

TEST_P(Ways, AndSlotsCanBeAddedByWhoeverOpenedTheKeyringWithoutTheOthersSecrets) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  (void)saved();
  Result<Keyring> opened = Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase"));
  ASSERT_TRUE(opened.has_value());
  ring = std::move(*opened);
  ASSERT_TRUE(ring.add_token_slot("hsm", {"token", "0001", "key", 3, Bytes(60, 7)}, Secret::random(32), 1, Keyring::Opens::part).has_value());
  ASSERT_TRUE(ring.add_way("both", {"ops", "hsm"}).has_value()) << "nobody typed the passphrase again";
  ASSERT_TRUE(ring.remove_way("ops").has_value());
  (void)saved();
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase")).has_value());
}

TEST_P(Ways, TheLastThatOpensCannotBeRemoved) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  EXPECT_FALSE(ring.remove_way("ops").has_value());
  EXPECT_FALSE(ring.remove_slot("ops").has_value());
  ASSERT_TRUE(passphrase("spare", "the second passphrase").has_value());
  EXPECT_FALSE(ring.remove_slot("ops").has_value()) << "a slot without a way opens nothing";
  ASSERT_TRUE(ring.add_way("two", {"ops", "spare"}).has_value());
  EXPECT_FALSE(ring.remove_slot("ops").has_value()) << "way 'two' needs it";
  ASSERT_TRUE(ring.remove_way("ops").has_value());
  EXPECT_FALSE(ring.remove_slot("spare").has_value());
  ASSERT_TRUE(passphrase("third", "the third passphrase", Keyring::Opens::alone).has_value());
  ASSERT_TRUE(ring.remove_way("two").has_value());
  ASSERT_TRUE(ring.remove_slot("ops").has_value());
  (void)saved();
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase")).has_value()) << "a removed slot opens no more";
  EXPECT_TRUE(Keyring::unlock(path, SlotKind::passphrase, text("the third passphrase")).has_value());
}

TEST_P(Ways, ThatAreImpossibleAreRefused) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  EXPECT_FALSE(ring.add_way("w", {}).has_value());
  EXPECT_FALSE(ring.add_way("w", {"nobody"}).has_value());
  EXPECT_FALSE(ring.add_way("w", {"ops", "ops"}).has_value());
  EXPECT_FALSE(ring.add_way("again", {"ops"}).has_value()) << "a way needs these already";
  EXPECT_FALSE(ring.add_way("ops", {"ops"}).has_value());
  EXPECT_FALSE(ring.add_way("", {"ops"}).has_value());
  EXPECT_FALSE(ring.add_way("a\nb", {"ops"}).has_value());
  EXPECT_FALSE(ring.remove_way("nobody").has_value());
  EXPECT_FALSE(ring.remove_slot("nobody").has_value());
  EXPECT_FALSE(ring.add_quorum_slot("q", 1, public_keys, 1).has_value());
  EXPECT_FALSE(ring.add_quorum_slot("q", 4, public_keys, 1).has_value());
  EXPECT_FALSE(ring.add_quorum_slot("q", 2, {public_keys[0], public_keys[0]}, 1).has_value()) << "one person twice";
  EXPECT_FALSE(ring.add_quorum_slot("q", 2, {public_keys[0], {"other", public_keys[0].public_key}}, 1).has_value()) << "one key twice";
  EXPECT_FALSE(ring.add_quorum_slot("q", 2, {public_keys[0], {"other", Bytes(5, 1)}}, 1).has_value());
  EXPECT_FALSE(ring.add_token_slot("t", {"token", "0001", "key", 3, {}}, Secret::random(32), 1).has_value());
  EXPECT_FALSE(ring.add_token_slot("t", {"token", "0001", "key", 3, Bytes(60, 7)}, Secret::random(31), 1).has_value());
  EXPECT_EQ(ring.own_slots().size(), 1U);
}

TEST_P(Ways, GoOnOpeningAfterTheMasterKeyWasRotated) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  ASSERT_TRUE(ring.add_quorum_slot("board", 2, public_keys, 1).has_value());
  const KeyringFile before = saved();
  const Secret content = ring.versions(Purpose::content).back().key.clone(), old_master = ring.master().clone();
  ring.rotate_master(99);
  const KeyringFile after = saved();
  EXPECT_FALSE(ring.master().equals(old_master.bytes()));
  EXPECT_FALSE(Keyring::open(after, old_master.clone()).has_value());
  const Result<Keyring> opened = Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase"));
  ASSERT_TRUE(opened.has_value()) << opened.what();
  EXPECT_EQ(opened->master_created_ms(), 99);
  EXPECT_TRUE(opened->versions(Purpose::content).back().key.equals(content.bytes())) << "what is under the master key is as before";
  Unlocking unlocking;
  for (std::size_t i = 1; i < 3; ++i) ASSERT_TRUE(unlocking.offer_share(after, "board", static_cast<std::uint8_t>(i + 1), share_of(after, "board", i)).has_value());
  expect_open(unlocking.open(after), "board");
}

TEST_P(Ways, AndKeysGrowTheGenerationWithEachSave) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  for (std::uint64_t i = 1; i <= 3; ++i) {
    (void)saved();
    EXPECT_EQ(Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase"))->generation(), i);
  }
  EXPECT_FALSE(ring.save(folder / "none", Keyring::Replace::yes).has_value());
  EXPECT_EQ(ring.generation(), 3U) << "a save that failed does not count";
}

TEST_P(Ways, ClonesShareNothingWithTheirOriginal) {
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  Keyring copy = ring.clone();
  ASSERT_TRUE(copy.rotate(Purpose::content, 2).has_value());
  copy.rotate_master(2);
  EXPECT_EQ(ring.versions(Purpose::content).size(), 1U);
  (void)saved();
  EXPECT_TRUE(Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase")).has_value());
  ring = std::move(copy);
  (void)saved();
  EXPECT_EQ(Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase"))->versions(Purpose::content).size(), 2U);
}

TEST_P(Ways, VersionsAreSixtyFourAtMostAndNumbersNeverComeBack) {
  for (unsigned i = 2; i <= 64; ++i) EXPECT_EQ(*ring.rotate(Purpose::ring, i), i);
  EXPECT_FALSE(ring.rotate(Purpose::ring, 65).has_value());
  ASSERT_TRUE(ring.destroy(Purpose::ring, 1).has_value());
  EXPECT_FALSE(ring.destroy(Purpose::ring, 1).has_value());
  EXPECT_EQ(*ring.rotate(Purpose::ring, 65), 65);
  ASSERT_TRUE(passphrase("ops", "the first passphrase", Keyring::Opens::alone).has_value());
  (void)saved();
  EXPECT_EQ(Keyring::unlock(path, SlotKind::passphrase, text("the first passphrase"))->versions(Purpose::ring).size(), 64U);
}

}  // namespace
}  // namespace postern
