// SPDX-License-Identifier: Apache-2.0
// Purpose: the e-mail channel: deliveries of the vault to the bank's SMTP relay over a small pool of
// TLS connections. Used by: postern-email. Threads: the loop's.
// Ownership: a delivery is kept until its one result, then forgotten.
// Errors: a relay that is away, refuses us or cannot be trusted makes the channel unhealthy; what waits
// is answered at once, so that the vault can go another way, and the relay is tried again with a
// growing pause.
// Limits: at most `window` deliveries are held.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/channels/email/connection.hpp"
#include "connectors/channels/email/settings.hpp"
#include "connectors/protocol/log.hpp"
#include "connectors/protocol/program.hpp"

namespace postern::email {

class EmailChannel final : public Connector {
 public:
  explicit EmailChannel(std::unique_ptr<Settings> settings);
  ~EmailChannel() override;

  LinkOptions link_options() const override;
  LinkHandlers link_handlers() override;
  Status start(Loop& loop, Link& link) override;
  void drain(std::function<void()> done) override;

 private:
  // A connection and the attempt it carries.
  struct Lane {
    std::unique_ptr<Connection> connection;
    std::optional<wire::Attempt> attempt;
    std::size_t host = 0;  // the value of host_ when it was opened
    std::uint32_t sent = 0;
    std::int64_t idle_since_ms = 0;  // monotonic
    bool gone = false;
  };

  void deliver(wire::Deliver&& deliver);
  void cancel(const wire::Attempt& attempt);
  void pump();
  void send(Lane& lane, const wire::Deliver& deliver);
  void open_lane();
  void open_lanes();
  void on_ready(Lane& lane);
  void on_outcome(Lane& lane, const Outcome& outcome);
  void on_ended(Lane& lane, const std::optional<Outcome>& failure);
  void sweep();
  void remove_gone();

  void relay_failed(const Lane& lane, const Outcome& failure);
  void go_down(const Outcome& failure);
  void go_up(const Lane& lane);
  void set_health(bool up, std::string detail);
  void tell_health();
  void answer_waiting(const Outcome& outcome);
  void answer(const wire::Attempt& attempt, const Outcome& outcome, bool receipts);
  void slow_down();
  void note_alarm(const Outcome& outcome);
  bool any_was_ready() const;
  std::size_t connecting() const;
  void finish_drain();

  std::unique_ptr<Settings> settings_;
  Loop* loop_ = nullptr;
  Link* link_ = nullptr;
  std::shared_ptr<bool> alive_;

  std::deque<wire::Deliver> waiting_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Timer> sweep_, retry_, drain_limit_;
  bool removal_due_ = false;

  // The relay's state.
  enum class Relay { unknown, up, down } relay_ = Relay::unknown;
  Outcome down_because_;
  bool healthy_ = false;
  std::string health_detail_;
  std::size_t host_ = 0, failures_in_row_ = 0;
  std::chrono::milliseconds backoff_;
  std::int64_t retry_at_ms_ = 0;      // monotonic; no connection is opened before
  std::int64_t paused_until_ms_ = 0;  // monotonic; nothing is sent before
  std::chrono::milliseconds pause_;
  std::int64_t last_seen_ms_ = 0;  // monotonic; when the relay last answered well
  log::LogLimit alarm_limit_;

  bool draining_ = false;
  std::function<void()> drained_;
};

// Composes, signs and addresses the mail of one delivery. `error.what` is a reason word for its result.
Result<Mail> make_mail(const Settings& settings, const wire::Deliver& deliver, std::int64_t now_ms);

}  // namespace postern::email
