// SPDX-License-Identifier: Apache-2.0
// From acceptance over delivery, result and receipt to the end: lanes, windows, reconnects, receipts and replies.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {


class Delivery : public testing::Test {
 protected:
  House house;
  PeerId api = house.join("api");

  std::string stored(wire::Submit submit) {
    const wire::Verdict verdict = house.send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED) << (verdict.problem_size() > 0 ? verdict.problem(0).detail() : "");
    return verdict.id();
  }
  wire::Deliver one(PeerId peer) {
    const wire::ToConnector heard = house.take(peer);
    EXPECT_EQ(heard.deliver_size(), 1);
    return heard.deliver_size() > 0 ? heard.deliver(0) : wire::Deliver();
  }
};

TEST_F(Delivery, ASubmitBecomesADeliveryAResultAReceiptAndAnEvent) {
  const PeerId sms = house.join("sms");
  wire::Submit submit = House::submit();
  submit.set_reference("order-7");
  const std::string id = stored(submit);
  const wire::Deliver deliver = one(sms);
  EXPECT_EQ(deliver.id(), id);
  EXPECT_EQ(deliver.channel(), "sms");
  EXPECT_EQ(deliver.address(), "380671234567");
  EXPECT_EQ(deliver.text(), "The card was used");
  EXPECT_EQ(deliver.category(), wire::SERVICE);
  EXPECT_EQ(deliver.attempt().number(), 1U);
  EXPECT_EQ(deliver.expires_ms(), static_cast<std::uint64_t>(house.now + 3'600'000));

  house.result(sms, deliver.attempt(), wire::Result::SENT, {"smsc-1"});
  EXPECT_EQ(house.view(api, id).attempt(0).progress(), wire::SENT);
  house.receipt(sms, "smsc-1", wire::DELIVERED);
  const wire::MessageView view = house.view(api, id);
  EXPECT_EQ(view.state(), wire::REACHED);
  EXPECT_EQ(view.reason(), "delivered");
  EXPECT_EQ(view.attempt(0).connector(), "sms");

  const std::vector<wire::Event> events = house.events(api);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].progress(), wire::SENT);
  EXPECT_EQ(events[1].progress(), wire::REACHED);
  EXPECT_EQ(events[1].reference(), "order-7");
  EXPECT_EQ(events[1].channel(), "sms");
  EXPECT_EQ(house.vault().context().metrics.waiting, 0U);
}

TEST_F(Delivery, NothingIsDeliveredBeforeTheConnectorIsThereAndThenItIs) {
  stored(House::submit());
  const PeerId sms = house.join("sms");
  one(sms);
}

TEST_F(Delivery, AConnectorThatSaysItIsDownGetsNothing) {
  const PeerId sms = house.join("sms");
  wire::ToVault frame;
  frame.mutable_health()->set_up(false);
  frame.mutable_health()->set_window(10);
  house.say(sms, frame);
  house.turn();
  stored(House::submit());
  EXPECT_EQ(house.take(sms).deliver_size(), 0);
  frame.mutable_health()->set_up(true);
  house.say(sms, frame);
  house.turn();
  one(sms);
}

TEST_F(Delivery, TheWindowIsNeverExceeded) {
  const PeerId sms = house.join("sms", 1, 7);
  std::set<std::uint64_t> open;
  std::size_t done = 0;
  for (int i = 0; i < 100; ++i) stored(House::submit());
  for (int guard = 0; guard < 1000 && done < 100; ++guard) {
    const wire::ToConnector heard = house.take(sms);
    for (const wire::Deliver& deliver : heard.deliver()) EXPECT_TRUE(open.insert(deliver.attempt().message()).second);
    ASSERT_LE(open.size(), 7U);
    ASSERT_FALSE(open.empty());
    wire::Attempt attempt;
    attempt.set_message(*open.begin());
    attempt.set_number(1);
    open.erase(open.begin());
    house.result(sms, attempt, wire::Result::SENT, {"id" + std::to_string(done++)});
  }
  EXPECT_EQ(done, 100U);
}

