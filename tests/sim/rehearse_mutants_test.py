#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deliberate faults of the gateway that the rehearsal's witness has to find within a few worlds of a small bank, and nothing in the gateway as
it is. A fault is kept as tests/support/mutants.py has it.

    python3 tests/sim/rehearse_mutants_test.py --build BUILD_DIR
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import mutants  # noqa: E402

SEEDS = range(1, 7)

# What is wrong; then a file, its text (exactly once in it), and the faulty text, once or more.
MUTANTS = [
    ("the gate says go to customers who opted out", "gateway/vault/gate.cpp",
     "question.consent = consent->given ? policy::ConsentState::given : policy::ConsentState::withdrawn;",
     "question.consent = policy::ConsentState::given;"),
    ("a category that needs a consent goes without one", "gateway/policy/policy.cpp",
     "if (missing || q.consent == ConsentState::withdrawn) {",
     "if (q.consent == ConsentState::withdrawn) {"),
    ("a stop word counts only as it is written in the policy", "gateway/policy/policy.cpp",
     "std::ranges::find(rules.stop_words, folded_word(reply))",
     "std::ranges::find(rules.stop_words, std::string(reply))"),
    ("an opt-out through the bank is kept and not heeded", "gateway/domain/recipient.cpp",
     "    if (c.purpose == purpose && (!c.channel || *c.channel == channel) && (last",
     "    if (c.purpose == purpose && c.given && (!c.channel || *c.channel == channel) && (last"),
    ("a hand-over does not cite its consent", "gateway/vault/turn.cpp",
     "  if (!what.basis.empty()) body.emplace_back(audit::Field::consent, what.basis);\n",
     ""),
    ("a halt forgets clients", "gateway/vault/halts.cpp",
     "    case Kind::client: return flight.client == number;\n  }\n  return false;",
     "    case Kind::client: return false;\n  }\n  return false;"),
    ("a halt is gone after a crash", "gateway/vault/halts.cpp",
     "  now_ = durable_ = std::move(*decoded);\n",
     ""),
    ("what waits in a queue at its deadline is looked at a minute later, and handed on", "gateway/domain/flight.cpp",
     "  TimeMs wake = deadline_ms;\n",
     "  TimeMs wake = deadline_ms + 60'000;\n",
     "gateway/engine/engine.cpp",
     "    // Nothing is sent after the deadline, ever.\n    if (now_ >= f_.deadline_ms) return expire();",
     ""),
    ("what is held at its deadline is asked about for ever", "gateway/engine/engine.cpp",
     "  void on(const Due&) {\n    if (is_final(f_.state)) return ignore();\n    if (now_ >= f_.deadline_ms) return expire();",
     "  void on(const Due&) {\n    if (is_final(f_.state)) return ignore();\n    if (now_ >= f_.deadline_ms && !stage_waits()) return expire();"),
    ("a client is not told that its message ended by itself", "gateway/vault/turn.cpp",
     "  if (client_hears(what.type, ended_here)) tell_client",
     "  if (client_hears(what.type, ended_here && what.type != EventType::ended)) tell_client"),
]

CONFIG = """state = "FOLDER/state"
anchor = "FOLDER/anchor"
bus = "FOLDER/bus.sock"
control = "FOLDER/control.sock"
scenarios = "scenarios"
templates = "templates"
policy = "policy.toml"
audit_origin = "mutants.example/postern/audit"
unlock_key = "FOLDER/unlock.key"

[connectors.api]
user = "postern"
[connectors.sms]
user = "postern"
channel = "sms"
[connectors.push]
user = "postern"
channel = "push"

[clients.core]
identities = ["spiffe://mutants.example/core"]
categories = ["otp", "service"]
recipients = true
confirm = true
[clients.offers]
identities = ["spiffe://mutants.example/offers"]
categories = ["marketing"]

[categories.otp]
scenario = "quick"
[categories.security]
scenario = "quick"
[categories.transaction]
scenario = "both"
[categories.service]
scenario = "both"
[categories.marketing]
scenario = "both"

[[routes]]
channel = "sms"
connector = "sms"
[[routes]]
channel = "push"
connector = "push"
"""
POLICY = """[consent]
required = ["marketing"]
stop_words = ["STOP"]
stops = ["marketing"]
"""
SCENARIOS = {
    "quick": 'name = "quick"\ndeadline = "1m"\n[[steps]]\nchannel = "sms"\n',
    "both": 'name = "both"\ndeadline = "2h"\n[[steps]]\nchannel = "push"\nwait = "10s"\n[[steps]]\nchannel = "sms"\n',
}
TEMPLATE = 'name = "word"\ncategories = ["service", "marketing"]\ndefault_locale = "en"\n[locales.en]\ntext = "A word"\n[locales.en.push]\nsubject = "A word"\ntext = "A word"\n'


def write_bank(folder):
    for name in ("scenarios", "templates", "state", "anchor"):
        os.makedirs(os.path.join(folder, name))
    files = {"unlock.key": "", "posternd.toml": CONFIG.replace("FOLDER", folder), "policy.toml": POLICY, "templates/word.toml": TEMPLATE, **{f"scenarios/{name}.toml": text for name, text in SCENARIOS.items()}}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def play(program, folder, seed):
    return subprocess.run([str(program), "--config", os.path.join(folder, "posternd.toml"), "--faults", "heavy", "--days", "4", "--messages", "3000", "--customers", "300",
                           "--jobs", "1", "--seed", str(seed)], capture_output=True, text=True, check=False, timeout=120)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    program = mutants.Program(parser.parse_args().build, "gateway/rehearsal/postern-rehearse", quickly=True)
    with tempfile.TemporaryDirectory() as folder:
        write_bank(folder)

        def caught(mutant):
            for seed in SEEDS:
                played = play(mutant, folder, seed)
                broken = re.search(r"^  BROKEN: (.*)$", played.stdout, re.MULTILINE)
                if played.returncode == 1 and broken:
                    return True, f"seed {seed}: {broken.group(1)}"
                if played.returncode != 0:
                    return False, f"seed {seed}: exit {played.returncode}: {played.stderr[-500:]}"
            return False, f"not found in {len(SEEDS)} worlds"

        faults = 0
        for seed in SEEDS:
            played = play(program.path, folder, seed)
            if played.returncode != 0:
                print(f"FAIL the gateway as it is, seed {seed}: {played.stdout[-1500:]} {played.stderr[-500:]}")
                faults += 1
        if not faults:
            print(f"ok   the gateway as it is keeps its promises in {len(SEEDS)} worlds")
        sys.exit(1 if mutants.hold(program, MUTANTS, caught) + faults else 0)


if __name__ == "__main__":
    main()
