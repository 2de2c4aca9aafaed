#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every key is rotated while messages come in at a thousand a second and more, and posternd is killed at every step of a rotation that
changes a file. Prints the figures as JSON.

    python3 tests/functional/keys_long_test.py --build BUILD_DIR [--seconds N] [--only load|killed]
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import keys_test  # noqa: E402
from bank import Bank, Checks, wait_for  # noqa: E402

KEYS = ("content", "audit_body", "idempotency", "ring", "epoch", "otp_commitment", "anchor", "backup", "holder_mask", "master")
BATCH = 100


class Load:
    """Batches of messages on two connections; every answer is counted, and the first message of each batch is sent a second time under
    its own key, across rotations."""

    def __init__(self, bank):
        self.bank, self.stopping, self.lock = bank, threading.Event(), threading.Lock()
        self.accepted, self.failed, self.changed, self.known = 0, [], [], {}
        self.threads = [threading.Thread(target=self.run, args=(lane,)) for lane in range(2)]
        for thread in self.threads:
            thread.start()

    def message(self, lane, number):
        return {"category": "transaction", "template": "payment", "scenario": "sms", "reference": f"k{lane}-{number}", "idempotency_key": f"k{lane}-{number}",
                "recipient": {"phone": f"+38067{lane}{number // 60 % 10000:04d}{20 + number % 60:02d}"},
                "variables": {"amount": "1.00 UAH", "payee": f"<k{lane}-{number}>", "balance": "2.00 UAH", "date": "2026-11-22"}}

    def run(self, lane):
        client, number = self.bank.new_client("core-banking"), 0
        while not self.stopping.is_set():
            numbers = range(number, number + BATCH)
            number += BATCH
            lines = "".join(json.dumps(self.message(lane, each)) + "\n" for each in numbers)
            status, _, body = client.ask("POST", "/v1/messages:batch", lines, Content_Type="application/x-ndjson")
            answers = [json.loads(line) for line in body.splitlines()] if isinstance(body, str) else []
            bad = [each for each in answers if "id" not in each] if status in (200, 207) else [body]
            # A key stands for the bytes of its line: the same line again.
            again, _, same = client.ask("POST", "/v1/messages:batch", lines.split("\n", 1)[0] + "\n", Content_Type="application/x-ndjson")
            with self.lock:
                self.accepted += len(answers) - len(bad)
                self.failed += bad
                if again not in (200, 207) or not answers or json.loads(same).get("id") != answers[0].get("id"):
                    self.changed.append((again, same, answers[:1]))
                if answers:
                    self.known[f"k{lane}-{numbers[0]}"] = answers[0].get("id")
        client.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)


ROUNDS = 50


def under_load(check, build, seconds):
    with Bank(build) as bank:
        bank.wait_until_up()
        load, began, rounds, slowest = Load(bank), time.monotonic(), 0, 0.0
        wait_for("the first messages", lambda: load.accepted > 500)
        while time.monotonic() - began < seconds:
            for key in KEYS:
                asked = time.monotonic()
                done = bank.postern("keys", "rotate", key)
                slowest = max(slowest, time.monotonic() - asked)
                if done.returncode != 0:
                    check(False, f"rotate {key}", done.stderr)
            rounds += 1
            # A key can have 64 versions: the rounds are spread over the time.
            time.sleep(max(0.1, began + rounds * seconds / ROUNDS - time.monotonic()))
        load.stop()
        took = time.monotonic() - began
        rate = load.accepted / took
        check(not load.failed, f"{rounds} rotations of each of {len(KEYS)} keys under load: no request failed", load.failed[:3])
        check(not load.changed, "a message that is repeated across rotations is known to be the same", load.changed[:3])
        check(rate >= 1000, f"at {rate:.0f} messages a second", rate)
        oldest = next(iter(load.known.values()))
        check(bank.postern("trace", oldest).returncode == 0, "the first message can still be read")
        damaged = [line for line in bank.postern("trace", oldest).stdout.splitlines() if "unreadable" in line]
        check(not damaged, "and its audit bodies", damaged)
        check(bank.postern("audit", "verify").returncode == 0, "the audit log verifies")
        print(json.dumps({"accepted": load.accepted, "seconds": round(took, 1), "per_second": round(rate), "rotations": rounds * len(KEYS),
                          "slowest_rotation_ms": round(slowest * 1000)}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", choices=("load", "killed"))
    options = parser.parse_args()
    build, check = pathlib.Path(options.build).resolve(), Checks()
    if options.only in (None, "load"):
        under_load(check, build, options.seconds)
    if options.only in (None, "killed"):
        with tempfile.TemporaryDirectory(prefix="pstn-", dir="/tmp") as folder:
            keys_test.killed_at_each_step(check, build, folder, thorough=True)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
