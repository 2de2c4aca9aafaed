// SPDX-License-Identifier: Apache-2.0
// Purpose: the same first and last steps for every connector: harden the process, read the command
// line and settings, offer --check, connect to the vault, serve, drain on SIGTERM, exit.
// Used by: main() of every connector. Threads: one.
//
// Command line of every connector:
//   postern-NAME --config FILE [--check] [--version]
// Keys that every connector's file has (read by run_connector before the connector reads its own):
//   name   = "smpp-main"                      the name in the vault's configuration
//   vault  = "/run/postern/bus/USER"          optional: the socket of the user it runs as
//   log    = "info"                           optional: debug, info, warning, error
// Exit codes: 0 ended as asked; 1 could not start or failed; 2 wrong command line or settings.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "connectors/protocol/link.hpp"
#include "connectors/protocol/settings.hpp"

namespace postern {

// What a connector gives to run_connector.
class Connector {
 public:
  virtual ~Connector() = default;

  // Fills the link's window and wishes, and its handlers, before the link exists.
  virtual LinkOptions link_options() const = 0;
  virtual LinkHandlers link_handlers() = 0;

  // The link exists and runs from now on; open listeners and sessions here.
  virtual Status start(Loop& loop, Link& link) = 0;

  // SIGTERM or the vault asked: take no more, finish what is under way, call done() exactly once. The
  // skeleton ends the process after the drain deadline (10 s) in any case.
  virtual void drain(std::function<void()> done) = 0;
};

struct ConnectorProgram {
  std::string name;           // "postern-smpp"
  // Reads the connector's own keys from the file's root and builds it; must not open anything. The
  // skeleton calls finish() on the file afterwards, so unknown keys are refused there.
  std::function<Result<std::unique_ptr<Connector>>(Section root)> build;
};

int run_connector(int argc, char** argv, const ConnectorProgram& program);

}  // namespace postern
