// SPDX-License-Identifier: Apache-2.0
// Purpose: the deliveries that this process holds: a text becomes parts, parts become submits with an
// outcome each, and the outcomes become the one wire::Result that every attempt gets.
// Used by: SmppChannel. Threads: one; times are given. Ownership: owns the messages until their result.
// Errors: a delivery that cannot be sent is refused at once with a reason word.
// Limits: the vault's window bounds the number of messages; kMaxInDoubt attempts without an answer are
// remembered for an answer that comes late.
//
// Outcomes become a result when no submit of the message is under way:
//   every part accepted                          SENT with the ids in order
//   a part refused for good                      REFUSED (no further part is sent)
//   a part without an answer                     UNKNOWN
//   a part refused for now, none accepted        RETRY or THROTTLED: the vault comes back with the whole
//   a part refused for now, others accepted      that part again here, kPartTries times, then REFUSED: the
//                                                whole again would show the accepted parts twice
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/channels/smpp/pdu.hpp"
#include "connectors/channels/smpp/session.hpp"
#include "connectors/channels/smpp/settings.hpp"
#include "connectors/protocol/wire.pb.h"

namespace postern::smpp {

class Outbox {
 public:
  static constexpr int kPartTries = 5;
  static constexpr std::size_t kMaxInDoubt = 4096;

  struct Handlers {
    std::function<void(wire::Result&&)> result;
    std::function<void(wire::Receipt&&)> receipt;  // for an answer that came after UNKNOWN
  };
  // `steady` for waiting, `wall` for deadlines; milliseconds.
  struct Now {
    std::int64_t steady = 0, wall = 0;
  };
  // What a status asks of the session it came on.
  enum class Advice { none, slow_down, reconnect };

  // One part to be sent: hand `submit` to a session under `ticket`; its views last until the next call.
  struct Part {
    SubmitSm submit;
    std::uint64_t ticket = 0;
  };

  Outbox(const Settings& settings, std::uint16_t first_reference, Handlers handlers);

  void add(wire::Deliver&& deliver, Now now);
  void cancel(const wire::Attempt& attempt);

  // The next message that may be sent, most urgent category first; nothing when none waits. It is the
  // caller's, who sends its parts through next_part() over one session, until release().
  std::optional<std::uint64_t> next_message(Now now);
  // The next part of that message; nothing when all that can be sent has been: then release it.
  std::optional<Part> next_part(std::uint64_t message, Now now);
  // The caller is done with the message, or its session is gone: parts that are left go over another one.
  void release(std::uint64_t message, Now now);
  // The part just given could not be packed: the message is refused.
  void unsendable(std::uint64_t ticket, std::string_view reason);

  // The outcome of a ticket, once each; and a late answer after Outcome::timed_out.
  Advice answered(const Action& answer, Now now);

  // Refuses what has expired, gives back with RETRY what has waited longer than `patience_ms` since it came.
  void sweep(Now now, std::int64_t patience_ms, std::uint32_t retry_after_ms);
  // From now on nothing is sent: what is not under way is given back, the rest when its answers are there.
  void drain(Now now);

  bool empty() const { return messages_.empty(); }
  std::size_t size() const { return messages_.size(); }
  bool waiting() const;             // next_message() may have something
  bool urgent() const;              // a code or a warning is among it
  std::int64_t next_retry() const;  // steady time of the next part that waits; max when none

 private:
  struct PartState {
    enum class At { waiting, under_way, accepted, later, refused, unknown };
    At at = At::waiting;
    int tries = 0;
    std::uint32_t status = 0;
    std::string id;
  };
  struct Message {
    wire::Attempt attempt;
    std::size_t lane = 0;   // 0: codes, 1: warnings
    std::int64_t expires_ms = 0, arrived = 0;
    std::string source, destination;
    TonNpi source_kind;
    Encoded text;
    std::uint16_t reference = 0;
    std::uint8_t priority = 0;
    std::vector<PartState> parts;
    std::size_t under_way = 0;
    std::string validity;  // of the submit being built
    bool queued = false;   // stands in a lane or in again_
    bool taken = false;    // between next_message() and release()
    ~Message();
  };
  struct InDoubt {
    wire::Attempt attempt;
    std::size_t missing = 0;  // parts without an answer
    std::vector<std::string> ids;
  };

  void turn_away(const wire::Attempt& attempt, wire::Result::Kind kind, std::string_view reason);
  void finish(std::uint64_t key, wire::Result&& result);
  void settle(std::uint64_t key, Now now);
  bool going(const Message& message) const;
  void give_back(std::uint64_t key, const Message& message);
  void late_answer(const Action& answer);
  bool touched(const Message& message) const;  // a part has left this process
  std::string part_of(const Message& message, std::string reason, std::size_t part) const;

  const Settings& settings_;
  Handlers handlers_;
  std::uint16_t next_reference_;
  std::uint64_t next_key_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Message>> messages_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> by_attempt_;
  std::array<std::deque<std::uint64_t>, 6> lanes_;    // by category; UNSET last
  std::multimap<std::int64_t, std::uint64_t> again_;  // steady time -> message with a part to repeat
  std::unordered_map<std::uint64_t, InDoubt> in_doubt_;
  std::deque<std::uint64_t> in_doubt_order_;
  bool draining_ = false;
};

// The validity_period of a message that expires at `expires_ms`, or "" when the profile wants none.
std::string validity_text(const Settings& settings, std::int64_t expires_ms, std::int64_t now_ms);

// TON and NPI of a sender, or nothing when it cannot be one.
std::optional<TonNpi> sender_kind(std::string_view sender, const Settings& settings);

}  // namespace postern::smpp
