// SPDX-License-Identifier: Apache-2.0
// What the policy was asked, as it stands in a leaf: any bytes are nothing, or facts of one form, from which the question can be asked again.
#include <cstdlib>

#include "gateway/policy/decided.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const postern::ByteView bytes(data, size);
  const auto facts = postern::policy::decode_decided(bytes);
  if (!facts) return 0;
  const postern::Bytes again = postern::policy::encode(*facts);
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
  if (facts->sent.size() > postern::policy::kMaxSeen) std::abort();
  (void)postern::policy::ask({}, facts->question("380671234567", nullptr));
  return 0;
}
