// SPDX-License-Identifier: Apache-2.0
// Purpose: the Merkle tree of a log as it stands in its hash tiles, for proofs that read some tiles and not the log.
// Used by: prove, consistency, postern-cosign. Threads: one. Ownership: values.
// Errors: the first tile that is missing or unreadable makes every later hash zero and stands in status(): ask it
// before a proof is believed, and hold the proof against the signed root, for nothing here checks the tiles.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "admin/audit/folder.hpp"

namespace postern::auditor {

class TileTree {
 public:
  // `size`: leaves under the folder's checkpoint, whose unfinished tiles are there.
  TileTree(std::string folder, std::uint64_t size) : folder_(std::move(folder)), size_(size) {}

  // The root of leaves [begin, end) where RFC 6962 asks for one: begin is a multiple of the largest power of two
  // that is not larger than the range.
  Hash root_of(std::uint64_t begin, std::uint64_t end);
  RangeRoot ranges() {
    return [this](std::uint64_t begin, std::uint64_t end) { return root_of(begin, end); };
  }
  const Status& status() const { return status_; }

 private:
  Hash perfect(std::uint64_t begin, unsigned height);
  const std::vector<Hash>& tile(unsigned level, std::uint64_t number);

  std::string folder_;
  std::uint64_t size_;
  Status status_;
  std::map<std::string, std::vector<Hash>> cache_;
};

}  // namespace postern::auditor
