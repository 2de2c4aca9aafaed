// SPDX-License-Identifier: Apache-2.0
// A customer's name in a path, from any bytes: what is taken has one spelling that reads as the same name, and is what the gateway may be asked.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "connectors/sources/http/characters.hpp"
#include "connectors/sources/http/request_parser.hpp"
#include "connectors/sources/https/path_reference.hpp"
#include "connectors/sources/json/document.hpp"

namespace {

using namespace postern;

void require(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto reference = https::reference_of({reinterpret_cast<const char*>(data), size});
  if (!reference) return 0;
  require(!reference->empty() && reference->size() <= https::kMaxReference && !json::find_invalid_utf8(*reference));
  require(std::ranges::none_of(*reference, http::is_control));
  const std::string segment = https::segment_of(*reference);
  require(https::reference_of(segment) == *reference);
  require(http::normal_path("/" + segment, 1) == (*reference != "." && *reference != ".."));
  return 0;
}
