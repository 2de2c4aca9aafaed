// SPDX-License-Identifier: Apache-2.0
// Purpose: one connection to the relay: name lookup, TCP, TLS, the session's timeouts and its bytes.
// Used by: EmailChannel. Threads: the loop's. Ownership: owns socket, TLS state and session. Handlers
// must not destroy the Connection that calls them: put it off with Loop::defer.
// Errors: ended() is told exactly once; a mail in hand gets its outcome before.
#pragma once

#include <event2/util.h>
#include <openssl/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/channels/email/session.hpp"
#include "connectors/protocol/resolver.hpp"
#include "connectors/protocol/loop.hpp"

struct bufferevent;

namespace postern::email {

class Connection {
 public:
  struct Handlers {
    std::function<void()> ready;  // may send now; told after each later outcome too
    // Of the mail given to send(). A mail that this relay cannot take has it before send() returns.
    std::function<void(Outcome)> outcome;
    std::function<void(std::optional<Outcome>)> ended;  // with the fault of the session, when it had one
  };
  struct Peer {
    std::string host;
    std::uint16_t port = 0;
    std::string server_name;  // that the certificate must prove
    SSL_CTX* tls = nullptr;
  };

  Connection(Loop& loop, Peer peer, SessionOptions options, Handlers handlers);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool ready() const { return !ended_ && session_.ready(); }
  bool was_ready() const { return was_ready_; }  // the relay has accepted us at least once
  bool offers_dsn() const { return session_.offers_dsn(); }
  const std::string& tls_description() const { return tls_description_; }

  void send(Mail mail);  // only while ready()
  void cancel() { session_.cancel(); }
  void quit();                            // no effect while a mail is under way
  void abandon(std::string_view reason);  // now, whatever is under way

 private:
  struct BevFree {
    void operator()(bufferevent* bev) const;
  };
  struct Callbacks;

  void try_address();
  void begin_tls();
  void on_event(short what);
  void on_readable();
  void on_drained();
  void rearm();
  void apply(Action action);
  void close_socket();
  void lose(std::string_view reason);

  Loop& loop_;
  Peer peer_;
  Handlers handlers_;
  Session session_;
  Timer timeout_;
  std::unique_ptr<Lookup> lookup_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  std::unique_ptr<bufferevent, BevFree> bev_;
  evutil_socket_t fd_ = -1;
  enum class Phase { resolving, tcp, plain, tls, open } phase_ = Phase::resolving;
  bool was_ready_ = false, ended_ = false, sending_ = false;
  std::string tls_description_;
};

}  // namespace postern::email
