// SPDX-License-Identifier: Apache-2.0
// The JSON reader: any bytes are read or refused; what was read is written and read back the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "connectors/sources/json/document.hpp"
#include "connectors/sources/json/writer.hpp"

namespace {

using namespace postern::json;

void require(bool good) {
  if (!good) std::abort();
}

void write(Writer& w, Value v) {
  switch (v.kind()) {
    case Kind::null:
      w.raw("null");
      return;
    case Kind::boolean:
      w.boolean(v.boolean());
      return;
    case Kind::number:
      w.raw(v.text());
      return;
    case Kind::string:
      w.text(v.text());
      return;
    case Kind::array:
      w.array();
      for (Value e = v.first(); e; e = e.next()) write(w, e);
      w.end_array();
      return;
    case Kind::object:
      w.object();
      for (Value m = v.first(); m; m = m.next()) {
        require(v.find(m.key()).pointer() == m.pointer());
        w.key(m.key());
        write(w, m);
      }
      w.end_object();
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static Document document;
  if (const auto error = document.parse(text, 64 * 1024)) {
    require(!document.root() && !error->code.empty() && error->offset <= std::max<std::size_t>(size, 64 * 1024));
    return 0;
  }
  require(!find_invalid_utf8(text) && text.find('\0') == std::string_view::npos);
  std::string once, twice;
  Writer first(once);
  write(first, document.root());
  Document again;
  require(!again.parse(once, kMaxSize));
  Writer second(twice);
  write(second, again.root());
  require(once == twice);
  return 0;
}
