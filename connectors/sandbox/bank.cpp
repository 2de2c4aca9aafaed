// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/bank.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "connectors/sandbox/files.hpp"
#include "connectors/sandbox/pki.hpp"
#include "connectors/sandbox/providers.hpp"
#include "connectors/sources/json/document.hpp"
#include "connectors/sources/json/writer.hpp"
#include "crypto/bytes.hpp"

namespace postern::sandbox {
namespace {

namespace fs = std::filesystem;

// The longest socket that lies in the folder.
constexpr std::string_view kLongestSocket = "/run/control.sock";
// Below the range from which the kernel takes ports for outgoing connections.
constexpr std::uint16_t kFirstPort = 20'000, kLastPort = 31'999;
constexpr std::size_t kSecretBytes = 24, kMaxPortsFile = 4096;
constexpr const char* kMark = "SANDBOX";
constexpr std::string_view kMarkText =
    "A sandbox bank of Postern. `postern sandbox help` tells what its customers do; remove the whole folder to start "
    "anew.\n";

struct PortName {
  std::string_view name;
  std::uint16_t Ports::*port;
};
constexpr std::array<PortName, 7> kPortNames = {{{"https", &Ports::https},
                                                 {"hook", &Ports::hook},
                                                 {"network_a", &Ports::network_a},
                                                 {"network_b", &Ports::network_b},
                                                 {"providers", &Ports::providers},
                                                 {"smtp", &Ports::smtp},
                                                 {"postgres", &Ports::postgres}}};

// A loopback port held while others are looked for, so that no two are the same.
class HeldPort {
 public:
  explicit HeldPort(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    free_ = fd_ >= 0 && port != 0 && bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
            listen(fd_, 1) == 0;
  }
  HeldPort(HeldPort&& other) noexcept : fd_(std::exchange(other.fd_, -1)), free_(other.free_) {}
  HeldPort& operator=(HeldPort&&) = delete;
  ~HeldPort() {
    if (fd_ >= 0) close(fd_);
  }
  bool is_free() const { return free_; }

