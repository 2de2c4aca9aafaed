// SPDX-License-Identifier: Apache-2.0
#include "crypto/seal.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

namespace postern {
namespace {

constexpr std::size_t kHead = 1 + 2;  // format, key version

// The associated data: every part has its length before it, so no two places give the same bytes.
class Bound {
 public:
  Bound(Profile format, Purpose purpose, std::uint16_t version, const Place& place) {
    put(static_cast<std::uint8_t>(format));
    put(static_cast<std::uint8_t>(purpose));
    number(version, 2);
    text(place.table);
    number(place.row, 8);
    text(place.column);
    number(place.schema, 2);
  }
  ByteView bytes() const { return ByteView(bytes_).first(size_); }

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

void demand(bool fits) {
  if (!fits) std::abort();  // a key used for what it is not: a bug, and no input can cause it
}

Bytes idempotency_text(std::string_view client, std::string_view key) {
  Bytes text;
  ByteWriter out(text);
  out.text8(client);
  out.raw(key);
  return text;
}

std::uint64_t first_64(const Mac& mac) { return ByteReader(mac).u64(); }

std::array<std::uint8_t, 16> first_16(const Mac& mac) {
  std::array<std::uint8_t, 16> out{};
  std::copy_n(mac.begin(), out.size(), out.begin());
  return out;
}

}  // namespace

Secret store_key_of(const Suite& suite, const Secret& version) { return suite.derive(version, "pstrnsql", 1, 48); }

Keys::Keys(const Keyring& ring) : suite_(&ring.suite()), log_secret_(ring.log_seed().clone()), log_public_(suite_->public_key(log_secret_)) {
  for (const Purpose purpose : kPurposes)
    for (const KeyVersion& version : ring.versions(purpose))
      versions_[static_cast<std::size_t>(purpose)].push_back({version.number, version.key.clone()});
}

const Keys::Version* Keys::find(Purpose purpose, std::uint16_t number) const {
  const std::vector<Version>& versions = of(purpose);
  // Nearly everything is under the newest.
  for (auto version = versions.rbegin(); version != versions.rend(); ++version)
    if (version->number == number) return &*version;
  return nullptr;
}

void Keys::draw_nonce(std::span<std::uint8_t> out) const {
  if (nonces_used_ == nonces_.size()) {
    suite_->random(nonces_);
    nonces_used_ = 0;
  }
  std::copy_n(nonces_.begin() + static_cast<std::ptrdiff_t>(nonces_used_), out.size(), out.begin());
  nonces_used_ += out.size();
}

Bytes Keys::seal(Purpose purpose, const Place& place, ByteView plain) const {
  demand(use_of(purpose) == Use::seal);
  const Version& version = of(purpose).back();
  Bytes out(kSealOverhead + plain.size());
  out[0] = static_cast<std::uint8_t>(suite_->profile());
  out[1] = static_cast<std::uint8_t>(version.number >> 8);
  out[2] = static_cast<std::uint8_t>(version.number);
  const std::span<std::uint8_t> nonce = std::span(out).subspan(kHead, Suite::kNonceSize);
  draw_nonce(nonce);
  suite_->seal(version.key.bytes(), nonce, Bound(suite_->profile(), purpose, version.number, place).bytes(), plain,
               std::span(out).subspan(kHead + Suite::kNonceSize));
  return out;
}

bool Keys::open(Purpose purpose, const Place& place, ByteView sealed, Bytes& plain) const {
  demand(use_of(purpose) == Use::seal);
  if (sealed.size() < kSealOverhead || sealed[0] != static_cast<std::uint8_t>(suite_->profile())) return false;
  const Version* version = find(purpose, static_cast<std::uint16_t>(sealed[1] << 8 | sealed[2]));
  if (version == nullptr) return false;
  plain.resize(sealed.size() - kSealOverhead);
  return suite_->open(version->key.bytes(), sealed.subspan(kHead, Suite::kNonceSize), Bound(suite_->profile(), purpose, version->number, place).bytes(),
                      sealed.subspan(kHead + Suite::kNonceSize), plain);
}

Mac Keys::mac(Purpose purpose, ByteView bytes) const {
  demand(use_of(purpose) == Use::hash);
  return suite_->mac(of(purpose).back().key.bytes(), bytes);
}

std::optional<Mac> Keys::mac(Purpose purpose, ByteView bytes, std::uint16_t number) const {
  demand(use_of(purpose) == Use::hash);
  const Version* version = find(purpose, number);
  if (version == nullptr) return std::nullopt;
  return suite_->mac(version->key.bytes(), bytes);
}

std::vector<Mac> Keys::macs(Purpose purpose, ByteView bytes) const {
  demand(use_of(purpose) == Use::hash);
  std::vector<Mac> found;
  for (auto version = of(purpose).rbegin(); version != of(purpose).rend(); ++version) found.push_back(suite_->mac(version->key.bytes(), bytes));
  return found;
}

bool Keys::check_mac(Purpose purpose, ByteView bytes, ByteView mac) const {
  for (const Mac& one : macs(purpose, bytes))
    if (mac.size() == one.size() && sodium_memcmp(one.data(), mac.data(), one.size()) == 0) return true;
  return false;
}

std::uint64_t Keys::pseudonym(std::string_view address) const { return first_64(mac(Purpose::pseudonym, as_bytes(address))); }

std::array<std::uint8_t, 16> Keys::idempotency_hash(std::string_view client, std::string_view key) const {
  return first_16(mac(Purpose::idempotency, idempotency_text(client, key)));
}

std::vector<std::uint64_t> Keys::pseudonyms(std::string_view address) const {
  std::vector<std::uint64_t> found;
  for (const Mac& mac : macs(Purpose::pseudonym, as_bytes(address))) found.push_back(first_64(mac));
  return found;
}

std::vector<std::array<std::uint8_t, 16>> Keys::idempotency_hashes(std::string_view client, std::string_view key) const {
  std::vector<std::array<std::uint8_t, 16>> found;
  for (const Mac& mac : macs(Purpose::idempotency, idempotency_text(client, key))) found.push_back(first_16(mac));
  return found;
}

Signature Keys::sign(std::string_view text) const { return suite_->sign(log_secret_, as_bytes(text)); }

Secret Keys::store_key() const { return store_key_of(*suite_, of(Purpose::store).front().key); }

Secret Keys::sum_key() const { return Secret(std::span<const std::uint8_t>(mac(Purpose::state_sum, as_bytes("rows")))); }

}  // namespace postern
