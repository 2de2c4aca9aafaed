// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/connection.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "crypto/secret.hpp"

namespace postern::http {
namespace {

constexpr std::size_t kMaxUnsent = 1024 * 1024;  // above it no further request is read
constexpr std::int64_t kLinger = 2'000;
constexpr int kReadsPerTurn = 4;                 // of at most a TLS record each, so that others have their turn

std::int64_t ms(std::chrono::milliseconds span) { return span.count(); }

}  // namespace

Connection::Connection(Server::Core& core, int fd, Peer peer)
    : core_(core),
      fd_(fd),
      peer_(std::move(peer)),
      read_(core.loop(), fd, Watch::For::read, [this] { on_readable(); }),
      write_(core.loop(), fd, Watch::For::write, [this] { on_writable(); }),
      parser_(core.limits().parser),
      since_(steady_ms()),
      timer_(core.loop(), [this] { expired(); }) {}

Connection::~Connection() {
  read_.stop();
  write_.stop();
  ::close(fd_);
}

void Connection::start() {
  ssl_ = make_server_ssl(core_.context());
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd_) != 1) return close();
  SSL_set_options(ssl_.get(), SSL_OP_CLEANSE_PLAINTEXT);
  SSL_set_read_ahead(ssl_.get(), 1);  // a record's head and body in one system call
  read_.start();
  arm();
}

void Connection::on_readable() {
  const std::shared_ptr<Connection> keep = shared_from_this();
  if (state_ == State::handshake) shake_hands();
  else if (state_ == State::open && reading_) read_some();
  else if (state_ == State::lingering) discard();
}

void Connection::on_writable() {
  const std::shared_ptr<Connection> keep = shared_from_this();
  write_.stop();
  if (state_ == State::handshake) return shake_hands();
  if (state_ != State::open && state_ != State::flushing) return;
  write_rest();
  if (lost_) return close();
  if (unsent() > 0) return;
  if (state_ == State::flushing) return linger();
  if (paused_) process_input();
  if (state_ == State::open && reading_) read_some();  // should TLS have had to write before it could read
  if (core_.draining()) drain();
}

void Connection::shake_hands() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) return handshake_done();
  switch (SSL_get_error(ssl_.get(), done)) {
    case SSL_ERROR_WANT_READ: return;
    case SSL_ERROR_WANT_WRITE: return write_.start();
    case SSL_ERROR_SSL: return handshake_failed(ERR_GET_REASON(ERR_peek_last_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING);
    default: return handshake_failed(false);
  }
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
  reading_ = true;
  if (SSL_has_pending(ssl_.get()) == 1) read_some();  // a request has come with the end of the handshake
}

void Connection::handshake_failed(bool by_us_or_peer) {
  if (by_us_or_peer) {
    const HandshakeFailure failure = handshake_failure(ssl_.get());
    if (core_.handlers().tls_refused) core_.handlers().tls_refused(failure, peer_.address);
  } else {
    ++core_.counts.handshakes_lost;
  }
  close();
}

void Connection::read_some() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const std::span<char> scratch = core_.read_scratch();
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), scratch.data(), static_cast<int>(scratch.size()));
    if (got <= 0) {
      const int why = SSL_get_error(ssl_.get(), got);
      if (why == SSL_ERROR_WANT_WRITE) write_.start();
      // Requests and answers carry their own lengths, so a missing close_notify truncates nothing unseen.
      else if (why != SSL_ERROR_WANT_READ) close();
      return;
    }
    input_ = scratch.first(static_cast<std::size_t>(got));
    process_input();
    if (!input_.empty()) {
      if (state_ == State::open) unread_.assign(input_.data(), input_.size());
      wipe(input_.data(), input_.size());
      input_ = unread_;
    }
    if (state_ != State::open || !reading_ || SSL_has_pending(ssl_.get()) == 0) return;
  }
  read_soon();
}

// What TLS holds, the socket does not tell of.
void Connection::read_soon() {
  core_.loop().defer([self = weak_from_this()] {
    if (const std::shared_ptr<Connection> keep = self.lock()) keep->on_readable();
  });
}

// The socket is asked for input when some is wanted.
void Connection::watch_input() {
  const bool wanted = state_ == State::open && !paused_ && !stop_reading_;
  if (std::exchange(reading_, wanted) == wanted) return;
  if (!wanted) return read_.stop();
  read_.start();
  if (SSL_has_pending(ssl_.get()) == 1) read_soon();
}

void Connection::process_input() {
  if (processing_) return;
  processing_ = true;
  while (state_ == State::open && next_step()) {}
  processing_ = false;
  if (input_.empty() && !unread_.empty()) std::string().swap(unread_);
  if (state_ != State::open) return;
  watch_input();
  arm();
}

bool Connection::next_step() {
  if (stop_reading_) return false;
  if (parser_.fresh()) {
    // Backpressure stands between requests only, so that it never eats a request's deadline.
    paused_ = slots_.size() >= core_.limits().pipelined || unsent() >= kMaxUnsent;
    if (paused_) return false;
  }
  if (input_.empty()) return false;
  if (parser_.fresh()) request_since_ = steady_ms();
  const std::size_t used = parser_.feed({input_.data(), input_.size()});
  // Decrypted bodies hold texts and numbers of customers.
  wipe(input_.data(), used);
  input_ = input_.subspan(used);

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
  if (parser_.state() == RequestParser::State::body && parser_.expects_continue() && input_.empty()) {
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
    if (lost_) return close();
    since_ = steady_ms();
    if (!last) continue;
    slots_.clear();
    release_body();
    state_ = State::flushing;
    reading_ = false;
    read_.stop();
    arm();
  }
  if (state_ == State::flushing && unsent() == 0) return linger();
  if (state_ == State::open && continue_due_ && slots_.empty()) {
    continue_due_ = false;
    write("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

// What the socket does not take waits; TLS is offered the same bytes again, as it wants it.
void Connection::write(std::string_view bytes) {
  if (unsent() == 0) {
    bytes.remove_prefix(put(bytes));
    if (bytes.empty() || lost_) return;
    write_since_ = steady_ms();
    write_.start();
  }
  unsent_.append(bytes);
}

void Connection::write_rest() {
  const std::size_t sent = put(std::string_view(unsent_).substr(unsent_at_));
  wipe(unsent_.data() + unsent_at_, sent);
  unsent_at_ += sent;
  if (unsent() > 0) return write_.start();
  std::string().swap(unsent_);
  unsent_at_ = 0;
}

std::size_t Connection::put(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    ERR_clear_error();
    const int took = SSL_write(ssl_.get(), bytes.data() + sent, static_cast<int>(std::min(bytes.size() - sent, kMaxUnsent)));
    if (took > 0) {
      sent += static_cast<std::size_t>(took);
      continue;
    }
    lost_ = SSL_get_error(ssl_.get(), took) != SSL_ERROR_WANT_WRITE;
    break;
  }
  return sent;
}

void Connection::release_body() { core_.release_body(std::exchange(reserved_, 0)); }

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
  write_.stop();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  ::shutdown(fd_, SHUT_WR);
  read_.start();
  arm();
}

void Connection::discard() {
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
  read_.stop();
  write_.stop();
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
