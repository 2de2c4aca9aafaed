// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/http2_server.hpp"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "crypto/bytes.hpp"
#include "crypto/tls.hpp"

namespace postern::sandbox {
namespace {

constexpr std::size_t kMaxBody = 64 * 1024;
constexpr std::uint32_t kMaxStreams = 1000;
constexpr std::int32_t kConnectionWindow = 16 * 1024 * 1024;

struct ListenerFree {
  void operator()(evconnlistener* listener) const { evconnlistener_free(listener); }
};
struct BuffereventFree {
  void operator()(bufferevent* buffer) const { bufferevent_free(buffer); }
};
struct SessionFree {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};

// RFC 7301: "h2" or no connection at all.
int choose_h2(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
              void*) {
  for (unsigned at = 0; at < in_size && at + 1 + in[at] <= in_size; at += 1u + in[at]) {
    if (in[at] == 2 && in[at + 1] == 'h' && in[at + 2] == '2') {
      *out = in + at + 1;
      *out_size = 2;
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// nghttp2 takes writable pointers and copies what they point to.
nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

class Http2Server::Core {
 public:
  Core(Loop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)), alive_(std::make_shared<bool>(true)) {}
  ~Core() { *alive_ = false; }
  Status start(const Options& options);
  std::uint16_t port() const { return port_; }
  Loop& loop() { return loop_; }
  const Handler& handler() const { return handler_; }
  void forget(Connection* connection) { connections_.erase(connection); }
  std::shared_ptr<bool> alive() const { return alive_; }

 private:
  void accept(int fd);

  Loop& loop_;
  Handler handler_;
  SslContext context_;
  std::unique_ptr<evconnlistener, ListenerFree> listener_;
  std::uint16_t port_ = 0;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::shared_ptr<bool> alive_;
};

class Http2Server::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Core& core, int fd, SSL* ssl)
      : core_(core),
        buffer_(bufferevent_openssl_socket_new(core.loop().base(), fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                               BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)) {}

  bool begin() {
    if (!buffer_) return false;
    bufferevent_setcb(buffer_.get(), on_read, nullptr, on_event, this);
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    session_.reset(session);
    const std::array<nghttp2_settings_entry, 1> settings{{{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams}}};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    bufferevent_enable(buffer_.get(), EV_READ | EV_WRITE);
    return true;
  }

 private:
  struct Stream {
    Http2Request request;
    std::string answer;
    std::size_t answered = 0;
  };

  static Connection& of(void* self) { return *static_cast<Connection*>(self); }

  static void on_read(bufferevent*, void* self) { of(self).read(); }

  static void on_event(bufferevent*, short what, void* self) {
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) of(self).close();
    if ((what & BEV_EVENT_CONNECTED) != 0) of(self).flush();
  }

  void read() {
    const auto keep = shared_from_this();
    evbuffer* in = bufferevent_get_input(buffer_.get());
    while (const std::size_t size = evbuffer_get_contiguous_space(in)) {
      const ssize_t used =
          nghttp2_session_mem_recv(session_.get(), evbuffer_pullup(in, static_cast<ev_ssize_t>(size)), size);
      if (used < 0) return close();
      evbuffer_drain(in, static_cast<std::size_t>(used));
    }
    flush();
  }

  void flush() {
    out_.clear();
    const std::uint8_t* bytes = nullptr;
    ssize_t size = 0;
    while ((size = nghttp2_session_mem_send(session_.get(), &bytes)) > 0)
      out_.append(as_text({bytes, static_cast<std::size_t>(size)}));
    if (!out_.empty()) bufferevent_write(buffer_.get(), out_.data(), out_.size());
    if (size < 0 || (nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0))
      close();
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    bufferevent_disable(buffer_.get(), EV_READ | EV_WRITE);
    bufferevent_setcb(buffer_.get(), nullptr, nullptr, nullptr, nullptr);
    core_.loop().defer([&core = core_, alive = core_.alive(), keep = shared_from_this()] {
      if (*alive) core.forget(keep.get());
    });
  }

  void serve(std::int32_t id, Stream& stream) {
    core_.handler()(std::move(stream.request), [weak = weak_from_this(), id](Http2Response&& response) {
      if (const auto connection = weak.lock(); connection && !connection->closed_)
        connection->answer(id, std::move(response));
    });
  }

