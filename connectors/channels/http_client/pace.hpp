// SPDX-License-Identifier: Apache-2.0
// Purpose: how fast a channel may send now: a token bucket that a provider's "too fast" slows and that
// recovers by itself. Used by: Dispatcher. Threads: plain value. Pure: time is an argument, in
// milliseconds of a clock that never goes back. Errors: none.
#pragma once

#include <chrono>
#include <cstdint>

namespace postern::http_client {

class Pace {
 public:
  // At most `rate` a second (1 or more), in bursts of a tenth of that.
  explicit Pace(double rate) : full_(rate), rate_(rate), tokens_(burst()) {}

  // Takes one turn; false when none is due yet.
  bool take(std::int64_t now_ms);
  // After a false take(): until when to wait.
  std::chrono::milliseconds wait(std::int64_t now_ms) const;

  // The provider said "too fast": nothing for `pause`, then half the rate (never under one a second),
  // which grows back by a tenth of the full rate every ten seconds.
  void slow_down(std::int64_t now_ms, std::chrono::milliseconds pause);

  // What is left of the pause; zero when there is none.
  std::chrono::milliseconds pause_left(std::int64_t now_ms) const;
  double rate() const { return rate_; }

 private:
  double burst() const { return rate_ < 10 ? 1 : rate_ / 10; }
  void refill(std::int64_t now_ms);

  double full_, rate_, tokens_;
  std::int64_t filled_ms_ = 0, paused_until_ms_ = 0, grow_ms_ = 0;
  bool started_ = false;
};

}  // namespace postern::http_client
