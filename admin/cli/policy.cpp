// SPDX-License-Identifier: Apache-2.0
// The verb policy rehearse.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/span.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t kMaxPolicy = 2 * 1024 * 1024;

std::string span_text(std::int64_t ms) {
  const std::int64_t minutes = ms / 60'000;
  if (ms < 60'000) return std::to_string(ms / 1000) + " s";
  if (minutes < 60) return std::to_string(minutes) + " min";
  if (minutes < 48 * 60) return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
  return std::to_string(minutes / 1440) + " d " + std::to_string(minutes % 1440 / 60) + " h";
}

std::string money_text(std::int64_t micro) {
  char text[40];
  std::snprintf(text, sizeof text, "%+.4f", static_cast<double>(micro) / 1e6);
  return text;
}

void print_row(const control::RehearsalRow& row) {
  std::printf("  %-11s  %-20s", row.category().c_str(), row.rule().empty() ? "no rule" : row.rule().c_str());
  std::string text;
  const auto add = [&text](std::uint64_t count, const std::string& what) {
    if (count > 0) text += (text.empty() ? "" : "; ") + std::to_string(count) + " " + what;
  };
  add(row.unchanged(), "unchanged");
  add(row.delayed(), "later, half of them by " + span_text(row.delay_p50_ms()) + " or more, one in twenty by " + span_text(row.delay_p95_ms()) + " or more");
  add(row.sooner(), "sooner" + (row.sooner_p50_ms() == 0 ? std::string() : ", half of them by " + span_text(row.sooner_p50_ms()) + " or more"));
  add(row.dropped(), "not sent at all");
  add(row.no_longer_dropped(), "sent that were not");
  add(row.other_way(), "by another way");
  std::printf("  %s", text.c_str());
  if (row.cost_micro() != 0) std::printf("; cost %s", money_text(row.cost_micro()).c_str());
  std::printf("\n");
}

void print(const control::RehearsalFacts& facts, const std::string& file) {
  std::printf("%s is candidate %s\n", file.c_str(), facts.candidate().c_str());
  std::printf("policy in force   %s\n", facts.policy().empty() ? "none" : facts.policy().c_str());
  std::printf("%llu messages from %s to %s\n", static_cast<unsigned long long>(facts.messages()), time_text(facts.from_ms()).c_str(), time_text(facts.to_ms()).c_str());
  std::int64_t cost = 0;
  for (const control::RehearsalRow& row : facts.row()) {
    print_row(row);
    cost += row.cost_micro();
  }
  std::printf("cost change %s of the bank's currency\n", money_text(cost).c_str());
  for (const control::RehearsalExample& example : facts.example())
    std::printf("  %s  %-11s %-18s %-20s was %s, would be %s\n", example.id().c_str(), example.category().c_str(), example.what().c_str(), example.rule().c_str(),
                example.was_ms() == 0 ? "never" : time_text(example.was_ms()).c_str(), example.would_ms() == 0 ? "never" : time_text(example.would_ms()).c_str());
  const auto note = [](std::uint64_t count, const char* what) {
    if (count > 0) std::printf("%llu %s\n", static_cast<unsigned long long>(count), what);
  };
  note(facts.gone(), "messages are not looked at: their time of keeping is over");
  note(facts.erased(), "messages are not looked at: their customers were erased");
  note(facts.without_address(), "messages were judged without lists: their address is not kept");
  note(facts.cut(), "messages or customers were judged on less than all that is known of them, for the bound of memory");
}

void write(const control::RehearsalFacts& facts) {
  Json json;
  json.object().field("candidate", facts.candidate()).field("policy", facts.policy()).field("from", time_text(facts.from_ms())).field("to", time_text(facts.to_ms()))
      .field("messages", facts.messages()).field("gone", facts.gone()).field("erased", facts.erased()).field("without_address", facts.without_address()).field("cut", facts.cut());
  json.array("rows");
  for (const control::RehearsalRow& row : facts.row())
    json.object().field("category", row.category()).field("rule", row.rule()).field("unchanged", row.unchanged()).field("delayed", row.delayed()).field("sooner", row.sooner())
        .field("dropped", row.dropped()).field("no_longer_dropped", row.no_longer_dropped()).field("other_way", row.other_way()).field("delay_p50_ms", std::int64_t{row.delay_p50_ms()})
        .field("delay_p95_ms", std::int64_t{row.delay_p95_ms()}).field("sooner_p50_ms", std::int64_t{row.sooner_p50_ms()}).field("cost_micro", std::int64_t{row.cost_micro()}).end();
  json.end().array("examples");
  for (const control::RehearsalExample& example : facts.example())
    json.object().field("id", example.id()).field("category", example.category()).field("what", example.what()).field("rule", example.rule())
        .field("was", time_text(example.was_ms())).field("would", time_text(example.would_ms())).end();
  json.print();
}

}  // namespace

int policy_rehearse(const Common& common, const PolicyOptions& options) {
  constexpr std::int64_t kDay = 86'400'000;
  const std::int64_t span = span_ms(options.last).value_or(0);
  if (span == 0 || span % kDay != 0) return failed("--last: give days as 1d to 3660d, such as 30d"), kUsage;
  std::ifstream in(options.file, std::ios::binary);
  if (!in) return failed(options.file + ": cannot be read; check that it exists and who may read it");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (text.size() > kMaxPolicy) return failed(options.file + ": is larger than 2 MiB");
  Result<Session> session = Session::open(common.socket);
  if (!session) return failed(session.what());
  control::Request request;
  request.mutable_policy_rehearsal()->mutable_begin()->set_text(text);
  request.mutable_policy_rehearsal()->mutable_begin()->set_name(options.file);
  request.mutable_policy_rehearsal()->mutable_begin()->set_days(static_cast<std::uint32_t>(span / kDay));
  for (;;) {
    const Result<control::Reply> reply = session->ask(request);
    if (!reply) {
      progress_done();
      failed(reply.what());
      return reply.what().starts_with("the candidate is refused") ? kNo : kFailed;
    }
    const control::RehearsalFacts& facts = reply->policy_rehearsal();
    if (facts.done()) {
      progress_done();
      if (common.json) write(facts);
      else print(facts, options.file);
      return kDone;
    }
    progress_line(std::to_string(facts.walked()) + " of " + std::to_string(facts.leaves()) + " records");
    std::this_thread::sleep_for(std::chrono::microseconds(facts.rest_us()));
    request.mutable_policy_rehearsal()->set_next(facts.number());
  }
}

}  // namespace postern::cli
