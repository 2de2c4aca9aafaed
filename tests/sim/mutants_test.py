#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deliberate faults of the engine and of how it asks the policy, and of what is around it: the simulator has to find each within a
thousand seeds, and nothing in the gateway as it is. A fault is one text of one file and what stands there instead; only that file is compiled again, and linked in front
of the libraries of the build.

    python3 tests/sim/mutants_test.py --build BUILD_DIR
"""
import argparse
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import mutants  # noqa: E402

ENGINE = "gateway/engine/engine.cpp"
SEEDS = "1-1000"

# What is wrong, the file, its text (exactly once in it), and the faulty text.
MUTANTS = [
    ("a doubt starts more although twice is worse than never", ENGINE,
     "    if (rules_.in_doubt == InDoubt::rather_never_twice) return start_nothing_more();\n    if (!stage_alive())",
     "    if (!stage_alive())"),
    ("the policy is not asked again at the moment of handing over", ENGINE,
     "    if (decision.kind != Decision::Kind::go) {\n      change(",
     "    if (decision.kind == Decision::Kind::suppress) {\n      change("),
    ("a rule that an urgent category passes is not told", ENGINE,
     "    for (const std::string& rule : decision.passed) say(",
     "    for (const std::string& rule : decision.passed)\n      if (f_.category != Category::otp) say("),
    ("an ended message stays in its queue", ENGINE,
     "      if (a.state == AttemptState::ready) {\n        change(a, AttemptState::withdrawn);\n        say(EventType::withdrawn, static_cast<int>(i)",
     "      if (a.state == AttemptState::ready && state != MessageState::reached) {\n        change(a, AttemptState::withdrawn);\n"
     "        say(EventType::withdrawn, static_cast<int>(i)"),
    ("an older receipt takes an attempt back", ENGINE,
     "    } else if (was_failed || static_cast<int>(to) <= static_cast<int>(a.state)) {",
     "    } else if (was_failed || to == a.state) {"),
    ("one try more than the category allows", ENGINE,
     "    if (tries >= rules_.tries || f_.put_back)",
     "    if (tries > rules_.tries || f_.put_back)"),
    ("the pause that a provider asks for is not kept", ENGINE,
     "    const TimeMs at = now_ + pause;",
     "    const TimeMs at = now_ + pause / 2;"),
    ("a message fails while an attempt is in doubt", ENGINE,
     "    if (a.state == AttemptState::unknown || a.state == AttemptState::handed) return true;\n    const bool out",
     "    if (a.state == AttemptState::handed) return true;\n    const bool out"),
    ("a silent attempt is not in doubt when its stage is over", ENGINE,
     "      if (attempt(at).state == AttemptState::handed) {\n        mark_unknown",
     "      if (attempt(at).state == AttemptState::handed && s != f_.step) {\n        mark_unknown"),
    ("a client takes back what is under way", ENGINE,
     "    if (is_final(f_.state) || is_out()) {",
     "    if (is_final(f_.state)) {"),
    ("an event begins nothing", ENGINE,
     "&& now_ < f_.deadline_ms && names(f_.start_on);",
     "&& f_.send_at_ms <= now_ && names(f_.start_on);"),
    # What stands between the engine and the connectors.
    ("a hold lasts longer than its rule", ENGINE,
     "    step.again_ms = until;",
     "    step.again_ms = std::min<TimeMs>(until + 30'000, f_.deadline_ms - 1);"),
    ("one attempt more than the window", "gateway/vault/dispatch.cpp",
     "    while (line.unanswered.size() < peer.window) {",
     "    while (line.unanswered.size() <= peer.window) {"),
    ("another process is given what the one before it had", "gateway/vault/dispatch.cpp",
     "      if (attempt.instance != peer.instance || is_final(flight->state)) {",
     "      if (is_final(flight->state)) {"),
]


def simulate(program):
    return subprocess.run([str(program), "--seeds", SEEDS], capture_output=True, text=True, check=False)


def caught(program):
    found = simulate(program)
    seed = re.search(r"^seed (\d+) of commit \S+: (.*)$", found.stdout, re.MULTILINE)
    if found.returncode != 1 or not seed:
        return False, f"not found in seeds {SEEDS}"
    return True, f"seed {seed.group(1)}: {re.sub(r' [(]at .*', '', seed.group(2))}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    program = mutants.Program(parser.parse_args().build, "tests/sim/simulate")
    as_it_is = simulate(program.path)
    good = as_it_is.returncode == 0
    print(f"{'ok  ' if good else 'FAIL'} the engine as it is keeps its promises in seeds {SEEDS}")
    if not good:
        print(as_it_is.stdout[-3000:])
    sys.exit(1 if mutants.hold(program, MUTANTS, caught) or not good else 0)


if __name__ == "__main__":
    main()
