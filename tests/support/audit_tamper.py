# SPDX-License-Identifier: Apache-2.0
"""Ways to tamper with an audit log, each tried on both verifiers: the one of admin/audit (through audit_judge) and the
one in verify_log.py. Whoever lets one pass, or names another first bad leaf than the other, has failed."""

import contextlib
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile

import verify_log
from verify_log import sha


def memory_folder():
    """A folder that is gone with its user; in memory where there is room."""
    return tempfile.TemporaryDirectory(prefix="postern-audit-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


class Program:
    """A program of the build; logs that it makes are of this profile."""

    def __init__(self, build, profile="modern"):
        self.build, self.profile = os.path.abspath(build), profile

    def path(self, below):
        path = os.path.join(self.build, below)
        if not os.path.exists(path):
            raise SystemExit(f"{path} is not built")
        return path

    def run(self, below, *words):
        return subprocess.run([self.path(below), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)

    def made_log(self, folder, *words):
        done = self.run("tests/made_log", folder, "--profile", self.profile, *words)
        if done.returncode != 0:
            raise SystemExit(f"made_log: {done.stderr}")

    def audit(self, *words):
        return self.run("admin/audit/postern-audit", *words)


class Judges:
    """Both verifiers, with the keys of one log."""

    def __init__(self, program, vkey, witness=None, kept=()):
        words = ["--vkey", vkey] + (["--witness", witness] if witness else []) + [word for name in kept for word in ("--from", name)]
        self.process = subprocess.Popen([program.path("tests/audit_judge"), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.keys, self.kept = verify_log.keys_from([vkey]), list(kept)
        self.witnesses = verify_log.keys_from([witness] if witness else [])

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, folder):
        """Both verdicts of a log's folder: `ok`, `bad INDEX` or `unreadable`; of a proof: `ok` or `bad`."""
        self.process.stdin.write(folder + "\n")
        self.process.stdin.flush()
        log = verify_log.Log(folder, self.keys, self.witnesses, self.kept)
        second = verify_log.judge_proof(folder, log) if folder.endswith(".tlog-proof") else verify_log.judge(log).split(":")[0]
        return self.process.stdout.readline().strip(), second


class Missed(Exception):
    pass


def must_be_found(judges, folder, what):
    first, second = judges.ask(folder)
    if first == "ok" or second == "ok" or first != second:
        raise Missed(f"{what}: postern-audit says '{first}', verify_log.py says '{second}'")


def must_hold(judges, folder, what):
    verdicts = judges.ask(folder)
    if verdicts != ("ok", "ok"):
        raise Missed(f"{what} is right, and the verdicts are {verdicts}")


def files_of(folder):
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def write(folder, name, content):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


@contextlib.contextmanager
def changed(folder, files, changes):
    """The folder with other contents of some files (None: without them), and as it was afterwards."""
    for name, content in changes.items():
        if content is None:
            os.remove(os.path.join(folder, name))
        else:
            write(folder, name, content)
    yield
    for name in changes:
        if name in files:
            write(folder, name, files[name])
        else:
            os.remove(os.path.join(folder, name))


# ---- single bits and whole files ---------------------------------------------------------------------------------

def flips(files, stride, offset=0):
    """(file, byte, bit) of every stride-th bit; of every file at least one."""
    at = offset
    for name in sorted(files):
        bits = 8 * len(files[name])
        if at >= bits:
            yield name, (at % bits) // 8, at % 8
        while at < bits:
            yield name, at // 8, at % 8
            at += stride
        at -= bits if at >= bits else 0
        at %= stride


def flip_some(program, folder, own, stride, share, shares):
    """One worker's share of the flips, in a copy of its own. Returns how many it tried."""
    copy = f"{folder}.{share}"
    shutil.copytree(folder, copy)
    files, tried = files_of(copy), 0
    judges = Judges(program, own["vkey"], own["witness"])
    try:
        for number, (name, byte, bit) in enumerate(flips(files, stride)):
            if number % shares != share:
                continue
            with open(os.path.join(copy, name), "r+b") as file:
                file.seek(byte)
                file.write(bytes([files[name][byte] ^ 1 << bit]))
            must_be_found(judges, copy, f"{name}, byte {byte}, bit {bit} flipped")
            with open(os.path.join(copy, name), "r+b") as file:
                file.seek(byte)
                file.write(files[name][byte:byte + 1])
            tried += 1
        must_hold(judges, copy, "the log after all flips")
    finally:
        judges.close()
        shutil.rmtree(copy)
    return tried


def whole_files(judges, folder, foreign):
    """Every file deleted, emptied, cut, lengthened, or replaced by that of another log or by a neighbour."""
    files, others, tried = files_of(folder), files_of(foreign), 0
    names = sorted(files)
    for at, name in enumerate(names):
        content = files[name]
        cases = [None, b"", content[:1], content[:len(content) // 2], content[:-1], content + b"\n", content + b"\0", b"\n" + content,
                 others.get(name), files[names[(at + 1) % len(names)]]]
        for number, case in enumerate(cases):
            if number == 8 and case is None or case == content:
                continue
            with changed(folder, files, {name: case}):
                must_be_found(judges, folder, f"{name}, case {number} of whole files")
            tried += 1
    return tried


# ---- entries -----------------------------------------------------------------------------------------------------

def leaves_of(files):
    leaves = []
    for name in sorted(name for name in files if name.startswith("tile/entries/")):
        at, content = 0, files[name]
        while at < len(content):
            size = int.from_bytes(content[at:at + 2], "big")
            leaves.append(content[at + 2:at + 2 + size])
            at += 2 + size
    return leaves


def bundled(leaves):
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


SEQUENCE, PREVIOUS = 3, 61   # where they stand in a leaf


def relinked(leaves):
    """The leaves with the sequence and previous hash that their places give them."""
    linked, previous = [], bytes(32)
    for place, leaf in enumerate(leaves):
        leaf = leaf[:SEQUENCE] + place.to_bytes(8, "big") + leaf[SEQUENCE + 8:PREVIOUS] + previous + leaf[PREVIOUS + 32:]
        previous = sha(b"\0", leaf)
        linked.append(leaf)
    return linked


def rearranged(leaves, at, chance, foreign):
    """(what, other leaves) for everything that can be done to the entry `at`."""
    yield "deleted", leaves[:at] + leaves[at + 1:]
    yield "doubled", leaves[:at + 1] + leaves[at:]
    yield "replaced by a foreign one", leaves[:at] + [foreign[at]] + leaves[at + 1:]
    yield "inserted before it: a foreign one", leaves[:at] + [foreign[at]] + leaves[at:]
    yield "cut off from here", leaves[:at]
    if at + 1 < len(leaves):
        yield "swapped with the next", leaves[:at] + [leaves[at + 1], leaves[at]] + leaves[at + 2:]
    other = chance.randrange(len(leaves))
    if other != at:
        swapped = list(leaves)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        yield f"swapped with {other}", swapped
    yield "moved to the end", leaves[:at] + leaves[at + 1:] + [leaves[at]] if at + 1 < len(leaves) else leaves[:-1]


def entries(program, folder, own, foreign_folder, step, share, shares):
    """Every rearrangement at every step-th entry of a log of one bundle: the bundle alone, with the hash tile made to
    fit, and with the leaves made to fit as well. One worker's share."""
    copy = f"{folder}.{share}"
    shutil.copytree(folder, copy)
    files, tried, chance = files_of(copy), 0, random.Random(step)
    leaves, foreign = leaves_of(files), leaves_of(files_of(foreign_folder))
    bundle = next(name for name in files if name.startswith("tile/entries/"))
    tile = next(name for name in files if name.startswith("tile/0/"))
    judges = Judges(program, own["vkey"], own["witness"])
    try:
        for at in range(share * step, len(leaves), step * shares):
            for what, other in rearranged(leaves, at, chance, foreign):
                for depth, made in (("alone", other), ("with its tile", other), ("made to fit", relinked(other))):
                    changes = {bundle: bundled(made)}
                    if depth != "alone":
                        # The width in a name cannot change without the checkpoint: entries fall off or are missing.
                        hashes = [sha(b"\0", leaf) for leaf in made][:len(leaves)]
                        changes[tile] = b"".join(hashes)
                        changes[bundle] = bundled(made[:len(leaves)])
                    if all(files[name] == content for name, content in changes.items()):
                        continue   # what was added fell off the end again
                    with changed(copy, files, changes):
                        must_be_found(judges, copy, f"entry {at} {what}, {depth}")
                    tried += 1
        must_hold(judges, copy, "the log after all rearrangements")
    finally:
        judges.close()
        shutil.rmtree(copy)
    return tried


def in_shares(work, program, *words, shares=2):
    """Runs work(program, *words, share, shares) in processes of their own; the sum of what they tried, or the first miss."""
    with multiprocessing.Pool(shares) as pool:
        results = [pool.apply_async(guarded, (work, program, *words, share, shares)) for share in range(shares)]
        total = 0
        for result in results:
            tried = result.get()
            if isinstance(tried, str):
                pool.terminate()
                raise Missed(tried)
            total += tried
        return total


def guarded(work, *words):
    try:
        return work(*words)
    except Missed as miss:
        return str(miss)
    except Exception as error:  # a process of the pool must not end without a word
        return f"{type(error).__name__}: {error}"


def flip_proof(program, proof, own, stride, folder):
    """Every stride-th bit of a proof flipped, and the proof cut at every stride-th byte. Returns how many were tried."""
    tried, path = 0, os.path.join(folder, "flipped.tlog-proof")
    with open(proof, "rb") as file:
        content = file.read()
    judges = Judges(program, own["vkey"], own["witness"])
    try:
        must_hold(judges, proof, "the proof")
        for at in range(0, 8 * len(content), stride):
            flipped = bytearray(content)
            flipped[at // 8] ^= 1 << at % 8
            write(folder, "flipped.tlog-proof", bytes(flipped))
            must_be_found(judges, path, f"the proof with byte {at // 8}, bit {at % 8} flipped")
            tried += 1
        for size in range(0, len(content), stride):
            write(folder, "flipped.tlog-proof", content[:size])
            must_be_found(judges, path, f"the proof cut to {size} bytes")
            tried += 1
    finally:
        judges.close()
    return tried


def fail_on_miss(check, what, work):
    """One line of a test: `work()` says how many were tried."""
    try:
        tried = work()
    except Missed as miss:
        check(False, what, str(miss))
        sys.exit(check.finish())
    check(tried > 0, f"{what}: {tried} tried, all found")
