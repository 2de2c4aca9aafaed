// SPDX-License-Identifier: Apache-2.0
#include "gateway/audit/verify.hpp"

#include <algorithm>
#include <fstream>
#include <vector>

#include "crypto/note.hpp"
#include "gateway/audit/tiles.hpp"

namespace postern::audit {
namespace {

constexpr std::uint64_t kWidth = 256;

std::optional<Bytes> read_file(const std::string& path, std::size_t limit) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  Bytes content(limit + 1);
  in.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (content.size() > limit) return std::nullopt;
  return content;
}

// Walks the leaves in order and holds each tile of hashes against what the leaves give.
class Walk {
 public:
  Walk(std::string folder, std::uint64_t size, Verdict& verdict) : folder_(std::move(folder)), size_(size), verdict_(verdict) {}

  bool run(const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    for (std::uint64_t bundle = 0; bundle * kWidth < size_; ++bundle) {
      if (!read_bundle(bundle)) return false;
      if (progress && bundle % 64 == 0) progress(std::min(size_, (bundle + 1) * kWidth), size_);
    }
    // What is left in each level is the partial tile of the checkpoint.
    for (std::size_t level = 0; level < levels_.size(); ++level)
      if (!levels_[level].empty() && !compare_tile(level, levels_[level])) return false;
    return true;
  }

  Hash root() const { return tree_.root(); }

 private:
  bool bad(std::string what) {
    verdict_.bad = Finding{next_, std::move(what)};
    return false;
  }

  std::string path_of(const std::string& kind, std::uint64_t number, std::uint64_t width) const {
    const std::string path = folder_ + "/tile/" + kind + "/" + tile_path(number);
    return width == kWidth ? path : path + ".p/" + std::to_string(width);
  }

  bool read_bundle(std::uint64_t number) {
    const std::uint64_t width = std::min(kWidth, size_ - number * kWidth);
    const std::optional<Bytes> bundle = read_file(path_of("entries", number, width), kWidth * (kMaxLeaf + 2));
    if (!bundle) return bad("the file of this leaf's bundle is missing or too large");
    ByteReader in(*bundle);
    for (std::uint64_t i = 0; i < width; ++i) {
      const ByteView leaf = in.view16(kMaxLeaf);
      if (!in.ok()) return bad("the bundle ends before this leaf");
      if (!take(leaf)) return false;
    }
    return in.finish() || bad("the bundle holds more than its leaves");
  }

  bool take(ByteView bytes) {
    const std::optional<Leaf> leaf = decode_leaf(bytes);
    if (!leaf) return bad("the leaf cannot be read");
    if (leaf->sequence != next_) return bad("the leaf stands in the wrong place: it says " + std::to_string(leaf->sequence));
    if (leaf->previous != previous_) return bad("the leaf does not follow the one before it");
    if (leaf->before > next_) return bad("the leaf names a later leaf as an earlier one of its message");
    if (next_ == 0) verdict_.first_us = leaf->utc_us;
    verdict_.last_us = leaf->utc_us;
    ++verdict_.counts[std::string(name_of(leaf->type))];
    previous_ = leaf_hash(bytes);
    tree_.append(previous_);
    if (!add_hash(0, previous_)) return false;
    ++next_;
    return true;
  }

  bool add_hash(std::size_t level, const Hash& hash) {
    if (levels_.size() <= level) {
      levels_.resize(level + 1);
      numbers_.resize(level + 1);
    }
    levels_[level].push_back(hash);
    if (levels_[level].size() < kWidth) return true;
    const std::vector<Hash> tile = std::exchange(levels_[level], {});
    if (!compare_tile(level, tile)) return false;
    ++numbers_[level];
    MerkleFrontier above;
    for (const Hash& h : tile) above.append(h);
    return add_hash(level + 1, above.root());
  }

  bool compare_tile(std::size_t level, const std::vector<Hash>& expected) {
    const std::optional<Bytes> tile = read_file(path_of(std::to_string(level), numbers_[level], expected.size()), kWidth * sizeof(Hash));
    if (!tile || tile->size() != expected.size() * sizeof(Hash)) return bad("a hash tile of level " + std::to_string(level) + " is missing or cut");
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (!std::equal(expected[i].begin(), expected[i].end(), tile->begin() + static_cast<std::ptrdiff_t>(i * sizeof(Hash))))
        return bad("a hash tile of level " + std::to_string(level) + " differs from the leaves");
    return true;
  }

  std::string folder_;
  std::uint64_t size_, next_ = 0;
  Verdict& verdict_;
  Hash previous_{};
  MerkleFrontier tree_;
  std::vector<std::vector<Hash>> levels_;
  std::vector<std::uint64_t> numbers_;
};

}  // namespace

Result<Verdict> verify(const std::string& folder, const std::string& vkey, const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  const std::optional<Bytes> text = read_file(folder + "/checkpoint", 64 * 1024);
  if (!text) return fail(folder + "/checkpoint cannot be read; name the folder of an audit log");
  Verdict verdict;
  const Result<Checkpoint> checkpoint = open_checkpoint(as_text(*text), vkey);
  if (!checkpoint) {
    verdict.bad = Finding{0, checkpoint.what()};
    return verdict;
  }
  verdict.origin = checkpoint->origin;
  verdict.leaves = checkpoint->size;
  verdict.root = to_hex(checkpoint->root);
  Walk walk(folder, checkpoint->size, verdict);
  if (walk.run(progress) && walk.root() != checkpoint->root) verdict.bad = Finding{checkpoint->size, "the tree of all leaves is not the one that was signed"};
  return verdict;
}

}  // namespace postern::audit
