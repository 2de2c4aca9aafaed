// SPDX-License-Identifier: Apache-2.0
// Keys that can be destroyed, the ring that wraps them, and the file that holds the ring.
#include "crypto/field_key.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "crypto/ring.hpp"
#include "crypto/sealed_file.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

class Fields : public testing::Test {
 protected:
  Keyring ring = Keyring::create(1);
  Keys keys{ring};
  const Place place{"content", "sealed", 42, 1};
  const FieldKey anna = FieldKey::create(keys, 7), boris = FieldKey::create(keys, 8);

  bool opens(const FieldKey& key, Purpose purpose, const Place& at, ByteView sealed) const {
    Bytes plain;
    return key.open(keys, purpose, at, sealed, plain);
  }
};

TEST_F(Fields, OpenForTheirHolderOnly) {
  const Bytes sealed = anna.seal(keys, Purpose::content, place, as_bytes("hello"));
  EXPECT_EQ(sealed.size(), 5 + FieldKey::kOverhead);
  Bytes plain;
  ASSERT_TRUE(anna.open(keys, Purpose::content, place, sealed, plain));
  EXPECT_EQ(as_text(plain), "hello");
  EXPECT_FALSE(opens(boris, Purpose::content, place, sealed));
}

TEST_F(Fields, DoNotOpenElsewhere) {
  const Bytes sealed = anna.seal(keys, Purpose::content, place, as_bytes("hello"));
  EXPECT_FALSE(opens(anna, Purpose::audit_body, place, sealed));
  EXPECT_FALSE(opens(anna, Purpose::content, {"leaf", "sealed", 42, 1}, sealed));
  EXPECT_FALSE(opens(anna, Purpose::content, {"content", "body", 42, 1}, sealed));
  EXPECT_FALSE(opens(anna, Purpose::content, {"content", "sealed", 43, 1}, sealed));
  EXPECT_FALSE(opens(anna, Purpose::content, {"content", "sealed", 42, 2}, sealed));
}

TEST_F(Fields, DoNotOpenWithAnyBitTurnedOrCut) {
  const Bytes sealed = anna.seal(keys, Purpose::content, place, as_bytes("hello"));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    EXPECT_FALSE(opens(anna, Purpose::content, place, ByteView(sealed).first(at))) << at;
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = sealed;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      EXPECT_FALSE(opens(anna, Purpose::content, place, bad)) << at << " " << bit;
    }
  }
}

TEST_F(Fields, OfOnePersonDoNotLookAlikeAndOnlyTheVaultTellsWhose) {
  std::set<std::string> holders;
  for (int i = 0; i < 50; ++i) {
    const Bytes sealed = anna.seal(keys, Purpose::content, place, as_bytes("hello"));
    holders.insert(to_hex(ByteView(sealed).subspan(27, 8)));
    EXPECT_EQ(FieldKey::holder_of(keys, sealed), 7U);
  }
  EXPECT_EQ(holders.size(), 50U);
  Keyring elsewhere = Keyring::create(1);
  EXPECT_NE(FieldKey::holder_of(Keys(elsewhere), anna.seal(keys, Purpose::content, place, {})), 7U);
  EXPECT_EQ(FieldKey::holder_of(keys, as_bytes("short")), std::nullopt);
}

TEST_F(Fields, WrappedKeysOpenForTheirHolderAndRingOnly) {
  const Ring one = Ring::create(keys, 1), other = Ring::create(keys, 1);
  const Bytes wrapped = one.wrap(keys, anna);
  const std::optional<FieldKey> back = one.unwrap(keys, 7, wrapped);
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(back->key().equals(anna.key().bytes()));
  EXPECT_FALSE(one.unwrap(keys, 8, wrapped).has_value());
  EXPECT_FALSE(other.unwrap(keys, 7, wrapped).has_value());
  for (std::size_t at = 0; at < wrapped.size(); ++at) {
    Bytes bad = wrapped;
    bad[at] ^= 0x10;
    EXPECT_FALSE(one.unwrap(keys, 7, bad).has_value()) << at;
    EXPECT_FALSE(one.unwrap(keys, 7, ByteView(wrapped).first(at)).has_value()) << at;
  }
}

