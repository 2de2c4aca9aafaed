// SPDX-License-Identifier: Apache-2.0
// Purpose: a secret in n shares of which any k give it back and any k-1 tell nothing (Shamir 1979), byte by byte over GF(256) with
// the polynomial of AES (x^8+x^4+x^3+x+1). Used by: the keyring's quorum slots. Threads: plain functions.
// Constant time: no branch and no memory address depends on a secret byte; share numbers and lengths are public.
// Limits: 2 <= k <= n <= 255, secrets of 1 to 64 bytes. Shares carry no check of their own: a wrong share gives a wrong secret, so
// whoever stores them stores a check beside them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "crypto/secret.hpp"

namespace postern::shamir {

struct Share {
  std::uint8_t number = 0;  // x of the polynomial, 1..n
  Secret value;             // as long as the secret
};

// `coefficients` are (k-1) * secret.size() random bytes: for each byte of the secret in turn its coefficients of x, x^2, ...
// Errors: counts or sizes out of their limits.
Result<std::vector<Share>> split(const Secret& secret, unsigned needed, unsigned count, const Secret& coefficients);

// The secret from exactly the shares that are given, at least two. Too few or wrong ones give other bytes, not an error.
// Errors: a number twice or 0, lengths that differ.
Result<Secret> combine(std::span<const Share> shares);

// The field's product, for tests.
std::uint8_t product(std::uint8_t a, std::uint8_t b);

}  // namespace postern::shamir
