// SPDX-License-Identifier: Apache-2.0
// Purpose: a PostgreSQL server of the sandbox's own, with the outbox table of postern-sql in it, so that
// the whole way from a bank's row to a handset can be tried. The machine's own clusters and /etc are
// never touched. Used by: the sandbox only.
// Threads: none of its own; up() and down() wait for PostgreSQL's programs (a few seconds at the first
// up(), which makes the cluster). Ownership: the server outlives the object unless down() is called.
// Errors: a sentence that says what to install or change. Limits: PostgreSQL 13 or later under
// /usr/lib/postgresql; the path of `folder` must leave room for a socket's name (about 80 bytes).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "connectors/sources/sql/table.hpp"
#include "crypto/result.hpp"
#include "crypto/secret.hpp"

namespace postern::sandbox {

struct PrivatePostgresOptions {
  std::string folder;            // made when missing; run twice on the same one, data stays
  std::uint16_t port = 0;        // 0: a free one at the first up(), the same afterwards
  std::string certificate, key;  // the server's, PEM; copied, so that the server's user owns its key
  std::string client_ca;         // PEM; empty: no client certificates
  std::string database = "core";
  std::string table = "outbox.messages";
  std::string channel = "postern_outbox";
  std::string bank_role = "bank_app";     // may insert rows and read what became of them
  std::string reader_role = "postern";    // may do what postern-sql needs
  Secret bank_password, reader_password;  // SCRAM; an empty one leaves the role without
  bool reader_certificate = false;        // the reader logs in by certificate (CN = its role) instead of a password
};

class PrivatePostgres {
 public:
  // Makes the cluster when there is none, starts it when it does not run, and creates what is missing in
  // it. Run by root it belongs to the user `postgres`, else to the caller.
  static Result<std::unique_ptr<PrivatePostgres>> up(const PrivatePostgresOptions& options);

  // Stops the server; the data stays in the folder.
  Status down();
  bool is_running() const;

  std::uint16_t port() const { return port_; }
  const std::string& socket_folder() const { return home_; }

  // Runs SQL as the superuser over the socket file and returns what psql prints, fields separated by '|'.
  Result<std::string> sql(const std::string& text, const std::string& database = "postgres") const;

 private:
  PrivatePostgres(std::string home, std::string bin) : home_(std::move(home)), bin_(std::move(bin)) {}
  Status make_cluster(const PrivatePostgresOptions& options);
  Status write_settings(const PrivatePostgresOptions& options);
  Status launch();
  Status fill(const PrivatePostgresOptions& options);

  std::string home_;  // data, socket and TLS files; belongs to the server's user
  std::string bin_;
  std::uint16_t port_ = 0;
};

}  // namespace postern::sandbox
