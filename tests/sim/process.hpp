// SPDX-License-Identifier: Apache-2.0
// A simulated connector's process, as far as the gateway's protocol sees it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gateway/vault/peers.hpp"
#include "tests/sim/drawn.hpp"

namespace postern::sim {

// A connector's process. What it said and the gateway has not confirmed it says again.
struct Process {
  std::string name;
  std::vector<Channel> channels;
  Manners manners;
  std::uint64_t instance = 1;
  std::uint32_t window = 10;
  bool alive = true;
  vault::PeerId peer = 0;                        // 0: not connected
  std::uint64_t first = 2;                       // the number of the first frame in `said`
  std::deque<wire::ToVault> said;
  std::map<std::pair<MessageKey, std::uint32_t>, bool> held;   // attempts it was given: answered or not
  std::set<std::pair<MessageKey, std::uint32_t>> window_used;    // of this connection
  std::set<std::pair<MessageKey, std::uint32_t>> answered_now;   // in the turn that is being taken

  void confirmed(std::uint64_t frame) {
    for (; first <= frame && !said.empty(); ++first) said.pop_front();
  }
};

inline AttemptState state_of(wire::Progress progress) {
  if (progress == wire::SENT) return AttemptState::sent;
  if (progress == wire::DELIVERED) return AttemptState::delivered;
  if (progress == wire::READ) return AttemptState::read;
  if (progress == wire::REPLIED) return AttemptState::replied;
  return AttemptState::refused;
}

}  // namespace postern::sim
