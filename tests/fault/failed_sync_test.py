#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sync that failed is never tried again as if it could still succeed. For syncs of the store's log all over a gateway's
life: the sync fails with EIO; from then on the process that met it writes nothing to the store and syncs nothing of it,
acknowledges nothing of that turn, says so and ends (or, while it was being unlocked, stays locked); a fresh start reads
what is there, and all that had been acknowledged is.

    python3 tests/fault/failed_sync_test.py --build BUILD_DIR [--limit N]
"""

import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from inject_test import Story, count  # noqa: E402
from injection import finished, injecting, spread, strace_works  # noqa: E402
from rig import Lost, Rig  # noqa: E402
from bank import Checks  # noqa: E402

CALLS = "openat,pwrite64,write,fsync,fdatasync,ftruncate,sendto,close,exit_group"
MISSED = "the run made fewer calls than the counted one"
STORE_CHANGE = re.compile(r"(pwrite64|write|fsync|fdatasync|ftruncate)\(\d+<[^>]*/postern\.db")


def watched(call, log):
    """Injects one EIO and notes what the process does before and after it."""
    words = injecting(call, "EIO", log)
    words[words.index(f"trace={call.name}")] = f"trace={CALLS}"
    words[words.index("-qq")] = "-q"
    return words


def one(build, call):
    """Why this failed sync was not met as it must be, or None."""
    with Rig(build) as rig:
        story, log = Story(rig), rig.path("strace.log")
        rig.start(*watched(call, log))
        for part in (story.first_part, story.second_part):
            try:
                part()
            except Lost:
                break
        text = rig.log_text()
        if "(INJECTED)" not in open(log, encoding="utf-8", errors="replace").read():
            return MISSED
        if "vault.open" in text and "vault.locked" not in text:
            # It ends by itself; a process that did not could go on over a store that it knows nothing of.
            try:
                code = rig.process.wait(5)
            except Exception:  # pylint: disable=broad-except
                code = None
            if code != 1:
                return f"the process did not end with 1: {code}\n{rig.log_text()[-800:]}"
            if "store.commit-failed" not in rig.log_text():
                return "it did not say why"
        else:
            # While it was made, locked or unlocked: what comes after it opens the store anew.
            rig.kill()
        lines = finished(log)
        at = next((index for index, line in enumerate(lines) if "(INJECTED)" in line), None)
        if at is None:
            return MISSED
        # While it was locked an unlock may open the store anew: that is a fresh reading of it.
        end = next((index for index, line in enumerate(lines[at + 1:], at + 1) if "openat" in line and '/postern.db"' in line), len(lines))
        again = [line.strip() for line in lines[at + 1:end] if STORE_CHANGE.search(line)]
        if again:
            return f"after the failed sync: {again[:3]}"
        story.leave()
        try:
            story.check()
        except (AssertionError, Lost) as error:
            return f"after a fresh start: {error}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--limit", type=int, default=24)
    options = parser.parse_args()
    check = Checks()
    if not check(strace_works(), "strace may trace a process here"):
        return check.finish()
    syncs = [call for call in count(options.build) if call.name in ("fsync", "fdatasync") and call.run == 0 and re.search(r"/postern\.db-(wal|redo)>", call.text)]
    check(len(syncs) > 10, f"a life has {len(syncs)} syncs of the store's logs", syncs)
    chosen = spread(syncs, options.limit)
    found = {f"{call.name}:{call.number}": one(options.build, call) for call in chosen}
    # What connectors say falls into one turn or into two, so that the last syncs of a life may not come.
    missed = [name for name, why in found.items() if why == MISSED]
    bad = {name: why for name, why in found.items() if why not in (None, MISSED)}
    check(not bad, f"{len(chosen) - len(missed)} failed syncs: none was tried again, nothing acknowledged was lost", bad)
    check(len(missed) <= max(2, len(chosen) // 5), "nearly all of them were injected", missed)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
