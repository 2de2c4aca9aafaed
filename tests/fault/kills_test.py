#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""posternd is killed at random points under load: while it starts, while it accepts, while it signs a checkpoint. The
ledgers of who submitted and of who sent are then held against the audit log: nothing that was accepted is lost, each
message has one end, and whatever was sent twice is recorded as in doubt.

    python3 tests/fault/kills_test.py --build BUILD_DIR [--cycles N] [--seed N] [--keep]
"""

import argparse
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rig import Channel, Lost, Rig, Source, join  # noqa: E402
from bank import Checks, wait_for  # noqa: E402


def one_kill(rig, source, chance, seen):
    """Lets it live for a moment, or for the time of some accepts, and kills it."""
    begun, before = time.monotonic(), source.count()
    rig.start()
    if chance.random() < 0.15:
        time.sleep(chance.uniform(0, 0.05))
        seen["while starting"] += 1
    else:
        if not source.wait_count(before + 1, 20) or source.fault:
            raise AssertionError(f"posternd does not accept again; {source.fault or ''}\n{rig.log_text()[-2000:]}")
        seen["recovery"].append(time.monotonic() - begun)
        source.wait_count(before + chance.randint(1, 80), 5)
        time.sleep(chance.uniform(0, 0.03))
        if chance.random() < 0.3:
            seen["while publishing"] += 1
            try:
                rig.ask(checkpoint=True, timeout=chance.uniform(0.0005, 0.01))
            except Lost:
                pass
    rig.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    options = parser.parse_args()
    check, chance = Checks(), random.Random(options.seed)
    print(f"        seed {options.seed}", flush=True)
    with Rig(options.build, options.keep) as rig:
        rig.start()
        made = rig.init()
        check(not made.error, "a gateway is made", made.error)
        source, channel = Source(rig), Channel(rig, options.seed, forget=0.002)
        source.start()
        channel.start()
        rig.kill()
        seen = {"while starting": 0, "while publishing": 0, "recovery": []}
        begun = time.monotonic()
        for cycle in range(options.cycles):
            one_kill(rig, source, chance, seen)
            if (cycle + 1) % 100 == 0:
                print(f"        {cycle + 1} kills in {time.monotonic() - begun:.0f} s, {source.count()} accepted", flush=True)
        killing = time.monotonic() - begun

        rig.start()
        source.quiet.set()
        wait_for("a verdict of every submit", lambda: source.settled() or source.fault, 60)
        check(source.fault is None and channel.fault is None, "both connectors came back each time", (source.fault, channel.fault))
        wait_for("the end of every message", lambda: rig.ask(status=True).status.waiting == 0, 60)
        code, verdict = rig.verify()
        check(code == 0, "the audit log verifies", verdict)
        source.end()
        channel.end()
        told = source.told()
        check(rig.stop() == 0, "it stops when it is asked to")
        figures = join(check, rig, source, channel, told)
        times = sorted(seen.pop("recovery"))
        print(json.dumps({"kills": options.cycles, "seconds_a_kill": round(killing / options.cycles, 3), **seen, **figures,
                          "accepting_again_median_s": round(times[len(times) // 2], 3), "accepting_again_worst_s": round(times[-1], 3)}), flush=True)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
