// SPDX-License-Identifier: Apache-2.0
// Purpose: one conversation with posternd over its control socket. Blocking, for command-line use.
// Ownership: owns the descriptor. Errors: an unreachable socket, a broken frame, an answer with an error.
#pragma once

#include <string>

#include "crypto/result.hpp"
#include "gateway/control/control.pb.h"

namespace postern::cli {

class Session {
 public:
  static Result<Session> open(const std::string& socket);
  Session(Session&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Session& operator=(Session&&) = delete;
  ~Session();

  // Sends the request and waits for its reply, at most five minutes. An error in the reply is the Error.
  Result<control::Reply> ask(const control::Request& request);

 private:
  explicit Session(int fd) : fd_(fd) {}
  int fd_;
};

// Opens, asks once, closes.
Result<control::Reply> ask(const std::string& socket, const control::Request& request);

// Writes "postern: <what>" to standard error and gives kFailed.
int failed(const std::string& what);

}  // namespace postern::cli
