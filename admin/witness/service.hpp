// SPDX-License-Identifier: Apache-2.0
// Purpose: the witness behind HTTPS, and its settings. Used by: postern-witness. Threads: one loop.
// Ownership: owns key, memory and server; the loop outlives it. Errors: sentences for the operator.
// Paths: POST /add-checkpoint, GET /ORIGIN-HASH/checkpoint (C2SP tlog-witness).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/witness/witness.hpp"
#include "connectors/protocol/log.hpp"
#include "connectors/protocol/settings.hpp"
#include "connectors/sources/http/server.hpp"

namespace postern::witness {

struct Settings {
  http::ServerOptions server;
  std::string key, state, port_file;
  std::vector<Verifier> logs;
  log::Level level = log::Level::info;
};
// Faults are noted in the file and told by its finish().
Settings read_settings(Section root);

class Service {
 public:
  static Result<std::unique_ptr<Service>> open(Loop& loop, const Settings& settings);
  void drain(std::function<void()> done) { server_->drain(std::move(done)); }
  std::uint16_t port() const { return server_->port(); }
  const Verifier& verifier() const { return key_.verifier(); }

 private:
  Service(Key key, Memory memory, std::vector<Verifier> logs) : key_(std::move(key)), memory_(std::move(memory)), witness_(key_, memory_, std::move(logs)) {}
  http::Admission admit(const http::Request& head) const;
  void serve(const http::Request& request, http::Answer answer);

  Key key_;
  Memory memory_;
  Witness witness_;
  std::unique_ptr<http::Server> server_;
  log::LogLimit refused_line_, tls_line_;
};

}  // namespace postern::witness
