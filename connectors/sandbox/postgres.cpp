// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/postgres.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

namespace postern::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostOutput = 1024 * 1024;

// The account that the server runs as: PostgreSQL refuses to run as root.
struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

Result<Account> server_account() {
  const passwd* entry = geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid());
  if (entry == nullptr)
    return fail("sandbox PostgreSQL: there is no user postgres on this machine; install the package postgresql");
  return Account{entry->pw_uid, entry->pw_gid, entry->pw_name};
}

Result<std::string> newest_bin() {
  int newest = 0;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string name = entry.path().filename().string();
    const int version = std::atoi(name.c_str());
    if (version > newest && fs::exists(entry.path() / "bin" / "initdb", ignored)) newest = version;
  }
  if (newest < 13)
    return fail(
        "sandbox PostgreSQL: no server of version 13 or later under /usr/lib/postgresql; install the package "
        "postgresql");
  return fmt::format("/usr/lib/postgresql/{}/bin", newest);
}

struct Done {
  int code = -1;
  std::string output;
};

// Becomes the server's account and the program; only calls that are safe after fork.
[[noreturn]] void become(const Account& account, const std::vector<char*>& arguments, int in, int out) {
  const bool good =
      dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2 &&
      (geteuid() != 0 || (setgroups(0, nullptr) == 0 && setgid(account.gid) == 0 && setuid(account.uid) == 0)) &&
      chdir("/") == 0;
  if (good) execv(arguments[0], arguments.data());
  _exit(127);
}

// Runs a program as the server's account with `input` on its standard input. `output` goes to a file for
// programs that leave a server behind, which would keep a pipe open for ever.
Result<Done> run(const Account& account, std::vector<std::string> words, const std::string& input = {},
                 const std::string& output = {}) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> to{-1, -1}, from{-1, -1};
  if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0)
    return fail("sandbox PostgreSQL: no pipe: " + std::string(std::strerror(errno)));
  const int sink = output.empty() ? from[1] : open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t child = sink < 0 ? -1 : fork();
  if (child == 0) become(account, arguments, to[0], sink);
  close(to[0]);
  close(from[1]);
  if (!output.empty() && sink >= 0) close(sink);
  // The programs read all their input before they print more than a pipe holds.
  for (std::size_t at = 0; child > 0 && at < input.size();) {
    const ssize_t count = write(to[1], input.data() + at, input.size() - at);
    if (count <= 0) break;
    at += static_cast<std::size_t>(count);
  }
  close(to[1]);
  Done done;
  std::array<char, 4096> bytes;
  for (ssize_t count = 1; child > 0 && count > 0;) {
    count = read(from[0], bytes.data(), bytes.size());
    if (count > 0 && done.output.size() < kMostOutput)
      done.output.append(bytes.data(), static_cast<std::size_t>(count));
  }
  close(from[0]);
  int status = 0;
  if (child <= 0 || waitpid(child, &status, 0) != child)
    return fail("sandbox PostgreSQL: cannot run " + words[0] + ": " + std::strerror(errno));
  done.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return done;
}

Status copy_for(const Account& account, const std::string& from, const fs::path& to, mode_t mode) {
  std::error_code failed;
  fs::remove(to, failed);
  if (!fs::copy_file(from, to, failed))
    return fail("sandbox PostgreSQL: cannot copy " + from + ": " + failed.message());
  if (chmod(to.c_str(), mode) != 0 || (geteuid() == 0 && chown(to.c_str(), account.uid, account.gid) != 0))
    return fail("sandbox PostgreSQL: cannot set the owner of " + to.string() + ": " + std::strerror(errno));
  return {};
}

Status write_for(const Account& account, const fs::path& to, const std::string& text) {
  std::ofstream out(to, std::ios::trunc);
  out << text;
  out.close();
  if (!out || chmod(to.c_str(), 0600) != 0 || (geteuid() == 0 && chown(to.c_str(), account.uid, account.gid) != 0))
    return fail("sandbox PostgreSQL: cannot write " + to.string());
  return {};
}

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  const bool good = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&at), size) == 0 &&
                    getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  if (fd >= 0) close(fd);
  return good ? ntohs(at.sin_port) : 0;
}

// A text as a literal of SQL with standard_conforming_strings, which is PostgreSQL's default.
std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

}  // namespace

