// SPDX-License-Identifier: Apache-2.0
// Purpose: what both profiles' public keys and signatures are inside the program: one size each, and a number for the kind.
// How they stand in a signed note is note's affair. Used by: suite, note, p256. Threads: plain values.
#pragma once

#include <array>
#include <cstdint>

namespace postern {

using PublicKey = std::array<std::uint8_t, 32>;  // Ed25519 as in RFC 8032; P-256: x of the point whose y is even
using Signature = std::array<std::uint8_t, 64>;  // Ed25519 as in RFC 8032; P-256: r and s, 32 bytes each

// Signature types of C2SP signed-note that we use; the numbers are C2SP's.
enum class KeyType : std::uint8_t {
  ed25519 = 0x01,     // signs the text as it is
  ecdsa_p256 = 0x02,  // signs the text's SHA-256
  cosigner = 0x04,    // a witness, Ed25519: signs the text under a header with the time (tlog-cosignature)
};

}  // namespace postern
