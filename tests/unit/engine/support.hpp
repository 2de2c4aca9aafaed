// SPDX-License-Identifier: Apache-2.0
// A flight, a clock and routes for tests of the engine: says inputs in one short line each.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gateway/engine/engine.hpp"

namespace postern::engine {

inline constexpr TimeMs kStart = 1'800'000'000'000;
inline constexpr ConnectorId kPush = 1, kSms = 2, kEmail = 3;

inline Step step(Channel channel, Until until, std::uint32_t wait_ms) {
  Step s;
  s.channel = channel;
  s.until = until;
  s.wait_ms = wait_ms;
  return s;
}
// One that begins with the step before it.
inline Step also(Channel channel, Until until) {
  Step s = step(channel, until, 0);
  s.together = true;
  return s;
}
inline Step pause_of(std::uint32_t wait_ms) {
  Step s = step(Channel::sms, Until::delivered, wait_ms);
  s.pause = true;
  return s;
}

class Desk {
 public:
  explicit Desk(std::vector<Step> plan, InDoubt in_doubt = InDoubt::rather_twice) {
    rules.in_doubt = in_doubt;
    flight.id = {kStart << 20, 1};
    flight.category = Category::otp;
    flight.accepted_ms = kStart;
    flight.deadline_ms = kStart + 300'000;
    flight.plan = std::move(plan);
    routes = {{Channel::push, kPush}, {Channel::sms, kSms}, {Channel::email, kEmail}};
  }

  Outcome say(const Input& input) {
    const auto route = [this](const Flight&, const Step& s) {
      const auto found = routes.find(s.channel);
      return found == routes.end() ? ConnectorId{0} : found->second;
    };
    last = advance(flight, input, now, rules, route, [this](const Flight&, const Step& s) {
      const auto found = policy.find(s.channel);
      return found == policy.end() ? Decision{} : found->second;
    });
    for (const Happened& what : last.happened) told.push_back(what);
    return last;
  }
  Outcome begin() { return say(Begin{}); }
  Outcome hand() {
    const auto ready = std::ranges::find(flight.attempts, AttemptState::ready, &Attempt::state);
    return hand(static_cast<std::size_t>(ready - flight.attempts.begin()));
  }
  Outcome hand(std::size_t attempt) { return say(Handed{attempt, 7}); }
  Outcome due() { return say(Due{}); }
  Outcome cancel() { return say(Cancel{}); }
  Outcome lost(std::size_t attempt) { return say(Lost{attempt}); }
  Outcome sent(std::size_t attempt, bool receipts = true, std::uint8_t parts = 1) {
    return say(Result{attempt, Result::Kind::sent, receipts, parts, 0, {}});
  }
  Outcome result(std::size_t attempt, Result::Kind kind, std::string reason = "why", std::uint32_t retry_after_ms = 0) {
    return say(Result{attempt, kind, false, 1, retry_after_ms, std::move(reason)});
  }
  Outcome receipt(std::size_t attempt, AttemptState progress, std::string reason = {}) {
    return say(Receipt{attempt, progress, 0, /*all_parts=*/true, std::move(reason)});
  }
  Outcome part(std::size_t attempt, AttemptState progress, std::uint8_t number) {
    return say(Receipt{attempt, progress, number, /*all_parts=*/false, {}});
  }
  // Moves the clock to the flight's next wake time and says Due.
  Outcome wait() {
    now = flight.wake_ms();
    return due();
  }
  AttemptState state(std::size_t attempt) const { return flight.attempts.at(attempt).state; }
  Channel channel(std::size_t attempt) const { return flight.plan.at(flight.attempts.at(attempt).step).channel; }
  std::vector<std::string> story() const {
    std::vector<std::string> words;
    for (const Happened& what : told) {
      std::string word(name_of(what.type));
      if (what.attempt >= 0) word += " " + std::to_string(what.attempt + 1);
      if (!what.reason.empty()) word += " " + what.reason;
      words.push_back(std::move(word));
    }
    return words;
  }

  Flight flight;
  Rules rules;
  TimeMs now = kStart;
  std::map<Channel, ConnectorId> routes;
  std::map<Channel, Decision> policy;   // goes where nothing is said
  Outcome last;
  std::vector<Happened> told;
};

inline void expect_ended(const Desk& desk, MessageState state, const std::string& reason) {
  EXPECT_EQ(desk.flight.state, state) << name_of(desk.flight.state);
  EXPECT_EQ(desk.flight.reason, reason);
  EXPECT_EQ(desk.flight.wake_ms(), 0);
  EXPECT_NE(desk.flight.ended_ms, 0);
}

}  // namespace postern::engine
