// SPDX-License-Identifier: Apache-2.0
// Purpose: the state of one message on its way: all that the engine decides from, and all that changes
// while it travels. Holds no text, number or address. Threads: plain values.
// One Flight is one row of the store (encode/decode); STATES.md tells what each state proves on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "gateway/domain/message_id.hpp"
#include "gateway/domain/words.hpp"

namespace postern {

using ConnectorId = std::uint16_t;  // a small stable number that the store keeps for each configured name
using ClientId = std::uint16_t;
using TemplateId = std::uint16_t;

inline constexpr std::size_t kMaxSteps = 16, kMaxEvents = 8, kMaxEventName = 64;
inline constexpr std::size_t kMaxAttempts = 64;
inline constexpr std::size_t kMaxParts = 64;

// One step of the scenario as it was when the message was accepted. Steps that begin together are a stage.
struct Step {
  Channel channel = Channel::sms;
  Until until = Until::delivered;
  std::uint32_t wait_ms = 0;      // of a stage's first step: from the stage's beginning; 0: until the message's deadline
  std::uint8_t payload = 0;       // which payload of the content it sends
  bool pause = false;             // sends nothing: only its wait counts
  bool together = false;          // begins with the step before it
  std::uint32_t validity_ms = 0;  // how long the provider may try; 0: until the deadline
  TimeMs again_ms = 0;            // when it tries (again): a retry, or the end of a hold; 0: it does not wait for that
  bool held = false;              // a policy makes it wait, not a provider
  std::uint32_t only_if = 0;      // it is left out unless something of this is known when it begins; 0: it is not
  std::uint32_t unless = 0;       // and when something of this is
};

// How far the message has come on a channel, as a bit of Step::only_if, Step::unless and Flight::news(). Progress: sent, delivered, read, replied.
std::uint32_t news_bit(Channel channel, AttemptState progress);

struct Attempt {
  std::uint8_t step = 0;
  ConnectorId connector = 0;
  AttemptState state = AttemptState::ready;
  bool receipts = false;          // the provider will tell later
  bool in_doubt = false;          // was `unknown` once, whatever came later
  bool throttled = false;         // refused as too fast: not counted as a try
  std::uint8_t parts = 0;
  std::uint64_t parts_done = 0;   // bit n: part n is known as delivered
  std::uint64_t instance = 0;     // of the connector process it was handed to
  TimeMs handed_ms = 0;
  TimeMs changed_ms = 0;
  std::string reason;             // machine word of the last refusal
};

// Where a flight stands in a connector's queue.
struct Queue {
  ConnectorId connector = 0;      // 0: in none
  bool handed = false;            // false: ready, waiting for the window; true: handed, waiting for the result
  bool operator==(const Queue&) const = default;
};

struct Flight {
  MessageId id;
  ClientId client = 0;
  TemplateId template_id = 0;     // 0: a text of its own, or not known any more
  Category category = Category::service;
  MessageState state = MessageState::active;
  std::string reason;             // of the final state
  std::string reference;          // the client's own name for the message
  std::uint64_t recipient = 0;    // pseudonym of the address it was accepted for
  std::uint64_t person = 0;       // whose key seals what it says; 0: the person was erased
  std::string network;            // MCCMNC of the current network of its phone, empty: unknown
  TimeMs accepted_ms = 0, deadline_ms = 0, send_at_ms = 0, ended_ms = 0;
  std::vector<Step> plan;
  std::uint8_t step = 0;          // the first of the current stage; plan.size() when exhausted
  TimeMs step_end_ms = 0;         // when the current stage gives up; 0: never before the deadline
  bool escalate = false;          // every stage until the customer answers: reaching twice is meant
  bool held_back = false;         // a policy has stopped something of it
  bool no_more = false;           // nothing else begins while an attempt is in doubt: twice is worse than never
  bool put_back = false;          // nothing else begins at all: it was put back to an older state, and may have been sent since
  std::vector<std::string> stop_on;  // events of the bank's systems that end it
  std::vector<std::string> start_on; // and those that begin it, while it is scheduled
  std::vector<Attempt> attempts;
  std::uint64_t last_leaf = 0;    // sequence + 1 of its newest audit leaf: the trace walks back from there

  // The stage that begins at `first` ends before this step.
  std::size_t stage_end(std::size_t first) const;
  // Events of the bank's systems change it: it is found by its person while it lasts.
  bool is_journey() const { return !stop_on.empty() || !start_on.empty(); }
  // Where it stands: mostly in one queue, in several while a stage of several steps is under way.
  Queue queue() const;
  std::vector<Queue> other_queues() const;
  // The attempt that waits for this connector; nothing: none does.
  std::optional<std::size_t> ready_for(ConnectorId connector) const;
  // How far it has come on each channel. An attempt that failed, or of which nobody can say, is no news.
  std::uint32_t news() const;
  // When the engine must look at it without other cause; 0: never.
  TimeMs wake_ms() const;
};

Bytes encode(const Flight& flight);
std::optional<Flight> decode_flight(MessageKey key, ByteView row);

}  // namespace postern