Result<std::unique_ptr<PrivatePostgres>> PrivatePostgres::up(const PrivatePostgresOptions& options) {
  for (const std::string* name : {&options.database, &options.channel, &options.bank_role, &options.reader_role}) {
    if (!sql::is_identifier(*name)) return fail("sandbox PostgreSQL: '" + *name + "' must be a lower-case identifier");
  }
  const Result<std::string> bin = newest_bin();
  if (!bin) return std::unexpected(bin.error());
  const Result<Account> account = server_account();
  if (!account) return std::unexpected(account.error());

  std::error_code failed;
  const fs::path home = fs::absolute(options.folder, failed) / "postgres";
  fs::create_directories(home, failed);
  if (failed) return fail("sandbox PostgreSQL: cannot make " + home.string() + ": " + failed.message());
  if (home.string().size() > 80)
    return fail("sandbox PostgreSQL: the path " + home.string() + " is too long for a socket; choose a shorter folder");
  if (chmod(home.c_str(), 0700) != 0 || (geteuid() == 0 && chown(home.c_str(), account->uid, account->gid) != 0))
    return fail("sandbox PostgreSQL: cannot give " + home.string() + " to " + account->name + ": " +
                std::strerror(errno));

  std::unique_ptr<PrivatePostgres> server(new PrivatePostgres(home.string(), *bin));
  if (Status made = server->make_cluster(options); !made) return std::unexpected(made.error());
  if (Status started = server->launch(); !started) return std::unexpected(started.error());
  if (Status filled = server->fill(options); !filled) return std::unexpected(filled.error());
  return server;
}

Status PrivatePostgres::make_cluster(const PrivatePostgresOptions& options) {
  const Result<Account> account = server_account();
  std::error_code ignored;
  if (!fs::exists(fs::path(home_) / "data" / "PG_VERSION", ignored)) {
    const Result<Done> made = run(*account, {bin_ + "/initdb", "-D", home_ + "/data", "-A", "peer", "-U", "postgres",
                                             "-E", "UTF8", "--locale=C.UTF-8", "-N"});
    if (!made) return std::unexpected(made.error());
    if (made->code != 0)
      return fail("sandbox PostgreSQL: initdb failed; is " + home_ + " below folders that " + account->name +
                  " may enter? It said: " + made->output.substr(0, 300));
  }
  return write_settings(options);
}

Status PrivatePostgres::write_settings(const PrivatePostgresOptions& options) {
  const Result<Account> account = server_account();
  const fs::path home(home_), port_file = home / "port";
  port_ = options.port;
  if (port_ == 0) {
    int kept = 0;
    std::ifstream(port_file) >> kept;
    port_ = kept > 0 && kept < 65536 ? static_cast<std::uint16_t>(kept) : free_port();
  }
  const std::string ca = options.client_ca.empty() ? "" : "ssl_ca_file = '" + home_ + "/client-ca.pem'\n";
  const std::string settings = fmt::format(
      "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nunix_socket_permissions = "
      "0700\nmax_connections = 50\n"
      "ssl = on\nssl_cert_file = '{}/server.pem'\nssl_key_file = '{}/server.key'\n{}ssl_min_protocol_version = "
      "'TLSv1.2'\n"
      "password_encryption = 'scram-sha-256'\nlog_min_messages = warning\nlog_min_error_statement = panic\n",
      port_, home_, home_, home_, ca);
  const std::string reader = options.reader_certificate ? "cert" : "scram-sha-256";
  const std::string access = fmt::format(
      "local all postgres peer map=owner\nhostssl {0} {1} 127.0.0.1/32 {2}\nhostssl {0} {3} 127.0.0.1/32 "
      "scram-sha-256\n",
      options.database, options.reader_role, reader, options.bank_role);
  std::vector<Status> steps;
  steps.push_back(write_for(*account, port_file, std::to_string(port_)));
  steps.push_back(copy_for(*account, options.certificate, home / "server.pem", 0600));
  steps.push_back(copy_for(*account, options.key, home / "server.key", 0600));
  if (!options.client_ca.empty()) steps.push_back(copy_for(*account, options.client_ca, home / "client-ca.pem", 0600));
  steps.push_back(write_for(*account, home / "data" / "postgresql.conf", settings));
  steps.push_back(write_for(*account, home / "data" / "pg_hba.conf", access));
  steps.push_back(write_for(*account, home / "data" / "pg_ident.conf", "owner " + account->name + " postgres\n"));
  for (const Status& step : steps) {
    if (!step) return step;
  }
  return {};
}

