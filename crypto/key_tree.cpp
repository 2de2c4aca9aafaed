// SPDX-License-Identifier: Apache-2.0
#include "crypto/key_tree.hpp"

#include <algorithm>
#include <bit>

namespace postern {
namespace {

constexpr unsigned kDigit = 4;   // bits

// The digit of a number that chooses among the children of a branch on this level; the root is on level 0.
unsigned digit(std::uint64_t number, unsigned level) { return static_cast<unsigned>(number >> (64 - kDigit * (level + 1))) & 0xFU; }

}  // namespace

Branch Branch::root(const Suite& suite) { return {kRoot, 0xFFFF, suite.random_secret(kChildren * kKeySize)}; }

// The place of a branch on level n has 4n bits behind its first one.
unsigned Branch::level() const { return (static_cast<unsigned>(std::bit_width(id_)) - 1) / kDigit; }

unsigned Branch::child_of(std::uint64_t number) const { return digit(number, level()); }

std::optional<Branch> Branch::decode(Id id, ByteView bytes) {
  const unsigned bits = static_cast<unsigned>(std::bit_width(id));
  if (id == 0 || (bits - 1) % kDigit != 0 || (bits - 1) / kDigit >= kLevels) return std::nullopt;
  ByteReader in(bytes);
  const std::uint16_t whole = in.u16();
  if (!in.ok() || in.left() != static_cast<std::size_t>(std::popcount(whole)) * kKeySize) return std::nullopt;
  Branch branch(id, whole, Secret(kChildren * kKeySize));
  for (unsigned child = 0; child < kChildren; ++child)
    if (branch.is_whole(child)) std::ranges::copy(in.view(kKeySize), branch.seeds_.writable().begin() + static_cast<std::ptrdiff_t>(child * kKeySize));
  return branch;
}

Secret Branch::encode() const {
  Secret out(2 + static_cast<std::size_t>(std::popcount(whole_)) * kKeySize);
  const std::span<std::uint8_t> bytes = out.writable();
  bytes[0] = static_cast<std::uint8_t>(whole_ >> 8);
  bytes[1] = static_cast<std::uint8_t>(whole_);
  auto at = bytes.begin() + 2;
  for (unsigned child = 0; child < kChildren; ++child)
    if (is_whole(child)) at = std::ranges::copy(seed(child), at).out;
  return out;
}

std::optional<Branch::Id> Branch::below(std::uint64_t number) const {
  if (level() + 1 == kLevels) return std::nullopt;
  return id_ << kDigit | child_of(number);
}

std::optional<Secret> Branch::key_of(const Suite& suite, std::uint64_t number) const {
  if (!is_whole(child_of(number))) return std::nullopt;
  Mac step;
  std::ranges::copy(seed(child_of(number)), step.begin());
  for (unsigned at = level() + 1; at < kLevels; ++at) step = suite.child_key(step, static_cast<std::uint8_t>(at), static_cast<std::uint8_t>(digit(number, at)));
  Secret key{ByteView(step)};
  wipe(step.data(), step.size());
  return key;
}

std::vector<Branch> Branch::puncture(const Suite& suite, std::uint64_t number) {
  const unsigned taken = child_of(number);
  Mac step;
  std::ranges::copy(seed(taken), step.begin());
  whole_ = static_cast<std::uint16_t>(whole_ & ~(1U << taken));
  wipe(seeds_.writable().data() + taken * kKeySize, kKeySize);
  std::vector<Branch> rest;
  Id place = id_ << kDigit | taken;
  for (unsigned at = level() + 1; at < kLevels; ++at) {
    const unsigned through = digit(number, at);
    Branch branch(place, static_cast<std::uint16_t>(0xFFFFU & ~(1U << through)), Secret(kChildren * kKeySize));
    for (unsigned child = 0; child < kChildren; ++child) {
      if (child == through) continue;
      Mac seed = suite.child_key(step, static_cast<std::uint8_t>(at), static_cast<std::uint8_t>(child));
      std::ranges::copy(seed, branch.seeds_.writable().begin() + static_cast<std::ptrdiff_t>(child * kKeySize));
      wipe(seed.data(), seed.size());
    }
    step = suite.child_key(step, static_cast<std::uint8_t>(at), static_cast<std::uint8_t>(through));
    rest.push_back(std::move(branch));
    place = place << kDigit | through;
  }
  wipe(step.data(), step.size());
  return rest;
}

}  // namespace postern
