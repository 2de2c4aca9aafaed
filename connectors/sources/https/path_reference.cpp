// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/path_reference.hpp"

#include <algorithm>

#include "connectors/sources/http/characters.hpp"
#include "connectors/sources/json/document.hpp"

namespace postern::https {

std::expected<std::string, std::string_view> reference_of(std::string_view segment) {
  std::string reference;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '/') return std::unexpected("a '/' within it is written as %2F");
    if (segment[i] != '%') {
      reference += segment[i];
      continue;
    }
    const int high = i + 2 < segment.size() ? http::hex_value(segment[i + 1]) : -1;
    const int low = i + 2 < segment.size() ? http::hex_value(segment[i + 2]) : -1;
    if (high < 0 || low < 0) return std::unexpected("after '%' come two hexadecimal digits, and a '%' of its own is written as %25");
    reference += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (reference.empty() || reference.size() > kMaxReference) return std::unexpected("it has 1 to 128 bytes when it is decoded");
  if (std::ranges::any_of(reference, http::is_control)) return std::unexpected("a name with control characters cannot stand in a path");
  if (json::find_invalid_utf8(reference)) return std::unexpected("it is UTF-8 when it is decoded");
  return reference;
}

std::string segment_of(std::string_view reference) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string segment;
  for (const char c : reference) {
    if (http::is_unreserved(c)) {
      segment += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    segment += {'%', kDigits[byte >> 4], kDigits[byte & 15U]};
  }
  return segment;
}

}  // namespace postern::https
