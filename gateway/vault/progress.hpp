// SPDX-License-Identifier: Apache-2.0
// Purpose: what comes back: results of attempts, providers' receipts, customers' replies, and time.
// Used by: the vault. Threads: one. A connector is not trusted here: what it reports must belong to an
// attempt that this or a named connector holds, and can only move a message forward.
#pragma once

#include "connectors/protocol/log.hpp"
#include "gateway/vault/dispatch.hpp"
#include "gateway/vault/peers.hpp"
#include "gateway/vault/route_watch.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

class Progress {
 public:
  Progress(Context& context, Dispatcher& dispatcher) : context_(context), dispatcher_(dispatcher), routes_(context) {}

  void result(Turn& turn, const Peer& peer, const wire::Result& result);
  void receipt(Turn& turn, const Peer& peer, const wire::Receipt& receipt);
  void reply(Turn& turn, const Peer& peer, const wire::Reply& reply);
  void observation(Turn& turn, const Peer& peer, const wire::Observation& observation);

  // Flights whose time has come, at most `limit`; true when there may be more.
  bool timers(Turn& turn, std::size_t limit);

  // An app of the bank confirms a push message. Returns false when there is nothing to confirm.
  bool confirm(Turn& turn, Flight& flight, AttemptState progress);

  // How many receipts the store keeps for results that are still to come.
  void begin_with(std::uint64_t parked) { parked_ = parked; }

  // The connector for this step now; 0: none is configured for it.
  ConnectorId route(Turn& turn, const Flight& flight, const Step& step) const;
  RouteWatch& routes() { return routes_; }
  const RouteWatch& routes() const { return routes_; }

  // Provider ids of the running turn are known before the store knows them; forget them after it.
  void turn_over() { fresh_ids_.clear(); }

 private:
  struct Found {
    Flight* flight = nullptr;
    std::size_t attempt = 0;
    std::uint8_t part = 0;
    bool all_parts = false;
  };
  Found find(Turn& turn, ConnectorId connector, const std::string& provider_id);
  Found find(Turn& turn, ConnectorId connector, const wire::Attempt& attempt);
  ConnectorId spoken_for(Turn& turn, const Peer& peer, const std::string& connector) const;
  bool seen(Turn& turn, ConnectorId connector, const std::string& provider_id);
  void not_spoken_for(const Peer& peer, const std::string& connector);
  void opt_out(Turn& turn, const wire::Reply& reply, const Flight* flight);
  void unpark(Turn& turn, ConnectorId connector, const std::string& provider_id);
  void apply(Turn& turn, const Found& found, const wire::Receipt& receipt, ConnectorId connector);

  Context& context_;
  Dispatcher& dispatcher_;
  RouteWatch routes_;
  void park(Turn& turn, ConnectorId connector, const wire::Receipt& receipt);

  std::map<std::pair<ConnectorId, std::string>, store::ProviderRow> fresh_ids_;
  std::uint64_t parked_ = 0;     // at most this many receipts are parked
  TimeMs next_prune_ms_ = 0;
  log::LogLimit strangers_;
};

}  // namespace postern::vault
