#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Invariant 10: the same seed is the same run. Seeds are played twice, in processes of their own with keys of their own, and everything that
they print is compared byte for byte; different seeds are different runs.

    python3 tests/sim/replay_test.py --build BUILD_DIR
"""
import argparse
import pathlib
import re
import subprocess
import sys

SEEDS = (1, 7, 19, 48, 523, 4318)


def play(build, *arguments):
    return subprocess.run([str(pathlib.Path(build) / "tests/sim/simulate"), *arguments], check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    faults, digests = 0, set()
    for seed in SEEDS:
        first, second = (play(build, "--replay", str(seed)) for _ in range(2))
        same = first == second
        digests.add(re.search(r"^seed \d+, events ([0-9a-f]{16})$", first, re.MULTILINE).group(1))
        print(f"{'ok  ' if same else 'FAIL'} seed {seed}: {len(first.splitlines())} lines twice")
        faults += not same
    events = [re.search(r"events ([0-9a-f]{16})$", play(build, "--seeds", "1-200"), re.MULTILINE).group(1) for _ in range(2)]
    print(f"{'ok  ' if events[0] == events[1] else 'FAIL'} seeds 1-200: events {events[0]}")
    faults += events[0] != events[1]
    print(f"{'ok  ' if len(digests) == len(SEEDS) else 'FAIL'} {len(digests)} runs of {len(SEEDS)} seeds")
    faults += len(digests) != len(SEEDS)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
