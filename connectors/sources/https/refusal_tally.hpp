// SPDX-License-Identifier: Apache-2.0
// Purpose: counts refused TLS handshakes and tells the vault once a second, so that the audit log
// knows of every one and a peer cannot make it grow at will. Used by: postern-https.
// Threads: one loop. Ownership: plain. Errors: none; while the vault is away the counts wait.
// Limits: kMaxKinds pairs of reason and certificate at a time; what is over it is counted by reason.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "connectors/protocol/loop.hpp"
#include "connectors/protocol/wire.pb.h"
#include "crypto/tls.hpp"

namespace postern::https {

class RefusalTally {
 public:
  static constexpr std::size_t kMaxKinds = 256;

  // `ready` says whether observations can be taken now.
  RefusalTally(Loop& loop, std::function<bool()> ready, std::function<void(wire::Observation&&)> observe);

  void count(const HandshakeFailure& failure);
  // Tells at once what was counted; for a program that is about to end.
  void finish();
  // Since the start, by reason.
  const std::map<std::string, std::uint64_t>& totals() const { return totals_; }

 private:
  void tell();

  std::function<bool()> ready_;
  std::function<void(wire::Observation&&)> observe_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> kinds_;  // reason, fingerprint
  std::map<std::string, std::uint64_t> totals_;
  bool running_ = false;
  Timer timer_;
};

}  // namespace postern::https
