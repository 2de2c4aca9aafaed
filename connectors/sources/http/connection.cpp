// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/connection.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "crypto/secret.hpp"

namespace postern::http {
namespace {

constexpr std::size_t kReadAhead = 64 * 1024;    // decrypted bytes that wait to be read
constexpr std::size_t kAtOnce = 4096;            // bytes of answers that are written without libevent: less than a TLS record and a piece of its buffer
constexpr std::size_t kMaxUnsent = 1024 * 1024;  // above it no further request is read
constexpr std::int64_t kLinger = 2'000;

std::int64_t ms(std::chrono::milliseconds span) { return span.count(); }

// bufferevent_openssl empties OpenSSL's error queue into its own, newest on top and with codes of its
// own among them; handshake_failure() reads OpenSSL's. False when there was no error but the peer's
// going away.
bool put_errors_back(bufferevent* bev) {
  std::vector<unsigned long> codes;
  while (const unsigned long code = bufferevent_get_openssl_error(bev))
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
      codes.push_back(code);
  for (auto code = codes.rbegin(); code != codes.rend(); ++code) {
    ERR_new();
    ERR_set_error(ERR_GET_LIB(*code), ERR_GET_REASON(*code), nullptr);
  }
  return !codes.empty();
}

}  // namespace

Connection::Connection(Server::Core& core, int fd, Peer peer)
    : core_(core),
      fd_(fd),
      peer_(std::move(peer)),
      parser_(core.limits().parser),
      since_(steady_ms()),
      timer_(core.loop(), [this] { expired(); }) {}

Connection::~Connection() {
  if (bev_ != nullptr) bufferevent_free(bev_);
  discard_.reset();
  ::close(fd_);
}

void Connection::start() {
  ssl_ = make_server_ssl(core_.context());
  if (ssl_) bev_ = bufferevent_openssl_socket_new(core_.loop().base(), fd_, ssl_.get(), BUFFEREVENT_SSL_ACCEPTING, 0);
  if (bev_ == nullptr) return close();
  SSL_set_options(ssl_.get(), SSL_OP_CLEANSE_PLAINTEXT);
  // Requests and answers carry their own lengths, so a missing close_notify truncates nothing unseen.
  bufferevent_openssl_set_allow_dirty_shutdown(bev_, 1);
  bufferevent_setcb(bev_, on_readable, on_written, on_event, this);
  bufferevent_setwatermark(bev_, EV_READ, 0, kReadAhead);
  bufferevent_enable(bev_, EV_READ | EV_WRITE);
  arm();
}

void Connection::on_readable(bufferevent*, void* self) {
  const std::shared_ptr<Connection> keep = static_cast<Connection*>(self)->shared_from_this();
  if (keep->state_ == State::open) keep->process_input();
}

void Connection::on_written(bufferevent*, void* self) {
  const std::shared_ptr<Connection> keep = static_cast<Connection*>(self)->shared_from_this();
  if (keep->state_ == State::flushing && keep->unsent() == 0) return keep->linger();
  if (keep->state_ == State::open && keep->paused_) keep->process_input();
  if (keep->core_.draining()) keep->drain();
}

void Connection::on_event(bufferevent*, short what, void* self) {
  const std::shared_ptr<Connection> keep = static_cast<Connection*>(self)->shared_from_this();
  if (what & BEV_EVENT_CONNECTED) return keep->handshake_done();
  if (keep->state_ == State::handshake) return keep->handshake_failed();
  keep->close();
}

void Connection::handshake_done() {
  if (core_.client_certificates()) {
    Result<PeerIdentity> identity = peer_identity(ssl_.get());
    if (!identity) {
      HandshakeFailure failure = handshake_failure(ssl_.get());
      failure.reason = "no-name";
      if (core_.handlers().tls_refused) core_.handlers().tls_refused(failure, peer_.address);
      return close();
    }
    peer_.identity = std::move(*identity);
  }
  core_.handshake_ended();
  ++core_.counts.handshakes;
  state_ = State::open;
  since_ = steady_ms();
  if (core_.draining()) return linger();
  arm();
}

void Connection::handshake_failed() {
  if (put_errors_back(bev_)) {
    const HandshakeFailure failure = handshake_failure(ssl_.get());
    if (core_.handlers().tls_refused) core_.handlers().tls_refused(failure, peer_.address);
  } else {
    ++core_.counts.handshakes_lost;
  }
  close();
}

void Connection::process_input() {
  if (processing_) return;
  processing_ = true;
  while (state_ == State::open && next_step()) {}
  processing_ = false;
  if (state_ == State::open) arm();
}

bool Connection::next_step() {
  if (stop_reading_) return false;
  if (parser_.fresh()) {
    // Backpressure stands between requests only, so that it never eats a request's deadline.
    const bool full = slots_.size() >= core_.limits().pipelined || unsent() >= kMaxUnsent;
    if (full != paused_) {
      paused_ = full;
      if (full)
        bufferevent_disable(bev_, EV_READ);
      else
        bufferevent_enable(bev_, EV_READ);
    }
    if (full) return false;
  }
  evbuffer* input = bufferevent_get_input(bev_);
  evbuffer_iovec piece{};
  if (evbuffer_peek(input, -1, nullptr, &piece, 1) < 1 || piece.iov_len == 0) return false;
  if (parser_.fresh()) request_since_ = steady_ms();
  const std::size_t used = parser_.feed({static_cast<const char*>(piece.iov_base), piece.iov_len});
  // Decrypted bodies hold texts and numbers of customers; libevent would leave them where they are.
  wipe(piece.iov_base, used);
  evbuffer_drain(input, used);

  if (parser_.state() == RequestParser::State::admit) admit_request();
  if (state_ == State::open && parser_.state() == RequestParser::State::complete) serve_request();
  if (state_ == State::open && parser_.state() == RequestParser::State::failed && !stop_reading_) {
    ++core_.counts.bad_requests;
    const RequestParser::Failure& failure = parser_.failure();
    refuse(problem(failure.status, failure.code, failure.detail));
  }
  return state_ == State::open;
}

Connection::Slot& Connection::new_slot() {
  Slot slot;
  slot.last = !parser_.keep_alive();
  slot.head_only = parser_.request().method == "HEAD";
  stop_reading_ = slot.last;
  return slots_.emplace_back(std::move(slot));
}

void Connection::admit_request() {
  Request head = parser_.request();
  head.peer = &peer_;
  Admission admission = core_.handlers().admit(head);
  if (admission.refusal) {
    // The body of a refused request is not read, so the connection cannot go on behind it.
    if (parser_.has_body()) return refuse(std::move(*admission.refusal));
    new_slot();
    parser_.reset();
    since_ = steady_ms();
    return answer(first_slot_ + slots_.size() - 1, std::move(*admission.refusal));
  }
  const std::uint64_t expected = parser_.chunked() ? admission.body_limit : parser_.declared_body();
  if (expected <= admission.body_limit) {
    if (!core_.reserve_body(expected)) {
      Response busy = problem(503, "busy", "Too many large requests are being read; try again.");
      busy.retry_after(1);
      return refuse(std::move(busy));
    }
    reserved_ = expected;
  }
  parser_.admit(admission.body_limit);
  if (parser_.state() == RequestParser::State::body && parser_.expects_continue() &&
      evbuffer_get_length(bufferevent_get_input(bev_)) == 0) {
    continue_due_ = true;
    flush_answers();
  }
}

void Connection::serve_request() {
  ++core_.counts.requests;
  continue_due_ = false;  // the body came without waiting for it
  Request request = parser_.request();
  request.peer = &peer_;
  new_slot();
  core_.handlers().serve(request, Answer(weak_from_this(), first_slot_ + slots_.size() - 1));
  if (state_ == State::gone) return;
  parser_.reset();
  release_body();
  since_ = steady_ms();
}

void Connection::refuse(Response&& response) {
  release_body();
  continue_due_ = false;
  Slot& slot = new_slot();
  slot.response = std::move(response);
  slot.done = slot.last = stop_reading_ = true;
  flush_answers();
}

void Connection::answer(std::uint64_t request, Response&& response) {
  if (state_ != State::open || request < first_slot_ || request - first_slot_ >= slots_.size()) return;
  const std::shared_ptr<Connection> keep = shared_from_this();
  Slot& slot = slots_[request - first_slot_];
  slot.response = std::move(response);
  slot.done = true;
  flush_answers();
  // A place has become free, or the connection is idle now.
  if (state_ == State::open && !processing_) process_input();
}

void Connection::flush_answers() {
  while (state_ == State::open && !slots_.empty() && slots_.front().done) {
    const Slot slot = std::move(slots_.front());
    slots_.pop_front();
    ++first_slot_;
    const bool nothing_half_read = parser_.fresh() || parser_.state() == RequestParser::State::complete;
    const bool last = slot.last || slot.response.close || (core_.draining() && slots_.empty() && nothing_half_read);
    std::string& bytes = core_.scratch();
    write_response(bytes, slot.response, core_.date(), {.close = last, .head_only = slot.head_only});
    write(bytes);
    wipe_text(bytes);  // it may hold a customer's answer
    since_ = steady_ms();
    if (!last) continue;
    slots_.clear();
    release_body();
    state_ = State::flushing;
    bufferevent_disable(bev_, EV_READ);
    arm();
  }
  if (state_ == State::flushing && unsent() == 0) return linger();
  if (state_ == State::open && continue_due_ && slots_.empty()) {
    continue_due_ = false;
    write("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

// What fits into one record goes at once: libevent would wait for the socket to be writable, which it is, and ask the kernel to tell.
// What the socket does not take is kept by the TLS state as it is, and libevent offers the same bytes again, as that wants it.
void Connection::write(const std::string& bytes) {
  if (unsent() == 0) {
    if (bytes.size() <= kAtOnce && SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size())) return;
    ERR_clear_error();  // libevent will meet it
    write_since_ = steady_ms();
  }
  bufferevent_write(bev_, bytes.data(), bytes.size());
}

void Connection::release_body() { core_.release_body(std::exchange(reserved_, 0)); }

std::size_t Connection::unsent() const {
  return bev_ == nullptr ? 0 : evbuffer_get_length(bufferevent_get_output(bev_));
}

void Connection::drain() {
  if (state_ == State::handshake) return close();
  const bool idle = slots_.empty() && parser_.fresh() && unsent() == 0;
  if (state_ == State::open && idle) linger();
}

void Connection::cut(const std::string& reason) {
  if (state_ != State::open && state_ != State::flushing) return;
  const std::shared_ptr<Connection> keep = shared_from_this();
  if (core_.handlers().tls_refused)
    core_.handlers().tls_refused({reason, peer_.identity ? peer_.identity->fingerprint : std::string()}, peer_.address);
  close();
}

void Connection::linger() {
  const std::shared_ptr<Connection> keep = shared_from_this();
  state_ = State::lingering;
  slots_.clear();
  release_body();
  since_ = steady_ms();
  bufferevent_free(bev_);
  bev_ = nullptr;
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  ::shutdown(fd_, SHUT_WR);
  discard_ = std::make_unique<Watch>(core_.loop(), fd_, Watch::For::read, [this] { discard(); });
  discard_->start();
  arm();
}

void Connection::discard() {
  const std::shared_ptr<Connection> keep = shared_from_this();
  std::array<char, 16 * 1024> nothing;
  const ssize_t got = ::recv(fd_, nothing.data(), nothing.size(), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) close();
}

void Connection::close() {
  if (state_ == State::gone) return;
  const std::shared_ptr<Connection> keep = shared_from_this();
  if (state_ == State::handshake) core_.handshake_ended();
  state_ = State::gone;
  release_body();
  slots_.clear();
  timer_.stop();
  discard_.reset();
  if (bev_ != nullptr) bufferevent_free(std::exchange(bev_, nullptr));
  core_.forget(*this);
}

std::int64_t Connection::deadline() const {
  const ServerLimits& limits = core_.limits();
  if (state_ == State::handshake) return since_ + ms(limits.handshake);
  if (state_ == State::lingering) return since_ + kLinger;
  std::int64_t due = 0;
  const auto sooner = [&due](std::int64_t at) { due = due == 0 ? at : std::min(due, at); };
  if (unsent() > 0) sooner(write_since_ + ms(limits.write));
  if (state_ == State::open && !stop_reading_) {
    if (!parser_.fresh())
      sooner(request_since_ + ms(parser_.state() == RequestParser::State::head ? limits.head : limits.request));
    else if (slots_.empty())
      sooner(since_ + ms(limits.idle));
  }
  return due;
}

// The timer is only moved when the next deadline is earlier than the one it waits for: requests that
// come and go do not touch it.
void Connection::arm() {
  const std::int64_t due = deadline();
  if (due == 0 || (armed_ != 0 && armed_ <= due)) return;
  armed_ = due;
  timer_.start(std::chrono::milliseconds(due - steady_ms()));
}

void Connection::expired() {
  const std::shared_ptr<Connection> keep = shared_from_this();
  armed_ = 0;
  const std::int64_t due = deadline();
  if (due == 0 || steady_ms() < due) return arm();
  if (state_ == State::handshake) {
    ++core_.counts.timeouts;
    if (core_.handlers().tls_refused) core_.handlers().tls_refused({"timeout", {}}, peer_.address);
    return close();
  }
  if (state_ == State::open && unsent() == 0) {
    if (parser_.fresh()) return linger();
    ++core_.counts.timeouts;
    refuse(problem(408, "too-slow", "The request did not arrive in time."));
    return arm();
  }
  if (state_ == State::open || state_ == State::flushing) ++core_.counts.timeouts;
  close();
}

}  // namespace postern::http
