// SPDX-License-Identifier: Apache-2.0
// The verbs store show, scrub and purge.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr useconds_t kLookUs = 50'000;

void print(const control::StoreFacts& s) {
  std::printf("generation      %llu\n", static_cast<unsigned long long>(s.generation()));
  std::printf("file            %s, %s given back since the start\n", bytes_text(s.file_bytes()).c_str(), bytes_text(s.given_back()).c_str());
  std::printf("read again      %s: %llu rows, %s\n", s.scrubbing() ? "under way" : time_text(s.scrubbed_ms()).c_str(), static_cast<unsigned long long>(s.rows()), bytes_text(s.bytes()).c_str());
  std::printf("purged          %s: %llu messages\n", s.purging() ? "under way" : time_text(s.purged_ms()).c_str(), static_cast<unsigned long long>(s.purged()));
}

void print_json(const control::StoreFacts& s) {
  Json().object().field("generation", s.generation()).field("file_bytes", s.file_bytes()).field("given_back_bytes", s.given_back())
      .field("scrubbing", s.scrubbing()).field("scrubbed", time_text(s.scrubbed_ms())).field("rows", s.rows()).field("bytes", s.bytes())
      .field("purging", s.purging()).field("purged_at", time_text(s.purged_ms())).field("purged", s.purged()).print();
}

}  // namespace

int store(const Common& common, const std::string& what) {
  Result<Session> session = Session::open(common.socket);
  if (!session) return failed(session.what());
  control::Request request;
  if (what == "scrub") request.mutable_store()->set_scrub(true);
  else if (what == "purge") request.mutable_store()->set_purge(true);
  else request.mutable_store()->set_show(true);
  Result<control::Reply> reply = session->ask(request);
  if (!reply) return failed(reply.what());
  request.mutable_store()->set_show(true);
  while (what != "show" && (what == "scrub" ? reply->store().scrubbing() : reply->store().purging())) {
    progress_line(fmt::format("{} rows, {}", reply->store().rows(), bytes_text(reply->store().bytes())));
    usleep(kLookUs);
    reply = session->ask(request);
    if (reply) continue;
    progress_done();
    // It locks itself over what it found.
    control::Request why;
    why.set_status(true);
    const Result<control::Reply> status = session->ask(why);
    std::fprintf(stderr, "postern: %s\n", status ? status->status().why_locked().c_str() : reply.what().c_str());
    return kNo;
  }
  progress_done();
  if (common.json) print_json(reply->store());
  else print(reply->store());
  return kDone;
}

}  // namespace postern::cli
