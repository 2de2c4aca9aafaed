// SPDX-License-Identifier: Apache-2.0
// Scenarios from their files to what the connectors are given: steps that begin together, orders, conditions, validity.
#include <gtest/gtest.h>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

const std::map<std::string, std::string> kFiles{
    {"both", "name = \"both\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"push\"\nwait = \"1m\"\n[[steps]]\nchannel = \"sms\"\ntogether = true\n"
             "[[steps]]\nchannel = \"email\"\n"},
    {"cheap", "name = \"cheap\"\norder = \"cheapest\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"viber\"\nwait = \"1m\"\n[[steps]]\nchannel = \"telegram\"\nwait = \"2m\"\n"},
    {"liked", "name = \"liked\"\norder = \"preferred\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"push\"\nwait = \"1m\"\n[[steps]]\nchannel = \"sms\"\nwait = \"1m\"\n"},
    {"large", "name = \"large\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"push\"\nwait = \"1m\"\nwhen = 'param.code >= 1000'\n[[steps]]\nchannel = \"sms\"\n"},
    {"kyc", "name = \"kyc\"\ndeadline = \"30d\"\nstop_on = [\"upload\"]\n[[steps]]\npause = \"3d\"\n[[steps]]\nchannel = \"push\"\n"},
    {"moment", "name = \"moment\"\ndeadline = \"1h\"\nstart_on = [\"transaction\"]\nstart_by = \"3d\"\n[[steps]]\nchannel = \"sms\"\n"},
    {"short", "name = \"short\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"sms\"\nvalidity = \"2m\"\n"},
    {"doubled", "name = \"doubled\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"sms\"\nwait = \"1m\"\n[[steps]]\nchannel = \"sms\"\ntogether = true\n"},
};

const char* const kMore = R"(
[[routes]]
channel = "viber"
connector = "vb"
price = "0.03"
[[routes]]
channel = "telegram"
connector = "tg"
price = "0.01"
[connectors.vb]
user = "root"
channel = "viber"
[connectors.tg]
user = "root"
channel = "telegram"
[categories.otp]
scenario = "sms"
[categories.security]
scenario = "sms"
[categories.transaction]
scenario = "sms"
[[categories.transaction.choose]]
when = 'country == "255" and recipient.push'
scenario = "push-sms"
[[categories.transaction.choose]]
when = 'recipient.locale == "uk"'
scenario = "ask"
[categories.service]
scenario = "sms"
[categories.marketing]
scenario = "sms"
)";

class Scenarios : public testing::Test {
 protected:
  House house{kMore, kFiles, {}, {}, /*own_categories=*/true};
  PeerId api = house.join("api");

  std::string stored(wire::Submit submit) {
    const wire::Verdict verdict = house.send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED) << (verdict.problem_size() > 0 ? verdict.problem(0).detail() : "");
    return verdict.id();
  }
};

TEST_F(Scenarios, StepsThatBeginTogetherAreHandedToBothConnectors) {
  const PeerId push = house.join("push"), sms = house.join("sms");
  const std::string id = stored(House::submit("both"));
  const std::vector<wire::Deliver> first = house.deliveries(push), second = house.deliveries(sms);
  ASSERT_EQ(first.size(), 1U);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_NE(first[0].attempt().number(), second[0].attempt().number());
  house.result(push, first[0].attempt(), wire::Result::SENT, {"p-1"});
  house.result(sms, second[0].attempt(), wire::Result::SENT, {"s-1"});
  house.receipt(sms, "s-1", wire::DELIVERED);
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
  EXPECT_EQ(house.vault().context().metrics.double_contacts, 0U);
}

TEST_F(Scenarios, AConnectorThatIsAwayDoesNotHoldUpTheOther) {
  stored(House::submit("both"));
  const PeerId sms = house.join("sms");
  house.turn();
  EXPECT_EQ(house.deliveries(sms).size(), 1U) << "the push waits for its connector alone";
  const PeerId push = house.join("push");
  house.turn();
  EXPECT_EQ(house.deliveries(push).size(), 1U);
}

