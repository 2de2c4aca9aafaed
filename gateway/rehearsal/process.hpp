// SPDX-License-Identifier: Apache-2.0
// Purpose: the programs beside a played gateway, and what is to happen at a time. Used by: the played world. Threads: plain values.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "connectors/protocol/wire.pb.h"
#include "gateway/vault/peers.hpp"

namespace postern::rehearsal {

// A program beside the gateway. What a channel said and the gateway has not confirmed it says again.
struct Process {
  std::string name;
  bool channel = false;
  std::uint64_t instance = 1;
  vault::PeerId peer = 0;                        // 0: not connected
  std::uint64_t first = 2;                       // the number of the first frame in `said`
  std::deque<wire::ToVault> said;
  std::set<std::pair<std::uint64_t, std::uint32_t>> unanswered;   // attempts, of this connection
  std::set<std::pair<std::uint64_t, std::uint32_t>> answered;     // in frames that are not confirmed
  TimeMs away_until = 0;
};

enum class What : std::uint8_t { submit, connect, start_gateway, answer, receipt, reply, stop_word, app, signal, cancel, move, again, statement, halt, resume, crash_gateway, full_disk, jump, crash, cut, outage };

struct Event {
  TimeMs at = 0;
  std::uint64_t order = 0;
  What what = What::submit;
  std::uint8_t detail = 0;                       // kind of a result, progress of a receipt
  std::uint16_t who = 0;                         // process
  std::uint32_t attempt = 0, retry = 0;
  MessageKey key = 0;
  std::uint64_t number = 0, instance = 0;
  std::string_view reason = {};
  bool operator<(const Event& other) const { return std::tie(other.at, other.order) < std::tie(at, order); }
};

// What a client was answered, in the words of the report.
inline std::string verdict_word(wire::Verdict::Outcome outcome) {
  if (outcome == wire::Verdict::STORED) return "stored";
  if (outcome == wire::Verdict::REPLAYED) return "the same again";
  if (outcome == wire::Verdict::INVALID) return "invalid";
  if (outcome == wire::Verdict::KEY_REUSED) return "key used for something else";
  if (outcome == wire::Verdict::FORBIDDEN) return "forbidden";
  if (outcome == wire::Verdict::BUSY) return "over the client's rate, sent again later";
  if (outcome == wire::Verdict::UNAVAILABLE) return "not now, sent again later";
  return "refused";
}

}  // namespace postern::rehearsal
