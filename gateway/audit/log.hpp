// SPDX-License-Identifier: Apache-2.0
// Purpose: the growing end of the audit log: gives each leaf its number, its link to the leaf before
// and its place in the tree. What it appends becomes true only with the store's commit.
// Used by: the vault. Threads: one. Ownership: borrows Keys.
// Errors: none of its own. When a commit fails the vault puts back the mark it took before the batch.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "crypto/seal.hpp"
#include "gateway/audit/leaf.hpp"

namespace postern::audit {

struct Entry {
  std::uint64_t sequence = 0;
  Bytes leaf;
  Hash hash{};
};

class Log {
 public:
  // The state after `size` leaves; a new log starts with the default.
  struct Mark {
    MerkleFrontier tree;
    Hash previous{};                // of the last leaf; zero for an empty log
  };

  Log(const Keys& keys, Mark mark) : keys_(keys), mark_(std::move(mark)) {}

  // Fills sequence, epoch, previous hash and times of the leaf, seals the body, and appends it.
  // Returns its sequence.
  std::uint64_t append(Leaf leaf, const Body& body, std::int64_t utc_us, std::uint64_t steady_us);

  // The leaves since the last take(): what the next commit makes true.
  const std::vector<Entry>& fresh() const { return fresh_; }
  std::vector<Entry> take() { return std::exchange(fresh_, {}); }

  const Mark& mark() const { return mark_; }
  void put_back(Mark mark) { mark_ = std::move(mark); fresh_.clear(); }
  std::uint64_t size() const { return mark_.tree.size(); }

  // The body of one of our leaves; nothing when it was not sealed by these keys for this sequence.
  std::optional<Body> open(const Leaf& leaf) const;

 private:
  const Keys& keys_;
  Mark mark_;
  std::vector<Entry> fresh_;
};

Bytes encode(const Log::Mark& mark);
std::optional<Log::Mark> decode_mark(ByteView bytes);

}  // namespace postern::audit
