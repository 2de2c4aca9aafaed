#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Old copies put back, an altered store, a backup laid out on another host: each is refused until two administrators have consented,
and then goes on without sending anything twice that must not be.

    python3 tests/fault/rollback_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rig import IDENTITY, Channel, Rig, Session, Source  # noqa: E402
from bank import Checks  # noqa: E402

OTHER_ADMIN = ("daemon", 1)
PASSPHRASES = {name: f"the passphrase of {name}" for name in ("ann", "ben", "cem")}


def with_anchor(rig, anchor):
    """The anchor lies where a copy of the state folder does not take it along; a second administrator may speak."""
    path = pathlib.Path(rig.path("posternd.toml"))
    path.write_text(f'anchor = "{anchor}"\nadmins = ["{OTHER_ADMIN[0]}"]\n' + path.read_text())
    os.chmod(rig.folder, 0o711)


def postern(rig, *words, text="", as_other=False):
    if as_other:
        os.chmod(rig.path("control.sock"), 0o666)   # where systemd makes one socket for each administrator
    return subprocess.run([rig.postern, "--socket", rig.path("control.sock"), *map(str, words)], input=text, capture_output=True, text=True, timeout=120,
                          check=False, user=OTHER_ADMIN[1] if as_other else None, group=OTHER_ADMIN[1] if as_other else None)


def started(rig):
    rig.start()
    rig.ask(status=True)   # it listens


def unlocked(rig):
    return postern(rig, "unlock", "--credential")


def consent(check, rig, what):
    """Two administrators, not one twice; then it is open."""
    shown = json.loads(postern(rig, "rollback", "show", "--json").stdout)
    check(bool(shown["findings"]) and len(shown["code"]) == 8, f"{what}: what was found can be shown", shown)
    wrong = postern(rig, "rollback", "accept", "00000000")
    check(wrong.returncode == 1 and "rollback show" in wrong.stderr, f"{what}: a wrong code is refused", wrong.stderr)
    check(postern(rig, "rollback", "accept", shown["code"]).returncode == 0, f"{what}: one administrator consents")
    check(unlocked(rig).returncode == 1, f"{what}: one is not enough")
    again = postern(rig, "rollback", "accept", shown["code"])
    check(again.returncode == 1 and "another administrator" in again.stderr, f"{what}: the same one again is no second", again.stderr)
    second = postern(rig, "rollback", "accept", shown["code"], as_other=True)
    check(second.returncode == 0 and "(2 of 2)" in second.stdout, f"{what}: another administrator consents", second.stdout + second.stderr)
    done = unlocked(rig)
    check(done.returncode == 0, f"{what}: then it opens", done.stderr)
    code, verdict = rig.verify()
    check(code == 0 and json.loads(verdict)["events"].get("rollback-accepted", 0) >= 1, f"{what}: the audit log verifies and says who consented", verdict)


def published(rig):
    """Waits until the anchor speaks of everything that is committed."""
    before = rig.ask(status=True).status.leaves
    while rig.ask(status=True).status.published < before:
        time.sleep(0.02)
    time.sleep(0.05)   # the anchor is written just behind the checkpoint


def put_back(old, path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)
    if os.path.isdir(old):
        shutil.copytree(old, path)
    elif os.path.exists(old):
        shutil.copy2(old, path)


def old_copies(check, build):
    with Rig(build) as rig:
        with_anchor(rig, rig.path("anchor"))
        started(rig)
        check(not rig.init().error, "init")
        source = Source(rig)
        source.start()
        source.wait_count(50, 30)
        source.end()
        published(rig)
        rig.kill()
        state, copy = rig.path("state"), rig.path("copy")
        shutil.copytree(state, copy)
        started(rig)
        check(rig.ask(status=True).status.state == "open", "after a kill it opens by itself")
        source = Source(rig)
        source.number = 1000
        source.start()
        source.wait_count(50, 30)
        source.end()
        published(rig)
        rig.stop()
        now = rig.path("now")
        shutil.copytree(state, now)
        for name, parts in (("the whole folder", os.listdir(copy)), ("the store", ["postern.db", "postern.db-wal", "postern.db-redo"]), ("the audit log", ["audit"])):
            for part in parts:
                put_back(os.path.join(copy, part), os.path.join(state, part))
            started(rig)
            status = rig.ask(status=True).status
            check(status.state == "locked" and "rolled back" in status.why_locked, f"{name} of an old copy is refused", status.why_locked)
            rig.stop()
            shutil.rmtree(state)
            shutil.copytree(now, state)
        # The whole folder once more, and the bank means it.
        shutil.rmtree(state)
        shutil.copytree(copy, state)
        started(rig)
        consent(check, rig, "an old copy")
        check(not rig.ask(rollback=rig.control.RollbackAsk()).rollback.findings, "nothing is left to consent to")
        source = Source(rig)
        source.number = 5000
        source.start()
        check(source.wait_count(20, 30), "and takes messages again")
        source.end()
        rig.stop()
        started(rig)
        check(rig.ask(status=True).status.state == "open", "after it a start needs nobody")


