// SPDX-License-Identifier: Apache-2.0
// Profile `modern`: libsodium.
#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "crypto/suites.hpp"

namespace postern {
namespace {

// A file from elsewhere must not be able to make an unlock take all memory or all day.
constexpr std::uint64_t kMaxMemory = 1024ULL * 1024 * 1024, kMaxPasses = 64;

class Modern final : public Suite {
 public:
  Modern() {
    if (sodium_init() < 0) std::abort();
  }

  Profile profile() const override { return Profile::modern; }
  std::string provider() const override { return std::string("libsodium ") + sodium_version_string(); }
  bool validated() const override { return false; }

  void random(std::span<std::uint8_t> out) const override { randombytes_buf(out.data(), out.size()); }

  void seal(ByteView key, ByteView nonce, ByteView bound, ByteView plain, std::span<std::uint8_t> out) const override {
    static_assert(kNonceSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES && kTagSize == crypto_aead_xchacha20poly1305_ietf_ABYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out.data(), nullptr, plain.data(), plain.size(), bound.data(), bound.size(), nullptr,
                                               nonce.data(), key.data());
  }

  bool open(ByteView key, ByteView nonce, ByteView bound, ByteView cipher, std::span<std::uint8_t> plain) const override {
    if (cipher.size() == plain.size() + kTagSize &&
        crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, cipher.data(), cipher.size(), bound.data(), bound.size(),
                                                   nonce.data(), key.data()) == 0)
      return true;
    wipe(plain.data(), plain.size());
    return false;
  }

  Mac mac(ByteView key, ByteView bytes) const override {
    Mac out{};
    crypto_generichash(out.data(), out.size(), bytes.data(), bytes.size(), key.data(), key.size());
    return out;
  }

  Mac child_key(ByteView key, std::uint8_t level, std::uint8_t child) const override {
    // The key is the only block: what distinguishes places stands in BLAKE2b's parameters.
    static_assert(kTreeSays.size() == crypto_generichash_blake2b_PERSONALBYTES);
    const std::array<std::uint8_t, crypto_generichash_blake2b_SALTBYTES> place{level, child};
    Mac out{};
    crypto_generichash_blake2b_salt_personal(out.data(), out.size(), nullptr, 0, key.data(), key.size(), place.data(), reinterpret_cast<const std::uint8_t*>(kTreeSays.data()));
    return out;
  }
  Secret derive(const Secret& key, std::string_view context, std::uint64_t number, std::size_t size) const override {
    Secret out(size);
    if (context.size() != crypto_kdf_CONTEXTBYTES || key.size() != crypto_kdf_KEYBYTES ||
        crypto_kdf_derive_from_key(out.writable().data(), size, number, context.data(), key.bytes().data()) != 0)
      std::abort();  // a size or context of ours that is wrong
    return out;
  }

  PassphraseCost standard_cost() const override { return {3, 256ULL * 1024 * 1024}; }

  Result<Secret> passphrase_key(const Secret& passphrase, ByteView salt, PassphraseCost cost) const override {
    if (cost.memory_bytes > kMaxMemory || cost.memory_bytes < crypto_pwhash_MEMLIMIT_MIN || cost.passes > kMaxPasses || cost.passes == 0)
      return fail("asks for an absurd Argon2id cost; the file is damaged or not ours");
    Secret key(kKeySize);
    if (crypto_pwhash(key.writable().data(), kKeySize, passphrase.text().data(), passphrase.size(), salt.data(), cost.passes,
                      static_cast<std::size_t>(cost.memory_bytes), crypto_pwhash_ALG_ARGON2ID13) != 0)
      return fail("needs " + std::to_string(cost.memory_bytes >> 20) + " MiB for Argon2id, which are not free; free some and try again");
    return key;
  }

  Secret new_signing_key() const override { return random_secret(crypto_sign_SEEDBYTES); }
  bool is_signing_key(const Secret& secret) const override { return secret.size() == crypto_sign_SEEDBYTES; }

  PublicKey public_key(const Secret& signing_key) const override {
    PublicKey key{};
    (void)pair(signing_key, key);
    return key;
  }

  Signature sign(const Secret& signing_key, ByteView text) const override {
    PublicKey key{};
    const Secret secret = pair(signing_key, key);
    Signature signature{};
    crypto_sign_detached(signature.data(), nullptr, text.data(), text.size(), secret.bytes().data());
    return signature;
  }

  bool verify(const PublicKey& key, ByteView text, const Signature& signature) const override {
    return crypto_sign_verify_detached(signature.data(), text.data(), text.size(), key.data()) == 0;
  }

  BoxKey new_box_key() const override {
    BoxKey key{Secret(crypto_box_SECRETKEYBYTES), Bytes(crypto_box_PUBLICKEYBYTES)};
    crypto_box_keypair(key.public_key.data(), key.secret.writable().data());
    return key;
  }

  std::size_t box_overhead() const override { return crypto_box_SEALBYTES; }

  Result<Bytes> box(ByteView public_key, ByteView plain) const override {
    Bytes out(plain.size() + crypto_box_SEALBYTES);
    // libsodium refuses points of small order, which would give everybody the same secret.
    if (public_key.size() != crypto_box_PUBLICKEYBYTES || crypto_box_seal(out.data(), plain.data(), plain.size(), public_key.data()) != 0)
      return fail("is no X25519 public key");
    return out;
  }

  bool unbox(const BoxKey& key, ByteView boxed, std::span<std::uint8_t> plain) const override {
    return key.secret.size() == crypto_box_SECRETKEYBYTES && key.public_key.size() == crypto_box_PUBLICKEYBYTES &&
           boxed.size() == plain.size() + crypto_box_SEALBYTES &&
           crypto_box_seal_open(plain.data(), boxed.data(), boxed.size(), key.public_key.data(), key.secret.bytes().data()) == 0;
  }

 private:
  static Secret pair(const Secret& seed, PublicKey& key) {
    Secret secret(crypto_sign_SECRETKEYBYTES);
    if (seed.size() != crypto_sign_SEEDBYTES) std::abort();
    crypto_sign_seed_keypair(key.data(), secret.writable().data(), seed.bytes().data());
    return secret;
  }
};

}  // namespace

const Suite& modern_suite() {
  static const Modern suite;
  return suite;
}

}  // namespace postern
