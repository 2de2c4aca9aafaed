// SPDX-License-Identifier: Apache-2.0
#include "crypto/ring.hpp"

#include <algorithm>
#include <array>

#include "crypto/sealed_file.hpp"

namespace postern {
namespace {

constexpr std::size_t kWrapped = 4 + Suite::kNonceSize + kKeySize + Suite::kTagSize;
constexpr std::size_t kEntry = 4 + 8 + kKeySize, kMaxWrappings = 255;

// A wrapped key belongs to one holder and one wrapping key.
std::array<std::uint8_t, 12> bound_of(std::uint32_t number, std::uint64_t holder) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u32(number);
  out.u64(holder);
  std::array<std::uint8_t, 12> bound{};
  std::ranges::copy(bytes, bound.begin());
  return bound;
}

std::uint32_t number_of(ByteView wrapped) {
  ByteReader in(wrapped);
  return in.u32();
}

}  // namespace

Ring Ring::create(const Keys& keys, std::int64_t now_ms) {
  Ring ring;
  ring.wrappings_.push_back({1, now_ms, keys.suite().random_secret()});
  return ring;
}

Result<Ring> Ring::open(const std::string& path, const Keys& keys) {
  const Result<Secret> content = load_sealed(path, keys, Purpose::ring);
  if (!content) return fail(content.what());
  Ring ring;
  ByteReader in(content->bytes());
  for (std::size_t left = in.u8(); left > 0 && in.ok(); --left) {
    const std::uint32_t number = in.u32();
    const std::int64_t created_ms = in.i64();
    ring.wrappings_.push_back({number, created_ms, Secret(in.view(kKeySize))});
  }
  if (!in.finish() || ring.wrappings_.empty()) return fail(path + ": is damaged; restore it from its backup");
  return ring;
}

Status Ring::save(const std::string& path, const Keys& keys) const {
  Secret content(1 + wrappings_.size() * kEntry);
  std::uint8_t* out = content.writable().data();
  *out++ = static_cast<std::uint8_t>(wrappings_.size());
  for (const Wrapping& wrapping : wrappings_) {
    Bytes head;
    ByteWriter writer(head);
    writer.u32(wrapping.number);
    writer.i64(wrapping.created_ms);
    out = std::ranges::copy(head, out).out;
    out = std::ranges::copy(wrapping.key.bytes(), out).out;
  }
  return save_sealed(path, keys, Purpose::ring, content);
}

Status Ring::renew(const std::string& path, const Keys& keys, std::int64_t now_ms) {
  if (wrappings_.size() == kMaxWrappings) return fail(path + ": holds " + std::to_string(kMaxWrappings) + " wrapping keys; the renewal under way must end first");
  wrappings_.push_back({newest() + 1, now_ms, keys.suite().random_secret()});
  const Status saved = save(path, keys);
  // A key that is not in the file must wrap nothing.
  if (!saved) wrappings_.pop_back();
  return saved;
}

void Ring::destroy_older() { wrappings_.erase(wrappings_.begin(), wrappings_.end() - 1); }

Bytes Ring::wrap(const Keys& keys, const FieldKey& key) const {
  const Wrapping& wrapping = wrappings_.back();
  Bytes out;
  ByteWriter writer(out);
  writer.u32(wrapping.number);
  writer.raw(keys.suite().wrap(wrapping.key.bytes(), bound_of(wrapping.number, key.holder()), key.key().bytes()));
  return out;
}

std::optional<FieldKey> Ring::unwrap(const Keys& keys, std::uint64_t holder, ByteView wrapped) const {
  if (wrapped.size() != kWrapped) return std::nullopt;
  const std::uint32_t number = number_of(wrapped);
  const auto wrapping = std::ranges::find(wrappings_, number, &Wrapping::number);
  if (wrapping == wrappings_.end()) return std::nullopt;
  Secret key(kKeySize);
  if (!keys.suite().unwrap(wrapping->key.bytes(), bound_of(number, holder), wrapped.subspan(4), key.writable())) return std::nullopt;
  return FieldKey(holder, std::move(key));
}

bool Ring::is_newest(ByteView wrapped) const { return number_of(wrapped) == newest(); }

}  // namespace postern
