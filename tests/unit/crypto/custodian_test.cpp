// SPDX-License-Identifier: Apache-2.0
#include "crypto/custodian.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

class CustodianFile : public testing::TestWithParam<Profile> {
 protected:
  PassphraseCost cost = GetParam() == Profile::fips ? PassphraseCost{1000, 0} : PassphraseCost{1, 8192};
  const Secret phrase{std::string_view("a custodian's words")};
  TempFolder folder;
  std::string path = folder / "alice.key";
};
INSTANTIATE_TEST_SUITE_P(Profiles, CustodianFile, testing::Values(Profile::modern, Profile::fips), [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(CustodianFile, OpensWithItsPassphraseAndOpensBoxes) {
  const Result<CustodianPublic> made = make_custodian(path, GetParam(), phrase, 1, cost);
  ASSERT_TRUE(made.has_value()) << made.what();
  EXPECT_EQ(made->profile, GetParam());
  const Result<CustodianKey> key = open_custodian(path, phrase);
  ASSERT_TRUE(key.has_value()) << key.what();
  EXPECT_EQ(key->key.public_key, made->public_key);
  EXPECT_EQ(read_custodian(path)->public_key, made->public_key);
  const Bytes plain(32, 9);
  const Result<Bytes> boxed = Suite::of(GetParam()).box(made->public_key, plain);
  Bytes out(32);
  ASSERT_TRUE(boxed.has_value());
  EXPECT_TRUE(Suite::of(GetParam()).unbox(key->key, *boxed, out));
  EXPECT_EQ(out, plain);
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_P(CustodianFile, IsRefusedWithAWrongPassphraseAndAtEveryFlippedBit) {
  ASSERT_TRUE(make_custodian(path, GetParam(), phrase, 1, cost).has_value());
  EXPECT_FALSE(open_custodian(path, Secret(std::string_view("another's words"))).has_value());
  const Bytes good = read_all(path);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    write_all(path, ByteView(bad));
    EXPECT_FALSE(open_custodian(path, phrase).has_value()) << bit;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    write_all(path, ByteView(good).first(size));
    EXPECT_FALSE(open_custodian(path, phrase).has_value()) << size;
  }
}

TEST_P(CustodianFile, IsNeverWrittenOver) {
  ASSERT_TRUE(make_custodian(path, GetParam(), phrase, 1, cost).has_value());
  const Bytes before = read_all(path);
  EXPECT_FALSE(make_custodian(path, GetParam(), phrase, 1, cost).has_value());
  EXPECT_EQ(read_all(path), before);
  EXPECT_FALSE(make_custodian(folder / "none" + "/x", GetParam(), phrase, 1, cost).has_value());
  EXPECT_FALSE(make_custodian(folder / "weak", GetParam(), Secret(std::string_view("short")), 1, cost).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "weak"));
}

TEST_P(CustodianFile, GivesAPublicKeyThatReadsBack) {
  const CustodianPublic key{GetParam(), Suite::of(GetParam()).new_box_key().public_key};
  const Result<CustodianPublic> back = parse_custodian(custodian_text(key));
  ASSERT_TRUE(back.has_value()) << back.what();
  EXPECT_EQ(back->profile, key.profile);
  EXPECT_EQ(back->public_key, key.public_key);
}

TEST(CustodianText, ThatIsNoneIsRefused) {
  for (const char* text : {"", "postern-custodian-", "postern-custodian-modern:", "postern-custodian-modern:AAAA", "postern-custodian-other:AAAA", "AAAA",
                           "postern-custodian-modern:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
    EXPECT_FALSE(parse_custodian(text).has_value()) << text;
}

}  // namespace
}  // namespace postern
