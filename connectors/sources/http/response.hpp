// SPDX-License-Identifier: Apache-2.0
// Purpose: what a handler answers, problem details (RFC 9457), and how both are written as bytes.
// Used by: the server loop and its handlers. Threads: plain values. Ownership: a Response owns its
// text. Errors: a header value that holds a control character is left out, so that no answer can be
// split by what a vault or a client wrote. Limits: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::http {

struct Response {
  int status = 200;
  std::string_view type;  // of static storage; empty: no body is announced beyond its length
  std::string body;
  std::string fields;  // further header lines, each with its CR LF: use add()
  bool close = false;  // end the connection after this answer

  Response& add(std::string_view name, std::string_view value);
  Response& retry_after(unsigned seconds);
};

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kNdjson = "application/x-ndjson";
inline constexpr std::string_view kProblemJson = "application/problem+json";
inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

Response json_response(int status, std::string body);

// One fault of a request: where (JSON pointer into the body, or empty), a stable word, a sentence
// that holds no value of the message.
struct Fault {
  std::string pointer;
  std::string code;
  std::string detail;
};

// {"type":"urn:postern:problem:<code>","title":...,"status":...,"detail":...,"errors":[...]}
std::string problem_body(int status, std::string_view code, std::string_view detail,
                         const std::vector<Fault>& faults = {});
Response problem(int status, std::string_view code, std::string_view detail, const std::vector<Fault>& faults = {});

// "Unprocessable Content" (RFC 9110 section 15); "Unknown" for a status we never send.
std::string_view reason_phrase(int status);

struct WriteOptions {
  bool close = false;      // says that the connection ends
  bool head_only = false;  // answer to HEAD: its length is told, its body is not sent (RFC 9110 section 9.3.2)
};
// Appends the whole answer. `date` is an IMF-fixdate.
void write_response(std::string& out, const Response& response, std::string_view date, WriteOptions options);

// The time as RFC 9110 section 5.6.7 writes it: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(long long seconds_since_epoch);

}  // namespace postern::http
