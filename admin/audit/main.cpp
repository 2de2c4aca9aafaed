// SPDX-License-Identifier: Apache-2.0
// postern-audit: says with public keys alone whether an audit log holds. Talks to nobody and writes only the proofs
// it is asked for. SECURITY: reads files that an attacker may have made; holds no secret. README.md is its manual.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "admin/audit/verbs.hpp"
#include "admin/cli/output.hpp"
#include "crypto/secret.hpp"

namespace postern::auditor {

int unchecked(const std::string& what) {
  std::fprintf(stderr, "postern-audit: %s\n", what.c_str());
  return kUnchecked;
}

int does_not_hold(const Common& common, const std::string& what) {
  if (common.json) cli::Json().object().field("good", false).field("what", what).print();
  else std::printf("NOT GOOD: %s\n", what.c_str());
  return kDoesNotHold;
}

namespace {

struct Line {
  Common common;
  VerifyOptions verify;
  ProveOptions prove;
  CheckOptions check;
  ConsistencyOptions consistency;
  std::function<int()> run;
};

CLI::App* verb(CLI::App& app, Line& line, const std::string& name, const std::string& what, const std::string& example, std::function<int()> run) {
  CLI::App* sub = app.add_subcommand(name, what);
  sub->footer("Example:\n  " + example);
  sub->add_flag("--json", line.common.json, "print JSON for scripts");
  sub->callback([&line, run = std::move(run)] { line.run = run; });
  return sub;
}

void add_keys(CLI::App& sub, Line& line, bool witnesses) {
  sub.add_option("--vkey", line.common.vkeys, "verifier keys of the log and its epochs: as text, or files with one a line")->required();
  if (witnesses) sub.add_option("--witness", line.common.witnesses, "verifier keys of witnesses, each of which must have cosigned");
}

void add_verbs(CLI::App& app, Line& line) {
  CLI::App* check = verb(app, line, "verify", "check a whole log", "postern-audit verify /mnt/copy/audit --vkey kept/vkey --from kept/checkpoint",
                         [&line] { return verify_verb(line.common, line.verify); });
  check->add_option("folder", line.verify.folder, "folder of the log")->required();
  check->add_option("--from", line.verify.from, "older checkpoints that were kept: the log must contain them");
  add_keys(*check, line, true);

  CLI::App* prove = verb(app, line, "prove", "make the proof of one message or leaf",
                         "postern-audit prove /mnt/copy/audit --message 019ab0c2-3f5e-7a10-8c4d-5e6f70819203 -o message.tlog-proof",
                         [&line] { return prove_verb(line.common, line.prove); });
  prove->add_option("folder", line.prove.folder, "folder of the log")->required();
  CLI::Option_group* what = prove->add_option_group("what");
  what->add_option("--message", line.prove.message, "id of the message: all its leaves");
  CLI::Option* leaf = what->add_option("--leaf", line.prove.leaf, "index of one leaf, from 0");
  what->require_option(1);
  prove->add_option("--checkpoint", line.prove.checkpoint, "prove under this checkpoint, such as witness/NAME, instead of the folder's");
  prove->add_option("-o,--out", line.prove.out, "file to write; empty: standard output");
  prove->add_option("--leaf-out", line.prove.leaf_out, "write the leaf into this file and leave it out of the proof")->needs(leaf);

  CLI::App* proof = verb(app, line, "check-proof", "check such a proof", "postern-audit check-proof message.tlog-proof --vkey kept/vkey",
                         [&line] { return check_proof_verb(line.common, line.check); });
  proof->add_option("file", line.check.file, "the proof")->required();
  proof->add_option("--leaf-data", line.check.leaf_data, "the leaf, where the proof does not hold it");
  add_keys(*proof, line, true);

  CLI::App* grown = verb(app, line, "consistency", "check that a log only grew since a checkpoint", "postern-audit consistency /mnt/copy/audit kept/checkpoint --vkey kept/vkey",
                         [&line] { return consistency_verb(line.common, line.consistency); });
  grown->add_option("folder", line.consistency.folder, "folder of the log")->required();
  grown->add_option("old", line.consistency.old, "the checkpoint that was kept")->required();
  add_keys(*grown, line, false);
}

}  // namespace
}  // namespace postern::auditor

int main(int argc, char** argv) {
  using namespace postern::auditor;
  if (const postern::Status hard = postern::harden_process(); !hard) return unchecked(hard.what());
  Line line;
  CLI::App app("Checks the audit log of a Postern messaging gateway with public keys alone.", "postern-audit");
  app.set_version_flag("--version", std::string("postern-audit ") + POSTERN_VERSION);
  app.require_subcommand(1);
  app.footer("Exit codes: 0 it holds, 1 it could not be checked, 2 wrong command line, 3 it does not hold.");
  add_verbs(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kHolds : kUsage;
  }
  return line.run ? line.run() : kUsage;
}
