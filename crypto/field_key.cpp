// SPDX-License-Identifier: Apache-2.0
#include "crypto/field_key.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace postern {
namespace {

constexpr std::uint8_t kFormat = 2;
constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kHolder = 8, kCommitment = 32;
constexpr std::size_t kHead = 1 + kNonce + kHolder + kCommitment;
static_assert(FieldKey::kOverhead == kHead + kTag);

// The field's own key and what commits to it, both from the holder's key, the place and the nonce.
struct Derived {
  std::array<std::uint8_t, kKeySize> key;
  std::array<std::uint8_t, kCommitment> commitment;
  ~Derived() { sodium_memzero(key.data(), key.size()); }
};

Derived derive(const Secret& holder_key, Purpose purpose, const Place& place, ByteView nonce) {
  Bytes bound;
  bound.reserve(96);
  ByteWriter out(bound);
  out.u8(kFormat);
  out.u8(static_cast<std::uint8_t>(purpose));
  out.text8(place.table);
  out.u64(place.row);
  out.text8(place.column);
  out.u16(place.schema);
  out.raw(nonce);
  std::array<std::uint8_t, kKeySize + kCommitment> both{};
  crypto_generichash(both.data(), both.size(), bound.data(), bound.size(), holder_key.bytes().data(), holder_key.size());
  Derived derived{};
  std::copy_n(both.begin(), kKeySize, derived.key.begin());
  std::copy_n(both.begin() + kKeySize, kCommitment, derived.commitment.begin());
  sodium_memzero(both.data(), both.size());
  return derived;
}

std::uint64_t mask_of(const Keys& keys, ByteView nonce) {
  const auto mac = keys.mac(Purpose::holder_mask, nonce);
  ByteReader in(mac);
  return in.u64();
}

}  // namespace

FieldKey FieldKey::create(std::uint64_t holder) { return {holder, Secret::random(kKeySize)}; }

Bytes FieldKey::seal(const Keys& keys, Purpose purpose, const Place& place, ByteView plain) const {
  Bytes out;
  out.reserve(kOverhead + plain.size());
  out.resize(1 + kNonce);
  out[0] = kFormat;
  randombytes_buf(out.data() + 1, kNonce);
  const Bytes nonce(out.begin() + 1, out.end());
  const Derived derived = derive(key_, purpose, place, nonce);
  ByteWriter writer(out);
  writer.u64(holder_ ^ mask_of(keys, nonce));
  writer.raw(derived.commitment);
  out.resize(kOverhead + plain.size());
  // The head is authenticated with the text: neither holder nor commitment can be exchanged.
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kHead, nullptr, plain.data(), plain.size(), out.data(), kHead, nullptr, nonce.data(),
                                             derived.key.data());
  return out;
}

bool FieldKey::open(Purpose purpose, const Place& place, ByteView sealed, Bytes& plain) const {
  if (sealed.size() < kOverhead || sealed[0] != kFormat) return false;
  const ByteView nonce = sealed.subspan(1, kNonce);
  const Derived derived = derive(key_, purpose, place, nonce);
  if (sodium_memcmp(derived.commitment.data(), sealed.data() + 1 + kNonce + kHolder, kCommitment) != 0) return false;
  plain.resize(sealed.size() - kOverhead);
  return crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, sealed.data() + kHead, sealed.size() - kHead, sealed.data(), kHead,
                                                    nonce.data(), derived.key.data()) == 0;
}

std::optional<std::uint64_t> FieldKey::holder_of(const Keys& keys, ByteView sealed) {
  if (sealed.size() < kOverhead || sealed[0] != kFormat) return std::nullopt;
  ByteReader in(sealed.subspan(1 + kNonce, kHolder));
  return in.u64() ^ mask_of(keys, sealed.subspan(1, kNonce));
}

}  // namespace postern
