// SPDX-License-Identifier: Apache-2.0
// Purpose: reads the replies of an SMTP server (RFC 5321 section 4.2), bytes in, whole replies out.
// Used by: postern-email, its fuzz target and its tests. Threads: plain values.
// Ownership: a Reply owns its text; nothing views the bytes that were fed.
// Errors and limits: a server is not trusted. A line of more than kMaxReplyLine bytes, more than
// kMaxReplyLines lines, a line that does not end in CRLF, a control character, a code outside 200..599
// or lines of one reply with different codes spoil the reader for good: the caller closes the
// connection. Memory is bounded by kMaxReplyLine * kMaxReplyLines.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::email {

// RFC 5321 section 4.5.3.1.5 allows 512 bytes; real servers quote policy pages at more length.
inline constexpr std::size_t kMaxReplyLine = 1024;
inline constexpr std::size_t kMaxReplyLines = 128;

// RFC 3463: class.subject.detail. class is 2, 4 or 5.
struct EnhancedCode {
  int klass = 0, subject = 0, detail = 0;
  bool operator==(const EnhancedCode&) const = default;
  std::string text() const;
};

struct Reply {
  int code = 0;                    // 200..599
  std::vector<std::string> lines;  // without code, separator and CRLF; at least one

  // The enhanced code in front of the first line's text, when its class agrees with the basic code
  // (one that disagrees is no enhanced code, RFC 2034 section 4).
  std::optional<EnhancedCode> enhanced() const;

  // The first line's text without the enhanced code.
  std::string_view text() const;
};

class ReplyReader {
 public:
  // Takes what arrived. Once spoilt it takes nothing more.
  void feed(std::string_view bytes);

  // The next whole reply, in order.
  std::optional<Reply> next();

  bool spoilt() const { return !fault_.empty(); }
  // Why, as a short stable word: "line-too-long", "too-many-lines", "bad-line", "mixed-codes".
  const std::string& fault() const { return fault_; }

  // True when bytes wait that belong to no reply handed out yet.
  bool holds_bytes() const { return !buffer_.empty() || !ready_.empty() || !partial_.lines.empty(); }

 private:
  void line(std::string_view text);
  void spoil(const char* fault);

  std::string buffer_;  // an unfinished line
  Reply partial_;       // an unfinished reply
  std::vector<Reply> ready_;
  std::string fault_;
};

}  // namespace postern::email
