// SPDX-License-Identifier: Apache-2.0
#include "crypto/shamir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/suite.hpp"

namespace postern::shamir {
namespace {

Secret bytes(std::string_view hex) {
  Bytes out;
  EXPECT_TRUE(from_hex(hex, out));
  return Secret(std::span<const std::uint8_t>(out));
}

std::vector<Share> some(const std::vector<Share>& all, const std::vector<std::size_t>& which) {
  std::vector<Share> chosen;
  for (const std::size_t i : which) chosen.push_back({all[i].number, all[i].value.clone()});
  return chosen;
}

// Schoolbook: multiply polynomials over GF(2), then divide by 0x11b.
std::uint8_t slow_product(unsigned a, unsigned b) {
  unsigned product = 0;
  for (unsigned bit = 0; bit < 8; ++bit)
    if ((b >> bit & 1) != 0) product ^= a << bit;
  for (int bit = 15; bit >= 8; --bit)
    if ((product >> bit & 1) != 0) product ^= 0x11bU << (bit - 8);
  return static_cast<std::uint8_t>(product);
}

TEST(Field, MultipliesAsAesDoes) {
  EXPECT_EQ(product(0x57, 0x83), 0xc1) << "FIPS 197 section 4.2";
  EXPECT_EQ(product(0x57, 0x13), 0xfe) << "FIPS 197 section 4.2.1";
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b)
      ASSERT_EQ(product(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)), slow_product(a, b)) << a << " " << b;
}

// Worked by hand for k = 2 (y = s + a x) and k = 3 (y = s + a x + b x^2).
TEST(Shares, AreWhatThePolynomialGives) {
  const Result<std::vector<Share>> two = split(bytes("42"), 2, 3, bytes("57"));
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(to_hex((*two)[0].value.bytes()), "15");
  EXPECT_EQ(to_hex((*two)[1].value.bytes()), "ec");
  EXPECT_EQ(to_hex((*two)[2].value.bytes()), "bb");
  const Result<std::vector<Share>> three = split(bytes("00ff"), 3, 3, bytes("01020304"));
  ASSERT_TRUE(three.has_value());
  // x = 2: 1*2 + 2*4 = 0a; ff + 3*2 + 4*4 = ff ^ 06 ^ 10 = e9
  EXPECT_EQ((*three)[1].number, 2);
  EXPECT_EQ(to_hex((*three)[1].value.bytes()), "0ae9");
}

TEST(Shares, AnyKOfNGiveTheSecretBack) {
  const Suite& suite = Suite::of(Profile::modern);
  for (const auto& [k, n] : {std::pair{2U, 2U}, {2U, 3U}, {3U, 5U}, {5U, 7U}, {2U, 255U}, {255U, 255U}}) {
    const Secret secret = suite.random_secret();
    const Result<std::vector<Share>> shares = split(secret, k, n, suite.random_secret((k - 1) * 32));
    ASSERT_TRUE(shares.has_value());
    ASSERT_EQ(shares->size(), n);
    // Every subset of k for small n; for large ones the first and the last k, in both orders.
    for (unsigned mask = 0; n <= 7 && mask < (1U << n); ++mask) {
      std::vector<std::size_t> which;
      for (unsigned i = 0; i < n; ++i)
        if ((mask >> i & 1) != 0) which.push_back(i);
      if (which.size() < 2) continue;
      const Result<Secret> back = combine(some(*shares, which));
      ASSERT_TRUE(back.has_value());
      EXPECT_EQ(back->equals(secret.bytes()), which.size() >= k) << "k " << k << ", subset " << mask;
    }
    std::vector<std::size_t> last;
    for (unsigned i = 0; i < k; ++i) last.push_back(n - 1 - i);
    EXPECT_TRUE(combine(some(*shares, last))->equals(secret.bytes()));
  }
}

