// SPDX-License-Identifier: Apache-2.0
#include "crypto/seal.hpp"

#include <sodium.h>

#include <cstdlib>
#include <cstring>

namespace postern {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNonceSize = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagSize = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(Keys::kSealOverhead == 1 + kNonceSize + kTagSize);

Secret derived(const Secret& master, Purpose purpose, std::size_t size) {
  Secret key(size);
  crypto_kdf_derive_from_key(key.writable().data(), size, static_cast<std::uint64_t>(purpose), "postern1", master.bytes().data());
  return key;
}

// The associated data: every part has its length before it, so no two places give the same bytes.
class Bound {
 public:
  Bound(Purpose purpose, const Place& place) {
    put(kVersion);
    put(static_cast<std::uint8_t>(purpose));
    text(place.table);
    number(place.row, 8);
    text(place.column);
    number(place.schema, 2);
  }
  const std::uint8_t* data() const { return bytes_.data(); }
  std::size_t size() const { return size_; }

 private:
  void put(std::uint8_t byte) {
    if (size_ == bytes_.size()) std::abort();  // table and column names are ours and short
    bytes_[size_++] = byte;
  }
  void text(std::string_view t) {
    put(static_cast<std::uint8_t>(t.size()));
    for (const char c : t) put(static_cast<std::uint8_t>(c));
  }
  void number(std::uint64_t value, int count) {
    for (int shift = (count - 1) * 8; shift >= 0; shift -= 8) put(static_cast<std::uint8_t>(value >> shift));
  }
  std::array<std::uint8_t, 96> bytes_;
  std::size_t size_ = 0;
};

// Nonces in blocks: one call of the system's generator serves 64 seals.
void draw_nonce(std::uint8_t* out) {
  static std::array<std::uint8_t, 64 * kNonceSize> block;
  static std::size_t used = sizeof block;
  if (used == sizeof block) {
    randombytes_buf(block.data(), block.size());
    used = 0;
  }
  std::memcpy(out, block.data() + used, kNonceSize);
  used += kNonceSize;
}

}  // namespace

Keys::Keys(const Keyring& ring)
    : master_(ring.master().clone()),
      content_(derived(master_, Purpose::content, kKeySize)),
      audit_body_(derived(master_, Purpose::audit_body, kKeySize)),
      pseudonym_(derived(master_, Purpose::pseudonym, kKeySize)),
      idempotency_(derived(master_, Purpose::idempotency, kKeySize)),
      ring_(derived(master_, Purpose::ring, kKeySize)),
      epoch_(derived(master_, Purpose::epoch, kKeySize)),
      otp_commitment_(derived(master_, Purpose::otp_commitment, kKeySize)),
      anchor_(derived(master_, Purpose::anchor, kKeySize)),
      state_sum_(derived(master_, Purpose::state_sum, kKeySize)),
      holder_mask_(derived(master_, Purpose::holder_mask, kKeySize)),
      log_secret_(crypto_sign_SECRETKEYBYTES) {
  crypto_sign_seed_keypair(log_public_.data(), log_secret_.writable().data(), ring.log_seed().bytes().data());
}

const Secret& Keys::key_of(Purpose purpose) const {
  switch (purpose) {
    case Purpose::content: return content_;
    case Purpose::audit_body: return audit_body_;
    case Purpose::pseudonym: return pseudonym_;
    case Purpose::idempotency: return idempotency_;
    case Purpose::ring: return ring_;
    case Purpose::epoch: return epoch_;
    case Purpose::otp_commitment: return otp_commitment_;
    case Purpose::anchor: return anchor_;
    case Purpose::state_sum: return state_sum_;
    case Purpose::holder_mask: return holder_mask_;
    case Purpose::backup:
    case Purpose::store: break;
  }
  std::abort();  // the store's key seals nothing but the store
}

Bytes Keys::seal(Purpose purpose, const Place& place, ByteView plain) const {
  const Bound bound(purpose, place);
  Bytes out(kSealOverhead + plain.size());
  out[0] = kVersion;
  draw_nonce(out.data() + 1);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + 1 + kNonceSize, nullptr, plain.data(), plain.size(), bound.data(),
                                             bound.size(), nullptr, out.data() + 1, key_of(purpose).bytes().data());
  return out;
}

bool Keys::open(Purpose purpose, const Place& place, ByteView sealed, Bytes& plain) const {
  if (sealed.size() < kSealOverhead || sealed[0] != kVersion) return false;
  const Bound bound(purpose, place);
  plain.resize(sealed.size() - kSealOverhead);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, sealed.data() + 1 + kNonceSize,
                                                    sealed.size() - 1 - kNonceSize, bound.data(), bound.size(),
                                                    sealed.data() + 1, key_of(purpose).bytes().data()) == 0;
}

std::uint64_t Keys::pseudonym(std::string_view address) const {
  std::array<std::uint8_t, 16> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const std::uint8_t*>(address.data()), address.size(),
                     pseudonym_.bytes().data(), pseudonym_.size());
  ByteReader in(hash);
  return in.u64();
}

std::array<std::uint8_t, 16> Keys::idempotency_hash(std::string_view client, std::string_view key) const {
  std::array<std::uint8_t, 16> hash{};
  Bytes text;
  ByteWriter out(text);
  out.text8(client);
  out.raw(key);
  crypto_generichash(hash.data(), hash.size(), text.data(), text.size(), idempotency_.bytes().data(), idempotency_.size());
  return hash;
}

std::array<std::uint8_t, 32> Keys::mac(Purpose purpose, ByteView bytes) const {
  std::array<std::uint8_t, 32> hash{};
  const Secret& key = key_of(purpose);
  crypto_generichash(hash.data(), hash.size(), bytes.data(), bytes.size(), key.bytes().data(), key.size());
  return hash;
}

std::array<std::uint8_t, 64> Keys::sign(std::string_view text) const {
  std::array<std::uint8_t, 64> signature{};
  crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                       log_secret_.bytes().data());
  return signature;
}

Secret Keys::store_key() const { return derived(master_, Purpose::store, 48); }

}  // namespace postern
