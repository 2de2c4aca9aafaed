// SPDX-License-Identifier: Apache-2.0
#include "crypto/keyring.hpp"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

// The cheapest that Argon2id takes: these tests are about the file, not about the cost.
constexpr Argon2Cost kCheap{1, 8192};

class KeyringFile : public testing::Test {
 protected:
  KeyringFile() {
    EXPECT_TRUE(ring.add_slot(SlotKind::passphrase, "passphrase", phrase, 1000, kCheap).has_value());
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
  Secret phrase{std::string_view("correct horse battery")};
  Secret key_file = Secret::random(64);
  Keyring ring = Keyring::create(500);
};

TEST_F(KeyringFile, OpensWithThePassphraseAndWithTheKeyFile) {
  expect_same(Keyring::unlock(path, SlotKind::passphrase, phrase));
  expect_same(Keyring::unlock(path, SlotKind::key_file, key_file));
}

TEST_F(KeyringFile, TellsItsSlotsWithoutBeingUnlocked) {
  const Result<std::vector<SlotInfo>> slots = Keyring::slots(path);
  ASSERT_TRUE(slots.has_value());
  ASSERT_EQ(slots->size(), 2U);
  EXPECT_EQ((*slots)[0].name, "passphrase");
  EXPECT_EQ((*slots)[0].kind, SlotKind::passphrase);
  EXPECT_EQ((*slots)[0].created_ms, 1000);
  EXPECT_EQ((*slots)[1].kind, SlotKind::key_file);
}

TEST_F(KeyringFile, StaysLockedForAWrongSecret) {
  EXPECT_EQ(Keyring::unlock(path, SlotKind::passphrase, Secret(std::string_view("wrong horse battery"))).what(), "wrong passphrase");
  EXPECT_EQ(Keyring::unlock(path, SlotKind::key_file, Secret::random(64)).what(), "wrong key file");
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, phrase).has_value()) << "a passphrase is no key file";
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, Secret()).has_value());
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, Secret()).has_value());
}

TEST_F(KeyringFile, OfOnePassphraseOnlySaysThatItHasNoKeyFileSlot) {
  Keyring other = Keyring::create(1);
  ASSERT_TRUE(other.add_slot(SlotKind::passphrase, "p", phrase, 1, kCheap).has_value());
  ASSERT_TRUE(other.save(folder / "other", Keyring::Replace::no).has_value());
  const Result<Keyring> opened = Keyring::unlock(folder / "other", SlotKind::key_file, key_file);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("no key file slot"), std::string::npos) << opened.what();
}

TEST_F(KeyringFile, IsRefusedAtEverySingleFlippedBit) {
  const Bytes good = read_all(path);
  // Where Argon2id's memory stands a flip asks for gigabytes; those bits are tried by key file only.
  const std::size_t costs = 8 + 1 + 2 + 1 + 1 + std::string_view("passphrase").size() + 8 + 16;
  const auto is_cost = [&](std::size_t at) { return at >= costs && at < costs + 16; };
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      write_all(path, ByteView(bad));
      EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key_file).has_value()) << "byte " << at << " bit " << bit;
      if (!is_cost(at)) {
        EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, phrase).has_value()) << "byte " << at << " bit " << bit;
      }
      (void)Keyring::slots(path);
    }
  }
  write_all(path, ByteView(good));
  expect_same(Keyring::unlock(path, SlotKind::passphrase, phrase));
}

TEST_F(KeyringFile, WithAnAbsurdCostIsRefusedBeforeAnyMemoryIsTaken) {
  Bytes bad = read_all(path);
  const std::size_t memory = 8 + 1 + 2 + 1 + 1 + std::string_view("passphrase").size() + 8 + 16 + 8;
  bad[memory] = 0x40;  // 2^62 bytes
  write_all(path, ByteView(bad));
  const Result<Keyring> opened = Keyring::unlock(path, SlotKind::passphrase, phrase);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("absurd"), std::string::npos);
}

TEST_F(KeyringFile, IsRefusedAtEveryTruncationAndWithBytesAdded) {
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

TEST_F(KeyringFile, ASlotTakenFromAnotherKeyringDoesNotOpenThisOne) {
  // Whoever can write the file adds a slot of a keyring whose passphrase he knows.
  Keyring other = Keyring::create(1);
  const Secret known(std::string_view("known to the thief"));
  ASSERT_TRUE(other.add_slot(SlotKind::passphrase, "passphrase", known, 1, kCheap).has_value());
  ASSERT_TRUE(other.add_slot(SlotKind::key_file, "key-file", key_file, 1).has_value());
  ASSERT_TRUE(other.save(folder / "other", Keyring::Replace::no).has_value());
  const Bytes mine = read_all(path), theirs = read_all(folder / "other");
  ASSERT_EQ(mine.size(), theirs.size());
  const std::size_t first = 9 + 2 + (2U + 10 + 8 + 16 + 16) + 2 + (24 + 32 + 16);
  Bytes mixed = mine;
  std::copy_n(theirs.begin() + 9, first - 9, mixed.begin() + 9);
  write_all(path, ByteView(mixed));
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::passphrase, known).has_value());
  EXPECT_FALSE(Keyring::unlock(path, SlotKind::key_file, key_file).has_value()) << "the payload is bound to all slots";
}

TEST_F(KeyringFile, OfAnotherVersionAndADamagedOneAreToldApart) {
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

TEST_F(KeyringFile, ThatIsMissingOrHugeIsAnErrorThatSaysWhatToDo) {
  EXPECT_NE(Keyring::unlock(folder / "none", SlotKind::passphrase, phrase).what().find("postern init"), std::string::npos);
  write_all(folder / "huge", std::string(100'000, 'x'));
  EXPECT_FALSE(Keyring::unlock(folder / "huge", SlotKind::passphrase, phrase).has_value());
  EXPECT_FALSE(Keyring::slots(folder / "huge").has_value());
}

// ---- saving ----

TEST_F(KeyringFile, IsNeverOverwrittenByAnInit) {
  const Bytes before = read_all(path);
  EXPECT_FALSE(Keyring::create(1).save(path, Keyring::Replace::no).has_value());
  Keyring other = Keyring::create(1);
  ASSERT_TRUE(other.add_slot(SlotKind::key_file, "k", key_file, 1).has_value());
  EXPECT_FALSE(other.save(path, Keyring::Replace::no).has_value());
  EXPECT_EQ(read_all(path), before);
}

TEST_F(KeyringFile, IsReplacedOnlyWhereOneStands) {
  ASSERT_TRUE(ring.add_slot(SlotKind::passphrase, "second", Secret(std::string_view("another passphrase")), 3, kCheap).has_value());
  ASSERT_TRUE(ring.save(path, Keyring::Replace::yes).has_value());
  expect_same(Keyring::unlock(path, SlotKind::passphrase, Secret(std::string_view("another passphrase"))));
  EXPECT_FALSE(ring.save(folder / "none", Keyring::Replace::yes).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

TEST_F(KeyringFile, LeavesNoOtherFileBehind) {
  ASSERT_TRUE(ring.save(path, Keyring::Replace::yes).has_value());
  EXPECT_FALSE(ring.save(path, Keyring::Replace::no).has_value());
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 1U);
}

TEST_F(KeyringFile, IsReadableByItsOwnerOnly) {
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(KeyringFile, PlacesThatCannotBeAskedAreErrorsAndNotExceptions) {
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
