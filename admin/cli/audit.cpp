// SPDX-License-Identifier: Apache-2.0
// The verb audit verify: needs files and a public key, not the gateway.
#include <fmt/core.h>

#include <cstdio>
#include <fstream>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"
#include "gateway/audit/verify.hpp"

namespace postern::cli {
namespace {

// A key given as text, or the name of a file that holds it.
std::string key_from(const std::string& given) {
  std::ifstream in(given);
  std::string line;
  if (given.find('+') == std::string::npos && in && std::getline(in, line)) return line;
  return given;
}

}  // namespace

int audit_verify(const Common& common, const AuditOptions& options) {
  std::string folder = options.folder, vkey = key_from(options.vkey);
  if (folder.empty()) {
    // Of the running gateway: ask it to sign what it has, then check its files like anybody would.
    control::Request request;
    request.set_checkpoint(true);
    const Result<control::Reply> reply = ask(common.socket, request);
    if (!reply) return failed(reply.what() + "; or name the log's folder");
    folder = reply->audit().folder();
    if (vkey.empty()) vkey = reply->audit().vkey();
  }
  const bool own_key = options.vkey.empty();
  if (vkey.empty()) {
    std::ifstream in(folder + "/vkey");
    std::getline(in, vkey);
    if (vkey.empty()) return failed("no verifier key: give --vkey KEY or FILE");
  }
  const Result<audit::Verdict> verdict = audit::verify(folder, vkey, [](std::uint64_t done, std::uint64_t all) {
    progress_line(fmt::format("verifying {} of {} leaves", done, all));
  });
  progress_done();
  if (!verdict) return failed(verdict.what());
  if (common.json) {
    Json json;
    json.object().field("good", !verdict->bad.has_value()).field("origin", verdict->origin).field("leaves", verdict->leaves).field("root", verdict->root);
    if (verdict->bad) json.field("first_bad_leaf", verdict->bad->leaf).field("what", verdict->bad->what);
    json.object("events");
    for (const auto& [name, count] : verdict->counts) json.field(name, count);
    json.print();
    return verdict->bad ? kNo : kDone;
  }
  if (verdict->bad) {
    std::printf("NOT GOOD: leaf %llu: %s\n", static_cast<unsigned long long>(verdict->bad->leaf), verdict->bad->what.c_str());
    return kNo;
  }
  std::printf("good: %llu leaves of %s, %s to %s\n", static_cast<unsigned long long>(verdict->leaves), verdict->origin.c_str(),
              time_text(verdict->first_us / 1000).c_str(), time_text(verdict->last_us / 1000).c_str());
  std::printf("root: %s\n", verdict->root.c_str());
  for (const auto& [name, count] : verdict->counts) std::printf("  %-18s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
  if (own_key) std::printf("The key came from the gateway itself. For a proof against its own administrators give --vkey from your records.\n");
  return kDone;
}

}  // namespace postern::cli
