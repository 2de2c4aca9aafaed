// SPDX-License-Identifier: Apache-2.0
#include "crypto/field_key.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace postern {
namespace {

constexpr std::uint8_t kFormat = 0x10;
constexpr std::size_t kNonceAt = 1 + 2, kHolderAt = kNonceAt + Suite::kNonceSize, kCommitmentAt = kHolderAt + 8, kHead = kCommitmentAt + sizeof(Mac);
static_assert(FieldKey::kOverhead == kHead + Suite::kTagSize);
constexpr std::string_view kCommits = "postern commits to this key";

// The key of one field, and what commits to it.
struct Derived {
  Mac key, commitment;
  ~Derived() { wipe(key.data(), key.size()); }
};

Derived derive(const Suite& suite, const Secret& holder_key, Purpose purpose, const Place& place, ByteView nonce) {
  std::array<std::uint8_t, 128> bound;
  std::size_t size = 0;
  const auto put = [&](std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) bound[size++] = static_cast<std::uint8_t>(value >> shift);
  };
  // Table and column names are ours and short; each has its length before it.
  const auto put_text = [&](std::string_view text) {
    put(text.size(), 1);
    std::ranges::copy(text.substr(0, 24), bound.begin() + static_cast<std::ptrdiff_t>(size));
    size += std::min<std::size_t>(text.size(), 24);
  };
  put(kFormat, 1);
  put(static_cast<std::uint8_t>(purpose), 1);
  put_text(place.table);
  put(place.row, 8);
  put_text(place.column);
  put(place.schema, 2);
  std::ranges::copy(nonce, bound.begin() + static_cast<std::ptrdiff_t>(size));
  size += nonce.size();
  Derived derived{};
  derived.key = suite.mac(holder_key.bytes(), ByteView(bound).first(size));
  derived.commitment = suite.mac(derived.key, as_bytes(kCommits));
  return derived;
}

std::uint64_t first_64(const Mac& mac) { return ByteReader(mac).u64(); }

}  // namespace

FieldKey FieldKey::create(const Keys& keys, std::uint64_t holder) { return {holder, keys.suite().random_secret()}; }

Bytes FieldKey::seal(const Keys& keys, Purpose purpose, const Place& place, ByteView plain) const {
  Bytes out(kOverhead + plain.size());
  const std::span<std::uint8_t> nonce = std::span(out).subspan(kNonceAt, Suite::kNonceSize);
  keys.draw_nonce(nonce);
  const Derived derived = derive(keys.suite(), key_, purpose, place, nonce);
  const std::uint16_t version = keys.newest(Purpose::holder_mask);
  const std::uint64_t masked = holder_ ^ first_64(keys.mac(Purpose::holder_mask, nonce));
  out[0] = kFormat;
  out[1] = static_cast<std::uint8_t>(version >> 8);
  out[2] = static_cast<std::uint8_t>(version);
  for (std::size_t i = 0; i < 8; ++i) out[kHolderAt + i] = static_cast<std::uint8_t>(masked >> (56 - 8 * i));
  std::ranges::copy(derived.commitment, out.begin() + kCommitmentAt);
  // The head is authenticated with the text: neither holder nor commitment can be exchanged.
  keys.suite().seal(derived.key, nonce, ByteView(out).first(kHead), plain, std::span(out).subspan(kHead));
  return out;
}

bool FieldKey::open(const Keys& keys, Purpose purpose, const Place& place, ByteView sealed, Bytes& plain) const {
  if (sealed.size() < kOverhead || sealed[0] != kFormat) return false;
  const ByteView nonce = sealed.subspan(kNonceAt, Suite::kNonceSize);
  const Derived derived = derive(keys.suite(), key_, purpose, place, nonce);
  // Not a secret: whoever has the field sees its commitment.
  if (!std::ranges::equal(derived.commitment, sealed.subspan(kCommitmentAt, sizeof(Mac)))) return false;
  plain.resize(sealed.size() - kOverhead);
  return keys.suite().open(derived.key, nonce, sealed.first(kHead), sealed.subspan(kHead), plain);
}

std::optional<std::uint64_t> FieldKey::holder_of(const Keys& keys, ByteView sealed) {
  if (sealed.size() < kOverhead || sealed[0] != kFormat) return std::nullopt;
  const auto version = static_cast<std::uint16_t>(sealed[1] << 8 | sealed[2]);
  const std::optional<Mac> mask = keys.mac(Purpose::holder_mask, sealed.subspan(kNonceAt, Suite::kNonceSize), version);
  if (!mask) return std::nullopt;
  ByteReader in(sealed.subspan(kHolderAt, 8));
  return in.u64() ^ first_64(*mask);
}

}  // namespace postern