// Exact: with k-1 shares known, every candidate for the secret byte has exactly one polynomial, so the shares say nothing about it.
TEST(Shares, KMinusOneFitEverySecretEquallyOften) {
  // k = 2: one known share (number, value); the number of coefficients that give it, for each candidate.
  for (const unsigned number : {1U, 2U, 137U, 255U})
    for (const unsigned value : {0U, 1U, 200U})
      for (unsigned candidate = 0; candidate < 256; ++candidate) {
        unsigned fits = 0;
        for (unsigned a = 0; a < 256; ++a)
          fits += (candidate ^ product(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(number))) == value ? 1U : 0U;
        ASSERT_EQ(fits, 1U) << number << " " << value << " " << candidate;
      }
  // k = 3: for each candidate the 2^16 polynomials give each of the 2^16 pairs of shares once.
  for (const unsigned candidate : {0U, 1U, 0x53U, 0xffU}) {
    std::vector<std::uint8_t> seen(65536);
    for (unsigned a = 0; a < 256; ++a)
      for (unsigned b = 0; b < 256; ++b) {
        const auto y = [&](std::uint8_t x) {
          return candidate ^ product(static_cast<std::uint8_t>(a), x) ^ product(static_cast<std::uint8_t>(b), product(x, x));
        };
        ++seen[y(3) << 8 | y(7)];
      }
    for (const std::uint8_t count : seen) ASSERT_EQ(count, 1) << candidate;
  }
}

// The same of the code as it draws: bytes of k-1 shares of two opposite secrets are spread evenly. 255 degrees of freedom: over 420
// happens by chance once in 10^9.
TEST(Shares, KMinusOneLookAlikeWhateverTheSecretIs) {
  const Suite& suite = Suite::of(Profile::modern);
  constexpr int kRounds = 1000;
  for (const std::uint8_t fill : {std::uint8_t{0x00}, std::uint8_t{0xff}}) {
    Secret secret(64);
    std::ranges::fill(secret.writable(), fill);
    std::array<std::array<double, 256>, 2> seen{};
    for (int round = 0; round < kRounds; ++round) {
      const Result<std::vector<Share>> shares = split(secret, 3, 3, suite.random_secret(2 * 64));
      ASSERT_TRUE(shares.has_value());
      for (std::size_t which = 0; which < 2; ++which)
        for (const std::uint8_t byte : (*shares)[which].value.bytes()) ++seen[which][byte];
    }
    for (const auto& counts : seen) {
      const double expected = kRounds * 64 / 256.0;
      double chi_square = 0;
      for (const double count : counts) chi_square += (count - expected) * (count - expected) / expected;
      EXPECT_LT(chi_square, 420);
      EXPECT_GT(chi_square, 130) << "too even to be random";
    }
  }
}

TEST(Shares, ThatAreImpossibleAreRefused) {
  const Suite& suite = Suite::of(Profile::modern);
  const Secret secret = suite.random_secret();
  EXPECT_FALSE(split(secret, 1, 3, Secret()).has_value()) << "one share would be the secret itself";
  EXPECT_FALSE(split(secret, 4, 3, suite.random_secret(96)).has_value());
  EXPECT_FALSE(split(secret, 2, 256, suite.random_secret(32)).has_value());
  EXPECT_FALSE(split(secret, 3, 3, suite.random_secret(63)).has_value());
  EXPECT_FALSE(split(Secret(), 2, 3, Secret()).has_value());
  const Result<std::vector<Share>> shares = split(secret, 2, 3, suite.random_secret(32));
  ASSERT_TRUE(shares.has_value());
  EXPECT_FALSE(combine(some(*shares, {0})).has_value());
  EXPECT_FALSE(combine(some(*shares, {1, 1})).has_value());
  std::vector<Share> bad = some(*shares, {0, 1});
  bad[1].number = 0;
  EXPECT_FALSE(combine(bad).has_value());
  bad[1].number = 2;
  bad[1].value = Secret(31);
  EXPECT_FALSE(combine(bad).has_value());
  bad[1].value = Secret(32);
  EXPECT_FALSE(combine(bad)->equals(secret.bytes())) << "a wrong share gives another secret, not this one";
}

}  // namespace
}  // namespace postern::shamir
