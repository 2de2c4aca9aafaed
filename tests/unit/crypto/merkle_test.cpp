// SPDX-License-Identifier: Apache-2.0
#include "crypto/merkle.hpp"

#include <gtest/gtest.h>

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
