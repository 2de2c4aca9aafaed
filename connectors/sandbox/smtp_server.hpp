// SPDX-License-Identifier: Apache-2.0
// Purpose: a simulated SMTP relay (RFC 5321, 3207, 4954, 2920): takes mail over STARTTLS, answers by the
// recipient's local part (behaviour.hpp), and puts what a person would read into the handsets file.
// Used by: the sandbox only. Threads: the loop's. Ownership: owns its listener and connections; loop and
// handsets outlive it.
// Limits: lines of 4 KiB, mails of `largest_mail` bytes, 256 connections.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/handsets.hpp"
#include "crypto/result.hpp"
#include "crypto/secret.hpp"
#include "crypto/tls.hpp"

namespace postern::sandbox {

// What is wrong with the relay as a whole, for drills.
enum class SmtpFault {
  none,
  no_starttls,  // does not offer it
  garbage,      // greets with bytes that are no reply
  silent,       // accepts connections and says nothing
};

struct SmtpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: a free one
  TlsFiles tls;            // certificate and key
  std::string user;        // empty: no AUTH
  Secret password;
  SmtpFault fault = SmtpFault::none;
  std::size_t largest_mail = 10 * 1024 * 1024;
};

struct SmtpCounters {
  std::uint64_t connections = 0, logins = 0, accepted = 0, refused = 0, deferred = 0;
};

class SmtpServer {
 public:
  static Result<std::unique_ptr<SmtpServer>> start(Loop& loop, SmtpServerOptions options, Handsets& handsets);
  ~SmtpServer();
  SmtpServer(const SmtpServer&) = delete;
  SmtpServer& operator=(const SmtpServer&) = delete;

  std::uint16_t port() const { return port_; }
  const SmtpCounters& counters() const { return counters_; }
  void set_fault(SmtpFault fault) { options_.fault = fault; }  // of connections from now on

 private:
  class Client;
  SmtpServer(Loop& loop, SmtpServerOptions options, Handsets& handsets, SslContext tls, int fd, std::uint16_t port);
  void on_connection();
  void forget(Client* client);

  Loop& loop_;
  SmtpServerOptions options_;
  Handsets& handsets_;
  SslContext tls_;
  int fd_;
  std::uint16_t port_;
  SmtpCounters counters_;
  std::map<std::string, int> busy_;  // tries that were deferred, by address
  std::map<Client*, std::unique_ptr<Client>> clients_;
  std::unique_ptr<Watch> listening_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::sandbox
