// SPDX-License-Identifier: Apache-2.0
// Purpose: what the connections of one server share: TLS context, limits, counters, the budget of
// body memory. Used by: server.cpp and connection.cpp only. Threads: one loop.
// Ownership: owns the listening socket and all connections. Errors: as in server.hpp.
#pragma once

#include <sys/stat.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/protocol/log.hpp"
#include "connectors/sources/http/server.hpp"
#include "connectors/sources/http/waiting_room.hpp"

namespace postern::http {

class Connection;

class Server::Core {
 public:
  Core(Loop& loop, ServerOptions options, ServerHandlers handlers);
  ~Core();
  Status start();
  Status reload();
  void drain(std::function<void()> done);
  std::uint16_t port() const { return port_; }

  // For connections.
  Loop& loop() { return loop_; }
  const ServerLimits& limits() const { return options_.limits; }
  const ServerHandlers& handlers() const { return handlers_; }
  SSL_CTX* context() { return context_.get(); }
  bool client_certificates() const { return options_.client_certificates; }
  bool draining() const { return draining_; }
  const std::string& date();
  std::string& scratch() { return scratch_; }
  std::span<char> read_scratch() { return read_scratch_; }
  bool reserve_body(std::uint64_t bytes);
  void release_body(std::uint64_t bytes) { body_bytes_ -= bytes; }
  void handshake_ended() { --handshaking_; }
  void forget(Connection& connection);
  ServerCounts counts;

 private:
  // Enough of a file's state to see that it was replaced.
  struct Stamp {
    std::int64_t seconds = 0, nanoseconds = 0, size = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  std::vector<Stamp> stamps() const;
  void look_at_files();
  // From the kernel's queue to the waiting room, from there to a handshake.
  void accept_some();
  void let_in(Newcomer newcomer);
  void turn_away(const Newcomer& newcomer);
  void begin_some();
  void begin(const Newcomer& newcomer);
  void one_less_of(const std::string& address);
  bool may_begin_handshake();
  std::shared_ptr<Connection> oldest_handshake();
  void recheck_all();
  void recheck_some();
  Result<SslContext> make_context() const;

  Loop& loop_;
  ServerOptions options_;
  ServerHandlers handlers_;
  SslContext context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::unique_ptr<Watch> accept_;
  Timer accept_pause_;
  WaitingRoom room_;
  Timer begin_pace_, file_watch_, recheck_, recheck_step_;
  Signal hangup_;
  std::vector<Stamp> seen_files_;

  std::map<Connection*, std::shared_ptr<Connection>> connections_;
  // Connections that have ended in this turn: libevent still uses descriptor and TLS state until the
  // callback that ended them has returned.
  std::vector<std::shared_ptr<Connection>> ended_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unordered_map<std::string, std::uint32_t> per_peer_;   // connections, and who waits in the room
  std::uint32_t handshaking_ = 0;
  std::deque<std::weak_ptr<Connection>> begun_;   // handshakes, oldest first; some have ended
  double handshakes_left_ = 0;                    // that may begin now
  std::int64_t counted_ms_ = 0;                   // when that was true
  std::uint64_t body_bytes_ = 0;

  // Up to where the certificates of open connections have been verified again, in the order of connections_; one that came since the round
  // began has been verified when it came. And what is known of the certificates seen in this round (by fingerprint).
  Connection* rechecked_to_ = nullptr;
  std::unordered_map<std::string, std::string> rechecked_;

  std::string date_, scratch_;
  std::array<char, 16 * 1024> read_scratch_{};   // what a TLS record holds; wiped as it is parsed
  std::int64_t date_second_ = 0;
  log::LogLimit cap_log_, accept_log_;
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace postern::http
