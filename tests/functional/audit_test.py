#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern-audit against made logs of both profiles: what holds, what does not, proofs, exit codes. Tampering is tried on a
sample here and on everything in audit_long_test.py; both verifiers must find all of it and agree on the first bad leaf.

    audit_test.py --build BUILD_DIR
"""
import argparse
import base64
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import audit_tamper as tamper  # noqa: E402
from bank import Checks  # noqa: E402

check = Checks()


def keys_of(folder):
    return {"vkey": f"{folder}.vkey", "witness": f"{folder}.witness-vkey"}


def make(program, folder, *words):
    program.made_log(folder, *words)
    shutil.copy(f"{folder}/vkey", f"{folder}.vkey")
    return folder


def judged(program, folder, own, kept=()):
    judges = tamper.Judges(program, own["vkey"], own["witness"], kept)
    try:
        return judges.ask(folder)
    finally:
        judges.close()


def good_logs(program, base, sizes):
    for leaves in sizes:
        folder = make(program, f"{base}/size-{leaves}", "--leaves", leaves, "--per-epoch", 45 if leaves < 2000 else 9000)
        verdicts = judged(program, folder, keys_of(folder))
        check(verdicts == ("ok", "ok"), f"a log of {leaves} leaves holds", verdicts)
        shutil.rmtree(folder)


def flawed_logs(program, base, own):
    judges = tamper.Judges(program, own["vkey"], own["witness"])

    def each():
        names = program.run("tests/made_log", "--flaws").stdout.split()
        for name in names:
            make(program, f"{base}/flawed", "--flaw", name)
            tamper.must_be_found(judges, f"{base}/flawed", name)
            shutil.rmtree(f"{base}/flawed")
        return len(names)

    tamper.fail_on_miss(check, f"{program.profile}: broken rules and forgeries", each)
    judges.close()


def tampering(program, base, good, own, stride, step):
    foreign = make(program, f"{base}/foreign", "--seed", 2)
    tamper.fail_on_miss(check, f"{program.profile}: single bits, a sample of every file", lambda: tamper.in_shares(tamper.flip_some, program, good, own, stride))
    judges = tamper.Judges(program, own["vkey"], own["witness"])
    tamper.fail_on_miss(check, f"{program.profile}: whole files", lambda: tamper.whole_files(judges, good, foreign))
    judges.close()
    tamper.fail_on_miss(check, f"{program.profile}: entries removed, doubled, swapped, inserted, cut",
                        lambda: tamper.in_shares(tamper.entries, program, good, own, foreign, step))


def signed_lines(path):
    """A note's text, and its lines as {name: (key hash, signature)}."""
    with open(path, encoding="utf-8") as file:
        text, _, lines = file.read().partition("\n\n")
    parts = [line.split(" ") for line in lines.splitlines()]
    return text.encode() + b"\n", {name: (base64.b64decode(blob)[:4], base64.b64decode(blob)[4:]) for _, name, blob in parts}


def with_openssl(base, good):
    """Whoever trusts no program of ours: openssl checks every signature of a log of profile fips, and the tiles are SHA-256."""
    with open(f"{good}/vkey", encoding="utf-8") as file:
        vkeys = [line.split("+", 2) for line in file.read().splitlines()]
    epoch_0 = signed_lines(f"{good}/epoch/000000")
    for text, signatures, (name, number, key), what in ((*signed_lines(f"{good}/checkpoint"), vkeys[0], "the identity's signature of the checkpoint"),
                                                        (*epoch_0, vkeys[0], "that of the first epoch's end"), (*epoch_0, vkeys[1], "and the first epoch's own")):
        tamper.write(base, "key.der", base64.b64decode(key)[1:])
        tamper.write(base, "text", text)
        tamper.write(base, "signature", signatures[name][1])
        openssl = ["openssl", "dgst", "-sha256", "-verify", f"{base}/key.der", "-keyform", "DER", "-signature", f"{base}/signature"]
        done = subprocess.run([*openssl, f"{base}/text"], capture_output=True, text=True)
        check(done.returncode == 0 and "Verified OK" in done.stdout and signatures[name][0].hex() == number, f"openssl verifies {what}", done.stdout + done.stderr)
        tamper.write(base, "text", text + b"\n")
        check(subprocess.run([*openssl, f"{base}/text"], capture_output=True).returncode != 0, "and of another text it does not")


