// SPDX-License-Identifier: Apache-2.0
// Purpose: keeps the store's generation and sum true: told of every row that a batch adds and takes away, it says what the mark
// must hold with the commit. A walk that counts all rows anew goes on beside it: a change of a row that the walk has passed
// changes the count as well. Used by: the embedded store. Threads: one. Ownership: owns the sum's key. Errors: none.
#pragma once

#include <optional>

#include "gateway/store/rows.hpp"

namespace postern::store {

class Account {
 public:
  explicit Account(Secret key) : key_(std::move(key)) {}
  void open(const State& state) { state_ = state; }
  const State& state() const { return state_; }

  // ---- one batch ----
  void begin() { change_ = passed_change_ = {}; }
  StateSum put(const Row& row) {
    const StateSum value = value_of(key_, row);
    add(row, value);
    return value;
  }
  void take(const Row& row) { take(row, value_of(key_, row)); }
  // The row that stands in the same place as `row` and is known to have this value.
  void take(const Row& row, const StateSum& value) {
    change_ -= value;
    if (walk_ && walk_->passed(row)) passed_change_ -= value;
  }
  // What the mark must say if the batch, whose rows put() and take() were told of, is committed now.
  State next(const Batch& batch) const {
    State next = state_;
    next.generation = std::max(state_.generation, batch.generation_above) + 1;
    if (batch.sum_before) next.sum = *batch.sum_before;
    next.sum += change_;
    next.suspect = batch.suspect.value_or(state_.suspect);
    return next;
  }
  void settle(const State& committed) {
    state_ = committed;
    counted_ += passed_change_;
    begin();
  }

  // ---- values of flights ----
  StateSum value(const Row& row) const { return value_of(key_, row); }
  ValueMemo& memo() { return memo_; }

  // ---- a walk over all rows ----
  void begin_walk() { walk_ = Position{}, counted_ = {}; }
  void end_walk() { walk_.reset(); }
  const std::optional<Position>& walk() const { return walk_; }
  void count(const Row& row) { counted_ += value_of(key_, row); }
  void walked_to(Position position) { walk_ = std::move(position); }
  const StateSum& counted() const { return counted_; }

 private:
  void add(const Row& row, const StateSum& value) {
    change_ += value;
    if (walk_ && walk_->passed(row)) passed_change_ += value;
  }

  Secret key_;
  State state_;
  StateSum change_, passed_change_, counted_;
  std::optional<Position> walk_;
  ValueMemo memo_;
};

}  // namespace postern::store