Status PrivatePostgres::launch() {
  const Result<Account> account = server_account();
  const std::string verb = is_running() ? "restart" : "start";
  const Result<Done> started =
      run(*account,
          {bin_ + "/pg_ctl", "-D", home_ + "/data", "-w", "-t", "60", "-m", "fast", "-l", home_ + "/server.log", verb},
          {}, "/dev/null");
  if (!started) return std::unexpected(started.error());
  if (started->code != 0)
    return fail("sandbox PostgreSQL: it did not start on port " + std::to_string(port_) + "; see " + home_ +
                "/server.log");
  return {};
}

bool PrivatePostgres::is_running() const {
  const Result<Account> account = server_account();
  if (!account) return false;
  const Result<Done> status = run(*account, {bin_ + "/pg_ctl", "-D", home_ + "/data", "status"});
  return status && status->code == 0;
}

Status PrivatePostgres::down() {
  const Result<Account> account = server_account();
  if (!account) return std::unexpected(account.error());
  if (!is_running()) return {};
  const Result<Done> stopped =
      run(*account, {bin_ + "/pg_ctl", "-D", home_ + "/data", "-w", "-t", "60", "-m", "fast", "stop"});
  if (!stopped) return std::unexpected(stopped.error());
  if (stopped->code != 0) return fail("sandbox PostgreSQL: it does not stop; see " + home_ + "/server.log");
  return {};
}

Result<std::string> PrivatePostgres::sql(const std::string& text, const std::string& database) const {
  const Result<Account> account = server_account();
  if (!account) return std::unexpected(account.error());
  Result<Done> done = run(*account,
                          {bin_ + "/psql", "-h", home_, "-p", std::to_string(port_), "-U", "postgres", "-d", database,
                           "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-"},
                          text);
  if (!done) return std::unexpected(done.error());
  // psql quotes the statement that failed, which may hold a password.
  if (done->code != 0) return fail("sandbox PostgreSQL: a statement failed; see " + home_ + "/server.log");
  while (done->output.ends_with('\n')) done->output.pop_back();
  return std::move(done->output);
}

Status PrivatePostgres::fill(const PrivatePostgresOptions& options) {
  const Result<sql::TableName> table = sql::TableName::parse(options.table);
  if (!table) return fail("sandbox PostgreSQL: the table's name " + table.what());
  const std::string schema = options.table.substr(0, options.table.find('.'));
  const auto role = [](const std::string& name, const Secret& password) {
    return fmt::format(
        "SELECT 'CREATE ROLE {0} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{0}') \\gexec\n"
        "ALTER ROLE {0} LOGIN PASSWORD {1};\n",
        name, password.empty() ? "NULL" : literal(password.text()));
  };
  std::string roles =
      role(options.bank_role, options.bank_password) + role(options.reader_role, options.reader_password) +
      fmt::format(
          "SELECT 'CREATE DATABASE {0}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{0}') \\gexec\n",
          options.database);
  const Result<std::string> made = sql(roles);
  wipe_text(roles);
  if (!made) return std::unexpected(made.error());

  const Result<std::string> known =
      sql(fmt::format("SELECT to_regclass('{}') IS NOT NULL", options.table), options.database);
  if (!known) return std::unexpected(known.error());
  if (*known == "t") return {};
  const Result<std::string> created =
      sql(fmt::format("BEGIN;\nCREATE SCHEMA IF NOT EXISTS {0};\n{1}GRANT USAGE ON SCHEMA {0} TO {2};\nGRANT SELECT, "
                      "DELETE, INSERT (message_key, category, template, "
                      "scenario, locale, recipient_ref, phone, email, push_token, push_platform, variables, deadline, "
                      "send_at) ON {3} TO {2};\nCOMMIT;\n",
                      schema, sql::outbox_ddl(*table, options.reader_role, options.channel), options.bank_role,
                      options.table),
          options.database);
  if (!created) return std::unexpected(created.error());
  return {};
}

}  // namespace postern::sandbox
