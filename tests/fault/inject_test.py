#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A whole life of a gateway (start, init, accept, hand, result, receipt, checkpoint, lock, unlock, stop, start again),
once for every storage system call that it makes: killed at that call, or the call fails with EIO, ENOSPC or EINTR.
After each, posternd is started without injection and must open, hold all that it had acknowledged, take a message to
its end, and have an audit log that verifies.

    python3 tests/fault/inject_test.py --build BUILD_DIR [--limit RUNS] [--only KILL,EIO] [--at CALL:N]
"""

import argparse
import collections
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from injection import CHANGING, Call, calls_on, injecting, spread, strace_works, took_effect, tracing  # noqa: E402
from rig import IDENTITY, Lost, Rig, Session, temporary_folder  # noqa: E402
from bank import Checks  # noqa: E402

PATIENCE = 3.0    # of one question; a posternd that says nothing for so long hangs


class Story:
    """The scenario, and a ledger of what the gateway acknowledged in it."""

    def __init__(self, rig):
        self.rig, self.wire = rig, rig.wire
        self.made = False                # init was answered without an error
        self.accepted = {}               # number -> id
        self.handed = set()              # (id, attempt) that the channel was given
        self.sent, self.delivered = set(), set()   # ids whose result or receipt was committed
        self.published = 0               # leaves under a checkpoint that an administrator was told of
        self.source = self.channel = None
        self.tag = 0

    def join(self):
        deadline = time.monotonic() + PATIENCE
        over = lambda: not self.rig.alive() or time.monotonic() > deadline  # noqa: E731
        self.leave()
        self.source = Session(self.rig, "api", 11, 0, over)
        self.channel = Session(self.rig, "sms", 12, 10, over)

    def leave(self):
        for session in (self.source, self.channel):
            if session is not None:
                session.close()
        self.source = self.channel = None

    def until(self, session, look, what):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for frame in session.read(0.05):
                found = look(frame)
                if found is not None and found is not False:
                    return found
            if not self.rig.alive():
                raise Lost("it ended")
        raise Lost(f"no answer: {what}")

    def submit(self, number):
        self.tag += 1
        submit = self.wire.Submit(tag=self.tag, identity=IDENTITY, idempotency_key=f"k{number}", fingerprint=b"f" * 32,
                                  category=self.wire.TRANSACTION, text=f"text {number}")
        submit.recipient.phone = f"3806712345{number:02d}"
        self.source.say(submit=[submit])
        verdict = self.until(self.source, lambda frame: next((each for each in frame.verdict if each.tag == self.tag), None), "verdict")
        if verdict.outcome in (self.wire.Verdict.STORED, self.wire.Verdict.REPLAYED):
            known = self.accepted.setdefault(number, verdict.id)
            if known != verdict.id:
                raise AssertionError(f"the key of message {number} gave another id")
            return verdict.id
        if verdict.outcome != self.wire.Verdict.UNAVAILABLE:
            raise AssertionError(f"verdict {verdict}")
        raise Lost("unavailable")

    def carry(self, identifier):
        """Delivery, result, receipt."""
        deliver = self.until(self.channel, lambda frame: next((each for each in frame.deliver if each.id == identifier), None), "delivery")
        self.handed.add((identifier, deliver.attempt.number))
        result = self.wire.Result(attempt=deliver.attempt, kind=self.wire.Result.SENT, receipts=True, provider_id=[f"p-{identifier}"])
        self.fact(result=[result])
        self.sent.add(identifier)
        self.fact(receipt=[self.wire.Receipt(provider_id=f"p-{identifier}", progress=self.wire.DELIVERED)])
        self.delivered.add(identifier)

    def fact(self, **facts):
        number = self.channel.say(**facts)
        self.until(self.channel, lambda frame: frame.committed >= number, "commit of a fact")

    def publish(self):
        reply = self.rig.ask(checkpoint=True, timeout=PATIENCE, wait_for_socket=False)
        if not reply.error:
            self.published = max(self.published, reply.audit.published)

    def init(self):
        reply = self.rig.init(timeout=PATIENCE)
        if reply.error and "initialised already" not in reply.error:
            raise Lost(reply.error)
        self.made = self.made or not reply.error
        if reply.error and self.rig.unlock(timeout=PATIENCE).error:
            raise Lost(reply.error)

    def first_part(self):
        self.init()
        self.join()
        self.carry(self.submit(1))
        self.publish()

    def second_part(self):
        self.rig.ask(lock=True, timeout=PATIENCE, wait_for_socket=False)
        reply = self.rig.unlock(timeout=PATIENCE, wait_for_socket=False)
        if reply.error:
            raise Lost(reply.error)
        self.join()
        self.carry(self.submit(2))
        self.submit(3)   # handed, and left without a result
        self.publish()

    def third_part(self):
        self.join()
        self.carry(self.submit(4))

    def attempt(self, part):
        """Tries a part a second time when the first was disturbed, as an administrator and connectors would. A process that
        has ended is started anew by systemd: the test does that where the run goes on."""
        for _ in range(2):
            try:
                return part()
            except Lost:
                if not self.rig.alive():
                    return None
        return None

    def live(self, *before):
        """The whole scenario, in two processes; `before` gives for each what stands before posternd."""
        self.rig.start(*before[0])
        for part in (self.first_part, self.second_part):
            self.attempt(part)
        self.end()
        self.rig.start(*before[1])
        self.attempt(self.third_part)
        self.end()

    def end(self):
        self.leave()
        try:
            self.rig.process.terminate()
            self.rig.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.rig.kill()
            raise AssertionError("posternd does not stop") from None

    # ---- after it ----

    def check(self):
        """What must hold after any fault; raises AssertionError."""
        self.rig.start()
        status = self.rig.ask(status=True).status
        if status.state != "open":
            if self.made:
                raise AssertionError(f"does not open: {status.state}: {status.why_locked}")
            # An init that was cut off is done again.
            made = self.rig.init()
            if made.error:
                raise AssertionError(f"an init that was cut off cannot be done again: {made.error}")
        self.join()
        for number, identifier in self.accepted.items():
            view = self.view(identifier)
            progress = {attempt.number: attempt.progress for attempt in view.attempt}
            if view.id != identifier:
                raise AssertionError(f"message {number} was accepted and is not there")
            for told, least in ((self.sent, self.wire.SENT), (self.delivered, self.wire.DELIVERED)):
                if identifier in told and progress.get(1, 0) < least:
                    raise AssertionError(f"message {number}: a committed fact is lost; {progress}")
            for attempt in (each[1] for each in self.handed if each[0] == identifier):
                if progress.get(attempt, 0) < self.wire.HANDED:
                    raise AssertionError(f"message {number}: attempt {attempt} was handed over and is not recorded")
            if self.submit(number) != identifier:
                raise AssertionError(f"the key of message {number} was forgotten")
        self.carry(self.submit(90))
        code, verdict = self.rig.verify()
        if code != 0 or not json.loads(verdict)["good"]:
            raise AssertionError(f"the audit log does not verify: {verdict}")
        if json.loads(verdict)["leaves"] < self.published:
            raise AssertionError("the audit log is shorter than it was told to be")
        self.leave()
        if self.rig.stop() != 0:
            raise AssertionError("does not stop")

    def view(self, identifier):
        self.tag += 1
        self.source.say(query=[self.wire.Query(tag=self.tag, identity=IDENTITY, get=identifier)])
        return self.until(self.source, lambda frame: next((each for each in frame.answer if each.tag == self.tag), None), "view").message


def run(build, call, what, keep=False):
    """One life with one fault: (whether it took effect, why the life failed or None)."""
    with Rig(build, keep) as rig:
        story, log = Story(rig), rig.path("strace.log")
        try:
            story.live(*(injecting(call, what, log) if call.run == number else [] for number in (0, 1)))
            story.check()
            return took_effect(log), None
        except (AssertionError, Lost, OSError) as error:
            return took_effect(log), f"{type(error).__name__}: {error}\n" + "\n".join(rig.log_text().splitlines()[-12:])


def count(build):
    """The storage calls of an undisturbed life."""
    folder = temporary_folder("pstn-count-")
    try:
        with Rig(build) as rig:
            story, logs = Story(rig), [os.path.join(folder, name) for name in ("first", "second")]
            story.live(*(tracing(log) for log in logs))
            calls = [call._replace(text=call.text.replace(rig.folder, "")) for number, log in enumerate(logs)
                     for call in calls_on(log, rig.path("state"), number)]
            story.check()
            if set(story.accepted) != {1, 2, 3, 4, 90} or len(story.delivered) != 4 or story.published == 0:
                raise SystemExit(f"the undisturbed life is not whole: {story.accepted} {story.delivered}\n{rig.log_text()}")
            return calls
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--limit", type=int, default=200, help="runs at most, spread evenly; 0: every one")
    parser.add_argument("--only", default="KILL,EIO,ENOSPC,EINTR")
    parser.add_argument("--at", help="one call alone, as RUN:NAME:NUMBER")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    check = Checks()
    if not strace_works():
        check(False, "strace may trace a process here")
        return check.finish()
    calls = count(options.build)
    names = collections.Counter(call.name for call in calls)
    print(f"        {len(calls)} storage calls in one life: " + ", ".join(f"{name} {many}" for name, many in names.most_common()), flush=True)
    if options.at:
        number, name, at = options.at.split(":")
        calls = [Call(int(number), name, int(at), "")]
    # A read is not ended by a full disk.
    points = [(call, what) for call in calls for what in options.only.split(",") if what != "ENOSPC" or call.name in CHANGING]
    chosen = spread(points, options.limit)
    begun, failures, done, hits = time.monotonic(), [], collections.Counter(), 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (call, what), (hit, why) in zip(chosen, pool.map(lambda point: run(options.build, *point, options.keep), chosen)):
            done[what] += 1
            hits += hit
            if why is not None:
                failures.append((call, what))
                print(f"FAILED  --at {call.run}:{call.name}:{call.number} --only {what}: {call.text[:120]}\n        {why}", flush=True)
            if sum(done.values()) % 500 == 0:
                print(f"        {sum(done.values())} of {len(chosen)} in {time.monotonic() - begun:.0f} s", flush=True)
    check(not failures, f"{len(chosen)} of {len(points)} points: opens again, nothing acknowledged is lost, the audit log verifies",
          [f"{call.run}:{call.name}:{call.number} {what}" for call, what in failures])
    # A run may be a call shorter than the counted one: what a connector says falls into one turn or into two.
    check(hits >= 0.95 * len(chosen), f"in {hits} of {len(chosen)} runs the fault took effect")
    print(json.dumps({"storage_calls": len(calls), "points": len(points), "runs": len(chosen), "took_effect": hits, "failed": len(failures), **done,
                      "seconds_a_run": round((time.monotonic() - begun) / max(len(chosen), 1), 3)}), flush=True)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
