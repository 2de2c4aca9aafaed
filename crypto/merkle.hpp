// SPDX-License-Identifier: Apache-2.0
// Purpose: the append-only Merkle tree of RFC 6962 section 2.1, over SHA-256.
// Used by: posternd (builds it), the verifiers and the witness. Threads: plain values. Errors: a proof that does not
// fit is false, never a crash: proofs come from outside.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "crypto/bytes.hpp"

namespace postern {

using Hash = std::array<std::uint8_t, 32>;

Hash sha256(ByteView bytes);
Hash leaf_hash(ByteView leaf);                         // SHA-256(0x00 | leaf)
Hash node_hash(const Hash& left, const Hash& right);   // SHA-256(0x01 | left | right)

// The right edge of a growing tree: log2(size) hashes are all that appending needs.
class MerkleFrontier {
 public:
  void append(const Hash& leaf);
  std::uint64_t size() const { return size_; }
  Hash root() const;   // of the empty tree: SHA-256 of nothing
  const std::vector<Hash>& peaks() const { return peaks_; }

  // A frontier of `size` leaves from its peaks; nothing when their number does not fit the size.
  static std::optional<MerkleFrontier> resume(std::uint64_t size, std::vector<Hash> peaks);

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> peaks_;  // roots of perfect subtrees, largest first
};

// Root of the given leaves' hashes.
Hash merkle_root(const std::vector<Hash>& leaves);

// RFC 6962 sections 2.1.1 and 2.1.2, over all leaf hashes. Empty when there is no such proof.
std::vector<Hash> inclusion_proof(const std::vector<Hash>& leaves, std::uint64_t index);
std::vector<Hash> consistency_proof(const std::vector<Hash>& leaves, std::uint64_t old_size);

// The same for a tree that is not in memory: `root_of` gives the root of the leaves [begin, end), which it is
// asked at most 64 times for one proof.
using RangeRoot = std::function<Hash(std::uint64_t begin, std::uint64_t end)>;
std::vector<Hash> inclusion_proof(std::uint64_t index, std::uint64_t size, const RangeRoot& root_of);
std::vector<Hash> consistency_proof(std::uint64_t old_size, std::uint64_t size, const RangeRoot& root_of);

// RFC 9162 sections 2.1.3.2 and 2.1.4.2.
bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, const std::vector<Hash>& proof, const Hash& root);
bool verify_consistency(std::uint64_t old_size, const Hash& old_root, std::uint64_t new_size, const Hash& new_root,
                        const std::vector<Hash>& proof);

}  // namespace postern
