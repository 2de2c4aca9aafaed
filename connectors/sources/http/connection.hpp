// SPDX-License-Identifier: Apache-2.0
// Purpose: one connection: handshake, requests in, answers out in order, deadlines, a close that does
// not lose the last answer. Used by: the server. Threads: one loop.
// Ownership: owns descriptor, TLS state and parser; the Core owns it; callbacks hold it while they run.
// Errors: any fault of the peer ends this connection. Limits: ServerLimits.
//
//   handshake -> open -> flushing (the last answer is being written) -> lingering -> gone
//
// TLS is driven here, on the socket: a request costs one system call to read and its answer one to write, an idle connection has no
// buffers, and what was decrypted is wiped as it is parsed.
//
// Lingering: the write side is shut and what still comes is thrown away for a short time, because a
// close with unread bytes sends a reset that can overtake the last answer (RFC 9112 section 9.6).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "connectors/sources/http/core.hpp"

namespace postern::http {

class Connection final : public AnswerSink, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server::Core& core, int fd, Peer peer);
  ~Connection() override;

  void start();
  void answer(std::uint64_t request, Response&& response) override;

  // Nothing more is wanted of the peer: ends now when idle or in its handshake, otherwise with the last answer due.
  void drain();
  // The certificate is no longer good: ends at once.
  void cut(const std::string& reason);

  bool open() const { return state_ == State::open; }
  bool handshaking() const { return state_ == State::handshake; }
  const SSL* ssl() const { return ssl_.get(); }
  const Peer& peer() const { return peer_; }

 private:
  enum class State { handshake, open, flushing, lingering, gone };
  struct Slot {
    Response response;
    bool done = false, last = false, head_only = false;
  };

  void on_readable();
  void on_writable();
  void shake_hands();
  void handshake_done();
  void handshake_failed(bool by_us_or_peer);  // false: the peer just went away
  void read_some();
  void read_soon();
  void watch_input();
  void process_input();
  bool next_step();  // false: nothing more can be done with the input now
  Slot& new_slot();  // for the request that the parser holds
  void admit_request();
  void serve_request();
  void refuse(Response&& response);  // answers after what is due, then closes
  void flush_answers();
  void write(std::string_view bytes);
  std::size_t put(std::string_view bytes);    // into TLS and the socket, as much as they take
  void write_rest();
  void release_body();
  void linger();
  void discard();
  void close();

  std::int64_t deadline() const;  // steady milliseconds, 0: none
  void arm();
  void expired();
  std::size_t unsent() const { return unsent_.size() - unsent_at_; }

  Server::Core& core_;
  int fd_;
  Peer peer_;
  State state_ = State::handshake;
  SslHandle ssl_;
  Watch read_, write_;
  RequestParser parser_;

  std::span<char> input_;         // decrypted and not parsed: of this read, or else in unread_
  std::string unread_, unsent_;
  std::size_t unsent_at_ = 0;     // what is before it is sent

  std::deque<Slot> slots_;        // requests being answered, oldest first
  std::uint64_t first_slot_ = 0;  // the number of the front one
  bool stop_reading_ = false;     // the last request of this connection has been read
  bool continue_due_ = false, processing_ = false, paused_ = false, reading_ = false, lost_ = false;
  std::uint64_t reserved_ = 0;  // body memory taken from the Core

  std::int64_t since_ = 0;  // start of the handshake, of idleness, of lingering
  std::int64_t request_since_ = 0, write_since_ = 0, armed_ = 0;
  Timer timer_;
};

}  // namespace postern::http
