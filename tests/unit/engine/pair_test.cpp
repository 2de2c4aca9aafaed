// SPDX-License-Identifier: Apache-2.0
// Two messages to one customer over three channels: every interleaving of hand-overs, answers, late receipts, crashes of a connector (which
// take what both had there) and of the whole gateway, and time, up to a depth; under a cap that lets one of them through at a time.
#include <array>
#include <set>

#include "tests/unit/engine/support.hpp"

namespace postern::engine {
namespace {

using Kind = Result::Kind;

constexpr TimeMs kFreeAgain = 20'000;   // after a message has reached out the other one waits so long

struct World {
  std::array<Flight, 2> flights;
  std::array<TimeMs, 2> out_ms{};       // when each first reached out; 0: not yet
  TimeMs now = kStart;
};

class Pair {
 public:
  Pair(InDoubt in_doubt, std::size_t depth) : depth_(depth) {
    rules_.in_doubt = in_doubt;
    rules_.tries = 2;
  }

  void run() {
    World world;
    for (std::size_t m = 0; m < 2; ++m) {
      Flight& f = world.flights[m];
      f.id = {(kStart << 20) + static_cast<MessageKey>(m), m};
      f.accepted_ms = kStart;
      f.deadline_ms = kStart + 60'000;
      f.plan = {step(Channel::push, Until::delivered, 10'000), step(Channel::sms, Until::delivered, 30'000), step(Channel::email, Until::sent, 0)};
      say(world, m, Begin{});
    }
    go(world, depth_);
  }

  std::size_t transitions() const { return transitions_; }
  std::size_t ended() const { return ended_; }
  std::size_t held() const { return held_; }

 private:
  static ConnectorId route(const Flight&, const Step& s) { return s.channel == Channel::push ? kPush : s.channel == Channel::sms ? kSms : kEmail; }

  // The cap over both, as the vault's gate has it: what has reached out itself is counted already.
  static Decision cap(const World& world, std::size_t m) {
    const TimeMs other = world.out_ms[1 - m];
    if (world.out_ms[m] != 0 || other == 0 || world.now >= other + kFreeAgain) return {};
    return {Decision::Kind::hold, other + kFreeAgain, "cap-one", {}};
  }

  void say(World& world, std::size_t m, const Input& input) {
    Flight& f = world.flights[m];
    const Flight before = f;
    const Outcome outcome = advance(f, input, world.now, rules_, route, [&](const Flight&, const Step&) { return cap(world, m); });
    ++transitions_;
    ended_ += outcome.ended;
    for (const Happened& what : outcome.happened) held_ += what.type == EventType::held;
    check(world, m, before, outcome);
    for (const Attempt& a : f.attempts)
      if (world.out_ms[m] == 0 && a.handed_ms != 0) world.out_ms[m] = world.now;
  }

  void check(const World& world, std::size_t m, const Flight& before, const Outcome& outcome) const {
    const Flight& f = world.flights[m];
    ASSERT_EQ(outcome.ended, !is_final(before.state) && is_final(f.state)) << "one end, reached once";
    if (is_final(before.state)) {
      ASSERT_EQ(f.state, before.state);
      ASSERT_EQ(f.attempts.size(), before.attempts.size());
    } else if (!is_final(f.state)) {
      ASSERT_TRUE(f.wake_ms() > 0 && f.wake_ms() <= f.deadline_ms) << "it is looked at again";
    }
    std::size_t out = 0;
    for (std::size_t i = 0; i < f.attempts.size(); ++i) {
      const Attempt& a = f.attempts[i];
      out += a.state == AttemptState::handed || (a.state == AttemptState::ready);
      const AttemptState was = i < before.attempts.size() ? before.attempts[i].state : AttemptState::ready;
      if (a.state == AttemptState::handed && was != AttemptState::handed) {
        ASSERT_LT(world.now, f.deadline_ms) << "nothing is handed at or after the deadline";
        ASSERT_FALSE(is_final(before.state)) << "nor after the end";
        ASSERT_EQ(cap(world, m).kind, Decision::Kind::go) << "nor beyond the cap of both";
        const bool doubtful = std::ranges::any_of(before.attempts, [](const Attempt& other) { return other.state == AttemptState::unknown; });
        ASSERT_FALSE(doubtful && rules_.in_doubt == InDoubt::rather_never_twice) << "nor while it may have been sent already";
      }
      ASSERT_FALSE(is_final(f.state) && a.state == AttemptState::ready) << "an ended message waits nowhere";
    }
    ASSERT_LE(out, 1U) << "one way at a time";
  }