TEST_F(Fields, ARenewedRingOpensTheOldUntilItIsDestroyed) {
  const TempFolder folder;
  const std::string path = folder / "ring";
  Ring keeper = Ring::create(keys, 1);
  ASSERT_TRUE(keeper.save(path, keys).has_value());
  const Bytes old = keeper.wrap(keys, anna);
  ASSERT_TRUE(keeper.renew(path, keys, 2).has_value());
  EXPECT_FALSE(keeper.is_newest(old));
  EXPECT_TRUE(keeper.unwrap(keys, 7, old).has_value());
  const Bytes anew = keeper.wrap(keys, anna);

  // The file has both, as a crash in the middle would find it.
  Result<Ring> again = Ring::open(path, keys);
  ASSERT_TRUE(again.has_value()) << again.what();
  EXPECT_TRUE(again->has_older());
  EXPECT_TRUE(again->unwrap(keys, 7, old).has_value());
  EXPECT_TRUE(again->unwrap(keys, 7, anew).has_value());

  keeper.destroy_older();
  ASSERT_TRUE(keeper.save(path, keys).has_value());
  EXPECT_FALSE(keeper.unwrap(keys, 7, old).has_value());
  EXPECT_TRUE(keeper.unwrap(keys, 7, anew).has_value());
  again = Ring::open(path, keys);
  EXPECT_FALSE(again->has_older());
  EXPECT_FALSE(again->unwrap(keys, 7, old).has_value());
}

TEST_F(Fields, ARingThatCannotBeWrittenIsNotRenewed) {
  Ring keeper = Ring::create(keys, 1);
  EXPECT_FALSE(keeper.renew("/nonexistent/ring", keys, 2).has_value());
  EXPECT_EQ(keeper.newest(), 1U) << "a key that is in no file must wrap nothing";
}

TEST_F(Fields, ASealedFileIsRefusedDamagedCutOrUnderOtherKeys) {
  const TempFolder folder;
  const std::string path = folder / "secret";
  ASSERT_TRUE(save_sealed(path, keys, Purpose::epoch, Secret(std::string_view("a key of some kind"))).has_value());
  EXPECT_EQ(load_sealed(path, keys, Purpose::epoch)->text(), "a key of some kind");
  EXPECT_FALSE(load_sealed(path, keys, Purpose::ring).has_value());
  Keyring elsewhere = Keyring::create(1);
  EXPECT_FALSE(load_sealed(path, Keys(elsewhere), Purpose::epoch).has_value());
  const Bytes good = read_all(path);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= 1;
    write_all(path, ByteView(bad));
    EXPECT_FALSE(load_sealed(path, keys, Purpose::epoch).has_value()) << at;
    write_all(path, ByteView(good).first(at));
    EXPECT_FALSE(load_sealed(path, keys, Purpose::epoch).has_value()) << at;
  }
}

// Whoever holds the old file open, as a copy of the disk's blocks would, finds noise.
TEST_F(Fields, AReplacedFileIsOverwritten) {
  const TempFolder folder;
  const std::string path = folder / "secret";
  ASSERT_TRUE(save_sealed(path, keys, Purpose::epoch, Secret(std::string_view("first"))).has_value());
  const Bytes before = read_all(path);
  std::ifstream held(path, std::ios::binary);
  ASSERT_TRUE(save_sealed(path, keys, Purpose::epoch, Secret(std::string_view("second"))).has_value());
  const Bytes after{std::istreambuf_iterator<char>(held), std::istreambuf_iterator<char>()};
  EXPECT_EQ(after.size(), before.size());
  EXPECT_FALSE(after == before);
  EXPECT_EQ(load_sealed(path, keys, Purpose::epoch)->text(), "second");
}

}  // namespace
}  // namespace postern
