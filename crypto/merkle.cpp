// SPDX-License-Identifier: Apache-2.0
#include "crypto/merkle.hpp"

#include <openssl/evp.h>

#include <bit>
#include <cstdlib>
#include <memory>
#include <span>

namespace postern {
namespace {

// Fetched once: an implicit fetch for each hash costs more than the hash.
class Sha256 {
 public:
  Sha256() : digest_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
    if (digest_ == nullptr || context_ == nullptr) std::abort();
  }
  ~Sha256() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(digest_);
  }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  template <class... Parts>
  Hash of(const Parts&... parts) {
    Hash out{};
    bool good = EVP_DigestInit_ex2(context_, digest_, nullptr) == 1;
    ((good = good && EVP_DigestUpdate(context_, parts.data(), parts.size()) == 1), ...);
    if (!good || EVP_DigestFinal_ex(context_, out.data(), nullptr) != 1) std::abort();
    return out;
  }

 private:
  EVP_MD* digest_;
  EVP_MD_CTX* context_;
};

Sha256& hasher() {
  thread_local Sha256 instance;
  return instance;
}

constexpr std::array<std::uint8_t, 1> kLeaf{0x00}, kNode{0x01};

std::uint64_t split_of(std::uint64_t size) { return std::bit_floor(size - 1); }

Hash root_of(std::span<const Hash> leaves) {
  MerkleFrontier tree;
  for (const Hash& leaf : leaves) tree.append(leaf);
  return tree.root();
}

RangeRoot ranges_of(const std::vector<Hash>& leaves) {
  return [&leaves](std::uint64_t begin, std::uint64_t end) { return root_of(std::span(leaves).subspan(begin, end - begin)); };
}

// Of the leaf `index` in the subtree [begin, end).
void inclusion(std::uint64_t begin, std::uint64_t end, std::uint64_t index, const RangeRoot& root, std::vector<Hash>& proof) {
  if (end - begin <= 1) return;
  const std::uint64_t middle = begin + split_of(end - begin);
  if (index < middle) {
    inclusion(begin, middle, index, root, proof);
    proof.push_back(root(middle, end));
  } else {
    inclusion(middle, end, index, root, proof);
    proof.push_back(root(begin, middle));
  }
}

// Between the trees of `old_end` and `end` leaves, within the subtree [begin, end).
void consistency(std::uint64_t begin, std::uint64_t end, std::uint64_t old_end, bool whole, const RangeRoot& root, std::vector<Hash>& proof) {
  if (old_end == end) {
    if (!whole) proof.push_back(root(begin, end));
    return;
  }
  const std::uint64_t middle = begin + split_of(end - begin);
  if (old_end <= middle) {
    consistency(begin, middle, old_end, whole, root, proof);
    proof.push_back(root(middle, end));
  } else {
    consistency(middle, end, old_end, /*whole=*/false, root, proof);
    proof.push_back(root(begin, middle));
  }
}

}  // namespace

Hash sha256(ByteView bytes) { return hasher().of(bytes); }
Hash leaf_hash(ByteView leaf) { return hasher().of(kLeaf, leaf); }
Hash node_hash(const Hash& left, const Hash& right) { return hasher().of(kNode, left, right); }

void MerkleFrontier::append(const Hash& leaf) {
  peaks_.push_back(leaf);
  // As many equal-sized neighbours join as the old size has trailing ones in binary.
  for (std::uint64_t rest = size_++; (rest & 1) != 0; rest >>= 1) {
    const Hash right = peaks_.back();
    peaks_.pop_back();
    peaks_.back() = node_hash(peaks_.back(), right);
  }
}

Hash MerkleFrontier::root() const {
  if (peaks_.empty()) return sha256({});
  Hash root = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i-- > 0;) root = node_hash(peaks_[i], root);
  return root;
}

std::optional<MerkleFrontier> MerkleFrontier::resume(std::uint64_t size, std::vector<Hash> peaks) {
  if (static_cast<std::size_t>(std::popcount(size)) != peaks.size()) return std::nullopt;
  MerkleFrontier tree;
  tree.size_ = size;
  tree.peaks_ = std::move(peaks);
  return tree;
}

Hash merkle_root(const std::vector<Hash>& leaves) { return root_of(leaves); }

std::vector<Hash> inclusion_proof(std::uint64_t index, std::uint64_t size, const RangeRoot& root_of) {
  std::vector<Hash> proof;
  if (index < size) inclusion(0, size, index, root_of, proof);
  return proof;
}

std::vector<Hash> consistency_proof(std::uint64_t old_size, std::uint64_t size, const RangeRoot& root_of) {
  std::vector<Hash> proof;
  if (old_size > 0 && old_size <= size) consistency(0, size, old_size, /*whole=*/true, root_of, proof);
  return proof;
}

std::vector<Hash> inclusion_proof(const std::vector<Hash>& leaves, std::uint64_t index) {
  return inclusion_proof(index, leaves.size(), ranges_of(leaves));
}

std::vector<Hash> consistency_proof(const std::vector<Hash>& leaves, std::uint64_t old_size) {
  return consistency_proof(old_size, leaves.size(), ranges_of(leaves));
}

bool verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size, const std::vector<Hash>& proof, const Hash& root) {
  if (index >= size) return false;
  std::uint64_t fn = index, sn = size - 1;
  Hash hash = leaf;
  for (const Hash& sibling : proof) {
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      hash = node_hash(sibling, hash);
      while ((fn & 1) == 0 && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      hash = node_hash(hash, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && hash == root;
}

bool verify_consistency(std::uint64_t old_size, const Hash& old_root, std::uint64_t new_size, const Hash& new_root,
                        const std::vector<Hash>& proof) {
  if (old_size > new_size) return false;
  if (old_size == new_size) return proof.empty() && old_root == new_root;
  if (old_size == 0) return proof.empty();
  std::uint64_t fn = old_size - 1, sn = new_size - 1;
  while ((fn & 1) != 0) fn >>= 1, sn >>= 1;
  std::size_t next = 0;
  Hash fr = old_root, sr = old_root;
  if (fn != 0) {
    if (proof.empty()) return false;
    fr = sr = proof[next++];
  }
  for (; next < proof.size(); ++next) {
    const Hash& c = proof[next];
    if (sn == 0) return false;
    if ((fn & 1) != 0 || fn == sn) {
      fr = node_hash(c, fr);
      sr = node_hash(c, sr);
      while ((fn & 1) == 0 && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      sr = node_hash(sr, c);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && fr == old_root && sr == new_root;
}

}  // namespace postern
