#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both gateways under load while each of their processes is killed with -9: what is promised of ours holds, and what Kannel does beside it is shown.

    python3 tests/functional/bench_long_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "support"))
from bank import Checks  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build, check = os.path.abspath(parser.parse_args().build), Checks()
    done = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "compare"), "--build", build, "--no-build", "--only", "kills"], capture_output=True, text=True)
    if done.returncode == 77:
        print("skipped  " + done.stdout.strip().splitlines()[-1], flush=True)
        return 0
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"bench": "compare-kills"')]
    print(done.stdout, flush=True)
    check(done.returncode == 0 and len(rows) == 10, "every process of both gateways was killed", done.stderr[-1500:])
    for row in rows:
        if not row["setting"].startswith("postern"):
            continue
        name = f"{row['setting']}: {row['killed']} killed"
        check(row["lost"] == 0, f"{name}: no accepted message is lost", row)
        check(row["resent_without_doubt"] == 0, f"{name}: what came twice is recorded as in doubt", row)
        if "never" in row["setting"]:
            check(row["resent"] == 0, f"{name}: nothing comes twice", row)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
