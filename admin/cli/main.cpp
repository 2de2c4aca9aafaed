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
  SlotOptions slot;
  WayOptions way;
  CustodianOptions custodian;
  RotateOptions rotate;
  std::string code;
  BackupOptions backup;
  RestoreOptions restore;
  TraceOptions trace;
  ExplainOptions explain;
  PolicyOptions policy;
  FindOptions find;
  ReportOptions report;
  AuditOptions audit;
  RecipientOptions recipient;
  HaltOptions halt;
  NumbersOptions numbers;
  ConfigOptions config;
  RehearseOptions rehearse;
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
  init_verb->add_option("--profile", line.init.profile, "modern, or fips: approved algorithms only")->check(CLI::IsMember({"modern", "fips"}));
  init_verb->add_option("--quorum", line.init.needed, "how many of the custodians unlock");
  init_verb->add_option("--custodian", line.init.custodians, "NAME=KEY of each custodian")->take_all();
  CLI::App* unlock_verb = verb(app, line, "unlock", "open the vault", "postern unlock", [&] { return unlock(line.common, line.unlock); });
  unlock_verb->add_flag("--credential", line.unlock.credential, "use the key file that posternd's unit gives it");
  unlock_verb->add_option("--key-file", line.unlock.key_file, "use this key file instead of a passphrase");
  unlock_verb->add_flag("--token", line.unlock.token, "use a PKCS#11 token");
  unlock_verb->add_option("--module", line.unlock.module, "the token's PKCS#11 module");
  unlock_verb->add_option("--pin-file", line.unlock.pin_file, "file with the token's PIN; otherwise it is asked for");
  unlock_verb->add_option("--custodian", line.unlock.custodian, "give the share of this custodian's key file");
  unlock_verb->add_option("--slot", line.unlock.slot, "which slot it is for, where there are several of its kind");
  verb(app, line, "lock", "wipe the keys; accept and send nothing", "postern lock", [&] { return lock(line.common); });
}

void add_token_options(CLI::App& verb, Line& line) {
  verb.add_option("--module", line.slot.module, "the token's PKCS#11 module, whole path")->required();
  verb.add_option("--token", line.slot.token, "label of the token")->required();
  verb.add_option("--key", line.slot.key, "label of the key on it")->required();
  verb.add_option("--pin-file", line.slot.pin_file, "file with the token's PIN; otherwise it is asked for");
}

void add_slot_verbs(CLI::App& keys, Line& line) {
  CLI::App* slot = keys.add_subcommand("slot", "add or remove an unlock slot")->require_subcommand(1);
  CLI::App* add = slot->add_subcommand("add", "add an unlock slot")->require_subcommand(1);
  const auto add_kind = [&](const std::string& kind, const std::string& what, const std::string& example) {
    CLI::App* sub = verb(*add, line, kind, what, example, [&line, kind] { return keys_slot_add(line.common, kind, line.slot); });
    sub->add_option("name", line.slot.name, "name of the slot")->required();
    sub->add_flag("--part", line.slot.part, "opens nothing by itself: for 'keys way add'");
    return sub;
  };
  add_kind("passphrase", "a passphrase", "postern keys slot add passphrase night-shift");
  add_kind("key-file", "a file with 32 or more random bytes", "postern keys slot add key-file spare /media/safe/spare.key")
      ->add_option("file", line.slot.file, "the file")->required();
  add_token_options(*add_kind("token", "a key on a PKCS#11 token", "postern keys slot add token hsm --module /usr/lib/softhsm/libsofthsm2.so --token bank --key postern"), line);
  CLI::App* quorum = add_kind("quorum", "some of several custodians", "postern keys slot add quorum board --of 2 --custodian ann=postern-custodian-modern:... --custodian ben=...");
  quorum->add_option("--of", line.slot.needed, "how many of them open")->required();
  quorum->add_option("--custodian", line.slot.custodians, "NAME=KEY of each custodian")->required()->take_all();
  verb(*slot, line, "remove", "remove an unlock slot and its own way", "postern keys slot remove night-shift", [&] { return keys_slot_remove(line.common, line.slot); })
      ->add_option("name", line.slot.name, "name of the slot")->required();
}

