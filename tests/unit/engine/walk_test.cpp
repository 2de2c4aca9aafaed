// SPDX-License-Identifier: Apache-2.0
// Walks every interleaving of inputs up to a depth, from every state that they lead to, and holds each
// transition against the product's promises. States that look alike are walked once.
#include <algorithm>
#include <set>

#include "tests/unit/engine/support.hpp"

namespace postern::engine {
namespace {

using Kind = Result::Kind;

struct World {
  Flight flight;
  TimeMs now = kStart;
};

class Walk {
 public:
  Walk(std::vector<Step> plan, InDoubt in_doubt, std::size_t depth) : plan_(std::move(plan)), depth_(depth) {
    Flight whole;
    whole.plan = plan_;
    for (std::size_t s = 0; s < plan_.size(); s = whole.stage_end(s)) together_ = std::max(together_, whole.stage_end(s) - s);
    rules_.in_doubt = in_doubt;
    rules_.tries = 2;
  }

  void run() {
    World world;
    world.flight.id = {kStart << 20, 1};
    world.flight.accepted_ms = kStart;
    world.flight.deadline_ms = kStart + 60'000;
    world.flight.plan = plan_;
    world.flight.escalate = escalate;
    if (std::ranges::any_of(plan_, [](const Step& s) { return s.until == Until::event; })) world.flight.stop_on = {"done"};
    take(world, Begin{}, depth_);
  }

  bool escalate = false;
  Gate gate = [](const Flight&, const Step&) { return Decision{}; };

  std::size_t states() const { return seen_.size(); }
  std::size_t transitions() const { return transitions_; }
  std::size_t ends(MessageState state) const { return static_cast<std::size_t>(std::ranges::count(ends_, state)); }

 private:
  static ConnectorId route(const Flight&, const Step& s) { return s.channel == Channel::push ? kPush : s.channel == Channel::sms ? kSms : kEmail; }
  // Times of a hold are differences from the start.
  Decision gate_at(const Flight& f, const Step& s, TimeMs now) const {
    Decision decision = gate(f, s);
    if (decision.kind != Decision::Kind::hold || decision.until_ms == 0) return decision;
    decision.until_ms += kStart;
    return decision.until_ms <= now ? Decision{} : decision;
  }

  void go(const World& world, std::size_t left) {
    if (left == 0 || testing::Test::HasFailure()) return;
    // The depth that is left is part of what was seen: less of it sees less.
    Bytes key = encode(world.flight);
    ByteWriter(key).i64(world.now);
    ByteWriter(key).u8(static_cast<std::uint8_t>(left));
    if (!seen_.insert(std::string(as_text(key))).second) return;

    take(world, Cancel{}, left);
    take(world, Resume{}, left);
    take(world, PutBack{}, left);
    if (!world.flight.stop_on.empty()) take(world, Signal{"done"}, left);
    const std::size_t attempts = std::min<std::size_t>(world.flight.attempts.size(), 3);
    for (std::size_t i = 0; i < attempts; ++i) {
      take(world, Handed{i, 7}, left);
      for (const bool receipts : {false, true}) take(world, Result{i, Kind::sent, receipts, 1, 0, "s"}, left);
      for (const Kind kind : {Kind::retry, Kind::refused, Kind::unknown, Kind::throttled})
        take(world, Result{i, kind, false, 1, 0, "r"}, left);
      for (const AttemptState progress : {AttemptState::sent, AttemptState::delivered, AttemptState::read, AttemptState::refused})
        take(world, Receipt{i, progress, 0, true, "p"}, left);
      take(world, Lost{i}, left);
    }
    // Time goes on: to the next wake, and a moment before and behind it.
    const TimeMs wake = world.flight.wake_ms();
    for (const TimeMs at : {wake, wake + 1, world.flight.deadline_ms}) {
      if (wake == 0 || at < world.now) continue;
      World later = world;
      later.now = at;
      take(later, Due{}, left);
      for (std::size_t i = 0; i < attempts; ++i) take(later, Handed{i, 7}, left);
    }
  }

  void take(const World& world, const Input& input, std::size_t left) {
    World next = world;
    const Outcome outcome = advance(next.flight, input, next.now, rules_, route, [&](const Flight& f, const Step& s) { return gate_at(f, s, next.now); });
    ++transitions_;
    path_.push_back(spoken(input, next.now));
    check(world, next, input, outcome);
    if (testing::Test::HasFailure()) {
      if (!std::exchange(told_, true)) {
        std::string all;
        for (const std::string& word : path_) all += "\n  " + word;
        ADD_FAILURE() << "by this way:" << all;
      }
      return;
    }
    if (outcome.ended) ends_.push_back(next.flight.state);
    go(next, left - 1);
    path_.pop_back();
  }