TEST_F(Scenarios, BothPlacesOutliveARestart) {
  stored(House::submit("both"));
  house.reopen();
  const PeerId sms = house.join("sms"), push = house.join("push");
  house.turn();
  EXPECT_EQ(house.deliveries(sms).size(), 1U);
  EXPECT_EQ(house.deliveries(push).size(), 1U);
  // Handed to both, and both processes are gone: each attempt is in doubt.
  house.reopen();
  house.join("sms", 2);
  house.join("push", 2);
  house.turn();
  std::size_t doubts = 0;
  for (const audit::Leaf& leaf : house.leaves()) doubts += leaf.type == EventType::in_doubt;
  EXPECT_EQ(doubts, 2U);
}

TEST_F(Scenarios, TwoStepsThatBeginTogetherMayGoTheSameWay) {
  const PeerId sms = house.join("sms");
  const std::string id = stored(House::submit("doubled"));
  house.turn();
  const std::vector<wire::Deliver> both = house.deliveries(sms);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_NE(both[0].attempt().number(), both[1].attempt().number());
  house.result(sms, both[0].attempt(), wire::Result::REFUSED);
  EXPECT_EQ(house.view(api, id).state(), wire::ACCEPTED + 0) << "the other is still under way";
  house.result(sms, both[1].attempt(), wire::Result::REFUSED);
  EXPECT_EQ(house.view(api, id).state(), wire::FAILED);
}

TEST_F(Scenarios, TheCheapestChannelIsTriedFirst) {
  const PeerId viber = house.join("vb"), telegram = house.join("tg");
  stored(House::submit("cheap"));
  const std::vector<wire::Deliver> first = house.deliveries(telegram);
  ASSERT_EQ(first.size(), 1U);
  house.result(telegram, first[0].attempt(), wire::Result::SENT, {"t-1"});
  EXPECT_EQ(house.deliveries(viber).size(), 0U);
  house.pass(121'000);
  EXPECT_EQ(house.deliveries(viber).size(), 1U) << "each step keeps its own wait";
}

TEST_F(Scenarios, ThePreferredChannelIsTriedFirst) {
  const PeerId push = house.join("push"), sms = house.join("sms");
  wire::Submit submit = House::submit("liked");
  submit.mutable_recipient()->set_preferred("sms");
  stored(submit);
  EXPECT_EQ(house.deliveries(sms).size(), 1U);
  EXPECT_EQ(house.deliveries(push).size(), 0U);
  stored(House::submit("liked"));
  EXPECT_EQ(house.deliveries(push).size(), 1U) << "without a preference it is the scenario's order";
  submit.mutable_recipient()->set_preferred("pigeon");
  const wire::Verdict verdict = house.send(api, submit);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID);
  EXPECT_EQ(verdict.problem(0).pointer(), "/recipient/preferred");
}

TEST_F(Scenarios, AStepWhoseConditionDoesNotHoldIsLeftOut) {
  const PeerId push = house.join("push"), sms = house.join("sms");
  const auto with_code = [](const std::string& code) {
    wire::Submit submit = House::submit("large");
    submit.clear_text();
    submit.set_template_("code");
    for (const auto& [name, value] : {std::pair("code", code), std::pair("who", std::string("you"))}) {
      wire::Variable& variable = *submit.add_variable();
      variable.set_name(name);
      variable.set_value(value);
    }
    return submit;
  };
  stored(with_code("999"));
  EXPECT_EQ(house.deliveries(push).size(), 0U);
  EXPECT_EQ(house.deliveries(sms).size(), 1U);
  stored(with_code("1000"));
  EXPECT_EQ(house.deliveries(push).size(), 1U);
}