void add_key_verbs(CLI::App& app, Line& line) {
  CLI::App* keys = app.add_subcommand("keys", "who can open the vault, and its keys")->require_subcommand(1);
  verb(*keys, line, "slots", "unlock slots and the ways that combine them", "postern keys slots", [&] { return keys_slots(line.common); });
  verb(*keys, line, "status", "every key with version, age and due date; exit code 3 when one is overdue", "postern keys status", [&] { return keys_status(line.common); });
  verb(*keys, line, "rotate", "make the next version of a key", "postern keys rotate content", [&] { return keys_rotate(line.common, line.rotate); })
      ->add_option("key", line.rotate.key, "a key of 'postern keys status', or master, or all")->required();
  add_slot_verbs(*keys, line);
  CLI::App* way = keys->add_subcommand("way", "add or remove a way: slots that open together")->require_subcommand(1);
  CLI::App* way_add = verb(*way, line, "add", "all of these slots together open", "postern keys way add two-persons night-shift hsm", [&] { return keys_way_add(line.common, line.way); });
  way_add->add_option("name", line.way.name, "name of the way")->required();
  way_add->add_option("slots", line.way.slots, "slots that are all needed")->required();
  verb(*way, line, "remove", "remove a way; its slots stay", "postern keys way remove night-shift", [&] { return keys_way_remove(line.common, line.way); })
      ->add_option("name", line.way.name, "name of the way")->required();
  CLI::App* custodian = keys->add_subcommand("custodian", "a custodian's own key")->require_subcommand(1);
  CLI::App* make = verb(*custodian, line, "new", "make a key file and print its public key", "postern keys custodian new ann.key", [&] { return keys_custodian(line.common, /*make=*/true, line.custodian); });
  make->add_option("file", line.custodian.file, "the file to make")->required();
  make->add_option("--profile", line.custodian.profile, "that of the keyring: modern or fips")->check(CLI::IsMember({"modern", "fips"}));
  verb(*custodian, line, "show", "print the public key of a key file", "postern keys custodian show ann.key", [&] { return keys_custodian(line.common, /*make=*/false, line.custodian); })
      ->add_option("file", line.custodian.file, "the key file")->required();
  CLI::App* token = keys->add_subcommand("token", "keys on a PKCS#11 token")->require_subcommand(1);
  add_token_options(*verb(*token, line, "make-key", "make a key on the token that cannot leave it", "postern keys token make-key --module /usr/lib/softhsm/libsofthsm2.so --token bank --key postern",
                          [&] { return keys_token_make_key(line.common, line.slot); }), line);
}

void add_rollback(CLI::App& app, Line& line) {
  CLI::App* back = app.add_subcommand("rollback", "a state that is older than it was, or altered, and refused")->require_subcommand(1);
  verb(*back, line, "show", "what was found at the last refused unlock", "postern rollback show", [&] { return rollback(line.common, ""); });
  verb(*back, line, "accept", "consent to it; two administrators must, then unlock again", "postern rollback accept 4f1c90ab", [&] { return rollback(line.common, line.code); })
      ->add_option("code", line.code, "the code of what was found")->required();
}