  void answer(std::int32_t id, Http2Response&& response) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;  // the client has reset it
    found->second.answer = std::move(response.body);
    const std::string status = std::to_string(response.status);
    std::vector<nghttp2_nv> fields{field(":status", status), field("content-type", "application/json; charset=UTF-8")};
    // Without a length, libcurl 7.88 resets each stream after the answer, and nghttp2 ends a connection that
    // resets streams at more than its allowed rate.
    const std::string length = std::to_string(found->second.answer.size());
    fields.push_back(field("content-length", length));
    for (const auto& [name, value] : response.fields) fields.push_back(field(name, value));
    nghttp2_data_provider body{};
    body.source.ptr = &found->second;
    body.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room, std::uint32_t* flags,
                            nghttp2_data_source* source, void*) -> ssize_t {
      auto& stream = *static_cast<Stream*>(source->ptr);
      const std::size_t size = std::min(room, stream.answer.size() - stream.answered);
      std::memcpy(out, stream.answer.data() + stream.answered, size);
      stream.answered += size;
      if (stream.answered == stream.answer.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(size);
    };
    nghttp2_submit_response(session_.get(), id, fields.data(), fields.size(), &body);
    if (std::exchange(flush_due_, true)) return;
    // Many answers of one turn of the loop leave in one write.
    core_.loop().defer([weak = weak_from_this()] {
      const auto connection = weak.lock();
      if (!connection) return;
      connection->flush_due_ = false;
      if (!connection->closed_) connection->flush();
    });
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      of(self).streams_.try_emplace(frame->hd.stream_id);
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
    const auto found = of(self).streams_.find(frame->hd.stream_id);
    if (found == of(self).streams_.end()) return 0;
    const std::string_view key = as_text({name, name_size}), text = as_text({value, value_size});
    Http2Request& request = found->second.request;
    if (key == ":method")
      request.method = text;
    else if (key == ":path")
      request.path = text;
    else if (key == "authorization")
      request.authorization = text;
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void* self) {
    const auto found = of(self).streams_.find(id);
    if (found == of(self).streams_.end()) return 0;
    std::string& body = found->second.request.body;
    if (body.size() + size > kMaxBody)
      return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    body.append(as_text({data, size}));
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    const bool request_part = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!request_part || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    const auto found = of(self).streams_.find(frame->hd.stream_id);
    if (found != of(self).streams_.end()) of(self).serve(found->first, found->second);
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* self) {
    of(self).streams_.erase(id);
    return 0;
  }

  Core& core_;
  std::unique_ptr<bufferevent, BuffereventFree> buffer_;
  std::unordered_map<std::int32_t, Stream> streams_;  // before the session, whose end closes them
  std::unique_ptr<nghttp2_session, SessionFree> session_;
  std::string out_;
  bool closed_ = false, flush_due_ = false;
};

Status Http2Server::Core::start(const Options& options) {
  TlsFiles files;
  files.certificate = options.certificate;
  files.key = options.key;
  Result<SslContext> context = make_tls_open_server(files);
  if (!context) return fail(context.what());
  context_ = std::move(*context);
  SSL_CTX_set_alpn_select_cb(context_.get(), choose_h2, nullptr);

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  if (inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1)
    return fail("the address " + options.address + " is no IPv4 address");
  const auto on_accept = [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* self) {
    static_cast<Core*>(self)->accept(fd);
  };
  auto* socket_address = reinterpret_cast<sockaddr*>(&address);
  listener_.reset(evconnlistener_new_bind(loop_.base(), on_accept, this, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                          1024, socket_address, sizeof address));
  if (!listener_)
    return fail("cannot listen on " + options.address + ":" + std::to_string(options.port) + "; is the port taken?");
  socklen_t size = sizeof address;
  if (getsockname(evconnlistener_get_fd(listener_.get()), socket_address, &size) != 0)
    return fail("the port is not known");
  port_ = ntohs(address.sin_port);
  return {};
}

void Http2Server::Core::accept(int fd) {
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  SslHandle ssl = make_server_ssl(context_.get());
  if (!ssl) {
    ::close(fd);
    return;
  }
  const auto connection = std::make_shared<Connection>(*this, fd, ssl.release());
  if (connection->begin()) connections_.emplace(connection.get(), connection);
}

Http2Server::Http2Server() = default;
Http2Server::~Http2Server() = default;

Result<std::unique_ptr<Http2Server>> Http2Server::open(Loop& loop, const Options& options, Handler handler) {
  std::unique_ptr<Http2Server> server(new Http2Server);
  server->core_ = std::make_unique<Core>(loop, std::move(handler));
  if (const Status started = server->core_->start(options); !started) return fail(started.what());
  return server;
}

std::uint16_t Http2Server::port() const { return core_->port(); }

}  // namespace postern::sandbox
