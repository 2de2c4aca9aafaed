// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/request_parser.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "connectors/sources/http/characters.hpp"
#include "crypto/secret.hpp"

namespace postern::http {
namespace {

// Fields with a meaning for this product or for the providers that call it back. A second one could
// be read differently by whatever stands in front of us, so it is refused. The first eight may not be
// named by Connection either, which would ask an intermediary to remove them.
constexpr std::array<std::string_view, 22> kSingleFields = {"host",
                                                            "content-length",
                                                            "transfer-encoding",
                                                            "content-type",
                                                            "authorization",
                                                            "idempotency-key",
                                                            "expect",
                                                            "content-encoding",
                                                            "date",
                                                            "user-agent",
                                                            "origin",
                                                            "if-match",
                                                            "if-none-match",
                                                            "x-hub-signature-256",
                                                            "x-hub-signature",
                                                            "x-viber-content-signature",
                                                            "x-telegram-bot-api-secret-token",
                                                            "webhook-id",
                                                            "webhook-timestamp",
                                                            "webhook-signature",
                                                            "x-signature",
                                                            "x-api-key"};
constexpr std::size_t kNeverNamedByConnection = 8;
constexpr std::size_t kNoField = kSingleFields.size();

// Room for the method and the version beside the target.
constexpr std::size_t kRequestLineExtra = 64;
constexpr std::size_t kMaxMethod = 32;
// A chunk size of eight hexadecimal digits is over any body limit.
constexpr std::size_t kMaxChunkDigits = 8;

// The index of a field name in kSingleFields. An underscore is taken for a hyphen here, because
// gateways that map names to variables cannot tell them apart.
std::size_t single_field(std::string_view name) {
  for (std::size_t i = 0; i < kSingleFields.size(); ++i) {
    const std::string_view known = kSingleFields[i];
    if (known.size() != name.size()) continue;
    if (std::equal(known.begin(), known.end(), name.begin(),
                   [](char k, char n) { return k == n || (k == '-' && n == '_'); }))
      return i;
  }
  return kNoField;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return to_lower(a) == b; });
}

bool is_http_version(std::string_view text) {
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' && is_digit(text[7]);
}

// RFC 3986 section 3.2: host, port, and the brackets of an address literal; no user information.
bool good_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

bool good_query(std::string_view query) {
  for (std::size_t i = 0; i < query.size(); ++i) {
    if (query[i] == '%') {
      if (i + 2 >= query.size() || hex_value(query[i + 1]) < 0 || hex_value(query[i + 2]) < 0) return false;
      i += 2;
    } else if (!is_path_character(query[i]) && query[i] != '/' && query[i] != '?') {
      return false;
    }
  }
  return true;
}

}  // namespace

bool normal_path(std::string_view path, std::size_t names_at) {
  if (path.empty() || path.front() != '/') return false;
  std::size_t segment = 1;
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (i == path.size() || path[i] == '/') {
      const std::string_view name = path.substr(segment, i - segment);
      if (name == "." || name == ".." || (name.empty() && i != path.size())) return false;
      segment = i + 1;
    } else if (path[i] == '%') {
      const int high = i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
      const int low = i + 2 < path.size() ? hex_value(path[i + 2]) : -1;
      if (high < 0 || low < 0) return false;
      const char meant = static_cast<char>(high * 16 + low);
      if (is_control(meant) || is_unreserved(meant)) return false;
      if (i < names_at && (meant == '/' || meant == '\\' || meant == '%')) return false;
      i += 2;
    } else if (!is_path_character(path[i])) {
      return false;
    }
  }
  return true;
}

std::string_view Request::field(std::string_view name) const {
  for (const Field& f : fields)
    if (f.name == name) return f.value;
  return {};
}

bool Request::has_field(std::string_view name) const {
  return std::any_of(fields.begin(), fields.end(), [name](const Field& f) { return f.name == name; });
}

std::size_t RequestParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    if (state_ == State::head) {
      used += take_head(rest);
    } else if (state_ == State::body) {
      used += chunked_ ? take_chunked(rest) : take_sized(rest);
    } else {
      break;
    }
  }
  return used;
}

std::size_t RequestParser::take_head(std::string_view bytes) {
  const bool first_line = line_at_ == 0;
  const std::size_t limit =
      first_line ? std::min(limits_.head_bytes, limits_.target_bytes + kRequestLineExtra) : limits_.head_bytes;
  if (head_.size() >= limit) {
    if (first_line)
      fail(414, "target-too-long", "The request target is longer than this server takes.");
    else
      fail(431, "head-too-large", "The header fields are larger than this server takes.");
    return 0;
  }
  const std::size_t take = std::min(limit - head_.size(), bytes.size());
  const void* newline = std::memchr(bytes.data(), '\n', take);
  const std::size_t count =
      newline ? static_cast<std::size_t>(static_cast<const char*>(newline) - bytes.data()) + 1 : take;
  head_.append(bytes.data(), count);
  if (!newline) return count;

  // RFC 9112 section 2.2 lets a reader take a bare LF as a line end; readers differ there, so we refuse.
  const std::size_t size = head_.size() - line_at_;
  if (size < 2 || head_[head_.size() - 2] != '\r')
    fail(400, "bare-lf", "A line of the request head does not end with CR LF.");
  else
    read_line(line_at_, size - 2);
  line_at_ = head_.size();
  return count;
}

