// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/tree.hpp"

#include <bit>
#include <span>

namespace postern::auditor {
namespace {

constexpr std::size_t kCached = 64;

}  // namespace

Hash TileTree::root_of(std::uint64_t begin, std::uint64_t end) {
  std::vector<Hash> peaks;
  for (std::uint64_t at = begin; at < end;) {
    const auto height = static_cast<unsigned>(std::bit_width(end - at)) - 1;
    peaks.push_back(perfect(at, height));
    at += std::uint64_t{1} << height;
  }
  const std::optional<MerkleFrontier> tree = MerkleFrontier::resume(end - begin, std::move(peaks));
  return tree ? tree->root() : Hash{};
}

// Of 2^height leaves: they are some hashes of one tile.
Hash TileTree::perfect(std::uint64_t begin, unsigned height) {
  const unsigned level = height / 8;
  const std::uint64_t first = count_at(level, begin), count = std::uint64_t{1} << (height % 8);
  const std::vector<Hash>& hashes = tile(level, first / kTileWidth);
  if (hashes.size() < first % kTileWidth + count) {
    if (status_) status_ = fail("the hash tiles end before leaf " + std::to_string(begin + (std::uint64_t{1} << height)));
    return {};
  }
  MerkleFrontier tree;
  for (const Hash& hash : std::span(hashes).subspan(first % kTileWidth, count)) tree.append(hash);
  return tree.root();
}

const std::vector<Hash>& TileTree::tile(unsigned level, std::uint64_t number) {
  const std::uint64_t count = count_at(level, size_);
  const TileName name{false, level, number, number < count / kTileWidth ? kTileWidth : count % kTileWidth};
  if (const auto found = cache_.find(name.path()); found != cache_.end()) return found->second;
  if (cache_.size() >= kCached) cache_.clear();
  std::vector<Hash>& hashes = cache_[name.path()];
  const std::string path = folder_ + "/" + name.path();
  const Result<std::optional<Bytes>> file = read_file(path, name.limit());
  if (!file) status_ = fail(file.what());
  else if (!*file || (*file)->size() != name.width * sizeof(Hash)) status_ = fail(path + " is missing or has the wrong size");
  else hashes = hashes_in(**file);
  return hashes;
}

}  // namespace postern::auditor
