#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""posternd, and then an SMS connector, is killed again and again under load. Every message that was answered 202 must
come to its end, and reach its customer once; twice only where the audit log says that an attempt was in doubt. Prints
the figures as JSON.

    python3 tests/functional/kill_test.py --build BUILD_DIR [--cycles N] [--seed N]
"""

import argparse
import collections
import http.client
import json
import os
import random
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from bank import FINAL, Bank, Checks, wait_for  # noqa: E402

SUBMITTERS = 4


def phone(lane, number):
    """Endings 20 to 79 are ordinary customers."""
    return f"+38067{lane}{number // 60 % 10000:04d}{20 + number % 60:02d}"


def payment(reference, lane, number):
    """Rather never twice: an attempt in doubt is not repeated."""
    return {"category": "transaction", "template": "payment", "scenario": "sms", "reference": reference,
            "recipient": {"phone": phone(lane, number)},
            "variables": {"amount": "1.00 UAH", "payee": f"<{reference}>", "balance": "2.00 UAH", "date": "2026-11-22"}}


def code(reference, lane, number):
    """Rather twice: a one-time code in doubt is sent again. The code tells the message."""
    return {"category": "otp", "template": "otp", "scenario": "sms", "reference": reference, "deadline": "5m",
            "recipient": {"phone": phone(lane, number), "locale": "en"}, "variables": {"code": f"7{lane}{number:08d}", "minutes": "5"}}


class Load:
    """Submits messages one after the other on a few connections, and repeats each with the same key until it is taken."""

    def __init__(self, bank, make):
        self.bank, self.make = bank, make
        self.lock = threading.Lock()
        self.accepted = {}          # reference -> message id
        self.repeated = self.refused = self.changed = 0
        self.faults = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(lane,), daemon=True) for lane in range(SUBMITTERS)]
        for thread in self.threads:
            thread.start()

    def count(self):
        with self.lock:
            return len(self.accepted)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
        return not any(thread.is_alive() for thread in self.threads)

    def _run(self, lane):
        client = self.bank.new_client("core-banking")
        number = 0
        try:
            while not self.stopping.is_set():
                number += 1
                self._submit(client, f"{self.make.__name__}-{lane}-{number}", lane, number)
        except Exception as error:  # pylint: disable=broad-except
            with self.lock:
                self.faults.append(repr(error))
        client.close()

    def _submit(self, client, reference, lane, number):
        body, first, deadline = json.dumps(self.make(reference, lane, number)), True, time.monotonic() + 60
        while time.monotonic() < deadline:
            if not first:
                with self.lock:
                    self.repeated += 1
                time.sleep(0.02)
            first = False
            try:
                status, _, answer = client.ask("POST", "/v1/messages", body, Idempotency_Key=reference)
            except (OSError, http.client.HTTPException):
                continue
            if status == 202:
                # The promise counts from its first hearing; a second one must name the same message.
                with self.lock:
                    self.accepted[reference] = answer["id"]
                if number % 10 == 0:
                    self._repeat(client, body, reference, answer["id"])
                return
            if status != 503:
                raise AssertionError(f"{reference}: {status} {answer}")
            with self.lock:
                self.refused += 1
        raise AssertionError(f"{reference} was not taken within a minute")

    def _repeat(self, client, body, reference, identifier):
        try:
            status, _, answer = client.ask("POST", "/v1/messages", body, Idempotency_Key=reference)
        except (OSError, http.client.HTTPException):
            return
        if status == 202 and answer["id"] != identifier:
            with self.lock:
                self.changed += 1


def kill_cycles(bank, load, name, cycles, chance):
    """Kills a process while messages are under way; gives the times until messages were accepted again."""
    recoveries = []
    for cycle in range(cycles):
        # Not by the clock alone: some messages must have been taken since the last recovery.
        target = load.count() + chance.randint(50, 600)
        wait_for("load before the next kill", lambda target=target: load.count() >= target or load.faults)
        time.sleep(chance.uniform(0, 0.05))
        victim = bank.process(name)["pid"]
        before = load.count()
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        wait_for(f"{name} to be started again", lambda victim=victim: bank.process(name)["pid"] not in (0, victim))
        wait_for("messages to be accepted again", lambda before=before: load.count() > before + SUBMITTERS or load.faults)
        recoveries.append(time.monotonic() - killed)
        if load.faults:
            break
        print(f"        {name} killed, {cycle + 1}: accepting again after {recoveries[-1]:.2f} s, {load.count()} accepted", flush=True)
    return recoveries


def ends_of(bank, ids):
    """The final state of each message, from the client's events."""
    ends = collections.defaultdict(list)
    for event in bank.client("core-banking").events():
        if event["state"] in FINAL:
            ends[event["id"]].append(event["state"])
    return {identifier: ends.get(identifier, []) for identifier in ids}


