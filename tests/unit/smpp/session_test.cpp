// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/session.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace postern::smpp {
namespace {

using Kind = Action::Kind;
using Outcome = Action::Outcome;

// A session with a clock of the test's own.
class SmppSession : public testing::Test {
 protected:
  SessionSettings settings{.kind = BindKind::transceiver,
                           .window = 3,
                           .enquire_link_ms = 30'000,
                           .response_timeout_ms = 5'000,
                           .bind_timeout_ms = 10'000,
                           .connect_timeout_ms = 8'000};
  Session session{settings, 1};
  std::int64_t now = 1'000'000;

  std::vector<Action> actions() {
    std::vector<Action> taken;
    session.take_actions(taken);
    return taken;
  }
  // The only action of that kind, or a failure.
  Action only(Kind kind) {
    const std::vector<Action> taken = actions();
    const auto found = std::find_if(taken.begin(), taken.end(), [&](const Action& a) { return a.kind == kind; });
    EXPECT_NE(found, taken.end());
    EXPECT_EQ(std::count_if(taken.begin(), taken.end(), [&](const Action& a) { return a.kind == kind; }), 1);
    return found == taken.end() ? Action{} : *found;
  }
  void receive(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, std::string_view id = {}) {
    Pdu pdu;
    pdu.header = {16, command, status, sequence};
    pdu.message_id = id;
    session.received(pdu, now);
  }
  void respond(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, std::string_view id = {}) {
    receive(command | command::kResponse, status, sequence, id);
  }
  void wait_until_deadline() {
    now = std::max(now, session.next_deadline());
    session.tick(now);
  }
  void bind() {
    session.start(now);
    EXPECT_EQ(only(Kind::connect).kind, Kind::connect);
    session.connected(now);
    const std::uint32_t sequence = only(Kind::send_bind).sequence;
    respond(command::kBindTransceiver, 0, sequence);
    only(Kind::bound);
    ASSERT_TRUE(session.bound());
  }
  // The transport ends after `close`, everything queued having left.
  void end_transport(std::uint64_t written = ~0ULL) { session.lost(now, written); }
};

TEST_F(SmppSession, BindsAndThenTakesSubmits) {
  EXPECT_FALSE(session.can_submit(now));
  bind();
  EXPECT_TRUE(session.can_submit(now));
  const std::uint32_t sequence = session.submit(7, now, 0);
  respond(command::kSubmitSm, 0, sequence, "0A1B");
  const Action answer = only(Kind::answered);
  EXPECT_EQ(answer.ticket, 7U);
  EXPECT_EQ(answer.outcome, Outcome::accepted);
  EXPECT_EQ(answer.message_id, "0A1B");
}

TEST_F(SmppSession, StopsAtItsWindowAndGoesOnWithEachAnswer) {
  bind();
  std::vector<std::uint32_t> sequences;
  for (std::uint64_t ticket = 0; ticket < 3; ++ticket) {
    ASSERT_TRUE(session.can_submit(now));
    sequences.push_back(session.submit(ticket, now, 0));
  }
  EXPECT_FALSE(session.can_submit(now));
  respond(command::kSubmitSm, 0, sequences[2]);
  EXPECT_TRUE(session.can_submit(now));
}

TEST_F(SmppSession, PairsAnswersInAnyOrder) {
  bind();
  const std::uint32_t first = session.submit(1, now, 0), second = session.submit(2, now, 0),
                      third = session.submit(3, now, 0);
  for (const auto& [sequence, ticket] : {std::pair{third, 3U}, {first, 1U}, {second, 2U}}) {
    respond(command::kSubmitSm, 0, sequence, std::to_string(sequence));
    const Action answer = only(Kind::answered);
    EXPECT_EQ(answer.ticket, ticket);
    EXPECT_EQ(answer.message_id, std::to_string(sequence));
  }
}

TEST_F(SmppSession, IgnoresAnswersThatNothingWaitsFor) {
  bind();
  const std::uint32_t sequence = session.submit(1, now, 0);
  respond(command::kSubmitSm, 0, sequence + 100);
  only(Kind::stray);
  respond(command::kSubmitSm, 0, sequence);
  only(Kind::answered);
  respond(command::kSubmitSm, 0, sequence);
  only(Kind::stray);
  EXPECT_TRUE(session.bound());
}

TEST_F(SmppSession, CallsASubmitWithoutAnswerTimedOutAndTellsALateAnswer) {
  bind();
  const std::uint32_t sequence = session.submit(9, now, 0);
  EXPECT_EQ(session.next_deadline(), now + settings.response_timeout_ms);
  now += settings.response_timeout_ms;
  session.tick(now);
  const Action over = only(Kind::answered);
  EXPECT_EQ(over.ticket, 9U);
  EXPECT_EQ(over.outcome, Outcome::timed_out);
  EXPECT_EQ(session.outstanding(), 0U);
  respond(command::kSubmitSm, 0, sequence, "late");
  const Action late = only(Kind::late_answer);
  EXPECT_EQ(late.ticket, 9U);
  EXPECT_EQ(late.message_id, "late");
}

TEST_F(SmppSession, AsksForTheLinkWhenThePeerIsSilent) {
  bind();
  EXPECT_EQ(session.next_deadline(), now + settings.enquire_link_ms);
  wait_until_deadline();
  const Action enquiry = only(Kind::send_header);
  EXPECT_EQ(enquiry.command, command::kEnquireLink);
  respond(command::kEnquireLink, 0, enquiry.sequence);
  EXPECT_TRUE(actions().empty());
  EXPECT_EQ(session.next_deadline(), now + settings.enquire_link_ms);
}

TEST_F(SmppSession, GivesALinkUpAfterTwoEnquiriesWithoutAnswer) {
  bind();
  wait_until_deadline();
  only(Kind::send_header);
  wait_until_deadline();
  only(Kind::send_header);
  wait_until_deadline();
  EXPECT_EQ(only(Kind::close).reason, "enquire-link");
}

TEST_F(SmppSession, TakesAnyPduAsSignOfLife) {
  bind();
  wait_until_deadline();
  only(Kind::send_header);
  receive(command::kDeliverSm, 0, 5);
  only(Kind::inbound);
  now += 5'000;
  session.tick(now);  // the enquiry is still unanswered, but the peer lives
  EXPECT_TRUE(session.bound());
}

TEST_F(SmppSession, CanAlwaysAskForTheLinkWhateverTheWindow) {
  bind();
  for (std::uint64_t ticket = 0; ticket < 3; ++ticket) session.submit(ticket, now, 0);
  now += settings.enquire_link_ms;
  session.tick(now);
  const std::vector<Action> taken = actions();
  EXPECT_EQ(std::count_if(taken.begin(), taken.end(), [](const Action& a) { return a.kind == Kind::send_header; }), 1);
}

TEST_F(SmppSession, AnswersThePeersRequests) {
  bind();
  receive(command::kEnquireLink, 0, 50);
  const Action alive = only(Kind::send_header);
  EXPECT_EQ(alive.command, command::kEnquireLink | command::kResponse);
  EXPECT_EQ(alive.sequence, 50U);
  receive(command::kSubmitSm, 0, 51);
  const Action nack = only(Kind::send_header);
  EXPECT_EQ(nack.command, command::kGenericNack);
  EXPECT_EQ(nack.status, 0x03U);
  EXPECT_EQ(nack.sequence, 51U);
  receive(command::kAlertNotification, 0, 52);
  receive(command::kOutbind, 0, 53);
  EXPECT_TRUE(actions().empty());
}

TEST_F(SmppSession, WaitsByTheKindOfABindFailure) {
  const auto pause_after = [&](std::uint32_t status) {
    session.connected(now);
    respond(command::kBindTransceiver, status, only(Kind::send_bind).sequence);
    const std::vector<Action> taken = actions();
    EXPECT_EQ(taken.at(0).kind, Kind::bind_refused);
    EXPECT_EQ(taken.at(0).status, status);
    EXPECT_EQ(taken.at(1).kind, Kind::close);
    end_transport();
    EXPECT_TRUE(actions().empty());
    const std::int64_t pause = session.retry_at() - now;
    wait_until_deadline();
    only(Kind::connect);
    return pause;
  };
  session.start(now);
  only(Kind::connect);
  const auto about = [](std::int64_t pause, std::int64_t wanted) {
    return pause >= wanted * 8 / 10 && pause <= wanted * 12 / 10;
  };
  EXPECT_TRUE(about(pause_after(0x0e), 60'000));  // a wrong password, slowly
  EXPECT_TRUE(about(pause_after(0x0e), 120'000));
  EXPECT_TRUE(about(pause_after(0x0f), 240'000));
  EXPECT_TRUE(about(pause_after(0x0e), 300'000));
  EXPECT_TRUE(about(pause_after(0x05), 60'000));  // already bound
  EXPECT_TRUE(about(pause_after(0x58), 30'000));  // throttled
  EXPECT_TRUE(about(pause_after(0x08), 1'000));   // system error
  EXPECT_TRUE(about(pause_after(0x08), 2'000));
}

TEST_F(SmppSession, BacksOffFurtherWithEachLossUpToAMinute) {
  session.start(now);
  only(Kind::connect);
  std::int64_t last = 0;
  for (int i = 0; i < 12; ++i) {
    end_transport(0);
    last = session.retry_at() - now;
    EXPECT_LE(last, 72'000);
    wait_until_deadline();
    only(Kind::connect);
  }
  EXPECT_GE(last, 48'000);
}

TEST_F(SmppSession, ComesBackSoonAfterASessionThatStood) {
  for (int i = 0; i < 5; ++i) {
    bind();
    now += 60'000;
    end_transport();
    actions();
    EXPECT_LE(session.retry_at() - now, 1'200);
    now = session.retry_at();
  }
}

TEST_F(SmppSession, DrawsDifferentPausesFromDifferentSeeds) {
  const auto pause = [&](std::uint32_t seed) {
    Session other(settings, seed);
    other.start(now);
    other.lost(now, 0);
    return other.retry_at() - now;
  };
  EXPECT_NE(pause(1), pause(999'999));
}

TEST_F(SmppSession, TimesOutAConnectionAndABind) {
  session.start(now);
  only(Kind::connect);
  wait_until_deadline();
  EXPECT_EQ(only(Kind::close).reason, "connect-timeout");
  end_transport();
  wait_until_deadline();
  only(Kind::connect);
  session.connected(now);
  only(Kind::send_bind);
  EXPECT_EQ(session.next_deadline(), now + settings.bind_timeout_ms);
  wait_until_deadline();
  EXPECT_EQ(only(Kind::close).reason, "bind-timeout");
}

TEST_F(SmppSession, TellsDoubtfulFromUnsentAfterALoss) {
  bind();
  session.submit(1, now, 100);
  session.submit(2, now, 200);
  session.submit(3, now, 300);
  end_transport(250);  // the first two had begun to leave
  const std::vector<Action> taken = actions();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].outcome, Outcome::lost);
  EXPECT_EQ(taken[1].outcome, Outcome::lost);
  EXPECT_EQ(taken[2].outcome, Outcome::not_sent);
  EXPECT_EQ(taken[2].ticket, 3U);
  EXPECT_EQ(session.outstanding(), 0U);
}

TEST_F(SmppSession, SlowsDownWhenThrottledAndRecovers) {
  bind();
  session.slow_down(now, 0x58);
  EXPECT_FALSE(session.can_submit(now));
  EXPECT_EQ(session.next_deadline(), now + 1'000);
  wait_until_deadline();
  EXPECT_TRUE(session.can_submit(now));
  EXPECT_GT(session.next_deadline(), now);  // no busy loop afterwards

  session.slow_down(now, 0x14);
  session.slow_down(now, 0x14);  // the rest of the same window
  EXPECT_FALSE(session.can_submit(now + 4'999));
  EXPECT_TRUE(session.can_submit(now + 5'000));
  now += 6'000;
  session.slow_down(now, 0x14);
  EXPECT_FALSE(session.can_submit(now + 9'999));
  EXPECT_TRUE(session.can_submit(now + 10'000));
}

TEST_F(SmppSession, TakesAGenericNackAsTheAnswer) {
  bind();
  const std::uint32_t sequence = session.submit(4, now, 0);
  receive(command::kGenericNack, 0x03, sequence);
  const Action answer = only(Kind::answered);
  EXPECT_EQ(answer.outcome, Outcome::refused);
  EXPECT_EQ(answer.status, 0x03U);
  EXPECT_TRUE(session.bound());
}

TEST_F(SmppSession, ReconnectsWhenThePeerLostTheFraming) {
  bind();
  receive(command::kGenericNack, 0x02, 0);
  EXPECT_EQ(only(Kind::close).reason, "generic-nack");
}

TEST_F(SmppSession, NacksAndClosesWhenTheFramingIsLost) {
  bind();
  session.framing_lost(now);
  const std::vector<Action> taken = actions();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].command, command::kGenericNack);
  EXPECT_EQ(taken[0].status, 0x02U);
  EXPECT_EQ(taken[0].sequence, 0U);
  EXPECT_EQ(taken[1].kind, Kind::close);
}

TEST_F(SmppSession, LetsAnswersArriveBeforeItFollowsThePeersUnbind) {
  bind();
  const std::uint32_t sequence = session.submit(1, now, 0);
  receive(command::kUnbind, 0, 90);
  EXPECT_TRUE(actions().empty());
  EXPECT_FALSE(session.can_submit(now));
  respond(command::kSubmitSm, 0, sequence);
  const std::vector<Action> taken = actions();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].outcome, Outcome::accepted);
  EXPECT_EQ(taken[1].command, command::kUnbind | command::kResponse);
  EXPECT_EQ(taken[1].sequence, 90U);
  EXPECT_EQ(taken[2].reason, "peer-unbind");
}

TEST_F(SmppSession, FollowsThePeersUnbindWithoutAnswersAfterAWhile) {
  bind();
  session.submit(1, now, 0);
  receive(command::kUnbind, 0, 90);
  now += 2'000;
  session.tick(now);
  EXPECT_EQ(actions().back().reason, "peer-unbind");
  end_transport();
  EXPECT_EQ(only(Kind::answered).outcome, Outcome::lost);
  EXPECT_NE(session.retry_at(), 0);
}

TEST_F(SmppSession, EndsInOrderWhenAsked) {
  bind();
  const std::uint32_t sequence = session.submit(1, now, 0);
  session.unbind(now);
  EXPECT_TRUE(actions().empty());
  EXPECT_FALSE(session.can_submit(now));
  respond(command::kSubmitSm, 0, sequence);
  const std::vector<Action> answered = actions();
  ASSERT_EQ(answered.size(), 2U);
  EXPECT_EQ(answered[1].command, command::kUnbind);
  receive(command::kDeliverSm, 0, 8);  // still served
  only(Kind::inbound);
  respond(command::kUnbind, 0, answered[1].sequence);
  EXPECT_EQ(only(Kind::close).reason, "unbound");
  end_transport();
  only(Kind::ended);
  EXPECT_TRUE(session.ended());
}

TEST_F(SmppSession, EndsWithoutAPeersHelpToo) {
  bind();
  session.submit(1, now, 0);
  session.unbind(now);
  wait_until_deadline();  // the answer does not come
  const std::vector<Action> over = actions();
  EXPECT_EQ(over.front().outcome, Outcome::timed_out);
  EXPECT_EQ(over.back().command, command::kUnbind);
  wait_until_deadline();  // nor does unbind_resp
  EXPECT_EQ(only(Kind::close).reason, "unbind-timeout");
  end_transport();
  only(Kind::ended);
}

TEST_F(SmppSession, EndsAtOnceWhileItIsNotBound) {
  session.start(now);
  only(Kind::connect);
  session.unbind(now);
  EXPECT_EQ(only(Kind::close).reason, "drain");
  end_transport();
  only(Kind::ended);

  Session waiting(settings, 2);
  waiting.start(now);
  waiting.lost(now, 0);
  waiting.unbind(now);
  EXPECT_TRUE(waiting.ended());
}

TEST_F(SmppSession, NumbersItsRequestsFromOneOnEachConnection) {
  bind();
  EXPECT_EQ(session.submit(1, now, 0), 2U);
  end_transport();
  actions();
  wait_until_deadline();
  only(Kind::connect);
  session.connected(now);
  EXPECT_EQ(only(Kind::send_bind).sequence, 1U);
}

TEST_F(SmppSession, GivesAPlaceBackThatWasNotUsed) {
  bind();
  const std::uint32_t sequence = session.submit(1, now, 0);
  session.take_back(sequence);
  EXPECT_EQ(session.outstanding(), 0U);
  now += settings.response_timeout_ms;
  session.tick(now);
  EXPECT_TRUE(actions().empty());
}

TEST_F(SmppSession, NeverSubmitsOverAReceiver) {
  SessionSettings receiving = settings;
  receiving.kind = BindKind::receiver;
  Session other(receiving, 1);
  other.start(now);
  other.connected(now);
  Pdu pdu;
  pdu.header = {17, command::kBindReceiver | command::kResponse, 0, 1};
  other.received(pdu, now);
  EXPECT_TRUE(other.bound());
  EXPECT_FALSE(other.can_submit(now));
}

}  // namespace
}  // namespace postern::smpp
