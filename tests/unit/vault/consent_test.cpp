// SPDX-License-Identifier: Apache-2.0
// What customers agreed to and opted out of, on whole messages: a consent is cited by what it allows, an opt-out is honoured before the next
// send on every channel, and both outlive restarts and rotations and end with the person.
#include <gtest/gtest.h>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

const std::map<std::string, std::string> kScenarios{
    {"offer", "name = \"offer\"\ndeadline = \"2d\"\n[[steps]]\nchannel = \"push\"\nwait = \"1h\"\n[[steps]]\nchannel = \"sms\"\n"},
};
constexpr const char* kPolicy = "[consent]\nrequired = [\"marketing\"]\nstop_words = [\"STOP\", \"Стоп\"]\nstops = [\"marketing\", \"service\"]\n";

class Consents : public testing::Test {
 protected:
  void SetUp() override { open(kPolicy); }
  void open(const std::string& policy) {
    house = std::make_unique<House>("", kScenarios, std::map<std::string, std::string>{}, std::nullopt, false, policy);
    api = house->join("api");
    sms = house->join("sms");
    push = house->join("push");
  }
  wire::Answer ask(wire::RecipientAsk what, const char* identity = kBankUri) {
    wire::Query query;
    query.set_identity(identity);
    if (what.reference().empty()) what.set_reference("customer-1");
    *query.mutable_recipient() = std::move(what);
    return house->ask(api, std::move(query));
  }
  wire::Answer say(bool given, wire::Category purpose = wire::MARKETING, const std::string& channel = {}, TimeMs at = 0) {
    wire::RecipientAsk what;
    wire::ConsentView& consent = *what.mutable_consent();
    consent.set_purpose(purpose);
    consent.set_channel(channel);
    consent.set_given(given);
    consent.set_source("branch-17");
    consent.set_wording("Yes, write to me of offers");
    consent.set_at_ms(static_cast<std::uint64_t>(at));
    return ask(std::move(what));
  }
  wire::RecipientView shown() {
    wire::RecipientAsk what;
    what.set_show(true);
    return ask(std::move(what)).recipient();
  }
  std::string stored(wire::Category category, const std::string& scenario = "sms", const std::string& reference = "customer-1") {
    wire::Submit submit = House::submit(scenario, "380671234567", category);
    submit.mutable_recipient()->set_reference(reference);
    const wire::Verdict verdict = house->send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED) << (verdict.problem_size() > 0 ? verdict.problem(0).detail() : "");
    return verdict.id();
  }
  void reply(const std::string& text, const std::string& from = "380671234567") {
    static int number = 0;
    wire::ToVault frame;
    wire::Reply& word = *frame.add_reply();
    word.set_provider_id("in-" + std::to_string(++number));
    word.set_channel("sms");
    word.set_from(from);
    word.set_text(text);
    house->say(sms, std::move(frame));
    house->turn();
  }
  std::size_t delivered() { return house->deliveries(sms).size(); }
  std::size_t leaves(EventType type) {
    std::size_t count = 0;
    for (const audit::Leaf& leaf : house->leaves()) count += leaf.type == type;
    return count;
  }
  // Fields of this kind in the leaves of this type.
  std::vector<std::string> told(EventType type, audit::Field field) {
    std::vector<std::string> found;
    const Status done = house->vault().turn([&](Turn& turn) {
      for (const audit::Leaf& leaf : house->leaves())
        if (leaf.type == type)
          for (const auto& [name, text] : turn.body_of(leaf).value_or(audit::Body{}))
            if (name == field) found.push_back(text);
    });
    EXPECT_TRUE(done.has_value());
    return found;
  }

  std::unique_ptr<House> house;
  PeerId api = 0, sms = 0, push = 0;
};

TEST_F(Consents, WithoutOneNothingIsSentWhereOneIsNeeded) {
  const std::string id = stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U);
  EXPECT_EQ(house->view(api, id).state(), wire::SUPPRESSED);
  EXPECT_EQ(house->view(api, id).reason(), "no-consent");
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 1U) << "a service message needs none";
}