void RequestParser::read_line(std::size_t at, std::size_t size) {
  const std::string_view line(head_.data() + at, size);
  if (at == 0)
    read_request_line(line);
  else if (line.empty())
    finish_head();
  else
    read_field(at, line);
}

void RequestParser::read_request_line(std::string_view line) {
  constexpr std::string_view kMalformed = "The request line must be: method, space, path, space, HTTP/1.1.";
  const std::size_t first = line.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return fail(400, "request-line", kMalformed);
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (method.empty() || method.size() > kMaxMethod || !std::all_of(method.begin(), method.end(), is_token_character))
    return fail(400, "request-line", kMalformed);
  if (!is_http_version(version)) return fail(400, "request-line", kMalformed);
  if (version != "HTTP/1.1") return fail(505, "http-version", "This server speaks HTTP/1.1 only.");
  if (target.size() > limits_.target_bytes)
    return fail(414, "target-too-long", "The request target is longer than this server takes.");

  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  const std::string_view names = limits_.names_below;
  const std::size_t names_at = !names.empty() && path.starts_with(names) ? names.size() : std::string_view::npos;
  if (!normal_path(path, names_at) || !good_query(query))
    return fail(400, "target", "The request target must be a normal path that begins with '/'.");
  method_size_ = method.size();
  path_at_ = first + 1;
  path_size_ = path.size();
  query_at_ = path_at_ + path_size_ + (query.data() ? 1 : 0);
  query_size_ = query.size();
}

void RequestParser::read_field(std::size_t at, std::string_view line) {
  if (places_.size() >= limits_.fields)
    return fail(431, "too-many-fields", "The request has more header fields than this server takes.");
  const std::size_t colon = line.find(':');
  // A line that begins with white space (obs-fold, RFC 9112 section 5.2) or has it before the colon
  // (section 5.1) fails here, because white space is no token character.
  if (colon == std::string_view::npos || colon == 0 ||
      !std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), is_token_character))
    return fail(400, "field-name",
                "A header field name holds a character that is not allowed, or no colon follows it.");
  const std::string_view value = trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_character))
    return fail(400, "field-value", "A header field value holds a control character.");

  std::transform(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon),
                 head_.begin() + static_cast<std::ptrdiff_t>(at), to_lower);
  const std::string_view name(head_.data() + at, colon);
  if (!read_known_field(name, value)) return;
  places_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(colon),
                     static_cast<std::uint32_t>(value.data() - head_.data()),
                     static_cast<std::uint32_t>(value.size())});
}

bool RequestParser::read_known_field(std::string_view name, std::string_view value) {
  const std::size_t index = single_field(name);
  if (index != kNoField) {
    if (name != kSingleFields[index]) {
      fail(400, "field-name", "A header field name is written with an underscore in place of a hyphen.");
      return false;
    }
    if (seen_ & (1U << index)) {
      fail(400, "repeated-field", "A header field that may stand only once is repeated.");
      return false;
    }
    seen_ |= 1U << index;
  }
  if (name == "host") {
    if (!good_host(value)) fail(400, "host", "The Host field is empty or holds a character that is not allowed.");
  } else if (name == "content-length") {
    const bool plain = !value.empty() && value.size() <= 15 && std::all_of(value.begin(), value.end(), is_digit) &&
                       (value.size() == 1 || value.front() != '0');
    if (!plain) {
      fail(400, "content-length", "Content-Length must be one plain decimal number.");
    } else {
      has_length_ = true;
      for (const char digit : value) length_ = length_ * 10 + static_cast<std::uint64_t>(digit - '0');
    }
  } else if (name == "transfer-encoding") {
    if (value != "chunked")
      fail(400, "transfer-encoding", "The only Transfer-Encoding taken is: chunked.");
    else
      chunked_ = true;
  } else if (name == "expect") {
    if (!equal_ignoring_case(value, "100-continue"))
      fail(417, "expectation", "The only expectation taken is: 100-continue.");
    else
      expects_continue_ = true;
  } else if (name == "trailer") {
    fail(400, "trailer", "Trailer fields are not taken.");
  } else if (name == "connection") {
    while (state_ == State::head && !value.empty()) {
      const std::size_t comma = value.find(',');
      const std::string_view option = trim(value.substr(0, comma));
      value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
      if (equal_ignoring_case(option, "close")) keep_alive_ = false;
      for (std::size_t i = 0; i < kNeverNamedByConnection; ++i)
        if (equal_ignoring_case(option, kSingleFields[i]))
          fail(400, "connection", "The Connection field names a field that must reach this server.");
    }
  }
  return state_ == State::head;
}