void add_backup(CLI::App& app, Line& line) {
  CLI::App* make = verb(app, line, "backup", "write FILE and FILE.keys, sealed to custodians", "postern backup /media/safe/monday --of 2 --recipient ann=postern-custodian-modern:... --recipient ben=...",
                        [&] { return backup(line.common, line.backup); });
  make->add_option("file", line.backup.file, "where the state goes; beside it FILE.keys, to be destroyed once there is a newer backup")->required();
  make->add_option("--recipient", line.backup.recipients, "NAME=KEY of each custodian who can open it")->required()->take_all();
  make->add_option("--of", line.backup.needed, "how many of them must come together; 1 unless said");
  CLI::App* back = verb(app, line, "restore", "lay a backup into an empty state folder; needs no gateway", "postern restore /media/safe/monday --into /var/lib/postern --vkey bank.vkey --key ann.key --key ben.key",
                        [&] { return restore(line.common, line.restore); });
  back->add_option("file", line.restore.file, "the backup")->required();
  back->add_option("--keys", line.restore.keys, "its keys file; FILE.keys unless said");
  back->add_option("--into", line.restore.into, "the empty state folder")->required();
  back->add_option("--vkey", line.restore.vkeys, "the log's verifier key, from your records, as text or in a file")->required();
  back->add_option("--key", line.restore.custodians, "key file of each custodian who is here; the passphrases are asked for")->required()->take_all();
}

void add_store(CLI::App& app, Line& line) {
  CLI::App* box = app.add_subcommand("store", "the encrypted store")->require_subcommand(1);
  verb(*box, line, "show", "its size, and what was done for it", "postern store show", [&] { return store(line.common, "show"); });
  verb(*box, line, "scrub", "read everything again and hold it against what was written; exit code 3 when it was altered", "postern store scrub", [&] { return store(line.common, "scrub"); });
  verb(*box, line, "purge", "delete now what the categories do not keep any longer", "postern store purge", [&] { return store(line.common, "purge"); });
}

void add_looking(CLI::App& app, Line& line) {
  verb(app, line, "status", "state of the gateway", "postern status --json", [&] { return status(line.common); });
  verb(app, line, "connectors", "every connector and whether it is up", "postern connectors", [&] { return connectors(line.common); });
  verb(app, line, "metrics", "metrics in Prometheus text", "postern metrics", [&] { return metrics(line.common); });
  verb(app, line, "trace", "the life of one message", "postern trace 019ab0c2-3f5e-7a10-8c4d-5e6f70819203", [&] { return trace(line.common, line.trace); })
      ->add_option("id", line.trace.id, "message id")->required();
  CLI::App* explain_verb = verb(app, line, "explain", "why each step of one message went, waited or was left out, and what a changed policy would have said",
                                "postern explain 019ab0c2-3f5e-7a10-8c4d-5e6f70819203 --what-if caps.daily.limit=4", [&] { return explain(line.common, line.explain); });
  explain_verb->add_option("id", line.explain.id, "message id")->required();
  explain_verb->add_option("--what-if", line.explain.what_if, "KEY=VALUE of the policy's file, such as caps.NAME.limit=4 or 'quiet_hours.spans=[\"22:00-07:00\"]'; may be given again")->take_all()->allow_extra_args(false);
  CLI::App* find_verb = verb(app, line, "find", "messages that were accepted for the number (digits), e-mail address or push token on standard input", "postern find < address", [&] { return find(line.common, line.find); });
  find_verb->add_option("--limit", line.find.limit, "how many at most")->check(CLI::Range(1, 100000));
  verb(app, line, "doctor", "look at everything and say what to do", "postern doctor", [&] { return doctor(line.common, line.doctor); })
      ->add_option("file", line.doctor.file, "posternd's configuration");
}

