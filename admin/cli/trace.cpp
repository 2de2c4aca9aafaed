// SPDX-License-Identifier: Apache-2.0
// The verbs trace and find.
#include <cstdio>

#include "admin/cli/address_input.hpp"
#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/trace_lines.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {

void write_head(Json& json, const control::TraceHead& head) {
  json.field("id", head.id()).field("client", head.client()).field("reference", head.reference()).field("category", head.category())
      .field("state", head.state()).field("reason", head.reason()).field("accepted", time_text(head.accepted_ms()))
      .field("deadline", time_text(head.deadline_ms())).field("ended", time_text(head.ended_ms())).field("network", head.network());
}

// Milliseconds since the first line, so that a person sees where the time went.
void print_line(const control::TraceLine& line, std::int64_t first_us) {
  std::string where = line.channel();
  if (!line.connector().empty()) where += (where.empty() ? "" : " by ") + line.connector();
  std::string detail;
  for (const std::string& d : line.detail()) detail += "  " + d;
  if (!line.state().empty()) detail += "  => " + line.state();
  std::printf("  %s %+9.1f ms  %-14s %-26s%s\n", clock_text(line.utc_us()).c_str(), static_cast<double>(line.utc_us() - first_us) / 1000.0, line.type().c_str(),
              where.c_str(), detail.c_str());
}

void write_line(Json& json, const control::TraceLine& line) {
  json.field("leaf", line.sequence()).field("time", time_text(line.utc_us() / 1000)).field("event", line.type()).field("channel", line.channel())
      .field("connector", line.connector()).field("attempt", std::uint64_t{line.attempt()}).field("final", line.state());
  json.array("detail");
  for (const std::string& d : line.detail()) json.item(d);
  json.end();
}

void print_head(const control::TraceHead& head) {
  std::printf("%s  %s from %s%s%s: %s%s%s\n", head.id().c_str(), head.category().c_str(), head.client().c_str(), head.reference().empty() ? "" : ", reference ",
              head.reference().c_str(), head.state().c_str(), head.reason().empty() ? "" : ", ", head.reason().c_str());
}

int trace(const Common& common, const TraceOptions& options) {
  control::Request request;
  request.set_trace(options.id);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) {
    failed(reply.what());
    return reply.what().find("no message") == std::string::npos ? kFailed : kNo;
  }
  if (common.json) {
    Json json;
    json.object();
    write_head(json, reply->head());
    json.array("events");
    for (const control::TraceLine& line : reply->trace()) {
      json.object();
      write_line(json, line);
      json.end();
    }
    json.print();
    return kDone;
  }
  print_head(reply->head());
  for (const control::TraceLine& line : reply->trace()) print_line(line, reply->trace(0).utc_us());
  return kDone;
}

int find(const Common& common, const FindOptions& options) {
  const Result<std::string> address = read_address("Number (digits), e-mail address or push token");
  if (!address) return failed(address.what());
  Result<Session> session = Session::open(common.socket);
  if (!session) return failed(session.what());
  Json json;
  json.object().array("messages");
  unsigned found = 0;
  std::int64_t after = 0;
  do {
    control::Request request;
    request.mutable_find()->set_address(*address);
    request.mutable_find()->set_after(after);
    request.mutable_find()->set_limit(options.limit - found);
    const Result<control::Reply> reply = session->ask(request);
    if (!reply) return failed(reply.what());
    for (const control::TraceHead& head : reply->found().message()) {
      ++found;
      if (common.json) {
        json.object();
        write_head(json, head);
        json.end();
      } else {
        std::printf("%s  %s  %-11s %-9s %s\n", head.id().c_str(), time_text(head.accepted_ms()).c_str(), head.category().c_str(), head.state().c_str(), head.reason().c_str());
      }
    }
    after = reply->found().after();
  } while (after != 0 && found < options.limit);
  if (common.json) json.print();
  else if (found == 0) std::printf("no message for this address\n");
  return found > 0 ? kDone : kNo;
}

}  // namespace postern::cli
