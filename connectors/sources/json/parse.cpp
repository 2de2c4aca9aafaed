// SPDX-License-Identifier: Apache-2.0
// The only file that includes nlohmann/json. Its reader is used for the grammar alone, event by event;
// depth, repeated keys and the limits are ours, because it knows none of them.
#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "connectors/sources/json/document.hpp"

namespace postern::json {

// Receives nlohmann's events. Every function returns false to stop the reading.
class Builder {
 public:
  explicit Builder(Document& document) : nodes_(document.nodes_), text_(document.text_) { error_.code = "malformed"; }

  bool null() { return add(Kind::null) != nullptr; }
  bool boolean(bool yes) {
    Document::Node* node = add(Kind::boolean);
    node->yes = yes;
    return true;
  }
  bool number_integer(std::int64_t value) {
    Document::Node* node = add(Kind::number);
    node->whole = true;
    node->number = value;
    set_text(*node, std::to_string(value));
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    Document::Node* node = add(Kind::number);
    node->whole = value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    node->number = node->whole ? static_cast<std::int64_t>(value) : 0;
    set_text(*node, std::to_string(value));
    return true;
  }
  bool number_float(double, const std::string& written) {
    set_text(*add(Kind::number), written);
    return true;
  }
  bool string(std::string& value) {
    set_text(*add(Kind::string), value);
    return true;
  }
  bool binary(nlohmann::json::binary_t&) { return false; }

  bool start_object(std::size_t) { return open(Kind::object); }
  bool start_array(std::size_t) { return open(Kind::array); }
  bool end_array() { return close(); }
  bool end_object() { return keys_differ() && close(); }
  bool key(std::string& name) {
    key_at_ = static_cast<std::uint32_t>(text_.size());
    key_size_ = static_cast<std::uint32_t>(name.size());
    text_ += name;
    return true;
  }

  // nlohmann's own text repeats what it read, which may be a customer's, so it is not used.
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) {
    const bool whole = stack_.empty() && !nodes_.empty();
    error_.code = whole ? "trailing-bytes" : "malformed";
    error_.detail = whole ? "Something follows the JSON value." : "The JSON breaks the grammar here (RFC 8259).";
    error_.pointer = place();
    return false;
  }

  const ParseError& error() const { return error_; }

 private:
  struct Level {
    std::uint32_t node, last_child;
  };

  Document::Node* add(Kind kind) {
    const auto index = static_cast<std::uint32_t>(nodes_.size());
    Document::Node node;
    node.kind = kind;
    if (!stack_.empty()) {
      Level& level = stack_.back();
      node.parent = level.node;
      if (nodes_[level.node].count++ > 0) nodes_[level.last_child].next = index;
      level.last_child = index;
      if (nodes_[level.node].kind == Kind::object) {
        node.key_at = key_at_;
        node.key_size = key_size_;
      }
    }
    key_at_ = key_size_ = 0;
    nodes_.push_back(node);
    return &nodes_.back();
  }

  void set_text(Document::Node& node, std::string_view value) {
    node.text_at = static_cast<std::uint32_t>(text_.size());
    node.text_size = static_cast<std::uint32_t>(value.size());
    text_ += value;
  }

  bool open(Kind kind) {
    add(kind);
    stack_.push_back({static_cast<std::uint32_t>(nodes_.size() - 1), 0});
    if (stack_.size() <= kMaxDepth) return true;
    error_ = {"too-deep", place(), 0, "The JSON is nested deeper than " + std::to_string(kMaxDepth) + " levels."};
    return false;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  // Few keys are compared one with another; many are sorted, so that a hostile object costs n log n.
  bool keys_differ() {
    const Document::Node& object = nodes_[stack_.back().node];
    keys_.clear();
    std::uint32_t child = object.count == 0 ? Document::kNone : stack_.back().node + 1;
    for (; child != Document::kNone; child = nodes_[child].next)
      keys_.push_back(std::string_view(text_).substr(nodes_[child].key_at, nodes_[child].key_size));
    std::string_view repeated;
    bool found = false;
    if (keys_.size() <= 12) {
      for (std::size_t i = 1; i < keys_.size() && !found; ++i)
        for (std::size_t j = 0; j < i && !found; ++j)
          if (keys_[i] == keys_[j]) repeated = keys_[i], found = true;
    } else {
      std::sort(keys_.begin(), keys_.end());
      const auto twice = std::adjacent_find(keys_.begin(), keys_.end());
      if (twice != keys_.end()) repeated = *twice, found = true;
    }
    if (!found) return true;
    key_size_ = 0;
    error_ = {"repeated-key", place(), 0, "A key stands twice in one object."};
    append_token(error_.pointer, repeated);
    return false;
  }

  // The pointer of what is being read.
  std::string place() const {
    std::string pointer;
    for (std::size_t i = 0; i < stack_.size(); ++i) {
      const Document::Node& node = nodes_[stack_[i].node];
      if (node.kind == Kind::array) {
        const bool inside = i + 1 < stack_.size();
        append_token(pointer, std::to_string(inside && node.count > 0 ? node.count - 1 : node.count));
      } else if (i + 1 < stack_.size()) {
        const Document::Node& child = nodes_[stack_[i + 1].node];
        append_token(pointer, std::string_view(text_).substr(child.key_at, child.key_size));
      } else if (key_size_ > 0) {
        append_token(pointer, std::string_view(text_).substr(key_at_, key_size_));
      }
    }
    return pointer;
  }

  std::vector<Document::Node>& nodes_;
  std::string& text_;
  std::vector<Level> stack_;
  std::vector<std::string_view> keys_;
  std::uint32_t key_at_ = 0, key_size_ = 0;
  ParseError error_;
};

namespace {

// Tells how far nlohmann has read, also when an event stopped it.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

}  // namespace

std::optional<ParseError> Document::parse(std::string_view text, std::size_t limit) {
  wipe();
  const std::size_t most = std::min(limit, kMaxSize);
  if (text.empty()) return ParseError{"empty", "", 0, "There is no JSON."};
  if (text.size() > most)
    return ParseError{"too-large", "", most, "The JSON is larger than " + std::to_string(most) + " bytes."};
  if (const auto bad = find_invalid_utf8(text))
    return ParseError{"not-utf8", "", *bad, "The bytes are not UTF-8 (RFC 3629)."};
  // nlohmann skips a byte order mark and takes a NUL for the end of the input.
  if (text.starts_with("\xef\xbb\xbf")) return ParseError{"malformed", "", 0, "A byte order mark is not taken."};
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    return ParseError{"malformed", "", nul, "A NUL byte is not taken."};

  // Decoded text is never longer than the source, so one reservation leaves no stray copies behind.
  text_.reserve(text.size());
  const char* reached = text.data();
  Builder builder(*this);
  bool good = false;
  try {
    good = nlohmann::json::sax_parse(CountingIterator(text.data(), &reached),
                                     CountingIterator(text.data() + text.size(), &reached), &builder);
  } catch (const nlohmann::json::exception&) {
    good = false;
  }
  if (good) return std::nullopt;
  ParseError error = builder.error();
  const auto read = static_cast<std::size_t>(reached - text.data());
  error.offset = read > 0 ? read - 1 : 0;
  wipe();
  return error;
}

}  // namespace postern::json