def histories(program, base, good, own):
    """Two histories under one key, and an older one put back: each holds in itself; what was kept tells."""
    fork = make(program, f"{base}/fork", "--fork", 120)
    short = make(program, f"{base}/short", "--leaves", 150)
    longer = make(program, f"{base}/longer", "--leaves", 260)
    for name, folder in (("a second history", fork), ("an older state", short)):
        shutil.rmtree(f"{folder}/witness")
        no_witness = {"vkey": own["vkey"], "witness": None}
        check(judged(program, folder, no_witness) == ("ok", "ok"), f"{name} holds in itself")
        verdicts = judged(program, folder, no_witness, [f"{good}/checkpoint"])
        check(verdicts[0] == verdicts[1] and verdicts[0].startswith("bad"), f"{name} does not contain the checkpoint that was kept", verdicts)
        done = program.audit("consistency", folder, f"{good}/checkpoint", "--vkey", own["vkey"])
        check(done.returncode == 3, f"{name} is not consistent with it", done.stdout + done.stderr)
        os.makedirs(f"{folder}/witness")
        shutil.copy(f"{good}/witness/witness.example", f"{folder}/witness/witness.example")
        verdicts = judged(program, folder, own)
        check(verdicts[0] == verdicts[1] and verdicts[0].startswith("bad"), f"{name} does not follow what the witness saw", verdicts)
    check(judged(program, longer, own, [f"{good}/checkpoint", f"{short}/checkpoint"]) == ("ok", "ok"), "a log that grew contains what was kept")
    for old in (good, short, longer):
        done = program.audit("consistency", longer, f"{old}/checkpoint", "--vkey", own["vkey"])
        check(done.returncode == 0, "and is consistent with it", done.stdout + done.stderr)
    other = make(program, f"{base}/other", "--origin", "bank.example/other")
    check(program.audit("consistency", longer, f"{other}/checkpoint", "--vkey", own["vkey"], f"{other}.vkey").returncode == 3, "not with another log's checkpoint")
    check(program.audit("verify", longer, "--vkey", own["vkey"], "--from", f"{other}/checkpoint").returncode == 1, "which --from refuses")


def left_overs(program, base, good, own):
    """What a crash or the next checkpoint may leave there contradicts nothing."""
    longer = make(program, f"{base}/ahead", "--leaves", 600)
    short = make(program, f"{base}/behind", "--leaves", 150)
    folder = f"{base}/mixed"
    shutil.copytree(longer, folder)
    for name in ("tile", ):
        shutil.copytree(f"{short}/{name}", f"{folder}/{name}", dirs_exist_ok=True)
    open(f"{folder}/tile/0/002.new", "w").close()
    check(judged(program, folder, own) == ("ok", "ok"), "older unfinished tiles and cut writes are no contradiction")
    shutil.copytree(good, folder, dirs_exist_ok=True)
    for name in os.listdir(f"{folder}/epoch"):
        if not os.path.exists(f"{good}/epoch/{name}"):
            os.remove(f"{folder}/epoch/{name}")
    check(judged(program, folder, own) == ("ok", "ok"), "nor are tiles ahead of the checkpoint")


class Meanwhile(tamper.verify_log.Log):
    """The second verifier, on a log that goes on at its n-th look at a file or folder."""

    def __init__(self, folder, vkey, at, happens):
        super().__init__(folder, tamper.verify_log.keys_from([vkey]))
        self.looks, self.at, self.happens = 0, at, happens

    def look(self):
        if self.looks == self.at:
            self.happens()
        self.looks += 1

    def read(self, name):
        self.look()
        return super().read(name)

    def names(self, below):
        self.look()
        return super().names(below)


