// SPDX-License-Identifier: Apache-2.0
// postern-sql: brings messages in from the outbox table of a bank's PostgreSQL database.
// SECURITY: reads bytes of that database only, through libpq over verified TLS; what stands in a row is
// foreign and mapped by row.hpp. Holds the database's password or client key. A takeover sees the rows
// that pass, and can do to that one table what its grants allow.
#include <cstdio>
#include <cstring>
#include <string>

#include "connectors/sources/sql/dry_run.hpp"
#include "connectors/sources/sql/sql_source.hpp"

namespace {

using namespace postern;

// --dry-run and --ddl are this connector's own; they need the settings and no vault.
int run_alone(const std::string& config, bool ddl) {
  if (const Status hard = harden_process(); !hard) {
    std::fprintf(stderr, "postern-sql: %s\n", hard.what().c_str());
    return 1;
  }
  Result<std::unique_ptr<SettingsFile>> file = SettingsFile::read(config);
  if (!file) {
    std::fprintf(stderr, "%s\n", file.what().c_str());
    return 2;
  }
  Section root = (*file)->root();
  for (const char* common : {"name", "vault", "log"}) root.text(common, "");
  const Result<std::unique_ptr<sql::Settings>> settings = sql::read_settings(root);
  if (const Status finished = (*file)->finish(); !finished) {
    std::fprintf(stderr, "%s\n", finished.what().c_str());
    return 2;
  }
  if (!ddl) return sql::dry_run(**settings);
  const sql::DatabaseOptions& database = (*settings)->database;
  std::printf("%s", sql::outbox_ddl(*(*settings)->table, database.user, database.channel).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string config;
  bool alone = false, ddl = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--dry-run") == 0) alone = true;
    if (std::strcmp(argv[i], "--ddl") == 0) alone = ddl = true;
    if (std::strcmp(argv[i], "--config") == 0 && i + 1 < argc) config = argv[i + 1];
  }
  if (alone) {
    if (argc == 4 && !config.empty()) return run_alone(config, ddl);
    std::fprintf(stderr, "usage: postern-sql --config FILE [--check | --dry-run | --ddl] | --version\n");
    return 2;
  }
  ConnectorProgram program;
  program.name = "postern-sql";
  program.build = [](Section root) -> Result<std::unique_ptr<Connector>> {
    Result<std::unique_ptr<sql::Settings>> settings = sql::read_settings(root);
    if (!settings) return std::unexpected(settings.error());
    // A table name that was refused is among the file's faults, which the caller reports.
    if (!(*settings)->table) return fail("'table' is not usable");
    return std::make_unique<sql::SqlSource>(std::move(*settings));
  };
  return run_connector(argc, argv, program);
}
