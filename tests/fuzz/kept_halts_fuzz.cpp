// SPDX-License-Identifier: Apache-2.0
// What is kept of halts: any bytes are nothing, or a list within its bounds that is written as it was read.
#include <algorithm>
#include <cstdlib>

#include "gateway/vault/halts.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::optional<postern::vault::KeptHalts> kept = postern::vault::decode_kept_halts({data, size});
  if (!kept) return 0;
  if (kept->halts.size() > postern::vault::KeptHalts::kMost) std::abort();
  for (const postern::vault::Halt& halt : kept->halts)
    if (halt.words().starts_with("?") || halt.covers({}) != (halt.kind != postern::vault::Halt::Kind::category ? halt.number == 0 : halt.number == 4)) std::abort();
  if (!std::ranges::equal(postern::vault::encode(*kept), std::span(data, size))) std::abort();
  return 0;
}
