// SPDX-License-Identifier: Apache-2.0
// Purpose: reads one HTTP/1.1 request from bytes, in the small and strict subset that this product
// serves. Used by: the server loop of postern-https and postern-hook. Threads: a plain value, no I/O.
// Ownership: the parser owns what it read; a Request views it and ends with reset().
// Errors: a request that two readers could understand differently is never served (RFC 9112 section
// 11): the parser fails with the status to answer, and the connection must close. The same bytes give
// the same result however they are split.
// Limits: ParserLimits for the head; the body's limit is told by the caller once the head is known.
//
// Refused with 400: a line that does not end with CRLF, obs-fold, a field name that is not a token
// (a space before the colon included), a control character in a value, a missing, repeated or odd
// Host, more than one Content-Length or one that is not plain digits, Content-Length together with
// Transfer-Encoding, any Transfer-Encoding but exactly "chunked", chunk extensions and trailers, a
// repeated field that has a meaning here, a Connection field that names such a field, any target
// but a normal origin-form path. 414: target too long. 431: head too large. 417: an expectation
// other than 100-continue. 505: another HTTP version. 413: body over the caller's limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::http {

struct Peer;

struct Field {
  std::string_view name;  // lower case
  std::string_view value;
};

// One request as its handler sees it.
struct Request {
  std::string_view method;
  std::string_view path;   // as sent: percent-encoding is kept, and is in normal form
  std::string_view query;  // without '?'
  std::span<const Field> fields;
  std::string_view body;
  const Peer* peer = nullptr;  // who sent it; set by the server

  // The value of the first field of that name (lower case), empty when absent. Fields that have a
  // meaning here cannot be repeated; kSingleFields in request_parser.cpp lists them.
  std::string_view field(std::string_view name) const;
  bool has_field(std::string_view name) const;
};

struct ParserLimits {
  std::size_t head_bytes = 16 * 1024;   // request line and fields
  std::size_t target_bytes = 4 * 1024;  // path and query
  std::size_t fields = 64;
  // A path whose segments beyond it are names that may hold an encoded '/', '\' or '%': whoever serves
  // it decodes each once. Of static storage; empty: there is none.
  std::string_view names_below = {};
};

class RequestParser {
 public:
  // head: reading the head. admit: the head is complete and waits for admit(). body: reading the
  // body. complete: a request is there until reset(). failed: for good.
  enum class State { head, admit, body, complete, failed };

  // Why a request was refused: a status, a stable word and a sentence, all of static storage.
  struct Failure {
    int status = 0;
    std::string_view code;
    std::string_view detail;
  };

  explicit RequestParser(ParserLimits limits = {}) : limits_(limits) {}

  // Takes bytes and says how many it used. It stops early when the state becomes admit, complete or
  // failed, and uses nothing in these states.
  std::size_t feed(std::string_view bytes);

  // In state admit: accepts a body of at most `limit` bytes. The state becomes body, complete (there
  // is none) or failed (413).
  void admit(std::size_t limit);

  // Forgets the request, wiping its body, and reads the next one.
  void reset();

  State state() const { return state_; }
  bool fresh() const { return state_ == State::head && head_.empty(); }
  const Failure& failure() const { return failure_; }

  // From state admit on.
  const Request& request() const { return request_; }
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const { return expects_continue_; }
  bool chunked() const { return chunked_; }
  std::uint64_t declared_body() const { return length_; }  // 0 when chunked
  bool has_body() const { return chunked_ || length_ > 0; }

 private:
  enum class Chunk { size, data, data_end, last_end };
  struct Place {
    std::uint32_t name_at, name_size, value_at, value_size;
  };

  std::size_t take_head(std::string_view bytes);
  std::size_t take_sized(std::string_view bytes);
  std::size_t take_chunked(std::string_view bytes);
  void read_line(std::size_t at, std::size_t size);
  void read_request_line(std::string_view line);
  void read_field(std::size_t at, std::string_view line);
  bool read_known_field(std::string_view name, std::string_view value);
  void finish_head();
  void finish_chunk_size();
  void complete();
  void fail(int status, std::string_view code, std::string_view detail);

  ParserLimits limits_;
  State state_ = State::head;
  Failure failure_;

  std::string head_;
  std::size_t line_at_ = 0;  // where the line being read begins in head_
  std::size_t method_size_ = 0, path_at_ = 0, path_size_ = 0, query_at_ = 0, query_size_ = 0;
  std::vector<Place> places_;
  std::vector<Field> fields_;
  Request request_;

  std::uint32_t seen_ = 0;  // bit for each of kSingleFields
  bool has_length_ = false, chunked_ = false, keep_alive_ = true, expects_continue_ = false;
  std::uint64_t length_ = 0;

  std::string body_;
  std::size_t body_limit_ = 0;
  Chunk chunk_ = Chunk::size;
  std::uint64_t chunk_left_ = 0;
  std::string chunk_line_;
};

// True when `path` begins with '/', holds only characters that RFC 3986 allows there and is normal:
// no empty or dot segment, no encoded character that could have been written plainly or that
// changes the path ('/', '\', '%', '.'), no encoded control character. From `names_at` on an encoded
// '/', '\' or '%' is part of its segment.
bool normal_path(std::string_view path, std::size_t names_at = std::string_view::npos);

}  // namespace postern::http