TEST_F(Delivery, AWindowThatShrinksIsObeyedFromThenOn) {
  const PeerId sms = house.join("sms", 1, 4);
  for (int i = 0; i < 10; ++i) stored(House::submit());
  const wire::ToConnector first = house.take(sms);
  ASSERT_EQ(first.deliver_size(), 4);
  wire::ToVault frame = House::result_frame(first.deliver(0).attempt(), wire::Result::SENT, {"a"});
  frame.mutable_health()->set_up(true);
  frame.mutable_health()->set_window(2);
  house.say(sms, frame);
  house.turn();
  EXPECT_EQ(house.take(sms).deliver_size(), 0);
  house.result(sms, first.deliver(1).attempt(), wire::Result::SENT, {"b"});
  house.result(sms, first.deliver(2).attempt(), wire::Result::SENT, {"c"});
  EXPECT_EQ(house.take(sms).deliver_size(), 1);
}

TEST_F(Delivery, AnOtpOvertakesFiveThousandMarketingMessages) {
  wire::ToVault frame;
  for (int i = 0; i < 5000; ++i) *frame.add_submit() = House::submit("sms", "380671234567", wire::MARKETING);
  house.say(api, std::move(frame));
  house.turn();
  const PeerId sms = house.join("sms", 1, 10);
  ASSERT_EQ(house.take(sms).deliver_size(), 10);
  stored(House::submit("sms", "380501234567", wire::OTP));
  // The first place that becomes free is the code's.
  wire::ToVault wider;
  wider.mutable_health()->set_up(true);
  wider.mutable_health()->set_window(11);
  house.say(sms, wider);
  house.turn();
  const wire::Deliver next = one(sms);
  EXPECT_EQ(next.category(), wire::OTP);
  EXPECT_EQ(next.address(), "380501234567");
}

TEST_F(Delivery, APartOfTheWindowIsKeptForCodesAndWarnings) {
  wire::ToVault frame;
  for (int i = 0; i < 40; ++i) *frame.add_submit() = House::submit("sms", "380671234567", i % 2 == 0 ? wire::MARKETING : wire::TRANSACTION);
  house.say(api, std::move(frame));
  house.turn();
  const PeerId sms = house.join("sms", 1, 32);
  ASSERT_EQ(house.take(sms).deliver_size(), 30);
  stored(House::submit("sms", "380501234567", wire::OTP));
  EXPECT_EQ(one(sms).category(), wire::OTP) << "with no result yet";
  stored(House::submit("sms", "380501234568", wire::SECURITY));
  EXPECT_EQ(one(sms).category(), wire::SECURITY);
  stored(House::submit("sms", "380501234569", wire::OTP));
  EXPECT_EQ(house.take(sms).deliver_size(), 0) << "the window is never exceeded";
}

TEST_F(Delivery, MoreThanTenThousandWaitingMessagesKeepTheirOrderAndAllGoOut) {
  constexpr int kCount = 12'000;
  std::vector<std::string> wanted;
  for (int i = 0; i < kCount / 1000; ++i) {
    wire::ToVault frame;
    for (int k = 0; k < 1000; ++k) *frame.add_submit() = House::submit("sms", "380671234567", wire::SERVICE);
    house.say(api, std::move(frame));
    house.turn();
    for (const wire::Verdict& verdict : house.verdicts(api)) wanted.push_back(verdict.id());
  }
  const PeerId sms = house.join("sms", 1, 1500);
  std::vector<std::string> got;
  while (got.size() < kCount) {
    const wire::ToConnector heard = house.take(sms);
    ASSERT_GT(heard.deliver_size(), 0) << got.size();
    wire::ToVault frame;
    for (const wire::Deliver& deliver : heard.deliver()) {
      got.push_back(deliver.id());
      frame.MergeFrom(House::result_frame(deliver.attempt(), wire::Result::SENT, {deliver.id()}, /*receipts=*/false));
    }
    house.say(sms, std::move(frame));
    house.turn();
  }
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(house.vault().context().metrics.waiting, 0U);
}

