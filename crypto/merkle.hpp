// SPDX-License-Identifier: Apache-2.0
// Purpose: the append-only Merkle tree of RFC 6962 section 2.1, over SHA-256.
// Used by: posternd (builds it) and the verifiers. Threads: plain values. Errors: a proof that does not
// fit is false, never a crash: proofs come from outside.
#pragma once

#include <array>
#include <cstdint>
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

// RFC 6962 section 2.1.1 and 2.1.2, over all leaf hashes.
std::vector<Hash> inclusion_proof(const std::vector<Hash>& leaves, std::uint64_t index);
std::vector<Hash> consistency_proof(const std::vector<Hash>& leaves, std::uint64_t old_size);

// RFC 9162 sections 2.1.3.2 and 2.1.4.2.
bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, const std::vector<Hash>& proof, const Hash& root);
bool verify_consistency(std::uint64_t old_size, const Hash& old_root, std::uint64_t new_size, const Hash& new_root,
                        const std::vector<Hash>& proof);

}  // namespace postern
