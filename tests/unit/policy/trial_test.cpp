// SPDX-License-Identifier: Apache-2.0
// What would have happened under a candidate: each kind of difference, told for the message and the rule that makes it.
#include "gateway/policy/trial.hpp"

#include <gtest/gtest.h>

#include "tests/unit/policy/support.hpp"

namespace postern::policy {
namespace {

using Change = Trial::Change;

class TrialOfAPolicy : public testing::Test {
 protected:
  TrialOfAPolicy() { candidate.zone = zone("UTC"); }

  // The same customer unless another is given; two steps: push for nothing, then SMS for 40,000.
  MessageKey message(std::uint64_t person = 7, Category category = Category::marketing) {
    Subject subject;
    subject.id = {++last_key, 1};
    subject.person = person;
    subject.category = category;
    subject.client = 3;
    subject.deadline_ms = noon + 2 * kDayMs;
    subject.ways = {{true, true, "push-token", 0}, {true, true, "380671234567", 40'000}};
    trial().begin(subject);
    return last_key;
  }
  void record(MessageKey key, Recorded::What what, TimeMs when, std::uint8_t step = 0, const std::string& rule = {}, TimeMs until = 0, std::vector<Sighting> sent = {}) {
    Recorded recorded;
    recorded.what = what;
    recorded.facts.category = trial().subject(key)->category;
    recorded.facts.step = step;
    recorded.facts.now = when;
    recorded.facts.deadline_ms = noon + 2 * kDayMs;
    recorded.facts.sent = std::move(sent);
    const auto kind = what == Recorded::What::handed ? Answer::Kind::go : what == Recorded::What::held ? Answer::Kind::hold : Answer::Kind::skip;
    recorded.facts.answer = {kind, until, rule, {}};
    recorded.price = step == 0 ? 0 : 40'000;
    trial().take(key, recorded);
  }
  void handed(MessageKey key, TimeMs when, std::uint8_t step = 0, std::vector<Sighting> sent = {}) { record(key, Recorded::What::handed, when, step, {}, 0, std::move(sent)); }
  Trial& trial() {
    if (!made) made = std::make_unique<Trial>(candidate, limits);
    return *made;
  }
  void end() {
    while (!trial().finish(1)) {
    }
  }
  std::uint64_t count(Change change, const std::string& rule, Category category = Category::marketing) {
    const auto row = trial().rows().find({category, rule});
    if (row == trial().rows().end()) return 0;
    const auto found = row->second.messages.find(change);
    return found == row->second.messages.end() ? 0 : found->second;
  }
  void quiet(std::string_view span) {
    const std::vector<std::string_view> spans{span};
    candidate.quiet = *QuietHours::parse(spans);
    candidate.quiet_categories = mask_of(Category::marketing) | mask_of(Category::otp);
  }
  void cap(std::uint32_t limit) { candidate.caps.push_back({"daily", mask_of(Category::marketing), limit, Period::day, 0}); }

  const TimeMs noon = at("2026-07-01 12:00");
  Policy candidate;
  Trial::Limits limits;
  std::unique_ptr<Trial> made;
  MessageKey last_key = 0;
};

TEST_F(TrialOfAPolicy, WithoutRulesNothingChanges) {
  const MessageKey key = message();
  handed(key, noon);
  trial().ended(key, noon + 1000);
  end();
  EXPECT_EQ(count(Change::unchanged, ""), 1U);
  EXPECT_EQ(trial().messages(), 1U);
  EXPECT_TRUE(trial().examples().empty());
}

TEST_F(TrialOfAPolicy, NewQuietHoursDelayUntilTheyAreOver) {
  quiet("11:00-14:00");
  const MessageKey key = message();
  handed(key, noon);
  trial().ended(key, noon + 1000);
  end();
  EXPECT_EQ(count(Change::delayed, "quiet-hours"), 1U);
  EXPECT_NEAR(static_cast<double>(trial().rows().begin()->second.delays.at(50)), 2.0 * kHourMs, 0.02 * 2 * kHourMs);
  ASSERT_EQ(trial().examples().size(), 1U);
  EXPECT_EQ(trial().examples()[0].was_ms, noon);
  EXPECT_EQ(trial().examples()[0].would_ms, noon + 2 * kHourMs);
}

TEST_F(TrialOfAPolicy, ACodePasses) {
  quiet("11:00-14:00");
  const MessageKey key = message(7, Category::otp);
  handed(key, noon);
  end();
  EXPECT_EQ(count(Change::unchanged, "", Category::otp), 1U);
}

TEST_F(TrialOfAPolicy, ACapCountsWhatTheCandidateLetGoAndNothingElse) {
  cap(2);
  for (int i = 0; i < 4; ++i) handed(message(), noon + i * kMinuteMs);
  handed(message(8), noon + kHourMs);
  end();
  EXPECT_EQ(count(Change::unchanged, ""), 3U) << "two, and the other customer's";
  EXPECT_EQ(count(Change::delayed, "cap-daily"), 2U) << "to the next day, where two may go";
}

TEST_F(TrialOfAPolicy, WhatTheDelayedUseUpHoldsBackTheNextDay) {
  cap(1);
  handed(message(), noon);
  handed(message(), noon + kMinuteMs);
  handed(message(), noon + kDayMs);   // the second has gone at midnight
  end();
  EXPECT_EQ(count(Change::unchanged, ""), 1U);
  EXPECT_EQ(count(Change::delayed, "cap-daily"), 2U);
}

TEST_F(TrialOfAPolicy, WhatWasSentBeforeTheWindowCounts) {
  cap(1);
  handed(message(), noon, 0, {{noon - kHourMs, Category::marketing, 3, 1}});
  end();
  EXPECT_EQ(count(Change::delayed, "cap-daily"), 1U);
}

TEST_F(TrialOfAPolicy, WhatNoLongerWaitsIsSooner) {
  const MessageKey key = message();
  record(key, Recorded::What::held, noon, 0, "quiet-hours", noon + 3 * kHourMs);
  handed(key, noon + 3 * kHourMs);
  trial().ended(key, noon + 4 * kHourMs);
  end();
  EXPECT_EQ(count(Change::sooner, "quiet-hours"), 1U);
}

TEST_F(TrialOfAPolicy, TheSameHoldIsUnchanged) {
  quiet("11:00-14:00");
  const MessageKey key = message();
  record(key, Recorded::What::held, noon, 0, "quiet-hours", noon + 2 * kHourMs);
  handed(key, noon + 2 * kHourMs + 20 * kMinuteMs);   // the queue took a while
  end();
  EXPECT_EQ(count(Change::unchanged, "quiet-hours"), 1U);
}

TEST_F(TrialOfAPolicy, WhatWouldWaitPastItsDeadlineIsNotSent) {
  candidate.caps.push_back({"month", mask_of(Category::marketing), 1, Period::rolling, 30 * kDayMs});
  handed(message(), noon);
  handed(message(), noon + kMinuteMs, 1);
  end();
  EXPECT_EQ(count(Change::dropped, "cap-month"), 1U);
  EXPECT_EQ((trial().rows().at({Category::marketing, "cap-month"}).cost), -40'000);
}

TEST_F(TrialOfAPolicy, AListMayLeaveOneWayAndTheMessageGoesByTheNext) {
  candidate.lists.push_back({ListRule::Kind::never, "tokens", mask_of(Category::marketing), *AddressList::load("380500000000\n")});
  candidate.lists.push_back({ListRule::Kind::only, "numbers", mask_of(Category::marketing), *AddressList::load("380671234567\n")});
  handed(message(), noon);
  end();
  EXPECT_EQ(count(Change::other_way, "list-numbers"), 1U);
  EXPECT_EQ((trial().rows().at({Category::marketing, "list-numbers"}).cost), 40'000) << "an SMS instead of a push";
}

TEST_F(TrialOfAPolicy, WhatAListStoppedMayGo) {
  const MessageKey key = message();
  record(key, Recorded::What::left_out, noon, 0, "list-objected");
  record(key, Recorded::What::left_out, noon, 1, "list-objected");
  trial().ended(key, noon);
  end();
  EXPECT_EQ(count(Change::no_longer_dropped, "list-objected"), 1U);
}

TEST_F(TrialOfAPolicy, AWayThatWasLeftOutTakesThePlaceOfTheOneThatWasTaken) {
  const MessageKey key = message();
  record(key, Recorded::What::left_out, noon, 0, "list-tokens");
  handed(key, noon, 1);
  trial().ended(key, noon + 1000);
  end();
  EXPECT_EQ(count(Change::other_way, "list-tokens"), 1U);
  EXPECT_EQ((trial().rows().at({Category::marketing, "list-tokens"}).cost), -40'000) << "a push instead of an SMS";
}

TEST_F(TrialOfAPolicy, ConsentIsTheRecordedOne) {
  candidate.consent.required = mask_of(Category::marketing);
  handed(message(), noon);
  const MessageKey key = message(8);
  Recorded recorded;
  recorded.facts.category = Category::marketing;
  recorded.facts.now = noon;
  recorded.facts.consent = ConsentState::given;
  trial().take(key, recorded);
  end();
  EXPECT_EQ(count(Change::dropped, "no-consent"), 1U);
  EXPECT_EQ(count(Change::unchanged, ""), 1U);
}

TEST_F(TrialOfAPolicy, AFallbackOfTheSameMessageIsNoSecondMessage) {
  cap(1);
  const MessageKey key = message();
  handed(key, noon);
  handed(key, noon + kMinuteMs, 1);
  trial().ended(key, noon + kHourMs);
  end();
  EXPECT_EQ(count(Change::unchanged, ""), 1U);
}

TEST_F(TrialOfAPolicy, MemoryIsBoundedAndWhatItCostsIsCounted) {
  limits = {100, 200};
  cap(1);
  for (std::uint64_t person = 1; person <= 1000; ++person) handed(message(person), noon + static_cast<TimeMs>(person));
  end();
  EXPECT_EQ(trial().messages(), 1000U);
  EXPECT_EQ(count(Change::unchanged, ""), 1000U);
  EXPECT_GE(trial().cut(), 900U);
}

TEST_F(TrialOfAPolicy, WhatCountsNoMoreIsForgottenWithoutLoss) {
  limits = {100, 200};
  cap(1);
  for (std::uint64_t person = 1; person <= 1000; ++person) {
    const TimeMs when = noon + static_cast<TimeMs>(person) * kHourMs;
    const MessageKey key = message(person);
    handed(key, when);
    trial().ended(key, when + 1);
  }
  end();
  EXPECT_EQ(trial().messages(), 1000U);
  EXPECT_EQ(trial().cut(), 0U);
}

}  // namespace
}  // namespace postern::policy
