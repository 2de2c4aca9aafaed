// SPDX-License-Identifier: Apache-2.0
// The engine's rules one by one: retries, doubt, cancel, deadline, receipts in any order.
#include "tests/unit/engine/support.hpp"

namespace postern::engine {
namespace {

using Kind = Result::Kind;
using Story = std::vector<std::string>;

std::vector<Step> one_sms(std::uint32_t wait_ms = 0) { return {step(Channel::sms, Until::delivered, wait_ms)}; }
std::vector<Step> push_then_sms() { return {step(Channel::push, Until::delivered, 10'000), step(Channel::sms, Until::delivered, 0)}; }

// ---- retries ----

TEST(Retry, WaitsTwiceAsLongBeforeEachFurtherTry) {
  Desk desk(one_sms());
  desk.rules.tries = 4;
  desk.begin();
  for (const TimeMs pause : {1000, 2000, 4000}) {
    desk.hand();
    desk.result(desk.flight.attempts.size() - 1, Kind::retry, "smsc-0x00000008");
    EXPECT_EQ(desk.flight.wake_ms() - desk.now, pause);
    const std::size_t before = desk.flight.attempts.size();
    desk.wait();
    EXPECT_EQ(desk.flight.attempts.size(), before + 1);
  }
  desk.hand();
  desk.result(3, Kind::retry, "smsc-0x00000008");
  expect_ended(desk, MessageState::failed, "smsc-0x00000008");
}

TEST(Retry, NeverWaitsLongerThanTenMinutes) {
  Desk desk(one_sms());
  desk.rules.tries = 20;
  desk.flight.deadline_ms = kStart + 100'000'000;
  desk.begin();
  TimeMs longest = 0;
  for (int i = 0; i < 19; ++i) {
    desk.hand();
    desk.result(desk.flight.attempts.size() - 1, Kind::retry);
    longest = std::max(longest, desk.flight.wake_ms() - desk.now);
    desk.wait();
  }
  EXPECT_EQ(longest, 600'000);
}

TEST(Retry, TakesTheProvidersOwnPauseWhenItGivesOne) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::retry, "busy", 12'345);
  EXPECT_EQ(desk.flight.plan[0].again_ms, desk.now + 12'345);
}

TEST(Retry, ThatWouldComeAfterTheStepsEndGoesToTheNextStep) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::retry, "busy", 10'000);
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.channel(1), Channel::sms);
}

TEST(Retry, ThatWouldComeAfterTheDeadlineIsNone) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::retry, "busy", 300'000);
  expect_ended(desk, MessageState::failed, "busy");
}

TEST(Retry, ThrottlingIsNotCountedAsATry) {
  Desk desk(one_sms());
  desk.rules.tries = 1;
  desk.begin();
  for (std::size_t i = 0; i < 5; ++i) {
    desk.hand();
    desk.result(i, Kind::throttled, "smsc-0x00000058");
    ASSERT_FALSE(is_final(desk.flight.state)) << i;
    EXPECT_EQ(desk.flight.wake_ms() - desk.now, 1000);
    desk.wait();
  }
  desk.hand();
  desk.result(5, Kind::retry, "busy");
  expect_ended(desk, MessageState::failed, "busy");
}

TEST(Retry, EndsAtTheHighestNumberOfAttempts) {
  Desk desk(one_sms());
  desk.flight.deadline_ms = kStart + 10'000'000;
  desk.begin();
  for (std::size_t i = 0; i < kMaxAttempts; ++i) {
    ASSERT_FALSE(is_final(desk.flight.state)) << i;
    desk.hand();
    desk.result(i, Kind::throttled, "slow-down");
    if (!is_final(desk.flight.state)) desk.wait();
  }
  EXPECT_EQ(desk.flight.state, MessageState::failed);
  EXPECT_EQ(desk.flight.attempts.size(), kMaxAttempts);
}

TEST(Retry, UsesTheRouteOfItsMoment) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::retry);
  desk.routes[Channel::sms] = 9;
  desk.wait();
  EXPECT_EQ(desk.flight.attempts.at(1).connector, 9);
}

TEST(Retry, WhoseStepHasEndedMeanwhileIsNotTaken) {
  // Both times passed while the gateway was down: the wait is over, so the next step is right.
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::retry, "busy", 5000);
  desk.now = kStart + 60'000;
  desk.due();
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.channel(1), Channel::sms);
}

// ---- doubt ----

