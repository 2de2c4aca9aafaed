// SPDX-License-Identifier: Apache-2.0
// The verb audit verify: needs files and public keys, not the gateway. What it checks is postern-audit's.
#include <fmt/core.h>

#include <cstdio>
#include <sstream>

#include "admin/audit/verify.hpp"
#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

int not_good(const Common& common, std::uint64_t leaf, const std::string& what) {
  if (common.json) Json().object().field("good", false).field("first_bad_leaf", leaf).field("what", what).print();
  else std::printf("NOT GOOD: leaf %llu: %s\n", static_cast<unsigned long long>(leaf), what.c_str());
  return kNo;
}

void print_json(const auditor::Verdict& verdict) {
  Json json;
  json.object().field("good", !verdict.bad.has_value()).field("origin", verdict.origin).field("leaves", verdict.leaves).field("root", verdict.root);
  if (verdict.bad) json.field("first_bad_leaf", verdict.bad->leaf).field("what", verdict.bad->what);
  json.field("epochs", std::uint64_t{verdict.epochs});
  json.object("events");
  for (const auto& [name, count] : verdict.counts) json.field(name, count);
  json.print();
}

}  // namespace

int audit_verify(const Common& common, const AuditOptions& options) {
  std::string folder = options.folder;
  std::vector<std::string> keys = options.vkeys;
  if (folder.empty()) {
    // Of the running gateway: ask it to sign what it has, then check its files like anybody would.
    control::Request request;
    request.set_checkpoint(true);
    const Result<control::Reply> reply = ask(common.socket, request);
    if (!reply) return failed(reply.what() + "; or name the log's folder");
    folder = reply->audit().folder();
    if (keys.empty()) keys = lines_of(reply->audit().vkey());
  }
  const bool own_key = options.vkeys.empty();
  if (keys.empty()) keys = {folder + "/vkey"};
  Result<auditor::Trust> trust = auditor::read_trust(keys, {});
  if (!trust) return own_key ? failed(trust.what() + "; give --vkey KEY or FILE") : not_good(common, 0, trust.what());
  const Result<auditor::Verdict> verdict = auditor::verify({folder, std::move(*trust), {}, [](std::uint64_t done, std::uint64_t all) {
                                                              progress_line(fmt::format("verifying {} of {} leaves", done, all));
                                                            }});
  progress_done();
  if (!verdict) return failed(verdict.what());
  if (common.json) {
    print_json(*verdict);
    return verdict->bad ? kNo : kDone;
  }
  if (verdict->bad) return not_good(common, verdict->bad->leaf, verdict->bad->what);
  std::printf("good: %llu leaves of %s, %s to %s\n", static_cast<unsigned long long>(verdict->leaves), verdict->origin.c_str(),
              time_text(verdict->first_us / 1000).c_str(), time_text(verdict->last_us / 1000).c_str());
  std::printf("root: %s\n", verdict->root.c_str());
  for (const auto& [name, count] : verdict->counts) std::printf("  %-18s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
  if (own_key) std::printf("The keys came from the gateway itself. For a proof against its own administrators give --vkey from your records.\n");
  else if (!verdict->anchored) std::printf("No key of an epoch was given: keep both lines of the log's vkey file, and give both.\n");
  return kDone;
}

}  // namespace postern::cli
