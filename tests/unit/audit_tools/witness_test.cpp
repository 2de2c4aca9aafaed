// SPDX-License-Identifier: Apache-2.0
// The witness without its server: what it cosigns, that it never vouches for two histories, what it remembers.
#include "admin/witness/witness.hpp"

#include "tests/unit/audit_tools/support.hpp"

namespace postern::witness {
namespace {

std::vector<Hash> hashes_of(const made::Log& log) {
  std::vector<Hash> hashes;
  for (const made::MadeLeaf& leaf : log.leaves) hashes.push_back(leaf_hash(made::encode(leaf)));
  return hashes;
}

std::string request(std::uint64_t old_size, const std::vector<Hash>& proof, const std::string& note) {
  std::string body = "old " + std::to_string(old_size) + "\n";
  for (const Hash& hash : proof) body += to_base64(hash) + "\n";
  return body + "\n" + note;
}

class WitnessTest : public testing::Test {
 protected:
  WitnessTest() {
    std::filesystem::create_directory(folder / "state");
    key = std::make_unique<Key>(*Key::make(folder / "key", "witness.example/w"));
    open();
  }
  void open() {
    memory.reset();
    Result<Memory> opened = Memory::open(folder / "state", {log.identity().verifier()}, key->verifier());
    ASSERT_TRUE(opened.has_value()) << opened.what();
    memory = std::make_unique<Memory>(std::move(*opened));
    witness = std::make_unique<Witness>(*key, *memory, std::vector{log.identity().verifier()});
  }
  std::string note(const made::Log& of, std::uint64_t size) const { return of.checkpoint(size, {of.identity()}); }
  Reply add(const made::Log& of, std::uint64_t old_size, std::uint64_t size) {
    std::vector<Hash> hashes = hashes_of(of);
    hashes.resize(size);
    return witness->add_checkpoint(request(old_size, old_size == size ? std::vector<Hash>() : consistency_proof(hashes, old_size), note(of, size)), 1'800'000'000);
  }

  TempFolder folder;
  made::Log log{{.leaves = 120}}, fork{{.leaves = 120, .fork = 50}};
  std::unique_ptr<Key> key;
  std::unique_ptr<Memory> memory;
  std::unique_ptr<Witness> witness;
};

TEST_F(WitnessTest, CosignsALogAsItGrowsAndRemembersOverARestart) {
  std::uint64_t old = 0;
  for (const std::uint64_t size : {0U, 1U, 2U, 37U, 37U, 64U, 119U, 120U}) {
    const Reply reply = add(log, old, size);
    ASSERT_EQ(reply.status, 200) << size << ": " << reply.what;
    const Result<SignedCheckpoint> cosigned = read_checkpoint(note(log, size) + reply.body);
    ASSERT_TRUE(cosigned.has_value());
    EXPECT_EQ(*signed_by(*cosigned, key->verifier()), 1'800'000'000U);
    EXPECT_EQ(cosigned->checkpoint.size, size);
    old = size;
    open();
    EXPECT_EQ(witness->checkpoint(Memory::name_of("bank.example/postern/audit")).body, note(log, size) + reply.body);
  }
  EXPECT_EQ(witness->checkpoint(Memory::name_of("elsewhere")).status, 404);
}

TEST_F(WitnessTest, NeverVouchesForTwoHistories) {
  ASSERT_EQ(add(log, 0, 80).status, 200);
  const std::string known = *memory->last("bank.example/postern/audit");
  for (std::uint64_t size = 80; size <= 120; ++size) EXPECT_EQ(add(fork, 80, size).status, 422) << size;
  for (std::uint64_t size = 0; size < 80; ++size) EXPECT_EQ(add(log, size, size).status, 409) << size;
  // Every proof between other sizes, and none.
  for (std::uint64_t size = 81; size <= 120; ++size) {
    EXPECT_EQ(witness->add_checkpoint(request(80, {}, note(log, size)), 1).status, 422) << size;
    std::vector<Hash> hashes = hashes_of(log);
    hashes.resize(size);
    std::vector<Hash> proof = consistency_proof(hashes, 79);
    if (proof != consistency_proof(hashes, 80)) {
      EXPECT_EQ(witness->add_checkpoint(request(80, proof, note(log, size)), 1).status, 422) << size;
    }
    proof = consistency_proof(hashes, 80);
    proof.back()[7] ^= 1;
    EXPECT_EQ(witness->add_checkpoint(request(80, proof, note(log, size)), 1).status, 422) << size;
  }
  EXPECT_EQ(*memory->last("bank.example/postern/audit"), known);
  open();
  EXPECT_EQ(*memory->last("bank.example/postern/audit"), known);
  EXPECT_EQ(add(log, 80, 120).status, 200) << "the one history goes on";
}

TEST_F(WitnessTest, ANewLogMayBeginAtAnySizeButOnlyWithoutAProof) {
  EXPECT_EQ(witness->add_checkpoint(request(0, {Hash{}}, note(log, 50)), 1).status, 422);
  const std::string false_empty = sign_checkpoint({"bank.example/postern/audit", 0, Hash{}}, {log.identity().signer()});
  EXPECT_EQ(witness->add_checkpoint(request(0, {}, false_empty), 1).status, 422) << "the root of nothing is SHA-256 of nothing";
  EXPECT_EQ(add(log, 0, 50).status, 200);
}

TEST_F(WitnessTest, TheOldSizeThatIsWrongIsToldTheRightOne) {
  const Reply first = add(log, 10, 50);
  EXPECT_EQ(first.status, 409);
  EXPECT_EQ(first.body, "0\n");
  ASSERT_EQ(add(log, 0, 50).status, 200);
  EXPECT_EQ(add(log, 0, 60).body, "50\n");
}

TEST_F(WitnessTest, RefusesOtherLogsKeysAndForms) {
  const made::Log stranger({.seed = 2, .leaves = 120}), elsewhere({.origin = "elsewhere", .leaves = 120});
  EXPECT_EQ(add(elsewhere, 0, 50).status, 404);
  EXPECT_EQ(add(stranger, 0, 50).status, 403);
  EXPECT_EQ(witness->add_checkpoint(request(0, {}, log.checkpoint(50, {log.epoch(0)})), 1).status, 403) << "the epoch's key is not the log's";
  const std::string good = request(0, {}, note(log, 50));
  for (const std::string& bad : {std::string(), std::string("old 0\n"), good.substr(1), "old 00" + good.substr(5), "old -1" + good.substr(5), "Old" + good.substr(3),
                                 good + "x", request(51, {}, note(log, 50)), request(0, std::vector<Hash>(64), note(log, 50)), std::string(200'000, 'x')})
    EXPECT_EQ(witness->add_checkpoint(bad, 1).status, 400) << bad.substr(0, 80);
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_EQ(witness->add_checkpoint(good.substr(0, size), 1).status, 400) << size;
  EXPECT_EQ(memory->last("bank.example/postern/audit"), nullptr);
}

TEST_F(WitnessTest, WhatCannotBeKeptIsNotCosigned) {
  ASSERT_EQ(add(log, 0, 50).status, 200);
  std::filesystem::remove_all(folder / "state");
  const Reply reply = add(log, 50, 60);
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body.find("\xe2\x80\x94"), std::string::npos) << "no signature leaves";
  EXPECT_EQ(add(log, 60, 70).status, 409) << "and it still knows 50";
}

TEST_F(WitnessTest, AMemoryThatWasChangedIsNotBelieved) {
  ASSERT_EQ(add(log, 0, 50).status, 200);
  memory.reset();
  const std::string path = folder / "state/" + Memory::name_of("bank.example/postern/audit");
  const Bytes good = read_all(path);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      write_all(path, ByteView(bad));
      ASSERT_FALSE(Memory::open(folder / "state", {log.identity().verifier()}, key->verifier()).has_value()) << at << " " << bit;
    }
  }
  write_all(path, ByteView(good));
  ASSERT_TRUE(Memory::open(folder / "state", {log.identity().verifier()}, key->verifier()).has_value());
  EXPECT_FALSE(Memory::open(folder / "none", {}, key->verifier()).has_value());
}

TEST_F(WitnessTest, OneMemoryHasOneHolder) {
  EXPECT_FALSE(Memory::open(folder / "state", {}, key->verifier()).has_value());
}

TEST_F(WitnessTest, ItsKeyIsReadBackAndEveryFlippedBitIsSeen) {
  const Result<Key> again = Key::read(folder / "key");
  ASSERT_TRUE(again.has_value()) << again.what();
  EXPECT_EQ(again->verifier(), key->verifier());
  const Bytes good = read_all(folder / "key");
  for (std::size_t at = 0; at + 1 < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      EXPECT_FALSE(Key::parse(Secret(ByteView(bad).first(bad.size() - 1))).has_value()) << at << " " << bit;
    }
  }
  EXPECT_FALSE(Key::make(folder / "key", "witness.example/w").has_value()) << "never over another file";
  EXPECT_FALSE(Key::make(folder / "second", "a b").has_value());
}

}  // namespace
}  // namespace postern::witness
