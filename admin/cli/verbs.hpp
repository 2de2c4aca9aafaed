// SPDX-License-Identifier: Apache-2.0
// Purpose: the verbs of `postern`, one function and one file each; main.cpp reads the command line and
// calls them. Threads: one.
// Exit codes of every verb: 0 done; 1 it could not be done (the error says why); 2 wrong command line;
// 3 the answer is "no": not verified, not found, not healthy.
#pragma once

#include <string>
#include <vector>

namespace postern::cli {

inline constexpr int kDone = 0, kFailed = 1, kUsage = 2, kNo = 3;

struct Common {
  std::string socket;    // empty: the one of this user, /run/postern/control/USER
  bool json = false;
};

struct InitOptions {
  bool passphrase = false;
  std::string key_file, profile = "modern";
  unsigned needed = 0;                       // custodians of the quorum
  std::vector<std::string> custodians;       // "NAME=KEY"
};
int init(const Common& common, const InitOptions& options);

struct UnlockOptions {
  bool credential = false, token = false;
  std::string key_file, slot, module, pin_file, custodian;
};
int unlock(const Common& common, const UnlockOptions& options);
int lock(const Common& common);

struct SlotOptions {
  std::string name, file;                    // file: of a key-file slot
  bool part = false;
  std::string module, token, key, pin_file;  // PKCS#11
  unsigned needed = 0;
  std::vector<std::string> custodians;
};
struct WayOptions { std::string name; std::vector<std::string> slots; };
struct CustodianOptions { std::string file, profile = "modern"; };
struct RotateOptions { std::string key; };
int keys_slots(const Common& common);
// `kind`: passphrase, key-file, token or quorum.
int keys_slot_add(const Common& common, const std::string& kind, const SlotOptions& options);
int keys_slot_remove(const Common& common, const SlotOptions& options);
int keys_way_add(const Common& common, const WayOptions& options);
int keys_way_remove(const Common& common, const WayOptions& options);
// Makes a custodian's key file, or shows the public key of one.
int keys_custodian(const Common& common, bool make, const CustodianOptions& options);
int keys_token_make_key(const Common& common, const SlotOptions& options);
int keys_status(const Common& common);
int keys_rotate(const Common& common, const RotateOptions& options);

int status(const Common& common);
int connectors(const Common& common);
int metrics(const Common& common);

// `code` empty: what was found; else this administrator's consent to it.
int rollback(const Common& common, const std::string& code);

// `what`: show, scrub or purge; the last two wait for the end.
int store(const Common& common, const std::string& what);

struct BackupOptions { std::string file; unsigned needed = 1; std::vector<std::string> recipients; };
int backup(const Common& common, const BackupOptions& options);

struct RestoreOptions { std::string file, keys, into; std::vector<std::string> vkeys, custodians; };
// Works without a gateway.
int restore(const Common& common, const RestoreOptions& options);

struct TraceOptions { std::string id; };
int trace(const Common& common, const TraceOptions& options);

struct ExplainOptions { std::string id; std::vector<std::string> what_if; };
int explain(const Common& common, const ExplainOptions& options);

struct PolicyOptions { std::string file, last = "30d"; };
int policy_rehearse(const Common& common, const PolicyOptions& options);
struct ReportOptions { std::string last = "7d"; };
int report_double_contacts(const Common& common, const ReportOptions& options);
int report_in_doubt(const Common& common, const ReportOptions& options);

struct FindOptions { unsigned limit = 20; };
// The address is read from standard input, here and below.
int find(const Common& common, const FindOptions& options);

struct AuditOptions { std::string folder; std::vector<std::string> vkeys; };
int audit_verify(const Common& common, const AuditOptions& options);

int audit_check_text(const Common& common, const TraceOptions& options);

struct HaltOptions { std::string kind, name, reason, last = "7d", out; };
int halt_begin(const Common& common, const HaltOptions& options);
int halt_end(const Common& common, const HaltOptions& options);
int halt_list(const Common& common);
// Who had got it: one line a message, with --out as CSV.
int halt_report(const Common& common, const HaltOptions& options);

struct RecipientOptions {
  std::string reference, out;
  bool by_address = false;
  std::string purpose, channel, source, wording;   // of a consent
  bool given = false, withdrawn = false;
};
int recipient_show(const Common& common, const RecipientOptions& options);
int recipient_consent(const Common& common, const RecipientOptions& options);
int recipient_forget(const Common& common, const RecipientOptions& options);
int recipient_erase(const Common& common, const RecipientOptions& options);

struct NumbersOptions { std::string file; };
int numbers_import(const Common& common, const NumbersOptions& options);
int numbers_check(const Common& common, const NumbersOptions& options);
int numbers_show(const Common& common);

struct ConfigOptions { std::string file = "/etc/postern/posternd.toml"; };
int config_check(const Common& common, const ConfigOptions& options);
int config_reload(const Common& common);

// Empty: what postern-rehearse takes unless told otherwise. It checks the values.
struct RehearseOptions { std::string file = "/etc/postern/posternd.toml", days, messages, customers, seed, begin, faults, jobs; };
// Runs postern-rehearse; works without a gateway. Exit code 1 when a promise was broken, 3 when the configuration is faulty.
int rehearse(const Common& common, const RehearseOptions& options);

struct DoctorOptions { std::string file = "/etc/postern/posternd.toml"; };
int doctor(const Common& common, const DoctorOptions& options);

// Runs the sandbox program, which is not part of the production package.
int sandbox(const std::vector<std::string>& arguments);

}  // namespace postern::cli