void add_policy(CLI::App& app, Line& line) {
  CLI::App* policy = app.add_subcommand("policy", "what the bank allows")->require_subcommand(1);
  CLI::App* rehearse = verb(*policy, line, "rehearse", "a policy that is not in force, over what was decided in the last days: who would have been delayed, dropped or reached another way, and what it would cost",
                            "postern policy rehearse candidate.toml --last 30d", [&] { return policy_rehearse(line.common, line.policy); });
  rehearse->footer("Example:\n  postern policy rehearse candidate.toml --last 30d\n\n"
                   "Lists that the file names are read by posternd, relative to the folder of the policy in force. Customers, providers and routes are taken to behave\n"
                   "as they did; what the candidate lets go counts as sent at once; a later step of a message that the candidate sends at another time is taken as it\n"
                   "was. What a customer had before the first day is known as far as the policy of that day had caps. Messages that are not kept any longer are left out.\n"
                   "At most 50,000 messages under way and 500,000 customers and contacts are held at a time; what is judged on less is counted.");
  rehearse->add_option("file", line.policy.file, "the candidate, written as the policy's file is")->required();
  rehearse->add_option("--last", line.policy.last, "how many days back, such as 7d; 30d unless said");
}

void add_report(CLI::App& app, Line& line) {
  CLI::App* report = app.add_subcommand("report", "what happened lately")->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& what, int (*run)(const Common&, const ReportOptions&)) {
    verb(*report, line, name, what, "postern report " + name + " --last 7d", [&line, run] { return run(line.common, line.report); })
        ->add_option("--last", line.report.last, "of messages accepted in the last so many days or hours: 7d, 12h");
  };
  add("double-contacts", "customers who were reached twice, with cause and cost; exit code 3 when there are any", report_double_contacts);
  add("in-doubt", "attempts of which nobody could say what became of them, and how they were settled; exit code 3 when some are open", report_in_doubt);
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
  erase->add_flag("--address", line.recipient.by_address, "for a customer without a reference: reads number (digits), e-mail address or token from standard input")
      ->excludes(reference);
  erase->add_option("--out", line.recipient.out, "where the certificate goes");
  const auto of_customer = [&line](CLI::App* sub) {
    sub->add_option("reference", line.recipient.reference, "the bank's reference of the customer")->required();
    return sub;
  };
  of_customer(verb(*recipient, line, "show", "what is kept of a customer: addresses (masked), preferences, every consent and opt-out", "postern recipient show C-1001",
                   [&] { return recipient_show(line.common, line.recipient); }));
  of_customer(verb(*recipient, line, "forget", "drop addresses and preferences; consents stay, and go with erase", "postern recipient forget C-1001",
                   [&] { return recipient_forget(line.common, line.recipient); }));
  CLI::App* consent = of_customer(verb(*recipient, line, "consent", "record what a customer agreed to or opted out of",
                                       "postern recipient consent C-1001 --withdrawn --purpose marketing --source hotline --wording 'no more offers, please'",
                                       [&] { return recipient_consent(line.common, line.recipient); }));
  consent->add_option("--purpose", line.recipient.purpose, "transaction, service or marketing")->required();
  consent->add_option("--channel", line.recipient.channel, "one channel; every channel unless said");
  consent->add_option("--source", line.recipient.source, "where the customer said so: branch-17, hotline, app")->required();
  consent->add_option("--wording", line.recipient.wording, "the words that the customer was shown, or said")->required();
  CLI::Option* given = consent->add_flag("--given", line.recipient.given, "the customer agreed");
  consent->add_flag("--withdrawn", line.recipient.withdrawn, "the customer opted out")->excludes(given);
}