  void next(const World& world, std::size_t left, const std::function<void(World&)>& what) {
    if (testing::Test::HasFailure()) return;
    World changed = world;
    what(changed);
    go(changed, left - 1);
  }

  void go(const World& world, std::size_t left) {
    if (left == 0 || testing::Test::HasFailure()) return;
    std::string seen;
    for (const Flight& f : world.flights) seen += as_text(encode(f));
    Bytes rest;
    ByteWriter out(rest);
    for (const TimeMs at : {world.out_ms[0], world.out_ms[1], world.now}) out.i64(at);
    out.u8(static_cast<std::uint8_t>(left));
    if (!seen_.insert(seen + std::string(as_text(rest))).second) return;

    for (std::size_t m = 0; m < 2; ++m) {
      const Flight& f = world.flights[m];
      for (std::size_t i = 0; i < f.attempts.size(); ++i) {
        const AttemptState state = f.attempts[i].state;
        if (state == AttemptState::ready) next(world, left, [&](World& w) { say(w, m, Handed{i, 7}); });
        if (state == AttemptState::handed || state == AttemptState::unknown)
          for (const Kind kind : {Kind::sent, Kind::refused, Kind::unknown}) next(world, left, [&](World& w) { say(w, m, Result{i, kind, true, 1, 0, "r"}); });
        // Receipts come whenever they like.
        if (state != AttemptState::ready && state != AttemptState::withdrawn)
          for (const AttemptState progress : {AttemptState::delivered, AttemptState::refused}) next(world, left, [&](World& w) { say(w, m, Receipt{i, progress, 0, true, "p"}); });
      }
    }
    // A connector's process is gone with what it had of both; the gateway's own crash leaves rows that are read again.
    for (const ConnectorId connector : {kPush, kSms, kEmail}) {
      const auto lost = [&](World& w) {
        for (std::size_t m = 0; m < 2; ++m)
          for (std::size_t i = 0; i < w.flights[m].attempts.size(); ++i)
            if (w.flights[m].attempts[i].connector == connector && w.flights[m].attempts[i].state == AttemptState::handed) say(w, m, Lost{i});
      };
      next(world, left, lost);
    }
    next(world, left, [](World& w) {
      for (Flight& f : w.flights) f = *decode_flight(f.id.key, encode(f));
    });
    // Time goes on to the next thing that either waits for, and both are looked at.
    TimeMs wake = 0;
    for (const Flight& f : world.flights)
      if (f.wake_ms() != 0 && (wake == 0 || f.wake_ms() < wake)) wake = f.wake_ms();
    if (wake != 0)
      next(world, left, [&](World& w) {
        w.now = std::max(w.now, wake);
        for (std::size_t m = 0; m < 2; ++m)
          if (w.flights[m].wake_ms() != 0 && w.flights[m].wake_ms() <= w.now) say(w, m, Due{});
      });
  }

  Rules rules_;
  std::size_t depth_, transitions_ = 0, ended_ = 0, held_ = 0;
  std::set<std::string> seen_;
};

class PairOfMessages : public testing::TestWithParam<InDoubt> {};

TEST_P(PairOfMessages, KeepsEveryPromiseInEveryInterleaving) {
  Pair pair(GetParam(), 8);
  pair.run();
  RecordProperty("transitions", static_cast<int>(pair.transitions()));
  std::printf("%zu transitions, %zu ends, %zu holds\n", pair.transitions(), pair.ended(), pair.held());
  EXPECT_GT(pair.transitions(), 100'000U);
  EXPECT_GT(pair.ended(), 1'000U);
  EXPECT_GT(pair.held(), 1'000U) << "the cap is in the way of one of them";
}

INSTANTIATE_TEST_SUITE_P(, PairOfMessages, testing::Values(InDoubt::rather_twice, InDoubt::rather_never_twice),
                         [](const auto& which) { return std::string(which.param == InDoubt::rather_twice ? "RatherTwice" : "RatherNeverTwice"); });

}  // namespace
}  // namespace postern::engine
