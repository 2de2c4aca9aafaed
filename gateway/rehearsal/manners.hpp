// SPDX-License-Identifier: Apache-2.0
// Purpose: how the played providers, connectors and customers behave, and how often something goes wrong: none, usual or heavy.
// Used by: the played world. Threads: plain values. Errors: none.
#pragma once

#include <optional>
#include <string_view>

#include "connectors/protocol/wire.pb.h"
#include "gateway/rehearsal/traffic.hpp"

namespace postern::rehearsal {

enum class Faults : std::uint8_t { none, usual, heavy };
std::optional<Faults> faults_named(std::string_view name);

// How often, of a hundred thousand each, and how many in thirty days.
struct Level {
  unsigned busy = 0, throttled = 0, unsure = 0, refused = 0;                  // answers to a delivery
  unsigned lost = 0, late = 0, doubled = 0, early = 0, failed = 0, lies = 0;  // of receipts
  unsigned off = 0;                                                           // phones that are off for hours
  unsigned gateway_crashes = 0, full_disks = 0, clock_jumps = 0;              // of the gateway's machine
  unsigned crashes = 0, cuts = 0, outages = 0;                                // of each connector
  unsigned halts = 0;                                                         // of each kind that administrators can halt
  TimeMs jump = 0;                                                            // the longest
};
const Level& level_of(Faults faults);

// What a connector comes to with one attempt.
struct Fate {
  wire::Result::Kind kind = wire::Result::SENT;
  std::string_view reason = {};
  TimeMs after = 0;
  std::uint32_t retry_after_ms = 0;
  bool taken = false;                     // the provider has it, whatever the connector knows
  bool receipts = false, fails = false;   // the provider tells later; and it is that the customer does not get it
  TimeMs delivered = 0, read = 0, replied = 0;   // after the answer; 0: never
};
// `asked`: the message wants an answer.
Fate fate_of(Channel channel, const Customer& customer, const Level& level, bool asked, Chance& chance);

}  // namespace postern::rehearsal