def until_ended(bank, load):
    """Stops the load and waits for the end of what it began; the ends by message id."""
    ids = set(load.accepted.values())
    try:
        wait_for("every accepted message to end", lambda: all(ends_of(bank, ids).values()), timeout=120, pause=0.5)
    except TimeoutError:
        pass
    return ends_of(bank, ids)


def received(bank, load):
    """How often each message is on its handset, by reference."""
    if load.make is payment:
        marks = (re.search(r"<(payment-[0-9-]+)>", seen["text"]) for seen in bank.phones())
        return collections.Counter(mark.group(1) for mark in marks if mark)
    marks = (re.search(r"code is 7([0-9])([0-9]{8})\.", seen["text"]) for seen in bank.phones())
    return collections.Counter(f"code-{mark.group(1)}-{int(mark.group(2))}" for mark in marks if mark)


def phase(bank, check, make, victim, cycles, chance):
    """One load under kills of one process, and what came of it."""
    load = Load(bank, make)
    recoveries = kill_cycles(bank, load, victim, cycles, chance)
    check(load.stop() and not load.faults, f"{victim}: every submit was taken in the end", load.faults)
    bank.wait_until_up()
    ends = until_ended(bank, load)
    lost = [identifier for identifier, states in ends.items() if not states]
    check(len(ends) == len(load.accepted), "each message has an id of its own", (len(ends), len(load.accepted)))
    check(load.changed == 0, "a repeated key always gave the same id", load.changed)
    check(not lost, f"all {len(ends)} accepted messages came to their end", [bank.steps(each) for each in lost[:3]])
    check(all(len(states) == 1 for states in ends.values()), "each told once", [s for s in ends.values() if len(s) > 1][:3])
    states = collections.Counter(states[0] for states in ends.values() if states)
    check(set(states) == {"reached"}, "and all were reached", states)

    times = received(bank, load)
    missing = [reference for reference in load.accepted if not times[reference]]
    twice = [reference for reference, count in times.items() if count > 1]
    unexplained = [reference for reference in twice
                   if not any(step.startswith("in-doubt") for step in bank.steps(load.accepted[reference]))]
    check(not missing, "each is on its handset", missing[:5])
    check(not unexplained, f"{len(twice)} are there twice, each with an attempt in doubt in its trace", unexplained[:5])
    check(set(times) <= set(load.accepted), "nothing was sent that was not accepted", sorted(set(times) - set(load.accepted))[:5])
    check(bank.process(victim)["deaths"] == len(recoveries), "the supervisor counted the kills", bank.process(victim))
    return len(ends), {
        "killed": victim, "kills": len(recoveries), "accepted": len(ends), "lost": len(lost), "twice": len(twice),
        "twice_unexplained": len(unexplained), "unavailable_answers": load.refused, "repeated_submits": load.repeated,
        "recovery_seconds_worst": round(max(recoveries, default=0), 3),
        "recovery_seconds_mean": round(sum(recoveries) / max(len(recoveries), 1), 3)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    arguments = parser.parse_args()
    check, chance = Checks(), random.Random(arguments.seed)
    with Bank(arguments.build, arguments.keep) as bank:
        # SMS centres quick enough to keep up with the load.
        bank.down()
        for name in ("network-a", "network-b"):
            path = f"etc/connectors/{name}.toml"
            with open(bank.path(path), encoding="utf-8") as settings:
                text = settings.read()
            bank.add_file(path, text.replace("rate = 40", "rate = 2000").replace("window = 10", "window = 100"))
        bank.up()

        first, vault = phase(bank, check, payment, "posternd", arguments.cycles, chance)
        second, connector = phase(bank, check, code, "network-b", max(3, arguments.cycles // 4), chance)

        done = bank.postern("audit", "verify", "--json")
        verdict = json.loads(done.stdout) if done.stdout else {}
        check(done.returncode == 0 and verdict.get("good"), "the audit log verifies", done.stdout + done.stderr)
        check(verdict.get("events", {}).get("accepted") == first + second, "with one leaf for each acceptance",
              (verdict.get("events", {}).get("accepted"), first + second))
        print(json.dumps([vault, connector]), flush=True)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
