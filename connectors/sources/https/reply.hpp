// SPDX-License-Identifier: Apache-2.0
// Purpose: an Answer that counts what was answered. Used by: the API. Threads: one loop.
// Ownership: the counts outlive every reply. Errors: as Answer. Limits: one counter for each route
// and status.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "connectors/sources/http/answer.hpp"
#include "connectors/sources/https/routes.hpp"

namespace postern::https {

using AnswerCounts = std::map<std::pair<Route, int>, std::uint64_t>;

class Reply {
 public:
  Reply(http::Answer answer, Route route, AnswerCounts& counts)
      : answer_(std::move(answer)), route_(route), counts_(&counts) {}

  void send(http::Response&& response) {
    ++(*counts_)[{route_, response.status}];
    answer_.send(std::move(response));
  }
  bool wanted() const { return answer_.wanted(); }

 private:
  http::Answer answer_;
  Route route_;
  AnswerCounts* counts_;
};

}  // namespace postern::https
