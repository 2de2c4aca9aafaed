#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Figures that are promises, measured by the benchmarks and held against what was promised: an auditor's wait, the size of a proof, what
the audit log costs, and how long thirty days are when they are rehearsed.

    python3 tests/functional/figures_long_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "support"))
from bank import Checks  # noqa: E402


def rows(build, *words):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "run"), "--build", build, *words], capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in found:
        print("        " + json.dumps(row), flush=True)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build, check = os.path.abspath(parser.parse_args().build), Checks()
    audit = rows(build, "--only", "audit")
    for row in audit:
        if row.get("bench") == "audit-verify":
            check(row["leaves"] >= 1_000_000 and row["seconds"] <= 10, f"{row['profile']}: {row['leaves']} entries verify in {row['seconds']} s, 10 at most", row)
        if row.get("bench") == "audit-proof":
            check(row["bytes_largest"] <= 2048, f"{row['profile']}: a proof has {row['bytes_largest']} bytes at most, 2048 allowed", row)
            check(row["check_p50_ms"] <= 1 and row["check_p99_ms"] <= 1, f"{row['profile']}: it is checked in {row['check_p50_ms']} ms, p99 {row['check_p99_ms']} ms, 1 allowed", row)
    check({row.get("bench") for row in audit} >= {"audit-verify", "audit-proof"}, "both were measured")
    cost = [row for row in rows(build, "--only", "audit_cost", "--runs", "7") if row.get("bench") == "audit-cost"]
    check(len(cost) == 2, "the cost of the audit log was measured for single orders and for batches", cost)
    for row in cost:
        check(row["throughput_lost"] <= 0.15, f"batches of {row['batch']}: the audit log costs {row['throughput_lost']:.1%} of throughput, 15 % allowed", row)
    for row in rows(build, "--only", "rehearse"):
        if row.get("bench") == "rehearse":
            check(row["days"] == 30 and row["messages"] >= 1_000_000 and not row["broken"], f"{row['messages']} messages of thirty days keep every promise", row)
            check(min(row["seconds"]) <= 60, f"in {row['seconds']} s, 60 allowed", row)
            check(row["same_report"], "and the report is the same, to the byte")
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
