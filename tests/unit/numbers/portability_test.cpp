// SPDX-License-Identifier: Apache-2.0
#include "gateway/numbers/portability.hpp"

#include <gtest/gtest.h>

#include "crypto/bytes.hpp"
#include "gateway/numbers/number.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::numbers {
namespace {

constexpr const char* kHeader = "kind,number,network,date\n";

class Numbers : public testing::Test {
 protected:
  Result<IndexFacts> import(const std::string& csv) {
    write_all(folder / "t.csv", csv);
    return import_csv(folder / "t.csv", index);
  }
  std::string refused(const std::string& rows) {
    const Result<IndexFacts> facts = import(kHeader + rows);
    return facts ? "accepted" : facts.what();
  }
  std::string find(const std::string& number) {
    const auto opened = PortabilityIndex::open(index);
    if (!opened) return "refused: " + opened.what();
    const std::optional<Network> network = (*opened)->find(number);
    if (!network) return "none";
    return network->current + (network->ported ? " ported from " + network->original : "");
  }
  TempFolder folder;
  std::string index = folder / "numbers.idx";
};

const std::string kGood = std::string(kHeader) +
                          "range,38067,25503,\nrange,380671,25599,\nrange,38050,25501,\nrange,1,00101,\n"
                          "ported,380671234567,25501,2026-05-02\nported,380501111111,25506,\nported,79991234567,25002,2020-01-01\n";

TEST_F(Numbers, AreFoundByRangeLongestPrefixAndPorting) {
  const Result<IndexFacts> facts = import(kGood);
  ASSERT_TRUE(facts.has_value()) << facts.what();
  EXPECT_EQ(facts->ranges, 4U);
  EXPECT_EQ(facts->ported, 3U);
  EXPECT_EQ(facts->networks, 6U);
  EXPECT_EQ(facts->sha256.size(), 64U);
  EXPECT_EQ(find("380672222222"), "25503");
  EXPECT_EQ(find("380671999999"), "25599") << "the longest prefix";
  EXPECT_EQ(find("380671234567"), "25501 ported from 25599");
  EXPECT_EQ(find("380501111111"), "25506 ported from 25501");
  EXPECT_EQ(find("380501111112"), "25501");
  EXPECT_EQ(find("79991234567"), "25002 ported from ");
  EXPECT_EQ(find("12025550123"), "00101") << "leading zeros of a network stand";
  EXPECT_EQ(find("48500100200"), "none");
  for (const char* odd : {"", "38067", "+380672222222", "0380672222222", "38067222222x", "3806722222222222222"}) EXPECT_EQ(find(odd), "none") << odd;
}

TEST_F(Numbers, NeighboursOfAPortedNumberAreNot) {
  ASSERT_TRUE(import(kGood).has_value());
  EXPECT_EQ(find("380671234566"), "25599");
  EXPECT_EQ(find("380671234568"), "25599");
}

TEST_F(Numbers, ABomCarriageReturnsCommentsAndNoLastNewlineAreTaken) {
  const Result<IndexFacts> facts = import("\xef\xbb\xbfkind,number,network,date\r\n# a comment\r\n\r\nrange,38067,25503,\r\nported,380671234567,25501,2026-05-02");
  ASSERT_TRUE(facts.has_value()) << facts.what();
  EXPECT_EQ(facts->ranges + facts->ported, 2U);
  EXPECT_EQ(find("380671234567"), "25501 ported from 25503");
}

TEST_F(Numbers, OfTheSameNumberTheLaterDateHolds) {
  ASSERT_TRUE(import(std::string(kHeader) + "ported,380671234567,25501,2026-05-02\nported,380671234567,25506,2025-01-01\nported,380671234567,25503,2026-05-01\n").has_value());
  EXPECT_EQ(find("380671234567"), "25501 ported from ");
  ASSERT_TRUE(import(std::string(kHeader) + "ported,380671234567,25501,\nported,380671234567,25506,2025-01-01\n").has_value());
  EXPECT_EQ(find("380671234567"), "25506 ported from ") << "a date is later than none";
}

TEST_F(Numbers, EachFaultHasItsLine) {
  const std::pair<const char*, const char*> faults[] = {
      {"range,38067,25503,\nrange,x,25503,\n", "line 3: a range is 1 to 15 digits"},
      {"range,,25503,\n", "line 2: a range"},
      {"range,038,25503,\n", "line 2: a range"},
      {"range,1234567890123456,25503,\n", "line 2: a range"},
      {"range,38067,2550,\n", "line 2: network must be 5 or 6 digits"},
      {"range,38067,2550300,\n", "line 2: network must be 5 or 6 digits"},
      {"range,38067,25x03,\n", "line 2: network must be 5 or 6 digits"},
      {"ported,+380671234567,25503,\n", "line 2: number must be 7 to 15 digits"},
      {"ported,123456,25503,\n", "line 2: number must be 7 to 15 digits"},
      {"ported,380671234567,25503,02.05.2026\n", "line 2: date must look like"},
      {"ported,380671234567,25503,2026-13-01\n", "line 2: date must look like"},
      {"ported,380671234567,25503,2026-00-01\n", "line 2: date must look like"},
      {"ported,380671234567,25503,2026-01-32\n", "line 2: date must look like"},
      {"block,38067,25503,\n", "line 2: kind must be"},
      {"range,38067\n", "line 2: must have 4 fields"},
      {"range,38067,25503,,\n", "line 2: has more than 4 fields"},
      {"range,38067,25503,\nrange,38067,25501,\n", "line 3: gives range 38067 a second network"},
      {"ported,380671234567,25501,2026-05-02\nported,380671234567,25506,2026-05-02\n", "for the same number and date"},
  };
  for (const auto& [rows, wanted] : faults) {
    const std::string said = refused(rows);
    EXPECT_NE(said.find(wanted), std::string::npos) << rows << " -> " << said;
    EXPECT_NE(said.find("nothing was imported"), std::string::npos);
  }
  EXPECT_NE(refused(std::string(300, '1') + "\n").find("line 2: is longer than 256"), std::string::npos);
}

TEST_F(Numbers, AWrongHeaderAndAnEmptyFileAreRefused) {
  EXPECT_FALSE(import("").has_value());
  EXPECT_FALSE(import("kind,number,network\nrange,38067,25503\n").has_value());
  EXPECT_FALSE(import("range,38067,25503,\n").has_value());
  EXPECT_FALSE(import(kHeader).has_value()) << "an empty table would forget every network";
  EXPECT_FALSE(import_csv(folder / "none.csv", index).has_value());
}

TEST_F(Numbers, OneBadLineRefusesTheWholeFileAndKeepsTheOldIndex) {
  ASSERT_TRUE(import(kGood).has_value());
  const Bytes before = read_all(index);
  EXPECT_NE(refused("range,38067,25503,\nrange,x,25503,\n"), "accepted");
  EXPECT_EQ(read_all(index), before);
}

TEST_F(Numbers, OfManyFaultsTheFirstTwentyAreNamedAndTheRestCounted) {
  std::string rows;
  for (int i = 0; i < 50; ++i) rows += "range,x,25503,\n";
  const std::string said = refused(rows);
  EXPECT_NE(said.find("50 bad lines"), std::string::npos);
  EXPECT_NE(said.find("\nline 21:"), std::string::npos);
  EXPECT_EQ(said.find("\nline 22:"), std::string::npos);
  EXPECT_NE(said.find("and 30 more"), std::string::npos);
}

TEST_F(Numbers, ManyAreFoundEach) {
  std::string csv = kHeader;
  for (int i = 0; i < 20'000; ++i) csv += "ported,38067" + std::to_string(1'000'000 + i * 7) + "," + (i % 2 == 0 ? "25501" : "25506") + ",\n";
  ASSERT_TRUE(import(csv).has_value());
  const auto opened = PortabilityIndex::open(index);
  ASSERT_TRUE(opened.has_value());
  for (int i = 0; i < 20'000; ++i) {
    const auto network = (*opened)->find("38067" + std::to_string(1'000'000 + i * 7));
    ASSERT_TRUE(network.has_value()) << i;
    EXPECT_EQ(network->current, i % 2 == 0 ? "25501" : "25506");
    EXPECT_FALSE((*opened)->find("38067" + std::to_string(1'000'000 + i * 7 + 1)).has_value());
  }
}

TEST_F(Numbers, ADamagedIndexIsRefusedAtEveryTruncation) {
  ASSERT_TRUE(import(kGood).has_value());
  const Bytes good = read_all(index);
  for (std::size_t size = 0; size < good.size(); ++size) {
    write_all(index, ByteView(good).first(size));
    EXPECT_FALSE(PortabilityIndex::open(index).has_value()) << size;
  }
  Bytes longer = good;
  longer.insert(longer.end(), 8, 0);
  write_all(index, ByteView(longer));
  EXPECT_FALSE(PortabilityIndex::open(index).has_value());
}

TEST_F(Numbers, ADamagedIndexIsRefusedAtEveryFlippedBit) {
  ASSERT_TRUE(import(kGood).has_value());
  const Bytes good = read_all(index);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      write_all(index, ByteView(bad));
      EXPECT_FALSE(PortabilityIndex::open(index).has_value()) << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(Numbers, AnIndexThatIsMissingOrALinkIsRefused) {
  EXPECT_FALSE(PortabilityIndex::open(index).has_value());
  ASSERT_TRUE(import(kGood).has_value());
  std::filesystem::create_symlink(index, folder / "link");
  EXPECT_FALSE(PortabilityIndex::open(folder / "link").has_value());
  EXPECT_FALSE(PortabilityIndex::open(folder.path()).has_value());
}

TEST(E164, IsSevenToFifteenDigitsWithoutALeadingZero) {
  for (const char* good : {"1234567", "380671234567", "123456789012345"}) EXPECT_TRUE(is_e164(good)) << good;
  for (const char* bad : {"", "123456", "1234567890123456", "0671234567", "+380671234567", "38067 234567", "abc4567"}) EXPECT_FALSE(is_e164(bad)) << bad;
}

}  // namespace
}  // namespace postern::numbers
