// SPDX-License-Identifier: Apache-2.0
// Keyrings and fields that another program wrote from the words of crypto/DESIGN.md (tests/vectors/crypto): what was written by a
// released version must be readable by every later one.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "crypto/note.hpp"
#include "crypto/seal.hpp"
#include "crypto/unlocking.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

class Vectors : public testing::TestWithParam<Profile> {
 protected:
  Vectors() {
    std::istringstream in{std::string(as_text(read_all(file("keys-", ".txt"))))};
    for (std::string name, value; in >> name >> value;) EXPECT_TRUE(from_hex(value, values[name]));
  }
  std::string file(const std::string& before, const std::string& after = "") const {
    return std::string(POSTERN_VECTORS) + "/crypto/" + before + std::string(name_of(GetParam())) + after;
  }
  Secret secret(const std::string& name) { return Secret(std::span<const std::uint8_t>(values.at(name))); }
  Result<Keyring> by_passphrase() const {
    return Keyring::unlock(file("keyring-"), SlotKind::passphrase, Secret(std::string_view("correct horse battery")));
  }
  static Secret key_file() {
    Secret content(64);
    for (std::size_t i = 0; i < content.size(); ++i) content.writable()[i] = static_cast<std::uint8_t>(i);
    return content;
  }
  std::map<std::string, Bytes> values;
};
INSTANTIATE_TEST_SUITE_P(Profiles, Vectors, testing::Values(Profile::modern, Profile::fips),
                         [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(Vectors, OfTheKeyringOpenWithThePassphrase) {
  const Result<Keyring> ring = by_passphrase();
  ASSERT_TRUE(ring.has_value()) << ring.what();
  EXPECT_EQ(ring->profile(), GetParam());
  EXPECT_TRUE(ring->master().equals(values.at("master")));
  EXPECT_EQ(ring->created_ms(), 1'700'000'000'000);
  EXPECT_EQ(ring->master_created_ms(), 1'700'000'000'006);
  EXPECT_EQ(ring->generation(), 7U);
  ASSERT_EQ(ring->own_slots().size(), 4U);
  EXPECT_EQ(ring->own_slots()[2].info.token.key, "key label");
  EXPECT_EQ(ring->own_slots()[3].info.custodians.size(), 3U);
  EXPECT_EQ(ring->own_ways()[1].info.slots, (std::vector<std::string>{"key-file", "hsm"}));
  EXPECT_EQ(ring->versions(Purpose::content).size(), 2U);
}

TEST_P(Vectors, OpenWithKeyFileAndTokenTogether) {
  const Result<KeyringFile> file_read = read_keyring(file("keyring-"));
  ASSERT_TRUE(file_read.has_value());
  Unlocking unlocking;
  ASSERT_TRUE(unlocking.offer(*file_read, SlotKind::key_file, "", key_file()).has_value());
  ASSERT_TRUE(unlocking.offer(*file_read, SlotKind::token, "hsm", secret("token_secret")).has_value());
  Result<Unlocking::Outcome> outcome = unlocking.open(*file_read);
  ASSERT_TRUE(outcome.has_value()) << outcome.what();
  ASSERT_TRUE(outcome->ring.has_value()) << outcome->needed;
  EXPECT_TRUE(outcome->ring->master().equals(values.at("master")));
}

TEST_P(Vectors, OpenWithAnyTwoOfTheCustodiansKeys) {
  const Result<KeyringFile> file_read = read_keyring(file("keyring-"));
  ASSERT_TRUE(file_read.has_value());
  const SlotInfo& board = file_read->slot("board")->info;
  for (std::size_t left_out = 0; left_out < 3; ++left_out) {
    Unlocking unlocking;
    for (std::size_t i = 0; i < 3; ++i) {
      if (i == left_out) continue;
      const Custodian& custodian = board.custodians[i];
      EXPECT_EQ(custodian.public_key, values.at("public_" + custodian.name));
      Secret share(kKeySize);
      ASSERT_TRUE(Suite::of(GetParam()).unbox({secret("private_" + custodian.name), custodian.public_key}, custodian.share, share.writable()));
      EXPECT_TRUE(share.equals(values.at("share_" + custodian.name)));
      ASSERT_TRUE(unlocking.offer_share(*file_read, "board", static_cast<std::uint8_t>(i + 1), share).has_value());
    }
    Result<Unlocking::Outcome> outcome = unlocking.open(*file_read);
    ASSERT_TRUE(outcome.has_value()) << outcome.what();
    ASSERT_TRUE(outcome->ring.has_value()) << outcome->needed;
    EXPECT_EQ(outcome->way, "board");
  }
}

TEST_P(Vectors, OfKeysStillHold) {
  const Result<Keyring> ring = by_passphrase();
  ASSERT_TRUE(ring.has_value()) << ring.what();
  const Keys keys(*ring);
  EXPECT_TRUE(keys.store_key().equals(values.at("store")));
  EXPECT_EQ(to_hex(keys.log_public_key()), to_hex(values.at("log")));
  EXPECT_EQ(keys.pseudonym("380671234567"), ByteReader(values.at("pseudonym")).u64());
  EXPECT_EQ(to_hex(keys.idempotency_hash("core", "key-1")), to_hex(values.at("idempotency")));
  for (const Purpose purpose : {Purpose::otp_commitment, Purpose::anchor, Purpose::state_sum})
    EXPECT_EQ(to_hex(keys.mac(purpose, as_bytes("text"))), to_hex(values.at(std::string(name_of(purpose)))));
  for (const Purpose purpose : kPurposes)
    EXPECT_EQ(to_hex(ring->versions(purpose).back().check), to_hex(values.at("check_" + std::string(name_of(purpose))))) << name_of(purpose);
  Signature signature{};
  std::ranges::copy(values.at("signature"), signature.begin());
  EXPECT_TRUE(ring->suite().verify(keys.log_public_key(), as_bytes("text"), signature));
  if (GetParam() == Profile::modern) {
    EXPECT_EQ(keys.sign("text"), signature) << "Ed25519 is deterministic";
  }
}

TEST_P(Vectors, OfSealedFieldsStillOpen) {
  const Result<Keyring> ring = by_passphrase();
  ASSERT_TRUE(ring.has_value()) << ring.what();
  const Keys keys(*ring);
  for (const Purpose purpose : kPurposes) {
    if (use_of(purpose) != Use::seal) continue;
    for (const KeyVersion& version : ring->versions(purpose)) {
      const std::string name = "sealed-" + std::string(name_of(purpose)) + "-" + std::to_string(version.number) + "-";
      Bytes plain;
      ASSERT_TRUE(keys.open(purpose, {"table", "column", 7, 1}, read_all(file(name)), plain)) << name;
      EXPECT_EQ(as_text(plain), "sealed for " + std::string(name_of(purpose)));
    }
  }
}

TEST_P(Vectors, OfCheckpointsStillVerifyUnderTheirKeysAndWithNoBitFlipped) {
  std::istringstream in{std::string(as_text(read_all(file("vkey-"))))};
  const std::string note(as_text(read_all(file("checkpoint-"))));
  std::vector<Verifier> verifiers;
  for (std::string line; std::getline(in, line);) {
    const Result<Verifier> verifier = parse_verifier(line);
    ASSERT_TRUE(verifier.has_value()) << verifier.what();
    EXPECT_EQ(verifier_key(*verifier), line);
    verifiers.push_back(*verifier);
  }
  ASSERT_EQ(verifiers.size(), 2U);
  EXPECT_EQ(verifiers[0].type, Suite::of(GetParam()).key_type());
  EXPECT_EQ(to_hex(verifiers[0].key), to_hex(values.at("log")));
  EXPECT_EQ(verifiers[1].name, epoch_key_name(verifiers[0].name, 0));
  const auto holds = [&](const std::string& text) {
    const Result<SignedCheckpoint> read = read_checkpoint(text);
    return read && signed_by(*read, verifiers[0]) && signed_by(*read, verifiers[1]);
  };
  ASSERT_TRUE(holds(note));
  EXPECT_EQ(read_checkpoint(note)->checkpoint, (Checkpoint{"bank.example/vectors/audit", 123'456, sha256(as_bytes("root"))}));
  for (std::size_t bit = 0; bit < 8 * note.size(); ++bit) {
    std::string bad = note;
    bad[bit / 8] = static_cast<char>(static_cast<unsigned char>(bad[bit / 8]) ^ (1U << bit % 8));
    EXPECT_FALSE(holds(bad)) << bit;
  }
}

// The registry is frozen: a number that changes its name, or a name its number, makes old data unreadable.
TEST(Registry, OfPurposesIsFrozen) {
  const std::map<unsigned, std::string> frozen{{1, "store"}, {2, "content"}, {3, "audit_body"}, {4, "pseudonym"}, {5, "idempotency"}, {6, "ring"},
                                               {7, "epoch"}, {8, "otp_commitment"}, {9, "anchor"}, {10, "state_sum"}, {11, "backup"}, {12, "holder_mask"}};
  std::map<unsigned, std::string> now;
  for (const Purpose purpose : kPurposes) now[static_cast<unsigned>(purpose)] = name_of(purpose);
  EXPECT_EQ(now, frozen);
  for (const Purpose purpose : kPurposes) {
    EXPECT_EQ(purpose_of(name_of(purpose)), purpose);
    EXPECT_EQ(purpose_of(static_cast<std::uint8_t>(purpose)), purpose);
  }
  EXPECT_EQ(purpose_of(static_cast<std::uint8_t>(0)), std::nullopt);
  EXPECT_EQ(purpose_of(static_cast<std::uint8_t>(13)), std::nullopt);
}

}  // namespace
}  // namespace postern
