// SPDX-License-Identifier: Apache-2.0
// postern: the administrator's tool. Talks to: posternd over its control socket, which knows it by the
// Unix user. Reads: the command line, files that the administrator names. Holds no key.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>

#include "admin/cli/verbs.hpp"
#include "crypto/secret.hpp"

namespace {

using namespace postern::cli;

// Everything that can be said on the command line.
struct Line {
  Common common;
  InitOptions init;
  UnlockOptions unlock;
  TraceOptions trace;
  FindOptions find;
  AuditOptions audit;
  RecipientOptions recipient;
  NumbersOptions numbers;
  ConfigOptions config;
  DoctorOptions doctor;
  std::vector<std::string> sandbox;
  std::function<int()> run;
};

CLI::App* verb(CLI::App& app, Line& line, const std::string& name, const std::string& what, const std::string& example, std::function<int()> run) {
  CLI::App* sub = app.add_subcommand(name, what);
  sub->footer("Example:\n  " + example);
  sub->add_flag("--json", line.common.json, "print JSON for scripts");
  sub->callback([&line, run = std::move(run)] { line.run = run; });
  return sub;
}

void add_keys(CLI::App& app, Line& line) {
  CLI::App* init_verb = verb(app, line, "init", "make keyring and store, once", "postern init --passphrase", [&] { return init(line.common, line.init); });
  init_verb->add_flag("--passphrase", line.init.passphrase, "ask for a passphrase that unlocks");
  init_verb->add_option("--key-file", line.init.key_file, "file with 32 or more random bytes that unlocks");
  CLI::App* unlock_verb = verb(app, line, "unlock", "open the vault", "postern unlock", [&] { return unlock(line.common, line.unlock); });
  unlock_verb->add_flag("--credential", line.unlock.credential, "use the key file that posternd's unit gives it");
  unlock_verb->add_option("--key-file", line.unlock.key_file, "use this key file instead of a passphrase");
  verb(app, line, "lock", "wipe the keys; accept and send nothing", "postern lock", [&] { return lock(line.common); });
}

void add_looking(CLI::App& app, Line& line) {
  verb(app, line, "status", "state of the gateway", "postern status --json", [&] { return status(line.common); });
  verb(app, line, "connectors", "every connector and whether it is up", "postern connectors", [&] { return connectors(line.common); });
  verb(app, line, "metrics", "metrics in Prometheus text", "postern metrics", [&] { return metrics(line.common); });
  verb(app, line, "trace", "the life of one message", "postern trace 019ab0c2-3f5e-7a10-8c4d-5e6f70819203", [&] { return trace(line.common, line.trace); })
      ->add_option("id", line.trace.id, "message id")->required();
  CLI::App* find_verb = verb(app, line, "find", "messages of an address", "postern find --address 380671234567", [&] { return find(line.common, line.find); });
  find_verb->add_option("--address", line.find.address, "number (digits), e-mail address or push token it was accepted for")->required();
  find_verb->add_option("--limit", line.find.limit, "how many at most")->check(CLI::Range(1, 100000));
  verb(app, line, "doctor", "look at everything and say what to do", "postern doctor", [&] { return doctor(line.common, line.doctor); })
      ->add_option("file", line.doctor.file, "posternd's configuration");
}

void add_audit(CLI::App& app, Line& line) {
  CLI::App* audit = app.add_subcommand("audit", "the audit log")->require_subcommand(1);
  CLI::App* check = verb(*audit, line, "verify", "check every record, the tree and the signature", "postern audit verify /var/lib/postern/audit --vkey audit.vkey",
                         [&] { return audit_verify(line.common, line.audit); });
  check->add_option("folder", line.audit.folder, "folder of the log; empty: that of the running gateway");
  check->add_option("--vkey", line.audit.vkeys, "verifier keys of the log and its epochs, as text or in files");
  verb(*audit, line, "check-text", "whether a message said the text on standard input, though nobody can read it", "postern audit check-text 019ab0c2-3f5e-7a10-8c4d-5e6f70819203 < text",
       [&] { return audit_check_text(line.common, line.trace); })
      ->add_option("id", line.trace.id, "message id")->required();
}

void add_recipient(CLI::App& app, Line& line) {
  CLI::App* recipient = app.add_subcommand("recipient", "customers")->require_subcommand(1);
  CLI::App* erase = verb(*recipient, line, "erase", "destroy a customer's key: what was kept of the customer is lost for good",
                         "postern recipient erase C-1001 --out certificate.txt", [&] { return recipient_erase(line.common, line.recipient); });
  CLI::Option* reference = erase->add_option("reference", line.recipient.reference, "the bank's reference of the customer");
  erase->add_option("--address", line.recipient.address, "for a customer without a reference: number (digits), e-mail address or token; '-' reads it")
      ->excludes(reference);
  erase->add_option("--out", line.recipient.out, "where the certificate goes");
}

void add_numbers(CLI::App& app, Line& line) {
  CLI::App* numbers = app.add_subcommand("numbers", "portability table")->require_subcommand(1);
  verb(*numbers, line, "import", "replace the table from a CSV file, all or nothing", "postern numbers import ported.csv", [&] { return numbers_import(line.common, line.numbers); })
      ->add_option("file", line.numbers.file, "CSV: kind,number,network,date")->required();
  verb(*numbers, line, "check", "check a CSV file and change nothing", "postern numbers check ported.csv", [&] { return numbers_check(line.common, line.numbers); })
      ->add_option("file", line.numbers.file, "CSV: kind,number,network,date")->required();
  verb(*numbers, line, "show", "what the table says of a number", "postern numbers show 380671234567", [&] { return numbers_show(line.common, line.numbers); })
      ->add_option("number", line.numbers.number, "E.164 digits")->required();
}

void add_config(CLI::App& app, Line& line) {
  CLI::App* config = app.add_subcommand("config", "configuration")->require_subcommand(1);
  verb(*config, line, "check", "check the files and change nothing", "postern config check /etc/postern/posternd.toml", [&] { return config_check(line.common, line.config); })
      ->add_option("file", line.config.file, "posternd's configuration");
  verb(*config, line, "reload", "put the changed files into force", "postern config reload", [&] { return config_reload(line.common); });
}

void add_sandbox(CLI::App& app, Line& line) {
  CLI::App* box = app.add_subcommand("sandbox", "a small bank and a simulated world to try things in: up DIR, phones DIR, status DIR, down DIR, help");
  box->footer("Example:\n  postern sandbox up ./bank");
  box->prefix_command();
  box->callback([&line, box] {
    line.sandbox = box->remaining();
    line.run = [&line] { return sandbox(line.sandbox); };
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (const postern::Status hard = postern::harden_process(); !hard) return std::fprintf(stderr, "postern: %s\n", hard.what().c_str()), kFailed;
  Line line;
  CLI::App app("Administers a Postern messaging gateway on this machine.", "postern");
  app.set_version_flag("--version", std::string("postern ") + POSTERN_VERSION);
  app.add_option("--socket", line.common.socket, "control socket of posternd")->envname("POSTERN_SOCKET");
  app.add_flag("--json", line.common.json, "print JSON for scripts");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the answer is no.");
  add_keys(app, line);
  add_looking(app, line);
  add_audit(app, line);
  add_recipient(app, line);
  add_numbers(app, line);
  add_config(app, line);
  add_sandbox(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  return line.run ? line.run() : kUsage;
}
