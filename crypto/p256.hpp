// SPDX-License-Identifier: Apache-2.0
// Purpose: ECDSA on P-256 with SHA-256 where it meets the outside: the encodings of public keys and signatures that other tools read,
// and verification. Holds no key that signs. Used by: note, suite_fips. Threads: any.
// Errors: bytes of any other form are nothing or false. One key and one signature have one encoding each: uncompressed
// SubjectPublicKeyInfo, strict DER, and of the two signatures (r, s) and (r, n-s) that one nonce gives the one with the lower s; else
// whoever holds no key could turn a good signature into another good one (crypto/DESIGN.md, section 7).
#pragma once

#include <array>
#include <optional>

#include "crypto/bytes.hpp"
#include "crypto/public_key.hpp"

struct ossl_lib_ctx_st;

namespace postern::p256 {

using Point = std::array<std::uint8_t, 33>;   // compressed: 02 (even y) or 03, then x
using Spki = std::array<std::uint8_t, 91>;    // RFC 5480: id-ecPublicKey, secp256r1, 04 | x | y

Point even_point(const PublicKey& x);

// Nothing for an x without a point, and for a key of another form, curve or place.
std::optional<Spki> spki_of(const Point& point);
std::optional<Point> point_in(ByteView spki);

// ECDSA-Sig-Value (RFC 3279 section 2.2.3) of r and s: 70 to 72 bytes, seldom less.
Bytes der_of(const Signature& signature);
// Nothing unless the bytes are the DER of two numbers that are not negative and have 32 bytes at most.
std::optional<Signature> signature_in(ByteView der);

// The same signature with the lower of its two s.
Signature with_low_s(const Signature& signature);

// False for a signature of any other form than the one, too. `context`: OpenSSL's default provider where none is given.
bool verify(const Point& point, ByteView text, ByteView der, ossl_lib_ctx_st* context = nullptr);

}  // namespace postern::p256
