// SPDX-License-Identifier: Apache-2.0
// Purpose: a batch as bytes, for the redo log, and back. Used by: the embedded store. Threads: plain functions.
// Format: version 1, then a part for each list of the batch that is not empty: its number, how many rows, the rows; parts stand in
// the order of their numbers. Numbers never change their meaning; a row's fields do not change without a new number.
// Errors: bytes of any other form give nothing at all.
#pragma once

#include <deque>
#include <optional>

#include "gateway/store/store.hpp"

namespace postern::store {

// Appends to `out`.
void encode(const Batch& batch, Bytes& out);

struct ReadBatch {
  Batch batch;
  std::deque<Bytes> leaves;      // what batch.leaves points to
};
std::optional<ReadBatch> decode_batch(ByteView bytes);

}  // namespace postern::store
