// SPDX-License-Identifier: Apache-2.0
#include "crypto/keyring.hpp"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

// The cheapest that each profile takes: these tests are about the file, not about the cost.
constexpr PassphraseCost kCheap{1, 8192}, kCheapFips{1000, 0};
PassphraseCost cheap(Profile profile) { return profile == Profile::fips ? kCheapFips : kCheap; }

// magic, profile, number of slots; then the header of the passphrase slot: kind, name, created, salt, cost
constexpr std::size_t kFront = 8 + 1 + 1, kPassphraseHeader = 1 + 1 + 10 + 8 + 16 + 16;

class KeyringAt : public testing::TestWithParam<Profile> {
 protected:
  KeyringAt() {
    EXPECT_TRUE(ring.add_slot(SlotKind::passphrase, "passphrase", phrase, 1000, cheap(GetParam())).has_value());
    EXPECT_TRUE(ring.add_slot(SlotKind::key_file, "key-file", key_file, 2000).has_value());
    EXPECT_TRUE(ring.save(path, Keyring::Replace::no).has_value());
  }
  void expect_same(const Result<Keyring>& other) {
    ASSERT_TRUE(other.has_value()) << other.what();
    EXPECT_TRUE(other->master().equals(ring.master().bytes()));
    EXPECT_TRUE(other->log_seed().equals(ring.log_seed().bytes()));
    EXPECT_EQ(other->created_ms(), 500);
  }

  TempFolder folder;
  std::string path = folder / "keyring";
  // The payload of the file that is made here, at its end: length, nonce, what is in it, tag.
  const std::size_t kPayload =
      4 + 24 + 8 + 8 + 8 + 1 + (GetParam() == Profile::fips ? 64 : 32) + 2 * 32 + 1 + kPurposes.size() * (2 + 2 + 8 + 32 + 8) + 16;
  Secret phrase{std::string_view("correct horse battery")};
  Secret key_file = Secret::random(64);
  Keyring ring = Keyring::create(500, GetParam());
};
INSTANTIATE_TEST_SUITE_P(Profiles, KeyringAt, testing::Values(Profile::modern, Profile::fips),
                         [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(KeyringAt, OpensWithThePassphraseAndWithTheKeyFile) {
  expect_same(Keyring::unlock(path, SlotKind::passphrase, phrase));
  expect_same(Keyring::unlock(path, SlotKind::key_file, key_file));
}

TEST_P(KeyringAt, TellsItsSlotsWithoutBeingUnlocked) {
  const Result<std::vector<SlotInfo>> slots = Keyring::slots(path);
  ASSERT_TRUE(slots.has_value());
  ASSERT_EQ(slots->size(), 2U);
  EXPECT_EQ((*slots)[0].name, "passphrase");
  EXPECT_EQ((*slots)[0].kind, SlotKind::passphrase);
  EXPECT_EQ((*slots)[0].created_ms, 1000);
  EXPECT_EQ((*slots)[1].kind, SlotKind::key_file);
}

TEST_P(KeyringAt, StaysLockedForAWrongSecret) {
  EXPECT_EQ(Keyring::unlock(path, SlotKind::passphrase, Secret(std::string_view("wrong horse battery"))).what(), "wrong passphrase");
  EXPECT_EQ(Keyring::unlock(path, SlotKind::key_file, Secret::random(64)).what(), "wrong key file");
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, phrase).has_value()) << "a passphrase is no key file";
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, Secret()).has_value());
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, Secret()).has_value());
}

TEST_P(KeyringAt, OfOnePassphraseOnlySaysThatItHasNoKeyFileSlot) {
  Keyring other = Keyring::create(1, GetParam());
  ASSERT_TRUE(other.add_slot(SlotKind::passphrase, "p", phrase, 1, cheap(GetParam())).has_value());
  ASSERT_TRUE(other.save(folder / "other", Keyring::Replace::no).has_value());
  const Result<Keyring> opened = Keyring::unlock(folder / "other", SlotKind::key_file, key_file);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("no key file slot"), std::string::npos) << opened.what();
}

TEST_P(KeyringAt, IsRefusedAtEverySingleFlippedBit) {
  const Bytes good = read_all(path);
  // PBKDF2 at its least costs a millisecond: with it, the slot's own bits only.
  const std::size_t slot_end = kFront + 2 + kPassphraseHeader;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      write_all(path, ByteView(bad));
      EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key_file).has_value()) << "byte " << at << " bit " << bit;
      if (GetParam() == Profile::modern || at < slot_end) {
        EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, phrase).has_value()) << "byte " << at << " bit " << bit;
      }
      (void)Keyring::slots(path);
      if (bit == at % 8) {
        EXPECT_EQ(read_all(path), bad) << "a failed unlock writes nothing";
      }
    }
  }
  write_all(path, ByteView(good));
  expect_same(Keyring::unlock(path, SlotKind::passphrase, phrase));
}