TEST_F(Consents, EverySendCitesTheHashOfTheConsentThatAllowsIt) {
  const wire::Answer answer = say(true);
  ASSERT_EQ(answer.outcome(), wire::Answer::OK);
  const std::string hash = answer.recipient().consent(0).hash();
  EXPECT_EQ(hash.size(), 64U);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U);
  EXPECT_EQ(told(EventType::handed, audit::Field::consent), std::vector<std::string>{hash});
  EXPECT_EQ(told(EventType::consent_changed, audit::Field::consent), std::vector<std::string>{hash});
  EXPECT_EQ(told(EventType::consent_changed, audit::Field::object), std::vector<std::string>{"branch-17"});
  EXPECT_EQ(told(EventType::consent_changed, audit::Field::text), std::vector<std::string>{"Yes, write to me of offers"});
  stored(wire::TRANSACTION);
  EXPECT_EQ(told(EventType::handed, audit::Field::consent).size(), 1U) << "what needs no consent cites none";
}

TEST_F(Consents, IsForItsPurposeAndItsChannel) {
  say(true, wire::MARKETING, "push");
  stored(wire::MARKETING, "offer");
  EXPECT_EQ(house->deliveries(push).size(), 1U);
  const std::string id = stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U) << "nothing was said of SMS";
  EXPECT_EQ(house->view(api, id).reason(), "no-consent");
}

TEST_F(Consents, AnOptOutTakesBackWhatWasToldWithAClockAheadOfOurs) {
  // The bank's clock is five minutes ahead; the customer changes their mind within one.
  ASSERT_EQ(say(true, wire::MARKETING, {}, house->now + 5 * 60'000).outcome(), wire::Answer::OK);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U);
  house->pass(60'000);
  reply("STOP");
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U) << "a word that came by reply";
  house->pass(60'000);
  ASSERT_EQ(say(true, wire::MARKETING, {}, house->now + 9 * 60'000).outcome(), wire::Answer::OK);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U);
  ASSERT_EQ(say(false).outcome(), wire::Answer::OK);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U) << "and one that a system of the bank tells as said now";
}

TEST_F(Consents, AnOptOutIsHonouredBeforeTheNextSendOnEveryChannel) {
  say(true);
  const std::string waiting = stored(wire::MARKETING, "offer");
  const std::vector<wire::Deliver> first = house->deliveries(push);
  ASSERT_EQ(first.size(), 1U);
  reply("stop.");
  house->result(push, first[0].attempt(), wire::Result::REFUSED);
  EXPECT_EQ(delivered(), 0U) << "the SMS that would have followed";
  EXPECT_EQ(house->view(api, waiting).state(), wire::FAILED) << "the push was tried before";
  const std::string id = stored(wire::MARKETING, "offer");
  EXPECT_EQ(house->deliveries(push).size(), 0U);
  EXPECT_EQ(house->view(api, id).reason(), "opted-out");
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 0U) << "the bank lets a stop word end these too";
  stored(wire::OTP);
  stored(wire::TRANSACTION);
  EXPECT_EQ(house->deliveries(push).size() + delivered(), 2U) << "codes and receipts go on";
}

TEST_F(Consents, AStopThatAnswersNoMessageCountsForTheNumberItCameFrom) {
  say(true);
  reply("СТОП");
  const std::string id = stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U);
  EXPECT_EQ(house->view(api, id).reason(), "opted-out");
  reply("Stop that noise, please", "380671111111");
  EXPECT_EQ(leaves(EventType::consent_changed), 3U) << "one given, two withdrawn; a sentence is no stop word";
}

TEST_F(Consents, WhoAgreesAgainLaterIsWrittenToAgain) {
  reply("stop");
  house->now += 1000;
  say(true);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U);
  say(false);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U);
  EXPECT_EQ(shown().consent_size(), 2) << "its history is kept";
}

TEST_F(Consents, WhatWasSaidEarlierAndToldLaterDecidesNothing) {
  say(false);
  say(true, wire::MARKETING, {}, house->now - 3'600'000);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U);
}

TEST_F(Consents, OutliveARestart) {
  say(true);
  house->reopen();
  api = house->join("api");
  sms = house->join("sms", 2);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U);
  reply("STOP");
  house->reopen();
  api = house->join("api");
  sms = house->join("sms", 3);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U);
}

TEST_F(Consents, OutliveARotationOfTheKeyThatNumbersPersons) {
  say(false);
  Keyring rotated = house->ring().clone();
  ASSERT_TRUE(rotated.rotate(Purpose::pseudonym, house->now).has_value());
  house->put_ring(std::move(rotated));
  house->reopen();
  api = house->join("api");
  sms = house->join("sms", 2);
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 1U);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U);
  EXPECT_EQ(shown().consent_size(), 1);
  say(true);
  EXPECT_EQ(shown().consent_size(), 2) << "and the history goes on under the new number";
}

