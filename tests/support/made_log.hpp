// SPDX-License-Identifier: Apache-2.0
// Purpose: makes audit logs for tests from crypto/DESIGN.md alone: with crypto/ and nothing of gateway/audit or
// admin/audit, so that an error of theirs does not stand on both sides. Also logs with a flaw that no verifier may pass.
// Used by: tests. Threads: one. Everything follows from the options: same options, same bytes, and a longer log of the
// same seed begins with the shorter one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "crypto/note.hpp"

namespace postern::made {

struct Options {
  std::string origin = "bank.example/postern/audit";
  std::uint64_t seed = 1;          // of all keys and contents
  std::uint64_t leaves = 200;
  std::uint64_t per_epoch = 45;    // leaves; after the second epoch comes an empty one
  std::uint64_t fork = ~0ULL;      // leaves from here on say something else than they would
  KeyType type = KeyType::ed25519; // of the identity's and the epochs' keys; ecdsa_p256: a log of profile fips
};

struct MadeLeaf {
  std::uint8_t version = 1;
  std::uint16_t type = 40;
  std::uint64_t sequence = 0;
  std::uint32_t epoch = 0;
  std::int64_t utc_us = 0;
  std::uint64_t steady_us = 0;
  std::array<std::uint8_t, 16> message{};
  std::uint64_t before = 0;
  std::uint16_t client = 0, connector = 0;
  std::uint8_t attempt = 0, state = 2;
  Hash previous{};
  std::uint8_t kind = 0;
  Bytes body;
  Bytes tail;                      // bytes that stand behind the leaf and must not
};
Bytes encode(const MadeLeaf& leaf);

// A key pair that follows from the seed and a name.
class Pair {
 public:
  Pair(std::string name, KeyType type, std::uint64_t seed);
  const Verifier& verifier() const { return verifier_; }
  Signer signer() const;

 private:
  Verifier verifier_;
  std::array<std::uint8_t, 64> secret_{};   // of Ed25519 all, of P-256 the first 32 bytes
};

// An open body: fields as (number, value).
Bytes open_body(const std::vector<std::pair<std::uint8_t, Bytes>>& fields);
Bytes number_bytes(std::int64_t value);   // 8, big-endian

// What the leaf that begins an epoch says of it.
std::int64_t begins_us(std::uint32_t epoch);
Bytes terms(const Verifier& key, std::int64_t begins, std::int64_t ends);

class Log {
 public:
  explicit Log(const Options& options);

  // The leaves may be changed; link(), then files() make the rest follow.
  std::vector<MadeLeaf> leaves;
  // Gives every leaf its sequence and the hash of the leaf before it; only the leaf `as_it_is` keeps its own.
  void link(std::uint64_t as_it_is = ~0ULL);

  Pair identity() const { return {options_.origin, options_.type, options_.seed}; }
  Pair epoch(std::uint32_t number) const { return {epoch_key_name(options_.origin, number), options_.type, options_.seed}; }
  Pair witness() const { return {"witness.example/one", KeyType::cosigner, options_.seed}; }

  Hash root(std::uint64_t size) const;
  std::uint32_t last_epoch() const;    // of a checkpoint of all leaves
  std::string checkpoint(std::uint64_t size, const std::vector<Pair>& signers) const;
  // The note of all leaves, as the log signs it; and with a witness's line.
  std::string checkpoint() const;
  std::string cosigned() const;
  std::string vkey() const;            // both lines

  // Every file by its name. `files()` may be changed before write_files().
  std::map<std::string, Bytes> files() const;

 private:
  Options options_;
  std::vector<Hash> hashes_;
};

void write_files(const std::string& folder, const std::map<std::string, Bytes>& files);

// Names of flaws, and the files of a log that has one. Every such log is signed by all keys it needs, or by those
// that its thief would have: only the rule that is broken can give it away.
std::vector<std::string> flaws();
std::map<std::string, Bytes> flawed(const std::string& flaw, const Options& options);

}  // namespace postern::made
