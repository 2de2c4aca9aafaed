// SPDX-License-Identifier: Apache-2.0
// Purpose: one played world: the gateway under the bank's configuration, and around it clients, connectors, providers and customers drawn
// from the seed, on a clock that jumps to the next thing that happens. Used by: main. Threads: one. Ownership: values.
// Errors: in the tally: a broken promise ends the world.
#pragma once

#include "gateway/rehearsal/gateway.hpp"
#include "gateway/rehearsal/manners.hpp"
#include "gateway/rehearsal/tally.hpp"

namespace postern::rehearsal {

struct Plan {
  std::shared_ptr<const config::Config> config;
  std::uint64_t seed = 1, messages = 10'000, customers = 1000;   // of all worlds together
  unsigned days = 30, worlds = 1;
  TimeMs begin = 0;
  Faults faults = Faults::usual;
};

// Plays one of the worlds of a plan. `progress` is told how many messages have been sent.
Result<Tally> play(const Plan& plan, unsigned world, const Ground& ground, const std::function<void(std::uint64_t)>& progress);

}  // namespace postern::rehearsal
