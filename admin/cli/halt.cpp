// SPDX-License-Identifier: Apache-2.0
// The verbs halt and resume: stop what must not go out, see who had got it, let it go on.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/span.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

void set(control::HaltWhat& what, const HaltOptions& options) {
  what.set_kind(options.kind);
  what.set_name(options.name);
  what.set_reason(options.reason);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

}  // namespace

int halt_begin(const Common& common, const HaltOptions& options) {
  control::Request request;
  set(*request.mutable_halt()->mutable_begin(), options);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  const std::uint64_t called_back = reply->halt().called_back();
  if (common.json) {
    Json().object().field("halted", true).field("called_back", called_back).print();
  } else {
    std::printf("Halted: from now on nothing of %s %s goes to a connector. %llu attempt(s) that connectors held were called back.\n"
                "See who had got it:  postern halt report %s %s\nLet it go on:        postern resume %s %s\n",
                options.kind.c_str(), options.name.c_str(), static_cast<unsigned long long>(called_back), options.kind.c_str(), options.name.c_str(), options.kind.c_str(),
                options.name.c_str());
  }
  return kDone;
}

int halt_end(const Common& common, const HaltOptions& options) {
  control::Request request;
  set(*request.mutable_halt()->mutable_end(), options);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  if (common.json) Json().object().field("resumed", true).print();
  else std::printf("%s %s goes on. What waits is looked at now; what is past its deadline is not sent.\n", options.kind.c_str(), options.name.c_str());
  return kDone;
}

int halt_list(const Common& common) {
  control::Request request;
  request.mutable_halt()->set_list(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  if (common.json) {
    Json json;
    json.object().array("halts");
    for (const control::HaltLine& line : reply->halt().halt())
      json.object().field("kind", line.what().kind()).field("name", line.what().name()).field("reason", line.what().reason()).field("by", line.actor())
          .field("since", time_text(line.at_ms())).end();
    json.print();
    return kDone;
  }
  if (reply->halt().halt_size() == 0) std::printf("nothing is halted\n");
  for (const control::HaltLine& line : reply->halt().halt())
    std::printf("%-8s  %-24s  since %s by %s: %s\n", line.what().kind().c_str(), line.what().name().c_str(), time_text(line.at_ms()).c_str(), line.actor().c_str(),
                line.what().reason().c_str());
  return kDone;
}

int halt_report(const Common& common, const HaltOptions& options) {
  const std::optional<std::int64_t> span = span_ms(options.last);
  if (!span) return failed("--last: '" + options.last + "' is no span of time; write 90m, 24h or 7d"), kUsage;
  Result<Session> session = Session::open(common.socket);
  if (!session) return failed(session.what());
  std::ofstream file;
  if (!options.out.empty()) {
    file.open(options.out, std::ios::binary | std::ios::trunc);
    if (!file) return failed(options.out + ": cannot be written");
    file << "message,client,reference,category,verdict,channel,connector,at\n";
  }
  Json json;
  json.object().array("messages");
  std::map<std::string, std::uint64_t> verdicts{{"got-it", 0}, {"sent", 0}, {"in-doubt", 0}};
  std::uint64_t waiting = 0;
  const std::int64_t since = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count() - *span;
  control::Request request;
  control::HaltReportAsk& page = *request.mutable_halt()->mutable_report();
  set(*page.mutable_what(), options);
  page.set_since_ms(since);
  do {
    const Result<control::Reply> reply = session->ask(request);
    if (!reply) return failed(reply.what());
    waiting += reply->halt().waiting();
    for (const control::OutMessage& out : reply->halt().out()) {
      ++verdicts[out.verdict()];
      const control::TraceHead& head = out.head();
      if (file.is_open())
        file << head.id() << ',' << quoted(head.client()) << ',' << quoted(head.reference()) << ',' << head.category() << ',' << out.verdict() << ',' << out.channel() << ','
             << quoted(out.connector()) << ',' << time_text(out.at_ms()) << '\n';
      if (common.json)
        json.object().field("id", head.id()).field("client", head.client()).field("reference", head.reference()).field("category", head.category())
            .field("verdict", out.verdict()).field("channel", out.channel()).field("connector", out.connector()).field("at", time_text(out.at_ms())).end();
      else if (!file.is_open())
        std::printf("%s  %-8s  %-8s  %s  %s %s\n", head.id().c_str(), out.verdict().c_str(), out.channel().c_str(), time_text(out.at_ms()).c_str(), head.client().c_str(), head.reference().c_str());
    }
    page.set_after(reply->halt().after());
  } while (page.after() != 0);
  if (file.is_open()) {
    file.close();
    if (!file) return failed(options.out + ": could not be written");
  }
  if (common.json) {
    json.end().field("got_it", verdicts["got-it"]).field("sent", verdicts["sent"]).field("in_doubt", verdicts["in-doubt"]).field("waiting", waiting).print();
  } else {
    std::printf("%llu customer(s) got it, %llu more were sent to and are not confirmed, %llu are in doubt; %llu message(s) wait here and nothing of them left.\n",
                static_cast<unsigned long long>(verdicts["got-it"]), static_cast<unsigned long long>(verdicts["sent"]), static_cast<unsigned long long>(verdicts["in-doubt"]),
                static_cast<unsigned long long>(waiting));
  }
  return kDone;
}

}  // namespace postern::cli
