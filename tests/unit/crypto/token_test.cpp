// SPDX-License-Identifier: Apache-2.0
// A PKCS#11 token in software: SoftHSM. Skipped where it is not installed (tests/run installs it).
#include "crypto/token.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/temp_folder.hpp"

namespace postern::token {
namespace {

std::string module_path() {
  for (const char* path : {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"})
    if (std::filesystem::exists(path)) return path;
  return "";
}

class Token : public testing::Test {
 protected:
  void SetUp() override {
    if (place.module.empty()) GTEST_SKIP() << "SoftHSM is not installed (admin/packages test)";
    std::filesystem::create_directory(folder / "tokens");
    write_all(folder / "softhsm2.conf", "directories.tokendir = " + (folder / "tokens") + "\nobjectstore.backend = file\nlog.level = ERROR\n");
    setenv("SOFTHSM2_CONF", (folder / "softhsm2.conf").c_str(), 1);
    init("postern");
  }
  void init(const std::string& label) {
    ASSERT_EQ(std::system(("softhsm2-util --init-token --free --label " + label + " --so-pin 87654321 --pin 1234 > /dev/null").c_str()), 0);
  }
  TempFolder folder;
  Place place{module_path(), "postern", "keyring"};
  const Secret pin{std::string_view("1234")};
  const Secret secret = Secret::random(kKeySize);
};

TEST_F(Token, GivesASlotsSecretBackByItsAesKey) {
  const Status made = make_key(place, pin);
  ASSERT_TRUE(made.has_value()) << made.what();
  const Result<TokenFacts> facts = encrypt(place, pin, secret);
  ASSERT_TRUE(facts.has_value()) << facts.what();
  EXPECT_EQ(facts->mechanism, static_cast<std::uint8_t>(Mechanism::aes_gcm));
  EXPECT_EQ(facts->token, "postern");
  EXPECT_FALSE(facts->serial.empty());
  const Result<Secret> back = decrypt(place.module, *facts, pin);
  ASSERT_TRUE(back.has_value()) << back.what();
  EXPECT_TRUE(back->equals(secret.bytes()));
  EXPECT_NE(encrypt(place, pin, secret)->encrypted, facts->encrypted);
}

TEST_F(Token, RefusesEveryFlippedBitOfWhatItEncrypted) {
  ASSERT_TRUE(make_key(place, pin).has_value());
  const Result<TokenFacts> facts = encrypt(place, pin, secret);
  ASSERT_TRUE(facts.has_value());
  for (std::size_t bit = 0; bit < facts->encrypted.size() * 8; bit += 5) {
    TokenFacts bad = *facts;
    bad.encrypted[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(decrypt(place.module, bad, pin).has_value()) << bit;
  }
  TokenFacts bad = *facts;
  bad.encrypted.resize(10);
  EXPECT_FALSE(decrypt(place.module, bad, pin).has_value());
  bad = *facts;
  bad.mechanism = 9;
  EXPECT_FALSE(decrypt(place.module, bad, pin).has_value());
}

TEST_F(Token, SaysWhenThePinIsWrong) {
  ASSERT_TRUE(make_key(place, pin).has_value());
  const Result<TokenFacts> facts = encrypt(place, pin, secret);
  ASSERT_TRUE(facts.has_value());
  const Result<Secret> back = decrypt(place.module, *facts, Secret(std::string_view("4321")));
  ASSERT_FALSE(back.has_value());
  EXPECT_NE(back.what().find("PIN is wrong"), std::string::npos) << back.what();
  EXPECT_EQ(back.what().find("4321"), std::string::npos);
  EXPECT_TRUE(decrypt(place.module, *facts, pin).has_value()) << "one wrong PIN spoils nothing";
}

TEST_F(Token, SaysWhatIsMissing) {
  EXPECT_NE(encrypt(place, pin, secret).what().find("no RSA or AES key 'keyring'"), std::string::npos);
  ASSERT_TRUE(make_key(place, pin).has_value());
  EXPECT_NE(make_key(place, pin).what().find("already"), std::string::npos);
  EXPECT_NE(encrypt({place.module, "other", "keyring"}, pin, secret).what().find("sees no token 'other'"), std::string::npos);
  EXPECT_NE(encrypt({"/nowhere.so", "postern", "keyring"}, pin, secret).what().find("cannot be loaded"), std::string::npos);
  EXPECT_NE(encrypt({"libsofthsm2.so", "postern", "keyring"}, pin, secret).what().find("whole path"), std::string::npos);
  TokenFacts facts = *encrypt(place, pin, secret);
  facts.serial = "0000";
  EXPECT_NE(decrypt(place.module, facts, pin).what().find("not the one of this slot"), std::string::npos);
}

TEST_F(Token, OfAnotherMakingDoesNotDecrypt) {
  ASSERT_TRUE(make_key(place, pin).has_value());
  TokenFacts facts = *encrypt(place, pin, secret);
  init("second");
  const Place second{place.module, "second", "keyring"};
  ASSERT_TRUE(make_key(second, pin).has_value());
  const TokenFacts theirs = *encrypt(second, pin, secret);
  facts.token = theirs.token;
  facts.serial = theirs.serial;
  EXPECT_FALSE(decrypt(place.module, facts, pin).has_value());
}

TEST_F(Token, WorksWithAnRsaKeyThatStaysOnIt) {
  // SoftHSM imports the pair as sensitive and not extractable.
  ASSERT_EQ(std::system(("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out " + (folder / "rsa.pem") + " 2> /dev/null && softhsm2-util --import " +
                         (folder / "rsa.pem") + " --token postern --label pair --id 01 --pin 1234 > /dev/null").c_str()), 0);
  const Result<TokenFacts> facts = encrypt({place.module, "postern", "pair"}, pin, secret);
  ASSERT_TRUE(facts.has_value()) << facts.what();
  EXPECT_NE(facts->mechanism, static_cast<std::uint8_t>(Mechanism::aes_gcm));
  const Result<Secret> back = decrypt(place.module, *facts, pin);
  ASSERT_TRUE(back.has_value()) << back.what();
  EXPECT_TRUE(back->equals(secret.bytes()));
}

}  // namespace
}  // namespace postern::token
