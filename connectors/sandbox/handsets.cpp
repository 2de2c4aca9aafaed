// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/handsets.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/files.hpp"
#include "connectors/sources/json/document.hpp"
#include "connectors/sources/json/writer.hpp"

namespace postern::sandbox {
namespace {

constexpr std::size_t kMaxLine = 1024 * 1024, kMaxAnswers = 64 * 1024, kMaxAnswer = 160;

std::string time_text(std::int64_t unix_ms) {
  std::tm utc{};
  const std::time_t seconds = unix_ms / 1000;
  gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, unix_ms % 1000);
}

// The lines of a text below each other, each with the indent of a message's body.
std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out += fmt::format("    {}\n", text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

std::string as_seen(json::Value message) {
  const auto field = [&](std::string_view key) { return message.find(key).text(); };
  const std::string_view at = field("at"), sender = field("sender"), subject = field("subject"), note = field("note");
  std::string out = fmt::format("  {}  {}", at.size() >= 19 ? at.substr(11, 8) : at, field("channel"));
  if (!sender.empty()) out += fmt::format(" from {}", sender);
  if (!note.empty()) out += fmt::format("  ({})", note);
  out += '\n';
  if (!subject.empty()) out += fmt::format("    {}\n", subject);
  return out + indented(field("text"));
}

}  // namespace

Result<std::unique_ptr<Handsets>> Handsets::open(const std::string& file, const std::string& answers) {
  std::unique_ptr<Handsets> handsets(new Handsets);
  handsets->answers_ = answers;
  if (file.empty()) return handsets;
  // What customers read is theirs: only the bank's own user sees the file.
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  handsets->file_.reset(fd < 0 ? nullptr : fdopen(fd, "a"));
  if (!handsets->file_) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return fail("handsets " + file + ": " + std::strerror(error));
  }
  return handsets;
}

std::string Handsets::answer_of(std::string_view number) const {
  const Result<std::string> text = answers_.empty() ? fail("none") : read_file(answers_);
  json::Document document;
  if (!text || document.parse(*text, kMaxAnswers)) return "YES";
  const std::string_view answer = document.root().find(number).text();
  return answer.empty() ? "YES" : std::string(answer.substr(0, kMaxAnswer));
}

void Handsets::receive(const Received& message) {
  ++count_;
  if (!file_) return;
  std::string line;
  json::Writer w(line);
  w.object()
      .key("at")
      .text(time_text(wall_ms()))
      .key("handset")
      .text(message.handset)
      .key("channel")
      .text(message.channel);
  w.key("sender").text(message.sender).key("subject").text(message.subject).key("text").text(message.text);
  w.key("parts").number(message.parts).key("note").text(message.note).end_object();
  line.push_back('\n');
  // One write a line: a reader of the file never sees half a message.
  std::fwrite(line.data(), 1, line.size(), file_.get());
  std::fflush(file_.get());
}

Result<std::string> Handsets::show(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return fail("handsets " + file + ": cannot be read; nothing has been received yet, or it belongs to another user");
  std::vector<std::string> order;
  std::map<std::string, std::string, std::less<>> messages;
  json::Document document;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (document.parse(line, kMaxLine)) return fail(fmt::format("handsets {}:{}: is no message", file, number));
    const std::string handset(document.root().find("handset").text());
    if (!messages.contains(handset)) order.push_back(handset);
    messages[handset] += as_seen(document.root());
  }
  std::string out;
  for (const std::string& handset : order) out += (out.empty() ? "" : "\n") + handset + "\n" + messages[handset];
  return out;
}

}  // namespace postern::sandbox