TEST_F(Delivery, AllOfALongQueueGoOutAlsoWhenMessagesArriveMeanwhile) {
  const PeerId sms = house.join("sms", 1, 300);
  std::set<std::string> accepted, got;
  for (int round = 0; round < 40; ++round) {
    wire::ToVault frame;
    if (round < 20)
      for (int k = 0; k < 400; ++k) *frame.add_submit() = House::submit("sms", "380671234567", k % 3 == 0 ? wire::OTP : wire::MARKETING);
    house.say(api, std::move(frame));
    house.turn();
    for (const wire::Verdict& verdict : house.verdicts(api)) accepted.insert(verdict.id());
    wire::ToVault results;
    for (const wire::Deliver& deliver : house.deliveries(sms)) {
      EXPECT_TRUE(got.insert(deliver.id()).second) << "delivered twice";
      results.MergeFrom(House::result_frame(deliver.attempt(), wire::Result::SENT, {deliver.id()}, false));
    }
    house.say(sms, std::move(results));
    house.turn();
  }
  for (int guard = 0; guard < 100 && got.size() < accepted.size(); ++guard) {
    wire::ToVault results;
    for (const wire::Deliver& deliver : house.deliveries(sms)) {
      EXPECT_TRUE(got.insert(deliver.id()).second) << "delivered twice";
      results.MergeFrom(House::result_frame(deliver.attempt(), wire::Result::SENT, {deliver.id()}, false));
    }
    house.say(sms, std::move(results));
    house.turn();
  }
  EXPECT_EQ(got, accepted);
  EXPECT_EQ(accepted.size(), 8000U);
}

// ---- reconnects ----

TEST_F(Delivery, TheSameProcessThatComesBackIsToldItsAttemptsAgain) {
  const PeerId sms = house.join("sms", 77);
  stored(House::submit());
  const wire::Deliver first = one(sms);
  house.leave(sms);
  const PeerId again = house.join("sms", 77);
  const wire::Deliver second = one(again);
  EXPECT_EQ(second.SerializeAsString(), first.SerializeAsString());
  house.result(again, second.attempt(), wire::Result::SENT, {"x"});
  EXPECT_EQ(house.view(api, first.id()).attempt_size(), 1);
}

TEST_F(Delivery, AnotherProcessLeavesTheAttemptsOfTheFirstInDoubt) {
  const PeerId sms = house.join("sms", 77);
  const std::string id = stored(House::submit());  // service: rather never twice
  one(sms);
  house.leave(sms);
  const PeerId other = house.join("sms", 78);
  EXPECT_EQ(house.take(other).deliver_size(), 0);
  const wire::MessageView view = house.view(api, id);
  EXPECT_EQ(view.attempt(0).progress(), wire::UNKNOWN);
  EXPECT_EQ(view.attempt(0).reason(), "connector-lost");
}

TEST_F(Delivery, AnOtpInDoubtGoesItsNextWay) {
  const PeerId push = house.join("push", 77), sms = house.join("sms");
  stored(House::submit("push-sms", "380671234567", wire::OTP));
  one(push);
  house.leave(push);
  house.join("push", 78);
  EXPECT_EQ(one(sms).attempt().number(), 2U);
}

TEST_F(Delivery, AResultThatWasReadBeforeTheConnectorWentIsNotLost) {
  const PeerId sms = house.join("sms", 77);
  const std::string id = stored(House::submit());
  const wire::Deliver deliver = one(sms);
  house.say(sms, House::result_frame(deliver.attempt(), wire::Result::SENT, {"x"}));
  house.leave(sms);
  house.join("sms", 78);
  EXPECT_EQ(house.view(api, id).attempt(0).progress(), wire::SENT);
}

