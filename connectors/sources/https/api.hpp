// SPDX-License-Identifier: Apache-2.0
// Purpose: the HTTPS API: takes requests, asks the vault, answers. openapi.json describes it.
// Used by: postern-https. Threads: one loop. Ownership: lives between server and link, both of which
// outlive its work. Errors: every request gets one answer. Limits: those of its parts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "connectors/protocol/link.hpp"
#include "connectors/sources/http/server.hpp"
#include "connectors/sources/https/queries.hpp"
#include "connectors/sources/https/settings.hpp"
#include "connectors/sources/https/submissions.hpp"

namespace postern::https {

// The OpenAPI document, embedded at build time.
std::string_view openapi_document();

class Api {
 public:
  // `extra_metrics` appends what the process around it counts.
  Api(Loop& loop, Link& link, const HttpsSettings& settings, std::function<void(std::string&)> extra_metrics);

  http::Admission admit(const http::Request& head);
  void serve(const http::Request& request, http::Answer answer);

  void on_verdict(const wire::Verdict& verdict) { submissions_.on_verdict(verdict); }
  void on_answer(const wire::Answer& answer) { queries_.on_answer(answer); }
  void on_lost();

  // From now on health says so, and long polls end.
  void drain();

 private:
  std::string own_metrics();
  http::Response health() const;
  void tick();

  Link& link_;
  std::size_t body_limit_, batch_limit_;
  std::function<void(std::string&)> extra_metrics_;
  AnswerCounts counts_;
  std::map<int, std::uint64_t> unrouted_;  // answered before a route was found, by status
  Submissions submissions_;
  Queries queries_;
  Timer tick_;
  bool draining_ = false;
};

}  // namespace postern::https
