// SPDX-License-Identifier: Apache-2.0
// The tree of keys: every number has a key, one can be taken, and all the others stay what they were.
#include "crypto/key_tree.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "crypto/keyring.hpp"
#include "crypto/ring.hpp"

namespace postern {
namespace {

constexpr std::uint64_t kOne = 0x0123456789abcdefULL, kOther = 0xfedcba9876543210ULL;

// A root whose n-th seed is n, thirty-two times.
Branch fixed_root() {
  Bytes bytes{0xFF, 0xFF};
  for (unsigned child = 0; child < Branch::kChildren; ++child) bytes.insert(bytes.end(), kKeySize, static_cast<std::uint8_t>(child));
  return *Branch::decode(Branch::kRoot, bytes);
}

class KeyTree : public testing::TestWithParam<Profile> {
 protected:
  const Suite& suite = Suite::of(GetParam());
  std::map<Branch::Id, Branch> branches;

  void plant(Branch root) { branches.emplace(Branch::kRoot, std::move(root)); }
  Branch* holding(std::uint64_t number) {
    for (std::optional<Branch::Id> id = Branch::kRoot; id;) {
      const auto at = branches.find(*id);
      if (at == branches.end()) return nullptr;
      if (at->second.holds(number)) return &at->second;
      id = at->second.below(number);
    }
    return nullptr;
  }
  // As hexadecimal digits; empty: it has none.
  std::string key(std::uint64_t number) {
    const Branch* from = holding(number);
    return from == nullptr ? "" : to_hex(from->key_of(suite, number)->bytes());
  }
  void take(std::uint64_t number) {
    Branch* from = holding(number);
    ASSERT_NE(from, nullptr);
    for (Branch& rest : from->puncture(suite, number)) {
      const Branch::Id id = rest.id();
      ASSERT_TRUE(branches.emplace(id, std::move(rest)).second);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Profiles, KeyTree, testing::Values(Profile::modern, Profile::fips), [](const auto& one) { return std::string(name_of(one.param)); });

// What is sealed under a key must open in every later version. The values are those of Python's hashlib and hmac.
TEST_P(KeyTree, KeysAreFrozen) {
  plant(fixed_root());
  const bool modern = GetParam() == Profile::modern;
  EXPECT_EQ(key(kOne), modern ? "4d53732a353051dabc2f003ea2d9a216bfde0f0aea8b5c6b350777693e691fad" : "9e7c2e4a406bb7effc82e3f84dc1b7273f1c18f3a5d23936bacbf58f0f2e505c");
  EXPECT_EQ(key(kOther), modern ? "7187d132ece1505e16a025500a50fe6daf19ffe590c827858416de498fcc1d18" : "69ebce1d49756b0fe124ba950806366dba4a693ba7fa27f7e9ee6a02e2d21c1b");
}

TEST_P(KeyTree, EveryNumberHasAnotherKey) {
  plant(Branch::root(suite));
  std::set<std::string> keys;
  for (unsigned bit = 0; bit < 64; ++bit) keys.insert(key(kOne ^ 1ULL << bit));
  keys.insert({key(kOne), key(0), key(~0ULL)});
  EXPECT_EQ(keys.size(), 67U);
}

TEST_P(KeyTree, OneIsTakenAndAllOthersStay) {
  plant(Branch::root(suite));
  std::map<std::uint64_t, std::string> before;
  for (unsigned bit = 0; bit < 64; ++bit) before[kOne ^ 1ULL << bit] = key(kOne ^ 1ULL << bit);
  before[kOther] = key(kOther);
  take(kOne);
  EXPECT_EQ(key(kOne), "");
  EXPECT_EQ(branches.size(), Branch::kLevels);
  for (const auto& [number, was] : before) EXPECT_EQ(key(number), was) << std::hex << number;
}

TEST_P(KeyTree, ManyAreTakenInAnyOrderNeighboursToo) {
  plant(Branch::root(suite));
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> gone, stay;
  for (int i = 0; i < 60; ++i) gone.push_back(random());
  for (std::uint64_t n = 0; n < 16; ++n) (n % 2 == 0 ? gone : stay).push_back(kOne - 15 + n);
  for (int i = 0; i < 60; ++i) stay.push_back(i % 2 == 0 ? random() : gone[static_cast<std::size_t>(i)] ^ 1ULL << (i % 64));
  std::map<std::uint64_t, std::string> before;
  for (const std::uint64_t number : stay) before[number] = key(number);
  for (const std::uint64_t number : gone) take(number);
  for (const std::uint64_t number : gone) EXPECT_EQ(key(number), "") << std::hex << number;
  for (const auto& [number, was] : before) EXPECT_EQ(key(number), was) << std::hex << number;
}

// No seed on the way to what was taken is left anywhere.
TEST_P(KeyTree, NothingThatIsLeftLeadsToIt) {
  plant(Branch::root(suite));
  const Secret key_before = *holding(kOne)->key_of(suite, kOne);
  std::set<Bytes> way;
  Bytes seed;
  {
    const Secret root = branches.at(Branch::kRoot).encode();
    const ByteView first = ByteView(root.bytes()).subspan(2, kKeySize);   // kOne begins with the digit 0
    seed.assign(first.begin(), first.end());
  }
  for (unsigned level = 1; level <= Branch::kLevels; ++level) {
    way.insert(seed);
    if (level == Branch::kLevels) break;
    const Mac next = suite.child_key(seed, static_cast<std::uint8_t>(level), static_cast<std::uint8_t>(kOne >> (60 - 4 * level) & 0xF));
    seed.assign(next.begin(), next.end());
  }
  ASSERT_TRUE(way.contains(Bytes(key_before.bytes().begin(), key_before.bytes().end())));
  take(kOne);
  for (const auto& [id, branch] : branches) {
    const Secret all = branch.encode();
    for (std::size_t at = 2; at < all.size(); at += kKeySize) {
      const ByteView one = ByteView(all.bytes()).subspan(at, kKeySize);
      EXPECT_FALSE(way.contains(Bytes(one.begin(), one.end()))) << "branch " << id;
    }
    // Its place in memory is wiped as well.
    EXPECT_EQ(branch.encode().size(), 2 + 15 * kKeySize);
  }
}

TEST_P(KeyTree, ABranchComesBackAsItWas) {
  plant(Branch::root(suite));
  take(kOne);
  for (const auto& [id, branch] : branches) {
    const std::optional<Branch> again = Branch::decode(id, branch.encode().bytes());
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(again->encode().equals(branch.encode().bytes()));
  }
}

TEST_P(KeyTree, OddBytesAndPlacesAreNoBranch) {
  const Secret whole = Branch::root(suite).encode();
  const Bytes bytes(whole.bytes().begin(), whole.bytes().end());
  EXPECT_TRUE(Branch::decode(1, bytes).has_value());
  EXPECT_TRUE(Branch::decode(1ULL << 60, bytes).has_value()) << "on the last level";
  for (const Branch::Id id : {0ULL, 2ULL, 8ULL, 1ULL << 59, 1ULL << 61, 1ULL << 63, ~0ULL}) EXPECT_FALSE(Branch::decode(id, bytes).has_value()) << id;
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(Branch::decode(1, ByteView(bytes).first(size)).has_value()) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(Branch::decode(1, longer).has_value());
}

TEST_P(KeyTree, WrappedItBelongsToItsPlace) {
  const Keyring keyring = Keyring::create(1, GetParam());
  const Keys keys(keyring);
  const Ring ring = Ring::create(keys, 1);
  const Branch root = Branch::root(suite);
  const Bytes wrapped = ring.wrap(keys, root);
  const std::optional<Branch> again = ring.unwrap_branch(keys, Branch::kRoot, wrapped);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->encode().equals(root.encode().bytes()));
  EXPECT_FALSE(ring.unwrap_branch(keys, 0x10, wrapped).has_value());
  EXPECT_FALSE(ring.unwrap(keys, Branch::kRoot, wrapped).has_value()) << "it is no person's key";
  for (std::size_t at = 0; at < wrapped.size(); ++at) {
    Bytes bad = wrapped;
    bad[at] ^= 1;
    EXPECT_FALSE(ring.unwrap_branch(keys, Branch::kRoot, bad).has_value()) << at;
  }
}

}  // namespace
}  // namespace postern
