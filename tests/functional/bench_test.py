#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The measuring tools still measure: tests/bench/run, tests/bench/compare and tests/bench/report, with counts that are too small for figures. That
nothing is lost and every receipt comes back is checked all the same.

    python3 tests/functional/bench_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "support"))
from bank import Checks  # noqa: E402


def measured(name, build, out, *words):
    """Exit code, what it said, and its lines."""
    done = subprocess.run([sys.executable, os.path.join(ROOT, "bench", name), "--build", build, "--json", out, *words], capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        print("        " + json.dumps(row), flush=True)
    return done.returncode, done.stdout + done.stderr, rows


def of(rows, bench):
    return [row for row in rows if row["bench"] == bench]


def family(build, out, check):
    names = {"accept": 2, "accept-open-loop": 1, "end-to-end": 2, "priority": 1, "backlog": 2, "restart": 2, "abuse": 4, "engine": 1, "codec": 13, "numbers": 1}
    code, said, rows = measured("run", build, out, "--only", "accept,end-to-end,priority,backlog,abuse,engine,codec,numbers", "--messages", "400", "--backlog", "2000", "--runs", "1", "--rate", "200",
                                "--seconds", "1", "--connections", "200")
    check(code == 0, "the family of benches runs", said[-1500:])
    for name, least in names.items():
        check(len(of(rows, name)) >= least, f"{name} gives its figures", of(rows, name))
    check(all(row["lost"] == 0 for row in of(rows, "end-to-end") + of(rows, "priority")), "nothing is lost meanwhile", rows)
    depths = [row["waiting"] for row in of(rows, "backlog")]
    check(all(row.get("new_client_s", 0) < 20 for row in of(rows, "abuse")), "a new client's turn comes in every abuse", of(rows, "abuse"))
    check(depths[:1] == [10] and 2000 <= depths[-1] <= 2100, "the backlog waits while others pass it", of(rows, "backlog"))


def comparison(build, out, check):
    code, said, rows = measured("compare", build, out, "--no-build", "--runs", "1", "--messages", "0.02", "--only", "throughput,latency", "--rate", "200")
    if code == 77:
        print("skipped  the comparison: " + said.strip().splitlines()[-1], flush=True)
        return
    check(code == 0, "the comparison runs", said[-1500:])
    check(len(of(rows, "headroom")) == 4, "it shows how far the measuring programs are from being the limit", of(rows, "headroom"))
    runs = of(rows, "compare-throughput") + of(rows, "compare-latency")
    check(len(runs) == 11, "it measures eight settings' throughput and three's latency", [row["setting"] for row in runs])
    check(all(row["accepted"] == row["sent"] == row["delivered"] and row["lost"] == 0 for row in runs), "each gateway delivers everything", runs)
    ours = [row for row in runs if row["setting"].startswith("postern")]
    check(ours and all(row["receipts"] == row["accepted"] for row in ours), "and every receipt of ours comes back to the client", ours)
    check(len(of(rows, "compare-ratio")) == 4 and "| median of each" in said, "it ends with ratios and a table", said[-1500:])


def drawn(out, folder, check):
    page = os.path.join(folder, "bench.html")
    done = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "report"), out, "--out", page], capture_output=True, text=True)
    check(done.returncode == 0, "the report reads their lines", done.stderr)
    with open(page, encoding="utf-8") as lines:
        text = lines.read()
    pictures = re.findall(r"<svg.*?</svg>", text, re.S)
    check(len(pictures) > 20 and all(xml.etree.ElementTree.fromstring(each) is not None for each in pictures), f"and draws {len(pictures)} charts")
    check(not any(word in text for word in ("<script", "src=", "href=", "url(")), "without script and without a network")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build, check = os.path.abspath(parser.parse_args().build), Checks()
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "lines.jsonl")
        family(build, out, check)
        comparison(build, out, check)
        drawn(out, folder, check)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
