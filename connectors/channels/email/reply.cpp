// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/reply.hpp"

#include <algorithm>
#include <utility>

namespace postern::email {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// One to three digits without a leading zero, as RFC 3463 section 2 writes them.
std::optional<int> small_number(std::string_view& text) {
  std::size_t count = 0;
  int value = 0;
  while (count < text.size() && is_digit(text[count])) {
    if (++count > 3) return std::nullopt;
    value = value * 10 + (text[count - 1] - '0');
  }
  if (count == 0 || (count > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

// "5.1.1" followed by a space or the end; leaves `text` behind it.
std::optional<EnhancedCode> leading_enhanced(std::string_view& text) {
  std::string_view rest = text;
  EnhancedCode code;
  const std::optional<int> klass = small_number(rest);
  if (!klass || (*klass != 2 && *klass != 4 && *klass != 5) || !rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  const std::optional<int> subject = small_number(rest);
  if (!subject || !rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  const std::optional<int> detail = small_number(rest);
  if (!detail || (!rest.empty() && rest.front() != ' ')) return std::nullopt;
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  code.klass = *klass;
  code.subject = *subject;
  code.detail = *detail;
  text = rest;
  return code;
}

}  // namespace

std::string EnhancedCode::text() const {
  return std::to_string(klass) + '.' + std::to_string(subject) + '.' + std::to_string(detail);
}

std::optional<EnhancedCode> Reply::enhanced() const {
  if (lines.empty()) return std::nullopt;
  std::string_view rest = lines.front();
  const std::optional<EnhancedCode> found = leading_enhanced(rest);
  if (!found || found->klass != code / 100) return std::nullopt;
  return found;
}

std::string_view Reply::text() const {
  if (lines.empty()) return {};
  std::string_view rest = lines.front();
  leading_enhanced(rest);
  return rest;
}

void ReplyReader::spoil(const char* fault) {
  fault_ = fault;
  buffer_.clear();
  partial_ = {};
}

void ReplyReader::feed(std::string_view bytes) {
  while (!bytes.empty() && !spoilt()) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      if (buffer_.size() + bytes.size() > kMaxReplyLine) return spoil("line-too-long");
      buffer_ += bytes;
      return;
    }
    if (buffer_.size() + end > kMaxReplyLine) return spoil("line-too-long");
    buffer_ += bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (!buffer_.ends_with('\r')) return spoil("bad-line");
    const std::string whole = std::exchange(buffer_, {});
    line(std::string_view(whole).substr(0, whole.size() - 1));
  }
}

void ReplyReader::line(std::string_view text) {
  if (text.size() < 3 || text[0] < '2' || text[0] > '5' || !is_digit(text[1]) || !is_digit(text[2]))
    return spoil("bad-line");
  const int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  const bool more = text.size() > 3 && text[3] == '-';
  if (text.size() > 3 && !more && text[3] != ' ') return spoil("bad-line");
  const std::string_view rest = text.size() > 3 ? text.substr(4) : std::string_view();
  // Everything but control characters: RFC 6531 section 3.7.4.1 lets UTF-8 into the text.
  const auto control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  if (std::any_of(rest.begin(), rest.end(), control)) return spoil("bad-line");

  if (partial_.lines.empty()) partial_.code = code;
  if (partial_.code != code) return spoil("mixed-codes");
  partial_.lines.emplace_back(rest);
  if (partial_.lines.size() > kMaxReplyLines) return spoil("too-many-lines");
  if (more) return;
  // A server that answers what was never asked may not grow our memory.
  if (ready_.size() >= kMaxReplyLines) return spoil("too-many-lines");
  ready_.push_back(std::exchange(partial_, {}));
}

std::optional<Reply> ReplyReader::next() {
  if (ready_.empty()) return std::nullopt;
  Reply first = std::move(ready_.front());
  ready_.erase(ready_.begin());
  return first;
}

}  // namespace postern::email
