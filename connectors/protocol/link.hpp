// SPDX-License-Identifier: Apache-2.0
// Purpose: a connector's side of the connector protocol: connects to the vault, says hello, comes
// back after a loss, batches what one turn of the loop produced into one frame, and repeats facts
// until the vault has made them durable. Every connector links it; PROTOCOL.md tells what it does.
// Threads: one loop. Ownership: the Link outlives nothing it calls; handlers may call it back.
// Errors: a lost vault is not an error of the caller: facts wait (at most kMaxHeldFacts, then the
// process ends, because a fact may never be dropped silently), submits and queries get lost().
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "connectors/protocol/frame_socket.hpp"
#include "connectors/protocol/loop.hpp"
#include "connectors/protocol/wire.pb.h"

namespace postern {

struct LinkOptions {
  std::string socket;           // path of the vault's bus socket
  std::string connector;        // configured name
  std::uint32_t window = 0;     // deliveries held without a result
  bool wants_events = false;
  std::string software;
};

struct LinkHandlers {
  std::function<void(const wire::Welcome&)> welcome;
  std::function<void(const wire::Refusal&)> refused;  // told once for each refusal; the link comes back by itself
  std::function<void()> lost;                         // every submit and query without an answer is void
  std::function<void(wire::Deliver&&)> deliver;
  std::function<void(const wire::Attempt&)> cancel;
  std::function<void(wire::Verdict&&)> verdict;
  std::function<void(wire::Answer&&)> answer;
  std::function<void(wire::Event&&)> event;
  std::function<void()> drain;                        // finish, then call drained()
};

class Link {
 public:
  static constexpr std::size_t kMaxHeldFacts = 1'000'000;
  static constexpr std::size_t kMaxItem = 1024 * 1024;   // bytes of one submit, query or fact

  Link(Loop& loop, LinkOptions options, LinkHandlers handlers);
  ~Link();

  void start();
  bool up() const { return welcomed_; }
  bool locked() const { return locked_; }             // the last refusal said so
  std::uint64_t instance() const { return instance_; }

  // Sources. Only while up(); `tag` is the caller's. False when the link is down, or when the item is
  // larger than kMaxItem and could never be sent.
  bool submit(wire::Submit&& submit);
  bool query(wire::Query&& query);
  std::uint32_t submit_window() const { return submit_window_; }
  void acknowledge_events(std::uint64_t cursor);

  // Facts: kept and repeated until durable, also over a restart of the vault. `durable` (optional) is
  // called when the vault has committed it.
  void result(wire::Result&& result);
  void receipt(wire::Receipt&& receipt, std::function<void()> durable = {});
  void reply(wire::Reply&& reply, std::function<void()> durable = {});
  void observe(wire::Observation&& observation);

  void health(bool up, const std::string& detail, std::uint32_t window);

  // True when every fact has been committed and nothing waits to be written.
  bool settled() const;
  void drained();

 private:
  void connect_soon();
  void connect();
  void on_frame(std::string_view frame);
  void on_closed(const std::string& reason);
  void touch();      // a flush is due at the end of this turn of the loop
  void flush();
  void send_frame(wire::ToVault&& frame);
  void shelve();
  void hold_one();
  template <class Item>
  void queue(Item* slot, Item& item);

  struct Held {
    std::uint64_t frame = 0;
    wire::ToVault facts;                                // results, receipts, replies, observations only
    std::vector<std::function<void()>> durable;
  };

  Loop& loop_;
  LinkOptions options_;
  LinkHandlers handlers_;
  std::uint64_t instance_;
  std::unique_ptr<FrameSocket> socket_;
  Timer reconnect_;
  std::chrono::milliseconds backoff_{50};
  bool welcomed_ = false, locked_ = false, flush_due_ = false;
  std::uint32_t submit_window_ = 0;
  std::uint64_t next_frame_ = 1;
  wire::ToVault pending_;                               // what this turn has produced
  std::vector<std::function<void()>> pending_durable_;
  std::size_t held_facts_ = 0, pending_bytes_ = 0;
  std::deque<Held> held_;                               // sent, not yet committed
  // Attempts delivered whose result is not committed: the vault repeats deliveries after a loss, and
  // an attempt that this process knows is not passed on a second time.
  std::set<std::pair<std::uint64_t, std::uint32_t>> known_;
  wire::Health last_health_;
  bool has_health_ = false;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern
