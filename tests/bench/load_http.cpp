// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/load_http.hpp"

#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "crypto/tls.hpp"

namespace postern::bench {

Stream make_stream(Loop& loop, SSL_CTX* tls, int port) {
  Stream stream;
  if (tls != nullptr) {
    Result<SslHandle> ssl = make_client_ssl(tls, "127.0.0.1");
    if (!ssl) std::fprintf(stderr, "%s\n", ssl.what().c_str()), std::exit(2);
    stream.reset(bufferevent_openssl_socket_new(loop.base(), -1, ssl->release(), BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE));
  } else {
    stream.reset(bufferevent_socket_new(loop.base(), -1, BEV_OPT_CLOSE_ON_FREE));
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!stream || bufferevent_socket_connect(stream.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    std::fprintf(stderr, "no socket to 127.0.0.1:%d\n", port), std::exit(2);
  return stream;
}

void no_delay(bufferevent* stream) {
  const int one = 1;
  setsockopt(bufferevent_getfd(stream), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

bool HttpReader::take(evbuffer* in) {
  if (!has_head_) {
    const evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, nullptr);
    if (end.pos < 0) return false;
    head.resize(static_cast<std::size_t>(end.pos) + 4);
    evbuffer_remove(in, head.data(), head.size());
    const char* length = strcasestr(head.c_str(), "\r\ncontent-length:");
    body_left_ = length == nullptr ? 0 : std::min(static_cast<std::size_t>(std::strtoul(length + 17, nullptr, 10)), kMostBody);
    has_head_ = true;
  }
  if (evbuffer_get_length(in) < body_left_) return false;
  body.resize(body_left_);
  evbuffer_remove(in, body.data(), body.size());
  has_head_ = false;
  return true;
}

int HttpReader::status() const { return head.size() > 12 ? std::atoi(head.c_str() + 9) : 0; }

std::string_view HttpReader::target() const {
  const std::size_t begin = head.find(' ') + 1, end = head.find(' ', begin);
  return end == std::string::npos ? std::string_view() : std::string_view(head).substr(begin, end - begin);
}

}  // namespace postern::bench