def end_of_an_epoch(program, base):
    """posternd writes the checkpoint that ends an epoch, then the same as the epoch's file: a crash may leave the one without the
    other, and an auditor may look at any moment."""
    before, after = make(program, f"{base}/epoch-before", "--leaves", 300, "--per-epoch", 301), make(program, f"{base}/epoch-after", "--leaves", 301, "--per-epoch", 301)
    for folder in (before, after):
        shutil.rmtree(f"{folder}/witness")
    vkey = f"{after}.vkey"
    keys = {"vkey": vkey, "witness": None}
    os.replace(f"{after}/epoch/000000", f"{base}/last-of-epoch")
    verdicts = judged(program, after, keys)
    check(verdicts == ("bad 300", "bad 300"), "a finished epoch without its file, under the next epoch's key, does not hold", verdicts)
    shutil.copy(f"{base}/last-of-epoch", f"{after}/checkpoint")
    verdicts = judged(program, after, keys)
    check(verdicts == ("ok", "ok"), "under its own key it does: a crash between the two writes", verdicts)
    last, at, told = f"{base}/epoch-live", 0, []
    with open(f"{base}/last-of-epoch", "rb") as file:
        note = file.read()
    steps = {"its checkpoint": ["checkpoint"], "its checkpoint and file": ["checkpoint", "epoch/000000"]}
    for what, names in steps.items():
        at, log = 0, None
        while log is None or log.looks > log.at:   # until the whole look is over before it happens
            shutil.rmtree(last, ignore_errors=True)
            shutil.copytree(before, last)

            def happens():
                shutil.copytree(f"{after}/tile", f"{last}/tile", dirs_exist_ok=True)
                for name in names:
                    tamper.write(last, name + ".new", note)
                    os.replace(f"{last}/{name}.new", f"{last}/{name}")
                for name in ("tile/0/001.p/44", "tile/entries/001.p/44"):   # superseded
                    os.remove(f"{last}/{name}")
            log = Meanwhile(last, vkey, at, happens)
            verdict = tamper.verify_log.judge(log)
            told += [(what, at, verdict)] if verdict != "ok" else []
            at += 1
    check(at >= 10 and not told, f"whoever looks while an epoch ends finds nothing, at each of {at} moments", told)


def command_line(program, good, own, base):
    run = program.audit
    check(run().returncode == 2 and run("nonsense").returncode == 2 and run("verify").returncode == 2 and run("verify", good).returncode == 2,
          "a wrong command line ends with exit code 2")
    for verb in ("verify", "prove", "check-proof", "consistency"):
        told = run(verb, "--help")
        check(told.returncode == 0 and "Example:" in told.stdout, f"'{verb} --help' shows an example")
    done = run("verify", good, "--vkey", own["vkey"], "--witness", own["witness"], "--json")
    told = json.loads(done.stdout)
    check(done.returncode == 0 and told["good"] and told["leaves"] == 200 and told["epochs"] == 5 and told["anchored"], "verify says what it saw", told)
    check(sum(told["events"].values()) == 200 and told["witnessed"][0]["name"] == "witness.example/one", "every leaf by its event, and the witness", told)
    identity = open(own["vkey"], encoding="utf-8").readline().strip()
    done = run("verify", good, "--vkey", identity)
    check(done.returncode == 0 and "No key of an epoch was given" in done.stdout, "without an epoch's key it says what that leaves open")
    check(run("verify", f"{base}/none", "--vkey", own["vkey"]).returncode == 1, "a missing log cannot be checked: exit code 1")
    check(run("verify", good, "--vkey", "nonsense").returncode == 1, "nor can anything with a key that is none")
    other = make(program, f"{base}/stranger", "--seed", 9)
    done = run("verify", good, "--vkey", f"{other}.vkey", "--json")
    check(done.returncode == 3 and json.loads(done.stdout)["first_bad_leaf"] == 0, "another key does not verify it: exit code 3")
    done = run("verify", good, "--vkey", own["vkey"], "--witness", f"{other}.witness-vkey")
    check(done.returncode == 3 and "witness" in done.stdout, "a witness that has not cosigned is missed", done.stdout)
    linked = program.path("admin/audit/postern-audit")
    libraries = tamper.subprocess.run(["ldd", linked], capture_output=True, text=True).stdout
    check(not any(name in libraries for name in ("libcurl", "libevent", "libssl", "libnghttp2", "libsqlcipher", "libprotobuf")),
          "the program links no network and no store", libraries)


