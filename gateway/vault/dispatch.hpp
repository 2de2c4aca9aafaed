// SPDX-License-Identifier: Apache-2.0
// Purpose: hands ready attempts to their connectors: strictly by lane, within each lane in the order
// of acceptance, never more than the connector's window, of which a sixteenth is kept for codes and warnings, and holds in memory only the head of each
// queue: depth costs disk. Used by: the vault. Threads: one.
// Ownership: borrows context, turn and peers. Errors: the turn's.
#pragma once

#include <array>
#include <map>
#include <set>

#include "gateway/vault/peers.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

class Dispatcher final : public QueueWatcher {
 public:
  Dispatcher(Context& context, Peers& peers) : context_(context), peers_(peers) {}

  // A connector said hello. Attempts that another process of it held are in doubt now; those that this
  // process holds are repeated to it, because the last turn's word may never have reached it.
  void connected(Turn& turn, Peer& peer);
  void disconnected(const Peer& peer);

  // The connector answered for this attempt: its place in the window is free.
  void answered(ConnectorId connector, MessageKey key, std::uint32_t attempt);

  // Fills every connector's window from its lanes. Call last in a turn.
  void run(Turn& turn);

  // True when run() stopped at its limit for one turn although windows were open: another turn is due at once.
  bool more() const { return more_; }
  std::uint32_t outstanding(ConnectorId connector) const;
  bool reachable(ConnectorId connector) const;   // connected and healthy

  // Calls back what connectors hold of messages that `wanted` picks; returns how many attempts that were.
  std::size_t call_back_all(Turn& turn, const std::function<bool(const Flight&)>& wanted);

  void forget();   // after an abandoned turn: everything is read from the store again

  void became_ready(const Flight& flight, ConnectorId connector) override;
  void call_back(const Flight& flight, std::size_t attempt) override;

 private:
  // The smallest keys of one lane; `more` tells that the store may hold others beyond them. `fresh`
  // became ready in this turn beyond the head: the store does not know them before the commit.
  struct Lane {
    std::set<MessageKey> head;
    std::vector<MessageKey> fresh;
    bool more = true, refilled = false;
    void add(MessageKey key);
  };
  struct Line {
    std::array<Lane, kLanes> lanes;
    PeerId peer = 0;             // 0: not connected
    std::set<std::pair<MessageKey, std::uint32_t>> unanswered;
  };
  static constexpr std::size_t kHead = 1024;     // keys kept of one lane
  static constexpr std::size_t kTurn = 500;      // attempts looked at in one turn

  bool take_up(Turn& turn, Line& line, Peer& peer, std::uint8_t lane, MessageKey& after);
  bool refill(Turn& turn, ConnectorId connector, std::uint8_t number, Lane& lane);
  void fill(Turn& turn, ConnectorId connector, Line& line, Peer& peer, std::size_t& handed);
  bool hand(Turn& turn, Line& line, Peer& peer, Flight& flight, std::size_t attempt);
  void deliver(Turn& turn, Peer& peer, const Flight& flight, std::size_t attempt);

  Context& context_;
  Peers& peers_;
  std::map<ConnectorId, Line> lines_;
  bool more_ = false;
};

}  // namespace postern::vault
