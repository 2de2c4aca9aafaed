// SPDX-License-Identifier: Apache-2.0
// A commit in the redo log: any bytes are nothing, or a batch that is written as it was read.
#include <algorithm>
#include <cstdlib>

#include "gateway/store/batch_record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::optional<postern::store::ReadBatch> read = postern::store::decode_batch({data, size});
  if (!read) return 0;
  postern::Bytes again;
  postern::store::encode(read->batch, again);
  if (!std::ranges::equal(again, std::span(data, size))) std::abort();
  return 0;
}
