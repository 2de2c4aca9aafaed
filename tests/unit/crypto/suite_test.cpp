// SPDX-License-Identifier: Apache-2.0
// Each primitive of both profiles against values of others: standards, or another library.
#include "crypto/suite.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace postern {
namespace {

Bytes hex(std::string_view text) {
  Bytes out;
  EXPECT_TRUE(from_hex(text, out)) << text;
  return out;
}
Bytes counting(std::size_t size, std::uint8_t from = 0) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(from + i);
  return out;
}
Secret secret(ByteView bytes) { return Secret(bytes); }
const Suite& modern() { return Suite::of(Profile::modern); }
const Suite& fips() { return Suite::of(Profile::fips); }

std::string sealed(const Suite& suite, ByteView key, ByteView nonce, ByteView bound, std::string_view plain) {
  Bytes out(plain.size() + Suite::kTagSize);
  suite.seal(key, nonce, bound, as_bytes(plain), out);
  Bytes back(plain.size());
  EXPECT_TRUE(suite.open(key, nonce, bound, out, back));
  EXPECT_EQ(as_text(back), plain);
  return to_hex(out);
}

TEST(ModernSuite, SealsAsDraftIrtfCfrgXchachaSectionA3Says) {
  EXPECT_EQ(sealed(modern(), counting(32, 0x80), counting(24, 0x40), hex("50515253c0c1c2c3c4c5c6c7"),
                   "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."),
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40d"
            "b5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
}

TEST(FipsSuite, SealsAsC2spXaes256GcmSays) {
  const ByteView nonce = as_bytes("ABCDEFGHIJKLMNOPQRSTUVWX");
  EXPECT_EQ(sealed(fips(), Bytes(32, 1), nonce, {}, "XAES-256-GCM"), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  EXPECT_EQ(sealed(fips(), Bytes(32, 3), nonce, as_bytes("c2sp.org/XAES-256-GCM"), "XAES-256-GCM"),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

TEST(FipsSuite, MacsAsRfc4231Says) {
  EXPECT_EQ(to_hex(fips().mac(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(fips().mac(Bytes(20, 0x0b), as_bytes("Hi There"))), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(ModernSuite, MacsAsPythonsHashlibDoes) {
  EXPECT_EQ(to_hex(modern().mac(counting(32), as_bytes("text"))), "5113a9896dcf8cb326e70e716ad34d459f5949d1e0905664719b84502aae8d6c");
}

TEST(ModernSuite, DerivesAsPythonsHashlibDoes) {
  EXPECT_EQ(to_hex(modern().derive(secret(counting(32)), "pstrnsql", 1, 48).bytes()), "7fd407addb2317d503023231b90fc6384e71642f04492f8bcb386f39dc6a7b3a55a7b8ed0fb4bd0aa17769ba97fdf0d8");
}

TEST(FipsSuite, DerivesAsPythonsCryptographyDoes) {
  EXPECT_EQ(to_hex(fips().derive(secret(counting(32)), "pstrnsql", 1, 48).bytes()), "d7d8daa5bf451ca104cfb6903c360301cda58709ac99af680f1d0e95d2e984f8a7ae62c5f42a7b89fb76400c0d15a75d");
}

TEST(ModernSuite, MakesPassphraseKeysAsTheReferenceArgon2Does) {
  const Result<Secret> key = modern().passphrase_key(Secret(std::string_view("correct horse battery")), counting(16), {3, 64 * 1024});
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(to_hex(key->bytes()), "828258a8d22491cd22df5df54fa4ce9629f4610db172a40bfad0e21913394ce3");
}

TEST(FipsSuite, MakesPassphraseKeysAsThePbkdf2VectorOfRfc6070sInputsSays) {
  const Result<Secret> key = fips().passphrase_key(Secret(std::string_view("passwordPASSWORDpassword")), as_bytes("saltSALTsaltSALTsaltSALTsaltSALTsalt"), {4096, 0});
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(to_hex(key->bytes()), "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71");
}

TEST(ModernSuite, SignsAsRfc8032Section71Says) {
  const Secret seed = secret(hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  EXPECT_EQ(to_hex(modern().public_key(seed)), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(to_hex(modern().sign(seed, hex("72"))),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

// RFC 6979 section A.2.5 has a key whose y is odd; of its negative, which has the same x and an even y, only the public side is
// fixed there. Its signatures are checked against Python's in vectors_test.cpp.
TEST(FipsSuite, KnowsThePublicKeyOfRfc6979) {
  const Bytes scalar = hex("36505626ba458aea94a3dea8984e296c6e9636d2702f0372782f6897ea53be30");
  const Bytes x = hex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
  Bytes both = scalar;
  both.insert(both.end(), x.begin(), x.end());
  const Secret key = secret(both);
  PublicKey open_key{};
  std::ranges::copy(x, open_key.begin());
  EXPECT_EQ(fips().public_key(key), open_key);
  EXPECT_TRUE(fips().verify(open_key, as_bytes("sample"), fips().sign(key, as_bytes("sample"))));
}

TEST(FipsSuite, SaysWhoseCodeItIs) {
  EXPECT_NE(fips().provider().find("OpenSSL 3"), std::string::npos) << fips().provider();
  EXPECT_EQ(fips().validated(), fips().provider().find("not a validated module") == std::string::npos);
  EXPECT_NE(modern().provider().find("libsodium"), std::string::npos);
  EXPECT_FALSE(modern().validated());
}

// ---- what both must do ----

class AnySuite : public testing::TestWithParam<Profile> {
 protected:
  const Suite& suite = Suite::of(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Profiles, AnySuite, testing::Values(Profile::modern, Profile::fips), [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(AnySuite, RefusesEveryFlippedBitOfASignatureItsTextAndItsKey) {
  const Secret key = suite.new_signing_key();
  ASSERT_TRUE(suite.is_signing_key(key));
  const PublicKey open_key = suite.public_key(key);
  const Bytes text = counting(40);
  const Signature good = suite.sign(key, text);
  ASSERT_TRUE(suite.verify(open_key, text, good));
  for (std::size_t bit = 0; bit < good.size() * 8; bit += GetParam() == Profile::fips ? 3U : 1U) {
    Signature bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(suite.verify(open_key, text, bad)) << bit;
  }
  for (std::size_t bit = 0; bit < open_key.size() * 8; bit += 7) {
    PublicKey bad = open_key;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(suite.verify(bad, text, good)) << bit;
  }
  Bytes other = text;
  other[7] ^= 1;
  EXPECT_FALSE(suite.verify(open_key, other, good));
  EXPECT_FALSE(suite.verify(open_key, text, Signature{}));
  EXPECT_FALSE(suite.verify(PublicKey{}, text, good));
}

TEST_P(AnySuite, BoxesOpenForTheirOwnerOnlyAndNotWithAFlippedBit) {
  const Suite::BoxKey own = suite.new_box_key(), other = suite.new_box_key();
  const Bytes plain = counting(32);
  const Result<Bytes> boxed = suite.box(own.public_key, plain);
  ASSERT_TRUE(boxed.has_value());
  EXPECT_EQ(boxed->size(), plain.size() + suite.box_overhead());
  Bytes out(plain.size());
  ASSERT_TRUE(suite.unbox(own, *boxed, out));
  EXPECT_EQ(out, plain);
  EXPECT_FALSE(suite.unbox(other, *boxed, out));
  EXPECT_NE(*boxed, *suite.box(own.public_key, plain)) << "each box has a key of its own";
  for (std::size_t bit = 0; bit < boxed->size() * 8; ++bit) {
    Bytes bad = *boxed;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(suite.unbox(own, bad, out)) << bit;
  }
  for (std::size_t size = 0; size < boxed->size(); ++size) EXPECT_FALSE(suite.unbox(own, ByteView(*boxed).first(size), out));
}

TEST_P(AnySuite, RefusesWhatIsNoPublicKey) {
  EXPECT_FALSE(suite.box({}, {}).has_value());
  EXPECT_FALSE(suite.box(Bytes(31, 9), {}).has_value());
  EXPECT_FALSE(suite.box(Bytes(suite.new_box_key().public_key.size(), 0), {}).has_value()) << "a point of small order";
  EXPECT_FALSE(suite.box(Bytes(65, 4), {}).has_value());
}

TEST_P(AnySuite, RefusesAbsurdCosts) {
  const Secret phrase(std::string_view("correct horse battery"));
  for (const PassphraseCost cost : {PassphraseCost{~0ULL, 8192}, {1, ~0ULL}, {1, 1}, {0, 0}, {~0ULL, 0}, {100'000'000, 0}, {1, 2ULL << 30}}) {
    const Result<Secret> key = suite.passphrase_key(phrase, counting(16), cost);
    ASSERT_FALSE(key.has_value()) << cost.passes << " " << cost.memory_bytes;
    EXPECT_NE(key.what().find("absurd"), std::string::npos);
  }
}

TEST_P(AnySuite, DerivesOtherKeysForOtherNumbersContextsAndSizes) {
  const Secret key = suite.random_secret();
  const Secret one = suite.derive(key, "pstrnsql", 1, 32);
  EXPECT_TRUE(one.equals(suite.derive(key, "pstrnsql", 1, 32).bytes()));
  EXPECT_FALSE(one.equals(suite.derive(key, "pstrnsql", 2, 32).bytes()));
  EXPECT_FALSE(one.equals(suite.derive(key, "pstrnkr1", 1, 32).bytes()));
  EXPECT_FALSE(one.equals(suite.derive(key, "pstrnsql", 1, 48).bytes().first(32)));
}

TEST(Profiles, HaveFrozenNumbersAndNames) {
  EXPECT_EQ(profile_of(std::uint8_t{1}), Profile::modern);
  EXPECT_EQ(profile_of(std::uint8_t{2}), Profile::fips);
  EXPECT_EQ(profile_of(std::uint8_t{0}), std::nullopt);
  EXPECT_EQ(profile_of(std::uint8_t{3}), std::nullopt);
  EXPECT_EQ(profile_of("fips"), Profile::fips);
  EXPECT_EQ(profile_of("FIPS"), std::nullopt);
}

}  // namespace
}  // namespace postern
