// SPDX-License-Identifier: Apache-2.0
// The HTTP request reader: any bytes, in one piece and in pieces cut where the input's first bytes say,
// give the same requests and the same end; and what was accepted keeps the reader's own rules.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/unit/http/parser_support.hpp"

namespace {

using namespace postern::http;

void require(bool good) {
  if (!good) std::abort();
}

void check(const Parsed& r) {
  require(!r.method.empty() && normal_path(r.path));
  int hosts = 0, lengths = 0, codings = 0;
  for (const auto& [name, value] : r.fields) {
    require(!name.empty() && value.find_first_of(std::string_view("\0\r\n", 3)) == std::string::npos);
    hosts += name == "host" ? 1 : 0;
    lengths += name == "content-length" ? 1 : 0;
    codings += name == "transfer-encoding" ? 1 : 0;
  }
  require(hosts == 1 && lengths + codings <= 1 && r.body.size() <= 64 * 1024);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t first = data[0], second = data[1];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const ParseOutcome whole = parse_whole(bytes);
  for (const Parsed& r : whole.requests) check(r);

  const std::size_t a = std::min(first, bytes.size()), b = std::min(a + second, bytes.size());
  require(parse_pieces({bytes.substr(0, a), bytes.substr(a, b - a), bytes.substr(b)}) == whole);
  if (bytes.size() <= 2048) require(parse_byte_by_byte(bytes) == whole);
  return 0;
}