TEST(Doubt, RatherTwiceGoesOnWithTheNextStep) {
  Desk desk(push_then_sms(), InDoubt::rather_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  EXPECT_EQ(desk.state(0), AttemptState::unknown);
  EXPECT_TRUE(desk.flight.attempts[0].in_doubt);
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.channel(1), Channel::sms);
}

TEST(Doubt, RatherTwiceTriesTheLastStepOnceMoreAndNoOftener) {
  Desk desk(one_sms(), InDoubt::rather_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  desk.hand();
  desk.result(1, Kind::unknown, "timeout");
  EXPECT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.flight.state, MessageState::active);
  EXPECT_EQ(desk.flight.wake_ms(), desk.flight.deadline_ms);
  desk.wait();
  expect_ended(desk, MessageState::expired, "in-doubt");
}

TEST(Doubt, RatherNeverTwiceWaitsForAnAnswerAndStartsNothing) {
  Desk desk(push_then_sms(), InDoubt::rather_never_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  EXPECT_EQ(desk.flight.attempts.size(), 1U);
  EXPECT_EQ(desk.flight.wake_ms(), desk.flight.deadline_ms);
  desk.wait();
  expect_ended(desk, MessageState::expired, "in-doubt");
  EXPECT_EQ(desk.flight.attempts.size(), 1U);
}

TEST(Doubt, IsSettledByALateResult) {
  Desk desk(push_then_sms(), InDoubt::rather_never_twice);
  desk.begin();
  desk.hand();
  desk.lost(0);
  EXPECT_EQ(desk.story().back(), "in-doubt 1 connector-lost");
  desk.sent(0);
  EXPECT_EQ(desk.state(0), AttemptState::sent);
  EXPECT_TRUE(desk.flight.attempts[0].in_doubt) << "once in doubt, always marked";
  desk.receipt(0, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
}

// Found by the simulator, seed 48 of its first version: the message waited for its deadline.
TEST(Doubt, ThatTurnsOutAsSentGetsItsStagesWaitAnewAndThenTheNextStep) {
  Desk desk({step(Channel::push, Until::read, 10'000), step(Channel::sms, Until::delivered, 0)}, InDoubt::rather_never_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  EXPECT_EQ(desk.flight.wake_ms(), desk.flight.deadline_ms);
  desk.now += 30'000;
  desk.sent(0);
  EXPECT_EQ(desk.flight.wake_ms(), desk.now + 10'000);
  desk.wait();
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.channel(1), Channel::sms);
}

TEST(Doubt, OfOneThatIsStillOpenKeepsTheStageWaiting) {
  Desk desk({step(Channel::push, Until::read, 10'000), also(Channel::email, Until::read), step(Channel::sms, Until::delivered, 0)}, InDoubt::rather_never_twice);
  desk.begin();
  desk.hand();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  desk.result(1, Kind::unknown, "timeout");
  desk.sent(0);
  EXPECT_EQ(desk.flight.wake_ms(), desk.flight.deadline_ms);
  desk.sent(1);
  EXPECT_EQ(desk.flight.wake_ms(), desk.now + 10'000);
}

TEST(Doubt, IsSettledByALateRefusalWhichStartsTheNextStep) {
  Desk desk(push_then_sms(), InDoubt::rather_never_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  desk.result(0, Kind::refused, "fcm-unregistered");
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.channel(1), Channel::sms);
}

TEST(Doubt, IsSettledByAReceipt) {
  Desk desk(one_sms(), InDoubt::rather_never_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  desk.receipt(0, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
}

TEST(Doubt, AConnectorThatNeverAnswersIsInDoubtWhenTheStepEnds) {
  Desk desk(push_then_sms(), InDoubt::rather_twice);
  desk.begin();
  desk.hand();
  desk.wait();
  EXPECT_EQ(desk.state(0), AttemptState::unknown);
  EXPECT_EQ(desk.story().back(), "in-doubt 1 no-answer");
  EXPECT_EQ(desk.channel(1), Channel::sms);
}

TEST(Doubt, TheSecondTryOfTheLastStepGetsItsOwnWait) {
  Desk desk(one_sms(10'000), InDoubt::rather_twice);
  desk.begin();
  desk.hand();
  desk.wait();
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_GT(desk.flight.wake_ms(), desk.now) << "it would be given up in the very next turn";
}

TEST(Doubt, ALateRefusalWithNoStepLeftEndsTheMessage) {
  Desk desk(one_sms(), InDoubt::rather_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  desk.hand();
  desk.result(1, Kind::refused, "smsc-0x0000000b");
  ASSERT_EQ(desk.flight.state, MessageState::active) << "the first may still have arrived";
  desk.result(0, Kind::refused, "smsc-0x00000045");
  EXPECT_EQ(desk.flight.state, MessageState::failed) << "nothing is under way any more";
}

TEST(Doubt, ASecondUnknownChangesNothing) {
  Desk desk(one_sms(), InDoubt::rather_never_twice);
  desk.begin();
  desk.hand();
  desk.result(0, Kind::unknown, "timeout");
  EXPECT_TRUE(desk.result(0, Kind::unknown, "timeout").ignored);
  EXPECT_TRUE(desk.lost(0).ignored);
}

// ---- cancel and deadline ----

TEST(CancelRule, BeforeAnythingIsHandedEndsTheMessage) {
  Desk desk(push_then_sms());
  desk.begin();
  EXPECT_FALSE(desk.cancel().too_late);
  expect_ended(desk, MessageState::cancelled, "client");
  EXPECT_EQ(desk.state(0), AttemptState::withdrawn);
  EXPECT_TRUE(desk.hand().ignored);
}

TEST(CancelRule, OfAScheduledMessageEndsIt) {
  Desk desk(one_sms());
  desk.flight.send_at_ms = kStart + 1000;
  desk.begin();
  EXPECT_FALSE(desk.cancel().too_late);
  expect_ended(desk, MessageState::cancelled, "client");
}

TEST(CancelRule, BetweenTwoTriesEndsTheMessage) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::retry);
  EXPECT_FALSE(desk.cancel().too_late);
  expect_ended(desk, MessageState::cancelled, "client");
}

TEST(CancelRule, IsTooLateOnceAnAttemptIsHandedSentInDoubtOrDelivered) {
  for (const int how : {0, 1, 2, 3}) {
    Desk desk(push_then_sms(), InDoubt::rather_never_twice);
    desk.begin();
    desk.hand();
    if (how == 1 || how == 3) desk.sent(0);
    if (how == 2) desk.result(0, Kind::unknown);
    if (how == 3) desk.receipt(0, AttemptState::delivered);
    const Flight before = desk.flight;
    EXPECT_TRUE(desk.cancel().too_late) << how;
    EXPECT_EQ(encode(desk.flight), encode(before));
  }
}

TEST(DeadlineRule, NothingIsHandedAtOrAfterIt) {
  Desk desk(one_sms());
  desk.begin();
  desk.now = desk.flight.deadline_ms;
  desk.hand();
  EXPECT_EQ(desk.state(0), AttemptState::withdrawn);
  expect_ended(desk, MessageState::expired, "deadline");
}

TEST(DeadlineRule, AHandedAttemptIsCalledBackAndItsLateAnswerIsKept) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  const Outcome outcome = desk.wait();
  EXPECT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.call_back, std::vector<std::size_t>{0});
  expect_ended(desk, MessageState::expired, "deadline");
  desk.sent(0);
  EXPECT_EQ(desk.state(0), AttemptState::sent);
  EXPECT_EQ(desk.told.back().type, EventType::late);
  expect_ended(desk, MessageState::expired, "deadline");
}

TEST(DeadlineRule, AMessageThatBeginsAfterItExpiresAtOnce) {
  Desk desk(one_sms());
  desk.now = desk.flight.deadline_ms;
  EXPECT_TRUE(desk.begin().ended);
  expect_ended(desk, MessageState::expired, "deadline");
}

// ---- receipts in any order ----

TEST(Receipts, NeverMoveAnAttemptBack) {
  const std::vector<AttemptState> order{AttemptState::sent, AttemptState::delivered, AttemptState::read, AttemptState::replied};
  for (std::size_t first = 0; first < order.size(); ++first) {
    for (std::size_t second = 0; second <= first; ++second) {
      Desk desk({step(Channel::sms, Until::replied, 0)});
      desk.begin();
      desk.hand();
      desk.sent(0);
      if (first > 0) desk.receipt(0, order[first]);
      EXPECT_TRUE(desk.receipt(0, order[second]).ignored) << first << second;
      EXPECT_EQ(desk.state(0), order[first]);
    }
  }
}

TEST(Receipts, ThatSayFailedDoNotUndoADelivery) {
  Desk desk({step(Channel::sms, Until::read, 0)});
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.receipt(0, AttemptState::delivered);
  EXPECT_TRUE(desk.receipt(0, AttemptState::refused, "late").ignored);
  EXPECT_EQ(desk.state(0), AttemptState::delivered);
}

TEST(Receipts, ThatSayDeliveredCorrectAnEarlierFailed) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.receipt(0, AttemptState::refused, "expired");
  desk.receipt(0, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
  EXPECT_EQ(desk.state(1), AttemptState::withdrawn);
}

TEST(Receipts, BeforeTheResultCountAndTheResultThenChangesNothing) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.receipt(0, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
  desk.sent(0);
  EXPECT_EQ(desk.state(0), AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
}

TEST(Receipts, OfSentBeforeTheResultDoNotEndAMessageThatWaitsForMore) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.receipt(0, AttemptState::sent);
  EXPECT_EQ(desk.flight.state, MessageState::active) << "a provider that gives receipts will say more";
  desk.sent(0, /*receipts=*/true);
  EXPECT_EQ(desk.flight.state, MessageState::active);
  desk.wait();
  EXPECT_EQ(desk.flight.attempts.size(), 2U) << "the fallback must still come";
}

TEST(Receipts, OfAnAttemptThatWasNeverHandedAreIgnored) {
  Desk desk(one_sms());
  desk.begin();
  EXPECT_TRUE(desk.receipt(0, AttemptState::delivered).ignored);
  EXPECT_TRUE(desk.receipt(5, AttemptState::delivered).ignored);
  EXPECT_EQ(desk.state(0), AttemptState::ready);
}

TEST(Receipts, OfAllPartsMakeAMultipartMessageDelivered) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.sent(0, true, 3);
  desk.part(0, AttemptState::delivered, 2);
  desk.part(0, AttemptState::delivered, 0);
  desk.part(0, AttemptState::delivered, 0);
  EXPECT_EQ(desk.state(0), AttemptState::sent);
  desk.part(0, AttemptState::delivered, 1);
  expect_ended(desk, MessageState::reached, "delivered");
}

TEST(Receipts, ThatSpeakOfTheWholeAttemptNeedNoParts) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.sent(0, true, 3);
  desk.receipt(0, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
}

TEST(Receipts, OfAFailedPartEndTheAttempt) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0, true, 2);
  desk.part(0, AttemptState::delivered, 0);
  desk.say(Receipt{0, AttemptState::refused, 1, false, "expired"});
  EXPECT_EQ(desk.state(0), AttemptState::refused);
  EXPECT_EQ(desk.flight.attempts.size(), 2U);
}

TEST(Receipts, OfAPartWithAnImpossibleNumberAreIgnored) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.sent(0, true, 2);
  EXPECT_TRUE(desk.part(0, AttemptState::delivered, 64).ignored);
  EXPECT_TRUE(desk.part(0, AttemptState::delivered, 255).ignored);
}

TEST(Receipts, AfterTheEndAreSaidAsLateAndChangeNoFinalState) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.wait();
  expect_ended(desk, MessageState::expired, "not-confirmed");
  desk.receipt(0, AttemptState::delivered);
  EXPECT_EQ(desk.story().back(), "late 1 delivered");
  expect_ended(desk, MessageState::expired, "not-confirmed");
  desk.receipt(0, AttemptState::read);
  EXPECT_EQ(desk.story().back(), "read 1");
}

TEST(Results, AreTakenOnce) {
  for (const Kind kind : {Kind::sent, Kind::retry, Kind::refused, Kind::unknown, Kind::throttled}) {
    Desk desk(push_then_sms());
    desk.begin();
    desk.hand();
    desk.sent(0);
    const Bytes before = encode(desk.flight);
    EXPECT_TRUE(desk.result(0, kind).ignored);
    EXPECT_EQ(encode(desk.flight), before);
  }
}

// Found by the simulator, seed 4318 of its first version: the message ended without a reason.
TEST(Results, ARefusalWithoutAWordStillGivesTheEndOne) {
  Desk desk(one_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::refused, "");
  expect_ended(desk, MessageState::failed, "failed");
}

TEST(Results, OfAttemptsThatDoNotExistOrWereNotHandedAreIgnored) {
  Desk desk(push_then_sms());
  desk.begin();
  EXPECT_TRUE(desk.sent(0).ignored);
  EXPECT_TRUE(desk.sent(9).ignored);
  EXPECT_EQ(desk.state(0), AttemptState::ready);
}

TEST(Begin, IsTakenOnce) {
  Desk desk(push_then_sms());
  desk.begin();
  EXPECT_TRUE(desk.begin().ignored);
  EXPECT_EQ(desk.flight.attempts.size(), 1U);
}

}  // namespace
}  // namespace postern::engine