 private:
  int fd_;
  bool free_ = false;
};

std::uint16_t drawn_port() {
  std::uint16_t number = 0;
  static_cast<void>(!getrandom(&number, sizeof number, 0));
  return static_cast<std::uint16_t>(kFirstPort + number % (kLastPort - kFirstPort + 1));
}

// Keeps every port that is free and draws another for each that is not; true when one has changed.
Result<bool> settle_ports(Ports& ports) {
  std::vector<HeldPort> held;
  bool changed = false;
  for (const PortName& each : kPortNames) {
    std::uint16_t& port = ports.*each.port;
    for (int tries = 0;; ++tries) {
      HeldPort candidate(port);
      if (candidate.is_free()) {
        held.push_back(std::move(candidate));
        break;
      }
      if (tries == 1000) return fail("no free loopback port was found between 20000 and 31999");
      port = drawn_port();
      changed = true;
    }
  }
  return changed;
}

Status write_ports(const Bank& bank, const Ports& ports) {
  std::string text;
  json::Writer w(text);
  w.object();
  for (const PortName& each : kPortNames) w.key(each.name).number(std::uint64_t{ports.*each.port});
  w.end_object();
  return write_file(bank.path("ports.json"), text + "\n", 0644);
}

// Printable, without anything that a shell, a URL or a header would treat in its own way.
std::string random_word() {
  Bytes bytes(kSecretBytes);
  static_cast<void>(!getrandom(bytes.data(), bytes.size(), 0));
  return to_hex(bytes);
}

Status write_missing(const Bank& bank, const std::vector<BankFile>& files) {
  for (const BankFile& file : files) {
    const std::string path = bank.path(file.path);
    if (fs::exists(path)) continue;
    if (const Status made = make_folder(fs::path(path).parent_path(), 0755); !made) return made;
    if (const Status written = write_file(path, file.content, 0644); !written) return written;
  }
  return {};
}

}  // namespace

Result<std::string> own_user() {
  const passwd* entry = getpwuid(geteuid());
  if (entry == nullptr)
    return fail(
        fmt::format("user {} has no name in the user database; the vault knows connectors by user names", geteuid()));
  return std::string(entry->pw_name);
}

Result<Bank> Bank::at(const std::string& folder) {
  if (folder.empty()) return fail("name the sandbox's folder");
  std::error_code error;
  std::string absolute = fs::absolute(folder, error).lexically_normal();
  while (absolute.size() > 1 && absolute.ends_with('/')) absolute.pop_back();
  const std::size_t most = sizeof(sockaddr_un::sun_path) - 1 - kLongestSocket.size();
  if (absolute.size() > most)
    return fail(
        fmt::format("{}: this path has {} bytes; at most {} leave room for the Unix sockets in it. Choose a shorter "
                    "folder, such as /tmp/bank",
                    absolute, absolute.size(), most));
  if (absolute.find_first_of("\"\\\n'") != std::string::npos)
    return fail("the folder's name may hold no quote, backslash or line break");
  return Bank(std::move(absolute));
}

bool Bank::exists() const { return fs::exists(path(kMark)); }

Result<Ports> Bank::ports() const {
  const Result<std::string> text = read_file(path("ports.json"));
  if (!text) return fail(text.what());
  json::Document document;
  if (document.parse(*text, kMaxPortsFile))
    return fail(path("ports.json") + ": is no JSON; remove it and run `up` again");
  Ports ports;
  for (const PortName& each : kPortNames)
    ports.*each.port = static_cast<std::uint16_t>(document.root().find(each.name).integer().value_or(0));
  return ports;
}

Status Bank::claim() const {
  std::error_code error;
  if (exists()) return {};
  if (fs::exists(folder_, error) && !fs::is_empty(folder_, error))
    return fail(folder_ + ": is neither empty nor a sandbox; choose another folder");
  if (const Status made = make_folder(folder_, 0755); !made) return made;
  if (const Status made = make_folder(path("run"), 0700); !made) return made;
  if (const Status made = make_folder(path("log"), 0700); !made) return made;
  return write_file(path(kMark), kMarkText, 0644);
}

Status Bank::prepare() const {
  const Result<std::string> user = own_user();
  if (!user) return fail(user.what());
  std::error_code error;
  for (const char* name : {"", "/etc/connectors", "/etc/scenarios", "/etc/templates"})
    if (const Status made = make_folder(folder_ + name, 0755); !made) return made;
  // Nobody else reads what the vault keeps, what it is opened with, and what customers were told.
  for (const char* name : {"/secrets", "/run", "/state", "/log"})
    if (const Status made = make_folder(folder_ + name, 0700); !made) return made;
  if (const Status made = make_folder(path("pki"), 0755); !made) return made;

  Ports known = ports().value_or(Ports{});
  const Result<bool> changed = settle_ports(known);
  if (!changed) return fail(changed.what());
  const std::vector<BankFile> connectors = connector_files(*this, known);
  if (*changed) {
    for (const BankFile& file : connectors) fs::remove(path(file.path), error);
    fs::remove(path("secrets/fcm-service-account.json"), error);  // it names the token service's port
  }
  if (const Status made = make_certificates(*this); !made) return made;
  if (const Status made = make_secrets(*this, known); !made) return made;
  if (const Status made = write_missing(*this, vault_files(*this, *user)); !made) return made;
  if (const Status made = write_missing(*this, connectors); !made) return made;
  if (const Status made = write_missing(*this, example_files()); !made) return made;
  return write_ports(*this, known);
}

Status make_secrets(const Bank& bank, const Ports& ports) {
  for (const char* name :
       {"unlock.key", "smsc-a.password", "smsc-b.password", "smtp.password", "postgres.password",
        "postgres-bank.password", "whatsapp.token", "whatsapp.app-secret", "whatsapp.verify-token"}) {
    const std::string path = bank.path(std::string("secrets/") + name);
    if (fs::exists(path)) continue;
    // SMPP allows eight characters of password (SMPP 3.4 section 4.1.1).
    const std::string word = std::string_view(name).starts_with("smsc") ? random_word().substr(0, 8) : random_word();
    if (const Status written = write_file(path, word + "\n", 0400); !written) return written;
  }
  // For psql, which takes a password from a file of this form.
  const std::string pass_path = bank.path("secrets/pgpass");
  if (!fs::exists(pass_path)) {
    const Result<std::string> word = read_file(bank.path("secrets/postgres-bank.password"));
    if (!word) return fail(word.what());
    if (const Status written =
            write_file(pass_path, fmt::format("127.0.0.1:*:{}:{}:{}", kDatabase, kDatabaseBank, *word), 0400);
        !written)
      return written;
  }
  const std::string account_path = bank.path("secrets/fcm-service-account.json");
  if (fs::exists(account_path)) return {};
  const Result<std::string> account =
      make_service_account(std::string(kPushProject), fmt::format("https://127.0.0.1:{}/token", ports.providers));
  return account ? write_file(account_path, *account, 0400) : fail(account.what());
}

Status make_certificates(const Bank& bank) {
  Result<std::unique_ptr<Authority>> authority = Authority::open(bank.path("pki"));
  if (!authority) return fail(authority.what());
  const auto uri = [](std::string_view name) { return fmt::format("spiffe://{}/{}", kMailDomain, name); };
  const std::vector<LeafRequest> wanted = {
      {.name = "https", .uri = {}, .server = true},
      {.name = "hook", .uri = {}, .server = true},
      {.name = "smsc", .uri = {}, .server = true},
      {.name = "providers", .uri = {}, .server = true},
      {.name = "smtp", .uri = {}, .server = true},
      {.name = "postgres", .uri = {}, .server = true},
      {.name = "postern", .uri = uri("postern"), .client = true},
      {.name = "core-banking", .uri = uri("core-banking"), .client = true},
      {.name = "card-processing", .uri = uri("card-processing"), .client = true},
      {.name = "marketing", .uri = uri("marketing"), .client = true},
      {.name = "mobile-app", .uri = uri("mobile-app"), .client = true},
      {.name = "monitoring", .uri = uri("monitoring"), .client = true},
      {.name = "stolen", .uri = uri("core-banking"), .client = true, .revoked = true}};
  for (const LeafRequest& request : wanted)
    if (const Status issued = (*authority)->issue(request); !issued) return issued;
  return (*authority)->write_list();
}

}  // namespace postern::sandbox
