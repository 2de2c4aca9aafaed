// SPDX-License-Identifier: Apache-2.0
// The verb consistency: a log has only grown since a checkpoint that was kept. Reads some tiles and no leaf.
#include <fmt/core.h>

#include "admin/audit/tree.hpp"
#include "admin/audit/trust.hpp"
#include "admin/audit/verbs.hpp"
#include "admin/cli/output.hpp"

namespace postern::auditor {

int consistency_verb(const Common& common, const ConsistencyOptions& options) {
  const Result<Trust> trust = read_trust(common.vkeys, common.witnesses);
  if (!trust) return unchecked(trust.what());
  Checkpoint ends[2];
  const std::string paths[] = {options.old, options.folder + "/checkpoint"};
  for (std::size_t i = 0; i < 2; ++i) {
    const Result<std::optional<Bytes>> file = read_file(paths[i], 64 * 1024);
    if (!file) return unchecked(file.what());
    if (!*file) return unchecked(paths[i] + " is not there");
    const Result<SignedCheckpoint> note = open_signed(as_text(**file), *trust);
    if (!note) return does_not_hold(common, paths[i] + ": " + note.what());
    ends[i] = note->checkpoint;
  }
  const auto& [before, now] = ends;
  if (before.origin != now.origin) return does_not_hold(common, "the two checkpoints are of different logs");
  if (before.size > now.size)
    return does_not_hold(common, fmt::format("the log has {} leaves and had {}: an older one was put back", now.size, before.size));
  TileTree tree(options.folder, now.size);
  const std::vector<Hash> proof = consistency_proof(before.size, now.size, tree.ranges());
  if (!tree.status()) return unchecked(tree.status().what());
  if (!verify_consistency(before.size, before.root, now.size, now.root, proof))
    return does_not_hold(common, fmt::format("the first {} leaves are not what they were", before.size));
  if (common.json) {
    cli::Json json;
    json.object().field("good", true).field("origin", now.origin).field("old_size", before.size).field("size", now.size).field("root", to_hex(now.root)).print();
  } else {
    fmt::print("good: {} grew from {} to {} leaves by appending only\n", now.origin, before.size, now.size);
  }
  return kHolds;
}

}  // namespace postern::auditor
