// SPDX-License-Identifier: Apache-2.0
// Logs of profile fips, whose keys are ECDSA P-256: what holds of the others holds of them, and the two do not mix.
#include <algorithm>

#include "admin/audit/proof.hpp"
#include "admin/witness/witness.hpp"
#include "tests/unit/audit_tools/support.hpp"

namespace postern::auditor {
namespace {

namespace fs = std::filesystem;

class VerifyFips : public MadeLogTest {
 protected:
  VerifyFips() : MadeLogTest({.leaves = 600, .per_epoch = 110, .type = KeyType::ecdsa_p256}) {}
};

TEST_F(VerifyFips, AWholeLogHolds) {
  const Result<Verdict> verdict = verify({audit, trust_of(log, true, true), {}, {}});
  ASSERT_TRUE(verdict.has_value());
  EXPECT_FALSE(verdict->bad.has_value()) << verdict->bad->what;
  EXPECT_EQ(verdict->leaves, 600U);
  EXPECT_EQ(verdict->epochs, log.last_epoch());
  EXPECT_TRUE(verdict->anchored);
  ASSERT_EQ(verdict->witnessed.size(), 1U);
}

TEST_F(VerifyFips, HoldsAtSizesAroundFullTilesAndClosedEpochs) {
  for (const std::uint64_t size : {0U, 1U, 109U, 110U, 111U, 220U, 221U, 222U, 256U, 257U}) {
    const made::Log sized({.leaves = size, .per_epoch = 110, .type = KeyType::ecdsa_p256});
    const std::string place = folder / ("size-" + std::to_string(size));
    made::write_files(place, sized.files());
    EXPECT_EQ(verdict_of(place, trust_of(sized, true, true)), "") << size;
  }
}

TEST_F(VerifyFips, EveryFlawIsFound) {
  const made::Options options{.type = KeyType::ecdsa_p256};
  const made::Log right(options);
  for (const std::string& flaw : made::flaws()) {
    const std::string place = folder / flaw;
    made::write_files(place, made::flawed(flaw, options));
    EXPECT_NE(verdict_of(place, trust_of(right, true, true)), "") << flaw;
    fs::remove_all(place);
  }
}

TEST_F(VerifyFips, WhoStoleEveryKeyIsFoundByTheKeptEpochKey) {
  const made::Options options{.type = KeyType::ecdsa_p256};
  const made::Log right(options);
  const std::string place = folder / "forged";
  made::write_files(place, made::flawed("own-keys-from-epoch-0", options));
  EXPECT_TRUE(verdict_of(place, trust_of(right)).starts_with("0: the key of epoch 0")) << verdict_of(place, trust_of(right));
  EXPECT_EQ(verdict_of(place, trust_of(right, false)), "") << "with the identity key alone nobody can tell";
}

TEST_F(VerifyFips, AnOlderCheckpointMustBeContained) {
  const std::string kept = folder / "kept";
  write_all(kept, log.checkpoint(300, {log.identity(), log.epoch(log.leaves[299].epoch)}));
  EXPECT_EQ(verdict_of(audit, trust_of(log), {kept}), "");
  const made::Log forked({.leaves = 600, .per_epoch = 110, .fork = 250, .type = KeyType::ecdsa_p256});
  write_all(kept, forked.checkpoint(300, {log.identity(), log.epoch(log.leaves[299].epoch)}));
  EXPECT_TRUE(verdict_of(audit, trust_of(log), {kept}).starts_with("299: "));
}

// ---- one type for a log's whole life ----

class MixedProfiles : public VerifyFips {
 protected:
  made::Pair other(const Verifier& as) const { return {as.name, KeyType::ed25519, 1}; }
};

TEST_F(MixedProfiles, AnEpochsLineOfTheOtherTypeCountsForNothing) {
  const made::Pair epoch = other(log.epoch(log.last_epoch()).verifier());
  put("checkpoint", as_bytes(log.checkpoint(600, {log.identity(), epoch})));
  EXPECT_TRUE(verdict().starts_with("600: checkpoint: carries no signature of epoch")) << verdict();
  put("checkpoint", as_bytes(log.checkpoint(600, {log.identity(), epoch, log.epoch(log.last_epoch())})));
  EXPECT_EQ(verdict(), "") << "beside the right one it is a stranger's";
}

TEST_F(MixedProfiles, AnIdentitysLineOfTheOtherTypeCountsForNothing) {
  put("checkpoint", as_bytes(log.checkpoint(600, {other(log.identity().verifier()), log.epoch(log.last_epoch())})));
  EXPECT_TRUE(verdict().starts_with("0: checkpoint: carries no signature")) << verdict();
}

TEST_F(MixedProfiles, KeysOfTwoTypesForOneLogAreRefused) {
  const std::string identity = verifier_key(log.identity().verifier()), epoch = verifier_key(other(log.epoch(0).verifier()).verifier());
  EXPECT_TRUE(read_trust({identity, verifier_key(log.epoch(0).verifier())}, {}).has_value());
  EXPECT_FALSE(read_trust({identity, epoch}, {}).has_value());
  EXPECT_FALSE(read_trust({epoch, identity}, {}).has_value());
  EXPECT_TRUE(read_trust({epoch}, {}).has_value()) << "of a log whose identity was not given";
  EXPECT_FALSE(read_trust({}, {identity}).has_value()) << "no witness is of this type";
  put("vkey", as_bytes(identity + "\n" + epoch + "\n"));
  EXPECT_TRUE(verdict_of(audit, trust_of(log, false)).starts_with("0: vkey does not hold two keys of one type"));
}

// Half of all 32 bytes are no x on the curve, such a key nobody could have.
TEST_F(MixedProfiles, AnEpochsKeyWithoutAPointIsFoundInItsLeaf) {
  made::Log bad = log;
  const auto closing = static_cast<std::uint64_t>(std::ranges::find(bad.leaves, std::uint16_t{9}, &made::MadeLeaf::type) - bad.leaves.begin());
  Verifier none = log.epoch(1).verifier();
  while (is_key(none)) ++none.key[31];
  bad.leaves[closing].body = made::terms(none, made::begins_us(1), made::begins_us(2));
  bad.link();
  made::write_files(audit, bad.files());
  EXPECT_EQ(verdict(), std::to_string(closing) + ": the key of epoch 1 is none");
}

TEST_F(MixedProfiles, AProofHoldsUnderItsOwnLogsKeyAlone) {
  std::vector<Hash> hashes;
  for (const made::MadeLeaf& leaf : log.leaves) hashes.push_back(leaf_hash(made::encode(leaf)));
  const Proof proof{made::encode(log.leaves[17]), 17, inclusion_proof(hashes, 17), log.cosigned()};
  EXPECT_TRUE(check_proof(proof, *proof.extra, trust_of(log, true, true)).has_value());
  Trust trust;
  trust.keys.push_back(other(log.identity().verifier()).verifier());
  EXPECT_FALSE(check_proof(proof, *proof.extra, trust).has_value());
}

TEST_F(MixedProfiles, AWitnessCosignsUnderTheTypeItWasGiven) {
  fs::create_directory(folder / "state");
  const Result<witness::Key> key = witness::Key::make(folder / "key", "witness.example/w");
  ASSERT_TRUE(key.has_value()) << key.what();
  const std::vector<Verifier> logs{log.identity().verifier()};
  const std::string right = "old 0\n\n" + log.checkpoint(600, {log.identity()}), strange = "old 0\n\n" + log.checkpoint(600, {other(log.identity().verifier())});
  {
    Result<witness::Memory> memory = witness::Memory::open(folder / "state", logs, key->verifier());
    ASSERT_TRUE(memory.has_value()) << memory.what();
    witness::Witness witness(*key, *memory, logs);
    EXPECT_EQ(witness.add_checkpoint(strange, 1).status, 403);
    const witness::Reply reply = witness.add_checkpoint(right, 1'800'000'000);
    ASSERT_EQ(reply.status, 200) << reply.what;
    const Result<SignedCheckpoint> cosigned = read_checkpoint(right.substr(7) + reply.body);
    ASSERT_TRUE(cosigned.has_value());
    EXPECT_EQ(*signed_by(*cosigned, key->verifier()), 1'800'000'000U);
  }
  EXPECT_TRUE(witness::Memory::open(folder / "state", logs, key->verifier()).has_value()) << "it knows the log again";
}

}  // namespace
}  // namespace postern::auditor
