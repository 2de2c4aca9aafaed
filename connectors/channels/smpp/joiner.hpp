// SPDX-License-Identifier: Apache-2.0
// Purpose: puts the parts of long messages together again. Used by: postern-smpp for customers' answers,
// and the simulated SMS centre. Threads: plain values, times are given. Ownership: copies the parts.
// Errors and limits: at most kMaxMessages unfinished messages, kMaxPerSource of one source; the oldest one
// is given out unfinished when there are more, so a sender of endless first parts costs bounded memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "connectors/channels/smpp/encoding.hpp"
#include "crypto/bytes.hpp"

namespace postern::smpp {

class Joiner {
 public:
  static constexpr std::size_t kMaxMessages = 1000, kMaxPerSource = 8, kMaxTags = 512;

  struct Part {
    std::string source, destination;
    Concatenation place;
    std::uint8_t data_coding = 0, single_shift = 0, locking_shift = 0;
    Bytes octets;           // without the header
    std::uint64_t tag = 0;  // the caller's own, comes back in Joined
  };
  struct Joined {
    std::string source, destination;
    std::uint8_t data_coding = 0, single_shift = 0, locking_shift = 0;
    Bytes octets;  // of the parts that came, in their order
    std::vector<std::uint64_t> tags;
    std::size_t parts = 0, total = 0;
  };

  explicit Joiner(std::int64_t timeout_ms) : timeout_ms_(timeout_ms) {}

  // Takes one part. What is complete now, or had to make room, is appended to `out`. A part that is there
  // already replaces the older one, whose tag then comes back with the message all the same (kMaxTags of them).
  void add(Part&& part, std::int64_t now, std::vector<Joined>& out);
  // Gives out what has waited too long.
  void expire(std::int64_t now, std::vector<Joined>& out);
  void flush(std::vector<Joined>& out) {
    while (!waiting_.empty()) give(waiting_.begin(), out);
  }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  // Different senders of one number may use one reference with another count: those are two messages.
  using Key = std::tuple<std::string, std::string, std::uint16_t, std::uint8_t>;
  struct Message {
    std::map<std::uint8_t, Part> parts;
    std::vector<std::uint64_t> tags;
    std::int64_t deadline = 0;
  };
  using Messages = std::map<Key, Message>;

  void give(Messages::iterator at, std::vector<Joined>& out);
  void make_room(const std::string& source, std::vector<Joined>& out);

  std::int64_t timeout_ms_;
  Messages waiting_;
};

}  // namespace postern::smpp
