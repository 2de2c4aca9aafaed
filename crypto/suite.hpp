// SPDX-License-Identifier: Apache-2.0
// Purpose: the provider seam: every algorithm that protects something at rest, in two profiles. `modern` is libsodium; `fips` uses
// approved algorithms of OpenSSL only. Used by: keyring, seal, custodian, the vault's signing keys.
// Threads: stateless after the first use. Ownership: a suite lives as long as the process.
// Errors: an algorithm that fails without a reason in its input (no memory, a provider that is gone) ends the process: going on
// would mean a message sealed with nothing. Both profiles have the same sizes, so formats do not differ.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/bytes.hpp"
#include "crypto/public_key.hpp"
#include "crypto/secret.hpp"

namespace postern {

inline constexpr std::size_t kKeySize = 32;

// Numbers stand in files and never change their meaning.
enum class Profile : std::uint8_t {
  modern = 1,  // XChaCha20-Poly1305, BLAKE2b, Argon2id, Ed25519, X25519
  fips = 2,    // XAES-256-GCM, HMAC-SHA-256, KBKDF, PBKDF2-HMAC-SHA-512, ECDSA and ECDH on P-256
};
std::string_view name_of(Profile profile);
std::optional<Profile> profile_of(std::string_view name);
std::optional<Profile> profile_of(std::uint8_t number);

// What a guess of a passphrase costs. Modern: Argon2id passes and bytes. Fips: PBKDF2 iterations, 0 bytes.
struct PassphraseCost {
  std::uint64_t passes = 0;        // 0: the profile's standard
  std::uint64_t memory_bytes = 0;
};

using Mac = std::array<std::uint8_t, 32>;

// What child_key() binds its keys to.
inline constexpr std::string_view kTreeSays = "postern key tree";

class Suite {
 public:
  static constexpr std::size_t kNonceSize = 24, kTagSize = 16, kSaltSize = 16;

  static const Suite& of(Profile profile);
  virtual ~Suite() = default;

  virtual Profile profile() const = 0;
  // Whose code it is, for status and log: "libsodium 1.0.18", "OpenSSL 3.0.22, FIPS provider 3.1.2".
  virtual std::string provider() const = 0;
  // Whether that code is a validated module as the host has it installed.
  virtual bool validated() const = 0;

  virtual void random(std::span<std::uint8_t> out) const = 0;
  Secret random_secret(std::size_t size = kKeySize) const;

  // Authenticated encryption. `nonce` is 24 random bytes; `out` has room for the plain text and 16 bytes more.
  virtual void seal(ByteView key, ByteView nonce, ByteView bound, ByteView plain, std::span<std::uint8_t> out) const = 0;
  // False, and `plain` zeroed, for anything that seal() did not make with this key, nonce and bound data.
  virtual bool open(ByteView key, ByteView nonce, ByteView bound, ByteView cipher, std::span<std::uint8_t> plain) const = 0;

  // nonce | ciphertext | tag with a fresh nonce, and back.
  Bytes wrap(ByteView key, ByteView bound, ByteView plain) const;
  bool unwrap(ByteView key, ByteView bound, ByteView wrapped, std::span<std::uint8_t> plain) const;

  // Keyed hash; the key may have 16 to 64 bytes.
  virtual Mac mac(ByteView key, ByteView bytes) const = 0;
  // A key of 32 bytes from one of 32, for a place in the tree of keys: level and child. What mac() is for, at half the price where the profile can.
  virtual Mac child_key(ByteView key, std::uint8_t level, std::uint8_t child) const = 0;
  // A sub-key of 16 to 64 bytes from a key of 32; `context` has 8 characters.
  virtual Secret derive(const Secret& key, std::string_view context, std::uint64_t number, std::size_t size) const = 0;

  virtual PassphraseCost standard_cost() const = 0;
  // Errors: a cost that is absurd (a file from elsewhere must not take all memory or all day), or no memory.
  virtual Result<Secret> passphrase_key(const Secret& passphrase, ByteView salt, PassphraseCost cost) const = 0;

  // Signatures. The secret is what a keyring stores; its content is the profile's own affair. Of one text and key there is no second
  // form of a signature that verify() takes.
  KeyType key_type() const;
  virtual Secret new_signing_key() const = 0;
  virtual bool is_signing_key(const Secret& secret) const = 0;
  virtual PublicKey public_key(const Secret& signing_key) const = 0;
  virtual Signature sign(const Secret& signing_key, ByteView text) const = 0;
  virtual bool verify(const PublicKey& key, ByteView text, const Signature& signature) const = 0;

  // Boxes: anybody seals to a public key, its owner alone opens.
  struct BoxKey {
    Secret secret;
    Bytes public_key;
  };
  virtual BoxKey new_box_key() const = 0;
  virtual std::size_t box_overhead() const = 0;
  // Errors: bytes that are no public key of this profile.
  virtual Result<Bytes> box(ByteView public_key, ByteView plain) const = 0;
  virtual bool unbox(const BoxKey& key, ByteView boxed, std::span<std::uint8_t> plain) const = 0;
};

}  // namespace postern
