// SPDX-License-Identifier: Apache-2.0
// Purpose: one turn of the vault: the flights it touches, what it writes, what it says. Everything that
// happens in a turn becomes true with one commit or not at all; nothing is told to anybody before.
// Used by: gateway/vault. Threads: one. Ownership: owns the cache of flights; pointers to flights hold
// until the next commit() or abandon().
// Errors: reading errors make the turn fail: commit() then refuses and the caller abandons it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/domain/content.hpp"
#include "gateway/engine/engine.hpp"
#include "gateway/vault/context.hpp"
#include "gateway/vault/news.hpp"

namespace postern::vault {

// Told of every change of a flight's place in a connector's queue, so that windows and ready sets stay
// true without anybody else keeping count.
struct QueueWatcher {
  virtual ~QueueWatcher() = default;
  virtual void became_ready(const Flight& flight, ConnectorId connector) = 0;
  virtual void call_back(const Flight& flight, std::size_t attempt) = 0;   // handed, but no longer wanted
};

class Turn {
 public:
  Turn(Context& context, QueueWatcher& queues, engine::Route route, engine::Gate gate)
      : context_(context), queues_(queues), route_(std::move(route)), gate_(std::move(gate)) {}

  void open(TimeMs now_ms, std::int64_t utc_us, std::uint64_t steady_us);
  TimeMs now() const { return now_ms_; }

  // The flight, from the cache or the store; nullptr when there is none (or the store failed).
  Flight* find(MessageKey key);
  // The same for a row that the store just gave.
  Flight* take(const store::FlightRow& row);
  // A new message with what it says; begins it with the engine and writes its `accepted` leaf.
  Flight& accept(Flight flight, Content content, const audit::Body& body);

  // Lets the engine decide, and turns what happened into leaves and events. `extra` goes into the body
  // of the first leaf.
  engine::Outcome advance(Flight& flight, const engine::Input& input, audit::Body extra = {});

  // What the message says; from this turn or opened from the store. Null when it is damaged: that ends
  // the one message, not the gateway.
  const Content* content(const Flight& flight);
  // The same of a flight that is not this turn's: nothing is kept of it.
  std::optional<Content> read_content(const Flight& flight);

  // The body of a leaf that speaks of this flight; empty once the person was erased. Null when it is damaged.
  std::optional<audit::Body> body_of(const audit::Leaf& leaf);

  // The message, which has ended, is not kept any longer.
  void purge(MessageKey key);

  // The message says no more what it said, to whom, and by what name its client knew it.
  void erase_traces(Flight& flight);

  // The client of the newest leaf's message is told of it.
  void tell_client(News news);

  // A leaf that belongs to no message, or is no decision of the engine.
  std::uint64_t leaf(EventType type, const audit::Body& body, const Flight* flight = nullptr, ClientId client = 0, ConnectorId connector = 0);

  // One whose body everybody can read.
  std::uint64_t open_leaf(EventType type, const audit::Body& body);

  ClientId number_of_client(const std::string& name) { return number_of("client:" + name); }
  ConnectorId number_of_connector(const std::string& name) { return number_of("connector:" + name); }

  TemplateId number_of_template(const std::string& name) { return number_of("template:" + name); }

  // A leaf that speaks of a person beside messages; sealed to the person. Returns its sequence.
  std::uint64_t leaf_of(std::uint64_t person, EventType type, const audit::Body& body, ClientId client);

  store::Batch& batch() { return batch_; }
  // What clients are told of when the turn has committed; taken before.
  std::vector<News> take_news() { return std::exchange(news_, {}); }

  // Writes everything. On failure nothing of the turn is true: the caller abandons it and closes every
  // link, so that connectors say again what was not committed.
  Status commit();
  void abandon();
  // After a commit, when only reading failed: what is committed stays, what is cached goes.
  void forget();
  bool failed() const { return !failure_.empty(); }
  void fail_with(const std::string& why) { if (failure_.empty()) failure_ = why; }

 private:
  struct Slot {
    Flight flight;
    std::vector<Queue> placed;   // beyond the first, in the store
    bool dirty = false, fresh = false;
    std::unique_ptr<Content> content;
  };
  // Messages on their way, and among them those that have ended, of which little more comes.
  static constexpr std::size_t kCache = 65'536, kEnded = 8192;

  std::uint16_t number_of(const std::string& name);
  void drop_content(const Flight& flight) { batch_.dropped_contents.push_back(flight.id.key); }
  Bytes seal(const Flight& flight, const Content& content);
  std::optional<Bytes> opened(MessageKey key, ByteView sealed);
  std::uint64_t append(audit::Leaf&& leaf, const audit::Body& body, const Flight& flight);
  void touch(Slot& slot);
  void place(Slot& slot);
  void reach_out(const Flight& flight, const Step& step);
  void note(Flight& flight, const engine::Happened& what, bool ended_here, audit::Body&& extra);
  std::int64_t count_twice(const Flight& flight);
  void drop_contents();
  void trim();

  Context& context_;
  QueueWatcher& queues_;
  engine::Route route_;
  engine::Gate gate_;
  TimeMs now_ms_ = 0;
  std::int64_t utc_us_ = 0;
  std::uint64_t steady_us_ = 0;

  std::unordered_map<MessageKey, Slot> flights_;
  std::deque<MessageKey> age_;             // keys in the order they entered the cache
  std::deque<MessageKey> ended_;           // and in the order they ended
  std::vector<MessageKey> dirty_, with_content_;
  store::Batch batch_;
  std::vector<News> news_;
  std::vector<std::uint16_t> fresh_names_;
  audit::Log::Mark mark_before_;
  KeySource ids_before_;
  std::uint64_t waiting_before_ = 0;
  std::string failure_;
};

}  // namespace postern::vault
