// SPDX-License-Identifier: Apache-2.0
// Purpose: the life of a delivery inside a channel over HTTP: held until the pace allows it, never sent
// after its deadline or its cancel, handed to the provider's Carrier, and answered with exactly one
// result; and the health of the way (breaker, probes). What a provider's answer means is the Carrier's.
// Used by: push, messenger. Threads: one loop.
// Ownership: the Dispatcher owns the deliveries and wipes their contents when they end; the Carrier
// outlives it.
// Errors and limits: none of its own; the vault's window bounds what is held.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "connectors/channels/http_client/breaker.hpp"
#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/http_client/pace.hpp"
#include "connectors/protocol/log.hpp"
#include "connectors/protocol/loop.hpp"
#include "connectors/protocol/wire.pb.h"

namespace postern::http_client {

// What one answer says about the whole way to the provider.
enum class Way {
  fine,      // it works, whatever became of this message
  too_fast,  // slow down for retry_after
  failing,   // no connection, no answer, 5xx: counts towards the breaker
  broken,    // our credentials or account are refused: breaker at once
};

struct Verdict {
  wire::Result::Kind kind = wire::Result::UNKNOWN;
  std::string reason;  // stable word; empty for SENT
  std::string detail;  // for the log only: why there was no answer
  std::string provider_id;
  bool receipts = false;
  bool address_dead = false;
  std::chrono::milliseconds retry_after{0};
  Way way = Way::fine;
};

// The verdict on a request without an answer; `provider` begins its reason: "fcm" makes "fcm-connect",
// "fcm-no-answer". A request that never left may be tried again; one that left is in doubt.
Verdict unanswered(const Outcome& outcome, std::string_view provider);

class Carrier {
 public:
  using Done = std::function<void(Verdict&&)>;
  virtual ~Carrier() = default;

  // Sends; `done` is called once, possibly before this returns. `deliver` lives until then.
  virtual void send(const wire::Deliver& deliver, Done done) = 0;
  // Takes back what has not left this host: true, and its `done` is never called.
  virtual bool withdraw(const wire::Deliver& deliver) = 0;
  // Asks the provider, without sending a message, whether it takes ours. `done` gets nothing when it
  // does, or a short text for people that says why not.
  virtual void probe(std::function<void(std::optional<std::string>)> done) = 0;
};

struct DispatcherSettings {
  std::uint32_t window = 500;
  double rate = 80;  // a second
  unsigned breaker_failures = 5;
  std::chrono::milliseconds probe_pause{10'000};
};

class Dispatcher {
 public:
  struct Out {
    std::function<void(wire::Result&&)> result;
    std::function<void(bool up, const std::string& detail)> health;
  };
  Dispatcher(Loop& loop, DispatcherSettings settings, Carrier& carrier, Out out);
  ~Dispatcher();

  // Probes the provider; health is told when the answer is known.
  void start();
  // Tells the health once more: on each welcome, because what is told while the link is between its
  // hello and the vault's welcome does not reach the vault.
  void tell_health();
  void deliver(wire::Deliver&& deliver);
  void cancel(const wire::Attempt& attempt);
  // Gives back what has not been sent, waits for what has, calls done() once.
  void drain(std::function<void()> done);

 private:
  using Key = std::pair<std::uint64_t, std::uint32_t>;
  using Queue = std::list<wire::Deliver>;

  void pump();
  void send(wire::Deliver&& deliver);
  void ended(Key key, Verdict&& verdict);
  void learn(const Verdict& verdict);
  void give_back_queue(wire::Result::Kind kind, const std::string& reason, std::chrono::milliseconds retry_after);
  void answer(const wire::Deliver& deliver, Verdict&& verdict);
  void close_way(const std::string& why);
  void probe();
  void look_if_drained();
  void set_health(bool up, std::string detail);

  DispatcherSettings settings_;
  Carrier& carrier_;
  Out out_;
  Pace pace_;
  Breaker breaker_;
  Timer turn_, probe_;
  Queue waiting_;
  std::map<Key, std::unique_ptr<wire::Deliver>> sent_;  // handed to the carrier
  std::function<void()> drained_;
  log::LogLimit too_fast_line_, failing_line_;
  std::string detail_ = "starting";
  bool up_ = false;
  bool draining_ = false, pumping_ = false;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::http_client
