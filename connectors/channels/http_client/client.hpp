// SPDX-License-Identifier: Apache-2.0
// Purpose: HTTPS requests to providers (libcurl multi on our loop), whose outcome says the one thing a
// gateway must know: was the request answered, never sent, or is it in doubt.
// Used by: the channels over HTTP and the sandbox. Threads: one loop.
// Ownership: the Client outlives no loop; destroying it drops requests under way without a callback.
// Security: HTTPS only, no redirects, TLS 1.2 with ECDHE and AEAD or TLS 1.3, the server's chain against the
// given CA file alone and its name against the URL; environment proxies are ignored. Bearer tokens come
// from a Secret and are wiped from every buffer of ours. Half a second after the last request every connection is ended, since the
// libraries keep its last frames as long as it lives.
// Errors and limits: see Outcome. An answer is at most `max_answer` bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "crypto/result.hpp"
#include "crypto/secret.hpp"

namespace postern::http_client {

struct ClientSettings {
  std::string ca;           // PEM file: the only roots trusted
  std::string certificate;  // PEM chain of our client certificate, with `key`; empty: none
  std::string key;
  std::string proxy;  // "http://host:port"; empty: none, whatever the environment says
  std::chrono::milliseconds connect_timeout{5'000};
  long connections = 4;  // to one host; HTTP/2 shares each among many requests
  bool http2 = true;     // false: HTTP/1.1 only, one request at a time on each connection
  std::size_t max_answer = 256 * 1024;
};

enum class Method { get, post };

struct Request {
  Method method = Method::post;
  std::string url;                            // https://, without any credential
  std::vector<std::string> headers;           // "Name: value"; nothing secret
  const Secret* bearer = nullptr;             // Authorization: Bearer; read during send() only
  std::string body;                           // wiped when the request ends
  std::chrono::milliseconds timeout{15'000};  // from send() to the whole answer
  std::int64_t not_after_ms = 0;              // Unix ms after which the request must not leave any more; 0: never
};

struct Outcome {
  enum class Kind {
    answered,  // `status` and `body` are the whole answer
    not_sent,  // no byte of the request left this host
    in_doubt,  // the request left, wholly or in part, and no whole answer came
  };
  Kind kind = Kind::not_sent;
  int status = 0;
  std::optional<std::chrono::seconds> retry_after;
  std::string body;
  std::string
      why;  // not answered: "resolve", "connect", "tls", "timeout", "closed", "late", "answer-too-large", "other"
};

class Client {
 public:
  using Done = std::function<void(Outcome&&)>;
  using Ticket = std::uint64_t;

  // Errors: an unreadable CA or certificate file, a URL in `proxy` that is none.
  static Result<std::unique_ptr<Client>> make(Loop& loop, ClientSettings settings);
  virtual ~Client() = default;

  // Starts a request; `done` is called once, never from inside send(). A request is never sent twice:
  // where libcurl would repeat it on a new connection, the outcome is in_doubt.
  virtual Ticket send(Request&& request, Done done) = 0;

  // Takes back a request that has not left: true, and `done` is not called. False: too late.
  virtual bool withdraw(Ticket ticket) = 0;

  virtual std::size_t under_way() const = 0;
};

}  // namespace postern::http_client
