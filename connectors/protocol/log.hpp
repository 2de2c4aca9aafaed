// SPDX-License-Identifier: Apache-2.0
// Purpose: one log line format for every process: `<level> id text`, to standard error, which the
// journal keeps. Threads: any. Errors: none are reported; a full journal never blocks the work.
// Each line has an id (words with dots, stable: operators search for it) that the README of its
// process explains. Lines never hold message texts, whole numbers, tokens or keys: use masked().
// A line that a peer could cause at will goes through a LogLimit.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::log {

enum class Level { debug, info, warning, error };

// `process` names the process in front of each line, `least` is the lowest level written.
void open(std::string_view process, Level least = Level::info);

void write(Level level, std::string_view id, std::string_view text);

template <class... Args>
void debug(std::string_view id, fmt::format_string<Args...> text, Args&&... args) {
  write(Level::debug, id, fmt::vformat(text, fmt::make_format_args(args...)));
}
template <class... Args>
void info(std::string_view id, fmt::format_string<Args...> text, Args&&... args) {
  write(Level::info, id, fmt::vformat(text, fmt::make_format_args(args...)));
}
template <class... Args>
void warning(std::string_view id, fmt::format_string<Args...> text, Args&&... args) {
  write(Level::warning, id, fmt::vformat(text, fmt::make_format_args(args...)));
}
template <class... Args>
void error(std::string_view id, fmt::format_string<Args...> text, Args&&... args) {
  write(Level::error, id, fmt::vformat(text, fmt::make_format_args(args...)));
}

// A number or address for people who must not see it whole: "380671234567" -> "38067***567",
// "anna@bank.example" -> "a***@bank.example", a token -> its first four characters and its length.
std::string masked(std::string_view address);

// Lets one line of a kind through each second and counts the rest: `if (limit.pass()) log(...)`, and
// `limit.dropped()` says how many were held back since the last one that passed.
class LogLimit {
 public:
  bool pass();
  std::uint64_t dropped() const { return reported_; }

 private:
  std::chrono::steady_clock::time_point next_{};
  std::uint64_t held_ = 0, reported_ = 0;
};

}  // namespace postern::log
