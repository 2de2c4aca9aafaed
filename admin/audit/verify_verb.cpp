// SPDX-License-Identifier: Apache-2.0
// The verb verify: the whole log against keys and checkpoints that were kept.
#include <fmt/core.h>

#include <cstdio>

#include "admin/audit/verbs.hpp"
#include "admin/audit/verify.hpp"
#include "admin/cli/output.hpp"

namespace postern::auditor {
namespace {

void print_json(const Verdict& verdict) {
  cli::Json json;
  json.object().field("good", !verdict.bad.has_value()).field("origin", verdict.origin).field("leaves", verdict.leaves).field("root", verdict.root);
  if (verdict.bad) json.field("first_bad_leaf", verdict.bad->leaf).field("what", verdict.bad->what);
  json.field("epochs", std::uint64_t{verdict.epochs}).field("anchored", verdict.anchored).field("first_us", verdict.first_us).field("last_us", verdict.last_us);
  json.array("witnessed");
  for (const Witnessed& seen : verdict.witnessed) json.object().field("name", seen.name).field("size", seen.size).field("time", seen.time_s).end();
  json.end();
  json.object("events");
  for (const auto& [name, count] : verdict.counts) json.field(name, count);
  json.print();
}

void print_text(const Verdict& verdict) {
  if (verdict.bad) {
    fmt::print("NOT GOOD: leaf {}: {}\n", verdict.bad->leaf, verdict.bad->what);
    return;
  }
  fmt::print("good: {} leaves of {}, {} to {}\n", verdict.leaves, verdict.origin, cli::time_text(verdict.first_us / 1000), cli::time_text(verdict.last_us / 1000));
  fmt::print("root: {}\nepochs finished: {}\n", verdict.root, verdict.epochs);
  for (const Witnessed& seen : verdict.witnessed)
    fmt::print("cosigned by {}: {} leaves on {}\n", seen.name, seen.size, cli::time_text(static_cast<std::int64_t>(seen.time_s) * 1000));
  for (const auto& [name, count] : verdict.counts) fmt::print("  {:<18} {}\n", name, count);
  if (!verdict.anchored)
    fmt::print("No key of an epoch was given: whoever stole the log's identity key could have made this log anew. Give the second line of `vkey` "
               "as it was kept from the day of installation.\n");
}

}  // namespace

int verify_verb(const Common& common, const VerifyOptions& options) {
  Result<Trust> trust = read_trust(common.vkeys, common.witnesses);
  if (!trust) return unchecked(trust.what());
  const Result<Verdict> verdict = verify({options.folder, std::move(*trust), options.from, [](std::uint64_t done, std::uint64_t all) {
                                            cli::progress_line(fmt::format("verifying {} of {} leaves", done, all));
                                          }});
  cli::progress_done();
  if (!verdict) return unchecked(verdict.what());
  common.json ? print_json(*verdict) : print_text(*verdict);
  return verdict->bad ? kDoesNotHold : kHolds;
}

}  // namespace postern::auditor
