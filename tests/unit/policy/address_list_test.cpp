// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/address_list.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>
#include <unordered_set>

namespace postern::policy {
namespace {

AddressList list(std::string_view text) {
  Result<AddressList> loaded = AddressList::load(text);
  if (!loaded) ADD_FAILURE() << loaded.what();
  return std::move(*loaded);
}

// The line that matches, 0 for none.
std::uint32_t line(std::string_view text, std::string_view address) { return list(text).find(address).value_or(0); }

TEST(AddressList, AnEmptyOneMatchesNothing) {
  EXPECT_EQ(AddressList().find("380671234567"), std::nullopt);
  for (const char* text : {"", "\n\n", "# comment\n  # another", "\xef\xbb\xbf# with a mark"}) {
    EXPECT_EQ(line(text, "380671234567"), 0U);
    EXPECT_EQ(list(text).size(), 0U);
  }
}

TEST(AddressList, ExactNumbersWithOrWithoutPlus) {
  for (const char* entry : {"+380671234567", "380671234567", "  +380671234567\t # the mayor\r\n"}) {
    EXPECT_EQ(line(entry, "380671234567"), 1U);
    EXPECT_EQ(line(entry, "+380671234567"), 1U);
    for (const char* other : {"380671234568", "38067123456", "3806712345670", "", "+", "671234567", "0380671234567"})
      EXPECT_EQ(line(entry, other), 0U) << other;
  }
}

TEST(AddressList, APrefixMatchesAllThatBeginSo) {
  EXPECT_EQ(line("+38067*", "380671234567"), 1U);
  EXPECT_EQ(line("+38067*", "38067"), 1U);
  EXPECT_EQ(line("+38067*", "380681234567"), 0U);
  EXPECT_EQ(line("+38067*", "3806"), 0U);
  EXPECT_EQ(line("7*", "79161234567"), 1U);
}

TEST(AddressList, AQuestionMarkIsOneDigit) {
  EXPECT_EQ(line("+38067??00000", "380671200000"), 1U);
  EXPECT_EQ(line("+38067??00000", "380671200001"), 0U);
  EXPECT_EQ(line("+38067??00000", "3806712000000"), 0U);
  EXPECT_EQ(line("+38067??00000", "38067120000"), 0U);
  EXPECT_EQ(line("+380??1*", "380671234567"), 1U);
  EXPECT_EQ(line("+380??1*", "380672234567"), 0U);
}

TEST(AddressList, ARangeHoldsBothItsEnds) {
  const char* text = "+380670000000-+380670099999";
  EXPECT_EQ(line(text, "380670000000"), 1U);
  EXPECT_EQ(line(text, "380670099999"), 1U);
  EXPECT_EQ(line(text, "380670050000"), 1U);
  EXPECT_EQ(line(text, "380670100000"), 0U);
  EXPECT_EQ(line(text, "380669999999"), 0U);
  EXPECT_EQ(line(text, "3806700000000"), 0U);
  EXPECT_EQ(line("380670000000-380670000000", "380670000000"), 1U);
}

TEST(AddressList, EmailAddressesInAnyCase) {
  EXPECT_EQ(line("Anna@Bank.example", "anna@bank.EXAMPLE"), 1U);
  EXPECT_EQ(line("anna@bank.example", "hanna@bank.example"), 0U);
  EXPECT_EQ(line("*@bank.example", "anyone@BANK.example"), 1U);
  EXPECT_EQ(line("*@bank.example", "anyone@mail.bank.example"), 0U);
  EXPECT_EQ(line("*@bank.example", "anyone@notbank.example"), 0U);
  EXPECT_EQ(line("a#b@bank.example # a comment", "a#b@bank.example"), 1U);
  EXPECT_EQ(line("*@bank.example", "\"a@evil.example\"@bank.example"), 1U);
}

TEST(AddressList, TheFirstLineThatMatchesIsTold) {
  const char* text = "# head\n+38067*\n+380671234567\n+380670000000-+380679999999\n+38067???????\n*@bank.example\nanna@bank.example\nanna@bank.example\n";
  EXPECT_EQ(line(text, "380671234567"), 2U);
  EXPECT_EQ(line(text, "anna@bank.example"), 6U);
  EXPECT_EQ(list(text).size(), 7U);
  EXPECT_EQ(line("+380671234567\n+38067*", "380671234567"), 1U);
  EXPECT_EQ(line("+38067???????\n+38067*", "380671234567"), 1U);
  EXPECT_EQ(line("+380671234567\n+380671234567", "380671234567"), 1U);
}

TEST(AddressList, OverlappingRangesTellTheFirstLineEverywhere) {
  const char* text = "10000000-10000099\n10000050-10000199\n10000000-10000299\n10000100-10000100\n";
  for (const auto& [number, expected] : {std::pair{"10000000", 1U}, {"10000050", 1U}, {"10000099", 1U}, {"10000100", 2U}, {"10000199", 2U},
                                         {"10000200", 3U}, {"10000299", 3U}, {"10000300", 0U}})
    EXPECT_EQ(line(text, number), expected) << number;
}

TEST(AddressList, EachFaultIsToldWithLineAndColumn) {
  const std::pair<const char*, const char*> faults[] = {
      {"0671234567", "line 1, column 1: a number begins with its country's code"},
      {"+0671234567", "line 1, column 2: a number begins with its country's code"},
      {"\n  +38067123456x", "line 2, column 15: a number is digits alone"},
      {"+380 671234567", "line 1, column 5: an entry holds no spaces"},
      {"+123456", "line 1, column 1: a number has 7 to 15 digits"},
      {"+1234567890123456", "line 1, column 1: a number has 7 to 15 digits"},
      {"+380*67", "line 1, column 5: * stands at the end"},
      {"+38067**", "line 1, column 7: * stands at the end"},
      {"*", "line 1, column 1: a pattern begins with a digit"},
      {"+*", "line 1, column 2: a pattern begins with a digit"},
      {"?80671234567", "line 1, column 1: a pattern begins with a digit"},
      {"+380a*", "line 1, column 5: a pattern of numbers is digits"},
      {"+067*", "line 1, column 2: a number begins with its country's code"},
      {"+38067?", "line 1, column 1: a number has 7 to 15 digits"},
      {"+380670000000-+38067009999", "line 1, column 15: both ends of a range have as many digits"},
      {"+380670099999-+380670000000", "line 1, column 15: a range ends at a number that is not below"},
      {"+380670000000-", "line 1, column 15: a number has 7 to 15 digits"},
      {"+380670000000-+38067x099999", "line 1, column 21: a number is digits alone"},
      {"@bank.example", "line 1, column 1: before the @ a name must stand"},
      {"an*@bank.example", "line 1, column 3: in an e-mail address * stands for the whole"},
      {"ann?@bank.example", "line 1, column 4: in an e-mail address * stands for the whole"},
      {"anna@", "line 1, column 6: after the @ a domain must follow"},
      {"anna@bank..example", "line 1, column 11: a domain is names"},
      {"anna@bank.example.", "line 1, column 18: a domain is names"},
      {"*@*.example", "line 1, column 3: a domain is letters"},
      {"anna@bank@example", "line 1, column 10: a domain is letters"},
      {"anna@b\xd0\xb0nk.example", "line 1, column 7: an entry holds no spaces and no letters but"},
      {"bank.example", "line 1, column 1: a number is digits alone"},
  };
  for (const auto& [text, reason] : faults) {
    const Result<AddressList> loaded = AddressList::load(text);
    ASSERT_FALSE(loaded.has_value()) << text;
    EXPECT_NE(loaded.what().find(reason), std::string::npos) << text << "\n" << loaded.what();
  }
}

TEST(AddressList, AFaultDoesNotShowTheEntry) {
  const Result<AddressList> loaded = AddressList::load("380509876543x\nhanna??@box.example\n");
  ASSERT_FALSE(loaded.has_value());
  for (const char* own : {"9876", "hanna", "box"}) EXPECT_EQ(loaded.what().find(own), std::string::npos);
}

TEST(AddressList, AllFaultsAreCountedAndTwentyShown) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "bad\n";
  const Result<AddressList> loaded = AddressList::load(text);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_NE(loaded.what().find("50 bad lines"), std::string::npos);
  EXPECT_NE(loaded.what().find("line 20,"), std::string::npos);
  EXPECT_EQ(loaded.what().find("line 21,"), std::string::npos);
  EXPECT_NE(loaded.what().find("and 30 more"), std::string::npos);
  std::string marks;
  for (int i = 0; i < 1001; ++i) marks += "+38067???????\n";
  EXPECT_FALSE(AddressList::load(marks).has_value());
  EXPECT_FALSE(AddressList::load(std::string(321, '1')).has_value());
}

// Against the plainest reading of the same entries.
TEST(AddressList, AgreesWithTryingEveryEntry) {
  std::mt19937 random(3);
  struct Entry {
    std::uint64_t first, last;  // of 8-digit numbers
  };
  for (int round = 0; round < 200; ++round) {
    std::string text;
    std::vector<Entry> entries;
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t a = 10'000'000 + random() % 3000, b = 10'000'000 + random() % 3000, tens = a / 100;
      switch (random() % 4) {
        case 0: entries.push_back({a, a}); text += std::to_string(a) + "\n"; break;
        case 1: entries.push_back({std::min(a, b), std::max(a, b)}); text += std::to_string(std::min(a, b)) + "-" + std::to_string(std::max(a, b)) + "\n"; break;
        case 2: entries.push_back({tens * 100, tens * 100 + 99}); text += std::to_string(tens) + "*\n"; break;
        default: entries.push_back({tens * 100, tens * 100 + 99}); text += std::to_string(tens) + "??\n"; break;
      }
    }
    const AddressList loaded = list(text);
    for (int i = 0; i < 500; ++i) {
      const std::uint64_t number = 10'000'000 + random() % 3100;
      std::uint32_t expected = 0;
      for (std::size_t e = entries.size(); e > 0; --e)
        if (number >= entries[e - 1].first && number <= entries[e - 1].last) expected = static_cast<std::uint32_t>(e);
      ASSERT_EQ(loaded.find(std::to_string(number)).value_or(0), expected) << text << number;
    }
  }
}

