// SPDX-License-Identifier: Apache-2.0
#include "admin/cli/output.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace postern::cli {

void Json::comma() {
  if (!first_) text_ += ',';
  first_ = false;
}

void Json::quoted(std::string_view text) {
  text_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') text_ += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20) text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else text_ += c;
  }
  text_ += '"';
}

void Json::name(std::string_view key) {
  comma();
  if (key.empty()) return;
  quoted(key);
  text_ += ':';
}

Json& Json::object(std::string_view key) {
  name(key);
  text_ += '{';
  open_ += '}';
  first_ = true;
  return *this;
}

Json& Json::array(std::string_view key) {
  name(key);
  text_ += '[';
  open_ += ']';
  first_ = true;
  return *this;
}

Json& Json::end() {
  text_ += open_.back();
  open_.pop_back();
  first_ = false;
  return *this;
}

Json& Json::field(std::string_view key, std::string_view value) {
  name(key);
  quoted(value);
  return *this;
}

Json& Json::field(std::string_view key, std::uint64_t value) {
  name(key);
  text_ += std::to_string(value);
  return *this;
}

Json& Json::field(std::string_view key, std::int64_t value) {
  name(key);
  text_ += std::to_string(value);
  return *this;
}

Json& Json::field(std::string_view key, bool value) {
  name(key);
  text_ += value ? "true" : "false";
  return *this;
}

Json& Json::item(std::string_view value) {
  comma();
  quoted(value);
  return *this;
}

void Json::print() {
  while (!open_.empty()) end();
  std::printf("%s\n", text_.c_str());
}

std::string time_text(std::int64_t unix_ms) {
  if (unix_ms == 0) return "-";
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return fmt::format("{}.{:03} UTC", text.data(), unix_ms % 1000);
}

std::string clock_text(std::int64_t unix_us) { return time_text(unix_us / 1000).substr(11, 12); }

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, units[unit]);
}

bool on_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

void progress_line(const std::string& text) {
  if (on_terminal()) std::fprintf(stderr, "\r\033[K%s", text.c_str());
}

void progress_done() {
  if (on_terminal()) std::fprintf(stderr, "\r\033[K");
}

}  // namespace postern::cli
