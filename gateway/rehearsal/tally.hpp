// SPDX-License-Identifier: Apache-2.0
// Purpose: what became of the messages of a rehearsal, as numbers that can be added: worlds are played apart, and their tallies added up in
// their order. Used by: the witness (counts), main (adds), the report (reads). Threads: plain values.
// Errors: decode() gives nothing for bytes that encode() did not write.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "gateway/domain/words.hpp"

namespace postern::rehearsal {

// Times in steps of one part in 32: a percentile is at most 3 percent too long.
class Times {
 public:
  void add(TimeMs ms);
  void add(const Times& other);
  std::uint64_t count() const { return count_; }
  // The time within which so many of a thousand came; 0 when there are none.
  TimeMs within(std::uint64_t of_thousand) const;

  void encode(ByteWriter& out) const;
  bool decode(ByteReader& in);

 private:
  std::map<std::uint16_t, std::uint64_t> steps_;
  std::uint64_t count_ = 0;
};

// Numbers of a fixed set of things.
enum class Count : std::uint8_t {
  accepted, reached, failed, expired, cancelled, suppressed,
  attempts,        // handed to connectors
  in_doubt,        // messages with an attempt in doubt
  double_contact,  // attempts that reached a customer who had been reached
  skipped,         // steps that could not be taken
  held,            // times that a rule let a step wait
  bypassed,        // times that a rule was passed by an urgent category
  end,
};

// What became of one kind of message.
struct Row {
  std::array<std::uint64_t, static_cast<std::size_t>(Count::end)> counts{};
  std::map<std::string, std::uint64_t> reasons;      // "expired: deadline"
  std::map<std::string, std::uint64_t> rules;        // "held sms/quiet-hours", "passed quiet-hours", "skipped ..."
  std::array<std::uint64_t, 8> reached_by{}, sent_by{};   // by channel
  std::array<std::int64_t, 8> cost{};                // millionths, by channel
  Times to_reach;

  std::uint64_t& operator[](Count count) { return counts[static_cast<std::size_t>(count)]; }
  std::uint64_t operator[](Count count) const { return counts[static_cast<std::size_t>(count)]; }
  void add(const Row& other);
};

// Which kind: client, category, template, scenario.
using RowKey = std::array<std::string, 4>;

struct Tally {
  std::map<RowKey, Row> rows;
  std::map<std::string, std::uint64_t> submits;      // answers to clients: "stored", "replayed", "invalid: no-usable-step"
  std::map<std::string, std::uint64_t> faults;       // that were played
  std::map<std::string, std::uint64_t> said;         // by customers of being written to, and what came of it
  std::map<std::string, std::uint64_t> kept;         // promises: how often each was looked at
  std::map<std::string, std::uint64_t> facts;        // turns, leaves, purged ...
  std::vector<std::string> broken;                   // promises: what happened

  void add(const Tally& other);
};

Bytes encode(const Tally& tally);
std::optional<Tally> decode_tally(ByteView bytes);

}  // namespace postern::rehearsal
