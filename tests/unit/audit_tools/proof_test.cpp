// SPDX-License-Identifier: Apache-2.0
// Trees in tiles give the proofs that trees in memory give; proofs as files.
#include "admin/audit/proof.hpp"

#include "admin/audit/tree.hpp"
#include "tests/unit/audit_tools/support.hpp"

namespace postern::auditor {
namespace {

std::vector<Hash> hashes_of(const made::Log& log) {
  std::vector<Hash> hashes;
  for (const made::MadeLeaf& leaf : log.leaves) hashes.push_back(leaf_hash(made::encode(leaf)));
  return hashes;
}

class InTiles : public testing::TestWithParam<std::uint64_t> {
 protected:
  TempFolder folder;
};

TEST_P(InTiles, ProofsAreThoseOfTheTreeInMemory) {
  const made::Log log({.leaves = GetParam(), .per_epoch = 10'000});
  made::write_files(folder.path(), log.files());
  const std::vector<Hash> hashes = hashes_of(log);
  TileTree tree(folder.path(), hashes.size());
  const std::uint64_t step = hashes.size() < 600 ? 1 : 9973;
  for (std::uint64_t at = 0; at < hashes.size(); at += step) {
    const std::vector<Hash> proof = inclusion_proof(at, hashes.size(), tree.ranges());
    ASSERT_EQ(proof, inclusion_proof(hashes, at)) << at;
    ASSERT_TRUE(verify_inclusion(hashes[at], at, hashes.size(), proof, log.root(hashes.size())));
    ASSERT_EQ(consistency_proof(at, hashes.size(), tree.ranges()), consistency_proof(hashes, at)) << at;
  }
  // Under an older checkpoint, from the tiles of the grown tree.
  for (std::uint64_t size = 1; size < hashes.size(); size += step) {
    const std::vector<Hash> older(hashes.begin(), hashes.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_EQ(inclusion_proof(size / 2, size, tree.ranges()), inclusion_proof(older, size / 2)) << size;
  }
  EXPECT_TRUE(tree.status().has_value()) << tree.status().what();
}

INSTANTIATE_TEST_SUITE_P(Sizes, InTiles, testing::Values(1, 2, 3, 255, 256, 257, 511, 512, 513, 65'536, 66'100));

TEST(TileTree, SaysWhenATileIsMissing) {
  const TempFolder folder;
  const made::Log log({.leaves = 600, .per_epoch = 10'000});
  made::write_files(folder.path(), log.files());
  std::filesystem::remove(folder / "tile/0/001");
  TileTree tree(folder.path(), 600);
  (void)inclusion_proof(300, 600, tree.ranges());
  EXPECT_FALSE(tree.status().has_value());
}

class ProofFile : public testing::Test {
 protected:
  Proof proof_of(std::uint64_t index) const {
    return {made::encode(log.leaves[index]), index, inclusion_proof(hashes, index), note};
  }
  bool holds(const Proof& proof, const Trust& given) const { return proof.extra && check_proof(proof, *proof.extra, given).has_value(); }

  made::Log log{{.leaves = 40}};
  std::vector<Hash> hashes = hashes_of(log);
  std::string note = log.cosigned();
  Trust trust = trust_of(log, true, true);
};

TEST_F(ProofFile, GoesThroughItsText) {
  const Proof proof = proof_of(17);
  const std::string text = write_proof(proof);
  EXPECT_TRUE(text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
  EXPECT_NE(text.find("\nindex 17\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\n\n" + note));
  const Result<std::vector<Proof>> read = read_proofs(text);
  ASSERT_TRUE(read.has_value()) << read.what();
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(write_proof(read->front()), text);
  EXPECT_TRUE(holds(read->front(), trust));
}

TEST_F(ProofFile, WithoutExtraDataHasNoLineOfIt) {
  Proof proof = proof_of(17);
  proof.extra.reset();
  const std::string text = write_proof(proof);
  EXPECT_TRUE(text.starts_with("c2sp.org/tlog-proof@v1\nindex 17\n"));
  const Result<std::vector<Proof>> read = read_proofs(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->front().extra.has_value());
  EXPECT_TRUE(check_proof(read->front(), made::encode(log.leaves[17]), trust).has_value());
  EXPECT_FALSE(check_proof(read->front(), made::encode(log.leaves[18]), trust).has_value());
}

TEST_F(ProofFile, HoldsForItsOwnPlaceOnly) {
  for (std::uint64_t index = 0; index < 40; ++index) {
    Proof proof = proof_of(index);
    ASSERT_TRUE(holds(proof, trust)) << index;
    proof.index = (index + 1) % 40;
    EXPECT_FALSE(holds(proof, trust)) << index;
    proof.index = index + 40;
    EXPECT_FALSE(holds(proof, trust)) << index;
    proof = proof_of(index);
    proof.extra = made::encode(log.leaves[(index + 1) % 40]);
    EXPECT_FALSE(holds(proof, trust)) << index;
    proof = proof_of(index);
    proof.path.push_back(Hash{});
    EXPECT_FALSE(holds(proof, trust)) << index;
    proof.path.resize(proof.path.size() - 2);
    EXPECT_FALSE(holds(proof, trust)) << index;
  }
}

TEST_F(ProofFile, NeedsTheLogsKeyAndEveryWitnessAskedFor) {
  const Proof proof = proof_of(3);
  const made::Log other({.seed = 2}), elsewhere({.origin = "elsewhere"});
  EXPECT_FALSE(holds(proof, trust_of(other)));
  EXPECT_FALSE(holds(proof, trust_of(elsewhere)));
  EXPECT_FALSE(holds(proof, {}));
  Trust two = trust;
  two.witnesses.push_back(other.witness().verifier());
  EXPECT_FALSE(holds(proof, two));
  Proof plain = proof;
  plain.checkpoint = log.checkpoint();
  EXPECT_TRUE(holds(plain, trust_of(log)));
  EXPECT_FALSE(holds(plain, trust));
}

TEST_F(ProofFile, SeveralStandOneAfterAnother) {
  const std::string text = write_proof(proof_of(3)) + write_proof(proof_of(9)) + write_proof(proof_of(20));
  const Result<std::vector<Proof>> read = read_proofs(text);
  ASSERT_TRUE(read.has_value()) << read.what();
  ASSERT_EQ(read->size(), 3U);
  for (const Proof& proof : *read) EXPECT_TRUE(holds(proof, trust));
  EXPECT_EQ((*read)[1].index, 9U);
}

TEST_F(ProofFile, AnyOtherTextIsRefused) {
  const std::string good = write_proof(proof_of(17));
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string text = good;
    return text.replace(text.find(what), what.size(), by);
  };
  for (const std::string& bad : {std::string(), std::string("\n"), good.substr(1), replaced("@v1", "@v2"), replaced("index 17", "index 017"), replaced("index 17", "index -1"),
                                 replaced("index 17", "index 18446744073709551616"), replaced("index 17\n", "index 17 \n"), replaced("index 17\n", ""),
                                 replaced("index 17\n", "index 17\nindex 17\n"), replaced("extra ", "extra  "), replaced("extra ", "extre "), replaced("\nindex", "\r\nindex"),
                                 replaced("@v1\n", "@v1\n\n"), good.substr(0, good.find("\n\n")), good.substr(0, good.find("\n\n") + 1)})
    EXPECT_FALSE(read_proofs(bad).has_value()) << bad;
  std::string path;
  for (int i = 0; i < 64; ++i) path += to_base64(Hash{}) + "\n";
  EXPECT_FALSE(read_proofs("c2sp.org/tlog-proof@v1\nindex 1\n" + path + "\n" + note).has_value()) << "64 hashes";
}

TEST_F(ProofFile, TheWholeStoryHasNoGap) {
  const made::Log longer({.leaves = 200});
  std::vector<std::vector<Bytes>> stories;
  std::map<std::array<std::uint8_t, 16>, std::vector<Bytes>> by_message;
  for (const made::MadeLeaf& leaf : longer.leaves)
    if (leaf.message != std::array<std::uint8_t, 16>{}) by_message[leaf.message].push_back(made::encode(leaf));
  std::size_t looked = 0;
  for (const auto& [message, bytes] : by_message) {
    std::vector<Leaf> leaves;
    for (const Bytes& each : bytes) leaves.push_back(*read_leaf(each));
    EXPECT_TRUE(whole_story(leaves));
    if (leaves.size() < 3) continue;
    EXPECT_TRUE(whole_story({leaves.begin(), leaves.end() - 1})) << "later ones may be missing";
    EXPECT_FALSE(whole_story({leaves.begin() + 1, leaves.end()}));
    leaves.erase(leaves.begin() + 1);
    EXPECT_FALSE(whole_story(leaves));
    ++looked;
  }
  EXPECT_GT(looked, 5U);
  EXPECT_FALSE(whole_story({}));
}

}  // namespace
}  // namespace postern::auditor
