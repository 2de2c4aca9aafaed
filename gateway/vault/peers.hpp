// SPDX-License-Identifier: Apache-2.0
// Purpose: the vault's view of connected connectors: who they are and what will be told to them when
// the turn has committed. Used by: the vault (writes), the bus (sends). Threads: one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "connectors/protocol/wire.pb.h"
#include "gateway/domain/flight.hpp"

namespace postern::vault {

using PeerId = std::uint32_t;   // of one connection, never reused in a run

struct Peer {
  PeerId id = 0;
  std::string name;               // of the connector, as configured
  ConnectorId connector = 0;
  std::uint64_t instance = 0;
  std::uint32_t window = 0;
  bool up = true;                 // its last Health said so
  std::string detail, software;
  bool left = false;              // its connection is gone; what it said before still counts
  bool wants_events = false;
  ClientId client = 0;            // pull sources
  std::uint64_t events_sent = 0;  // cursor of the last event pushed to it
  bool lagging = false;           // more events than one push holds wait for it
  std::deque<std::uint64_t> event_pages;  // last cursors of the pushes it has not acknowledged
  wire::ToConnector out;          // sent by the bus after the commit
};

using Peers = std::map<PeerId, Peer>;

}  // namespace postern::vault
