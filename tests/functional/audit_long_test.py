#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tampering with audit logs, all of it: every single bit of every file of a log of 200 entries, every rearrangement
of every entry, every bit of a proof, and random ones in a log of more than two full tiles; of a log of profile fips every bit
of what is signed, and samples of the rest. Both verifiers must find everything and agree on the first bad leaf. Prints what it took.

    audit_long_test.py --build BUILD_DIR
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from audit_test import check, keys_of, make, tamper  # noqa: E402


def timed(what, work):
    begun = time.monotonic()
    tamper.fail_on_miss(check, what, work)
    print(f"        {time.monotonic() - begun:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    program = tamper.Program(parser.parse_args().build)
    with tamper.memory_folder() as base:
        good = make(program, f"{base}/good")
        own = keys_of(good)
        foreign = make(program, f"{base}/foreign", "--seed", 2)
        timed("entries removed, doubled, swapped, inserted, cut: at every entry",
              lambda: tamper.in_shares(tamper.entries, program, good, own, foreign, 1))
        program.audit("prove", good, "--leaf", 7, "-o", f"{base}/one.tlog-proof")
        timed("every bit of a proof", lambda: tamper.flip_proof(program, f"{base}/one.tlog-proof", own, 1, base))
        large = make(program, f"{base}/large", "--leaves", 700, "--per-epoch", 130)
        timed("single bits of a log of 700 entries, one in 997", lambda: tamper.in_shares(tamper.flip_some, program, large, keys_of(large), 997))
        timed("every single bit of every file of a log of 200 entries", lambda: tamper.in_shares(tamper.flip_some, program, good, own, 1))
    program = tamper.Program(program.build, "fips")
    with tamper.memory_folder() as base:
        good = make(program, f"{base}/good", "--leaves", 12, "--per-epoch", 5)
        own = keys_of(good)
        timed("fips: every single bit of every file of a log of 12 entries", lambda: tamper.in_shares(tamper.flip_some, program, good, own, 1))
        program.audit("prove", good, "--leaf", 7, "-o", f"{base}/one.tlog-proof")
        timed("fips: every bit of a proof", lambda: tamper.flip_proof(program, f"{base}/one.tlog-proof", own, 1, base))
        long, foreign = make(program, f"{base}/long"), make(program, f"{base}/foreign", "--seed", 2)
        timed("fips: entries removed, doubled, swapped, inserted, cut: at every entry", lambda: tamper.in_shares(tamper.entries, program, long, keys_of(long), foreign, 1))
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
