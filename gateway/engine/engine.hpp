// SPDX-License-Identifier: Apache-2.0
// Purpose: decides what happens to a message: (flight, input, now) -> (flight, what happened). Pure: no
// clock, file, socket, thread or random number; production, simulation and tests run this same code.
// Used by: the vault. Threads: any, on values of its own. Errors: none; an input that does not fit the
// flight's state changes nothing and says so through Step::ignored.
// The rules in order, with one worked example of each kind of scenario: gateway/engine/ENGINE.md.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/domain/event_type.hpp"
#include "gateway/domain/flight.hpp"

namespace postern::engine {

// ---- what can happen to a flight ----

struct Begin {};                    // just accepted, or its send-at time has come
struct Due {};                      // wake_ms() has come
struct Cancel {                     // the client or an administrator
  std::string by = "client";        // machine word, becomes the reason
};
struct Move {                       // another time to begin, for a message that has not begun
  TimeMs send_at_ms = 0, deadline_ms = 0;
};
struct Signal {                     // a bank's system tells that something happened, which ends the flight or begins it
  std::string event;
};
struct Resume {};                   // what a policy holds without a time may be looked at again
struct Handed {                     // the dispatcher gives a ready attempt to its connector
  std::size_t attempt = 0;          // index
  std::uint64_t instance = 0;
};
struct Result {                     // the connector's one final result of an attempt
  enum class Kind : std::uint8_t { sent, retry, refused, unknown, throttled };
  std::size_t attempt = 0;          // index
  Kind kind = Kind::sent;
  bool receipts = false;
  std::uint8_t parts = 1;
  std::uint32_t retry_after_ms = 0;
  std::string reason;
};
struct Receipt {                    // what a provider tells later
  std::size_t attempt = 0;
  AttemptState progress = AttemptState::delivered;  // sent, delivered, read, replied or refused
  std::uint8_t part = 0;
  bool all_parts = false;           // speaks of the whole attempt (the provider echoed our reference)
  std::string reason;
};
struct Lost {                       // the connector process that held this attempt is gone
  std::size_t attempt = 0;
};
struct Damaged {};                  // what the message says cannot be read any more
struct PutBack {};                  // the gateway goes on from an older state of itself: what waits here may have been sent since
using Input = std::variant<Begin, Due, Cancel, Move, Signal, Resume, Handed, Result, Receipt, Lost, Damaged, PutBack>;

// ---- what the engine says ----

struct Happened {
  EventType type;
  int attempt = -1;                 // index, or -1
  std::string reason;               // machine word
  std::string basis = {};           // of `handed`: what allows it, as the policy cites it
  std::string facts{};              // of the decision that it came from: Decision::facts
};

struct Outcome {
  std::vector<Happened> happened;   // each becomes one audit leaf, in this order
  bool ignored = false;             // the input did not fit the state; nothing changed
  bool ended = false;               // the message reached its final state in this step
  bool too_late = false;            // answer to Cancel and Move: something is handed, sent or over
  std::vector<std::size_t> call_back;  // attempts that are handed although they are no longer wanted
};

// ---- what the engine asks ----

struct Rules {
  InDoubt in_doubt = InDoubt::rather_twice;
  std::uint8_t tries = 3;           // of one step, throttling not counted
  std::uint32_t retry_floor_ms = 1000;  // the first wait between tries, doubled for each further one
};

// The connector that takes this step now, or 0 when none can. Must be a pure function of what it sees.
using Route = std::function<ConnectorId(const Flight&, const Step&)>;

// What the bank's policy says of sending this step now.
struct Decision {
  enum class Kind : std::uint8_t {
    go,
    hold,       // not before `until_ms`; 0: not before Resume
    skip,       // this step cannot be taken; others may
    suppress,   // the message is not sent at all
  };
  Kind kind = Kind::go;
  TimeMs until_ms = 0;
  std::string reason;               // machine word: "quiet-hours", "no-consent"
  std::vector<std::string> passed;  // rules that would have stopped it, were its category not let pass
  std::string basis = {};           // what allows it, to be cited: the hash of a consent
  std::string facts{};              // what it was decided from, for the audit log; the engine hands it on as it is
};
// Asked when a step begins, and again at the moment of handing over: an opt-out between the two counts. A step that
// was held shows until when. Pure as above.
using Gate = std::function<Decision(const Flight&, const Step&)>;

Outcome advance(Flight& flight, const Input& input, TimeMs now, const Rules& rules, const Route& route, const Gate& gate);

}  // namespace postern::engine
