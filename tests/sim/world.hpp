// SPDX-License-Identifier: Apache-2.0
// One simulated world: clients, messages, connectors, providers and customers with all their faults, drawn from one seed and played
// against a virtual clock that jumps to the next thing that happens.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/rehearsal/gateway.hpp"

namespace postern::sim {

using rehearsal::Gateway, rehearsal::Ground;

struct Verdict {
  std::string violation;        // empty: every promise was kept
  std::uint64_t digest = 0;     // of everything that happened, in order
  TimeMs simulated_ms = 0;      // virtual time from beginning to end
  std::uint64_t messages = 0, turns = 0, hand_overs = 0, crashes = 0, leaves = 0;
  std::string trace;            // where it was asked for
};

Verdict play(std::uint64_t seed, const Ground& ground, bool trace);

}  // namespace postern::sim
