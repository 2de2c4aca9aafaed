// SPDX-License-Identifier: Apache-2.0
// What conditions mean: each operator of each type, what is not known, precedence, open families, explanations.
#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/policy/made_vocabulary.hpp"

namespace postern::policy {
namespace {

constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

// Everything is known.
Row full() {
  return row({{kCategory, words("marketing")},
              {kAmount, whole(1000)},
              {kCountry, words("DE")},
              {kText, words("Your \"code\" is 12\\34")},
              {kBalance, whole(-7)},
              {kPremium, yes_or_no(true)},
              {kAge, whole(2 * kHour)},
              {kTime, whole(9 * 60 + 30)},
              {kLocale, words("uk-UA")}});
}

void expect_all(const std::vector<std::string>& conditions, const Row& facts, const char* answer) {
  for (const std::string& condition : conditions) EXPECT_EQ(asked(condition, facts), answer) << condition;
}

TEST(Conditions, TheExampleOfTheDocument) {
  const std::string example = "category == \"marketing\" and amount >= 1000 and not (country in [\"UA\", \"PL\"]) and text contains \"code\" and balance is known";
  EXPECT_EQ(asked(example, full()), "yes");
  for (const auto& [index, value] : std::initializer_list<std::pair<std::uint16_t, Value>>{
           {kCategory, words("otp")}, {kAmount, whole(999)}, {kCountry, words("PL")}, {kText, words("cod e")}, {kBalance, {}}}) {
    Row facts = full();
    facts[index] = value;
    EXPECT_EQ(asked(example, facts), "no") << index;
  }
}

TEST(Conditions, OfIntegers) {
  expect_all({"amount == 1000", "amount != 999", "amount < 1001", "amount <= 1000", "amount > 999", "amount >= 1000", "amount in [1, 1000]", "amount not in [1, 2]",
              "balance == -7", "balance<-6", "balance > -9223372036854775808", "amount < 9223372036854775807", "amount == 0001000"},
             full(), "yes");
  expect_all({"amount == 1", "amount != 1000", "amount < 1000", "amount <= 999", "amount > 1000", "amount >= 1001", "amount in [1, 2]", "amount not in [1, 1000]", "balance == 7"},
             full(), "no");
  const Row least = row({{kAmount, whole(std::numeric_limits<std::int64_t>::min())}});
  expect_all({"amount == -9223372036854775808", "amount <= -9223372036854775808", "amount < 0"}, least, "yes");
}

TEST(Conditions, OfTexts) {
  expect_all({"country == \"DE\"", "country != \"UA\"", "country in [\"UA\", \"DE\"]", "country not in [\"UA\"]", "text contains \"\\\"code\\\"\"", "text contains \"12\\\\34\"",
              "text starts with \"Your\"", "text ends with \"34\"", "recipient.locale matches \"uk*\"", "recipient.locale matches \"?k-U?\"", "recipient.locale matches \"*\"",
              "text starts  \n with\t\"Y\""},
             full(), "yes");
  expect_all({"country == \"de\"", "country == \"\"", "country != \"DE\"", "country in [\"UA\"]", "country not in [\"UA\", \"DE\"]", "text contains \"CODE\"",
              "text starts with \"our\"", "text ends with \"3\"", "recipient.locale matches \"uk\"", "recipient.locale matches \"?\"", "recipient.locale matches \"\""},
             full(), "no");
  for (const std::string_view nothing : {std::string_view(""), std::string_view()}) {
    const Row empty = row({{kText, words(nothing)}});
    expect_all({"text == \"\"", "text is known", "text matches \"\"", "text matches \"**\"", "text != \"a\""}, empty, "yes");
    expect_all({"text contains \"a\"", "text matches \"?\"", "text starts with \"a\"", "text ends with \"a\""}, empty, "no");
  }
  EXPECT_EQ(asked("text contains \"\u043a\u043e\u0434\"", row({{kText, words("\u0432\u0430\u0448 \u043a\u043e\u0434 12")}})), "yes");
}

TEST(Conditions, OfDurations) {
  expect_all({"age == 2h", "age == 120m", "age == 7200s", "age != 1h", "age < 3d", "age <= 2h", "age > 119m", "age >= 2h", "age in [1h, 2h]", "age not in [1w]", "age > 0s"}, full(), "yes");
  expect_all({"age == 2m", "age != 2h", "age < 2h", "age <= 119m", "age > 2h", "age >= 1w", "age in [2m]", "age not in [2h]"}, full(), "no");
  EXPECT_EQ(asked("age == 1w and age == 7d", row({{kAge, whole(7 * kDay)}})), "yes");
}

TEST(Conditions, OfTimesOfDay) {
  expect_all({"time == 09:30", "time != 09:31", "time < 10:00", "time <= 09:30", "time > 00:00", "time >= 09:30", "time in [09:30, 23:59]", "time not in [21:30]"}, full(), "yes");
  expect_all({"time == 21:30", "time != 09:30", "time < 09:30", "time <= 09:29", "time > 09:30", "time >= 09:31", "time in [00:00]", "time not in [09:30]"}, full(), "no");
  const Row night = row({{kTime, whole(23 * 60 + 59)}});
  EXPECT_EQ(asked("time >= 22:00 or time < 08:00", night), "yes");
}

TEST(Conditions, OfBooleans) {
  expect_all({"premium", "premium == true", "premium != false", "premium in [true]", "premium not in [false]", "not not premium", "(premium)"}, full(), "yes");
  expect_all({"not premium", "premium == false", "premium != true", "premium in [false]", "premium not in [true, false]"}, full(), "no");
  const Row no = row({{kPremium, yes_or_no(false)}});
  expect_all({"premium", "premium == true", "not premium == false"}, no, "no");
  expect_all({"not premium", "premium == false", "premium is known"}, no, "yes");
}

TEST(Conditions, WhatIsNotKnownMakesEveryComparisonFalse) {
  const std::vector<std::string> comparisons{
      "amount == 5",          "amount != 5",          "amount < 5",          "amount <= 5",           "amount > 5",          "amount >= 5",    "amount in [5]",
      "amount not in [5]",    "country == \"UA\"",    "country != \"UA\"",   "country in [\"UA\"]",   "country not in [\"UA\"]", "text contains \"a\"", "text starts with \"a\"",
      "text ends with \"a\"", "text matches \"*\"",   "premium",             "premium == false",      "premium != true",     "age < 1w",       "age != 1w",
      "time < 23:59",         "time not in [12:00]",  "param.a == \"x\"",    "param.a != 5",          "count.a < 5",         "amount is known", "param.a is known"};
  for (const Row& nothing : {row({}), Row{}}) {
    expect_all(comparisons, nothing, "no");
    for (const std::string& comparison : comparisons) EXPECT_EQ(asked("not (" + comparison + ")", nothing), "yes") << comparison;
    expect_all({"amount is missing", "country is missing", "premium is missing", "age is missing", "time is missing", "param.a is missing"}, nothing, "yes");
  }
  expect_all({"amount is missing", "country is missing", "premium is missing", "age is missing", "time is missing"}, full(), "no");
  expect_all({"amount is known", "country is known", "premium is known", "age is known", "time is known"}, full(), "yes");
}

TEST(Conditions, AValueOfAnotherTypeIsNotKnown) {
  const Row wrong = row({{kAmount, words("1000")}, {kCountry, whole(1)}, {kPremium, whole(1)}, {kAge, yes_or_no(true)}, {kTime, words("09:30")}});
  expect_all({"amount == 1000", "country != \"x\"", "premium", "age > 0s", "time == 09:30", "amount is known"}, wrong, "no");
  expect_all({"amount is missing", "country is missing", "premium is missing", "age is missing", "time is missing"}, wrong, "yes");
}

TEST(Conditions, NotBindsClosestThenAndThenOr) {
  for (int bits = 0; bits < 8; ++bits) {
    const bool a = (bits & 1) != 0, b = (bits & 2) != 0, c = (bits & 4) != 0;
    const Row facts = row({{kPremium, yes_or_no(a)}, {kAmount, whole(b ? 1 : 0)}, {kTime, whole(c ? 1 : 0)}});
    const std::pair<const char*, bool> table[] = {
        {"premium or amount == 1 and time == 00:01", a || (b && c)},
        {"premium and amount == 1 or time == 00:01", (a && b) || c},
        {"(premium or amount == 1) and time == 00:01", (a || b) && c},
        {"not premium and amount == 1", !a && b},
        {"not premium or amount == 1", !a || b},
        {"not (premium or amount == 1) and time == 00:01", !(a || b) && c},
        {"not (premium and not (amount == 1 or not time == 00:01))", !(a && !(b || !c))},
        {"premium or not amount == 1 and time == 00:01", a || (!b && c)},
        {"premium and (amount == 1 or time == 00:01) and not amount == 1", a && (b || c) && !b},
    };
    for (const auto& [condition, expected] : table) EXPECT_EQ(asked(condition, facts), expected ? "yes" : "no") << condition << " with " << bits;
  }
}

TEST(Conditions, AnOpenTextIsReadAsAnIntegerBesideOne) {
  const std::tuple<const char*, const char*, const char*> table[] = {
      {"param.a >= 1000", "1000", "yes"},      {"param.a >= 1000", "999", "no"},          {"param.a == 7", "007", "yes"},      {"param.a == \"7\"", "007", "no"},
      {"param.a == \"007\"", "007", "yes"},    {"param.a < 0", "-5", "yes"},              {"param.a in [5, 6]", "6", "yes"},   {"param.a not in [5, 6]", "7", "yes"},
      {"param.a not in [5, 6]", "x", "no"},    {"param.a in [\"5\", \"x\"]", "x", "yes"}, {"param.a != 5", "many", "no"},      {"param.a is known", "many", "yes"},
      {"param.a >= 0", "12.5", "no"},          {"param.a >= 0", " 12", "no"},             {"param.a >= 0", "12 ", "no"},       {"param.a >= 0", "", "no"},
      {"param.a >= 0", "+12", "no"},           {"param.a >= 0", "-", "no"},               {"param.a >= 0", "0x10", "no"},      {"param.a > 0", "9223372036854775807", "yes"},
      {"param.a > 0", "9223372036854775808", "no"},                                       {"param.a starts with \"1\"", "12", "yes"},
      {"param.a contains \"2\"", "12", "yes"}, {"param.a matches \"?2\"", "12", "yes"},
  };
  for (const auto& [condition, value, answer] : table) EXPECT_EQ(asked(condition, row({{kFirstMember, words(value)}})), answer) << condition << " with " << value;
  EXPECT_EQ(asked("count.a >= 5", row({{kFirstMember, whole(5)}})), "yes");
}

std::vector<std::pair<std::string, std::size_t>> needs_of(const Condition& condition) {
  std::vector<std::pair<std::string, std::size_t>> all;
  for (const Member& member : condition.needs()) all.emplace_back(member.name, member.index);
  return all;
}

TEST(Conditions, MembersOfFamiliesAreCountedOnceForAVocabulary) {
  Vocabulary vocabulary = made_vocabulary();
  EXPECT_EQ(vocabulary.size(), kFirstMember);
  const auto one = Condition::parse("param.a == 1 or count.b > 2 or param.a == \"x\" or amount > 5", vocabulary);
  const auto two = Condition::parse("param.c is known or count.b > 5", vocabulary);
  const auto refused = Condition::parse("param.d is known or nonsense", vocabulary);
  const auto three = Condition::parse("amount > 5", vocabulary);
  ASSERT_TRUE(one && two && three);
  ASSERT_FALSE(refused);
  using Needs = std::vector<std::pair<std::string, std::size_t>>;
  EXPECT_EQ(needs_of(*one), (Needs{{"param.a", kFirstMember}, {"count.b", kFirstMember + 1}}));
  EXPECT_EQ(needs_of(*two), (Needs{{"param.c", kFirstMember + 2}, {"count.b", kFirstMember + 1}}));
  EXPECT_EQ(needs_of(*three), Needs{});
  EXPECT_EQ(vocabulary.size(), kFirstMember + 3U) << "what was refused left a member behind";
}

TEST(Conditions, KeepTheirTextAndAreValues) {
  Vocabulary vocabulary = made_vocabulary();
  std::string source = "  country in [\"UA\",\n\"PL\"]  ";
  const auto parsed = Condition::parse(source, vocabulary);
  ASSERT_TRUE(parsed);
  const Condition copy = *parsed;
  EXPECT_EQ(copy.text(), source);
  source.assign(source.size(), 'x');
  EXPECT_TRUE(copy.evaluate(row({{kCountry, words("PL")}})));
}

TEST(Explanations, ListEachTermItsValueAndWhetherItHeld) {
  Vocabulary vocabulary = made_vocabulary();
  const auto parsed = Condition::parse("( category == \"otp\" or amount >= 1000 )and not premium and age < 3h or time in [ 09:30 ] or balance is known or param.a > 5 or text contains \"x\"", vocabulary);
  ASSERT_TRUE(parsed) << parsed.error().what;
  Row facts = full();
  facts[kBalance] = {};
  facts[kFirstMember] = words("7\n\"\\");
  const std::vector<Condition::Asked> all = parsed->explain(facts);
  const std::tuple<const char*, const char*, std::optional<std::string>, bool, bool> expected[] = {
      {"category == \"otp\"", "category", "\"marketing\"", false, true},
      {"amount >= 1000", "amount", "1000", true, true},
      {"premium", "premium", "true", true, true},
      {"age < 3h", "age", "2h", true, false},
      {"time in [ 09:30 ]", "time", "09:30", true, true},
      {"balance is known", "balance", std::nullopt, false, false},
      {"param.a > 5", "param.a", "\"7.\\\"\\\\\"", false, false},
      {"text contains \"x\"", "text", "\"Your \\\"code\\\" is 12\\\\34\"", false, false},
  };
  ASSERT_EQ(all.size(), std::size(expected));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [term, field, value, held, decided] = expected[i];
    EXPECT_EQ(all[i].term, term);
    EXPECT_EQ(all[i].field, field) << term;
    EXPECT_EQ(all[i].value, value) << term;
    EXPECT_EQ(all[i].held, held) << term;
    EXPECT_EQ(all[i].decided, decided) << term;
  }
  EXPECT_TRUE(parsed->evaluate(facts));
}

TEST(Explanations, WriteValuesAsAConditionWould) {
  const std::tuple<Value, Type, std::optional<std::string>> table[] = {
      {whole(0), Type::duration, "0s"},          {whole(1500), Type::duration, "1500ms"},   {whole(90'000), Type::duration, "90s"}, {whole(7 * kDay), Type::duration, "1w"},
      {whole(3 * kDay), Type::duration, "3d"},   {whole(5 * kMinute), Type::duration, "5m"}, {whole(0), Type::time, "00:00"},       {whole(23 * 60 + 9), Type::time, "23:09"},
      {whole(1440), Type::time, "1440 minutes"}, {whole(-3), Type::integer, "-3"},          {yes_or_no(false), Type::boolean, "false"},
      {words("a\x7f"), Type::text, "\"a.\""},    {{}, Type::text, std::nullopt},            {words("5"), Type::integer, std::nullopt}};
  for (const auto& [value, type, expected] : table) EXPECT_EQ(written(value, type), expected);
}

}  // namespace
}  // namespace postern::policy
