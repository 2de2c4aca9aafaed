// SPDX-License-Identifier: Apache-2.0
// Purpose: HTTP as the measuring programs speak it: streams to a loopback port with or without TLS, and messages cut out of a stream.
// Only for peers under measurement: lengths are believed up to kMostBody, chunked bodies are not understood.
// Used by: the load client and the null peers. Threads: one. Ownership: a Stream frees its bufferevent; its context outlives it.
// Errors: make_stream exits the program, since without a connection there is nothing to measure.
#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connectors/protocol/loop.hpp"

namespace postern::bench {

struct StreamFree {
  void operator()(bufferevent* stream) const { bufferevent_free(stream); }
};
using Stream = std::unique_ptr<bufferevent, StreamFree>;

// Connecting to 127.0.0.1; `tls` null: plain.
Stream make_stream(Loop& loop, SSL_CTX* tls, int port);
void no_delay(bufferevent* stream);

// The whole messages at the front of a buffer, one after the other.
class HttpReader {
 public:
  static constexpr std::size_t kMostBody = 16U << 20;
  // True when a message was taken: `head` and `body` are its parts.
  bool take(evbuffer* in);
  int status() const;               // of an answer
  std::string_view target() const;  // of a request
  std::string head, body;

 private:
  std::size_t body_left_ = 0;
  bool has_head_ = false;
};

}  // namespace postern::bench
