// SPDX-License-Identifier: Apache-2.0
// Purpose: what may be done with keys, without anybody holding one: seal, open, sign, pseudonym.
// Used by: posternd only. Threads: one. Ownership: Keys owns every derived key and wipes them.
// Every sealed field is bound to the place it stands in: bytes moved to another row, column, table or
// schema do not open. Algorithms: crypto/DESIGN.md, "Purposes".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/keyring.hpp"
#include "crypto/secret.hpp"

namespace postern {

// Frozen registry: numbers are part of the key derivation and never change their meaning.
enum class Purpose : std::uint8_t {
  store = 1,       // SQLCipher raw key and salt
  content = 2,     // message contents in the store
  audit_body = 3,  // bodies of audit leaves
  pseudonym = 4,   // keyed hash of addresses
  idempotency = 5, // keyed hash of idempotency keys
  ring = 6,        // the file of wrapping keys
  epoch = 7,       // the file of the epoch's signing key
  otp_commitment = 8,  // commits to a text that nobody may read
  anchor = 9,      // the roll-back anchor
  state_sum = 10,  // keyed sum over the store's rows
  backup = 11,
  holder_mask = 12,  // hides whose key opens a field
};

// Where a sealed field stands; all of it is authenticated with the field.
struct Place {
  std::string_view table, column;
  std::uint64_t row = 0;
  std::uint16_t schema = 1;
};

class Keys {
 public:
  explicit Keys(const Keyring& ring);

  // version | nonce | ciphertext and tag. `purpose` is content, audit_body, ring or epoch.
  Bytes seal(Purpose purpose, const Place& place, ByteView plain) const;
  static constexpr std::size_t kSealOverhead = 1 + 24 + 16;

  // False when the bytes were not sealed for exactly this purpose and place.
  bool open(Purpose purpose, const Place& place, ByteView sealed, Bytes& plain) const;

  // A stable number for an address ("sms:380671234567"); without the key it tells nothing and cannot be searched for.
  std::uint64_t pseudonym(std::string_view address) const;
  std::array<std::uint8_t, 16> idempotency_hash(std::string_view client, std::string_view key) const;

  // Keyed hash. `purpose` is otp_commitment, anchor, state_sum or holder_mask.
  std::array<std::uint8_t, 32> mac(Purpose purpose, ByteView bytes) const;

  // Ed25519 over the bytes with the log's identity key.
  std::array<std::uint8_t, 64> sign(std::string_view text) const;
  std::array<std::uint8_t, 32> log_public_key() const { return log_public_; }

  // 32 bytes of raw key and 16 of salt for SQLCipher.
  Secret store_key() const;

 private:
  const Secret& key_of(Purpose purpose) const;
  Secret master_, content_, audit_body_, pseudonym_, idempotency_, ring_, epoch_, otp_commitment_, anchor_, state_sum_, holder_mask_, log_secret_;
  std::array<std::uint8_t, 32> log_public_{};
};

}  // namespace postern
