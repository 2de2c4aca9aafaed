// SPDX-License-Identifier: Apache-2.0
#include "crypto/merkle.hpp"

#include <gtest/gtest.h>

#include <bit>

namespace postern {
namespace {

// The eight leaves and the roots of the RFC 6962 test vectors that all its implementations share
// (certificate-transparency, trillian, transparency-dev/merkle).
const char* const kLeaves[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
const char* const kRoots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                              "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                              "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                              "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                              "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                              "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                              "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                              "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

Bytes hex(std::string_view text) {
  Bytes bytes;
  EXPECT_TRUE(from_hex(text, bytes));
  return bytes;
}

std::vector<Hash> leaves_of(std::size_t count) {
  std::vector<Hash> leaves;
  for (std::size_t i = 0; i < count; ++i) leaves.push_back(leaf_hash(as_bytes("leaf " + std::to_string(i))));
  return leaves;
}

TEST(Merkle, TheEmptyTreeIsTheHashOfNothing) {
  EXPECT_EQ(to_hex(MerkleFrontier().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Merkle, FollowsTheVectorsOfRfc6962) {
  MerkleFrontier tree;
  std::vector<Hash> leaves;
  for (std::size_t i = 0; i < std::size(kLeaves); ++i) {
    leaves.push_back(leaf_hash(hex(kLeaves[i])));
    tree.append(leaves.back());
    EXPECT_EQ(to_hex(tree.root()), kRoots[i]) << i;
    EXPECT_EQ(merkle_root(leaves), tree.root());
  }
}

// Paths and consistency proofs over the same eight leaves, from the same shared vectors.
constexpr const char* kLeaf1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
constexpr const char* kNode23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
constexpr const char* kNode4567 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
constexpr const char* kLeaf4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
constexpr const char* kNode45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
constexpr const char* kNode67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";

std::vector<std::string> as_hex(const std::vector<Hash>& proof) {
  std::vector<std::string> text;
  for (const Hash& hash : proof) text.push_back(to_hex(hash));
  return text;
}

TEST(Merkle, PathsFollowTheVectorsOfRfc6962) {
  std::vector<Hash> leaves;
  for (const char* leaf : kLeaves) leaves.push_back(leaf_hash(hex(leaf)));
  const auto of = [&](std::size_t size) { return std::vector<Hash>(leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(size)); };
  using Proof = std::vector<std::string>;
  EXPECT_EQ(as_hex(inclusion_proof(of(1), 0)), Proof());
  EXPECT_EQ(as_hex(inclusion_proof(of(8), 0)), (Proof{kLeaf1, kNode23, kNode4567}));
  EXPECT_EQ(as_hex(inclusion_proof(of(8), 5)), (Proof{kLeaf4, kNode67, kRoots[3]}));
  EXPECT_EQ(as_hex(inclusion_proof(of(3), 2)), Proof{kRoots[1]});
  EXPECT_EQ(as_hex(inclusion_proof(of(5), 1)), (Proof{kRoots[0], kNode23, kLeaf4}));
  EXPECT_EQ(as_hex(consistency_proof(of(1), 1)), Proof());
  EXPECT_EQ(as_hex(consistency_proof(of(8), 1)), (Proof{kLeaf1, kNode23, kNode4567}));
  EXPECT_EQ(as_hex(consistency_proof(of(8), 6)), (Proof{kNode45, kNode67, kRoots[3]}));
  EXPECT_EQ(as_hex(consistency_proof(of(5), 2)), (Proof{kNode23, kLeaf4}));
}

TEST(Merkle, ProofsFromRangesAskOnlyForRangesThatATreeHas) {
  const std::vector<Hash> leaves = leaves_of(100);
  for (std::uint64_t size = 1; size <= 100; ++size) {
    for (std::uint64_t at = 0; at < size; ++at) {
      std::size_t asked = 0;
      const RangeRoot ranges = [&](std::uint64_t begin, std::uint64_t end) {
        ++asked;
        const std::uint64_t power = std::bit_floor(end - begin);
        EXPECT_TRUE(begin < end && end <= size && begin % power == 0) << begin << " " << end;
        return merkle_root({leaves.begin() + static_cast<std::ptrdiff_t>(begin), leaves.begin() + static_cast<std::ptrdiff_t>(end)});
      };
      EXPECT_EQ(inclusion_proof(at, size, ranges).size(), asked);
      (void)consistency_proof(at, size, ranges);
    }
  }
}

// Proofs that a sloppy verifier takes: of other lengths, for sizes near 2^64, with the old root for the new.
TEST(Merkle, AdversarialProofsAreRefused) {
  const std::vector<Hash> leaves = leaves_of(8);
  const Hash root = merkle_root(leaves);
  const std::vector<Hash> proof = inclusion_proof(leaves, 0);
  for (const std::uint64_t size : {9ULL, 16ULL, 1ULL << 62, 1ULL << 63, ~0ULL}) EXPECT_FALSE(verify_inclusion(leaves[0], 0, size, proof, root)) << size;
  EXPECT_FALSE(verify_inclusion(root, 0, 8, {}, root)) << "the root is no leaf";
  EXPECT_FALSE(verify_inclusion(node_hash(leaves[0], leaves[1]), 0, 4, inclusion_proof(leaves_of(4), 0), root)) << "a node is no leaf";
  EXPECT_FALSE(verify_inclusion(leaves[0], 0, 0, {}, root));
  EXPECT_FALSE(verify_inclusion(leaves[0], ~0ULL, ~0ULL, std::vector<Hash>(64), root));
  EXPECT_FALSE(verify_inclusion(leaves[0], 0, ~0ULL, std::vector<Hash>(10'000), root));
  for (const std::uint64_t old_size : {1ULL, 2ULL, 4ULL, 7ULL}) {
    const std::vector<Hash> good = consistency_proof(leaves, old_size);
    EXPECT_FALSE(verify_consistency(old_size, root, 8, root, good)) << "the new root passed off as the old";
    EXPECT_FALSE(verify_consistency(old_size, root, 8, root, {}));
    EXPECT_FALSE(verify_consistency(old_size, root, 8, root, {root}));
    EXPECT_FALSE(verify_consistency(8, root, old_size, merkle_root(leaves_of(old_size)), good)) << "backwards";
    for (const std::uint64_t size : {9ULL, 1ULL << 63, ~0ULL}) EXPECT_FALSE(verify_consistency(old_size, merkle_root(leaves_of(old_size)), size, root, good)) << size;
  }
  EXPECT_FALSE(verify_consistency(~0ULL, root, ~0ULL, root, {root}));
  EXPECT_FALSE(verify_consistency(~0ULL - 1, root, ~0ULL, root, std::vector<Hash>(200)));
}

TEST(Merkle, LeavesAndNodesAreHashedApart) {
  const Hash a = leaf_hash(as_bytes("a")), b = leaf_hash(as_bytes("b"));
  Bytes both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  EXPECT_NE(leaf_hash(both), node_hash(a, b)) << "a node must not pass as a leaf";
}

TEST(Merkle, InclusionIsProvedForEverySizeUpTo64AndEveryIndex) {
  for (std::size_t size = 1; size <= 64; ++size) {
    const std::vector<Hash> leaves = leaves_of(size);
    const Hash root = merkle_root(leaves);
    for (std::size_t index = 0; index < size; ++index) {
      const std::vector<Hash> proof = inclusion_proof(leaves, index);
      EXPECT_TRUE(verify_inclusion(leaves[index], index, size, proof, root)) << index << " of " << size;
      EXPECT_LE(proof.size(), 6U);
    }
  }
}

TEST(Merkle, AMutatedInclusionProofIsRefused) {
  for (const std::size_t size : {1U, 2U, 3U, 7U, 8U, 33U, 64U}) {
    const std::vector<Hash> leaves = leaves_of(size);
    const Hash root = merkle_root(leaves);
    for (std::size_t index = 0; index < size; ++index) {
      const std::vector<Hash> proof = inclusion_proof(leaves, index);
      const auto refused = [&](const Hash& leaf, std::uint64_t at, std::uint64_t of, const std::vector<Hash>& with, const Hash& under) {
        EXPECT_FALSE(verify_inclusion(leaf, at, of, with, under)) << index << " of " << size;
      };
      for (std::size_t other = 0; other < size; ++other)
        if (other != index) refused(leaves[index], other, size, proof, root);
      refused(leaves[index], index + size, size, proof, root);
      refused(leaves[index], size, size, proof, root);
      refused(leaves[index], ~0ULL, size, proof, root);
      refused(leaves[index], index, 0, proof, root);
      Hash wrong = leaves[index];
      wrong[0] ^= 1;
      refused(wrong, index, size, proof, root);
      Hash other_root = root;
      other_root[31] ^= 0x80;
      refused(leaves[index], index, size, proof, other_root);
      for (std::size_t i = 0; i < proof.size(); ++i) {
        for (const std::size_t bit : {0U, 100U, 255U}) {
          std::vector<Hash> bad = proof;
          bad[i][bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
          refused(leaves[index], index, size, bad, root);
        }
        std::vector<Hash> shorter = proof;
        shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
        refused(leaves[index], index, size, shorter, root);
        std::vector<Hash> longer = proof;
        longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(i), proof[i]);
        refused(leaves[index], index, size, longer, root);
      }
      std::vector<Hash> longer = proof;
      longer.push_back(root);
      refused(leaves[index], index, size, longer, root);
    }
  }
}

TEST(Merkle, ConsistencyIsProvedBetweenEveryTwoSizesUpTo64) {
  const std::vector<Hash> all = leaves_of(64);
  std::vector<Hash> roots;
  for (std::size_t size = 0; size <= 64; ++size) roots.push_back(merkle_root({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size)}));
  for (std::size_t size = 1; size <= 64; ++size) {
    const std::vector<Hash> leaves(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
    for (std::size_t old = 0; old <= size; ++old)
      EXPECT_TRUE(verify_consistency(old, roots[old], size, roots[size], consistency_proof(leaves, old))) << old << " to " << size;
  }
}

TEST(Merkle, AMutatedConsistencyProofIsRefused) {
  const std::vector<Hash> leaves = leaves_of(33);
  const Hash root = merkle_root(leaves);
  for (std::size_t old = 1; old < 33; ++old) {
    const std::vector<Hash> first(leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(old));
    const Hash old_root = merkle_root(first);
    const std::vector<Hash> proof = consistency_proof(leaves, old);
    Hash bad_root = old_root;
    bad_root[5] ^= 4;
    EXPECT_FALSE(verify_consistency(old, bad_root, 33, root, proof)) << old;
    EXPECT_FALSE(verify_consistency(old, old_root, 33, bad_root, proof)) << old;
    EXPECT_FALSE(verify_consistency(old + 1, old_root, 33, root, proof)) << old;
    EXPECT_FALSE(verify_consistency(34, old_root, 33, root, proof)) << old;
    for (std::size_t i = 0; i < proof.size(); ++i) {
      std::vector<Hash> bad = proof;
      bad[i][31] ^= 1;
      EXPECT_FALSE(verify_consistency(old, old_root, 33, root, bad)) << old << " " << i;
      bad = proof;
      bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_FALSE(verify_consistency(old, old_root, 33, root, bad)) << old << " " << i;
      bad = proof;
      bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(i), root);
      EXPECT_FALSE(verify_consistency(old, old_root, 33, root, bad)) << old << " " << i;
    }
    EXPECT_FALSE(verify_consistency(old, old_root, 33, root, {})) << old;
  }
  EXPECT_FALSE(verify_consistency(33, root, 33, root, {root}));
  EXPECT_FALSE(verify_consistency(0, root, 33, root, {root}));
}

TEST(MerkleFrontier, GoesOnFromItsPeaks) {
  const std::vector<Hash> leaves = leaves_of(100);
  MerkleFrontier straight;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    std::optional<MerkleFrontier> resumed = MerkleFrontier::resume(straight.size(), straight.peaks());
    ASSERT_TRUE(resumed.has_value());
    straight.append(leaves[i]);
    resumed->append(leaves[i]);
    EXPECT_EQ(resumed->root(), straight.root());
  }
}

TEST(MerkleFrontier, RefusesPeaksThatDoNotFitItsSize) {
  EXPECT_FALSE(MerkleFrontier::resume(3, {Hash{}}).has_value());
  EXPECT_FALSE(MerkleFrontier::resume(0, {Hash{}}).has_value());
  EXPECT_TRUE(MerkleFrontier::resume(0, {}).has_value());
  EXPECT_TRUE(MerkleFrontier::resume(4, {Hash{}}).has_value());
}

}  // namespace
}  // namespace postern