  static std::string spoken(const Input& input, TimeMs now) {
    static constexpr const char* kNames[] = {"begin", "due", "cancel", "move", "signal", "resume", "handed", "result", "receipt", "lost", "damaged", "put-back"};
    std::string word = "+" + std::to_string(now - kStart) + " ms " + kNames[input.index()];
    if (const auto* result = std::get_if<Result>(&input)) {
      static constexpr const char* kKinds[] = {"sent", "retry", "refused", "unknown", "throttled"};
      word += " " + std::to_string(result->attempt) + " " + kKinds[static_cast<std::size_t>(result->kind)] + (result->receipts ? " with receipts" : "");
    }
    if (const auto* receipt = std::get_if<Receipt>(&input)) word += " " + std::to_string(receipt->attempt) + " " + std::string(name_of(receipt->progress));
    if (const auto* lost = std::get_if<Lost>(&input)) word += " " + std::to_string(lost->attempt);
    return word;
  }

  static int progress(AttemptState state) {
    switch (state) {
      case AttemptState::ready: return 0;
      case AttemptState::handed: return 1;
      case AttemptState::withdrawn:
      case AttemptState::unknown:
      case AttemptState::refused: return 2;  // may be corrected by what is known later
      case AttemptState::sent: return 3;
      case AttemptState::delivered: return 4;
      case AttemptState::read: return 5;
      case AttemptState::replied: return 6;
    }
    return -1;
  }

  void check(const World& before, const World& after, const Input& input, const Outcome& outcome) {
    const Flight &old = before.flight, &now = after.flight;
    if (outcome.ignored) {
      EXPECT_EQ(encode(old), encode(now)) << "an ignored input changes nothing";
      EXPECT_TRUE(outcome.happened.empty());
    }
    // Exactly one final state, reached once, with a reason, never left.
    if (is_final(old.state)) {
      EXPECT_EQ(now.state, old.state);
      EXPECT_EQ(now.reason, old.reason);
      EXPECT_EQ(now.ended_ms, old.ended_ms);
      EXPECT_FALSE(outcome.ended);
      EXPECT_EQ(now.attempts.size(), old.attempts.size());
    }
    EXPECT_EQ(outcome.ended, !is_final(old.state) && is_final(now.state));
    if (is_final(now.state)) {
      EXPECT_FALSE(now.reason.empty());
      EXPECT_EQ(now.wake_ms(), 0);
      EXPECT_GE(now.ended_ms, now.accepted_ms);
    } else {
      EXPECT_GT(now.wake_ms(), 0) << "a message on its way always has a time at which it is looked at";
      EXPECT_LE(now.wake_ms(), now.deadline_ms);
    }
    std::size_t handed = 0, ready = 0;
    for (std::size_t i = 0; i < now.attempts.size(); ++i) {
      const Attempt& a = now.attempts[i];
      const bool fresh = i >= old.attempts.size();
      const AttemptState was = fresh ? AttemptState::ready : old.attempts[i].state;
      handed += a.state == AttemptState::handed;
      ready += a.state == AttemptState::ready;
      // Nothing is handed after the end or after the deadline, nor by anything but Handed.
      if (a.state == AttemptState::handed && was != AttemptState::handed) {
        EXPECT_TRUE(std::holds_alternative<Handed>(input));
        EXPECT_FALSE(is_final(old.state));
        EXPECT_LT(after.now, now.deadline_ms);
      }
      if (is_final(now.state)) {
        EXPECT_NE(a.state, AttemptState::ready) << "an ended message waits in no queue";
      }
      // Only forward; `refused` follows `sent` when a receipt says failed, and a delivery corrects it.
      const bool back = progress(a.state) < progress(was);
      const bool failed_after_sent = was == AttemptState::sent && a.state == AttemptState::refused;
      EXPECT_TRUE(!back || failed_after_sent) << name_of(was) << " -> " << name_of(a.state);
      if (was == AttemptState::withdrawn) {
        EXPECT_EQ(a.state, AttemptState::withdrawn);
      }
      if (!fresh) {
        EXPECT_EQ(a.step, old.attempts[i].step);
        EXPECT_EQ(a.connector, old.attempts[i].connector);
      }
    }
    // One attempt is current at a time, or one of each step of a stage.
    EXPECT_LE(handed + ready, together_);
    EXPECT_LE(now.attempts.size(), kMaxAttempts);
    if (!outcome.ignored && encode(old) != encode(now) && outcome.ended) {
      EXPECT_FALSE(outcome.happened.empty()) << "an end is always audited";
    }
    // A message that has nothing under way, nothing ready and nothing to wait for must have ended.
    if (!is_final(now.state) && now.state == MessageState::active) {
      const bool under_way = std::ranges::any_of(now.attempts, [](const Attempt& a) {
        return a.state != AttemptState::refused && a.state != AttemptState::withdrawn;
      });
      EXPECT_TRUE(under_way || now.step_end_ms != 0 || std::ranges::any_of(now.plan, [](const Step& s) { return s.again_ms != 0; })) << "it would wait for its deadline for nothing";
    }
    EXPECT_TRUE(decode_flight(now.id.key, encode(now)).has_value());
  }

