// SPDX-License-Identifier: Apache-2.0
// Purpose: decides when a provider counts as down and how long to wait before it is probed. Used by:
// Dispatcher. Threads: plain value. Pure: it holds no clock; the owner waits pause() and probes.
#pragma once

#include <algorithm>
#include <chrono>

namespace postern::http_client {

class Breaker {
 public:
  static constexpr std::chrono::milliseconds kLongestPause{300'000};

  // Opens after `failures` in a row (1 or more); the first probe comes after `first_pause`.
  Breaker(unsigned failures, std::chrono::milliseconds first_pause)
      : limit_(failures), first_pause_(first_pause), pause_(first_pause) {}

  bool open() const { return open_; }
  std::chrono::milliseconds pause() const { return pause_; }

  // The provider did its work (also: refused this one message).
  void fine() {
    if (!open_) failures_ = 0;
  }
  // One failure that says nothing certain; true when it opened the breaker.
  bool failing() { return !open_ && ++failures_ >= limit_ && trip(); }
  // The sender itself is refused (credentials, account): true when this opened the breaker.
  bool broken() { return !open_ && trip(); }

  void probed(bool good) {
    if (good) {
      open_ = false;
      failures_ = 0;
      pause_ = first_pause_;
    } else {
      pause_ = std::min(pause_ * 2, kLongestPause);
    }
  }

 private:
  bool trip() { return open_ = true; }

  unsigned limit_;
  std::chrono::milliseconds first_pause_, pause_;
  unsigned failures_ = 0;
  bool open_ = false;
};

}  // namespace postern::http_client
