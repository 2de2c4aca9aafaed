// SPDX-License-Identifier: Apache-2.0
// Purpose: measures each connector that carries messages by its own answers and receipts, and tells whether it should take a message:
// a slow or failing one gets its share until it has recovered. Used by: the vault. Threads: one. Ownership: about 20 KB for each
// connector, and at most kMostAwaited receipts that are awaited of each: of more than those it measures a sample. Errors: none; a restart begins with the full share of each.
// It is advice: the vault takes a route with a small share where no other is left.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>

#include "gateway/policy/route_health.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

class RouteWatch {
 public:
  explicit RouteWatch(Context& context) : context_(context) {}

  // The one result of an attempt, before the engine has it.
  void result(const Flight& flight, std::size_t attempt, const engine::Result& result, TimeMs now);
  // A receipt for it, before the engine has it.
  void receipt(const Flight& flight, std::size_t attempt, AttemptState progress, TimeMs now);

  // Judges what was told, at most once a second. Call it once a turn, before anything is routed.
  void run(TimeMs now);

  // Whether this message is among the share of the connector. One that it has failed already is no probe for it.
  bool takes(ConnectorId connector, const Flight& flight) const;
  std::uint16_t share(ConnectorId connector) const;   // of 1000
  // Among routes of whose share it is not: one that has not failed it goes before one that has, then the greater share.
  std::uint16_t rank(ConnectorId connector, const Flight& flight) const { return has_failed(connector, flight) ? 0 : share(connector); }

 private:
  static constexpr std::size_t kMostAwaited = 20'000;
  struct Awaited {
    MessageKey key;
    std::uint8_t attempt;
    TimeMs handed_ms;
  };
  struct Watched {
    policy::RouteHealth health;
    std::deque<Awaited> awaited;                        // in the order they were sent
    std::unordered_map<MessageKey, std::uint64_t> open; // attempts of a message whose receipt is still awaited, a bit each
  };

  static bool has_failed(ConnectorId connector, const Flight& flight);
  Watched* watched(ConnectorId connector);
  void configure();
  bool counts_receipts(const Flight& flight, std::size_t attempt) const;

  Context& context_;
  std::shared_ptr<const config::Config> of_;
  std::map<ConnectorId, Watched> watched_;
  TimeMs judged_ms_ = 0;
};

}  // namespace postern::vault
