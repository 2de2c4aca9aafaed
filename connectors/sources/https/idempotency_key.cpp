// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/idempotency_key.hpp"

#include <algorithm>

namespace postern::https {
namespace {

bool is_bare(char c) {
  const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return alphanumeric || std::string_view("!#$%&'*+-.^_`|~:/=").find(c) != std::string_view::npos;
}

}  // namespace

bool good_idempotency_key(std::string_view key) {
  return !key.empty() && key.size() <= kMaxKey &&
         std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::optional<std::string> parse_idempotency_key(std::string_view value) {
  std::string key;
  if (!value.starts_with('"')) {
    if (!std::all_of(value.begin(), value.end(), is_bare)) return std::nullopt;
    key = value;
  } else {
    if (value.size() < 2 || value.back() != '"') return std::nullopt;
    const std::string_view inside = value.substr(1, value.size() - 2);
    for (std::size_t i = 0; i < inside.size(); ++i) {
      char c = inside[i];
      if (c == '"') return std::nullopt;
      if (c == '\\') {
        if (++i == inside.size() || (inside[i] != '"' && inside[i] != '\\')) return std::nullopt;
        c = inside[i];
      }
      key.push_back(c);
    }
  }
  if (!good_idempotency_key(key)) return std::nullopt;
  return key;
}

}  // namespace postern::https
