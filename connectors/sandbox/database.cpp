// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/database.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/files.hpp"
#include "connectors/sandbox/postgres.hpp"
#include "connectors/sandbox/process.hpp"

namespace postern::sandbox {
namespace {

constexpr std::int64_t kStopMs = 30'000;

// The server's process, by the file that it keeps in its data folder; 0 when it does not run. A file that
// a crash left behind may name anybody's process: ours has the data folder as its working folder.
pid_t server_of(const Bank& bank) {
  const std::string data = bank.path("postgres/data");
  const pid_t pid = std::atoi(read_file(data + "/postmaster.pid").value_or("").c_str());
  std::error_code error;
  if (pid <= 1 || std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd", error) != data) return 0;
  return pid;
}

Result<Secret> password(const Bank& bank, const char* name) {
  return read_secret_file(bank.path(std::string("secrets/") + name).c_str(), 4096);
}

Result<std::unique_ptr<PrivatePostgres>> start_server(const Bank& bank) {
  const Result<Ports> ports = bank.ports();
  if (!ports) return fail(ports.what());
  PrivatePostgresOptions options;
  options.folder = bank.folder();
  options.port = ports->postgres;
  options.certificate = bank.path("pki/postgres.pem");
  options.key = bank.path("pki/postgres.key");
  options.database = kDatabase;
  options.table = kOutbox;
  options.bank_role = kDatabaseBank;
  options.reader_role = kDatabaseReader;
  Result<Secret> bank_password = password(bank, "postgres-bank.password"), reader = password(bank, "postgres.password");
  if (!bank_password) return fail(bank_password.what());
  if (!reader) return fail(reader.what());
  options.bank_password = std::move(*bank_password);
  options.reader_password = std::move(*reader);
  return PrivatePostgres::up(options);
}

}  // namespace

Status run_database(const Bank& bank) {
  log::open("database");
  // A stop that is asked for while the server is being made waits until it is.
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  const Result<std::unique_ptr<PrivatePostgres>> server = start_server(bank);
  if (!server) return fail(server.what());
  const std::string ready = bank.path(std::string(kDatabaseReady));
  if (const Status told = write_file(ready, std::to_string(getpid()) + "\n", 0644); !told) return told;
  log::info("sandbox.database", "PostgreSQL serves on port {}", (*server)->port());
  const timespec second{1, 0};
  while (sigtimedwait(&set, nullptr, &second) < 0) {
    if (server_of(bank) != 0) continue;
    std::remove(ready.c_str());
    return fail("PostgreSQL ended by itself; see " + bank.path("postgres/server.log"));
  }
  std::remove(ready.c_str());
  return (*server)->down();
}

bool end_left_database(const Bank& bank) {
  const Identity server = identity_of(server_of(bank));
  if (!is_running(server)) return false;
  kill(server.pid, SIGINT);  // PostgreSQL's fast shutdown
  for (const std::int64_t end = steady_ms() + kStopMs; is_running(server) && steady_ms() < end;) usleep(20'000);
  return true;
}

}  // namespace postern::sandbox
