// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/walk.hpp"

#include <algorithm>
#include <utility>

namespace postern::auditor {
namespace {

constexpr std::size_t kMaxNote = 64 * 1024;

}  // namespace

Walk::Walk(const Question& question, const SignedCheckpoint& checkpoint, std::vector<Anchor> anchors, Verdict& verdict)
    : question_(question), checkpoint_(checkpoint), anchors_(std::move(anchors)), verdict_(verdict), size_(checkpoint.checkpoint.size),
      epochs_(*question.trust.identity(checkpoint.checkpoint.origin), question.trust), links_(question.remembered) {
  std::ranges::sort(anchors_, {}, [](const Anchor& anchor) { return std::pair(anchor.note.checkpoint.size, std::string_view(anchor.name)); });
}

Status Walk::bad(std::uint64_t leaf, std::string what) {
  if (!verdict_.bad) verdict_.bad = Finding{leaf, std::move(what)};
  return {};
}

Status Walk::run() {
  if (const Status edge = remember_edge(); !edge) return edge;
  if (const Status held = hold_anchors(); !held || found()) return held;
  for (std::uint64_t number = 0; number * kTileWidth < size_; ++number) {
    if (const Status read = bundle(number); !read || found()) return read;
    if (question_.progress && number % 64 == 0) question_.progress(next_, size_);
  }
  for (unsigned level = 1; level < kLevels; ++level)
    if (!pending_[level].empty())
      if (const Status same = compare(level); !same || found()) return same;
  return last_words();
}

Status Walk::remember_edge() {
  const auto keep = [this](const TileName& name) -> Status {
    Result<std::optional<Bytes>> file = read_file(question_.folder + "/" + name.path(), name.limit());
    if (!file) return fail(file.what());
    if (*file) edge_[name.path()] = std::move(**file);
    return {};
  };
  for (unsigned level = 0; level < kLevels; ++level) {
    const std::uint64_t count = count_at(level, size_), width = count % kTileWidth;
    if (width == 0) continue;
    if (const Status kept = keep({false, level, count / kTileWidth, width}); !kept) return kept;
    if (level > 0) continue;
    if (const Status kept = keep({true, 0, count / kTileWidth, width}); !kept) return kept;
  }
  return {};
}

Result<std::optional<Bytes>> Walk::read(const TileName& name) const {
  if (name.width == kTileWidth) return read_file(question_.folder + "/" + name.path(), name.limit());
  const auto kept = edge_.find(name.path());
  return kept != edge_.end() ? std::optional<Bytes>(kept->second) : std::nullopt;
}

Status Walk::bundle(std::uint64_t number) {
  const std::uint64_t first = number * kTileWidth, width = width_at(number);
  const Result<std::optional<Bytes>> leaves = read({true, 0, number, width});
  if (!leaves) return fail(leaves.what());
  if (!*leaves) return bad(first, "the file of this leaf's bundle is missing");
  const Result<std::optional<Bytes>> tile = read({false, 0, number, width});
  if (!tile) return fail(tile.what());
  if (!*tile || (*tile)->size() != width * sizeof(Hash)) return bad(first, "the hash tile of this leaf is missing or has the wrong size");
  const std::vector<Hash> hashes = hashes_in(**tile);
  ByteReader in(**leaves);
  for (std::uint64_t i = 0; i < width; ++i) {
    const ByteView leaf = in.view16(kMaxLeaf);
    if (!in.ok()) return bad(next_, "the bundle ends before this leaf");
    const Hash hash = leaf_hash(leaf);
    if (hash != hashes[i]) return bad(next_, "the leaf and its hash tile differ");
    if (const Status taken = take(leaf, hash); !taken || found()) return taken;
  }
  if (!in.finish()) return bad(next_, "the bundle holds more than its leaves");
  return width == kTileWidth ? complete(0) : Status{};
}

Status Walk::take(ByteView bytes, const Hash& hash) {
  const std::optional<Leaf> leaf = read_leaf(bytes);
  if (!leaf) return bad(next_, "the leaf cannot be read");
  if (leaf->sequence != next_) return bad(next_, "the leaf stands in the wrong place: it says " + std::to_string(leaf->sequence));
  if (leaf->previous != previous_) return bad(next_, "the leaf does not follow the one before it");
  switch (links_.take(*leaf)) {
    case MessageLinks::Answer::whole: break;
    case MessageLinks::Answer::broken: return bad(next_, "the leaf does not name its message's last leaf before it");
    case MessageLinks::Answer::look:
      if (const Status looked = look_at(*leaf); !looked || found()) return looked;
  }
  if (const auto wrong = epochs_.take(*leaf)) return bad(next_, *wrong);

  if (next_ == 0) verdict_.first_us = leaf->utc_us;
  verdict_.last_us = leaf->utc_us;
  ++counts_[leaf->type];
  previous_ = hash;
  tree_.append(hash);
  pending_[0].push_back(hash);
  if (epochs_.just_closed() != nullptr)
    if (const Status closed = close_epoch(); !closed || found()) return closed;
  ++next_;
  return hold_anchors();
}

// The leaf that a leaf of a forgotten message names must be of the same message.
Status Walk::look_at(const Leaf& leaf) {
  const std::uint64_t at = leaf.before - 1, number = at / kTileWidth;
  const Result<std::optional<Bytes>> leaves = read({true, 0, number, width_at(number)});
  if (!leaves) return fail(leaves.what());
  if (!*leaves) return bad(next_, "the leaf that this one names is not there any more");
  ByteReader in(**leaves);
  for (std::uint64_t skip = at % kTileWidth; skip > 0; --skip) in.view16(kMaxLeaf);
  const std::optional<Leaf> named = read_leaf(in.view16(kMaxLeaf));
  if (!named || named->message != leaf.message) return bad(next_, "the leaf names one of another message as its message's last");
  return {};
}

Status Walk::close_epoch() {
  const Verifier& key = *epochs_.just_closed();
  const std::string name = "epoch/" + epoch_digits(epochs_.current() - 1);
  const Result<std::optional<Bytes>> file = read_file(question_.folder + "/" + name, kMaxNote);
  if (!file) return fail(file.what());
  if (!*file) {
    // The checkpoint is written first: until the file is there too, or after a crash between the two, it says the same.
    const bool same = next_ + 1 == size_ && find_signature(checkpoint_, key).value_or(std::nullopt).has_value();
    if (!same) return bad(next_, name + " is missing");
    ++verdict_.epochs;
    return {};
  }
  const Result<SignedCheckpoint> note = open_signed(as_text(**file), question_.trust);
  if (!note) return bad(next_, name + ": " + note.what());
  if (note->checkpoint != Checkpoint{checkpoint_.checkpoint.origin, next_ + 1, tree_.root()}) return bad(next_, name + " is of another log or another end of its epoch");
  if (const Result<std::uint64_t> good = signed_by(*note, key); !good) return bad(next_, name + ": " + good.what());
  ++verdict_.epochs;
  return {};
}

// Every older checkpoint of just this size must say what the leaves say.
Status Walk::hold_anchors() {
  const std::uint64_t last = next_ > 0 ? next_ - 1 : 0;
  for (; next_anchor_ < anchors_.size() && anchors_[next_anchor_].note.checkpoint.size <= next_; ++next_anchor_) {
    const Anchor& anchor = anchors_[next_anchor_];
    if (anchor.note.checkpoint.root != tree_.root()) return bad(last, anchor.name + " has seen another history of these leaves");
    if (const Status good = epochs_.signed_now(anchor.note); !good) return bad(last, anchor.name + ": " + good.what());
  }
  return {};
}

// The tile of this level is whole: it is compared (level 0 was, leaf by leaf), and its root goes one level up.
Status Walk::complete(unsigned level) {
  if (level > 0)
    if (const Status same = compare(level); !same || found()) return same;
  MerkleFrontier tile;
  for (const Hash& hash : pending_[level]) tile.append(hash);
  pending_[level].clear();
  ++done_[level];
  if (level + 1 == kLevels) return {};
  pending_[level + 1].push_back(tile.root());
  return pending_[level + 1].size() == kTileWidth ? complete(level + 1) : Status{};
}

Status Walk::compare(unsigned level) {
  const std::vector<Hash>& expected = pending_[level];
  const TileName name{false, level, done_[level], expected.size()};
  const auto covers = [&](std::uint64_t entry) { return (name.number * kTileWidth + entry) << (8 * level); };
  const Result<std::optional<Bytes>> file = read(name);
  if (!file) return fail(file.what());
  if (!*file || (*file)->size() != expected.size() * sizeof(Hash)) return bad(covers(0), name.path() + " is missing or has the wrong size");
  const std::vector<Hash> hashes = hashes_in(**file);
  const auto differs = std::ranges::mismatch(expected, hashes);
  if (differs.in1 != expected.end()) return bad(covers(static_cast<std::uint64_t>(differs.in1 - expected.begin())), name.path() + " differs from the leaves");
  return {};
}

Status Walk::last_words() {
  for (const auto& [type, count] : counts_) verdict_.counts[event_name(type)] = count;
  if (tree_.root() != checkpoint_.checkpoint.root) return bad(size_, "the tree of all leaves is not the one that was signed");
  if (const Status good = epochs_.signed_now(checkpoint_); !good) return bad(size_, good.what());
  if (next_anchor_ < anchors_.size())
    return bad(size_, anchors_[next_anchor_].name + " has seen " + std::to_string(anchors_[next_anchor_].note.checkpoint.size) + " leaves of this log, of which it has " +
                          std::to_string(size_) + ": an older one was put back");
  return {};
}

}  // namespace postern::auditor
