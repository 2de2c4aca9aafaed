// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/phone/phone.hpp"

#include <gtest/gtest.h>

#include <string>

namespace postern::phone {
namespace {

std::string digits(Normaliser& numbers, std::string_view text, Need need = Need::mobile, std::string_view region = {}) {
  const auto number = numbers.normalise(text, need, region);
  return number ? number->digits : std::string(code_of(number.error()));
}

TEST(Normaliser, ReadsInternationalNumbers) {
  Normaliser numbers("");
  for (const std::string_view text :
       {"+380671234567", "+380 67 123 45 67", "+380 (67) 123-45-67", "+380.67.123.45.67", "  +380671234567 "})
    EXPECT_EQ(digits(numbers, text), "380671234567") << text;
  EXPECT_EQ(digits(numbers, "+48500100200"), "48500100200");
  EXPECT_EQ(digits(numbers, "+4915112345678"), "4915112345678");
}

TEST(Normaliser, ReadsNationalNumbersOfTheDefaultRegion) {
  Normaliser ukraine("UA");
  EXPECT_EQ(digits(ukraine, "067 123 45 67"), "380671234567");
  EXPECT_EQ(digits(ukraine, "0671234567"), "380671234567");
  EXPECT_EQ(digits(ukraine, "380671234567"), "380671234567") << "the country's own code in front";
  EXPECT_EQ(digits(ukraine, "00380671234567"), "380671234567") << "the region's international prefix";
  Normaliser poland("PL");
  EXPECT_EQ(digits(poland, "500 100 200"), "48500100200");
  EXPECT_EQ(digits(poland, "067 123 45 67", Need::mobile, "UA"), "380671234567") << "a region given for one number";
}

TEST(Normaliser, WithoutARegionDigitsAreE164) {
  Normaliser numbers("");
  EXPECT_EQ(digits(numbers, "380671234567"), "380671234567");
  EXPECT_EQ(digits(numbers, "0671234567"), "phone-impossible");
}

TEST(Normaliser, TellsRegionAndKind) {
  Normaliser numbers("UA");
  const auto mobile = numbers.normalise("+380671234567", Need::any);
  ASSERT_TRUE(mobile);
  EXPECT_EQ(mobile->region, "UA");
  EXPECT_EQ(mobile->kind, Kind::mobile);
  EXPECT_TRUE(mobile->in_plan);
  const auto fixed = numbers.normalise("+49 30 901820", Need::any);
  ASSERT_TRUE(fixed);
  EXPECT_EQ(fixed->region, "DE");
  EXPECT_EQ(fixed->kind, Kind::fixed);
  const auto american = numbers.normalise("+1 212 555 0123", Need::mobile);
  ASSERT_TRUE(american) << "fixed and mobile share ranges there";
  EXPECT_EQ(american->kind, Kind::unknown);
}

TEST(Normaliser, RefusesAFixedLineOnlyWhereAMobileIsNeeded) {
  Normaliser numbers("");
  EXPECT_EQ(digits(numbers, "+49 30 901820", Need::mobile), "phone-fixed-line");
  EXPECT_EQ(digits(numbers, "+49 30 901820", Need::any), "4930901820");
  EXPECT_EQ(digits(numbers, "+49 30 901820", Need::mobile), "phone-fixed-line") << "also when it is known already";
}

TEST(Normaliser, RefusesNumbersThatChargeTheirCallers) {
  Normaliser numbers("");
  EXPECT_EQ(digits(numbers, "+48 701 234 567", Need::any), "phone-premium");
  EXPECT_EQ(digits(numbers, "+49 800 1234567", Need::any), "phone-premium");
}

TEST(Normaliser, RefusesWhatIsNoNumber) {
  Normaliser numbers("UA");
  for (const std::string_view text :
       {"", "+", "   ", "abc", "+38067ABC4567", "1-800-FLOWERS", "+380671234567 ext. 5", "+380671234567;1",
        "tel:+380671234567", "++380671234567", "380+671234567", "067\t1234567", "+3806712345\xd9\xa6\xd9\xa7",
        "\xef\xbc\x8b"
        "380671234567",
        "+380671234567\n", "anna@bank.example"})
    EXPECT_EQ(digits(numbers, text), "phone-malformed") << text;
  EXPECT_EQ(digits(numbers, "+" + std::string(100, '1')), "phone-malformed");
}

TEST(Normaliser, RefusesImpossibleLengthsAndCountries) {
  Normaliser numbers("UA");
  for (const std::string_view text :
       {"+38067123", "+38067123456789", "123", "+999123456789", "+0123456789", "102", "12345678901234567890"})
    EXPECT_EQ(digits(numbers, text), "phone-impossible") << text;
}

TEST(Normaliser, ANumberNewerThanThePlanPassesWithAFlag) {
  Normaliser numbers("");
  // Possible by its length, in no range of the Ukrainian plan.
  const auto number = numbers.normalise("+380211234567", Need::mobile);
  ASSERT_TRUE(number);
  EXPECT_FALSE(number->in_plan);
  EXPECT_EQ(number->digits, "380211234567");
}

TEST(Normaliser, TheCacheChangesNoResult) {
  Normaliser numbers("UA", 64);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(digits(numbers, "067 123 45 67"), "380671234567");
    EXPECT_EQ(digits(numbers, "067-123-45-67"), "380671234567");
    EXPECT_EQ(digits(numbers, "+380671234567"), "380671234567");
    EXPECT_EQ(digits(numbers, "500100200", Need::mobile, "PL"), "48500100200") << "the region is part of the question";
    EXPECT_EQ(digits(numbers, "+3800671234567"), "380671234567") << "a trunk zero after the country code";
    EXPECT_EQ(digits(numbers, "+38067123"), "phone-impossible");
    EXPECT_EQ(digits(numbers, "+39 06 69812345", Need::any), "390669812345") << "Italy keeps its zero";
  }
  EXPECT_GE(numbers.cache_hits(), 12U);
}

TEST(Normaliser, TheCacheStaysBoundedAndRight) {
  Normaliser numbers("", 128);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 2000; ++i) {
      const std::string wanted = "38067" + std::to_string(1'000'000 + i);
      ASSERT_EQ(digits(numbers, "+" + wanted), wanted);
    }
  }
}

TEST(Normaliser, KnowsRegions) {
  EXPECT_TRUE(Normaliser::known_region("UA"));
  EXPECT_FALSE(Normaliser::known_region("ua"));
  EXPECT_FALSE(Normaliser::known_region("XX"));
  EXPECT_FALSE(Normaliser::known_region(""));
}

}  // namespace
}  // namespace postern::phone
