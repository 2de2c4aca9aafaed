// SPDX-License-Identifier: Apache-2.0
// What is drawn of a world: how connectors and providers behave, what clients submit, what becomes of an attempt, and lies.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/protocol/wire.pb.h"
#include "gateway/domain/content.hpp"
#include "gateway/domain/flight.hpp"
#include "gateway/rehearsal/chance.hpp"

namespace postern::sim {

using rehearsal::Chance;

inline constexpr TimeMs kMinute = 60'000, kHour = 60 * kMinute;

// How a connector, and the provider behind it, behaves; drawn once for each seed.
struct Manners {
  unsigned refuses = 0, retries = 0, throttles = 0, unsure = 0, silent = 0;   // of 100 deliveries; the rest is sent
  unsigned fails = 0, reads = 0, answers = 0;                                 // of 100 that were sent
  unsigned loses = 0, doubles = 0, early = 0, lies = 0;                       // of 100 receipts, and of results
  bool receipts = true, echoes = true;
  TimeMs latency = 1000, delivery = 10'000;
};
Manners draw_manners(Chance& chance);

struct Submission {
  std::uint64_t number = 0;
  Flight flight;
  std::string key;                               // idempotency key
  MessageKey stored = 0;                         // as the client knows it
};
// Its times are counted from its acceptance.
Submission draw_submission(Chance& chance, std::uint64_t number);

// What the steps say; gives each the number of its payload.
Content content_for(std::vector<Step>& plan);

// What a connector comes to with one attempt.
struct Fate {
  wire::Result::Kind kind = wire::Result::SENT;
  std::uint32_t retry_after_ms = 0;
  bool taken = false;           // the provider has it, whatever the connector knows
  std::int64_t parts = 1;
};
// Nothing: it never answers. `calm`: all goes well.
std::optional<Fate> draw_fate(Chance& chance, const Manners& manners, bool calm);

// News of a message that the connector never had, or of none at all; or an answer that contradicts its first.
wire::ToVault draw_lie(Chance& chance, MessageKey about);

}  // namespace postern::sim
