// SPDX-License-Identifier: Apache-2.0
// Purpose: how fast an account submits, over all its sessions: a token bucket whose rate is halved when
// the SMS centre says "throttled" and grows back step by step. SMS centres limit the account, not the
// session. What is urgent may take the last tokens, which nothing else may: where it waits behind much else it goes at once, and the
// other makes way. Used by: postern-smpp. Threads: one. Ownership: values. Errors: none.
// Times are milliseconds of a monotonic clock; a token is one submit_sm.
#pragma once

#include <cstdint>

namespace postern::smpp {

class Pace {
 public:
  explicit Pace(std::uint32_t per_second);

  bool take(std::int64_t now, bool urgent = false);
  // When take() will give a token again; `now` or earlier when there is one.
  std::int64_t next(std::int64_t now, bool urgent = false);

  // Halves the rate, at most once a second: a whole window of answers says the same thing.
  void throttled(std::int64_t now);
  double rate() const { return rate_; }

 private:
  void refill(std::int64_t now);
  double most_tokens() const;
  double least(bool urgent) const;   // tokens with which one may be taken

  double most_, rate_;
  double tokens_;
  std::int64_t filled_at_ = 0, changed_at_ = 0;
  bool started_ = false;
};

}  // namespace postern::smpp
