// SPDX-License-Identifier: Apache-2.0
// Each kind of scenario from its beginning to its end, as ENGINE.md tells it.
#include "tests/unit/engine/support.hpp"

namespace postern::engine {
namespace {

using Kind = Result::Kind;
using Story = std::vector<std::string>;

std::vector<Step> push_then_sms(Until until = Until::delivered) {
  return {step(Channel::push, until, 10'000), step(Channel::sms, until, 0)};
}

TEST(Scenario, APushThatIsDeliveredInTimeEndsTheMessage) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.now += 3000;
  EXPECT_TRUE(desk.receipt(0, AttemptState::delivered).ended);
  expect_ended(desk, MessageState::reached, "delivered");
  EXPECT_EQ(desk.story(), (Story{"handed 1", "sent 1", "delivered 1"}));
  EXPECT_EQ(desk.flight.attempts.size(), 1U);
}

TEST(Scenario, ARefusedPushStartsTheSmsAtOnce) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.result(0, Kind::refused, "fcm-unregistered");
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.channel(1), Channel::sms);
  EXPECT_EQ(desk.state(1), AttemptState::ready);
  desk.hand();
  desk.sent(1);
  desk.receipt(1, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
  EXPECT_EQ(desk.story(), (Story{"handed 1", "refused 1 fcm-unregistered", "handed 2", "sent 2", "delivered 2"}));
}

TEST(Scenario, APushWithoutAReceiptInItsWaitIsFollowedByTheSms) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  EXPECT_EQ(desk.flight.wake_ms(), kStart + 10'000);
  desk.wait();
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.channel(1), Channel::sms);
  EXPECT_EQ(desk.story(), (Story{"handed 1", "sent 1", "step-over 1 not-delivered"}));
}

TEST(Scenario, APushThatIsDeliveredButNotReadIsFollowedByTheSms) {
  Desk desk(push_then_sms(Until::read));
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.receipt(0, AttemptState::delivered);
  EXPECT_EQ(desk.flight.state, MessageState::active);
  desk.wait();
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.told.back().reason, "not-read");
  desk.receipt(0, AttemptState::read);
  expect_ended(desk, MessageState::reached, "read");
  EXPECT_EQ(desk.state(1), AttemptState::withdrawn);
}

TEST(Scenario, EachUntilEndsAtItsOwnProgressAndNotBefore) {
  const std::vector<std::pair<Until, AttemptState>> all{{Until::sent, AttemptState::sent},
                                                         {Until::delivered, AttemptState::delivered},
                                                         {Until::read, AttemptState::read},
                                                         {Until::replied, AttemptState::replied}};
  for (const auto& [until, wanted] : all) {
    Desk desk({step(Channel::sms, until, 0)});
    desk.begin();
    desk.hand();
    desk.sent(0);
    for (const AttemptState progress : {AttemptState::delivered, AttemptState::read, AttemptState::replied}) {
      if (is_final(desk.flight.state)) break;
      EXPECT_GT(static_cast<int>(wanted), static_cast<int>(desk.state(0)));
      desk.receipt(0, progress);
    }
    expect_ended(desk, MessageState::reached, std::string(name_of(wanted)));
  }
}

TEST(Scenario, ARouteWithoutReceiptsIsReachedWhenItSaysSent) {
  Desk desk({step(Channel::email, Until::read, 0)});
  desk.begin();
  desk.hand();
  desk.sent(0, /*receipts=*/false);
  expect_ended(desk, MessageState::reached, "sent");
}

TEST(Scenario, AStepWithoutARouteIsSkippedAndSaid) {
  Desk desk(push_then_sms());
  desk.routes.erase(Channel::push);
  desk.begin();
  ASSERT_EQ(desk.flight.attempts.size(), 1U);
  EXPECT_EQ(desk.channel(0), Channel::sms);
  EXPECT_EQ(desk.story(), (Story{"step-skipped push-no-route"}));
}

TEST(Scenario, WithoutAnyRouteTheMessageFailsAtOnce) {
  Desk desk(push_then_sms());
  desk.routes.clear();
  EXPECT_TRUE(desk.begin().ended);
  expect_ended(desk, MessageState::failed, "no-route");
}

TEST(Scenario, TheLastRefusalGivesTheMessageItsReason) {
  Desk desk({step(Channel::sms, Until::delivered, 0)});
  desk.begin();
  desk.hand();
  desk.result(0, Kind::refused, "smsc-0x0000000b");
  expect_ended(desk, MessageState::failed, "smsc-0x0000000b");
  EXPECT_EQ(desk.story(), (Story{"handed 1", "refused 1 smsc-0x0000000b", "ended smsc-0x0000000b"}));
}

