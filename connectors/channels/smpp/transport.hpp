// SPDX-License-Identifier: Apache-2.0
// Purpose: one connection to an SMS centre: name lookup, TCP, TLS from the first octet, and the octets
// both ways. Used by: postern-smpp. Threads: the loop's. Ownership: owns its socket and TLS state; a
// handler may destroy the Transport that called it.
// Errors: everything that ends the connection is told once through closed(), with a stable word and a
// sentence. Limits: input is held back while more than two whole PDUs wait unread.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "connectors/protocol/resolver.hpp"
#include "connectors/protocol/loop.hpp"
#include "crypto/bytes.hpp"

struct bufferevent;

namespace postern::smpp {

class Transport {
 public:
  struct Closed {
    std::string_view word;    // "connect", "resolve", "tls", "peer-closed", "network"
    std::string detail;       // for the log
    std::string tls_reason;   // of "tls": handshake_failure's word
    std::string fingerprint;  // of "tls": the peer's certificate, when one was seen
  };
  struct Handlers {
    std::function<void(const std::string& description)> connected;
    // Returns how many octets it took; the rest comes again with what follows it.
    std::function<std::size_t(ByteView)> data;
    std::function<void(const Closed&)> closed;
  };
  struct Peer {
    std::string host;
    std::uint16_t port = 0;
    std::string server_name;  // that the certificate must prove; empty: the host
    SSL_CTX* tls = nullptr;   // null: plain TCP
    std::size_t turn = 0;     // which of the host's addresses, counted round
  };

  Transport(Loop& loop, Peer peer, Handlers handlers);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Octets leave in the order given. Only while connected.
  void write(ByteView octets);
  // Octets given to write() so far, and those of them that have been handed to TLS or the kernel. What lies
  // behind written() was certainly not sent.
  std::uint64_t queued() const { return queued_; }
  std::uint64_t written() const { return queued_ - (waiting_.size() - waiting_at_); }

 private:
  struct BevFree {
    void operator()(bufferevent* bev) const;
  };
  struct Callbacks;

  void open(const std::vector<SocketAddress>& addresses);
  void end(Closed why);
  void on_event(short what);
  void on_readable();
  void hand_over();

  Loop& loop_;
  Peer peer_;
  Handlers handlers_;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<Lookup> lookup_;
  std::unique_ptr<bufferevent, BevFree> bev_;
  bool connected_ = false, ended_ = false;
  Bytes waiting_;  // not yet handed over
  std::size_t waiting_at_ = 0;
  std::uint64_t queued_ = 0;
};

}  // namespace postern::smpp
