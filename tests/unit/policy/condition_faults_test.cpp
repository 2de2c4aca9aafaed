// SPDX-License-Identifier: Apache-2.0
// What is refused when a condition is loaded: where the fault is and what it says.
#include <gtest/gtest.h>

#include "tests/unit/policy/made_vocabulary.hpp"

namespace postern::policy {
namespace {

struct Case {
  std::string condition;
  std::size_t offset;
  std::string said;   // a piece of the sentence
};

void expect_refused(const std::vector<Case>& cases) {
  for (const auto& [condition, offset, said] : cases) {
    Vocabulary vocabulary = made_vocabulary();
    const auto parsed = Condition::parse(condition, vocabulary);
    ASSERT_FALSE(parsed.has_value()) << condition;
    EXPECT_EQ(parsed.error().offset, offset) << condition << ": " << parsed.error().what;
    EXPECT_NE(parsed.error().what.find(said), std::string::npos) << condition << ": " << parsed.error().what;
    EXPECT_EQ(vocabulary.size(), kFirstMember) << condition;
  }
}

TEST(Faults, OfFields) {
  expect_refused({{"ammount > 5", 0, "there is no field ammount; did you mean amount?"},
                  {"premium and recipient.local == \"uk\"", 12, "did you mean recipient.locale?"},
                  {"colour == \"red\"", 0, "there is no field colour; there are: category, amount"},
                  {"param is known", 0, "there is no field param"},
                  {"params.a is known", 0, "there is no field params.a"},
                  {"param.. == 5", 5, "joined by single dots"},
                  {"param. == 5", 5, "joined by single dots"},
                  {"premium AND amount > 5", 8, "join the next one with and or or"},
                  {"Amount > 5", 0, "did you mean amount?"},
                  {"param." + std::string(70, 'a') + " == 5", 0, "there is no field param.aaa"}});
}

TEST(Faults, OfTypes) {
  expect_refused({{"amount == \"abc\"", 10, "amount is an integer, \"abc\" is a text; write an integer such as 1000"},
                  {"amount >= 5m", 10, "amount is an integer, 5m is a duration"},
                  {"amount == true", 10, "amount is an integer, true is a boolean"},
                  {"country == 5", 11, "country is a text, 5 is an integer; write a text such as \"abc\""},
                  {"country contains 5", 17, "country is a text, 5 is an integer"},
                  {"param.a contains 5", 17, "param.a is a text, 5 is an integer"},
                  {"age < 5", 6, "age is a duration, 5 is an integer; write a duration such as 5m"},
                  {"age < 09:30", 6, "age is a duration, 09:30 is a time of day"},
                  {"time < \"09:30\"", 7, "time is a time of day, \"09:30\" is a text; write a time of day such as 09:30"},
                  {"premium == 1", 11, "premium is a boolean, 1 is an integer; write a boolean such as true"},
                  {"amount in [1, \"a\"]", 14, "values of one type; its first is an integer, \"a\" is a text"},
                  {"param.a in [1, \"a\"]", 15, "values of one type; its first is an integer, \"a\" is a text"},
                  {"param.a in [\"a\", 1]", 17, "values of one type; its first is a text, 1 is an integer"},
                  {"country in [5]", 12, "country is a text, 5 is an integer"},
                  {"param.a == true", 11, "param.a is a text, true is a boolean"},
                  {"param.a < \"5\"", 10, "put in order as an integer, \"5\" is a text; write an integer"},
                  {"count.a == \"5\"", 11, "count.a is an integer, \"5\" is a text"}});
}

TEST(Faults, OfOperators) {
  expect_refused({{"country < \"UA\"", 8, "< orders integers, durations and times of day; country is a text"},
                  {"premium >= true", 8, ">= orders integers, durations and times of day; premium is a boolean"},
                  {"amount contains \"5\"", 7, "contains asks about a text; amount is an integer"},
                  {"age starts with \"5\"", 4, "starts asks about a text; age is a duration"},
                  {"time ends with \"5\"", 5, "asks about a text; time is a time of day"},
                  {"premium matches \"t*\"", 8, "matches asks about a text; premium is a boolean"},
                  {"count.a matches \"1*\"", 8, "count.a is an integer"},
                  {"amount is not known", 10, "behind is comes known or missing"},
                  {"amount is", 9, "behind is comes known or missing"},
                  {"text starts \"a\"", 12, "behind starts comes with"},
                  {"amount not 5", 11, "behind not comes in"},
                  {"premium not premium", 12, "behind not comes in"},
                  {"amount like 5", 7, "like is no operator: amount is an integer; behind it comes what is asked, as in amount == 1000 or amount is known"},
                  {"amount", 0, "amount is an integer; behind it comes what is asked"},
                  {"premium and (amount) and premium", 13, "amount is an integer; behind it comes"},
                  {"text or premium", 0, "as in text == \"abc\" or text is known"},
                  {"amount 5", 7, "5 is no operator"}});
}

TEST(Faults, OfShape) {
  expect_refused({{"", 0, "a field is expected"},
                  {"  \n ", 4, "a field is expected"},
                  {"premium and", 11, "the condition ends here; a field is expected"},
                  {"premium or or premium", 11, "a field is expected here, not or"},
                  {"not", 3, "a field is expected"},
                  {"in [5]", 0, "a field is expected here, not in"},
                  {"premium premium", 8, "join the next one with and or or"},
                  {"amount > 5 < 7", 11, "before < stands a whole condition"},
                  {"1000 <= amount", 0, "begins with its field"},
                  {"true", 0, "begins with its field"},
                  {"premium and (amount > 5", 12, "never closed"},
                  {"(premium amount > 5)", 9, "close the ( or join"},
                  {"premium)", 7, "no ( is open here"},
                  {"()", 1, "a field is expected here, not )"},
                  {"amount >", 8, "an integer is expected, such as 1000"},
                  {"amount > and premium", 9, "an integer is expected here, such as 1000, not and"},
                  {"amount > balance", 9, "balance is no value"},
                  {"category == marketing", 12, "marketing stands without quotes; a text stands in quotes: \"marketing\""},
                  {"amount == [5]", 10, "a list stands behind in"},
                  {"amount in 5", 10, "behind in comes a list, as in amount in [1000]"},
                  {"country not in (\"UA\")", 15, "behind in comes a list, as in country in [\"abc\"]"},
                  {"amount in []", 11, "the list is empty"},
                  {"amount in [5,]", 13, "an integer is expected here"},
                  {"amount in [5 6]", 13, "stand commas"},
                  {"amount in [5", 10, "never closed"},
                  {"amount in [5, [6]]", 14, "a list stands behind in"},
                  {"text contains \"\"", 14, "write text is known"},
                  {"text starts with \"\"", 17, "write text is known"}});
}

TEST(Faults, OfLiteralsAndSigns) {
  expect_refused({{"text == \"abc", 8, "no closing \""},
                  {"text == \"a\\nb\"", 10, "stands only \" or \\: write \\\\ for one \\"},
                  {"text == \"a\\", 10, "behind \\ in a text"},
                  {"text == \"a\nb\"", 10, "no line end"},
                  {std::string("text == \"a\0b\"", 13), 10, "control character"},
                  {"text == 'abc'", 8, "straight double quotes"},
                  {"text == \u201cabc\u201d", 8, "straight double quotes"},
                  {"text == \u00ababc\u00bb", 8, "straight double quotes"},
                  {"amount = 5", 7, "write =="},
                  {"!premium", 0, "write not"},
                  {"premium && premium", 8, "write and"},
                  {"premium || premium", 8, "write or"},
                  {"amount > - 5", 9, "directly before the digits"},
                  {"amount > +5", 9, "directly before the digits"},
                  {"amount > 5;", 10, "outside of quotes stand only"},
                  {"amount > \xff", 9, "outside of quotes stand only"},
                  {std::string("premium\0", 8), 7, "outside of quotes stand only"},
                  {"amount > 12.50", 9, "decimals are not read"},
                  {"amount > 1_000", 9, "neither a number nor a duration"},
                  {"amount > 9223372036854775808", 9, "is too large"},
                  {"amount > -9223372036854775809", 9, "is too large"},
                  {"age > 5min", 6, "one of s, m, h, d, w: 90m"},
                  {"age > 500ms", 6, "one of s, m, h, d, w"},
                  {"age > 1h30m", 6, "one of s, m, h, d, w"},
                  {"age > -5m", 6, "neither a number nor a duration"},
                  {"age > 9223372036854775807s", 6, "too long a duration"},
                  {"age > 15250284453w", 6, "too long a duration"},
                  {"time > 24:00", 7, "from 00:00 to 23:59"},
                  {"time > 9:30", 7, "two digits each"},
                  {"time > 09:60", 7, "no time of day"},
                  {"time > 09:30:00", 7, "no time of day"}});
  EXPECT_EQ(asked("age < 15250284452w", row({{kAge, whole(1)}})), "yes");
}

TEST(Faults, QuoteLongPiecesShortly) {
  Vocabulary vocabulary = made_vocabulary();
  std::string cyrillic;
  for (int i = 0; i < 500; ++i) cyrillic += "\u0436";
  const auto parsed = Condition::parse("amount == \"" + cyrillic + "\"", vocabulary);
  ASSERT_FALSE(parsed);
  EXPECT_LT(parsed.error().what.size(), 200U);
  EXPECT_NE(parsed.error().what.find("\u0436... is a text"), std::string::npos) << "cut within a character: " << parsed.error().what;
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += piece;
  return all;
}

TEST(Limits, OfLength) {
  const std::string whole = "text == \"" + std::string(1990, 'x') + "\"";
  ASSERT_EQ(whole.size(), Condition::kMaxBytes);
  EXPECT_EQ(asked(whole, row({})), "no");
  expect_refused({{whole + " ", 2000, "at most 2,000 bytes"}, {std::string(100'000, '('), 2000, "at most 2,000 bytes"}});
  const std::string list = "amount in [" + repeated("1,", 993) + "7]";
  ASSERT_LE(list.size(), Condition::kMaxBytes);
  EXPECT_EQ(asked(list, row({{kAmount, Value(std::int64_t{7})}})), "yes");
}

TEST(Limits, OfTerms) {
  const Row facts = row({{kPremium, yes_or_no(true)}});
  EXPECT_EQ(asked(repeated("premium and ", 63) + "premium", facts), "yes");
  EXPECT_EQ(asked(repeated("not premium or ", 63) + "premium", facts), "yes");
  expect_refused({{repeated("premium and ", 64) + "premium", 64 * 12, "at most 64 terms"}});
}

TEST(Limits, OfNesting) {
  const Row facts = row({{kPremium, yes_or_no(true)}});
  EXPECT_EQ(asked(repeated("(", 16) + "premium" + repeated(")", 16), facts), "yes");
  EXPECT_EQ(asked(repeated("not ", 16) + "premium", facts), "yes");
  EXPECT_EQ(asked(repeated("not (", 8) + "premium" + repeated(")", 8), facts), "yes");
  EXPECT_EQ(asked(repeated("(premium) and ", 40) + "premium", facts), "yes") << "one beside the other is not nested";
  expect_refused({{repeated("(", 17) + "premium" + repeated(")", 17), 16, "16 deep"},
                  {repeated("not ", 17) + "premium", 64, "16 deep"},
                  {repeated("not (", 9) + "premium" + repeated(")", 9), 40, "16 deep"},
                  {repeated("(", 1999), 16, "16 deep"}});
}

TEST(Limits, OfPatterns) {
  EXPECT_EQ(asked("text matches \"*" + std::string(63, 'x') + "*\"", row({{kText, words("y")}})), "no");
  expect_refused({{"text matches \"" + std::string(64, 'x') + "\"", 13, "at most 63 bytes besides its stars"}});
}

TEST(Limits, OfMembers) {
  Vocabulary vocabulary = made_vocabulary();
  for (std::size_t i = 0; i < Vocabulary::kMaxMembers; ++i) ASSERT_TRUE(Condition::parse("param.p" + std::to_string(i) + " is known", vocabulary).has_value());
  const auto more = Condition::parse("premium or param.more is known", vocabulary);
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().offset, 11U);
  EXPECT_NE(more.error().what.find("more than 256"), std::string::npos);
  EXPECT_TRUE(Condition::parse("param.p0 is known", vocabulary).has_value());
}

}  // namespace
}  // namespace postern::policy
