// SPDX-License-Identifier: Apache-2.0
// Purpose: what may be done with keys, without anybody holding one: seal, open, hash, sign. Used by: posternd only. Threads: one.
// Ownership: Keys owns a copy of every key and wipes them. Every sealed field is bound to the place it stands in and to the
// version of its key: bytes moved to another row, column, table, schema or version do not open. New seals use a purpose's newest
// version, older ones open until they are destroyed. Algorithms and formats: crypto/DESIGN.md, "Purposes" and "Sealed field".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/keyring.hpp"
#include "crypto/purpose.hpp"
#include "crypto/secret.hpp"
#include "crypto/suite.hpp"

namespace postern {

// Where a sealed field stands; all of it is authenticated with the field.
struct Place {
  std::string_view table, column;
  std::uint64_t row = 0;
  std::uint16_t schema = 1;
};

class Keys {
 public:
  explicit Keys(const Keyring& ring);

  // format | key version | nonce | ciphertext and tag. For purposes that seal (Use::seal): any other is a bug and ends the process.
  Bytes seal(Purpose purpose, const Place& place, ByteView plain) const;
  static constexpr std::size_t kSealOverhead = 1 + 2 + Suite::kNonceSize + Suite::kTagSize;

  // False when the bytes were not sealed for exactly this purpose and place, or under a version that was destroyed.
  bool open(Purpose purpose, const Place& place, ByteView sealed, Bytes& plain) const;

  // 32 bytes that nobody can make or check without the key. For purposes that hash. The newest version, or the one that is named;
  // a version that was destroyed gives nothing.
  Mac mac(Purpose purpose, ByteView bytes) const;
  std::optional<Mac> mac(Purpose purpose, ByteView bytes, std::uint16_t version) const;
  // Whether `mac` was made of the bytes under any version that lives. Constant time in the bytes of each comparison.
  bool check_mac(Purpose purpose, ByteView bytes, ByteView mac) const;
  // Under every version that lives, newest first: what older rows may have been stored under.
  std::vector<Mac> macs(Purpose purpose, ByteView bytes) const;

  std::uint16_t newest(Purpose purpose) const { return of(purpose).back().number; }

  // A stable number for an address ("sms:380671234567"); without the key it tells nothing and cannot be searched for.
  std::uint64_t pseudonym(std::string_view address) const;
  std::array<std::uint8_t, 16> idempotency_hash(std::string_view client, std::string_view key) const;
  // The same under every version that lives, newest first.
  std::vector<std::uint64_t> pseudonyms(std::string_view address) const;
  std::vector<std::array<std::uint8_t, 16>> idempotency_hashes(std::string_view client, std::string_view key) const;

  // The log's identity key: Ed25519, or ECDSA P-256 in profile fips (crypto/public_key.hpp says how its 32 and 64 bytes read).
  Signature sign(std::string_view text) const;
  PublicKey log_public_key() const { return log_public_; }

  // 32 bytes of raw key and 16 of salt for SQLCipher: the oldest version, which the file is under. A newer one waits until the file is
  // written anew under it at the next unlock; then the older is destroyed.
  Secret store_key() const;
  // Of the keyed sum over the store's rows (Purpose::state_sum).
  Secret sum_key() const;

  const Suite& suite() const { return *suite_; }

  // Random bytes for one nonce (Suite::kNonceSize), from a block that one call of the system's generator filled.
  void draw_nonce(std::span<std::uint8_t> out) const;

 private:
  struct Version {
    std::uint16_t number;
    Secret key;
  };
  const std::vector<Version>& of(Purpose purpose) const { return versions_[static_cast<std::size_t>(purpose)]; }
  const Version* find(Purpose purpose, std::uint16_t number) const;

  const Suite* suite_;
  std::array<std::vector<Version>, kPurposes.size() + 1> versions_;   // by number of the purpose, oldest first
  Secret log_secret_;
  PublicKey log_public_{};
  // Nonces in blocks: one call of the system's generator serves 64 seals.
  mutable std::array<std::uint8_t, 64 * Suite::kNonceSize> nonces_;
  mutable std::size_t nonces_used_ = sizeof nonces_;
};

// 48 bytes for SQLCipher from one version of the store's key: 32 of key, 16 of salt.
Secret store_key_of(const Suite& suite, const Secret& version);

}  // namespace postern
