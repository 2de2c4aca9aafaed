// SPDX-License-Identifier: Apache-2.0
// Purpose: what verbs print: plain lines for people, JSON for scripts. Used by: the verbs.
// Threads: one. Nothing is coloured unless standard output is a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::cli {

// Writes one JSON document. Containers close themselves in the order they were opened.
class Json {
 public:
  Json& object(std::string_view key = {});
  Json& array(std::string_view key = {});
  Json& end();
  Json& field(std::string_view key, std::string_view value);
  Json& field(std::string_view key, const char* value) { return field(key, std::string_view(value)); }
  Json& field(std::string_view key, const std::string& value) { return field(key, std::string_view(value)); }
  Json& field(std::string_view key, std::uint64_t value);
  Json& field(std::string_view key, std::int64_t value);
  Json& field(std::string_view key, bool value);
  Json& item(std::string_view value);
  void print();          // closes what is open and writes it with a newline

 private:
  void comma();
  void name(std::string_view key);
  void quoted(std::string_view text);
  std::string text_, open_;
  bool first_ = true;
};

std::string time_text(std::int64_t unix_ms);        // 2026-11-22 14:30:07.123 UTC; "-" for 0
std::string clock_text(std::int64_t unix_us);       // 14:30:07.123
std::string bytes_text(std::uint64_t bytes);        // "1.2 GiB"
bool on_terminal();

// A line that is written over itself on a terminal, and not at all elsewhere.
void progress_line(const std::string& text);
void progress_done();

}  // namespace postern::cli
