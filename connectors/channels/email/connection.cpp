// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/connection.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "crypto/secret.hpp"
#include "crypto/tls.hpp"

namespace postern::email {

// The library's callbacks, which reach the Connection through their context pointer.
struct Connection::Callbacks {
  static void read(bufferevent*, void* self) { static_cast<Connection*>(self)->on_readable(); }
  static void written(bufferevent*, void* self) { static_cast<Connection*>(self)->on_drained(); }
  static void event(bufferevent*, short what, void* self) { static_cast<Connection*>(self)->on_event(what); }
  // Every piece that leaves is progress: a long message over a slow line is not a dead one.
  static void progress(evbuffer*, const evbuffer_cb_info* info, void* self) {
    if (info->n_deleted > 0) static_cast<Connection*>(self)->rearm();
  }
};

void Connection::BevFree::operator()(bufferevent* bev) const { bufferevent_free(bev); }

Connection::Connection(Loop& loop, Peer peer, SessionOptions options, Handlers handlers)
    : loop_(loop),
      peer_(std::move(peer)),
      handlers_(std::move(handlers)),
      session_(std::move(options)),
      timeout_(loop, [this] { lose("timeout"); }) {
  lookup_ = std::make_unique<Lookup>(loop_, peer_.host, peer_.port,
                                           [this](Result<std::vector<SocketAddress>> found) {
                                             if (ended_) return;
                                             if (!found) return lose("resolve");
                                             addresses_ = std::move(*found);
                                             try_address();
                                           });
  rearm();
}

Connection::~Connection() { close_socket(); }

void Connection::try_address() {
  close_socket();
  while (next_address_ < addresses_.size()) {
    const SocketAddress& address = addresses_[next_address_++];
    fd_ = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) continue;
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bev_.reset(bufferevent_socket_new(loop_.base(), fd_, 0));
    if (!bev_) break;
    bufferevent_setcb(bev_.get(), Callbacks::read, Callbacks::written, Callbacks::event, this);
    phase_ = Phase::tcp;
    if (bufferevent_socket_connect(bev_.get(), address.get(), static_cast<int>(address.size)) == 0) return rearm();
    close_socket();
  }
  lose("connect");
}

void Connection::begin_tls() {
  Result<SslHandle> ssl = make_client_ssl(peer_.tls, peer_.server_name);
  if (!ssl) return lose("tls-setup");
  // The plain side lets go of the socket; what it had read has all been given to the session, which
  // refuses to go on when anything was left.
  bev_.reset();
  bev_.reset(
      bufferevent_openssl_socket_new(loop_.base(), fd_, ssl->get(), BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE));
  if (!bev_) return lose("tls-setup");
  static_cast<void>(ssl->release());  // the bufferevent frees it, and closes the socket
  fd_ = -1;
  phase_ = Phase::tls;
  bufferevent_openssl_set_allow_dirty_shutdown(bev_.get(), 1);
  bufferevent_setcb(bev_.get(), Callbacks::read, Callbacks::written, Callbacks::event, this);
  evbuffer_add_cb(bufferevent_get_output(bev_.get()), Callbacks::progress, this);
  bufferevent_enable(bev_.get(), EV_READ | EV_WRITE);
}

void Connection::on_event(short what) {
  if (ended_) return;
  if ((what & BEV_EVENT_CONNECTED) != 0) {
    if (phase_ == Phase::tls) {
      phase_ = Phase::open;
      tls_description_ = postern::tls_description(bufferevent_openssl_get_ssl(bev_.get()));
      return apply(session_.tls_ready());
    }
    phase_ = Phase::plain;
    bufferevent_enable(bev_.get(), EV_READ | EV_WRITE);
    return apply(session_.connected());
  }
  if (phase_ == Phase::tcp) return try_address();
  if (phase_ == Phase::tls) {
    const HandshakeFailure failure = handshake_failure(bufferevent_openssl_get_ssl(bev_.get()));
    const bool hung_up = (what & BEV_EVENT_EOF) != 0 || bufferevent_get_openssl_error(bev_.get()) == 0;
    return lose(hung_up && failure.reason == "other" ? "closed" : "tls-" + failure.reason);
  }
  // The last bytes may have left although their callback had no turn yet: doubt then is the truth.
  if (bev_ && evbuffer_get_length(bufferevent_get_output(bev_.get())) == 0) session_.written();
  lose("closed");
}

void Connection::on_readable() {
  std::array<char, 16384> bytes;
  while (!ended_ && bev_ && phase_ != Phase::tls) {
    const std::size_t count = bufferevent_read(bev_.get(), bytes.data(), bytes.size());
    if (count == 0) return;
    if (evbuffer_get_length(bufferevent_get_output(bev_.get())) == 0) session_.written();
    apply(session_.received({bytes.data(), count}, wall_ms()));
  }
}

void Connection::on_drained() {
  session_.written();
  rearm();
}

void Connection::rearm() {
  if (const std::optional<std::chrono::milliseconds> limit = session_.timeout(); limit && !ended_)
    timeout_.start(*limit);
  else
    timeout_.stop();
}

void Connection::apply(Action action) {
  if (ended_) return;
  if (!action.write.empty() && bev_ && !action.close)
    bufferevent_write(bev_.get(), action.write.data(), action.write.size());
  wipe_text(action.write);
  if (action.start_tls) begin_tls();
  if (ended_) return;
  if (action.close) {
    ended_ = true;
    close_socket();
  }
  rearm();
  if (action.outcome) handlers_.outcome(std::move(*action.outcome));
  if (action.close) return handlers_.ended(std::move(action.failure));
  if (session_.ready() && !sending_) {
    was_ready_ = true;
    handlers_.ready();
  }
}

void Connection::send(Mail mail) {
  sending_ = true;
  apply(session_.send(std::move(mail), wall_ms()));
  sending_ = false;
}

void Connection::quit() { apply(session_.quit()); }

void Connection::abandon(std::string_view reason) { lose(reason); }

void Connection::lose(std::string_view reason) {
  if (ended_) return;
  apply(session_.lost(reason));
}

void Connection::close_socket() {
  bev_.reset();
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace postern::email
