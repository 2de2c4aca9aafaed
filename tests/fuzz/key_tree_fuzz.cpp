// SPDX-License-Identifier: Apache-2.0
// A branch of the tree of persons' keys: eight bytes of place, and behind them any bytes are nothing, or a branch that is written as it was read.
#include <algorithm>
#include <cstdlib>

#include "crypto/key_tree.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  postern::ByteReader in({data, size});
  const std::uint64_t id = in.u64();
  if (!in.ok()) return 0;
  const postern::ByteView bytes = std::span(data, size).subspan(8);
  std::optional<postern::Branch> branch = postern::Branch::decode(id, bytes);
  if (!branch) return 0;
  if (!branch->encode().equals(bytes)) std::abort();
  const postern::Suite& suite = postern::Suite::of(postern::Profile::modern);
  for (const std::uint64_t number : {std::uint64_t{0}, UINT64_MAX}) {
    if (branch->holds(number) != branch->key_of(suite, number).has_value()) std::abort();
    if (branch->holds(number)) branch->puncture(suite, number);
    if (branch->holds(number)) std::abort();
  }
  return 0;
}
