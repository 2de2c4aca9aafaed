// SPDX-License-Identifier: Apache-2.0
#include "crypto/shamir.hpp"

namespace postern::shamir {
namespace {

constexpr std::size_t kMaxSecret = 64;

// a^254: the inverse of every a but 0. Eight squarings, whatever a is.
std::uint8_t inverse(std::uint8_t a) {
  std::uint8_t power = a, result = 1;
  for (int bit = 1; bit < 8; ++bit) {
    power = product(power, power);
    result = product(result, power);
  }
  return result;
}

}  // namespace

// Shift and add with masks: eight equal steps, no table that a cache could betray.
std::uint8_t product(std::uint8_t a, std::uint8_t b) {
  unsigned x = a, sum = 0;
  for (int bit = 0; bit < 8; ++bit) {
    sum ^= x & (0U - ((static_cast<unsigned>(b) >> bit) & 1U));
    x = (x << 1) ^ (0x11bU & (0U - (x >> 7)));
  }
  return static_cast<std::uint8_t>(sum);
}

Result<std::vector<Share>> split(const Secret& secret, unsigned needed, unsigned count, const Secret& coefficients) {
  if (needed < 2 || needed > count || count > 255) return fail("a quorum needs at least 2 custodians and no more than there are (255 at most)");
  if (secret.empty() || secret.size() > kMaxSecret || coefficients.size() != (needed - 1) * secret.size())
    return fail("a secret of 1 to 64 bytes can be shared, with as many random bytes for each custodian but one that is needed");
  std::vector<Share> shares;
  for (unsigned number = 1; number <= count; ++number) {
    Share share{static_cast<std::uint8_t>(number), Secret(secret.size())};
    for (std::size_t at = 0; at < secret.size(); ++at) {
      // Horner's rule from the highest coefficient down to the secret itself.
      std::uint8_t y = 0;
      for (unsigned power = needed - 1; power > 0; --power)
        y = static_cast<std::uint8_t>(product(y, share.number) ^ coefficients.bytes()[at * (needed - 1) + power - 1]);
      share.value.writable()[at] = static_cast<std::uint8_t>(product(y, share.number) ^ secret.bytes()[at]);
    }
    shares.push_back(std::move(share));
  }
  return shares;
}

Result<Secret> combine(std::span<const Share> shares) {
  if (shares.size() < 2) return fail("two shares at least are needed");
  const std::size_t size = shares.front().value.size();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i].number == 0 || shares[i].value.size() != size || size == 0) return fail("a share is damaged");
    for (std::size_t j = 0; j < i; ++j)
      if (shares[i].number == shares[j].number) return fail("the same share was given twice");
  }
  Secret secret(size);
  for (const Share& share : shares) {
    // Lagrange at x = 0: the product of x_j / (x_j - x_i); minus is plus in this field.
    std::uint8_t weight = 1;
    for (const Share& other : shares)
      if (other.number != share.number)
        weight = product(weight, product(other.number, inverse(static_cast<std::uint8_t>(other.number ^ share.number))));
    for (std::size_t at = 0; at < size; ++at) secret.writable()[at] ^= product(weight, share.value.bytes()[at]);
  }
  return secret;
}

}  // namespace postern::shamir
