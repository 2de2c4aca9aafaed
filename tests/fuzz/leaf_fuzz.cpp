// SPDX-License-Identifier: Apache-2.0
// One audit leaf, its body and the log's mark. A leaf has one form: what is read is written the same way.
#include <cstdlib>

#include "gateway/audit/leaf.hpp"
#include "gateway/audit/log.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const postern::ByteView bytes(data, size);
  if (const auto leaf = postern::audit::decode_leaf(bytes)) {
    const postern::Bytes again = postern::audit::encode(*leaf);
    if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
    (void)postern::name_of(leaf->type);
    (void)leaf->message.text();
  }
  (void)postern::audit::decode_body(bytes);
  if (const auto mark = postern::audit::decode_mark(bytes)) {
    if (postern::audit::encode(*mark).size() != size) std::abort();
    (void)mark->tree.root();
  }
  return 0;
}
