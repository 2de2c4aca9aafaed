// SPDX-License-Identifier: Apache-2.0
// Purpose: the sandbox bank in one folder: certificates, credentials, configuration, a portability table,
// customers and requests to try. Used by: the sandbox only. Threads: one.
// Ownership: a Bank is the name of a folder; everything of a run stays in it.
// Errors: what could not be made and where. Nothing that exists is overwritten, so that changes by hand
// stay, except what names a port that is taken now.
//
//   DIR/etc/        posternd.toml, scenarios/, templates/, connectors/
//   DIR/secrets/    credentials, 0400      DIR/pki/      CA, certificates, revocation list
//   DIR/run/        sockets, locks         DIR/state/    the vault's store, audit log
//   DIR/log/        one file a process     DIR/postgres/ the private database
//   DIR/requests/   examples to post       DIR/ports.json, customers.json, numbers.csv, phones.jsonl
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/result.hpp"

namespace postern::sandbox {

struct Ports {
  std::uint16_t https = 0, hook = 0, network_a = 0, network_b = 0, providers = 0, smtp = 0, postgres = 0;
};

// Whether the simulated handsets are written down in phones.jsonl.
enum class Phones { recorded, ignored };

class Bank {
 public:
  // The folder's name made absolute. Errors: longer than the sockets in it allow.
  static Result<Bank> at(const std::string& folder);

  const std::string& folder() const { return folder_; }
  std::string path(const std::string& below) const { return folder_ + "/" + below; }
  bool exists() const;

  // Takes the folder: a new or empty one, or one that is a sandbox already. Changes nothing else.
  Status claim() const;
  // Makes what is missing, after claim(). Not while the bank runs: ports that are taken are replaced.
  Status prepare() const;

  Result<Ports> ports() const;

 private:
  explicit Bank(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

// The Unix user of this process by name.
Result<std::string> own_user();

// One file of the bank, by its path below the folder.
struct BankFile {
  std::string path, content;
};

// The parts of prepare(), each in its own file.
std::vector<BankFile> vault_files(const Bank& bank, const std::string& user);  // posternd.toml, scenarios, templates
std::vector<BankFile> connector_files(const Bank& bank, const Ports& ports);   // etc/connectors/*.toml
std::vector<BankFile> example_files();                                         // numbers, customers, requests
Status make_secrets(const Bank& bank, const Ports& ports);
Status make_certificates(const Bank& bank);

// Names that several parts use.
inline constexpr std::string_view kPhoneNumberId = "106540352242922", kPushProject = "sandbox-bank";
inline constexpr std::string_view kNetworkA = "25501", kNetworkB = "25503";
inline constexpr std::string_view kSmscAccount = "postern", kMailAccount = "postern", kMailDomain = "bank.example";
inline constexpr std::string_view kDatabase = "bank", kDatabaseReader = "postern_sql", kDatabaseBank = "bank_app",
                                  kOutbox = "outbox.messages";

}  // namespace postern::sandbox
