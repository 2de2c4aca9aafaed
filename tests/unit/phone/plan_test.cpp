// SPDX-License-Identifier: Apache-2.0
// A number in E.164 is read without libphonenumber's Parse() where that can find nothing else in it: held against Parse() over numbers
// of every region and type, valid ones and ones with a digit more, less or another.
#include <gtest/gtest.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <phonenumbers/phonenumberutil.h>
#pragma GCC diagnostic pop

#include <random>
#include <set>
#include <string>

#include "connectors/sources/phone/phone.hpp"

namespace postern::phone {
namespace {

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

// What Parse() makes of it: digits, region and whether it is in the plan; or nothing.
std::string by_parse(const std::string& text) {
  const PhoneNumberUtil& plan = *PhoneNumberUtil::GetInstance();
  PhoneNumber number;
  if (plan.Parse(text, "ZZ", &number) != PhoneNumberUtil::NO_PARSING_ERROR) return "refused";
  if (plan.IsPossibleNumberWithReason(number) != PhoneNumberUtil::IS_POSSIBLE) return "refused";
  std::string digits, region;
  plan.Format(number, PhoneNumberUtil::E164, &digits);
  if (digits.size() < 8 || digits.size() > 16) return "refused";
  plan.GetRegionCodeForNumber(number, &region);
  const bool in_plan = plan.IsValidNumber(number);
  return digits + (in_plan && region.size() == 2 ? " " + region : " ") + (in_plan ? "" : "?");
}

std::string by_us(Normaliser& numbers, const std::string& text) {
  const auto number = numbers.normalise(text, Need::any);
  if (!number) return number.error() == Refusal::premium ? "premium" : "refused";
  return "+" + number->digits + " " + number->region + (number->in_plan ? "" : "?");
}

TEST(Plan, ANumberInE164IsReadAsParseReadsIt) {
  const PhoneNumberUtil& plan = *PhoneNumberUtil::GetInstance();
  std::mt19937 random(1);   // NOLINT: the same numbers each time
  std::set<std::string> regions;
  plan.GetSupportedRegions(&regions);
  std::size_t seen = 0;
  Normaliser numbers("", 64);
  for (const std::string& region : regions) {
    std::set<PhoneNumberUtil::PhoneNumberType> types;
    plan.GetSupportedTypesForRegion(region, &types);
    for (const PhoneNumberUtil::PhoneNumberType type : types) {
      PhoneNumber example;
      if (!plan.GetExampleNumberForType(region, type, &example)) continue;
      std::string text;
      plan.Format(example, PhoneNumberUtil::E164, &text);
      for (int i = 0; i < 24; ++i) {
        std::string varied = text;
        // Other last digits, and one or two other ones anywhere behind the country's code; then one digit more or less.
        for (std::size_t k = 0; k < 4; ++k) varied[varied.size() - 1 - k] = static_cast<char>('0' + random() % 10);
        for (auto k = random() % 3; k > 0; --k) varied[2 + random() % (varied.size() - 2)] = static_cast<char>('0' + random() % 10);
        if (i % 8 == 6) varied.push_back(static_cast<char>('0' + random() % 10));
        if (i % 8 == 7) varied.pop_back();
        const std::string ours = by_us(numbers, varied);
        if (ours == "premium") continue;
        ASSERT_EQ(ours, by_parse(varied)) << varied << " of " << region;
        ++seen;
      }
    }
  }
  EXPECT_GT(seen, 10'000U);
}

}  // namespace
}  // namespace postern::phone
