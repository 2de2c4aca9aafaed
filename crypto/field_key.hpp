// SPDX-License-Identifier: Apache-2.0
// Purpose: a random key under which fields are sealed that must be erasable: of one person, or of one
// message. Once the key is destroyed nobody reads those fields any more, in whatever copy they stand.
// Used by: posternd only. Threads: one. Ownership: owns its key and wipes it.
// Format: crypto/DESIGN.md, "Field of a person". Each field is bound to its place, and commits to its
// key: it cannot be opened in two ways by two keys.
#pragma once

#include <cstdint>
#include <optional>

#include "crypto/seal.hpp"

namespace postern {

class FieldKey {
 public:
  // `holder` says whose key it is: a person's number, or a message's key.
  static FieldKey create(const Keys& keys, std::uint64_t holder);
  FieldKey(std::uint64_t holder, Secret key) : holder_(holder), key_(std::move(key)) {}

  std::uint64_t holder() const { return holder_; }
  const Secret& key() const { return key_; }   // to be wrapped

  // format | version of the mask | nonce | holder, masked | commitment | ciphertext and tag
  Bytes seal(const Keys& keys, Purpose purpose, const Place& place, ByteView plain) const;
  static constexpr std::size_t kOverhead = 1 + 2 + Suite::kNonceSize + 8 + 32 + Suite::kTagSize;

  // False when the bytes were not sealed under this key for exactly this purpose and place.
  bool open(const Keys& keys, Purpose purpose, const Place& place, ByteView sealed, Bytes& plain) const;

  // Whose key opens a field. Only the vault's keys tell: to others no two fields of one person look alike.
  static std::optional<std::uint64_t> holder_of(const Keys& keys, ByteView sealed);

 private:
  std::uint64_t holder_;
  Secret key_;
};

}  // namespace postern
