// SPDX-License-Identifier: Apache-2.0
#include "crypto/seal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

class Sealing : public testing::TestWithParam<Profile> {
 protected:
  Keyring ring = Keyring::create(1, GetParam());
  Keys keys{ring};
  const Place place{"content", "sealed", 42, 1};

  bool opens(Purpose purpose, const Place& at, ByteView sealed) {
    Bytes plain;
    return keys.open(purpose, at, sealed, plain);
  }
};
INSTANTIATE_TEST_SUITE_P(Profiles, Sealing, testing::Values(Profile::modern, Profile::fips),
                         [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(Sealing, OpensWhatWasSealed) {
  for (const Purpose purpose : kPurposes) {
    if (use_of(purpose) != Use::seal) continue;
    for (const std::size_t size : {0U, 1U, 15U, 16U, 1000U, 100'000U}) {
      const Bytes plain(size, 0x5a);
      const Bytes sealed = keys.seal(purpose, place, plain);
      EXPECT_EQ(sealed.size(), size + Keys::kSealOverhead);
      Bytes opened;
      ASSERT_TRUE(keys.open(purpose, place, sealed, opened)) << name_of(purpose);
      EXPECT_EQ(opened, plain);
    }
  }
}

TEST_P(Sealing, DoesNotOpenAtAnotherRowTableColumnSchemaOrPurpose) {
  const Bytes sealed = keys.seal(Purpose::content, place, as_bytes("hello"));
  EXPECT_TRUE(opens(Purpose::content, place, sealed));
  EXPECT_FALSE(opens(Purpose::content, {"content", "sealed", 43, 1}, sealed));
  EXPECT_FALSE(opens(Purpose::content, {"other", "sealed", 42, 1}, sealed));
  EXPECT_FALSE(opens(Purpose::content, {"content", "other", 42, 1}, sealed));
  EXPECT_FALSE(opens(Purpose::content, {"content", "sealed", 42, 2}, sealed));
  EXPECT_FALSE(opens(Purpose::audit_body, place, sealed));
  // Names that run into each other give no second way to the same place.
  EXPECT_FALSE(opens(Purpose::content, {"contentsealed", "", 42, 1}, sealed));
  EXPECT_FALSE(opens(Purpose::content, {"", "contentsealed", 42, 1}, sealed));
}

TEST_P(Sealing, DoesNotOpenUnderAnotherKeyringOrProfile) {
  const Bytes sealed = keys.seal(Purpose::content, place, as_bytes("x"));
  Bytes plain;
  EXPECT_FALSE(Keys(Keyring::create(1, GetParam())).open(Purpose::content, place, sealed, plain));
  EXPECT_FALSE(Keys(Keyring::create(1, GetParam() == Profile::fips ? Profile::modern : Profile::fips)).open(Purpose::content, place, sealed, plain));
}

TEST_P(Sealing, IsRefusedAtEveryFlippedBitAndEveryTruncation) {
  ASSERT_TRUE(ring.rotate(Purpose::content, 2).has_value());
  keys = Keys(ring);
  const Bytes sealed = keys.seal(Purpose::content, place, as_bytes("The card was used in Lviv"));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = sealed;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      EXPECT_FALSE(opens(Purpose::content, place, bad)) << at << " " << bit;
    }
    EXPECT_FALSE(opens(Purpose::content, place, ByteView(sealed).first(at)));
  }
  Bytes longer = sealed;
  longer.push_back(0);
  EXPECT_FALSE(opens(Purpose::content, place, longer));
}

TEST_P(Sealing, LeavesNothingOfARefusedPlainText) {
  Bytes sealed = keys.seal(Purpose::content, place, as_bytes("The card was used in Lviv"));
  sealed.back() ^= 1;
  Bytes plain;
  EXPECT_FALSE(keys.open(Purpose::content, place, sealed, plain));
  EXPECT_TRUE(std::ranges::all_of(plain, [](std::uint8_t b) { return b == 0; }));
}

TEST_P(Sealing, NeverUsesANonceTwice) {
  std::set<Bytes> nonces;
  for (int i = 0; i < 2000; ++i) {
    const Bytes sealed = keys.seal(Purpose::content, place, {});
    EXPECT_TRUE(nonces.insert(Bytes(sealed.begin() + 3, sealed.begin() + 27)).second);
  }
}

TEST_P(Sealing, GoesOnUnderTheNewestVersionAndOpensWithOlderOnesUntilTheyAreDestroyed) {
  const Bytes first = keys.seal(Purpose::content, place, as_bytes("first"));
  EXPECT_EQ(*ring.rotate(Purpose::content, 2), 2);
  const Keys later(ring);
  const Bytes second = later.seal(Purpose::content, place, as_bytes("second"));
  EXPECT_EQ(first[2], 1);
  EXPECT_EQ(second[2], 2);
  EXPECT_EQ(later.newest(Purpose::content), 2);
  Bytes plain;
  EXPECT_TRUE(later.open(Purpose::content, place, first, plain));
  EXPECT_TRUE(later.open(Purpose::content, place, second, plain));
  EXPECT_FALSE(opens(Purpose::content, place, second)) << "the older keys know nothing of version 2";
  ASSERT_TRUE(ring.destroy(Purpose::content, 1).has_value());
  const Keys last(ring);
  EXPECT_FALSE(last.open(Purpose::content, place, first, plain));
  EXPECT_TRUE(last.open(Purpose::content, place, second, plain));
  EXPECT_FALSE(ring.destroy(Purpose::content, 2).has_value()) << "the newest stays";
}

TEST_P(Sealing, MacsAreOfTheirPurposeAndCheckedUnderEveryLivingVersion) {
  const Mac old = keys.mac(Purpose::anchor, as_bytes("text"));
  EXPECT_NE(old, keys.mac(Purpose::state_sum, as_bytes("text")));
  EXPECT_NE(old, keys.mac(Purpose::anchor, as_bytes("texT")));
  EXPECT_TRUE(keys.check_mac(Purpose::anchor, as_bytes("text"), old));
  EXPECT_FALSE(keys.check_mac(Purpose::anchor, as_bytes("texT"), old));
  EXPECT_FALSE(keys.check_mac(Purpose::anchor, as_bytes("text"), ByteView(old).first(31)));
  EXPECT_FALSE(keys.check_mac(Purpose::anchor, as_bytes("text"), {}));
  ASSERT_TRUE(ring.rotate(Purpose::anchor, 2).has_value());
  const Keys later(ring);
  EXPECT_NE(later.mac(Purpose::anchor, as_bytes("text")), old);
  EXPECT_TRUE(later.check_mac(Purpose::anchor, as_bytes("text"), old));
  EXPECT_EQ(later.mac(Purpose::anchor, as_bytes("text"), 1), old);
  EXPECT_EQ(later.mac(Purpose::anchor, as_bytes("text"), 3), std::nullopt);
  ASSERT_TRUE(ring.destroy(Purpose::anchor, 1).has_value());
  EXPECT_FALSE(Keys(ring).check_mac(Purpose::anchor, as_bytes("text"), old));
}

TEST_P(Sealing, PseudonymsAreStablePerKeyringAndTellNothingWithoutIt) {
  EXPECT_EQ(keys.pseudonym("380671234567"), Keys(ring).pseudonym("380671234567"));
  EXPECT_NE(keys.pseudonym("380671234567"), keys.pseudonym("380671234568"));
  EXPECT_NE(keys.pseudonym("380671234567"), Keys(Keyring::create(1, GetParam())).pseudonym("380671234567"));
}

TEST_P(Sealing, HashesOfOlderVersionsAreFoundAfterARotation) {
  const std::uint64_t pseudonym = keys.pseudonym("380671234567");
  const auto hash = keys.idempotency_hash("core", "k");
  ASSERT_TRUE(ring.rotate(Purpose::pseudonym, 2).has_value());
  ASSERT_TRUE(ring.rotate(Purpose::idempotency, 2).has_value());
  const Keys later(ring);
  EXPECT_EQ(later.pseudonyms("380671234567"), (std::vector<std::uint64_t>{later.pseudonym("380671234567"), pseudonym}));
  EXPECT_EQ(later.idempotency_hashes("core", "k"), (std::vector{later.idempotency_hash("core", "k"), hash}));
}

TEST_P(Sealing, IdempotencyHashesKeepClientAndKeyApart) {
  EXPECT_EQ(keys.idempotency_hash("a", "b"), keys.idempotency_hash("a", "b"));
  EXPECT_NE(keys.idempotency_hash("a", "bc"), keys.idempotency_hash("ab", "c"));
  EXPECT_NE(keys.idempotency_hash("a", "b"), keys.idempotency_hash("b", "b"));
}

TEST_P(Sealing, TheLogsSignatureVerifiesUnderItsPublicKeyOnly) {
  const Signature signature = keys.sign("text");
  const auto good = [&](std::string_view text, const PublicKey& key) { return ring.suite().verify(key, as_bytes(text), signature); };
  EXPECT_TRUE(good("text", keys.log_public_key()));
  EXPECT_FALSE(good("texT", keys.log_public_key()));
  EXPECT_FALSE(good("text", Keys(Keyring::create(1, GetParam())).log_public_key()));
}

TEST_P(Sealing, TheStoresKeyHas48BytesOfItsOwn) {
  const Secret key = keys.store_key();
  EXPECT_EQ(key.size(), 48U);
  EXPECT_FALSE(key.equals(Keys(Keyring::create(1, GetParam())).store_key().bytes()));
  EXPECT_FALSE(std::equal(key.bytes().begin(), key.bytes().begin() + 32, ring.versions(Purpose::store).back().key.bytes().begin()));
}

using SealingDeath = Sealing;
INSTANTIATE_TEST_SUITE_P(Modern, SealingDeath, testing::Values(Profile::modern));

TEST_P(SealingDeath, AKeyIsUsedForNothingElse) {
  EXPECT_DEATH((void)keys.seal(Purpose::store, place, {}), "");
  EXPECT_DEATH((void)keys.seal(Purpose::anchor, place, {}), "");
  EXPECT_DEATH((void)keys.mac(Purpose::content, {}), "");
}

}  // namespace
}  // namespace postern