def proofs(program, base, good, own):
    run = program.audit
    everything = [json.loads(run("check-proof", path, "--vkey", own["vkey"], "--json").stdout)["leaves"][0] for path in one_by_one(program, base, good)]
    check([leaf["index"] for leaf in everything] == list(range(0, 200, 7)), "a proof of a leaf checks and says the leaf's header")
    message = next(leaf["message"] for leaf in everything if leaf["message"])
    path = f"{base}/message.tlog-proof"
    done = run("prove", good, "--message", message, "-o", path, "--json")
    count = json.loads(done.stdout)["proofs"]
    check(done.returncode == 0 and count > 1, "the proofs of a message are one file", done.stdout + done.stderr)
    done = run("check-proof", path, "--vkey", own["vkey"], "--witness", own["witness"], "--json")
    told = json.loads(done.stdout)
    check(done.returncode == 0 and told["unbroken"] and len(told["leaves"]) == count and {leaf["message"] for leaf in told["leaves"]} == {message},
          "which checks whole, under a witness too", told)
    parts = open(path, encoding="utf-8").read().split("c2sp.org/tlog-proof@v1\n")[1:]
    tamper.write(base, "some.tlog-proof", "".join("c2sp.org/tlog-proof@v1\n" + part for part in parts[1:]).encode())
    told = json.loads(run("check-proof", f"{base}/some.tlog-proof", "--vkey", own["vkey"], "--json").stdout)
    check(told["good"] and not told["unbroken"], "with its first leaf left out it holds and says that it is not the whole")
    tamper.write(base, "some.tlog-proof", "".join("c2sp.org/tlog-proof@v1\n" + part for part in reversed(parts)).encode())
    check(run("check-proof", f"{base}/some.tlog-proof", "--vkey", own["vkey"]).returncode == 3, "its parts in another order do not")

    single = f"{base}/one.tlog-proof"
    run("prove", good, "--leaf", 7, "-o", single)
    tamper.fail_on_miss(check, "bits of a proof", lambda: tamper.flip_proof(program, single, own, 7, base))
    judges = tamper.Judges(program, own["vkey"], own["witness"])
    run("prove", good, "--leaf", 7, "-o", f"{base}/bare.tlog-proof", "--leaf-out", f"{base}/bare.leaf")
    bare = run("check-proof", f"{base}/bare.tlog-proof", "--vkey", own["vkey"])
    check(bare.returncode == 1, "a proof without its leaf cannot be checked alone")
    given = run("check-proof", f"{base}/bare.tlog-proof", "--vkey", own["vkey"], "--leaf-data", f"{base}/bare.leaf")
    check(given.returncode == 0 and "leaf 7" in given.stdout, "with the leaf given it checks", given.stdout + given.stderr)
    check(run("check-proof", f"{base}/bare.tlog-proof", "--vkey", own["vkey"], "--leaf-data", single).returncode == 3, "with other data it does not")

    other = make(program, f"{base}/elsewhere", "--origin", "bank.example/other")
    foreign = f"{base}/foreign.tlog-proof"
    run("prove", other, "--leaf", 7, "-o", foreign)
    check(run("check-proof", foreign, "--vkey", f"{other}.vkey").returncode == 0, "another log's proof checks with its key")
    check(run("check-proof", foreign, "--vkey", own["vkey"]).returncode == 3, "and not with this log's")
    check(judges.ask(foreign) == ("bad", "bad"), "which both verifiers say")
    judges.close()
    fork = make(program, f"{base}/split", "--fork", 120)
    run("prove", fork, "--leaf", 150, "-o", foreign)
    shutil.copy(f"{good}/checkpoint", f"{fork}/checkpoint")
    check(run("prove", fork, "--leaf", 150, "-o", f"{base}/none.tlog-proof").returncode == 3, "no proof is made that its checkpoint does not bear")
    check(run("prove", good, "--leaf", 200).returncode == 3 and run("prove", good, "--message", "00000000-0000-4000-8000-000000000000").returncode == 3,
          "what is not in the log has no proof: exit code 3")
    check(run("prove", good).returncode == 2 and run("prove", good, "--message", "x").returncode == 2, "prove wants a message or a leaf")
    longer = make(program, f"{base}/grown", "--leaves", 700)
    run("prove", longer, "--leaf", 150, "--checkpoint", f"{good}/checkpoint", "-o", f"{base}/older.tlog-proof")
    told = json.loads(run("check-proof", f"{base}/older.tlog-proof", "--vkey", own["vkey"], "--json").stdout)
    check(told["good"] and told["size"] == 200, "a grown log proves under an older checkpoint as well")