void RequestParser::finish_head() {
  if (!(seen_ & 1U)) return fail(400, "host", "The Host field is missing.");
  if (has_length_ && chunked_)
    return fail(400, "two-lengths", "Content-Length and Transfer-Encoding may not stand together.");
  fields_.clear();
  const std::string_view head = head_;
  for (const Place& p : places_)
    fields_.push_back({head.substr(p.name_at, p.name_size), head.substr(p.value_at, p.value_size)});
  request_ = Request{head.substr(0, method_size_),
                     head.substr(path_at_, path_size_),
                     head.substr(query_at_, query_size_),
                     fields_,
                     {},
                     nullptr};
  state_ = State::admit;
}

void RequestParser::admit(std::size_t limit) {
  if (state_ != State::admit) return;
  body_limit_ = limit;
  if (length_ > limit) return fail(413, "body-too-large", "The body is larger than this route takes.");
  if (!has_body()) return complete();
  // A declared length alone reserves little: memory follows what has really arrived.
  body_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(length_, 16 * 1024)));
  state_ = State::body;
}

std::size_t RequestParser::take_sized(std::string_view bytes) {
  const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(length_ - body_.size(), bytes.size()));
  body_.append(bytes.data(), take);
  if (body_.size() == length_) complete();
  return take;
}

// RFC 9112 section 7.1 without extensions and trailers:
//   *( 1*8HEXDIG CRLF data CRLF ) 1*8"0" CRLF CRLF
std::size_t RequestParser::take_chunked(std::string_view bytes) {
  if (chunk_ == Chunk::data) {
    const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, bytes.size()));
    body_.append(bytes.data(), take);
    chunk_left_ -= take;
    if (chunk_left_ == 0) chunk_ = Chunk::data_end;
    return take;
  }
  const char c = bytes.front();
  if (chunk_ == Chunk::size) {
    if (c == '\n') {
      finish_chunk_size();
    } else if (chunk_line_.size() > kMaxChunkDigits || (!chunk_line_.empty() && chunk_line_.back() == '\r') ||
               (c != '\r' && hex_value(c) < 0)) {
      fail(400, "chunk", "A chunk size is not plain hexadecimal digits; chunk extensions are not taken.");
    } else {
      chunk_line_.push_back(c);
    }
    return 1;
  }
  // After the data of a chunk, and after the last chunk, exactly CR LF stands.
  if (c != (chunk_line_.empty() ? '\r' : '\n')) {
    fail(400, "chunk", "A chunk does not end with CR LF, or trailer fields follow the last one.");
  } else if (chunk_line_.empty()) {
    chunk_line_.push_back(c);
  } else if (chunk_ == Chunk::last_end) {
    complete();
  } else {
    chunk_line_.clear();
    chunk_ = Chunk::size;
  }
  return 1;
}

void RequestParser::finish_chunk_size() {
  if (chunk_line_.size() < 2 || chunk_line_.back() != '\r')
    return fail(400, "chunk", "A chunk size is missing or does not end with CR LF.");
  chunk_line_.pop_back();
  std::uint64_t size = 0;
  for (const char digit : chunk_line_) size = size * 16 + static_cast<std::uint64_t>(hex_value(digit));
  chunk_line_.clear();
  if (size > body_limit_ - body_.size())
    return fail(413, "body-too-large", "The body is larger than this route takes.");
  chunk_left_ = size;
  chunk_ = size == 0 ? Chunk::last_end : Chunk::data;
}

void RequestParser::complete() {
  request_.body = body_;
  state_ = State::complete;
}

void RequestParser::reset() {
  // A body holds texts and numbers of customers: it does not stay behind in memory.
  wipe_text(body_);
  if (body_.capacity() > 16 * 1024) body_ = {};
  head_.clear();
  line_at_ = method_size_ = path_at_ = path_size_ = query_at_ = query_size_ = 0;
  places_.clear();
  fields_.clear();
  request_ = {};
  seen_ = 0;
  has_length_ = chunked_ = expects_continue_ = false;
  keep_alive_ = true;
  length_ = 0;
  body_limit_ = 0;
  chunk_ = Chunk::size;
  chunk_left_ = 0;
  chunk_line_.clear();
  if (state_ != State::failed) state_ = State::head;
}

void RequestParser::fail(int status, std::string_view code, std::string_view detail) {
  if (state_ == State::failed) return;
  state_ = State::failed;
  failure_ = {status, code, detail};
  keep_alive_ = false;
}

}  // namespace postern::http
