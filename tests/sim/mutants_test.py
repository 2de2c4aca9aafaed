#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deliberate faults of the engine and of how it asks the policy, and what is around it: the simulator has to find each within a
thousand seeds, and nothing in the gateway as it is. A fault is one text of one file and what stands there instead; only that file is compiled again, and linked in front
of the libraries of the build.

    python3 tests/sim/mutants_test.py --build BUILD_DIR
"""
import argparse
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

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


def commands(build):
    """How this build compiles each file and links the simulator."""
    listed = subprocess.run(["ninja", "-C", build, "-t", "commands", "tests/sim/simulate"], check=True, capture_output=True, text=True).stdout.splitlines()
    link = next(line for line in listed if " -o tests/sim/simulate " in line)
    return listed, re.sub(r"^: && | && :$", "", link)


def compile_command(listed, source, mutated, target):
    command = next(line for line in listed if re.search(rf" -c \S*/{re.escape(source)}$", line))
    words, out, skip = shlex.split(command), [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-MT", "-MF", "-o", "-c"):
            skip = True
        elif word != "-MD":
            out.append(word)
    return out + ["-o", str(target), "-c", str(mutated)]


def simulate(program):
    return subprocess.run([str(program), "--seeds", SEEDS], capture_output=True, text=True, check=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    root = pathlib.Path(__file__).resolve().parents[2]
    listed, link = commands(build)
    faults = 0

    as_it_is = simulate(pathlib.Path(build) / "tests/sim/simulate")
    print(f"{'ok  ' if as_it_is.returncode == 0 else 'FAIL'} the engine as it is keeps its promises in seeds {SEEDS}")
    if as_it_is.returncode != 0:
        print(as_it_is.stdout[-3000:])
        faults += 1

    for name, source, old, new in MUTANTS:
        text = (root / source).read_text()
        if text.count(old) != 1:
            print(f"FAIL {name}: its text stands {text.count(old)} times in {source}; mend the list of mutants")
            faults += 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            mutated, target, program = (pathlib.Path(folder) / part for part in ("mutant.cpp", "mutant.o", "simulate"))
            mutated.write_text(text.replace(old, new))
            made = subprocess.run(compile_command(listed, source, mutated, target) + ["-Wno-error"], cwd=build, capture_output=True, text=True, check=False)
            if made.returncode == 0:
                words = shlex.split(link)
                words[words.index("-o") + 1] = str(program)
                words.insert(words.index("-o"), str(target))
                made = subprocess.run(words, cwd=build, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                print(f"FAIL {name}: it cannot be built\n{made.stderr[-2000:]}")
                faults += 1
                continue
            found = simulate(program)
        seed = re.search(r"^seed (\d+) of commit \S+: (.*)$", found.stdout, re.MULTILINE)
        caught = found.returncode == 1 and seed
        print(f"{'ok  ' if caught else 'FAIL'} {name}: " + (f"seed {seed.group(1)}: {re.sub(r' [(]at .*', '', seed.group(2))}" if caught else f"not found in seeds {SEEDS}"), flush=True)
        faults += not caught
    print(f"{len(MUTANTS)} mutants, {faults} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