TEST_P(KeyringAt, WithAnAbsurdCostIsRefusedBeforeAnyMemoryIsTaken) {
  for (const std::size_t word : {0U, 8U}) {
    Bytes bad = read_all(path);
    bad[kFront + 2 + kPassphraseHeader - 16 + word] = 0x40;  // 2^62 passes or bytes
    write_all(folder / "bad", ByteView(bad));
    const Result<Keyring> opened = Keyring::unlock(folder / "bad", SlotKind::passphrase, phrase);
    ASSERT_FALSE(opened.has_value());
    EXPECT_NE(opened.what().find("absurd"), std::string::npos) << opened.what();
  }
}

TEST_P(KeyringAt, IsRefusedAtEveryTruncationAndWithBytesAdded) {
  const Bytes good = read_all(path);
  for (std::size_t size = 0; size < good.size(); ++size) {
    write_all(path, ByteView(good).first(size));
    EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key_file).has_value()) << size;
  }
  Bytes longer = good;
  longer.push_back(0);
  write_all(path, ByteView(longer));
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key_file).has_value());
}

TEST_P(KeyringAt, ASlotTakenFromAnotherKeyringDoesNotOpenThisOne) {
  // Whoever can write the file adds a slot of a keyring whose passphrase he knows.
  Keyring other = Keyring::create(1, GetParam());
  const Secret known(std::string_view("known to the thief"));
  ASSERT_TRUE(other.add_slot(SlotKind::passphrase, "passphrase", known, 1, cheap(GetParam())).has_value());
  ASSERT_TRUE(other.add_slot(SlotKind::key_file, "key-file", key_file, 1).has_value());
  ASSERT_TRUE(other.save(folder / "other", Keyring::Replace::no).has_value());
  const Bytes mine = read_all(path), theirs = read_all(folder / "other");
  ASSERT_EQ(mine.size(), theirs.size());
  Bytes mixed = mine;
  std::copy_n(theirs.begin() + kFront, 2 + kPassphraseHeader, mixed.begin() + kFront);
  write_all(path, ByteView(mixed));
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, known).has_value());
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key_file).has_value()) << "the payload is bound to all slots";
  // With the way as well, his passphrase opens his master key, and that opens no payload of this keyring.
  std::copy_n(theirs.begin(), theirs.size() - kPayload, mixed.begin());
  write_all(path, ByteView(mixed));
  EXPECT_NE(Keyring::unlock(path, SlotKind::passphrase, known).what().find("damaged"), std::string::npos);
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key_file).has_value());
}

TEST_P(KeyringAt, OfAnotherVersionAndADamagedOneAreToldApart) {
  Bytes file = read_all(path);
  file[7] = '2';
  write_all(path, ByteView(file));
  const std::string version = Keyring::unlock(path, SlotKind::key_file, key_file).what();
  file[7] = '1';
  file[12] ^= 0x80;
  write_all(path, ByteView(file));
  const std::string damaged = Keyring::unlock(path, SlotKind::key_file, key_file).what();
  EXPECT_NE(version.find("version"), std::string::npos) << version;
  EXPECT_EQ(damaged.find("version"), std::string::npos) << damaged;
}

