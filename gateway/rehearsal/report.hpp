// SPDX-License-Identifier: Apache-2.0
// Purpose: what a rehearsal says: text for people, JSON for scripts. Both follow from plan and tally alone: no clock, no machine.
// Used by: main. Threads: pure.
#pragma once

#include <string>

#include "gateway/rehearsal/tally.hpp"
#include "gateway/rehearsal/world.hpp"

namespace postern::rehearsal {

struct Heading {
  std::string version, file, faults;
};

std::string text_of(const Heading& heading, const Plan& plan, const Tally& tally);
std::string json_of(const Heading& heading, const Plan& plan, const Tally& tally);

}  // namespace postern::rehearsal
