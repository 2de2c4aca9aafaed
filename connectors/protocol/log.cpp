// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace postern::log {
namespace {

spdlog::level::level_enum translated(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// The journal takes the level from a "<n>" prefix (sd-daemon(3)) and adds its own time.
std::string_view journal_prefix(Level level) {
  switch (level) {
    case Level::debug: return "<7>";
    case Level::info: return "<6>";
    case Level::warning: return "<4>";
    case Level::error: return "<3>";
  }
  return "<3>";
}

struct Sink {
  std::shared_ptr<spdlog::logger> logger;
  bool journal = false;
};

Sink& sink() {
  static Sink instance;
  return instance;
}

}  // namespace

void open(std::string_view process, Level least) {
  Sink& s = sink();
  s.logger = std::make_shared<spdlog::logger>(std::string(process), std::make_shared<spdlog::sinks::stderr_sink_mt>());
  s.journal = std::getenv("JOURNAL_STREAM") != nullptr;
  s.logger->set_pattern(s.journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
  s.logger->set_level(translated(least));
  s.logger->flush_on(spdlog::level::trace);
}

void write(Level level, std::string_view id, std::string_view text) {
  Sink& s = sink();
  if (!s.logger) open("postern");
  // A line break in what a peer said must not become a line of its own.
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f; }, '?');
  for (std::size_t at = line.find('\n'); at != std::string::npos; at = line.find('\n', at)) line.replace(at, 1, " | ");
  s.logger->log(translated(level), "{}{} {}", s.journal ? journal_prefix(level) : std::string_view(), id, line);
}

std::string masked(std::string_view address) {
  const std::size_t at = address.find('@');
  if (at != std::string_view::npos && at > 0)
    return std::string(address.substr(0, 1)) + "***" + std::string(address.substr(at));
  const bool number = !address.empty() && address.find_first_not_of("+0123456789") == std::string_view::npos;
  if (number && address.size() > 8)
    return std::string(address.substr(0, 5)) + "***" + std::string(address.substr(address.size() - 3));
  if (number) return "***";
  return std::string(address.substr(0, std::min<std::size_t>(4, address.size() / 4))) + "***(" +
         std::to_string(address.size()) + ")";
}

bool LogLimit::pass() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) {
    ++held_;
    return false;
  }
  next_ = now + std::chrono::seconds(1);
  reported_ = std::exchange(held_, 0);
  return true;
}

}  // namespace postern::log
