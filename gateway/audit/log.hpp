// SPDX-License-Identifier: Apache-2.0
// Purpose: the growing end of the audit log: gives each leaf its number, its link to the leaf before
// and its place in the tree. What it appends becomes true only with the store's commit.
// Used by: the vault. Threads: one. Ownership: borrows Keys.
// Errors: none of its own. When a commit fails the vault puts back the mark it took before the batch.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "crypto/field_key.hpp"
#include "crypto/seal.hpp"
#include "gateway/audit/leaf.hpp"

namespace postern::audit {

struct Entry {
  std::uint64_t sequence = 0;
  Bytes leaf;
  Hash hash{};
};

// Leaves that follow each other, in one piece of memory that stays: thousands a second are kept for a second, and as pieces of their own
// they would scatter the heap that everything else lives in.
class Leaves {
 public:
  void add(const Entry& entry) {
    if (empty()) first_ = entry.sequence;
    bytes_.insert(bytes_.end(), entry.leaf.begin(), entry.leaf.end());
    ends_.push_back(bytes_.size());
    hashes_.push_back(entry.hash);
  }
  void clear() { bytes_.clear(), ends_.clear(), hashes_.clear(); }   // the memory stays
  bool empty() const { return ends_.empty(); }
  std::size_t size() const { return ends_.size(); }
  std::uint64_t first() const { return first_; }                     // sequence of the first; only when not empty
  ByteView leaf(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return ByteView(bytes_).subspan(begin, ends_[i] - begin);
  }
  const Hash& hash(std::size_t i) const { return hashes_[i]; }

 private:
  std::uint64_t first_ = 0;
  Bytes bytes_;
  std::vector<std::size_t> ends_;
  std::vector<Hash> hashes_;
};

class Log {
 public:
  // The state after `size` leaves; a new log starts with the default.
  struct Mark {
    MerkleFrontier tree;
    Hash previous{};                // of the last leaf; zero for an empty log
    std::uint32_t epoch = 0;        // of the next leaf
    std::int64_t utc_us = 0;        // of the last leaf; no later one is earlier
  };

  Log(const Keys& keys, Mark mark) : keys_(keys), mark_(std::move(mark)) {}

  // Fills sequence, epoch, previous hash and times of the leaf, places the body (sealed to `person` where
  // one is given, else under the log's key), and appends it. Returns its sequence. An `epoch_begun` leaf
  // is the last of its epoch.
  std::uint64_t append(Leaf leaf, const Body& body, std::int64_t utc_us, std::uint64_t steady_us, const FieldKey* person = nullptr);
  // The same with a body that everybody can read.
  std::uint64_t append_open(Leaf leaf, const Body& body, std::int64_t utc_us, std::uint64_t steady_us);

  // The leaves since the last take(): what the next commit makes true.
  const std::vector<Entry>& fresh() const { return fresh_; }
  std::vector<Entry> take() { return std::exchange(fresh_, {}); }
  void committed() { fresh_.clear(); }

  const Mark& mark() const { return mark_; }
  void put_back(Mark mark) { mark_ = std::move(mark); fresh_.clear(); }
  std::uint64_t size() const { return mark_.tree.size(); }

  // The body of one of our leaves; nothing when it was not sealed by these keys for this sequence, or is
  // sealed to a person: then open() with that person's key, which person_of() names.
  std::optional<Body> open(const Leaf& leaf) const;
  std::optional<Body> open(const Leaf& leaf, const FieldKey& person) const;
  std::optional<std::uint64_t> person_of(const Leaf& leaf) const;

 private:
  std::uint64_t add(Leaf&& leaf);
  const Keys& keys_;
  Mark mark_;
  std::vector<Entry> fresh_;
};

Bytes encode(const Log::Mark& mark);
std::optional<Log::Mark> decode_mark(ByteView bytes);

}  // namespace postern::audit