def one_by_one(program, base, good):
    for leaf in range(0, 200, 7):
        path = f"{base}/leaf-{leaf}.tlog-proof"
        done = program.audit("prove", good, "--leaf", leaf, "-o", path)
        if done.returncode != 0:
            check(False, f"leaf {leaf} is proved", done.stdout + done.stderr)
        yield path


def every_way(program, base, good, own, stride, step):
    flawed_logs(program, base, own)
    histories(program, base, good, own)
    left_overs(program, base, good, own)
    end_of_an_epoch(program, base)
    proofs(program, base, good, own)
    tampering(program, base, good, own, stride, step)


def mixed_profiles(program, program_of_other, base, good, own):
    """A log has one type of keys: the other profile's keys hold nothing of it, and both types together are no trust at all."""
    other = keys_of(make(program_of_other, f"{base}/other-profile"))["vkey"]
    check(judged(program, good, {"vkey": other, "witness": None}) == ("bad 0", "bad 0"), "under the keys of the other profile nothing holds")
    with open(own["vkey"], encoding="utf-8") as mine, open(other, encoding="utf-8") as theirs:
        (_, epoch), (other_identity, _) = mine.read().splitlines(keepends=True), theirs.read().splitlines(keepends=True)
    tamper.write(base, "mixed-keys", (other_identity + epoch).encode())
    tamper.write(base, "identity", other_identity.encode())
    done = program.audit("verify", good, "--vkey", f"{base}/mixed-keys")
    check(done.returncode == 1 and "two types" in done.stderr, "an identity and an epoch of two types are refused as keys", done.stderr)
    second = subprocess.run([sys.executable, tamper.verify_log.__file__, good, "--vkey", f"{base}/mixed-keys"], capture_output=True, text=True)
    check(second.returncode == 1 and "two types" in second.stderr, "by the second verifier too", second.stderr)
    shutil.copy(f"{base}/mixed-keys", f"{base}/other-profile/vkey")
    check(judged(program, f"{base}/other-profile", {"vkey": f"{base}/identity", "witness": None}) == ("bad 0", "bad 0"), "and as a log's own vkey")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    program = tamper.Program(build)
    with tamper.memory_folder() as base:
        good = make(program, f"{base}/good")
        own = keys_of(good)
        command_line(program, good, own, base)
        good_logs(program, base, (0, 1, 44, 45, 46, 90, 91, 255, 256, 257, 513, 1000, 65536, 65900))
        every_way(program, base, good, own, 331, 13)
        mixed_profiles(program, tamper.Program(build, "fips"), base, good, own)
    program = tamper.Program(build, "fips")
    with tamper.memory_folder() as base:
        good = make(program, f"{base}/good")
        good_logs(program, base, (0, 1, 45, 46, 91, 256, 513))
        every_way(program, base, good, keys_of(good), 997, 29)
        with_openssl(base, good)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
