// SPDX-License-Identifier: Apache-2.0
// What the simulated bank allows: a few rules that begin and end at drawn times. Pure in message, step and time, as the engine asks.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "gateway/engine/engine.hpp"
#include "gateway/rehearsal/chance.hpp"

namespace postern::sim {

using rehearsal::Chance;

struct PolicyRule {
  engine::Decision::Kind kind = engine::Decision::Kind::go;
  TimeMs from = 0, until = 0;    // wall clock
  bool endless = false;          // a hold without a time: lifted by `resume` at its end
  std::uint8_t channel = 0;      // 0: every one
  std::uint64_t person = 0;      // 0: everybody
  bool passes_urgent = false;    // codes and security pass it, and the log says so
};

class Policy {
 public:
  Policy() = default;
  Policy(Chance& chance, TimeMs begin, TimeMs span) {
    using Kind = engine::Decision::Kind;
    for (std::int64_t i = chance.percent(60) ? chance.from_to(1, 6) : 0; i > 0; --i) {
      PolicyRule rule;
      rule.kind = chance.one_of({Kind::hold, Kind::hold, Kind::hold, Kind::skip, Kind::suppress});
      rule.from = begin + chance.from_to(-span / 4, span);
      rule.until = rule.from + (chance.percent(50) ? chance.delay(span) : chance.from_to(1, span));
      rule.endless = chance.percent(30);
      rule.channel = static_cast<std::uint8_t>(chance.below(5));
      rule.person = chance.percent(50) ? static_cast<std::uint64_t>(chance.from_to(1, 3)) : 0;
      rule.passes_urgent = chance.percent(40);
      rules_.push_back(rule);
    }
  }

  const std::vector<PolicyRule>& rules() const { return rules_; }

  engine::Decision decide(const Flight& flight, const Step& step, TimeMs now) const {
    using Kind = engine::Decision::Kind;
    engine::Decision worst;
    for (const PolicyRule& rule : rules_) {
      if (now < rule.from || now >= rule.until) continue;
      if ((rule.channel != 0 && static_cast<std::uint8_t>(step.channel) != rule.channel) || (rule.person != 0 && flight.person != rule.person)) continue;
      if (rule.passes_urgent && (flight.category == Category::otp || flight.category == Category::security)) {
        worst.passed.emplace_back("quiet");
        continue;
      }
      if (rule.kind < worst.kind) continue;
      worst.kind = rule.kind;
      worst.until_ms = rule.kind == Kind::hold && !rule.endless ? std::max(worst.until_ms, rule.until) : 0;
      worst.reason = rule.kind == Kind::hold ? "quiet-hours" : rule.kind == Kind::skip ? "cap" : "opt-out";
    }
    return worst;
  }

 private:
  std::vector<PolicyRule> rules_;
};

}  // namespace postern::sim