TEST(AddressList, WhatItGivesAsAnExampleItHolds) {
  EXPECT_EQ(AddressList().sample(3), "");
  const AddressList loaded = list("+380671234567\n+38067*\n+38068??00000\n+38063??*\n+380670000000-+380670099999\nanna@bank.example\n*@other.example\n");
  std::set<std::string> samples;
  for (std::uint64_t n = 0; n < 100; ++n) {
    samples.insert(loaded.sample(n));
    EXPECT_TRUE(loaded.find(loaded.sample(n))) << loaded.sample(n);
  }
  EXPECT_GE(samples.size(), 7U);
}

TEST(AddressList, AMillionNumbersAreFoundFast) {
  std::string text;
  std::mt19937_64 random(1);
  std::vector<std::string> there;
  for (int i = 0; i < 1'000'000; ++i) {
    const std::string number = std::to_string(380'000'000'000 + random() % 1'000'000'000 * 2);  // even ones
    text += number + "\n";
    if (i % 10 == 0) there.push_back(number);
  }
  const auto begun = std::chrono::steady_clock::now();
  const AddressList loaded = list(text);
  const auto ready = std::chrono::steady_clock::now();
  std::size_t found = 0, false_ones = 0;
  for (const std::string& number : there) {
    found += loaded.find(number) ? 1U : 0U;
    std::string odd = number;
    ++odd.back();
    false_ones += loaded.find(odd) ? 1U : 0U;
  }
  const auto done = std::chrono::steady_clock::now();
  EXPECT_EQ(found, there.size());
  EXPECT_EQ(false_ones, 0U);
  RecordProperty("load_ms", static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(ready - begun).count()));
  const auto look_ups = std::chrono::duration_cast<std::chrono::nanoseconds>(done - ready).count();
  RecordProperty("ns_a_look_up", static_cast<int>(look_ups / static_cast<std::int64_t>(2 * there.size())));
}

}  // namespace
}  // namespace postern::policy