TEST(Scenario, AReceiptThatSaysFailedStartsTheNextStep) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.receipt(0, AttemptState::refused, "unreachable");
  EXPECT_EQ(desk.state(0), AttemptState::refused);
  ASSERT_EQ(desk.flight.attempts.size(), 2U);
  EXPECT_EQ(desk.story().back(), "undelivered 1 unreachable");
}

TEST(Scenario, ASendAtTimeIsWaitedForAndThenBegins) {
  Desk desk({step(Channel::sms, Until::delivered, 0)});
  desk.flight.send_at_ms = kStart + 60'000;
  desk.begin();
  EXPECT_EQ(desk.flight.state, MessageState::scheduled);
  EXPECT_TRUE(desk.flight.attempts.empty());
  EXPECT_EQ(desk.flight.wake_ms(), kStart + 60'000);
  desk.now = kStart + 59'999;
  EXPECT_TRUE(desk.due().ignored);
  desk.wait();
  EXPECT_EQ(desk.flight.state, MessageState::active);
  EXPECT_EQ(desk.flight.attempts.size(), 1U);
}

TEST(Scenario, ASendAtTimeBehindTheDeadlineExpires) {
  Desk desk({step(Channel::sms, Until::delivered, 0)});
  desk.flight.send_at_ms = desk.flight.deadline_ms + 1;
  desk.begin();
  desk.wait();
  expect_ended(desk, MessageState::expired, "deadline");
  EXPECT_TRUE(desk.flight.attempts.empty());
}

TEST(Scenario, WhatIsSentAndNeverConfirmedExpiresAsNotConfirmed) {
  Desk desk({step(Channel::sms, Until::delivered, 0)});
  desk.begin();
  desk.hand();
  desk.sent(0);
  EXPECT_EQ(desk.flight.wake_ms(), desk.flight.deadline_ms);
  desk.wait();
  expect_ended(desk, MessageState::expired, "not-confirmed");
}

TEST(Scenario, ThreeStepsAreTakenInTheirOrder) {
  Desk desk({step(Channel::push, Until::delivered, 10'000), step(Channel::sms, Until::delivered, 20'000),
             step(Channel::email, Until::sent, 0)});
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.wait();
  EXPECT_EQ(desk.channel(1), Channel::sms);
  desk.hand();
  desk.sent(1);
  EXPECT_EQ(desk.flight.wake_ms(), kStart + 30'000);
  desk.wait();
  EXPECT_EQ(desk.channel(2), Channel::email);
  desk.hand();
  desk.sent(2);
  expect_ended(desk, MessageState::reached, "sent");
}

TEST(Scenario, ALateReceiptStopsTheLaterStepThatWaits) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.wait();
  ASSERT_EQ(desk.state(1), AttemptState::ready);
  desk.receipt(0, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
  EXPECT_EQ(desk.state(1), AttemptState::withdrawn);
  EXPECT_EQ(desk.flight.queue(), Queue{});
}

TEST(Scenario, ALateReceiptCallsTheHandedStepBack) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.wait();
  desk.hand();
  const Outcome outcome = desk.receipt(0, AttemptState::delivered);
  EXPECT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.call_back, std::vector<std::size_t>{1});
  // The connector could take it back.
  desk.result(1, Kind::refused, "cancelled");
  EXPECT_EQ(desk.state(1), AttemptState::refused);
  expect_ended(desk, MessageState::reached, "delivered");
  EXPECT_EQ(desk.story().back(), "late 2 cancelled");
}

TEST(Scenario, TwoAttemptsThatBothArriveAreADoubleContact) {
  Desk desk(push_then_sms());
  desk.begin();
  desk.hand();
  desk.sent(0);
  desk.wait();
  desk.hand();
  desk.sent(1);
  desk.receipt(1, AttemptState::delivered);
  expect_ended(desk, MessageState::reached, "delivered");
  const Outcome late = desk.receipt(0, AttemptState::delivered);
  ASSERT_EQ(late.happened.size(), 2U);
  EXPECT_EQ(late.happened[0].type, EventType::double_contact);
  EXPECT_EQ(late.happened[0].reason, "late-receipt") << "why the second was made";
  EXPECT_EQ(late.happened[1].type, EventType::late);
}

}  // namespace
}  // namespace postern::engine
