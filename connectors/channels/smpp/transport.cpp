// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/transport.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "connectors/channels/smpp/frame.hpp"
#include "crypto/secret.hpp"
#include "crypto/tls.hpp"

namespace postern::smpp {
namespace {

// One TLS record: what has been handed over is in doubt after a loss, so little is handed over at a time.
constexpr std::size_t kHandOver = 16 * 1024;
// The kernel gives the connection up when the peer acknowledges nothing for this long.
constexpr unsigned kUserTimeoutMs = 30'000;

int open_socket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs, sizeof kUserTimeoutMs);
  return fd;
}

}  // namespace

// The C functions that libevent calls; each only finds its Transport.
struct Transport::Callbacks {
  static Transport& self(void* context) { return *static_cast<Transport*>(context); }
  static void read(bufferevent*, void* context) { self(context).on_readable(); }
  static void write(bufferevent*, void* context) { self(context).hand_over(); }
  static void event(bufferevent*, short what, void* context) { self(context).on_event(what); }
};

void Transport::BevFree::operator()(bufferevent* bev) const { bufferevent_free(bev); }

Transport::Transport(Loop& loop, Peer peer, Handlers handlers)
    : loop_(loop), peer_(std::move(peer)), handlers_(std::move(handlers)), alive_(std::make_shared<bool>(true)) {
  lookup_ = std::make_unique<Lookup>(loop, peer_.host, peer_.port, [this](Result<std::vector<SocketAddress>> found) {
    if (!found) return end({"resolve", found.what(), {}, {}});
    open(*found);
  });
}

Transport::~Transport() {
  *alive_ = false;
  // close_notify, so that the peer can tell an end from a cut (RFC 8446 section 6.1).
  SSL* ssl = connected_ ? bufferevent_openssl_get_ssl(bev_.get()) : nullptr;
  if (ssl != nullptr) SSL_shutdown(ssl);
}

void Transport::open(const std::vector<SocketAddress>& addresses) {
  const SocketAddress& address = addresses[peer_.turn % addresses.size()];
  const int fd = open_socket(address.family());
  if (fd < 0) return end({"connect", std::strerror(errno), {}, {}});
  if (peer_.tls != nullptr) {
    Result<SslHandle> ssl = make_client_ssl(peer_.tls, peer_.server_name.empty() ? peer_.host : peer_.server_name);
    if (!ssl) {
      ::close(fd);
      return end({"tls", ssl.what(), "other", {}});
    }
    bev_.reset(bufferevent_openssl_socket_new(loop_.base(), fd, ssl->release(), BUFFEREVENT_SSL_CONNECTING,
                                              BEV_OPT_CLOSE_ON_FREE));
    // SMPP ends with unbind, not with close_notify, and many peers leave the latter out.
    if (bev_) bufferevent_openssl_set_allow_dirty_shutdown(bev_.get(), 1);
  } else {
    bev_.reset(bufferevent_socket_new(loop_.base(), fd, BEV_OPT_CLOSE_ON_FREE));
  }
  if (!bev_) return end({"connect", "no memory for the connection", {}, {}});
  bufferevent_setcb(bev_.get(), &Callbacks::read, &Callbacks::write, &Callbacks::event, this);
  bufferevent_setwatermark(bev_.get(), EV_READ, 0, 2 * kMaxPdu);
  bufferevent_enable(bev_.get(), EV_READ | EV_WRITE);
  if (bufferevent_socket_connect(bev_.get(), address.get(), static_cast<int>(address.size)) != 0)
    end({"connect", "the connection could not be begun", {}, {}});
}

void Transport::end(Closed why) {
  if (std::exchange(ended_, true)) return;
  // From a fresh stack, so that the handler may destroy this object whatever called.
  loop_.defer([this, alive = alive_, why = std::move(why)] {
    if (*alive) handlers_.closed(why);
  });
}

void Transport::on_event(short what) {
  if ((what & BEV_EVENT_CONNECTED) != 0) {
    connected_ = true;
    const SSL* ssl = bufferevent_openssl_get_ssl(bev_.get());
    handlers_.connected(ssl != nullptr ? tls_description(ssl) : "plain TCP");
    return;
  }
  const int error = EVUTIL_SOCKET_ERROR();
  // What the peer had sent before it went is still read.
  const std::shared_ptr<bool> alive = alive_;
  if (connected_) {
    on_readable();
    if (!*alive) return;
    if ((what & BEV_EVENT_EOF) != 0) return end({"peer-closed", "the peer closed the connection", {}, {}});
    return end({"network", error != 0 ? std::strerror(error) : "the connection broke", {}, {}});
  }
  // A handshake that has begun fails as TLS; before it, it is the network.
  SSL* ssl = bufferevent_openssl_get_ssl(bev_.get());
  const bool shook = ssl != nullptr && SSL_get_state(ssl) != TLS_ST_BEFORE;
  if (!shook) return end({"connect", error != 0 ? std::strerror(error) : "refused", {}, {}});
  HandshakeFailure failure = handshake_failure(ssl);
  end({"tls", "the TLS handshake failed: " + failure.reason, failure.reason, failure.fingerprint});
}

void Transport::on_readable() {
  evbuffer* input = bufferevent_get_input(bev_.get());
  const std::size_t size = evbuffer_get_length(input);
  if (size == 0 || ended_) return;
  const unsigned char* octets = evbuffer_pullup(input, -1);
  const std::shared_ptr<bool> alive = alive_;
  const std::size_t taken = handlers_.data({octets, size});
  if (*alive) evbuffer_drain(input, taken);
}

void Transport::write(ByteView octets) {
  queued_ += octets.size();
  waiting_.insert(waiting_.end(), octets.begin(), octets.end());
  hand_over();
}

void Transport::hand_over() {
  if (!connected_ || waiting_at_ == waiting_.size()) return;
  if (evbuffer_get_length(bufferevent_get_output(bev_.get())) != 0) return;
  const std::size_t size = std::min(kHandOver, waiting_.size() - waiting_at_);
  bufferevent_write(bev_.get(), waiting_.data() + waiting_at_, size);
  waiting_at_ += size;
  if (waiting_at_ == waiting_.size()) {
    wipe_text(waiting_);
    waiting_at_ = 0;
  }
}

}  // namespace postern::smpp
