// SPDX-License-Identifier: Apache-2.0
// What the policy was asked and answered, as the audit log keeps it: comes back as it was, in few bytes, never in more than a leaf's field.
#include "gateway/policy/decided.hpp"

#include <gtest/gtest.h>

#include "tests/unit/policy/support.hpp"

namespace postern::policy {
namespace {

Decided some() {
  Decided facts;
  facts.policy = 0x0123456789abcdef;
  facts.category = Category::marketing;
  facts.step = 2;
  facts.channel = Channel::viber;
  facts.now = at("2026-07-01 20:15:30");
  facts.zone = "Asia/Kathmandu";
  facts.weight = 5;
  facts.counted = true;
  facts.sent_known = true;
  facts.deadline_ms = facts.now + kDayMs;
  facts.stage_end_ms = facts.now + kHourMs;
  facts.answer = {Answer::Kind::hold, facts.now + kMinuteMs, "cap-daily", {"quiet-hours"}};
  facts.sent = {{facts.now - kMinuteMs, Category::service, 7, 1}, {facts.now + kHourMs, Category::marketing, 65535, 1000}};
  return facts;
}

TEST(PolicyDecided, ComeBackAsTheyWere) {
  const Decided facts = some();
  const std::optional<Decided> back = decode_decided(encode(facts));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->policy, facts.policy);
  EXPECT_EQ(back->category, facts.category);
  EXPECT_EQ(back->step, facts.step);
  EXPECT_EQ(back->channel, facts.channel);
  EXPECT_EQ(back->now, facts.now);
  EXPECT_EQ(back->zone, facts.zone);
  EXPECT_EQ(back->weight, facts.weight);
  EXPECT_TRUE(back->counted);
  EXPECT_TRUE(back->sent_known);
  EXPECT_FALSE(back->sent_cut);
  EXPECT_EQ(back->deadline_ms, facts.deadline_ms);
  EXPECT_EQ(back->stage_end_ms, facts.stage_end_ms);
  EXPECT_EQ(back->answer.kind, facts.answer.kind);
  EXPECT_EQ(back->answer.until_ms, facts.answer.until_ms);
  EXPECT_EQ(back->answer.rule, facts.answer.rule);
  EXPECT_EQ(back->answer.passed, facts.answer.passed);
  ASSERT_EQ(back->sent.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(back->sent[i].at_ms, facts.sent[i].at_ms);
    EXPECT_EQ(back->sent[i].category, facts.sent[i].category);
    EXPECT_EQ(back->sent[i].client, facts.sent[i].client);
    EXPECT_EQ(back->sent[i].weight, facts.sent[i].weight);
  }
}

TEST(PolicyDecided, AreSmallAndNeverTooLargeForTheirField) {
  Decided facts;
  facts.now = at("2026-07-01 20:15");
  facts.deadline_ms = facts.now + kHourMs;
  EXPECT_LE(encode(facts).size(), 40U) << "what most messages carry";
  facts = some();
  facts.zone.assign(64, 'z');
  facts.answer.rule.assign(60, 'r');
  facts.answer.passed.assign(9, std::string(60, 'p'));
  facts.sent.assign(200, {facts.now - 366 * kDayMs, Category::service, 65535, 1'000'000});
  const Bytes bytes = encode(facts);
  EXPECT_LE(bytes.size(), kMaxDecided);
  const std::optional<Decided> back = decode_decided(bytes);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->sent_cut) << "whoever reads it knows that there was more";
  EXPECT_GE(back->sent.size(), 40U);
}

TEST(PolicyDecided, KeepTheNewestSightings) {
  std::vector<Sighting> sent;
  for (int i = 0; i < 100; ++i) sent.push_back({i, Category::service, 1, 1});
  bool cut = false;
  keep_newest(sent, cut);
  EXPECT_TRUE(cut);
  ASSERT_EQ(sent.size(), kMaxSeen);
  EXPECT_EQ(sent.front().at_ms, 99);
  EXPECT_EQ(sent.back().at_ms, 36);
}

TEST(PolicyDecided, EveryShortenedOrLengthenedFormIsRefused) {
  Bytes bytes = encode(some());
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_decided(ByteView(bytes).first(size))) << size;
  bytes.push_back(0);
  EXPECT_FALSE(decode_decided(bytes));
  bytes.pop_back();
  bytes[0] = 2;
  EXPECT_FALSE(decode_decided(bytes)) << "a later version is not guessed at";
}

TEST(PolicyDecided, TheSameQuestionHasTheSameAnswerAgain) {
  Policy policy;
  policy.zone = zone("Europe/Kyiv");
  policy.caps.push_back({"daily", mask_of(Category::marketing), 1, Period::day, 0});
  Decided facts = some();
  facts.counted = false;
  facts.weight = 1;
  facts.sent = {{facts.now - kHourMs, Category::marketing, 1, 1}};
  facts.answer = ask(policy, facts.question("380671234567", nullptr));
  ASSERT_EQ(facts.answer.rule, "cap-daily");
  const std::optional<Decided> back = decode_decided(encode(facts));
  ASSERT_TRUE(back);
  const Answer again = ask(policy, back->question("380671234567", nullptr));
  EXPECT_EQ(again.kind, facts.answer.kind);
  EXPECT_EQ(again.until_ms, facts.answer.until_ms);
  policy.caps[0].limit = 2;
  EXPECT_EQ(ask(policy, back->question("380671234567", nullptr)).kind, Answer::Kind::go);
}

TEST(PolicyDecided, KeepsConsentSpeedAndWhatWasSaidBefore) {
  for (const ConsentState state : {ConsentState::none, ConsentState::given, ConsentState::withdrawn}) {
    Decided facts = some();
    facts.consent = state;
    facts.speed = state == ConsentState::given ? "" : "spring";
    facts.turn_ms = facts.speed.empty() ? 0 : facts.now + 90'000;
    if (state != ConsentState::none) facts.same_ms = facts.now - kHourMs;
    const std::optional<Decided> back = decode_decided(encode(facts));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->consent, facts.consent);
    EXPECT_EQ(back->speed, facts.speed);
    EXPECT_EQ(back->turn_ms, facts.turn_ms);
    EXPECT_EQ(back->same_ms, facts.same_ms);
  }
}

TEST(PolicyDecided, AnOptOutIsAskedAgainAsOne) {
  Policy policy;
  policy.consent.required = mask_of(Category::marketing);
  Decided facts = some();
  facts.category = Category::marketing;
  facts.consent = ConsentState::withdrawn;
  EXPECT_EQ(ask(policy, decode_decided(encode(facts))->question("", nullptr)).rule, "opted-out");
  facts.consent = ConsentState::none;
  EXPECT_EQ(ask(policy, decode_decided(encode(facts))->question("", nullptr)).rule, "no-consent");
}

TEST(PolicyDecided, TheVersionIsTheBeginningOfTheHash) {
  EXPECT_EQ(version_of("0123456789abcdef00"), 0x0123456789abcdefULL);
  EXPECT_EQ(version_of(""), 0U);
}

}  // namespace
}  // namespace postern::policy
