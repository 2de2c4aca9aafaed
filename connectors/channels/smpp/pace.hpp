// SPDX-License-Identifier: Apache-2.0
// Purpose: how fast an account submits, over all its sessions: a token bucket whose rate is halved when
// the SMS centre says "throttled" and grows back step by step. SMS centres limit the account, not the
// session. Used by: postern-smpp. Threads: one. Ownership: values. Errors: none.
// Times are milliseconds of a monotonic clock; a token is one submit_sm.
#pragma once

#include <cstdint>

namespace postern::smpp {

class Pace {
 public:
  explicit Pace(std::uint32_t per_second);

  bool take(std::int64_t now);
  // When take() will give a token again; `now` or earlier when there is one.
  std::int64_t next(std::int64_t now);

  // Halves the rate, at most once a second: a whole window of answers says the same thing.
  void throttled(std::int64_t now);
  double rate() const { return rate_; }

 private:
  void refill(std::int64_t now);

  double most_, rate_;
  double tokens_;
  std::int64_t filled_at_ = 0, changed_at_ = 0;
  bool started_ = false;
};

}  // namespace postern::smpp
