// SPDX-License-Identifier: Apache-2.0
// Purpose: a small HTTPS server for HTTP/2 alone (RFC 9113, by libnghttp2), as the providers' interfaces
// are reached. Used by: the sandbox only; it is no part of a production package. Threads: one loop.
// Ownership: owns its connections; the handler outlives it. A Reply may be called after its connection
// or the server has gone; nothing happens then.
// Errors: open() says what is wrong; a client's fault ends that client's connection or stream.
// Limits: 1,000 streams of a connection, a body of 64 KiB, a header field of 16 KiB.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "crypto/result.hpp"

namespace postern::sandbox {

struct Http2Request {
  std::string method;
  std::string path;  // with its query
  std::string authorization;
  std::string body;
};

struct Http2Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> fields;  // lower-case names
  std::string body;                                         // application/json
};

class Http2Server {
 public:
  using Reply = std::function<void(Http2Response&&)>;  // to be called once, now or later
  using Handler = std::function<void(Http2Request&&, Reply)>;

  struct Options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;   // 0: any free one
    std::string certificate;  // PEM chain
    std::string key;
  };

  static Result<std::unique_ptr<Http2Server>> open(Loop& loop, const Options& options, Handler handler);
  ~Http2Server();
  Http2Server(const Http2Server&) = delete;
  Http2Server& operator=(const Http2Server&) = delete;

  std::uint16_t port() const;

 private:
  Http2Server();
  class Core;
  class Connection;
  std::unique_ptr<Core> core_;
};

}  // namespace postern::sandbox
