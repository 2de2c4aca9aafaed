// SPDX-License-Identifier: Apache-2.0
// Purpose: the one answer that a request gets, now or later. Used by: handlers of the server.
// Threads: one loop. Ownership: an Answer does not keep its connection alive: the peer may be gone
// when it is sent, and nothing happens then. Errors: an Answer that ends unsent sends 500, so that a
// peer never waits for what will not come. Limits: none.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "connectors/sources/http/response.hpp"

namespace postern::http {

// Where answers go: a connection, or a test.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  virtual void answer(std::uint64_t request, Response&& response) = 0;
};

class Answer {
 public:
  Answer() = default;
  Answer(std::weak_ptr<AnswerSink> sink, std::uint64_t request)
      : sink_(std::move(sink)), request_(request), due_(true) {}
  Answer(Answer&& other) noexcept
      : sink_(std::move(other.sink_)), request_(other.request_), due_(std::exchange(other.due_, false)) {}
  Answer& operator=(Answer&& other) noexcept {
    if (this != &other) {
      give_up();
      sink_ = std::move(other.sink_);
      request_ = other.request_;
      due_ = std::exchange(other.due_, false);
    }
    return *this;
  }
  ~Answer() { give_up(); }

  // The first call counts.
  void send(Response&& response) {
    if (!std::exchange(due_, false)) return;
    if (const std::shared_ptr<AnswerSink> sink = sink_.lock()) sink->answer(request_, std::move(response));
  }

  // False when nobody waits for it any more.
  bool wanted() const { return due_ && !sink_.expired(); }

 private:
  void give_up() {
    if (due_) send(problem(500, "internal", "The server did not answer this request; its outcome is not known."));
  }

  std::weak_ptr<AnswerSink> sink_;
  std::uint64_t request_ = 0;
  bool due_ = false;
};

}  // namespace postern::http