TEST_F(Delivery, AnAttemptWhoseMessageHasEndedIsNotToldAgainForSending) {
  const PeerId push = house.join("push", 1), sms = house.join("sms", 77);
  const std::string id = stored(House::submit("push-sms", "380671234567", wire::OTP));
  const wire::Deliver first = one(push);
  house.result(push, first.attempt(), wire::Result::SENT, {"p1"});
  house.pass(10'000);
  const wire::Deliver fallback = one(sms);  // handed, yet let us say that the frame never arrived
  house.leave(sms);
  house.receipt(push, "p1", wire::DELIVERED);
  ASSERT_EQ(house.view(api, id).state(), wire::REACHED);
  const PeerId again = house.join("sms", 77);
  const wire::ToConnector heard = house.take(again);
  EXPECT_EQ(heard.deliver_size(), 0) << "a connector that never saw it would send it now";
}

TEST_F(Delivery, ResultsAreTakenFromTheConnectorThatHoldsTheAttemptOnly) {
  const PeerId sms = house.join("sms"), sms2 = house.join("sms2");
  const std::string id = stored(House::submit());
  const wire::Deliver deliver = one(sms);
  house.result(sms2, deliver.attempt(), wire::Result::SENT, {"forged"});
  EXPECT_EQ(house.view(api, id).attempt(0).progress(), wire::HANDED);
  wire::Attempt wrong = deliver.attempt();
  for (const std::uint32_t number : {0U, 2U, 200U, ~0U}) {
    wrong.set_number(number);
    house.result(sms, wrong, wire::Result::SENT, {"forged"});
  }
  wrong.set_message(12345);
  house.result(sms, wrong, wire::Result::SENT, {"forged"});
  EXPECT_EQ(house.view(api, id).attempt(0).progress(), wire::HANDED);
}

TEST_F(Delivery, AResultSaidTwiceChangesNothingTheSecondTime) {
  const PeerId sms = house.join("sms");
  const std::string id = stored(House::submit());
  const wire::Deliver deliver = one(sms);
  house.result(sms, deliver.attempt(), wire::Result::SENT, {"a"});
  const std::size_t leaves = house.leaves().size();
  house.result(sms, deliver.attempt(), wire::Result::SENT, {"a"});
  house.result(sms, deliver.attempt(), wire::Result::REFUSED);
  EXPECT_EQ(house.leaves().size(), leaves);
  EXPECT_EQ(house.view(api, id).attempt(0).progress(), wire::SENT);
}

TEST_F(Delivery, AResultWithManyLongProviderIdsKeepsTheLogReadable) {
  const PeerId sms = house.join("sms");
  stored(House::submit());
  std::vector<std::string> ids;
  for (int i = 0; i < 400; ++i) ids.push_back(std::to_string(i) + std::string(250, 'x'));
  house.result(sms, one(sms).attempt(), wire::Result::SENT, ids);
  const Result<std::vector<Bytes>> leaves = house.vault().context().store.leaves(0, 1000);
  ASSERT_TRUE(leaves.has_value());
  for (const Bytes& leaf : *leaves) {
    EXPECT_LE(leaf.size(), audit::kMaxLeaf);
    EXPECT_TRUE(audit::decode_leaf(leaf).has_value());
  }
}

TEST_F(Delivery, ARefusedConnectorsWordIsCutToAPlainOne) {
  const PeerId sms = house.join("sms");
  const std::string id = stored(House::submit());
  wire::ToVault frame = House::result_frame(one(sms).attempt(), wire::Result::REFUSED);
  frame.mutable_result(0)->set_reason("a b\nc\x01" "Ж" + std::string(100, 'z'));
  house.say(sms, frame);
  house.turn();
  const std::string reason = house.view(api, id).reason();
  EXPECT_EQ(reason.substr(0, 6), "a_b_c_");
  EXPECT_LE(reason.size(), 64U);
  EXPECT_TRUE(std::ranges::all_of(reason, [](char c) { return c > ' ' && c <= '~'; }));
}

// ---- fallback by time ----

TEST_F(Delivery, TheFallbackComesWhenThePushIsNotConfirmedInItsWait) {
  const PeerId push = house.join("push"), sms = house.join("sms");
  const std::string id = stored(House::submit("push-sms", "380671234567", wire::OTP));
  house.result(push, one(push).attempt(), wire::Result::SENT, {"p"});
  house.pass(9'999);
  EXPECT_EQ(house.take(sms).deliver_size(), 0);
  house.pass(1);
  const wire::Deliver deliver = one(sms);
  EXPECT_EQ(deliver.attempt().number(), 2U);
  EXPECT_EQ(deliver.id(), id);
}

TEST_F(Delivery, AfterTheDeadlineNothingIsSentAndTheClientIsTold) {
  const std::string id = stored(House::submit("push-sms", "380671234567", wire::OTP));
  house.pass(300'000);
  EXPECT_EQ(house.view(api, id).state(), wire::EXPIRED);
  const PeerId push = house.join("push"), sms = house.join("sms");
  EXPECT_EQ(house.take(push).deliver_size() + house.take(sms).deliver_size(), 0);
  const std::vector<wire::Event> events = house.events(api);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().progress(), wire::EXPIRED);
}

TEST_F(Delivery, AHandedAttemptOfAnExpiredMessageIsCalledBack) {
  const PeerId sms = house.join("sms");
  stored(House::submit());
  const wire::Deliver deliver = one(sms);
  house.pass(3'600'000);
  const wire::ToConnector heard = house.take(sms);
  ASSERT_EQ(heard.cancel_size(), 1);
  EXPECT_EQ(heard.cancel(0).message(), deliver.attempt().message());
}

TEST_F(Delivery, ASendAtMessageGoesOutAtItsTime) {
  const PeerId sms = house.join("sms");
  wire::Submit submit = House::submit();
  submit.set_send_at_ms(static_cast<std::uint64_t>(house.now + 5000));
  stored(submit);
  house.pass(4999);
  EXPECT_EQ(house.take(sms).deliver_size(), 0);
  house.pass(1);
  one(sms);
}

TEST_F(Delivery, ARetryComesAfterItsPause) {
  const PeerId sms = house.join("sms");
  stored(House::submit());
  house.result(sms, one(sms).attempt(), wire::Result::RETRY);
  house.pass(999);
  EXPECT_EQ(house.take(sms).deliver_size(), 0);
  house.pass(1);
  EXPECT_EQ(one(sms).attempt().number(), 2U);
}

TEST_F(Delivery, TheNetworkOfTheNumberPicksTheRoute) {
  const std::string csv = house.state() + "/t.csv";
  std::ofstream(csv) << "kind,number,network,date\nrange,38063,25506,\nrange,38067,25503,\nported,380671111111,25506,2026-01-01\n";
  ASSERT_TRUE(numbers::import_csv(csv, house.state() + "/new.idx").has_value());
  ASSERT_TRUE(house.vault().load_numbers(house.state() + "/new.idx", "root").has_value());
  const PeerId sms = house.join("sms"), sms2 = house.join("sms2");
  stored(House::submit("sms", "380672222222"));
  EXPECT_EQ(one(sms).network(), "25503");
  stored(House::submit("sms", "380671111111"));
  EXPECT_EQ(one(sms2).network(), "25506");
  stored(House::submit("sms", "380631234567"));
  one(sms2);
}

// ---- receipts ----

TEST_F(Delivery, AReceiptThatOvertakesItsResultIsKeptForIt) {
  const PeerId sms = house.join("sms");
  const std::string id = stored(House::submit());
  const wire::Deliver deliver = one(sms);
  house.receipt(sms, "early", wire::DELIVERED);
  EXPECT_EQ(house.view(api, id).state(), wire::ACCEPTED);
  house.result(sms, deliver.attempt(), wire::Result::SENT, {"early"});
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
}

TEST_F(Delivery, AReceiptBeforeItsResultInTheSameTurnCounts) {
  const PeerId sms = house.join("sms");
  const std::string id = stored(House::submit());
  const wire::Deliver deliver = one(sms);
  wire::ToVault early;
  early.add_receipt()->set_provider_id("e");
  early.mutable_receipt(0)->set_progress(wire::DELIVERED);
  house.say(sms, early);
  house.say(sms, House::result_frame(deliver.attempt(), wire::Result::SENT, {"e"}));
  house.turn();
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
}

TEST_F(Delivery, AParkedReceiptSurvivesARestart) {
  const PeerId sms = house.join("sms", 5);
  const std::string id = stored(House::submit());
  const wire::Deliver deliver = one(sms);
  house.receipt(sms, "early", wire::DELIVERED);
  house.reopen();
  const PeerId again = house.join("sms", 5);
  api = house.join("api");
  house.result(again, deliver.attempt(), wire::Result::SENT, {"early"});
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
}

TEST_F(Delivery, EveryPartsReceiptIsNeeded) {
  const PeerId sms = house.join("sms");
  const std::string id = stored(House::submit());
  house.result(sms, one(sms).attempt(), wire::Result::SENT, {"a", "b", "c"});
  house.receipt(sms, "c", wire::DELIVERED);
  house.receipt(sms, "a", wire::DELIVERED);
  EXPECT_EQ(house.view(api, id).state(), wire::ACCEPTED);
  house.receipt(sms, "b", wire::DELIVERED);
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
}

TEST_F(Delivery, AReceiptOfAnotherConnectorsIdDoesNothing) {
  const PeerId sms = house.join("sms"), sms2 = house.join("sms2");
  const std::string id = stored(House::submit());
  house.result(sms, one(sms).attempt(), wire::Result::SENT, {"a"});
  house.receipt(sms2, "a", wire::DELIVERED);
  house.receipt(sms2, "a", wire::DELIVERED, "sms");
  EXPECT_EQ(house.view(api, id).state(), wire::ACCEPTED) << "a channel may not speak for another";
}

TEST_F(Delivery, AWebhookSpeaksForTheConnectorsThatItIsConfiguredFor) {
  const PeerId sms = house.join("sms"), hook = house.join("hook");
  const std::string id = stored(House::submit());
  house.result(sms, one(sms).attempt(), wire::Result::SENT, {"a"});
  house.receipt(hook, "a", wire::DELIVERED, "sms");
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
}

TEST_F(Delivery, ASourceThatIsConfiguredForNobodySpeaksForNobody) {
  const PeerId sms = house.join("sms");
  const std::string id = stored(House::submit());
  house.result(sms, one(sms).attempt(), wire::Result::SENT, {"a"});
  house.receipt(api, "a", wire::DELIVERED, "sms");
  EXPECT_EQ(house.view(api, id).state(), wire::ACCEPTED);
}

TEST_F(Delivery, TheEndNamesTheChannelThatReachedTheCustomer) {
  const PeerId push = house.join("push");
  stored(House::submit("push-sms", "380671234567", wire::OTP));
  house.result(push, one(push).attempt(), wire::Result::SENT, {"p"});
  house.pass(10'000);  // the SMS waits for its connector
  house.receipt(push, "p", wire::DELIVERED);
  const std::vector<wire::Event> events = house.events(api);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().progress(), wire::REACHED);
  EXPECT_EQ(events.back().channel(), "push");
}

// ---- replies ----

class Replies : public Delivery {
 protected:
  void reply(PeerId hook, const std::string& provider_id, const std::string& from, const std::string& text, const std::string& context = {}) {
    wire::ToVault frame;
    wire::Reply& r = *frame.add_reply();
    r.set_connector("wa");
    r.set_provider_id(provider_id);
    r.set_from(from);
    r.set_text(text);
    r.set_context_id(context);
    r.set_channel("whatsapp");
    house.say(hook, std::move(frame));
    house.turn();
  }
  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (const wire::Event& event : house.events(api))
      if (!event.text().empty()) all.push_back(event.text());
    return all;
  }
};

TEST_F(Replies, FindTheirMessageByTheProvidersContext) {
  const PeerId wa = house.join("wa"), hook = house.join("hook");
  const std::string id = stored(House::submit("ask"));
  house.result(wa, one(wa).attempt(), wire::Result::SENT, {"wamid.1"});
  reply(hook, "in.1", "380671234567", "yes", "wamid.1");
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
  EXPECT_EQ(texts(), std::vector<std::string>{"yes"});
}

TEST_F(Replies, FindTheLastMessageThatWaitsForAnAnswerByTheAddress) {
  const PeerId wa = house.join("wa"), hook = house.join("hook");
  stored(House::submit("ask"));
  one(wa);
  const std::string last = stored(House::submit("ask"));
  house.result(wa, one(wa).attempt(), wire::Result::SENT, {"wamid.2"});
  reply(hook, "in.1", "380671234567", "yes");
  EXPECT_EQ(house.view(api, last).state(), wire::REACHED);
}

TEST_F(Replies, FindTheirMessageAlsoWhenTheMessengersNumberIsNotThePhone) {
  const PeerId wa = house.join("wa"), hook = house.join("hook");
  wire::Submit submit = House::submit("ask");
  submit.mutable_recipient()->set_whatsapp("48500100200");
  const std::string id = stored(submit);
  house.result(wa, one(wa).attempt(), wire::Result::SENT, {"wamid.1"});
  reply(hook, "in.1", "48500100200", "yes");
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
}

TEST_F(Replies, ToldTwiceAreOneReply) {
  const PeerId wa = house.join("wa"), hook = house.join("hook");
  stored(House::submit("ask"));
  house.result(wa, one(wa).attempt(), wire::Result::SENT, {"wamid.1"});
  reply(hook, "in.1", "380671234567", "yes", "wamid.1");
  const std::size_t leaves = house.leaves().size();
  reply(hook, "in.1", "380671234567", "yes", "wamid.1");
  EXPECT_EQ(texts().size(), 1U);
  EXPECT_EQ(house.leaves().size(), leaves);
}

TEST_F(Replies, OfOneCustomerAreAllToldToTheClient) {
  const PeerId wa = house.join("wa"), hook = house.join("hook");
  stored(House::submit("ask"));
  house.result(wa, one(wa).attempt(), wire::Result::SENT, {"wamid.1"});
  reply(hook, "in.1", "380671234567", "yes", "wamid.1");
  reply(hook, "in.2", "380671234567", "no, stop", "wamid.1");
  EXPECT_EQ(texts(), (std::vector<std::string>{"yes", "no, stop"}));
}

TEST_F(Replies, ThatAreLongAreCutBetweenCharacters) {
  const PeerId wa = house.join("wa"), hook = house.join("hook");
  stored(House::submit("ask"));
  house.result(wa, one(wa).attempt(), wire::Result::SENT, {"wamid.1"});
  std::string text = "x";
  while (text.size() < 2000) text += "Ж";
  reply(hook, "in.1", "380671234567", text, "wamid.1");
  ASSERT_EQ(texts().size(), 1U);
  const std::string said = texts()[0];
  wire::ToConnector frame, read;
  frame.add_event()->set_text(said);
  EXPECT_TRUE(read.ParseFromString(frame.SerializeAsString())) << "half a character makes a frame unreadable";
  EXPECT_EQ(text.substr(0, said.size()), said);
  EXPECT_GE(said.size(), 600U);
}

TEST_F(Replies, WithoutAnyMessageAreAuditedAndToldToNobody) {
  const PeerId hook = house.join("hook");
  reply(hook, "in.1", "380671234567", "hello?");
  EXPECT_EQ(house.leaves().back().type, EventType::replied);
  EXPECT_TRUE(texts().empty());
}

}  // namespace
}  // namespace postern::vault