TEST_P(KeyringAt, ThatIsMissingOrHugeIsAnErrorThatSaysWhatToDo) {
  EXPECT_NE(Keyring::unlock(folder / "none", SlotKind::passphrase, phrase).what().find("postern init"), std::string::npos);
  write_all(folder / "huge", std::string(100'000, 'x'));
  EXPECT_FALSE(Keyring::unlock(folder / "huge", SlotKind::passphrase, phrase).has_value());
  EXPECT_FALSE(Keyring::slots(folder / "huge").has_value());
}

// ---- saving ----

TEST_P(KeyringAt, IsNeverOverwrittenByAnInit) {
  const Bytes before = read_all(path);
  EXPECT_FALSE(Keyring::create(1).save(path, Keyring::Replace::no).has_value());
  Keyring other = Keyring::create(1);
  ASSERT_TRUE(other.add_slot(SlotKind::key_file, "k", key_file, 1).has_value());
  EXPECT_FALSE(other.save(path, Keyring::Replace::no).has_value());
  EXPECT_EQ(read_all(path), before);
}

TEST_P(KeyringAt, IsReplacedOnlyWhereOneStands) {
  ASSERT_TRUE(ring.add_slot(SlotKind::passphrase, "second", Secret(std::string_view("another passphrase")), 3, cheap(GetParam())).has_value());
  ASSERT_TRUE(ring.save(path, Keyring::Replace::yes).has_value());
  expect_same(Keyring::unlock(path, SlotKind::passphrase, Secret(std::string_view("another passphrase"))));
  EXPECT_FALSE(ring.save(folder / "none", Keyring::Replace::yes).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

TEST_P(KeyringAt, LeavesNoOtherFileBehind) {
  ASSERT_TRUE(ring.save(path, Keyring::Replace::yes).has_value());
  EXPECT_FALSE(ring.save(path, Keyring::Replace::no).has_value());
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 1U);
}

TEST_P(KeyringAt, IsReadableByItsOwnerOnly) {
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_P(KeyringAt, PlacesThatCannotBeAskedAreErrorsAndNotExceptions) {
  std::filesystem::create_symlink(folder / "loop", folder / "loop");
  EXPECT_FALSE(ring.save(folder / "loop" + "/keyring", Keyring::Replace::no).has_value());
  EXPECT_FALSE(ring.save(folder / std::string(300, 'n'), Keyring::Replace::no).has_value());
  EXPECT_FALSE(ring.save(folder / "no-folder/keyring", Keyring::Replace::no).has_value());
}

TEST(Keyring, WithoutASlotIsNotSaved) {
  TempFolder folder;
  EXPECT_FALSE(Keyring::create(1).save(folder / "k", Keyring::Replace::no).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "k"));
}

// ---- slots ----

TEST(KeyringSlots, RefuseWeakSecretsAndBadNames) {
  Keyring ring = Keyring::create(1);
  const Secret good(std::string_view("twelve bytes"));
  EXPECT_FALSE(ring.add_slot(SlotKind::passphrase, "p", Secret(std::string_view("eleven byte")), 1, kCheap).has_value());
  EXPECT_FALSE(ring.add_slot(SlotKind::key_file, "k", Secret::random(31), 1).has_value());
  EXPECT_FALSE(ring.add_slot(SlotKind::passphrase, "", good, 1, kCheap).has_value());
  EXPECT_FALSE(ring.add_slot(SlotKind::passphrase, std::string(65, 'n'), good, 1, kCheap).has_value());
  EXPECT_TRUE(ring.add_slot(SlotKind::passphrase, "p", good, 1, kCheap).has_value());
  EXPECT_FALSE(ring.add_slot(SlotKind::passphrase, "p", good, 1, kCheap).has_value()) << "the name is taken";
}

TEST(KeyringSlots, AreSixteenAtMost) {
  TempFolder folder;
  Keyring ring = Keyring::create(1);
  const Secret key = Secret::random(32);
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(ring.add_slot(SlotKind::key_file, "slot" + std::to_string(i), Secret::random(32), 1).has_value());
  EXPECT_FALSE(ring.add_slot(SlotKind::key_file, "one more", key, 1).has_value());
  ASSERT_TRUE(ring.save(folder / "k", Keyring::Replace::no).has_value());
  EXPECT_EQ(Keyring::slots(folder / "k")->size(), 16U);
  EXPECT_FALSE(Keyring::unlock(folder / "k", SlotKind::key_file, key).has_value());
}

TEST(KeyringSlots, OfOneKindAreAllTried) {
  TempFolder folder;
  Keyring ring = Keyring::create(1);
  const Secret last = Secret::random(32);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ring.add_slot(SlotKind::key_file, "slot" + std::to_string(i), Secret::random(32), 1).has_value());
  ASSERT_TRUE(ring.add_slot(SlotKind::key_file, "last", last, 1).has_value());
  ASSERT_TRUE(ring.save(folder / "k", Keyring::Replace::no).has_value());
  EXPECT_TRUE(Keyring::unlock(folder / "k", SlotKind::key_file, last).has_value());
}

TEST(Keyring, TwoNewOnesShareNothing) {
  const Keyring one = Keyring::create(1), two = Keyring::create(1);
  EXPECT_FALSE(one.master().equals(two.master().bytes()));
  EXPECT_FALSE(one.log_seed().equals(two.log_seed().bytes()));
  EXPECT_FALSE(one.master().equals(one.log_seed().bytes()));
}

}  // namespace
}  // namespace postern
