// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/query.hpp"

#include "crypto/bytes.hpp"

namespace postern::hook {
namespace {

std::optional<std::string> decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain.push_back(text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    Bytes byte;
    if (text.size() - i < 3 || !from_hex(text.substr(i + 1, 2), byte)) return std::nullopt;
    plain.push_back(static_cast<char>(byte[0]));
    i += 2;
  }
  return plain;
}

}  // namespace

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    const std::optional<std::string> key = decoded(pair.substr(0, equals));
    if (!key || *key != name) continue;
    if (found) return std::nullopt;
    found = decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!found) return std::nullopt;
  }
  return found;
}

}  // namespace postern::hook