TEST_F(Scenarios, ACategoryChoosesItsScenarioByCondition) {
  const PeerId sms = house.join("sms"), wa = house.join("wa");
  stored(House::submit("", "380671234567", wire::TRANSACTION));
  EXPECT_EQ(house.deliveries(sms).size(), 1U) << "no condition holds: the default";
  wire::Submit submit = House::submit("", "380671234567", wire::TRANSACTION);
  submit.mutable_recipient()->set_locale("uk");
  const wire::Verdict verdict = house.send(api, submit);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED);
  EXPECT_EQ(house.deliveries(wa).size(), 1U);
}

// ---- IN06, and events of the bank's systems ----

TEST_F(Scenarios, AMessageThatHasNotBegunIsListedMovedAndCancelled) {
  const PeerId sms = house.join("sms");
  wire::Submit later = House::submit("sms");
  later.set_send_at_ms(static_cast<std::uint64_t>(house.now + 60'000));
  const std::string waiting = stored(later), now = stored(House::submit("sms"));
  const auto listed = [&](bool scheduled, const std::string& after = {}) {
    wire::Query query;
    query.set_identity(kBankUri);
    query.mutable_list()->set_limit(100);
    query.mutable_list()->set_scheduled(scheduled);
    query.mutable_list()->set_after(after);
    const wire::Answer answer = house.ask(api, query);
    std::vector<std::string> ids;
    for (const wire::MessageView& view : answer.listed()) ids.push_back(view.id());
    return ids;
  };
  EXPECT_EQ(listed(false), (std::vector<std::string>{waiting, now}));
  EXPECT_EQ(listed(true), std::vector<std::string>{waiting});
  EXPECT_EQ(listed(false, waiting), std::vector<std::string>{now});

  wire::Query move;
  move.set_identity(kBankUri);
  move.mutable_move()->set_id(waiting);
  move.mutable_move()->set_send_at_ms(static_cast<std::uint64_t>(house.now + 120'000));
  wire::Answer moved = house.ask(api, move);
  EXPECT_EQ(moved.outcome(), wire::Answer::OK);
  EXPECT_EQ(moved.message().send_at_ms(), static_cast<std::uint64_t>(house.now + 120'000));
  EXPECT_EQ(moved.message().deadline_ms(), static_cast<std::uint64_t>(house.now + 120'000 + 3'600'000)) << "it has as much time as before";
  move.mutable_move()->set_deadline_ms(static_cast<std::uint64_t>(house.now + 1));
  EXPECT_EQ(house.ask(api, move).outcome(), wire::Answer::BAD_REQUEST);
  move.mutable_move()->set_id(now);
  move.mutable_move()->set_deadline_ms(0);
  EXPECT_EQ(house.ask(api, move).outcome(), wire::Answer::TOO_LATE);
  move.set_identity(kOtherUri);
  EXPECT_EQ(house.ask(api, move).outcome(), wire::Answer::NOT_FOUND);

  house.deliveries(sms);
  house.pass(61'000);
  EXPECT_EQ(house.deliveries(sms).size(), 0U) << "its old time has passed";
  house.pass(60'000);
  EXPECT_EQ(house.deliveries(sms).size(), 1U);
}

wire::Query signal_of(const std::string& event, const std::string& recipient) {
  wire::Query query;
  query.set_identity(kBankUri);
  query.mutable_signal()->set_event(event);
  query.mutable_signal()->set_recipient(recipient);
  return query;
}

TEST_F(Scenarios, AnEventEndsTheJourneysOfItsCustomerOnly) {
  const PeerId push = house.join("push");
  wire::Submit submit = House::submit("kyc");
  submit.mutable_recipient()->set_reference("customer-7");
  const std::string id = stored(submit);
  submit.mutable_recipient()->set_reference("customer-8");
  const std::string other = stored(submit);
  EXPECT_EQ(house.ask(api, signal_of("card", "customer-7")).count(), 0U) << "another event";
  EXPECT_EQ(house.ask(api, signal_of("upload", "customer-9")).count(), 0U) << "another customer";
  const wire::Answer answer = house.ask(api, signal_of("upload", "customer-7"));
  EXPECT_EQ(answer.outcome(), wire::Answer::OK);
  EXPECT_EQ(answer.count(), 1U);
  EXPECT_EQ(house.view(api, id).state(), wire::CANCELLED);
  EXPECT_EQ(house.view(api, id).reason(), "event-upload");
  EXPECT_EQ(house.ask(api, signal_of("upload", "customer-7")).count(), 0U) << "once";
  house.reopen();
  api = house.join("api");
  const PeerId again = house.join("push", 2);
  house.pass(3LL * 24 * 3'600'000 + 1000);
  ASSERT_EQ(house.deliveries(again).size(), 1U) << "the other is reminded";
  EXPECT_EQ(house.ask(api, signal_of("upload", "customer-8")).count(), 1U);
  EXPECT_TRUE(is_final(MessageState(house.view(api, other).state())));
  (void)push;
}

TEST_F(Scenarios, AnOfferIsSentJustAfterTheCustomersTransactionOrAtItsTime) {
  PeerId sms = house.join("sms");
  wire::Submit submit = House::submit("moment");
  submit.mutable_recipient()->set_reference("customer-7");
  const std::string id = stored(submit);
  submit.mutable_recipient()->set_reference("customer-8");
  stored(submit);
  house.turn();
  EXPECT_TRUE(house.deliveries(sms).empty()) << "both wait for their moment";
  house.reopen();
  api = house.join("api");
  sms = house.join("sms", 2);
  house.pass(3'600'000);
  EXPECT_EQ(house.ask(api, signal_of("transaction", "customer-7")).begun(), 1U) << "the journey outlives a restart";
  const std::vector<wire::Deliver> given = house.deliveries(sms);
  ASSERT_EQ(given.size(), 1U) << "at once";
  house.result(sms, given[0].attempt(), wire::Result::SENT, {"s-1"});
  house.receipt(sms, "s-1", wire::DELIVERED);
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
  EXPECT_EQ(house.ask(api, signal_of("transaction", "customer-7")).begun(), 0U) << "the second payment sends nothing";
  house.pass(3LL * 24 * 3'600'000);
  EXPECT_EQ(house.deliveries(sms).size(), 1U) << "who paid nothing has it after three days";
}

TEST_F(Scenarios, WhatWaitsForItsMomentNeedsADeadlineAfterIt) {
  wire::Submit submit = House::submit("moment");
  submit.set_deadline_ms(static_cast<std::uint64_t>(house.now + 3'600'000));
  const wire::Verdict verdict = house.send(api, std::move(submit));
  ASSERT_EQ(verdict.problem_size(), 1);
  EXPECT_EQ(verdict.problem(0).code(), "deadline-before-send-at");
}

TEST_F(Scenarios, ASignalWithoutAnEventOrWithTwoAimsIsRefused) {
  EXPECT_EQ(house.ask(api, signal_of("", "customer-7")).outcome(), wire::Answer::BAD_REQUEST);
  EXPECT_EQ(house.ask(api, signal_of(std::string(65, 'e'), "customer-7")).outcome(), wire::Answer::BAD_REQUEST);
  wire::Query both = signal_of("upload", "customer-7");
  both.mutable_signal()->set_id("018f3a52-0000-7000-8000-0000000000ff");
  EXPECT_EQ(house.ask(api, both).outcome(), wire::Answer::BAD_REQUEST);
  both.mutable_signal()->clear_recipient();
  EXPECT_EQ(house.ask(api, both).outcome(), wire::Answer::NOT_FOUND);
}

TEST_F(Scenarios, AStepsValidityIsToldToItsConnector) {
  const PeerId sms = house.join("sms");
  stored(House::submit("short"));
  EXPECT_EQ(house.deliveries(sms).at(0).expires_ms(), static_cast<std::uint64_t>(house.now + 120'000));
}

}  // namespace
}  // namespace postern::vault
