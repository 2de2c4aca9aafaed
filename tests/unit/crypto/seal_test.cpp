// SPDX-License-Identifier: Apache-2.0
#include "crypto/seal.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <set>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

constexpr Argon2Cost kCheap{1, 8192};

class Sealing : public testing::Test {
 protected:
  Keyring ring = Keyring::create(1);
  Keys keys{ring};
  const Place place{"content", "sealed", 42, 1};

  bool opens(Purpose purpose, const Place& at, ByteView sealed) {
    Bytes plain;
    return keys.open(purpose, at, sealed, plain);
  }
};

TEST_F(Sealing, OpensWhatWasSealed) {
  for (const std::size_t size : {0U, 1U, 15U, 16U, 1000U, 100'000U}) {
    const Bytes plain(size, 0x5a);
    const Bytes sealed = keys.seal(Purpose::content, place, plain);
    EXPECT_EQ(sealed.size(), size + Keys::kSealOverhead);
    Bytes opened;
    ASSERT_TRUE(keys.open(Purpose::content, place, sealed, opened));
    EXPECT_EQ(opened, plain);
  }
}

TEST_F(Sealing, DoesNotOpenAtAnotherRowTableColumnSchemaOrPurpose) {
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

TEST_F(Sealing, DoesNotOpenUnderAnotherKeyring) {
  const Keys other(Keyring::create(1));
  Bytes plain;
  EXPECT_FALSE(other.open(Purpose::content, place, keys.seal(Purpose::content, place, as_bytes("x")), plain));
}

TEST_F(Sealing, IsRefusedAtEveryFlippedBitAndEveryTruncation) {
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

TEST_F(Sealing, NeverUsesANonceTwice) {
  std::set<Bytes> nonces;
  for (int i = 0; i < 2000; ++i) {
    const Bytes sealed = keys.seal(Purpose::content, place, {});
    EXPECT_TRUE(nonces.insert(Bytes(sealed.begin() + 1, sealed.begin() + 25)).second);
  }
}

TEST_F(Sealing, PseudonymsAreStablePerKeyringAndTellNothingWithoutIt) {
  EXPECT_EQ(keys.pseudonym("380671234567"), Keys(ring).pseudonym("380671234567"));
  EXPECT_NE(keys.pseudonym("380671234567"), keys.pseudonym("380671234568"));
  EXPECT_NE(keys.pseudonym("380671234567"), Keys(Keyring::create(1)).pseudonym("380671234567"));
}

TEST_F(Sealing, IdempotencyHashesKeepClientAndKeyApart) {
  EXPECT_EQ(keys.idempotency_hash("a", "b"), keys.idempotency_hash("a", "b"));
  EXPECT_NE(keys.idempotency_hash("a", "bc"), keys.idempotency_hash("ab", "c"));
  EXPECT_NE(keys.idempotency_hash("a", "b"), keys.idempotency_hash("b", "b"));
}

TEST_F(Sealing, TheLogsSignatureVerifiesUnderItsPublicKeyOnly) {
  const auto signature = keys.sign("text");
  const auto good = [&](std::string_view text, const std::array<std::uint8_t, 32>& key) {
    return crypto_sign_verify_detached(signature.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data()) == 0;
  };
  EXPECT_TRUE(good("text", keys.log_public_key()));
  EXPECT_FALSE(good("texT", keys.log_public_key()));
  EXPECT_FALSE(good("text", Keys(Keyring::create(1)).log_public_key()));
}

TEST_F(Sealing, TheStoresKeyHas48BytesOfItsOwn) {
  const Secret key = keys.store_key();
  EXPECT_EQ(key.size(), 48U);
  EXPECT_FALSE(key.equals(Keys(Keyring::create(1)).store_key().bytes()));
  EXPECT_FALSE(std::equal(key.bytes().begin(), key.bytes().begin() + 32, ring.master().bytes().begin()));
}

TEST_F(Sealing, TheStoresKeyIsNoKeyForFields) {
  EXPECT_DEATH((void)keys.seal(Purpose::store, place, {}), "");
}

// What was written by this version must be readable by every later one: a keyring with a known master
// key, and what its sub-keys made, frozen when the format was.
TEST(FrozenVectors, OfTheFirstKeyringStillHold) {
  const std::string folder = std::string(POSTERN_VECTORS) + "/crypto";
  const Result<Keyring> ring = Keyring::unlock(folder + "/keyring-1", SlotKind::passphrase, Secret(std::string_view("correct horse battery")));
  ASSERT_TRUE(ring.has_value()) << ring.what();
  EXPECT_EQ(ring->created_ms(), 1'700'000'000'000);
  EXPECT_EQ(to_hex(ring->master().bytes()), "8c1a5f0e3a9be2d74410c6b7aa92f3315d20e48c7fb169053e8ad2917c46fb08");
  const Keys keys(*ring);
  const Bytes lines = read_all(folder + "/keys-1.txt");
  std::string expected(as_text(lines));
  std::string now;
  now += "store " + to_hex(keys.store_key().bytes()) + "\n";
  now += "log " + to_hex(keys.log_public_key()) + "\n";
  now += "pseudonym " + std::to_string(keys.pseudonym("380671234567")) + "\n";
  now += "idempotency " + to_hex(keys.idempotency_hash("core", "key-1")) + "\n";
  now += "signature " + to_hex(keys.sign("text")) + "\n";
  EXPECT_EQ(now, expected);
  for (const auto& [name, purpose] : {std::pair("content", Purpose::content), std::pair("audit_body", Purpose::audit_body)}) {
    Bytes plain;
    ASSERT_TRUE(keys.open(purpose, {"table", "column", 7, 1}, read_all(folder + "/sealed-" + name + "-1"), plain)) << name;
    EXPECT_EQ(as_text(plain), std::string("sealed for ") + name);
  }
}

}  // namespace
}  // namespace postern
