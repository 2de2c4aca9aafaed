// SPDX-License-Identifier: Apache-2.0
// Purpose: the bytes of a portability index, for its writer and its reader.
//   magic 8 | networks u32 | ranges u32 | ported u64 | text size u64 | SHA-256 32, of SHA-256(the header before it) and SHA-256(all after it)
//   text: networks (u8 length, digits)..., ranges (u8 length, prefix, u16 network)..., zeros to a multiple of 8
//   ported: u64 little-endian each: number << 14 | network, ascending
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "crypto/merkle.hpp"

namespace postern::numbers {

inline constexpr std::string_view kMagic = "PSTRNNP1";
inline constexpr std::size_t kHeaderSize = 8 + 4 + 4 + 8 + 32 + 8;
inline constexpr unsigned kNetworkBits = 14;
inline constexpr std::uint64_t kNetworkMask = (1ULL << kNetworkBits) - 1;

// One hash over two parts that do not lie side by side.
inline Hash index_hash(ByteView header, ByteView body) { return node_hash(sha256(header), sha256(body)); }

}  // namespace postern::numbers
