// SPDX-License-Identifier: Apache-2.0
// Purpose: one pass over the leaves and tiles under a checkpoint, in order. Used by: verify. Threads: one.
// Ownership: borrows what it is made of. Errors: a file that cannot be read ends it; a finding is told by bad().
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "admin/audit/epochs.hpp"
#include "admin/audit/folder.hpp"
#include "admin/audit/links.hpp"
#include "admin/audit/verify.hpp"

namespace postern::auditor {

// A checkpoint of this log that somebody kept.
struct Anchor {
  std::string name;             // of its file
  SignedCheckpoint note;
};

class Walk {
 public:
  // The question's trust must have the identity key of the checkpoint's log.
  Walk(const Question& question, const SignedCheckpoint& checkpoint, std::vector<Anchor> anchors, Verdict& verdict);

  // Reads everything under the checkpoint and fills the verdict. The first finding ends it.
  Status run();
  // The content of a right file below tile/, as far as it is under the checkpoint; call it after a run without findings.
  Result<std::optional<Bytes>> right(const TileName& name) const { return read(name); }

 private:
  Status bundle(std::uint64_t number);
  Status take(ByteView bytes, const Hash& hash);
  Status close_epoch();
  Status hold_anchors();
  Status complete(unsigned level);
  Status compare(unsigned level);
  Status last_words();
  Status look_at(const Leaf& leaf);
  Status bad(std::uint64_t leaf, std::string what);
  bool found() const { return verdict_.bad.has_value(); }
  Status remember_edge();
  Result<std::optional<Bytes>> read(const TileName& name) const;
  std::uint64_t width_at(std::uint64_t number) const { return std::min(kTileWidth, size_ - number * kTileWidth); }

  const Question& question_;
  const SignedCheckpoint& checkpoint_;
  std::vector<Anchor> anchors_;       // by size
  Verdict& verdict_;
  std::uint64_t size_, next_ = 0;
  std::size_t next_anchor_ = 0;
  Hash previous_{};
  MerkleFrontier tree_;
  EpochChain epochs_;
  MessageLinks links_;
  std::map<std::uint16_t, std::uint64_t> counts_;
  std::map<std::string, Bytes> edge_;                   // unfinished files, read first: a growing log takes them away
  std::array<std::vector<Hash>, kLevels> pending_;      // hashes of each level that no whole tile holds yet
  std::array<std::uint64_t, kLevels> done_{};           // whole tiles of each level
};

}  // namespace postern::auditor
