// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/json/document.hpp"

#include <algorithm>
#include <cstring>

#include "crypto/secret.hpp"

namespace postern::json {

Kind Value::kind() const { return document_ ? document_->nodes_[index_].kind : Kind::null; }

std::string_view Value::text() const {
  if (!document_) return {};
  const Document::Node& node = document_->nodes_[index_];
  return std::string_view(document_->text_).substr(node.text_at, node.text_size);
}

bool Value::boolean() const { return document_ && document_->nodes_[index_].yes; }

std::optional<std::int64_t> Value::integer() const {
  if (!document_ || !document_->nodes_[index_].whole) return std::nullopt;
  return document_->nodes_[index_].number;
}

std::size_t Value::size() const { return document_ ? document_->nodes_[index_].count : 0; }

Value Value::first() const { return size() == 0 ? Value() : Value(document_, index_ + 1); }

Value Value::find(std::string_view key) const {
  if (!is(Kind::object)) return {};
  Value member = first();
  while (member && member.key() != key) member = member.next();
  return member;
}

std::string_view Value::key() const {
  return document_ ? document_->key_of(document_->nodes_[index_]) : std::string_view();
}

Value Value::next() const {
  if (!document_) return {};
  const std::uint32_t following = document_->nodes_[index_].next;
  return following == Document::kNone ? Value() : Value(document_, following);
}

std::string Value::pointer() const {
  if (!document_) return {};
  const Document::Node& node = document_->nodes_[index_];
  if (node.parent == Document::kNone) return {};
  std::string path = Value(document_, node.parent).pointer();
  if (document_->nodes_[node.parent].kind == Kind::object) {
    append_token(path, document_->key_of(node));
  } else {
    std::size_t at = 0;
    for (Value v = Value(document_, node.parent).first(); v && v.index_ != index_; v = v.next()) ++at;
    append_token(path, std::to_string(at));
  }
  return path;
}

void Document::wipe() {
  constexpr std::size_t kNodesKept = 4096;
  constexpr std::size_t kTextKept = 64 * 1024;
  wipe_text(text_);
  if (text_.capacity() > kTextKept) text_ = {};
  if (nodes_.capacity() > kNodesKept) nodes_ = {};
  nodes_.clear();
}

void append_token(std::string& pointer, std::string_view name) {
  constexpr std::size_t kMaxName = 64;
  pointer.push_back('/');
  for (const char c : name.substr(0, kMaxName)) {
    if (c == '~')
      pointer += "~0";
    else if (c == '/')
      pointer += "~1";
    else
      pointer.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  }
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  const auto byte = [text](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const auto follows = [&byte](std::size_t at, unsigned low, unsigned high) {
    return byte(at) >= low && byte(at) <= high;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    // Most text is ASCII: eight bytes at a time.
    std::uint64_t word = 0;
    if (at + sizeof word <= text.size()) {
      std::memcpy(&word, text.data() + at, sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        at += sizeof word;
        continue;
      }
    }
    // RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF.
    const unsigned c = byte(at);
    std::size_t size = 0;
    if (c < 0x80)
      size = 1;
    else if (c >= 0xc2 && c <= 0xdf && follows(at + 1, 0x80, 0xbf))
      size = 2;
    else if (c >= 0xe0 && c <= 0xef && follows(at + 1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) &&
             follows(at + 2, 0x80, 0xbf))
      size = 3;
    else if (c >= 0xf0 && c <= 0xf4 && follows(at + 1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) &&
             follows(at + 2, 0x80, 0xbf) && follows(at + 3, 0x80, 0xbf))
      size = 4;
    else
      return at;
    at += size;
  }
  return std::nullopt;
}

}  // namespace postern::json
