#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance test on the reference connector, which keeps every rule, and then on the same connector with one rule
broken at a time: the check of that rule must notice.

    python3 tests/contract/reference_conformance_test.py --build BUILD_DIR
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = ["config", "hello", "locked", "garbage", "one-result", "window", "numbers", "redelivery", "expiry", "cancel",
         "responsive", "facts", "lost-vault", "drain", "log", "no-files"]


def run(config, broken):
    command = [sys.executable, os.path.join(HERE, "connector_conformance.py"), "--connector", os.path.join(HERE, "reference_connector.py"),
               "--config", config, "--deliver", json.dumps({"channel": "sms", "address": "48500100200", "text": "hello"})]
    if broken:
        command += ["--timeout", "3", "--until", broken]
    done = subprocess.run(command, env=dict(os.environ, BREAK_RULE=broken), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False)
    return done.returncode, done.stdout, re.findall(r"^FAILED  ([\w-]+):", done.stdout, re.M)


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "reference.toml")
        with open(config, "w", encoding="utf-8") as out:
            out.write('name = "reference"\n')
        code, output, broken = run(config, "")
        good = code == 0 and not broken
        print(("ok      " if good else "FAILED  ") + "the reference connector keeps every rule" + ("" if good else "\n" + output), flush=True)
        failed += not good
        # Most of their time the checks wait, so they run side by side; each has a configuration of its own.
        with ThreadPoolExecutor(6) as pool:
            runs = list(pool.map(lambda rule: run(config, rule), RULES))
        for rule, (code, output, broken) in zip(RULES, runs):
            good = code == 1 and rule in broken
            print(("ok      " if good else "FAILED  ") + f"a connector that breaks '{rule}' is noticed" +
                  ("" if good else f": noticed {broken}\n{output}"), flush=True)
            failed += not good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
