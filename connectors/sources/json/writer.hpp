// SPDX-License-Identifier: Apache-2.0
// Purpose: writes JSON (RFC 8259). Used by: the sources. Threads: a plain value.
// Ownership: appends to a string that outlives it. Errors: none; bytes that are not UTF-8 become
// U+FFFD. Commas and quotes are the writer's, the nesting is the caller's.
//
//   json::Writer w(out);
//   w.object().key("id").text(id).key("parts").number(2).end_object();
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::json {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view name);
  Writer& text(std::string_view value);
  Writer& number(std::int64_t value);
  Writer& number(std::uint64_t value);
  Writer& number(int value) { return number(static_cast<std::int64_t>(value)); }
  Writer& number(std::uint32_t value) { return number(static_cast<std::uint64_t>(value)); }
  Writer& boolean(bool value);
  Writer& raw(std::string_view json);  // a value that is JSON already

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  void begin_value();
  void quoted(std::string_view value);

  std::string& out_;
  bool comma_ = false;
};

}  // namespace postern::json