void add_halt(CLI::App& app, Line& line) {
  const auto what = [&line](CLI::App* sub) {
    sub->add_option("kind", line.halt.kind, "template, category or client")->required()->check(CLI::IsMember({"template", "category", "client"}));
    sub->add_option("name", line.halt.name, "which one")->required();
    return sub;
  };
  CLI::App* halt = app.add_subcommand("halt", "stop messages that must not go out")->require_subcommand(1);
  for (const char* kind : {"template", "category", "client"}) {
    CLI::App* sub = verb(*halt, line, kind, std::string("stop every message of a ") + kind + ": queue, retries and steps to come",
                         std::string("postern halt ") + kind + (std::string(kind) == "category" ? " marketing" : std::string(kind) == "client" ? " loans" : " loan-offer") + " --reason 'wrong rate in it'",
                         [&line, kind] {
                           line.halt.kind = kind;
                           return halt_begin(line.common, line.halt);
                         });
    sub->add_option("name", line.halt.name, "which one")->required();
    sub->add_option("--reason", line.halt.reason, "why; it stands in the audit log")->required();
  }
  verb(*halt, line, "list", "what is halted", "postern halt list", [&] { return halt_list(line.common); });
  CLI::App* report = what(verb(*halt, line, "report", "who had got it: each message that left the gateway or may have", "postern halt report template loan-offer --last 24h --out got-it.csv",
                               [&] { return halt_report(line.common, line.halt); }));
  report->add_option("--last", line.halt.last, "of messages accepted in the last so many minutes, hours or days: 90m, 24h, 7d");
  report->add_option("--out", line.halt.out, "a file for the list, as CSV");
  what(verb(app, line, "resume", "let go on what was halted", "postern resume template loan-offer", [&] { return halt_end(line.common, line.halt); }));
}

void add_numbers(CLI::App& app, Line& line) {
  CLI::App* numbers = app.add_subcommand("numbers", "portability table")->require_subcommand(1);
  verb(*numbers, line, "import", "replace the table from a CSV file, all or nothing", "postern numbers import ported.csv", [&] { return numbers_import(line.common, line.numbers); })
      ->add_option("file", line.numbers.file, "CSV: kind,number,network,date")->required();
  verb(*numbers, line, "check", "check a CSV file and change nothing", "postern numbers check ported.csv", [&] { return numbers_check(line.common, line.numbers); })
      ->add_option("file", line.numbers.file, "CSV: kind,number,network,date")->required();
  verb(*numbers, line, "show", "what the table says of the number (E.164 digits) on standard input", "postern numbers show < number", [&] { return numbers_show(line.common); });
}

void add_config(CLI::App& app, Line& line) {
  CLI::App* config = app.add_subcommand("config", "configuration")->require_subcommand(1);
  verb(*config, line, "check", "check the files and change nothing", "postern config check /etc/postern/posternd.toml", [&] { return config_check(line.common, line.config); })
      ->add_option("file", line.config.file, "posternd's configuration");
  verb(*config, line, "reload", "put the changed files into force", "postern config reload", [&] { return config_reload(line.common); });
}

void add_rehearse(CLI::App& app, Line& line) {
  CLI::App* play = verb(app, line, "rehearse", "play days of traffic against this configuration, with faults, and report what becomes of each kind of message; sends nothing, needs no gateway",
                        "postern rehearse --config /etc/postern/posternd.toml --days 30 --messages 1000000 --seed 7", [&] { return rehearse(line.common, line.rehearse); });
  play->add_option("--config", line.rehearse.file, "posternd's configuration");
  play->add_option("--days", line.rehearse.days, "how many days; 30 unless said");
  play->add_option("--messages", line.rehearse.messages, "how many messages in all; 100000 unless said");
  play->add_option("--customers", line.rehearse.customers, "how many customers; one for every twenty messages unless said");
  play->add_option("--seed", line.rehearse.seed, "the same seed is the same report, to the byte; 1 unless said");
  play->add_option("--begin", line.rehearse.begin, "the first day, like 2027-03-20: clocks change when they do");
  play->add_option("--faults", line.rehearse.faults, "none, usual or heavy; usual unless said");
  play->add_option("--jobs", line.rehearse.jobs, "processes; one for each processor unless said");
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
  add_key_verbs(app, line);
  add_rollback(app, line);
  add_store(app, line);
  add_backup(app, line);
  add_looking(app, line);
  add_policy(app, line);
  add_report(app, line);
  add_audit(app, line);
  add_recipient(app, line);
  add_halt(app, line);
  add_numbers(app, line);
  add_config(app, line);
  add_rehearse(app, line);
  add_sandbox(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  return line.run ? line.run() : kUsage;
}
