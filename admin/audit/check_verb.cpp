// SPDX-License-Identifier: Apache-2.0
// The verb check-proof: checks what prove made, with keys and nothing else.
#include <fmt/core.h>

#include <cstdio>

#include "admin/audit/folder.hpp"
#include "admin/audit/proof.hpp"
#include "admin/audit/verbs.hpp"
#include "admin/cli/output.hpp"

namespace postern::auditor {
namespace {

std::string_view kind_text(BodyKind kind) {
  switch (kind) {
    case BodyKind::none: return "none";
    case BodyKind::open: return "open";
    case BodyKind::sealed: return "sealed";
    case BodyKind::personal: return "personal";
  }
  return "?";
}

void add_json(cli::Json& json, std::uint64_t index, const Leaf& leaf) {
  json.object().field("index", index).field("event", event_name(leaf.type)).field("utc_us", leaf.utc_us).field("epoch", std::uint64_t{leaf.epoch});
  json.field("message", of_message(leaf) ? message_text(leaf.message) : "").field("before", leaf.before).field("client", std::uint64_t{leaf.client});
  json.field("connector", std::uint64_t{leaf.connector}).field("attempt", std::uint64_t{leaf.attempt}).field("state", std::uint64_t{leaf.state});
  json.field("body", kind_text(leaf.kind)).field("body_bytes", std::uint64_t{leaf.body.size()}).end();
}

void print_text(std::uint64_t index, const Leaf& leaf) {
  fmt::print("leaf {}: {} on {}, epoch {}", index, event_name(leaf.type), cli::time_text(leaf.utc_us / 1000), leaf.epoch);
  if (of_message(leaf)) fmt::print(", message {}", message_text(leaf.message));
  fmt::print(", client {}, connector {}, attempt {}, state {}, body {} ({} bytes)\n", leaf.client, leaf.connector, leaf.attempt, leaf.state, kind_text(leaf.kind), leaf.body.size());
}

}  // namespace

int check_proof_verb(const Common& common, const CheckOptions& options) {
  const Result<Trust> trust = read_trust(common.vkeys, common.witnesses);
  if (!trust) return unchecked(trust.what());
  const Result<std::optional<Bytes>> file = read_file(options.file, kMaxProofFile);
  if (!file) return unchecked(file.what());
  if (!*file) return unchecked(options.file + " is not there");
  std::optional<Bytes> data;
  if (!options.leaf_data.empty()) {
    Result<std::optional<Bytes>> read = read_file(options.leaf_data, kMaxLeaf);
    if (!read) return unchecked(read.what());
    if (!*read) return unchecked(options.leaf_data + " is not there");
    data = std::move(*read);
  }
  const Result<std::vector<Proof>> proofs = read_proofs(as_text(**file));
  if (!proofs) return does_not_hold(common, proofs.what());
  if (data && proofs->size() != 1) return unchecked("--leaf-data gives one leaf, and the file holds " + std::to_string(proofs->size()) + " proofs");

  Checkpoint under;
  std::vector<Leaf> leaves;
  std::uint64_t last = 0;
  for (const Proof& proof : *proofs) {
    const std::optional<Bytes>& bytes = data ? data : proof.extra;
    if (!bytes) return unchecked("the proof does not hold the leaf; give it with --leaf-data");
    const Result<Checkpoint> checked = check_proof(proof, *bytes, *trust);
    if (!checked) return does_not_hold(common, checked.what());
    // Several proofs in a file belong together, or they prove less than they seem to.
    if (!leaves.empty() && (*checked != under || proof.index <= last)) return does_not_hold(common, "proof: its parts are of different checkpoints or not in order");
    const std::optional<Leaf> leaf = read_leaf(*bytes);
    if (!leaf || leaf->sequence != proof.index) return does_not_hold(common, "proof: what it proves is no leaf of this place");
    if (proof.extra && data && *proof.extra != *data) return does_not_hold(common, "proof: holds another leaf than the one given");
    leaves.push_back(*leaf);
    under = *checked;
    last = proof.index;
  }
  const bool whole = whole_story(leaves);
  if (common.json) {
    cli::Json json;
    json.object().field("good", true).field("origin", under.origin).field("size", under.size).field("root", to_hex(under.root)).field("unbroken", whole).array("leaves");
    for (const Leaf& leaf : leaves) add_json(json, leaf.sequence, leaf);
    json.print();
    return kHolds;
  }
  fmt::print("good: {} of {} leaves of {}\n", leaves.size(), under.size, under.origin);
  for (const Leaf& leaf : leaves) print_text(leaf.sequence, leaf);
  if (leaves.size() > 1) fmt::print("{}\n", whole ? "These are the message's leaves from its first on, none left out between." : "These are not all leaves of one message.");
  return kHolds;
}

}  // namespace postern::auditor
