// SPDX-License-Identifier: Apache-2.0
// The text of a delivery receipt, which echoes what anybody may have written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "connectors/channels/smpp/receipt.hpp"

namespace {

void require(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern::smpp;
  const std::string_view text = postern::as_text({data, size});
  const ReceiptText read = read_receipt_text(text, 3600);
  require(read.id.size() <= 64 && read.error.size() <= 8);
  const auto inside = [&](std::string_view view) {
    return view.empty() || (view.data() >= text.data() && view.data() + view.size() <= text.data() + text.size());
  };
  require(inside(read.id) && inside(read.error));
  // Whatever an echoed text adds, the receipt says the same.
  const std::string echoed = std::string(text.substr(0, 900)) + " text:x";
  const ReceiptText before = read_receipt_text(echoed, 3600);
  const std::string hostile = echoed + " id:666 stat:REJECTD err:999 done date:2611221315";
  const ReceiptText after = read_receipt_text(hostile, 3600);
  require(before.id == after.id && before.state == after.state && before.error == after.error &&
          before.done_s == after.done_s);
  for (const IdFormat format : {IdFormat::as_is, IdFormat::hex, IdFormat::dec}) {
    const std::string canonical = canonical_id(read.id, format);
    require(canonical_id(canonical, IdFormat::as_is) == canonical);
  }
  return 0;
}
