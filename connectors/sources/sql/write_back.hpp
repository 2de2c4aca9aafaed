// SPDX-License-Identifier: Apache-2.0
// Purpose: what has yet to be written into the outbox table, in the order in which it came, and which
// event may be acknowledged when. No database in it. Used by: SqlSource and its tests.
// Threads: one. Ownership: plain values.
// Rule: what was handed out to be written stays here until written(), and comes again after failed(): a
// connection that breaks cannot tell whether its last statement was committed, and every statement may
// be repeated without harm.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "connectors/protocol/wire.pb.h"

namespace postern::sql {

template <class T>
class WriteQueue {
 public:
  void push(T item) { waiting_.push_back(std::move(item)); }
  std::size_t size() const { return waiting_.size() + writing_.size(); }
  bool writing() const { return !writing_.empty(); }

  // Up to `most` items to write now; empty when there are none or a batch is under way.
  const std::vector<T>& start(std::size_t most) {
    static const std::vector<T> kNone;
    if (writing()) return kNone;
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, waiting_.size()));
    writing_.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.begin() + count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + count);
    return writing_;
  }
  void written() { writing_.clear(); }
  void failed() {
    waiting_.insert(waiting_.begin(), std::make_move_iterator(writing_.begin()),
                    std::make_move_iterator(writing_.end()));
    writing_.clear();
  }

 private:
  std::deque<T> waiting_;
  std::vector<T> writing_;
};

struct Accepted {
  std::int64_t id = 0;
  std::string message_id;
};
struct Rejected {
  std::int64_t id = 0;
  std::string error;
};

// An event of the vault as far as the table is concerned.
struct Told {
  std::uint64_t sequence = 0;
  std::string key, message_id;
  wire::Progress progress = wire::PROGRESS_UNSET;
  std::string reason;
  std::uint64_t at_ms = 0;
};

// The statements of one batch of events, as parallel columns. A key stands at most once in each: an
// UPDATE that meets a row twice would keep either.
struct EventBatch {
  std::uint64_t cursor = 0;  // may be acknowledged once all of it is committed
  struct Final {
    std::vector<std::string> keys, message_ids, outcomes, reasons, times;
  } finished;
  struct Step {
    std::vector<std::string> keys, message_ids, words, times;
  } progressed;
};
EventBatch batch_of(const std::vector<Told>& events, bool with_progress);

// "reached", "failed", "expired", "cancelled", "suppressed"; empty when `progress` is not final.
std::string_view outcome_word(wire::Progress progress);
// "sent", "delivered", "read", "replied"; empty for others.
std::string_view progress_word(wire::Progress progress);

// Why the vault did not take a row, for the column `error`: codes and pointers, no value.
std::string error_of(const wire::Verdict& verdict);

// At most `limit` bytes, cut between characters.
std::string cut(std::string text, std::size_t limit);

}  // namespace postern::sql
