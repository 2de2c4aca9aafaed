// SPDX-License-Identifier: Apache-2.0
// Purpose: sees each batch as it becomes durable and all that connectors and clients are told; keeps its own account of every message on
// its way, holds the gateway to its promises, and counts what becomes of each kind of message. Asks the gateway nothing but to open the
// leaves that it wrote. Used by: the played world. Threads: one. Ownership: borrows configuration, traffic and tally.
// Errors: a broken promise ends the world: broken() says which.
#pragma once

#include <functional>
#include <set>
#include <unordered_map>

#include "crypto/merkle.hpp"
#include "gateway/audit/leaf.hpp"
#include "gateway/domain/flight.hpp"
#include "gateway/domain/recipient.hpp"
#include "gateway/rehearsal/tally.hpp"
#include "gateway/rehearsal/traffic.hpp"
#include "gateway/store/store.hpp"
#include "gateway/vault/zones.hpp"

namespace postern::rehearsal {

// One message from its acceptance until nothing is heard of it any more.
struct Letter {
  MessageId id;
  ClientId client = 0;
  Category category = Category::service;
  std::uint64_t number = 0;                       // of its order
  Order order;
  Row* row = nullptr;
  TimeMs accepted = 0, deadline = 0;              // when, by the clock that never jumps; by the gateway's
  std::vector<Step> plan;
  std::vector<std::string> events_heard;   // of the bank's systems, that end it or begin it
  bool escalate = false, ended = false, doubted = false, answered = false, opted_out = false, halted = false;
  struct Try {
    EventType last = EventType::ended;            // what was last recorded of it; `ended`: nothing yet
    std::uint64_t instance = 0;                   // of the process that was given it
    policy::ConsentState consent = policy::ConsentState::none;   // by which it was handed on
  };
  std::vector<Try> tries;
  unsigned expected = 0;                          // things that are still to happen to it
  // What is to be purged with it.
  std::vector<std::uint64_t> events;
  std::vector<std::pair<ConnectorId, std::string>> ids;
  std::vector<std::array<std::uint8_t, 16>> hashes;
};

class Witness {
 public:
  using Open = std::function<std::optional<audit::Body>(const audit::Leaf&)>;
  Witness(const config::Config& config, const Traffic& traffic, const Customers& customers, Tally& tally) : config_(config), traffic_(traffic), customers_(customers), tally_(tally) {}

  // The clock that never jumps, and the gateway's; `open` opens the leaves of the gateway that runs.
  void at(TimeMs now, TimeMs wall) { now_ = now, wall_ = wall; }
  void opens_with(Open open) { open_ = std::move(open); }

  void committed(const store::Batch& batch);
  // A client was told that its message is stored, the first time or again.
  void told_stored(std::uint64_t number, const std::string& id);
  void told_cancelled(MessageKey key);
  // A connector was given an attempt. True when it had it already.
  bool delivered(const wire::Deliver& deliver, std::uint64_t instance, const Customer& customer);
  void window(const std::string& connector, std::size_t held, std::uint32_t window);

  // One statement of a customer on its way to the gateway. It counts from heard() on, when the gateway has told that it keeps it.
  struct Word {
    std::uint64_t customer = 0;
    std::size_t index = 0;
  };
  // `by_number`: it came from the customer's number, and may be known of that alone.
  Word said(std::uint64_t customer, const ConsentRecord& record, bool by_number);
  void heard(const Word& word);
  // An administrator was told that this ("client core") is halted now, or that it goes on.
  void told_halted(const std::string& what, bool halted);

  // Nothing more will happen.
  void at_end(const Hash& root, store::Store& store);

  Letter* find(MessageKey key);
  std::size_t on_their_way() const { return letters_.size(); }
  // Messages accepted since the last call, and those of which nothing is heard any more.
  std::vector<MessageKey> take_fresh() { return std::exchange(fresh_, {}); }
  std::vector<MessageKey>& over() { return over_; }
  void less(Letter& letter);                      // something that was to happen to it has happened
  void forget(MessageKey key) { letters_.erase(key); }
  MessageKey newest() const { return newest_; }

  const std::string& broken() const { return broken_; }
  void break_promise(const std::string& what);

 private:
  struct Reach {                                  // what reached out to a customer, for the caps
    MessageKey key;
    policy::Sighting sighting;
  };
  struct Said {
    Category purpose = Category::marketing;
    std::optional<Channel> channel;
    bool given = false, by_number = false;
    std::uint64_t said = 0, heard = 0;            // in the order of what happens; 0: not yet
    TimeMs at = 0;                                // by the gateway's clock
    Hash hash{};                                  // by which a consent is cited
  };
  struct Customs {
    std::vector<Said> words;
    bool opted_out = false;
  };
  void kept(const char* promise) {
    std::uint64_t*& count = kept_[promise];
    if (count == nullptr) count = &tally_.kept[promise];
    ++*count;
  }
  void accepted(const store::Batch& batch);
  void leaf(const store::Batch& batch, const store::Batch::LeafRow& row);
  void of_letter(const store::Batch& batch, const audit::Leaf& leaf, Letter& letter);
  void rule(const audit::Leaf& leaf, Letter& letter, Count count, const char* did);
  void halts(const audit::Leaf& leaf);
  void handed(const store::Batch& batch, const audit::Leaf& leaf, Letter& letter);
  void agreed(const audit::Leaf& leaf, Letter& letter, const Flight& flight);
  void not_halted(const audit::Leaf& leaf, const Letter& letter);
  void ended(const store::Batch& batch, const audit::Leaf& leaf, Letter& letter);
  void ask_policy(const Letter& letter, const wire::Deliver& deliver, const Customer& customer);
  std::optional<Flight> flight_of(const store::Batch& batch, MessageKey key) const;

  const config::Config& config_;
  const Traffic& traffic_;
  const Customers& customers_;
  Tally& tally_;
  Open open_;
  TimeMs now_ = 0, wall_ = 0;
  std::unordered_map<MessageKey, Letter> letters_;
  std::unordered_map<std::uint64_t, std::vector<Reach>> reached_out_;   // by customer
  std::unordered_map<std::uint64_t, Customs> words_;                    // by customer
  std::set<std::string, std::less<>> halted_;                           // as the audit log has it
  std::uint64_t order_ = 0;
  std::unordered_map<const char*, std::uint64_t*> kept_;
  std::vector<MessageKey> fresh_, over_;
  vault::Zones zones_;
  MerkleFrontier tree_;
  Hash last_leaf_{};
  MessageKey newest_ = 0;
  std::string broken_;
};

}  // namespace postern::rehearsal