  std::vector<Step> plan_;
  Rules rules_;
  std::size_t depth_, together_ = 1, transitions_ = 0;
  std::set<std::string> seen_;
  std::vector<MessageState> ends_;
  std::vector<std::string> path_;
  bool told_ = false;
};

void look(Walk& walk) {
  walk.run();
  EXPECT_GT(walk.transitions(), 10'000U);
  EXPECT_GT(walk.ends(MessageState::reached), 0U);
  EXPECT_GT(walk.ends(MessageState::failed), 0U);
  EXPECT_GT(walk.ends(MessageState::expired), 0U);
  EXPECT_GT(walk.ends(MessageState::cancelled), 0U);
  std::printf("%zu states, %zu transitions\n", walk.states(), walk.transitions());
}

void walk(std::vector<Step> plan, InDoubt in_doubt, std::size_t depth) {
  Walk walk(std::move(plan), in_doubt, depth);
  look(walk);
}

TEST(EveryInterleaving, OfPushThenSmsKeepsThePromisesRatherTwice) {
  walk({step(Channel::push, Until::delivered, 10'000), step(Channel::sms, Until::delivered, 0)}, InDoubt::rather_twice, 7);
}

TEST(EveryInterleaving, OfPushThenSmsKeepsThePromisesRatherNeverTwice) {
  walk({step(Channel::push, Until::delivered, 10'000), step(Channel::sms, Until::delivered, 0)}, InDoubt::rather_never_twice, 7);
}

TEST(EveryInterleaving, OfUntilReadWithWaitsKeepsThePromises) {
  walk({step(Channel::push, Until::read, 5000), step(Channel::sms, Until::read, 5000)}, InDoubt::rather_twice, 7);
}

TEST(EveryInterleaving, OfTwoTogetherThenAnotherKeepsThePromises) {
  for (const InDoubt in_doubt : {InDoubt::rather_twice, InDoubt::rather_never_twice})
    walk({step(Channel::push, Until::delivered, 10'000), also(Channel::sms, Until::delivered), step(Channel::email, Until::delivered, 0)}, in_doubt, 6);
}

TEST(EveryInterleaving, OfAnEscalationKeepsThePromises) {
  Walk walk({step(Channel::push, Until::replied, 5000), step(Channel::sms, Until::replied, 5000), step(Channel::email, Until::replied, 0)}, InDoubt::rather_twice, 6);
  walk.escalate = true;
  walk.run();
  EXPECT_GT(walk.transitions(), 10'000U);
}

TEST(EveryInterleaving, OfAJourneyKeepsThePromises) {
  walk({pause_of(20'000), step(Channel::push, Until::event, 10'000), step(Channel::sms, Until::event, 0)}, InDoubt::rather_never_twice, 7);
}

TEST(EveryInterleaving, UnderAPolicyThatHoldsKeepsThePromises) {
  for (const TimeMs until : {TimeMs{0}, TimeMs{15'000}, TimeMs{90'000}}) {
    Walk walk({step(Channel::push, Until::delivered, 10'000), step(Channel::sms, Until::delivered, 0)}, InDoubt::rather_never_twice, 6);
    walk.gate = [until](const Flight&, const Step& s) {
      return s.channel == Channel::sms ? Decision{Decision::Kind::hold, until, "quiet-hours", {}} : Decision{};
    };
    walk.run();
    EXPECT_GT(walk.transitions(), 5'000U);
  }
}

TEST(EveryInterleaving, OfOneStepKeepsThePromises) {
  walk({step(Channel::sms, Until::sent, 0)}, InDoubt::rather_twice, 8);
}

}  // namespace
}  // namespace postern::engine
