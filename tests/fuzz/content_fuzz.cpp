// SPDX-License-Identifier: Apache-2.0
// A message's content after it was opened: nothing, or a content that is written the same way again; one of the first version in the
// present way.
#include <algorithm>
#include <cstdlib>

#include "gateway/domain/content.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto content = postern::decode_content({data, size});
  if (!content) return 0;
  const postern::Bytes again = postern::encode(*content);
  if (data[0] == again[0]) {
    if (!std::equal(again.begin(), again.end(), data, data + size)) std::abort();
    return 0;
  }
  const auto present = postern::decode_content(again);
  if (!present || postern::encode(*present) != again) std::abort();
  return 0;
}
