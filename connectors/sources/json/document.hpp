// SPDX-License-Identifier: Apache-2.0
// Purpose: reads JSON (RFC 8259) strictly into a flat list of nodes. Used by: the sources.
// Threads: plain values. Ownership: a Document owns the text of its values; a Value views its
// Document and ends with the next parse() or wipe(). A Document is meant to be used again: it keeps
// its memory, so that reading the next body allocates next to nothing.
// Errors: parse() refuses a repeated key, bytes that are not UTF-8, a byte order mark, a NUL, anything
// after the value, and what is over the limits; the error says where and never repeats the content.
// Limits: kMaxDepth levels, the caller's size, which is at most kMaxSize.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::json {

inline constexpr std::size_t kMaxDepth = 32;
inline constexpr std::size_t kMaxSize = 16 * 1024 * 1024;

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

struct ParseError {
  std::string code;     // "malformed", "too-deep", "repeated-key", "not-utf8", "trailing-bytes", "too-large", "empty"
  std::string pointer;  // JSON pointer (RFC 6901) of the value or member being read
  std::size_t offset = 0;  // of the byte that was refused, from 0
  std::string detail;      // a sentence
};

class Document;

class Value {
 public:
  Value() = default;
  explicit operator bool() const { return document_ != nullptr; }  // false: there is no such value

  Kind kind() const;
  bool is(Kind kind) const { return *this && this->kind() == kind; }

  // A string's content; a number as it was written (integers in plain decimal form); else empty.
  std::string_view text() const;
  bool boolean() const;                         // false unless `true`
  std::optional<std::int64_t> integer() const;  // a number without fraction or exponent that fits

  // Of an array or object: how many there are, the first, a member by its key.
  std::size_t size() const;
  Value first() const;
  Value find(std::string_view key) const;

  // Of an element or member: its key (members only) and the one that follows.
  std::string_view key() const;
  Value next() const;

  std::string pointer() const;

 private:
  friend class Document;
  Value(const Document* document, std::uint32_t index) : document_(document), index_(index) {}
  const Document* document_ = nullptr;
  std::uint32_t index_ = 0;
};

class Document {
 public:
  Document() = default;
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;
  ~Document() { wipe(); }

  // Replaces the content. On an error the document is empty.
  std::optional<ParseError> parse(std::string_view text, std::size_t limit);

  Value root() const { return nodes_.empty() ? Value() : Value(this, 0); }

  // Zeroes the text of all values and forgets them; the memory is kept for the next parse.
  void wipe();

 private:
  friend class Value;
  friend class Builder;
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Node {
    Kind kind = Kind::null;
    bool yes = false, whole = false;
    std::uint32_t key_at = 0, key_size = 0, text_at = 0, text_size = 0;
    std::uint32_t parent = kNone, next = kNone, count = 0;
    std::int64_t number = 0;
  };
  std::string_view key_of(const Node& node) const { return std::string_view(text_).substr(node.key_at, node.key_size); }

  std::vector<Node> nodes_;  // in the order of the text: the first child follows its parent
  std::string text_;
};

// Appends `name` to a JSON pointer as one reference token (RFC 6901 section 3). A name of a
// document is foreign text: it is cut at 64 bytes and what is not printable ASCII becomes '?'.
void append_token(std::string& pointer, std::string_view name);

// The offset of the first byte that is not well-formed UTF-8 (RFC 3629), or nothing.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

}  // namespace postern::json
