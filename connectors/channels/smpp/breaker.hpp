// SPDX-License-Identifier: Apache-2.0
// Purpose: tells the vault to leave a connector alone for a while when its provider refuses everything,
// so that messages take another way at once instead of being refused one by one.
// Used by: SmppChannel. Threads: plain values, times are given in milliseconds. Errors: none.
#pragma once

#include <cstdint>

namespace postern::smpp {

class Breaker {
 public:
  // Opens after `limit` failures in a row, for `pause_ms`; then one more failure opens it again.
  Breaker(int limit, std::int64_t pause_ms) : limit_(limit), pause_ms_(pause_ms) {}

  void good() { row_ = 0; }
  void bad(std::int64_t now) {
    if (++row_ < limit_) return;
    row_ = limit_ - 1;
    until_ = now + pause_ms_;
  }
  bool open(std::int64_t now) const { return now < until_; }

 private:
  int limit_;
  std::int64_t pause_ms_;
  int row_ = 0;
  std::int64_t until_ = 0;
};

}  // namespace postern::smpp
