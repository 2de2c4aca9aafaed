// SPDX-License-Identifier: Apache-2.0
// Purpose: runs bytes through a RequestParser as the server does. Used by: the parser's tests.
// Threads: pure functions. Ownership: values. Errors: in the outcome. Limits: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/sources/http/request_parser.hpp"

namespace postern::http {

struct Parsed {
  std::string method, path, query, body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool keep_alive = true, expects_continue = false;
  bool operator==(const Parsed&) const = default;
};

struct ParseOutcome {
  std::vector<Parsed> requests;
  int status = 0;  // of the failure, 0: none
  std::string code;
  bool mid_request = false;
  bool operator==(const ParseOutcome&) const = default;
};

// Feeds the pieces one after the other.
inline ParseOutcome parse_pieces(const std::vector<std::string_view>& pieces, std::size_t body_limit = 64 * 1024,
                                 ParserLimits limits = {}) {
  RequestParser parser(limits);
  ParseOutcome outcome;
  for (std::string_view piece : pieces) {
    while (!piece.empty() && parser.state() != RequestParser::State::failed) {
      piece.remove_prefix(parser.feed(piece));
      if (parser.state() == RequestParser::State::admit) parser.admit(body_limit);
      if (parser.state() != RequestParser::State::complete) continue;
      const Request& r = parser.request();
      Parsed parsed{std::string(r.method), std::string(r.path),      std::string(r.query), std::string(r.body), {},
                    parser.keep_alive(),   parser.expects_continue()};
      for (const Field& f : r.fields) parsed.fields.emplace_back(f.name, f.value);
      outcome.requests.push_back(std::move(parsed));
      parser.reset();
    }
  }
  if (parser.state() == RequestParser::State::failed) {
    outcome.status = parser.failure().status;
    outcome.code = parser.failure().code;
  }
  outcome.mid_request = !parser.fresh();
  return outcome;
}

inline ParseOutcome parse_whole(std::string_view bytes, std::size_t body_limit = 64 * 1024) {
  return parse_pieces({bytes}, body_limit);
}

inline ParseOutcome parse_byte_by_byte(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  return parse_pieces(pieces);
}

}  // namespace postern::http
