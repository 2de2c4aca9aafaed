// SPDX-License-Identifier: Apache-2.0
// Purpose: checks an audit log's folder with nothing but public keys: every leaf, every tile, the order, the links,
// the times, the epochs and who signed them, the tree, the checkpoints that others kept.
// Used by: `postern-audit verify`, `postern audit verify`. Threads: one. Ownership: values.
// Errors: files that cannot be read are an Error; a log that does not hold is a Finding with the first bad leaf.
// Limits: memory does not grow with the log (about 60 MiB, most of it MessageLinks).
//
// Checked in this order; what is found first is told: the checkpoint and `vkey` (leaf 0); then for each leaf its
// bundle, its hash in the tile of level 0, its form, sequence, previous leaf, links, epoch and time, the file of the
// epoch that it ends, the older checkpoints of this size, the tiles of higher levels that it completes; at the end
// (leaf = size) the root, the epoch's signature, the witnesses, files in epoch/ and tile/ that do not belong there.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "admin/audit/links.hpp"
#include "admin/audit/trust.hpp"

namespace postern::auditor {

struct Question {
  std::string folder;
  Trust trust;
  std::vector<std::string> from;   // files with older checkpoints that the log must contain
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;
  std::size_t remembered = kRemembered;   // messages, see MessageLinks
};

struct Finding {
  std::uint64_t leaf = 0;          // first bad index
  std::string what;
};

// A good cosignature.
struct Witnessed {
  std::string name;
  std::uint64_t size = 0;
  std::uint64_t time_s = 0;        // Unix seconds
};

struct Verdict {
  std::string origin;
  std::uint64_t leaves = 0;        // under the checkpoint
  std::string root;                // hex
  std::int64_t first_us = 0, last_us = 0;
  std::map<std::string, std::uint64_t> counts;   // event name -> leaves
  std::uint32_t epochs = 0;        // finished ones
  bool anchored = false;           // the key of an epoch was among the keys given: see crypto/DESIGN.md, "Epochs"
  std::vector<Witnessed> witnessed;
  std::optional<Finding> bad;
};

// A log that grows meanwhile is no finding: what does not hold is looked at again, at most nine times, while the
// checkpoint changes.
Result<Verdict> verify(const Question& question);

}  // namespace postern::auditor
