// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/scrubber.hpp"

namespace postern::vault {
namespace {

constexpr std::size_t kBytes = 512 * 1024, kRows = 500, kLeaves = 1000;

}  // namespace

void Scrubber::begin() {
  phase_ = Phase::media;
  rows_ = bytes_ = 0;
  tree_ = {};
}

std::unexpected<Error> Scrubber::altered(const std::string& what) {
  phase_ = Phase::idle;
  return fail("the store is not as it was written; it was altered, or its disk fails: " + what);
}

Result<bool> Scrubber::step() {
  switch (phase_) {
    case Phase::idle: return true;
    case Phase::media: {
      const Result<store::Store::MediaCheck> checked = store_.check_media(kBytes);
      if (!checked) return altered(checked.what());
      bytes_ = checked->checked;
      if (checked->done) phase_ = Phase::rows;
      return false;
    }
    case Phase::rows: {
      const Result<store::Store::Recount> counted = store_.recount(kRows);
      if (!counted) return altered(counted.what());
      rows_ = counted->rows;
      if (!counted->done) return false;
      if (counted->sum != store_.state().sum) return altered("its rows do not add up to what was written: some were changed, removed, added or put back");
      phase_ = Phase::leaves;
      return false;
    }
    case Phase::leaves: return check_leaves();
  }
  return true;
}

// The tree covers leaves. They grow at the end, also between the pieces: the walk is over when it has caught up.
Result<bool> Scrubber::check_leaves() {
  const MerkleFrontier& now = log_.mark().tree;
  const Result<std::vector<Bytes>> leaves = store_.leaves(tree_.size(), std::min<std::uint64_t>(kLeaves, now.size() - tree_.size()));
  if (!leaves) return altered(leaves.what());
  for (const Bytes& leaf : *leaves) tree_.append(leaf_hash(leaf));
  if (tree_.size() < now.size()) return leaves->empty() ? Result<bool>(altered("leaf " + std::to_string(tree_.size()) + " is missing")) : Result<bool>(false);
  if (tree_.root() != now.root()) return altered("its audit leaves are not those of the tree");
  phase_ = Phase::idle;
  return true;
}

}  // namespace postern::vault
