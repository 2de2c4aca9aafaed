// SPDX-License-Identifier: Apache-2.0
// Purpose: the files of an audit log: their names (C2SP tlog-tiles) and reading them whole and bounded.
// Used by: the verbs of postern-audit. Threads: one. Ownership: values.
// Errors: a file that is there and cannot be read is an Error; one that is not there is nothing, for a missing
// file is a finding about the log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/merkle.hpp"
#include "crypto/result.hpp"

namespace postern::auditor {

inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr unsigned kLevels = 8;   // 256^8 leaves are more than a size can count

// The content, of a longer file `limit` + 1 bytes, so that whoever checks the size sees that it is wrong.
Result<std::optional<Bytes>> read_file(const std::string& path, std::size_t limit);

// One file below tile/.
struct TileName {
  bool entries = false;       // a bundle of leaves; level is 0
  unsigned level = 0;
  std::uint64_t number = 0;
  std::uint64_t width = kTileWidth;   // less: an unfinished one
  bool operator==(const TileName&) const = default;

  std::string path() const;           // "tile/0/x001/x234/067.p/8"
  std::size_t limit() const;          // no right file of this name is longer
};
// Nothing unless `path` is the one way to write a name.
std::optional<TileName> parse_tile_name(std::string_view path);

// Number of whole subtrees of 256^level leaves in a tree of `size`.
std::uint64_t count_at(unsigned level, std::uint64_t size);

std::vector<Hash> hashes_in(ByteView tile);     // of a file whose size is a multiple of 32

// Regular files below `folder`/`below`, as paths relative to `folder`, in no order; empty when there is no such folder.
Result<std::vector<std::string>> files_below(const std::string& folder, const std::string& below);

}  // namespace postern::auditor
