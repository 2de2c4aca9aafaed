// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/json/writer.hpp"

#include "connectors/sources/json/document.hpp"

namespace postern::json {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t plain = 0;  // where the run of bytes that need no escape began
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    out.push_back('\\');
    switch (c) {
      case '"':
        out.push_back('"');
        break;
      case '\\':
        out.push_back('\\');
        break;
      case '\n':
        out.push_back('n');
        break;
      case '\r':
        out.push_back('r');
        break;
      case '\t':
        out.push_back('t');
        break;
      default: {
        out += "u00";
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
      }
    }
  }
  out.append(text.substr(plain));
}

}  // namespace

void Writer::begin_value() {
  if (comma_) out_.push_back(',');
  comma_ = true;
}

void Writer::quoted(std::string_view value) {
  out_.push_back('"');
  while (const auto bad = find_invalid_utf8(value)) {
    append_escaped(out_, value.substr(0, *bad));
    out_ += "\xef\xbf\xbd";
    value.remove_prefix(*bad + 1);
  }
  append_escaped(out_, value);
  out_.push_back('"');
}

Writer& Writer::open(char bracket) {
  begin_value();
  out_.push_back(bracket);
  comma_ = false;
  return *this;
}

Writer& Writer::close(char bracket) {
  out_.push_back(bracket);
  comma_ = true;
  return *this;
}

Writer& Writer::key(std::string_view name) {
  begin_value();
  quoted(name);
  out_.push_back(':');
  comma_ = false;
  return *this;
}

Writer& Writer::text(std::string_view value) {
  begin_value();
  quoted(value);
  return *this;
}

Writer& Writer::number(std::int64_t value) {
  begin_value();
  out_ += std::to_string(value);
  return *this;
}

Writer& Writer::number(std::uint64_t value) {
  begin_value();
  out_ += std::to_string(value);
  return *this;
}

Writer& Writer::boolean(bool value) {
  begin_value();
  out_ += value ? "true" : "false";
  return *this;
}

Writer& Writer::raw(std::string_view json) {
  begin_value();
  out_ += json;
  return *this;
}

}  // namespace postern::json
