// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/condition/wildcard.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>

namespace postern::policy {
namespace {

bool matches(std::string_view pattern, std::string_view text) { return Wildcard::of(pattern)->matches(text); }

// The definition, word for word, for texts of one byte a character.
bool by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') return by_definition(pattern.substr(1), text) || (!text.empty() && by_definition(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && by_definition(pattern.substr(1), text.substr(1));
}

TEST(Wildcards, StarIsAnythingAndQuestionMarkIsOneCharacter) {
  for (const auto& [pattern, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"3806*", "3806"}, {"3806*", "380671234567"}, {"*4567", "380671234567"}, {"3*7", "37"}, {"3*7", "3777"}, {"a?c", "abc"}, {"", ""}, {"*", ""}, {"***", "x"},
           {"a*b*c", "a-b-b-c"}, {"*ab*", "aab"}, {"?*?", "ab"}, {"*?", "x"}, {"a.c", "a.c"}, {"[a]", "[a]"}})
    EXPECT_TRUE(matches(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"3806*", "380"}, {"3806*", "x3806"}, {"a?c", "ac"}, {"a?c", "abbc"}, {"", "a"}, {"?", ""}, {"a*b*c", "a-c-b"}, {"?*?", "a"}, {"a.c", "abc"}, {"a", "A"}, {"ab", "a"}, {"a", "ab"}})
    EXPECT_FALSE(matches(pattern, text)) << pattern << " " << text;
}

TEST(Wildcards, AQuestionMarkIsOneCharacterOfUtf8) {
  EXPECT_TRUE(matches("?", "\u0439"));
  EXPECT_TRUE(matches("?\u043e?", "\u043a\u043e\u0434"));
  EXPECT_TRUE(matches("a?b", "a\u20acb"));
  EXPECT_TRUE(matches("?", "\U0001f600"));
  EXPECT_FALSE(matches("??", "\u0439"));
  EXPECT_FALSE(matches("?", "\u0439\u0439"));
  EXPECT_FALSE(matches("?", "\x80")) << "a byte that begins no character";
  EXPECT_TRUE(matches("*", "\xff\x80"));
}

TEST(Wildcards, AgreeWithTheDefinition) {
  std::mt19937 random(7);
  const auto made = [&random](std::string_view letters, std::size_t longest) {
    std::string text(random() % (longest + 1), 'a');
    for (char& c : text) c = letters[random() % letters.size()];
    return text;
  };
  int matched = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string pattern = made("ab*?", 8), text = made("ab", 10);
    const bool expected = by_definition(pattern, text);
    matched += expected ? 1 : 0;
    ASSERT_EQ(matches(pattern, text), expected) << pattern << " " << text;
  }
  EXPECT_GT(matched, 5'000);
}

TEST(Wildcards, HaveAtMost63BytesBesidesTheStars) {
  const std::string longest(63, 'a');
  ASSERT_TRUE(Wildcard::of(longest).has_value());
  EXPECT_TRUE(matches(longest, longest));
  EXPECT_FALSE(matches(longest, longest + "a"));
  EXPECT_FALSE(matches(longest, std::string(62, 'a')));
  EXPECT_TRUE(matches("*" + longest + "*", "xx" + longest + "yy"));
  EXPECT_TRUE(matches(std::string(63, '?'), longest));
  EXPECT_TRUE(matches(std::string(1000, '*'), longest));
  EXPECT_FALSE(Wildcard::of(longest + "a").has_value());
  EXPECT_FALSE(Wildcard::of(longest + "?").has_value());
}

// Text and patterns for which matchers that go back take minutes, years or longer. Time is bounded by a factor to what a plain
// pattern costs on the same text, so that a slow machine fails nothing.
TEST(Wildcards, NoTextIsSlow) {
  const std::string text = std::string(1 << 20, 'a');
  const auto seconds = [&text](const std::string& pattern, bool expected) {
    const Wildcard wildcard = *Wildcard::of(pattern);
    double least = 1e9;
    for (int run = 0; run < 3; ++run) {
      const auto begun = std::chrono::steady_clock::now();
      EXPECT_EQ(wildcard.matches(text), expected) << pattern;
      least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    }
    return least;
  };
  const double plain = seconds("a*", true);
  std::string many;
  for (int i = 0; i < 31; ++i) many += "a*";
  for (const std::string& pattern : {many + "b", "*" + std::string(62, 'a') + "b", "*" + std::string(30, '?') + "b*" + std::string(20, 'a') + "b", std::string("*a?a?a?a*a?a?a?b*")})
    EXPECT_LT(seconds(pattern, false), 20 * plain + 0.001) << pattern;
}

}  // namespace
}  // namespace postern::policy