TEST_F(Consents, EndWithThePerson) {
  say(true);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U);
  ASSERT_TRUE(house->vault().erase(person_of(house->vault().context().keys, "customer-1", {}), "root").has_value());
  wire::RecipientAsk what;
  what.set_show(true);
  EXPECT_EQ(ask(std::move(what)).outcome(), wire::Answer::NOT_FOUND);
  EXPECT_EQ(told(EventType::consent_changed, audit::Field::text), std::vector<std::string>{}) << "the log tells it to nobody any more";
}

TEST_F(Consents, ARecordWithoutWordingOrSourceIsRefused) {
  wire::RecipientAsk what;
  what.mutable_consent()->set_purpose(wire::MARKETING);
  what.mutable_consent()->set_given(true);
  wire::Answer answer = ask(what);
  EXPECT_EQ(answer.outcome(), wire::Answer::BAD_REQUEST);
  ASSERT_EQ(answer.problem_size(), 2);
  EXPECT_EQ(answer.problem(0).code(), "no-source");
  EXPECT_EQ(answer.problem(1).code(), "no-wording");
  what.mutable_consent()->set_source("app");
  what.mutable_consent()->set_wording("No codes, please");
  what.mutable_consent()->set_given(false);
  what.mutable_consent()->set_purpose(wire::OTP);
  answer = ask(what);
  EXPECT_EQ(answer.outcome(), wire::Answer::BAD_REQUEST);
  EXPECT_EQ(answer.problem(0).code(), "purpose-always-allowed");
  what.mutable_consent()->set_purpose(wire::MARKETING);
  what.mutable_consent()->set_at_ms(static_cast<std::uint64_t>(house->now + 3'600'000));
  EXPECT_EQ(ask(what).problem(0).code(), "in-the-future");
  EXPECT_EQ(leaves(EventType::consent_changed), 0U);
}

TEST_F(Consents, AreForClientsThatMayKeepThem) {
  wire::RecipientAsk what;
  what.set_show(true);
  EXPECT_EQ(ask(what, kOtherUri).outcome(), wire::Answer::FORBIDDEN);
}

TEST_F(Consents, HistoryIsBoundedAndLosesNothingThatDecides) {
  say(false, wire::SERVICE, "sms");
  for (std::size_t i = 0; i < kMaxConsents + 20; ++i) {
    house->now += 1000;
    say(i % 2 == 0);
  }
  EXPECT_EQ(shown().consent_size(), static_cast<int>(kMaxConsents));
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 0U) << "the oldest still decides for its channel";
}

TEST_F(Consents, AddressesThatAreKeptServeWhoeverNamesTheCustomer) {
  wire::RecipientAsk what;
  what.mutable_keep()->set_phone("380671234567");
  what.mutable_keep()->set_time_zone("Europe/Kyiv");
  what.mutable_keep()->set_preferred("sms");
  ASSERT_EQ(ask(what).outcome(), wire::Answer::OK);
  wire::Submit submit = House::submit();
  submit.mutable_recipient()->Clear();
  submit.mutable_recipient()->set_reference("customer-1");
  ASSERT_EQ(house->send(api, submit).outcome(), wire::Verdict::STORED);
  const std::vector<wire::Deliver> deliveries = house->deliveries(sms);
  ASSERT_EQ(deliveries.size(), 1U);
  EXPECT_EQ(deliveries[0].address(), "380671234567");
  submit.mutable_recipient()->set_phone("380670000009");
  ASSERT_EQ(house->send(api, submit).outcome(), wire::Verdict::STORED);
  EXPECT_EQ(house->deliveries(sms)[0].address(), "380670000009") << "what a client names comes first";
  what.Clear();
  what.set_forget(true);
  ASSERT_EQ(ask(what).outcome(), wire::Answer::OK);
  submit.mutable_recipient()->clear_phone();
  const wire::Verdict verdict = house->send(api, submit);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID);
  EXPECT_EQ(verdict.problem(0).code(), "no-address");
}

TEST_F(Consents, AddressesThatAreWrongAreNotKept) {
  wire::RecipientAsk what;
  what.mutable_keep()->set_phone("0671234567x");
  what.mutable_keep()->set_time_zone("Europe/Atlantis");
  const wire::Answer answer = ask(what);
  EXPECT_EQ(answer.outcome(), wire::Answer::BAD_REQUEST);
  ASSERT_EQ(answer.problem_size(), 2);
  EXPECT_EQ(answer.problem(0).pointer(), "/phone");
  EXPECT_EQ(answer.problem(1).pointer(), "/time_zone");
}

}  // namespace
}  // namespace postern::vault
