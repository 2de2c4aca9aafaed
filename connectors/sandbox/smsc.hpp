// SPDX-License-Identifier: Apache-2.0
// Purpose: a simulated SMS centre: an SMPP 3.4 server over TLS whose customers behave as behaviour.hpp
// says. Used by: the sandbox, load runs and tests; never in production. Threads: one loop. Several may
// live in one process, each as another network.
// Ownership: owns its listener and sessions; loop and handsets outlive it.
// Errors: open() fails when the port or the TLS files cannot be used; a session that breaks SMPP is closed.
// Limits: made for more than 30,000 submits a second on one core; kMaxBacklog receipts wait for a receiver.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/handsets.hpp"
#include "crypto/result.hpp"
#include "crypto/tls.hpp"

namespace postern::sandbox {

struct SmscOptions {
  // What an SMS centre may do wrong, for tests: answers submits with octets that are no PDU, closes in the
  // middle of an answer, never answers a submit, or refuses every submit as too fast.
  enum class Fault { none, garbage, cut, silent, throttle_all };

  std::string address = "127.0.0.1";
  std::uint16_t port = 0;           // 0: any free one, see Smsc::port()
  bool plain = false;               // no TLS
  TlsFiles tls;                     // clients must show a certificate of tls.ca
  std::string system_id, password;  // empty system_id: any account may bind
  std::string network = "25501";    // MCCMNC, shown with every message a handset receives
  int receipt_delay_least_ms = 0, receipt_delay_most_ms = 50;
  std::size_t receipt_window = 200;  // deliver_sm without an answer, for each session
  Fault fault = Fault::none;
};

class Smsc {
 public:
  static constexpr std::size_t kMaxBacklog = 1'000'000;

  struct Counters {
    std::uint64_t binds = 0, submits = 0, accepted = 0, refused = 0, throttled = 0;
    std::uint64_t receipts = 0, replies = 0;  // deliver_sm answered with ok
    std::uint64_t repeated = 0, dropped = 0;  // sent again after a loss or refusal; over the backlog
    std::uint64_t broken = 0;                 // PDUs that could not be read
    std::size_t sessions = 0, waiting = 0;    // now: bound; receipts not yet answered or due
  };

  // `handsets` may be null: nothing is recorded then, which load runs want.
  static Result<std::unique_ptr<Smsc>> open(Loop& loop, SmscOptions options, Handsets* handsets);
  ~Smsc();
  Smsc(const Smsc&) = delete;
  Smsc& operator=(const Smsc&) = delete;

  std::uint16_t port() const;
  Counters counters() const;
  const std::string& network() const;
  void set_fault(SmscOptions::Fault fault);
  // Cuts every connection, as a crash does; the listener stays.
  void cut_all();
  // Asks every client to leave with unbind.
  void unbind_all();

 private:
  class Impl;
  explicit Smsc(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace postern::sandbox
