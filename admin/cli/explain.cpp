// SPDX-License-Identifier: Apache-2.0
// The verb explain.
#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/trace_lines.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

bool same(const control::Verdict& a, const control::Verdict& b) {
  return a.kind() == b.kind() && (a.kind() == "go" || (a.rule() == b.rule() && a.until_ms() == b.until_ms()));
}

// "2027-01-15 13:45": to the minute, of a clock on a wall.
std::string wall_text(std::int64_t local_ms) { return time_text(local_ms).substr(0, 16); }

std::string words_of(const control::Verdict& verdict) {
  std::string text;
  if (verdict.kind() == "go") {
    text = "goes";
    for (const std::string& rule : verdict.passed()) text += ", past " + rule;
    return text;
  }
  if (verdict.kind() == "wait") return "waits until " + time_text(verdict.until_ms()) + ", by " + verdict.rule();
  text = "is left out, by " + verdict.rule();
  if (verdict.until_ms() != 0) text += ": it would have to wait until " + time_text(verdict.until_ms()) + ", past its end";
  return text;
}

std::string conditional(const control::Verdict& verdict) {
  if (verdict.kind() == "go") return "would go";
  if (verdict.kind() == "wait") return "would wait until " + time_text(verdict.until_ms()) + ", by " + verdict.rule();
  return "would be left out, by " + verdict.rule();
}

std::string again(const control::Decision& decision, const std::string& policy) {
  if (!decision.has_now()) return "cannot be asked again: the address is not kept any more";
  if (decision.same_policy()) return same(decision.said(), decision.now()) ? "the same" : "NOT the same: " + words_of(decision.now());
  const std::string changed = policy.empty() ? "there is no policy now: " : "the policy has changed since (now " + policy.substr(0, 16) + "): ";
  return changed + (same(decision.said(), decision.now()) ? "the same" : conditional(decision.now()));
}

void print_decision(const control::Decision& d, const control::Explanation& explanation) {
  std::printf("      asked      step %u, %s%s%s, at %s%s%s%s\n", d.step(), d.channel().c_str(), d.address().empty() ? "" : " to ", d.address().c_str(), time_text(d.at_ms()).c_str(),
              d.zone().empty() ? ", in no known zone" : ", there ", d.zone().empty() ? "" : wall_text(d.local_ms()).c_str(),
              d.zone().empty() ? "" : (" " + d.zone() + (d.own_zone() ? "" : ", the bank's")).c_str());
  std::printf("      until      %s the message%s%s\n", time_text(d.deadline_ms()).c_str(), d.stage_end_ms() == 0 ? "" : ", its stage ", d.stage_end_ms() == 0 ? "" : time_text(d.stage_end_ms()).c_str());
  for (const control::CapFacts& cap : d.cap())
    std::printf("      cap        %s: %llu of %u used; this one weighs %u%s\n", cap.name().c_str(), static_cast<unsigned long long>(cap.used()), cap.limit(), d.weight(),
                d.counted() ? ", and is counted already" : "");
  if (!d.consent().empty()) std::printf("      consent    %s\n", d.consent().c_str());
  if (!d.speed().empty()) std::printf("      speed      %s: its turn at %s\n", d.speed().c_str(), time_text(d.turn_ms()).c_str());
  if (d.same_ms() != 0) std::printf("      the same   was sent at %s\n", time_text(d.same_ms()).c_str());
  for (const control::SightingFacts& one : d.sent())
    std::printf("      had        %s  %s from %s, weight %u\n", time_text(one.at_ms()).c_str(), one.category().c_str(), one.client().c_str(), one.weight());
  if (d.sent_cut()) std::printf("      had        more before that\n");
  std::printf("      said       %s  (policy %s)\n", words_of(d.said()).c_str(), d.policy().c_str());
  std::printf("      replayed   %s\n", again(d, explanation.policy()).c_str());
  if (d.has_what_if()) std::printf("      what if    %s\n", same(d.now(), d.what_if()) ? "the same" : conditional(d.what_if()).c_str());
}

void write_verdict(Json& json, const char* key, const control::Verdict& verdict) {
  json.object(key).field("kind", verdict.kind()).field("rule", verdict.rule()).field("until", time_text(verdict.until_ms())).array("passed");
  for (const std::string& rule : verdict.passed()) json.item(rule);
  json.end().end();
}

void write_decision(Json& json, const control::Decision& d) {
  json.object("decision").field("policy", d.policy()).field("same_policy", d.same_policy()).field("step", std::uint64_t{d.step()}).field("channel", d.channel())
      .field("address", d.address()).field("at", time_text(d.at_ms())).field("zone", d.zone()).field("own_zone", d.own_zone()).field("local", d.zone().empty() ? "" : wall_text(d.local_ms()))
      .field("weight", std::uint64_t{d.weight()}).field("counted", d.counted()).field("deadline", time_text(d.deadline_ms())).field("stage_end", time_text(d.stage_end_ms()))
      .field("consent", d.consent()).field("speed", d.speed()).field("turn", time_text(d.turn_ms())).field("same_sent", time_text(d.same_ms()));
  json.array("sent");
  for (const control::SightingFacts& one : d.sent())
    json.object().field("at", time_text(one.at_ms())).field("category", one.category()).field("client", one.client()).field("weight", std::uint64_t{one.weight()}).end();
  json.end().field("sent_cut", d.sent_cut()).array("caps");
  for (const control::CapFacts& cap : d.cap()) json.object().field("name", cap.name()).field("used", cap.used()).field("limit", std::uint64_t{cap.limit()}).end();
  json.end();
  write_verdict(json, "said", d.said());
  if (d.has_now()) write_verdict(json, "now", d.now());
  if (d.has_now()) json.field("replayed_same", same(d.said(), d.now()));
  if (d.has_what_if()) write_verdict(json, "what_if", d.what_if());
  json.end();
}

}  // namespace

int explain(const Common& common, const ExplainOptions& options) {
  control::Request request;
  request.mutable_explain()->set_id(options.id);
  for (const std::string& change : options.what_if) request.mutable_explain()->add_what_if(change);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) {
    failed(reply.what());
    return reply.what().find("no message") == std::string::npos ? kFailed : kNo;
  }
  const control::Explanation& explanation = reply->explanation();
  unsigned decisions = 0, different = 0;
  for (const control::TraceLine& line : reply->trace()) {
    if (!line.has_decision()) continue;
    ++decisions;
    different += line.decision().has_what_if() && !same(line.decision().now(), line.decision().what_if());
  }
  if (common.json) {
    Json json;
    json.object();
    write_head(json, reply->head());
    json.field("policy", explanation.policy()).field("what_if", explanation.what_if()).field("different", std::uint64_t{different}).array("events");
    for (const control::TraceLine& line : reply->trace()) {
      json.object();
      write_line(json, line);
      if (line.has_decision()) write_decision(json, line.decision());
      json.end();
    }
    json.print();
  } else {
    print_head(reply->head());
    for (const control::TraceLine& line : reply->trace()) {
      print_line(line, reply->trace(0).utc_us());
      if (line.has_decision()) print_decision(line.decision(), explanation);
    }
    if (decisions == 0) std::printf("No decision of a policy stands in its trace: none was in force, or its customer was erased.\n");
    else if (!options.what_if.empty()) std::printf("%u of %u decisions would be different\n", different, decisions);
  }
  return kDone;
}

}  // namespace postern::cli
