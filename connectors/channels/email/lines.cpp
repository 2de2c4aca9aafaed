// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/lines.hpp"

namespace postern::email {

std::string dot_stuffed(std::string_view content) {
  std::string out;
  out.reserve(content.size() + content.size() / 64 + 8);
  bool line_start = true;
  for (const char c : content) {
    if (line_start && c == '.') out += '.';
    out += c;
    line_start = c == '\n';
  }
  out += ".\r\n";
  return out;
}

bool lines_are_clean(std::string_view content) {
  constexpr std::size_t kLongestLine = 998;  // RFC 5322 section 2.1.1
  std::size_t length = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (c == '\r') {
      if (i + 1 >= content.size() || content[i + 1] != '\n') return false;
      ++i;
      length = 0;
      continue;
    }
    if (c == '\n' || c == '\0' || ++length > kLongestLine) return false;
  }
  return content.ends_with("\r\n");
}

std::string xtext(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '+' && c != '=') {
      out += c;
    } else {
      out += '+';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace postern::email
