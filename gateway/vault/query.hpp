// SPDX-License-Identifier: Apache-2.0
// Purpose: answers clients' questions through sources: one message, cancel, events, confirmations,
// metrics; and pushes events to pull sources. A client sees its own messages only.
// Used by: the vault. Threads: one.
#pragma once

#include <vector>

#include "gateway/vault/intake.hpp"
#include "gateway/vault/news.hpp"
#include "gateway/vault/peers.hpp"
#include "gateway/vault/progress.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

// One message as a client or an administrator sees it.
wire::MessageView view_of(const Context& context, const Flight& flight);

class Queries {
 public:
  Queries(Context& context, Intake& intake, Progress& progress, const Dispatcher& dispatcher, Peers& peers)
      : context_(context), intake_(intake), progress_(progress), dispatcher_(dispatcher), peers_(peers) {}

  void query(Turn& turn, Peer& peer, const wire::Query& query);

  // After a commit, with what it made true: answers long polls whose client has news or whose time is over, and pushes events
  // to pull sources that lag behind.
  void tell(Turn& turn, std::vector<News> news);
  // A pull source may be told more: some wait, and it has acknowledged enough of the last ones.
  static bool may_push(const Peer& peer);
  void forget(PeerId peer);                    // its long polls are void
  TimeMs next_timeout() const;                 // 0: no long poll waits

  std::string metrics_text() const;

 private:
  struct Poll {
    PeerId peer;
    std::uint64_t tag;
    ClientId client;
    std::uint64_t after;
    std::uint32_t limit;
    TimeMs until_ms;
  };
  void move(Turn& turn, const config::Client& client, const wire::MoveAsk& ask, wire::Answer& answer);
  void list(Turn& turn, const config::Client& client, const wire::ListAsk& ask, wire::Answer& answer);
  void signal(Turn& turn, const config::Client& client, const wire::SignalAsk& ask, wire::Answer& answer);
  Flight* own_message(Turn& turn, const config::Client& client, const std::string& id, wire::Answer& answer);
  // False when the client has nothing new.
  bool fill_events(Turn& turn, ClientId client, std::uint64_t after, std::uint32_t limit, wire::Answer& answer);
  std::vector<wire::Event> events_after(Turn& turn, ClientId client, std::uint64_t after, std::size_t limit);
  // The same from the store, of whatever age.
  std::vector<wire::Event> stored_events(Turn& turn, ClientId client, std::uint64_t after, std::size_t limit);
  std::optional<wire::Event> event_of(Turn& turn, std::uint64_t cursor, ByteView leaf);
  std::optional<wire::Event> event_of(Turn& turn, const News& news);
  std::optional<wire::Event> event_about(Turn& turn, const News& news);   // without what is sealed

  Context& context_;
  Intake& intake_;
  Progress& progress_;
  const Dispatcher& dispatcher_;
  Peers& peers_;
  std::vector<Poll> polls_;
  RecentNews recent_;
};

}  // namespace postern::vault
