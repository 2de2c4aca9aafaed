// SPDX-License-Identifier: Apache-2.0
// Purpose: one SMPP session as a pure state machine: connect, bind, keep alive, number and pair requests,
// unbind, and come back after a loss. Events and time go in, actions come out; it knows no socket, no
// clock and no random source, so tests drive it with given times.
// Used by: postern-smpp. Threads: one. Ownership: values; tickets are the caller's names for submits.
// Errors: everything a peer can do ends in actions; every ticket gets exactly one `answered`.
// Times are milliseconds of a monotonic clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/channels/smpp/frame.hpp"
#include "connectors/channels/smpp/settings.hpp"
#include "connectors/channels/smpp/status.hpp"

namespace postern::smpp {

struct SessionSettings {
  BindKind kind = BindKind::transceiver;
  std::size_t window = 10;
  std::int64_t enquire_link_ms = 30'000, response_timeout_ms = 30'000, bind_timeout_ms = 10'000,
               connect_timeout_ms = 10'000;
};

// What the caller must do now, in this order.
struct Action {
  enum class Kind {
    connect,       // open the transport, then tell connected() or lost()
    close,         // close the transport, then tell lost(); `reason` says why
    send_bind,     // with `sequence`
    send_header,   // the PDU `command` that has no body, with `status` and `sequence`
    bound,         // submits may flow
    bind_refused,  // `status` says why; a close follows
    answered,      // `ticket` has its `outcome`
    late_answer,   // a response for a ticket whose outcome was `timed_out`
    inbound,       // the deliver_sm or data_sm just given to received(): deal with it and answer it
    stray,         // a response that nothing waits for; worth counting
    ended,         // after unbind(): nothing more will come
  };
  enum class Outcome { accepted, refused, timed_out, lost, not_sent };

  Kind kind = Kind::close;
  std::uint32_t command = 0, status = 0, sequence = 0;
  std::uint64_t ticket = 0;
  Outcome outcome = Outcome::accepted;  // accepted and refused come with `status`
  std::string message_id;               // of accepted
  std::string_view reason;              // static text: "enquire-link", "bind-timeout", "peer-unbind" ...
};

class Session {
 public:
  // `seed` feeds the jitter of the pauses, so that many sessions do not come back in one moment.
  Session(const SessionSettings& settings, std::uint32_t seed);

  void start(std::int64_t now);
  void connected(std::int64_t now);
  // The transport is gone. `written` counts octets that had left for the peer, in the measure of submit():
  // a submit that began behind them was not sent; one before them is in doubt.
  void lost(std::int64_t now, std::uint64_t written);
  void received(const Pdu& pdu, std::int64_t now);
  // The peer's octets made no PDU: gives generic_nack and closes (SMPP 3.4 section 4.3.1).
  void framing_lost(std::int64_t now);
  // Call at next_deadline() or later.
  void tick(std::int64_t now);
  std::int64_t next_deadline() const;

  // True when a submit may be sent now: bound, room in the window, not slowed down.
  bool can_submit(std::int64_t now) const;
  // Takes a place in the window and gives the sequence number; `offset` is the number of octets queued on
  // the transport in front of the PDU.
  std::uint32_t submit(std::uint64_t ticket, std::int64_t now, std::uint64_t offset);
  // The PDU of that number could not be packed: gives its place back without an outcome.
  void take_back(std::uint32_t sequence);

  // The peer said it is overloaded: no submit for a while. Each repetition within a minute of queue-full
  // doubles the pause up to a minute.
  void slow_down(std::int64_t now, std::uint32_t status);
  // Closes and comes back, for example after a status that says the session is broken.
  void reconnect(std::int64_t now, std::string_view reason);
  // Graceful end: no more submits, waits for answers, unbinds, `ended`.
  void unbind(std::int64_t now);

  bool bound() const { return state_ == State::bound; }
  bool ended() const { return state_ == State::ended; }
  bool submitting() const { return settings_.kind != BindKind::receiver; }
  std::size_t outstanding() const { return pending_.size(); }
  std::int64_t retry_at() const { return state_ == State::waiting ? deadline_ : 0; }

  // Moves out what the last events asked for.
  void take_actions(std::vector<Action>& out);

 private:
  enum class State { idle, waiting, connecting, binding, bound, leaving, draining, unbinding, closing, ended };
  struct Pending {
    std::uint64_t ticket;
    std::uint64_t offset;
  };
  struct Due {
    std::uint32_t sequence;
    std::int64_t at;
  };

  Action& act(Action::Kind kind);
  void send_header(std::uint32_t command, std::uint32_t status, std::uint32_t sequence);
  void close(std::string_view reason);
  void settle(std::uint32_t sequence, std::uint32_t status, std::string_view message_id);
  void on_response(const Pdu& pdu, std::int64_t now);
  void on_bind_response(const Pdu& pdu, std::int64_t now);
  void on_request(const Pdu& pdu, std::int64_t now);
  void expire_submits(std::int64_t now);
  void keep_alive(std::int64_t now);
  void advance_ending(std::int64_t now);
  std::uint32_t next_sequence();
  std::int64_t pause_ms();
  std::uint32_t bind_command() const;

  SessionSettings settings_;
  std::minstd_rand random_;
  State state_ = State::idle;
  std::int64_t deadline_ = 0;  // of waiting, connecting, binding, leaving, draining, unbinding
  std::uint32_t sequence_ = 0;
  std::uint32_t request_ = 0;  // sequence of the bind, unbind or peer's unbind that is under way
  bool ending_ = false;        // unbind() was asked

  // Submits under way: by number, and by the time at which they run out (same for all, so in order).
  std::unordered_map<std::uint32_t, Pending> pending_;
  std::deque<Due> due_;
  // Timed out, an answer may still come; bounded, the oldest goes first.
  std::unordered_map<std::uint32_t, std::uint64_t> late_;
  std::deque<std::uint32_t> late_order_;

  std::int64_t last_received_ = 0, bound_at_ = 0;
  std::optional<std::uint32_t> enquiry_;  // sequence of the unanswered enquire_link
  std::int64_t enquiry_deadline_ = 0;
  int enquiries_missed_ = 0;
  std::int64_t paused_until_ = 0, queue_pause_ms_ = 0, queue_full_at_ = 0;

  BindFailure failure_ = BindFailure::none, last_failure_ = BindFailure::none;
  int failures_ = 0;  // in a row, of one class
  std::vector<Action> actions_;
};

}  // namespace postern::smpp
