// SPDX-License-Identifier: Apache-2.0
// Purpose: how fast the messages of one campaign go: each takes the next free slot, and what comes too early is told its own one, so that
// each asks about twice however many wait. Used by: the vault's gate, one value for each rule. Threads: one at a time.
// Ownership: a byte for each slot that is promised and not yet taken, at most kMostPromised. Errors: none.
// Units: Unix milliseconds. `count` messages in `per_ms`: at most 10,000 a second, checked where the rule is read.
#pragma once

#include <cstdint>
#include <deque>

#include "gateway/domain/words.hpp"

namespace postern::policy {

class Speed {
 public:
  Speed(std::int64_t count, std::int64_t per_ms) : count_(count), per_ms_(per_ms) {}

  // When a message may go: not after `now`, it goes now and has taken its slot. Later: that time is promised to it and kept until it asks
  // again with the time it was told, at most kKept late. A slot at or past `deadline` is told and not promised.
  TimeMs ask(TimeMs now, TimeMs was_told, TimeMs deadline);

  std::size_t promised() const { return slots_.size(); }
  bool is(std::int64_t count, std::int64_t per_ms) const { return count == count_ && per_ms == per_ms_; }

  static constexpr std::size_t kMostPromised = 10'000'000;
  static constexpr TimeMs kKept = 600'000;

 private:
  // Slots are numbered from 1970: slot n begins at n * per / count.
  std::int64_t slot_at(TimeMs at) const { return at * count_ / per_ms_; }
  TimeMs time_of(std::int64_t slot) const { return (slot * per_ms_ + count_ - 1) / count_; }
  bool claim(TimeMs was_told);
  void forget(TimeMs before);
  void extend(std::int64_t slot, bool promised);

  std::int64_t count_, per_ms_;
  std::int64_t head_ = 0;         // number of the first of `slots_`
  std::int64_t next_ = 0;         // the first that nobody has
  std::deque<bool> slots_;        // of [head_, next_): whether it is promised
};

}  // namespace postern::policy
