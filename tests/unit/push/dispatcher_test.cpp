// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/http_client/dispatcher.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace postern::http_client {
namespace {

using std::chrono::milliseconds;

// A provider whose answers the test gives by hand.
class ByHand final : public Carrier {
 public:
  void send(const wire::Deliver& deliver, Done done) override { sent[deliver.attempt().message()] = std::move(done); }
  bool withdraw(const wire::Deliver& deliver) override {
    if (!can_withdraw) return false;
    return sent.erase(deliver.attempt().message()) == 1;
  }
  void probe(std::function<void(std::optional<std::string>)> done) override {
    ++probes;
    done(probe_fault);
  }
  void answer(std::uint64_t message, Verdict verdict) {
    const Done done = std::move(sent.at(message));
    sent.erase(message);
    done(std::move(verdict));
  }
  std::map<std::uint64_t, Done> sent;
  std::optional<std::string> probe_fault;
  int probes = 0;
  bool can_withdraw = true;
};

Verdict said(wire::Result::Kind kind, Way way, milliseconds wait = milliseconds(0)) {
  Verdict verdict;
  verdict.kind = kind;
  verdict.way = way;
  verdict.retry_after = wait;
  return verdict;
}

class DispatcherTest : public testing::Test {
 protected:
  void begin(DispatcherSettings settings = {}) {
    dispatcher = std::make_unique<Dispatcher>(
        loop, settings, carrier,
        Dispatcher::Out{[this](wire::Result&& r) { results[r.attempt().message()].push_back(std::move(r)); },
                        [this](bool up, const std::string&) { health.push_back(up); }});
    dispatcher->start();
  }
  void deliver(std::uint64_t message, std::int64_t expires_ms = 0) {
    wire::Deliver d;
    d.mutable_attempt()->set_message(message);
    d.set_text("secret");
    d.set_expires_ms(static_cast<std::uint64_t>(expires_ms));
    dispatcher->deliver(std::move(d));
  }
  const wire::Result& only_result(std::uint64_t message) {
    EXPECT_EQ(results[message].size(), 1u) << "exactly one result for each attempt";
    return results[message].back();
  }
  static wire::Attempt attempt(std::uint64_t message) {
    wire::Attempt a;
    a.set_message(message);
    return a;
  }

  Loop loop;
  ByHand carrier;
  std::unique_ptr<Dispatcher> dispatcher;
  std::map<std::uint64_t, std::vector<wire::Result>> results;
  std::vector<bool> health;
};

TEST_F(DispatcherTest, health_is_up_when_the_probe_was_good) {
  begin();
  EXPECT_EQ(health, (std::vector<bool>{false, true}));
}

TEST_F(DispatcherTest, nothing_is_sent_after_its_deadline) {
  begin();
  deliver(1, wall_ms() - 1);
  EXPECT_EQ(only_result(1).reason(), "expired");
  EXPECT_TRUE(carrier.sent.empty());
}

TEST_F(DispatcherTest, a_message_that_waits_for_its_turn_can_be_cancelled) {
  DispatcherSettings slow;
  slow.rate = 1;
  begin(slow);
  deliver(1);
  deliver(2);
  EXPECT_EQ(carrier.sent.size(), 1u);
  dispatcher->cancel(attempt(2));
  EXPECT_EQ(only_result(2).reason(), "cancelled");
}

TEST_F(DispatcherTest, a_message_that_has_not_left_is_taken_back_on_cancel) {
  begin();
  deliver(1);
  dispatcher->cancel(attempt(1));
  EXPECT_EQ(only_result(1).reason(), "cancelled");
}

TEST_F(DispatcherTest, a_message_that_has_left_keeps_its_own_result_after_cancel) {
  begin();
  carrier.can_withdraw = false;
  deliver(1);
  dispatcher->cancel(attempt(1));
  EXPECT_TRUE(results[1].empty());
  carrier.answer(1, said(wire::Result::SENT, Way::fine));
  EXPECT_EQ(only_result(1).kind(), wire::Result::SENT);
}

TEST_F(DispatcherTest, a_refused_account_closes_the_way_and_gives_the_queue_back) {
  DispatcherSettings slow;
  slow.rate = 1;
  begin(slow);
  deliver(1);
  deliver(2);
  carrier.answer(1, said(wire::Result::REFUSED, Way::broken));
  EXPECT_EQ(only_result(1).kind(), wire::Result::REFUSED);
  EXPECT_EQ(only_result(2).kind(), wire::Result::RETRY);
  EXPECT_EQ(health.back(), false);
  deliver(3);
  EXPECT_EQ(only_result(3).reason(), "provider-down");
}

TEST_F(DispatcherTest, a_good_probe_opens_the_way_again) {
  DispatcherSettings settings;
  settings.probe_pause = milliseconds(1);
  begin(settings);
  deliver(1);
  carrier.answer(1, said(wire::Result::REFUSED, Way::broken));
  while (!health.back()) loop.run_once();
  deliver(2);
  carrier.answer(2, said(wire::Result::SENT, Way::fine));
  EXPECT_EQ(only_result(2).kind(), wire::Result::SENT);
  EXPECT_EQ(carrier.probes, 2);
}

TEST_F(DispatcherTest, during_a_long_pause_messages_are_given_back_at_once) {
  begin();
  deliver(1);
  carrier.answer(1, said(wire::Result::THROTTLED, Way::too_fast, milliseconds(60'000)));
  deliver(2);
  EXPECT_EQ(only_result(2).kind(), wire::Result::THROTTLED);
  EXPECT_GT(only_result(2).retry_after_ms(), 50'000u);
  EXPECT_TRUE(carrier.sent.empty());
}

TEST_F(DispatcherTest, drain_waits_for_what_is_under_way_and_calls_once) {
  begin();
  deliver(1);
  int done = 0;
  dispatcher->drain([&] { ++done; });
  EXPECT_EQ(done, 0);
  deliver(2);
  EXPECT_EQ(only_result(2).reason(), "draining");
  carrier.answer(1, said(wire::Result::SENT, Way::fine));
  EXPECT_EQ(done, 1);
  EXPECT_EQ(only_result(1).kind(), wire::Result::SENT);
}

TEST_F(DispatcherTest, health_can_be_told_again_to_a_vault_that_missed_it) {
  begin();
  dispatcher->tell_health();
  EXPECT_EQ(health, (std::vector<bool>{false, true, true}));
}

TEST(UnansweredTest, only_a_request_that_never_left_may_be_tried_again) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::not_sent;
  outcome.why = "connect";
  EXPECT_EQ(unanswered(outcome, "wa").kind, wire::Result::RETRY);
  EXPECT_EQ(unanswered(outcome, "wa").reason, "wa-connect");
  outcome.why = "late";
  EXPECT_EQ(unanswered(outcome, "wa").reason, "expired");
  outcome.kind = Outcome::Kind::in_doubt;
  outcome.why = "timeout";
  EXPECT_EQ(unanswered(outcome, "wa").kind, wire::Result::UNKNOWN);
  EXPECT_EQ(unanswered(outcome, "wa").reason, "wa-no-answer");
}

}  // namespace
}  // namespace postern::http_client
