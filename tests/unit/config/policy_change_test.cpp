// SPDX-License-Identifier: Apache-2.0
// "What if the cap were 4?": one value of the policy's text is another, and everything else stands where it stood.
#include "gateway/config/policy_change.hpp"

#include <gtest/gtest.h>

#include "gateway/config/policy_part.hpp"

namespace postern::config {
namespace {

constexpr const char* kText = R"(# The bank's policy, ґ in a comment
time_zone = "Europe/Kyiv"

[quiet_hours]
spans = ["21:00-08:00",
         "sat 00:00-10:00"]   # nights

[[caps]]
name = "daily"   # of everybody
limit = 3
categories = ["marketing"]

[[caps]]
name = "weekly"
limit = 10
period = "week"
)";

std::string changed(std::string_view change, const std::string& text = kText) {
  const Result<std::string> result = change_policy(text, change);
  EXPECT_TRUE(result) << change << ": " << (result ? "" : result.what());
  return result ? *result : std::string();
}

std::string refused(std::string_view change) {
  const Result<std::string> result = change_policy(kText, change);
  EXPECT_FALSE(result) << change;
  return result ? std::string() : result.what();
}

std::string with(std::string text, const std::string& old, const std::string& fresh) { return text.replace(text.find(old), old.size(), fresh); }

TEST(PolicyChange, ChangesOneValueAndNothingElse) {
  EXPECT_EQ(changed("caps.daily.limit=4"), with(kText, "limit = 3", "limit = 4"));
  EXPECT_EQ(changed("caps.weekly.limit=11"), with(kText, "limit = 10", "limit = 11"));
  EXPECT_EQ(changed("time_zone=Asia/Kathmandu"), with(kText, "\"Europe/Kyiv\"", "\"Asia/Kathmandu\"")) << "a lone word needs no quotes";
  EXPECT_EQ(changed("quiet_hours.spans=[\"22:00-07:00\"]"), with(kText, "[\"21:00-08:00\",\n         \"sat 00:00-10:00\"]", "[\"22:00-07:00\"]"));
}

TEST(PolicyChange, AddsAKeyWhereItsTableIs) {
  EXPECT_EQ(changed("caps.daily.period=week"), with(kText, "[[caps]]\nname = \"daily\"", "[[caps]]\nperiod = \"week\"\nname = \"daily\""));
  const std::string text = changed("content.cards=true");
  EXPECT_TRUE(text.ends_with("[content]\ncards = true\n")) << text;
  EXPECT_TRUE(load_policy(text, "policy.toml")) << text;
}

TEST(PolicyChange, TheReaderTellsWhatItAloneKnows) {
  const Result<PolicyFile> unknown = load_policy(changed("caps.daily.limmit=4"), "policy.toml");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.what().find("policy.toml:9:1: unknown key 'limmit'"), std::string::npos) << unknown.what();
  const Result<PolicyFile> wrong = load_policy(changed("caps.daily.limit=0"), "policy.toml");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.what().find("policy.toml:10:"), std::string::npos) << wrong.what();
}

TEST(PolicyChange, RefusesWhatIsNoChange) {
  EXPECT_NE(refused("caps.daily.limit").find("KEY=VALUE"), std::string::npos);
  EXPECT_NE(refused("=4").find("KEY=VALUE"), std::string::npos);
  EXPECT_NE(refused("caps.daily.limit=").find("KEY=VALUE"), std::string::npos);
  EXPECT_NE(refused("caps.dayly.limit=4").find("there is no 'dayly' among 'caps'; there are: daily, weekly"), std::string::npos);
  EXPECT_NE(refused("caps.daily=4").find("names no value"), std::string::npos);
  EXPECT_NE(refused("caps=4").find("names no value"), std::string::npos);
  EXPECT_NE(refused("quiet_hours=4").find("is a table"), std::string::npos);
  EXPECT_NE(refused("time_zone.name=4").find("is a value"), std::string::npos);
  EXPECT_NE(refused("caps.daily.limit=4\nname = \"x\"").find("the value of"), std::string::npos) << "a line break brings no further keys";
  EXPECT_NE(refused("caps.daily.limit=[4").find("the value of"), std::string::npos);
  EXPECT_NE(refused("Caps.daily.limit=4").find("is no key"), std::string::npos);
  EXPECT_NE(refused("a.b.c.d.e=4").find("is no key"), std::string::npos);
}

TEST(PolicyVersion, IsTheSameForTheSameRulesWhateverTheFileIsCalled) {
  const Result<PolicyFile> one = load_policy(kText, "policy.toml"), two = load_policy(kText, "candidate.toml"), three = load_policy(changed("caps.daily.limit=4"), "policy.toml");
  ASSERT_TRUE(one && two && three);
  EXPECT_EQ(one->sha256.size(), 64U);
  EXPECT_EQ(one->sha256, two->sha256);
  EXPECT_NE(one->sha256, three->sha256);
}

}  // namespace
}  // namespace postern::config
