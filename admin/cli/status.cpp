// SPDX-License-Identifier: Apache-2.0
// The verbs status, connectors and metrics.
#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {

int status(const Common& common) {
  control::Request request;
  request.set_status(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  const control::Status& s = reply->status();
  if (common.json) {
    Json json;
    json.object().field("state", s.state()).field("version", s.version()).field("started", time_text(s.started_ms()))
        .field("waiting", s.waiting()).field("in_doubt", s.in_doubt()).field("in_doubt_counted", s.in_doubt_counted()).field("accepted_since_start", s.accepted()).field("audit_leaves", s.leaves())
        .field("audit_published", s.published()).field("config_sha256", s.config_sha256()).field("resident_bytes", s.rss_bytes())
        .field("free_bytes", s.free_bytes()).field("reserve_bytes", s.reserve_bytes()).field("accepting", s.accepting()).field("ported_numbers", s.numbers().ported()).field("number_ranges", s.numbers().ranges());
    json.array("unlock_slots");
    for (const std::string& slot : s.slots()) json.item(slot);
    json.end();
    if (!s.why_locked().empty()) json.field("why_locked", s.why_locked());
    json.print();
    return s.state() == "open" ? kDone : kNo;
  }
  std::printf("state           %s%s%s\n", s.state().c_str(), s.why_locked().empty() ? "" : ": ", s.why_locked().c_str());
  std::printf("version         %s, started %s\n", s.version().c_str(), time_text(s.started_ms()).c_str());
  std::printf("messages        %llu waiting, %llu accepted since start\n", static_cast<unsigned long long>(s.waiting()), static_cast<unsigned long long>(s.accepted()));
  if (s.state() == "open")
    std::printf("in doubt        %s%llu attempts of messages that wait%s\n", s.in_doubt_counted() ? "" : "at least ", static_cast<unsigned long long>(s.in_doubt()),
                s.in_doubt() == 0 ? "" : ": 'postern report in-doubt' shows them");
  std::printf("audit log       %llu leaves, %llu under the last checkpoint\n", static_cast<unsigned long long>(s.leaves()), static_cast<unsigned long long>(s.published()));
  std::printf("portability     %llu ranges, %llu ported numbers\n", static_cast<unsigned long long>(s.numbers().ranges()), static_cast<unsigned long long>(s.numbers().ported()));
  std::printf("memory, disk    %s resident, %s free, %s in reserve%s\n", bytes_text(s.rss_bytes()).c_str(), bytes_text(s.free_bytes()).c_str(), bytes_text(s.reserve_bytes()).c_str(),
              s.state() == "open" && !s.accepting() ? ": LOW, nothing is accepted" : "");
  std::string slots;
  for (const std::string& slot : s.slots()) slots += (slots.empty() ? "" : ", ") + slot;
  std::printf("unlock slots    %s\n", slots.empty() ? "none" : slots.c_str());
  std::printf("configuration   %s\n", s.config_sha256().c_str());
  return s.state() == "open" ? kDone : kNo;
}

int connectors(const Common& common) {
  control::Request request;
  request.set_connectors(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  bool all_up = true;
  Json json;
  json.object().array("connectors");
  if (!common.json) std::printf("%-20s %-10s %-6s %11s %6s  %s\n", "NAME", "CHANNEL", "STATE", "IN HAND", "SHARE", "DETAIL");
  for (const control::ConnectorFacts& c : reply->connector()) {
    const bool up = c.connected() && c.up();
    all_up = all_up && up;
    const char* state = up ? "up" : c.connected() ? "down" : "absent";
    if (common.json) {
      json.object().field("name", c.name()).field("channel", c.channel()).field("state", state).field("detail", c.detail())
          .field("software", c.software()).field("window", std::uint64_t{c.window()}).field("outstanding", std::uint64_t{c.outstanding()})
          .field("share", std::uint64_t{c.share()}).end();
    } else {
      // Of what carries messages: how much of them it takes, by its health.
      const std::string share = up && !c.channel().empty() ? std::to_string(c.share() / 10) + "%" : "-";
      std::printf("%-20s %-10s %-6s %5u/%-5u %6s  %s\n", c.name().c_str(), c.channel().empty() ? "-" : c.channel().c_str(), state, c.outstanding(), c.window(),
                  share.c_str(), c.detail().empty() ? c.software().c_str() : c.detail().c_str());
    }
  }
  if (common.json) json.print();
  return all_up ? kDone : kNo;
}

int metrics(const Common& common) {
  control::Request request;
  request.set_metrics(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  std::fputs(reply->metrics().c_str(), stdout);
  return kDone;
}

}  // namespace postern::cli
