// SPDX-License-Identifier: Apache-2.0
#include "crypto/ring.hpp"

#include <algorithm>

#include "crypto/sealed_file.hpp"

namespace postern {
namespace {

constexpr std::size_t kOverhead = 4 + Suite::kNonceSize + Suite::kTagSize;
constexpr std::size_t kEntry = 4 + 8 + kKeySize, kMaxWrappings = 255;

// What is wrapped belongs to one holder, or one branch, and one wrapping key.
Bytes bound_of(std::uint32_t number, std::uint64_t holder, bool branch) {
  Bytes bound;
  ByteWriter out(bound);
  out.u32(number);
  out.u64(holder);
  if (branch) out.u8(1);
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

Bytes Ring::wrap(const Keys& keys, std::uint64_t holder, bool branch, ByteView secret) const {
  const Wrapping& wrapping = wrappings_.back();
  Bytes out;
  ByteWriter writer(out);
  writer.u32(wrapping.number);
  writer.raw(keys.suite().wrap(wrapping.key.bytes(), bound_of(wrapping.number, holder, branch), secret));
  return out;
}

std::optional<Secret> Ring::unwrap(const Keys& keys, std::uint64_t holder, bool branch, ByteView wrapped) const {
  if (wrapped.size() < kOverhead || wrapped.size() > kOverhead + Branch::kMaxSize) return std::nullopt;
  const std::uint32_t number = number_of(wrapped);
  const auto wrapping = std::ranges::find(wrappings_, number, &Wrapping::number);
  if (wrapping == wrappings_.end()) return std::nullopt;
  Secret plain(wrapped.size() - kOverhead);
  if (!keys.suite().unwrap(wrapping->key.bytes(), bound_of(number, holder, branch), wrapped.subspan(4), plain.writable())) return std::nullopt;
  return plain;
}

Bytes Ring::wrap(const Keys& keys, const FieldKey& key) const { return wrap(keys, key.holder(), /*branch=*/false, key.key().bytes()); }

std::optional<FieldKey> Ring::unwrap(const Keys& keys, std::uint64_t holder, ByteView wrapped) const {
  if (wrapped.size() != kOverhead + kKeySize) return std::nullopt;
  std::optional<Secret> key = unwrap(keys, holder, /*branch=*/false, wrapped);
  return key ? std::optional(FieldKey(holder, std::move(*key))) : std::nullopt;
}

Bytes Ring::wrap(const Keys& keys, const Branch& branch) const { return wrap(keys, branch.id(), /*branch=*/true, branch.encode().bytes()); }

std::optional<Branch> Ring::unwrap_branch(const Keys& keys, Branch::Id id, ByteView wrapped) const {
  const std::optional<Secret> plain = unwrap(keys, id, /*branch=*/true, wrapped);
  return plain ? Branch::decode(id, plain->bytes()) : std::nullopt;
}

bool Ring::is_newest(ByteView wrapped) const { return number_of(wrapped) == newest(); }

}  // namespace postern
