// SPDX-License-Identifier: Apache-2.0
// What the guards of prefixes have kept over a restart: any bytes are nothing, or guards that are written again the same way.
#include <cstdlib>

#include "gateway/vault/prefix_guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto guards = postern::vault::decode_kept_guards({data, size});
  if (!guards) return 0;
  for (const postern::vault::KeptGuard& guard : *guards)
    for (const postern::policy::Velocity::Usual& usual : guard.usual)
      if (usual.prefix.empty() || usual.prefix.size() > 15) std::abort();
  if (!postern::vault::decode_kept_guards(postern::vault::encode(*guards))) std::abort();
  return 0;
}
