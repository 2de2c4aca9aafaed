#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts and failing storage calls inside one process (power_cut.cpp): at least 10,000 crash states of recorded lives,
states of the keyring's file, faults at storage calls with a power cut behind them. And the proof that it could fail: on a
disk that forgets every sync it must find losses.

    python3 tests/fault/power_cut_test.py --build BUILD_DIR [--traces N] [--states N] [--every N] [--seed N]
"""

import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from bank import Checks  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--traces", type=int, default=340)
    parser.add_argument("--states", type=int, default=30, help="of one trace")
    parser.add_argument("--fault-traces", type=int, default=3)
    parser.add_argument("--every", type=int, default=60, help="storage calls from one fault to the next; 1: each")
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    program, short_rounds = (os.path.join(os.path.abspath(options.build), "tests/fault", name) for name in ("power_cut", "power_cut_short_rounds"))
    for one in (program, short_rounds):
        if not os.path.exists(one):
            raise SystemExit(f"{one} is not built")
    check = Checks()

    def run(*words, program=program):
        done = subprocess.run([program, *map(str, words), "--seed", str(options.seed)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        figures = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        failures = [line for line in lines if line.startswith("FAILED")] + ([] if figures else [done.stderr[-1000:]])
        print("        " + json.dumps(figures), flush=True)
        return figures, failures

    half = (options.traces + 1) // 2
    for one, what in ((program, "lives"), (short_rounds, "lives in which the tables are written at each third commit")):
        found, failures = run("--traces", half, "--states", options.states, program=one)
        check(not failures and found.get("failed") == 0, f"{found.get('states')} power cuts in {found.get('traces')} {what}: nothing told was lost, nothing is corrupt", failures)
        check(found.get("states", 0) >= half * options.states and found.get("told", 0) > found.get("traces", 0), "and there was something to lose", found)
    found, failures = run("--keyring", "--traces", max(50, options.traces // 10), "--states", options.states)
    check(not failures and found.get("failed") == 0, f"{found.get('states')} power cuts while a keyring was saved: it opens with every slot that was told", failures)
    for one in (program, short_rounds):
        found, failures = run("--faults", "--traces", options.fault_traces, "--every", options.every, program=one)
        check(not failures and found.get("failed") == 0 and found.get("injected", 0) > 0,
              f"{found.get('injected')} storage calls failed, each with a fresh start and with power cuts after it", failures)
    found, failures = run("--lying", "--traces", 5, "--states", 30)
    check(found.get("failed", 0) > 0, f"on a disk that forgets its syncs {found.get('failed')} losses are seen", found)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
