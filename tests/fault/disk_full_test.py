#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk, in each phase of a gateway's life: nothing accepted is lost, nothing is half done, what is refused is refused with a
sentence, and when there is space again everything goes on by itself.

The state folder lies on a small file system in memory that the test makes itself.

    python3 tests/fault/disk_full_test.py --build BUILD_DIR
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rig import Channel, Rig, Source  # noqa: E402
from rollback_test import PASSPHRASES, postern  # noqa: E402
from bank import Checks  # noqa: E402

MIB = 1024 * 1024


class Small:
    """The rig's state folder as a file system of a few mebibytes."""

    def __init__(self, rig, mib, reserve):
        self.rig, self.path = rig, rig.path("state")
        text = open(rig.path("posternd.toml"), encoding="utf-8").read()
        rig.write("posternd.toml", text.replace("reserve_mib = 1\n", f"reserve_mib = {reserve}\n"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "postern-test", self.path], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.rig.alive():
            self.rig.kill()
        subprocess.run(["umount", self.path], check=False)

    def free(self):
        facts = os.statvfs(self.path)
        return facts.f_bavail * facts.f_frsize

    def fill(self, leave=0):
        """Takes up all but `leave` bytes. On a tmpfs a page is the least that can be taken."""
        with open(os.path.join(self.path, "ballast"), "ab") as ballast, contextlib.suppress(OSError):
            while (more := self.free() - leave) > 0:
                ballast.write(bytes(min(more, MIB)))
                ballast.flush()

    def clear(self):
        os.unlink(os.path.join(self.path, "ballast"))


def wait(condition, timeout=30):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def in_life(check, build):
    with Rig(build) as rig, Small(rig, 320, 64) as disk:
        rig.start()
        check(not rig.init().error, "init")
        status = lambda: rig.ask(status=True).status  # noqa: E731
        check(status().reserve_bytes == 64 * MIB and status().accepting, "the reserve is taken up", status())
        source, channel = Source(rig), Channel(rig, 3, retry=0.0, doubt=0.0)
        source.start(), channel.start()
        source.wait_count(200, 30)

        # Low: nothing new, and all that was accepted goes on.
        disk.fill(leave=15 * MIB)
        check(wait(lambda: not status().accepting), "under the reserve's quarter nothing is accepted", status())
        count = source.count()
        check(wait(lambda: source.unavailable > 5), "who submits is told to come again")
        check(wait(lambda: status().waiting == 0), "what was accepted reaches its end meanwhile", status().waiting)
        check(source.count() - count <= Source.AHEAD and "disk.low" in rig.log_text() and "reserve-spent" not in rig.log_text(), "and the log alarms",
              rig.log_text()[-600:])
        disk.clear()
        count = source.count()
        check(source.wait_count(count + 100, 30), "with space it is accepted again, by itself")

        # Full at once, in the midst of it.
        disk.fill()
        check(wait(lambda: "disk.reserve-spent" in rig.log_text()), "a commit that finds the disk full gives up the reserve", rig.log_text()[-600:])
        check(wait(lambda: status().waiting == 0), "from which all that was accepted still goes its way", status().waiting)
        check(not status().accepting and rig.alive(), "nothing is accepted, and the process lives")

        # And the reserve is eaten by somebody else.
        disk.fill()
        changes = {"a key's rotation": ("keys", "rotate", "content"), "an erasure": ("recipient", "erase", "C-1"), "a slot": ("keys", "slot", "add", "passphrase", "more")}
        for what, words in changes.items():
            done = postern(rig, *words, text="a passphrase that is long enough\n")
            check(done.returncode == 1 and ("disk" in done.stderr or "No space" in done.stderr), f"{what} on the full disk is refused with a sentence", done.stdout + done.stderr)
        keys = json.loads(postern(rig, "keys", "status", "--json").stdout)
        check(max(key["version"] for key in keys["keys"] if key["name"] == "content") == 1, "and nothing of it happened")
        disk.clear()
        count = source.count()
        check(source.wait_count(count + 100, 60), "with space everything goes on", (source.fault, rig.log_text()[-600:]))
        check(wait(lambda: status().reserve_bytes == 64 * MIB), "the reserve is made anew", status())
        source.quiet.set()
        check(wait(lambda: source.settled() and status().waiting == 0), "all reach their end", status().waiting)
        source.end(), channel.end()
        check(source.fault is None and channel.fault is None and source.changed == 0, "no ledger disagrees", (source.fault, channel.fault, source.changed))
        twice = [identifier for identifier, sends in channel.sends.items() if len(sends) > 1]
        check(not twice, "nothing went out twice", twice[:3])
        lost = [identifier for identifier in source.accepted.values() if identifier not in channel.sends]
        check(not lost, f"none of {source.count()} accepted messages is lost", lost[:3])
        code, verdict = rig.verify()
        events = json.loads(verdict)["events"]
        check(code == 0 and events.get("disk-low", 0) >= 2 and events.get("disk-recovered", 0) >= 2, "the audit log verifies and tells of it", verdict)


def at_the_start(check, build):
    with Rig(build) as rig, Small(rig, 24, 4) as disk:
        rig.start()
        disk.fill()
        refused = rig.init()
        check(bool(refused.error), "an init on a full disk is refused", refused.error)
        disk.clear()
        made = rig.init()
        check(not made.error, "with space it is done", made.error)
        rig.stop()
        disk.fill()
        rig.start()
        status = rig.ask(status=True).status
        opened = status.state == "open"
        check(opened or bool(status.why_locked), "a start on a full disk opens, or says why not", status)
        disk.clear()
        if not opened:
            check(not rig.unlock().error, "with space it opens")
        source = Source(rig)
        source.start()
        check(source.wait_count(20, 30), "and takes messages", rig.log_text()[-600:])
        source.end()
        code, verdict = rig.verify()
        check(code == 0, "the audit log verifies", verdict)


def a_backup(check, build):
    with Rig(build) as rig, Small(rig, 64, 4):
        rig.start()
        rig.init()
        source = Source(rig)
        source.start()
        source.wait_count(300, 30)
        source.end()
        key = postern(rig, "keys", "custodian", "new", rig.path("ann.key"), text=PASSPHRASES["ann"] + "\n").stdout.strip()
        small = rig.path("small")
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "postern-test", small], check=True)
        try:
            done = postern(rig, "backup", os.path.join(small, "b"), "--recipient", f"ann={key}")
            check(done.returncode == 1 and "No space" in done.stderr and not os.listdir(small), "a backup to a full disk says so and leaves nothing", done.stderr)
        finally:
            subprocess.run(["umount", small], check=False)
        done = postern(rig, "backup", rig.path("b"), "--recipient", f"ann={key}")
        check(done.returncode == 0, "and another place takes it", done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    check = Checks()
    for part in (in_life, at_the_start, a_backup):
        part(check, options.build)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