def altered(check, build):
    with Rig(build) as rig:
        with_anchor(rig, rig.path("anchor"))
        started(rig)
        rig.init()
        source = Source(rig)
        source.start()
        source.wait_count(200, 30)
        source.end()
        done = postern(rig, "store", "scrub", "--json")
        check(done.returncode == 0 and json.loads(done.stdout)["rows"] > 200, "an honest store is read again and found whole", done.stdout + done.stderr)
        published(rig)
        rig.stop()
        # One bit of a page that no start reads; which those are depends on the file.
        path = pathlib.Path(rig.path("state/postern.db"))
        good = path.read_bytes()
        for at in (len(good) // 2, len(good) // 3, len(good) * 2 // 3, len(good) // 5):
            data = bytearray(good)
            data[at] ^= 4
            path.write_bytes(data)
            started(rig)
            status = rig.ask(status=True).status
            if status.state == "open":
                break
            check("store" in status.why_locked, f"a changed byte {at} is found at the start", status.why_locked)
            rig.stop()
        if not check(rig.alive(), "a changed byte was not read at the start"):
            return
        done = postern(rig, "store", "scrub")
        check(done.returncode == 3 and "not as it was written" in done.stderr, "one scrub finds the changed page, and locks", done.stdout + done.stderr)
        check(rig.ask(status=True).status.state == "locked", "nothing is sent from it")
        refused = unlocked(rig)
        check(refused.returncode == 1 and "rollback accept" in refused.stderr, "the next unlock is refused", refused.stderr)


def kept(rig, identifiers):
    """How many of these messages the client can still ask for."""
    session, there = Session(rig, "api", 99, 0, lambda: False), 0
    try:
        for tag, identifier in enumerate(identifiers, 1):
            session.say(query=[rig.wire.Query(tag=tag, identity=IDENTITY, get=identifier)])
            answer = None
            while answer is None:
                answer = next((each for frame in session.read(10) for each in frame.answer), None)
            there += answer.message.id == identifier
    finally:
        session.close()
    return there


def retention(check, build):
    """Three days later by the process's clock: what its category keeps for a day is gone, the rest is there."""
    with Rig(build) as rig:
        path = pathlib.Path(rig.path("posternd.toml"))
        path.write_text(path.read_text().replace("[categories.otp]\n", '[categories.otp]\nkeep = "1d"\n'))
        started(rig)
        rig.init()
        source, channel = Source(rig), Channel(rig, 7)
        source.start(), channel.start()
        source.wait_count(200, 30)
        source.quiet.set()
        deadline = time.monotonic() + 30
        while rig.ask(status=True).status.waiting and time.monotonic() < deadline:
            time.sleep(0.05)
        source.end(), channel.end()
        codes = [identifier for key, identifier in source.accepted.items() if int(key.split("-")[1]) % 2]
        others = [identifier for key, identifier in source.accepted.items() if int(key.split("-")[1]) % 2 == 0]
        done = json.loads(postern(rig, "store", "purge", "--json").stdout)
        check(done["purged"] == 0 and kept(rig, codes + others) == len(codes + others), "what has just ended is kept", done)
        rig.stop()
        size = os.path.getsize(rig.path("state/postern.db"))
        rig.start("faketime", "-f", "+3d")
        rig.ask(status=True)
        done = json.loads(postern(rig, "store", "purge", "--json").stdout)
        check(done["purged"] == len(codes) > 50, f"three days later all {len(codes)} one-time codes are deleted", done)
        check(kept(rig, codes) == 0 and kept(rig, others) == len(others), "and nothing else", (kept(rig, codes), kept(rig, others)))
        code, verdict = rig.verify()
        events = json.loads(verdict)["events"]
        check(code == 0 and events.get("purged", 0) >= 1 and events["accepted"] == len(codes) + len(others), "the audit log keeps its leaves, says so, and verifies", verdict)
        rig.stop()
        grown = os.path.getsize(rig.path("state/postern.db")) - size
        check(grown <= 0, "the file has not grown", grown)


def custodians(rig):
    keys = {}
    for name, passphrase in PASSPHRASES.items():
        keys[name] = postern(rig, "keys", "custodian", "new", rig.path(f"{name}.key"), text=passphrase + "\n").stdout.strip()
    return keys


def backup(check, build):
    with Rig(build) as rig, Rig(build) as other:
        with_anchor(rig, rig.path("anchor"))
        with_anchor(other, other.path("anchor"))
        started(rig)
        rig.init()
        keys = custodians(rig)
        recipients = [word for name, key in keys.items() for word in ("--recipient", f"{name}={key}")]
        source, channel = Source(rig), Channel(rig, 5)
        source.start(), channel.start()
        source.wait_count(300, 30)
        before = dict(source.accepted)
        file = rig.path("monday")
        done = postern(rig, "backup", file, "--of", "2", *recipients)
        check(done.returncode == 0 and os.path.exists(file) and os.path.exists(file + ".keys"), "a backup is made while messages flow", done.stderr)
        count = source.count()
        check(source.wait_count(count + 200, 30), "which go on")
        check("is there already" in postern(rig, "backup", file, *recipients).stderr, "it is not written over")
        check("twice" in postern(rig, "backup", rig.path("two"), "--recipient", f"a={keys['ann']}", "--recipient", f"b={keys['ann']}").stderr, "a recipient cannot be two")
        done = postern(rig, "backup", rig.path("tuesday"), "--of", "2", *recipients)
        check(done.returncode == 0, "a second backup is made", done.stderr)
        full = postern(rig, "backup", "/dev/full/none", *recipients)
        check(full.returncode == 1 and not os.path.exists("/dev/full/none"), "one that cannot be written says so", full.stderr)
        source.end(), channel.end()
        code, verdict = rig.verify()
        events = json.loads(verdict)["events"]
        check(code == 0 and events.get("backup-begun") == 2 and events.get("backup-done") == 2, "the audit log tells of both", verdict)
        vkey = rig.path("vkey")
        shutil.copy(rig.path("state/audit/vkey"), vkey)
        rig.kill()

        into = other.path("state")
        restore(check, rig, file, into, vkey)
        shutil.copy(rig.path("key"), other.path("key"))
        started(other)
        refused = unlocked(other)
        check(refused.returncode == 1 and "no anchor" in refused.stderr, "on the other host it is refused: nothing tells that it is the newest", refused.stderr)
        consent(check, other, "a restored backup")
        source, channel = Source(other), Channel(other, 6)
        check(kept(other, before.values()) == len(before), f"every one of {len(before)} messages that were accepted before the backup is there")
        source.number = 100_000
        source.start(), channel.start()
        check(source.wait_count(100, 30), "messages are accepted there")
        source.quiet.set()
        deadline = time.monotonic() + 30
        while other.ask(status=True).status.waiting and time.monotonic() < deadline:
            time.sleep(0.05)
        source.end(), channel.end()
        check(source.fault is None and channel.fault is None, "and reach their end", (source.fault, channel.fault))
        code, verdict = other.verify()
        check(code == 0 and json.loads(verdict)["good"], "the audit log goes on and verifies", verdict)


def restore(check, rig, file, into, vkey):
    def run(*words, who=("ann", "ben"), text=None, path=file, key=vkey, folder=into):
        given = [word for name in who for word in ("--key", rig.path(f"{name}.key"))]
        return postern(rig, "restore", path, "--into", folder, "--vkey", key, *given, *words,
                       text=text if text is not None else "".join(PASSPHRASES[name] + "\n" for name in who))

    def refused(done, words, what):
        check(done.returncode == 1 and words in done.stderr and not os.listdir(into), what, done.stdout + done.stderr)

    refused(run(who=("cem",)), "needs 2 of ann, ben, cem", "one custodian of two opens nothing")
    refused(run(text="not her passphrase\nthe passphrase of ben\n"), "wrong passphrase", "a wrong passphrase is told")
    refused(run("--keys", rig.path("tuesday.keys")), "another backup", "another backup's keys file is refused")
    refused(run("--keys", rig.path("none")), "none", "a missing keys file is told")
    refused(run(path=vkey), "no backup of Postern", "a file that is none is told")
    other_key = rig.path("other.vkey")
    pathlib.Path(other_key).write_text("bank.example/other+00000000+AQAA\n")
    refused(run(key=other_key), "verifier key", "a key that is none is told")
    data = pathlib.Path(file).read_bytes()
    for at in (3, 40, len(data) // 2, len(data) - 300, len(data) - 20):
        damaged = bytearray(data)
        damaged[at] ^= 1
        pathlib.Path(rig.path("damaged")).write_bytes(damaged)
        refused(run("--keys", file + ".keys", path=rig.path("damaged")), "damaged", f"a flipped bit at {at} is found before anything is written")
    pathlib.Path(rig.path("damaged")).write_bytes(data[:len(data) // 2])
    refused(run("--keys", file + ".keys", path=rig.path("damaged")), "cut off", "so is a file that was cut")
    done = run("--keys", file + ".keys", who=("cem", "ann"))
    check(done.returncode == 0 and "rollback accept" in done.stdout, "two custodians restore it", done.stderr)
    check(sorted(os.listdir(into)) == ["audit", "epoch", "keyring", "postern.db", "ring"], "what belongs there lies there", os.listdir(into))
    check(oct(os.stat(os.path.join(into, "keyring")).st_mode & 0o777) == "0o600", "for its owner only")
    done = run(who=("ann", "ben"))
    check(done.returncode == 1 and "not empty" in done.stderr, "a folder that is not empty is left alone", done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    check = Checks()
    for part in (old_copies, altered, retention, backup):
        part(check, options.build)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
