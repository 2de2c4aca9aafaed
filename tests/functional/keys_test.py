#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys against real programs: slots and ways, a quorum of custodians, a PKCS#11 token, rotation, what memory holds before and after
`lock`, and a kill -9 at each step of a change.

    python3 tests/functional/keys_test.py --build BUILD_DIR
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import keyring_file  # noqa: E402
import verify_log  # noqa: E402
from bank import Checks  # noqa: E402
from gateway import Gateway, without_locked_memory  # noqa: E402

OPS, AUDIT = "the passphrase of operations", "the passphrase of the auditor"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


def key_file(folder, name="unlock.key"):
    path = pathlib.Path(folder) / name
    path.write_bytes(bytes(b % 255 + 1 for b in os.urandom(64)))   # no zero and no newline at the end
    path.chmod(0o400)
    return path


def keys_of(gateway, path):
    return keyring_file.open_with_key_file(gateway.keyring.read_bytes(), path.read_bytes())


def versions(gateway, name):
    return [key["version"] for key in gateway.json("keys", "status")["keys"] if key["name"] == name]


def ways(check, build, folder):
    gateway = Gateway(build, folder)
    gateway.start()
    check(gateway.postern("keys", "status").returncode == 1, "an uninitialised gateway has no keys to show")
    check(gateway.postern("init", "--passphrase", text=OPS + "\n").returncode == 0, "init with a passphrase")
    slots = gateway.json("keys", "slots")
    check([s["name"] for s in slots["slots"]] == ["passphrase"] and slots["ways"] == [{"name": "passphrase", "slots": ["passphrase"]}],
          "one slot, and one way that needs it alone", slots)
    last = gateway.postern("keys", "slot", "remove", "passphrase")
    check(last.returncode == 1 and "last way" in last.stderr, "the last way that opens cannot be removed", last.stderr)
    check(gateway.postern("keys", "way", "remove", "passphrase").returncode == 1, "nor can its way")

    key = key_file(folder)
    added = gateway.postern("keys", "slot", "add", "key-file", "box", key, "--part")
    check(added.returncode == 0 and "way add" in added.stdout, "a key file is added as a part", added.stderr)
    check(gateway.postern("keys", "slot", "add", "passphrase", "auditor", "--part", text=AUDIT + "\n").returncode == 0, "and a second passphrase")
    check(gateway.postern("keys", "way", "add", "box and auditor", "box", "auditor").returncode == 0, "a way that needs both")
    check(gateway.postern("keys", "way", "add", "four eyes", "passphrase", "auditor").returncode == 0, "a way of two passphrases")
    check(gateway.postern("keys", "way", "remove", "passphrase").returncode == 0, "the passphrase alone opens no more")
    check(gateway.postern("keys", "slot", "remove", "auditor").returncode == 1, "a slot that ways need is not removed")
    gateway.postern("lock")
    before = gateway.keyring.read_bytes()
    half = gateway.postern("unlock", "--key-file", key)
    check(half.returncode == 3 and "passphrase 'auditor'" in half.stdout, "half of a way is taken, and it says what is missing (exit code 3)", half.stdout + half.stderr)
    check(gateway.json("status")["state"] == "locked", "and opens nothing")
    wrong = gateway.unlock_until(text="not the passphrase\n")
    check(wrong.returncode == 1 and "does not open it" in wrong.stderr, "a wrong other half: a clear error", wrong.stderr)
    limited = gateway.postern("unlock", text=AUDIT + "\n")
    check(limited.returncode == 1 and "wait" in limited.stderr, "and the next attempt must wait", limited.stderr)
    check(gateway.unlock_until("--key-file", key).returncode == 3, "the half again")
    check(gateway.unlock_until("--slot", "auditor", text=AUDIT + "\n").returncode == 0, "and the right other half opens")
    gateway.postern("lock")
    check(gateway.unlock_until(text=AUDIT + "\n").returncode == 3, "two passphrases, the auditor first, without saying which slot")
    check(gateway.unlock_until(text=OPS + "\n").returncode == 0, "and operations second: open")
    gateway.postern("lock")
    check(gateway.keyring.read_bytes() == before, "no unlock, failed or not, has written to the keyring")
    check(gateway.postern("keys", "slots").returncode == 0, "slots can be listed while locked")
    check(gateway.postern("keys", "rotate", "content").returncode == 1, "and nothing changed")

    # A wait that doubles, and ends.
    gateway.stop()
    gateway.start()
    pauses = []
    for _ in range(3):
        gateway.unlock_until("--key-file", key)
        gateway.unlock_until(text="not the passphrase\n")
        began = time.monotonic()
        gateway.unlock_until("--key-file", key)
        pauses.append(time.monotonic() - began)
    check(pauses[2] > 0.7 and pauses[2] > pauses[0] * 1.5, "each failure makes the next attempt wait longer", pauses)
    gateway.unlock_until("--slot", "auditor", text=AUDIT + "\n")
    events = gateway.json("audit", "verify")["events"]
    check(events.get("key-access-changed") == 5, "each change of slots and ways stands in the audit log", events)
    check(events.get("unlock-failed", 0) >= 1, "and failed attempts do", events)
    gateway.stop()
    words = gateway.words()
    check(OPS not in words and AUDIT not in words and "not the passphrase" not in words, "no passphrase stands in the log")


def audited(check, build, gateway, profile):
    """The log of a gateway of this profile, to everybody who verifies logs."""
    seen = gateway.json("audit", "verify")
    check(seen["good"] and seen["events"].get("custodian-share") == 2, f"{profile}: the audit log verifies and says whose shares served", seen)
    folder, vkey = gateway.folder / "state" / "audit", gateway.folder / "vkey"
    kept, proof = shutil.copy(folder / "checkpoint", gateway.folder / "kept"), gateway.folder / "leaf.tlog-proof"
    shutil.copy(folder / "vkey", vkey)
    keys = verify_log.keys_from([str(vkey)])
    check({key.kind for key in keys} == {verify_log.ECDSA if profile == "fips" else verify_log.ED25519}, "both its keys are of the profile's type", vkey.read_text())
    gateway.postern("lock")
    gateway.unlock_until("--custodian", gateway.folder / "ann.key", text="the passphrase of ann\n")
    gateway.unlock_until("--custodian", gateway.folder / "cem.key", text="the passphrase of cem\n")
    check(gateway.json("audit", "verify")["leaves"] > seen["leaves"], "it goes on")
    told = verify_log.judge(verify_log.Log(str(folder), keys, (), [kept]))
    check(told == "ok", "the second verifier holds it", told)
    for words in (["verify", folder, "--vkey", vkey, "--from", kept], ["consistency", folder, kept, "--vkey", vkey], ["prove", folder, "--leaf", 1, "-o", proof],
                  ["check-proof", proof, "--vkey", vkey]):
        done = subprocess.run([build / "admin" / "audit" / "postern-audit", *map(str, words)], capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, f"postern-audit {words[0]} does", done.stdout + done.stderr)
    told = verify_log.judge_proof(str(proof), verify_log.Log(str(folder), keys))
    check(told == "ok", "and the second verifier the proof", told)


def quorum(check, build, folder, profile):
    gateway = Gateway(build, folder)
    gateway.start()
    custodians = {}
    for name in ("ann", "ben", "cem"):
        made = gateway.postern("keys", "custodian", "new", f"{folder}/{name}.key", "--profile", profile, text=f"the passphrase of {name}\n")
        custodians[name] = made.stdout.strip()
        check(made.returncode == 0 and made.stdout.startswith(f"postern-custodian-{profile}:"), f"{profile}: {name} makes a key and gets its public side", made.stderr)
    check(gateway.postern("keys", "custodian", "new", f"{folder}/ann.key", text="another passphrase\n").returncode == 1, "a custodian's file is never written over")
    check(gateway.postern("keys", "custodian", "show", f"{folder}/ann.key").stdout.strip() == custodians["ann"], "the public key can be shown again")
    given = [word for name, public in custodians.items() for word in ("--custodian", f"{name}={public}")]
    key = key_file(folder)
    check(gateway.postern("init", "--profile", profile, "--quorum", "2", *given).returncode == 0, "init with a quorum of 2 of 3 alone")
    check(gateway.postern("keys", "slot", "add", "quorum", "impossible", "--of", "4", *given).returncode == 1, "4 of 3 is refused")
    other = "modern" if profile == "fips" else "fips"
    gateway.postern("keys", "custodian", "new", f"{folder}/other.key", "--profile", other, text="the passphrase of other\n")
    wrong_kind = gateway.postern("keys", "slot", "add", "quorum", "mixed", "--of", "2", *given[:2], "--custodian",
                                 "other=" + gateway.postern("keys", "custodian", "show", f"{folder}/other.key").stdout.strip())
    check(wrong_kind.returncode == 1 and "--profile " + profile in wrong_kind.stderr, "a custodian's key of another profile is refused, with what to do", wrong_kind.stderr)
    gateway.postern("lock")
    before = gateway.keyring.read_bytes()

    def give(name, text=None, **more):
        return gateway.unlock_until("--custodian", f"{folder}/{name}.key", text=(text or f"the passphrase of {name}") + "\n", **more)
    first = give("cem")
    check(first.returncode == 3 and "1 of the other custodians" in first.stdout, "one custodian of two: told how many are missing", first.stdout + first.stderr)
    again = give("cem")
    check(again.returncode == 1 and "is here already" in again.stderr, "the same custodian again is no second one", again.stderr)
    bad = give("ann", "not her passphrase")
    check(bad.returncode == 1 and "wrong passphrase" in bad.stderr, "a custodian's wrong passphrase is refused before anything is sent", bad.stderr)
    stranger = give("other")
    check(stranger.returncode == 1 and "in no quorum" in stranger.stderr, "a stranger is told that he is none", stranger.stderr)
    damaged = bytearray(pathlib.Path(f"{folder}/ben.key").read_bytes())
    damaged[-3] ^= 1
    pathlib.Path(f"{folder}/bad.key").write_bytes(damaged)
    check(give("bad", "the passphrase of ben").returncode == 1, "a damaged custodian's file is refused")
    check(give("ann").returncode == 0, "the second custodian opens")
    check(gateway.json("status")["state"] == "open", "the gateway is open")
    check(gateway.keyring.read_bytes() == before, "the keyring was not written")
    audited(check, build, gateway, profile)
    check(gateway.postern("keys", "slot", "add", "key-file", "box", key).returncode == 0, "a key file is added")
    check(keys_of(gateway, key)[0].number == (keyring_file.FIPS if profile == "fips" else keyring_file.MODERN), "the second implementation opens the keyring with it")
    check(gateway.postern("keys", "rotate", "all").returncode == 0, "all keys are rotated")
    gateway.postern("lock")
    check(give("ben").returncode == 3 and give("ann").returncode == 0, "after that other two custodians open")
    gateway.stop()
    # A gathering does not outlive posternd.
    gateway.start()
    check(give("ann").returncode == 3 and gateway.stop() == 0, "one share, then a restart")
    gateway.start()
    check(give("ben").returncode == 3, "the share from before is not there any more")
    status = gateway.json("status")
    check(give("cem").returncode == 0, "two after it open")
    shown = gateway.json("keys", "status")
    check(shown["profile"] == profile and (profile == "modern" or "OpenSSL" in shown["provider"]), "keys status says the profile and whose code it is", shown)
    if profile == "fips" and "FIPS provider" not in shown["provider"].split("(")[0]:
        check("not a validated module" in shown["provider"] and "not a validated module" in gateway.words(), "and that it is no validated module", shown)
    gateway.stop()
    words = gateway.words()
    check("the passphrase of" not in words and status["state"] == "locked", "no passphrase stands in the log")


def token(check, build, folder):
    module = next((path for path in MODULES if os.path.exists(path)), None)
    if module is None:
        check(True, "token: SoftHSM is not installed, so nothing is proved about tokens here")
        return
    os.mkdir(f"{folder}/tokens")
    pathlib.Path(f"{folder}/softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    env = {"SOFTHSM2_CONF": f"{folder}/softhsm2.conf"}
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "bank", "--so-pin", "87654321", "--pin", "135790"],
                   env={**os.environ, **env}, capture_output=True, check=True)
    gateway = Gateway(build, folder)
    gateway.start()
    key = key_file(folder)
    gateway.postern("init", "--key-file", key)
    where = ("--module", module, "--token", "bank", "--key", "postern")
    made = gateway.postern("keys", "token", "make-key", *where, text="135790\n", env=env)
    check(made.returncode == 0, "a key is made on the token", made.stderr)
    added = gateway.postern("keys", "slot", "add", "token", "hsm", *where, text="135790\n", env=env)
    check(added.returncode == 0, "and a slot with it", added.stderr)
    pin = pathlib.Path(f"{folder}/pin")
    pin.write_text("135790\n")
    pin.chmod(0o400)
    gateway.postern("lock")
    before = gateway.keyring.read_bytes()
    wrong = gateway.postern("unlock", "--token", "--module", module, text="000000\n", env=env)
    check(wrong.returncode == 1 and "PIN is wrong" in wrong.stderr and "000000" not in wrong.stderr, "a wrong PIN is told", wrong.stderr)
    nothing = gateway.postern("unlock", "--token", text="135790\n", env=env)
    check(nothing.returncode == 1 and "--module" in nothing.stderr, "without the module it says what to give", nothing.stderr)
    opened = gateway.postern("unlock", "--token", "--module", module, "--pin-file", pin, env=env)
    check(opened.returncode == 0, "the token opens, with its PIN from a file", opened.stderr)
    check(gateway.keyring.read_bytes() == before, "the keyring was not written")
    with open(f"/proc/{gateway.process.pid}/maps", encoding="utf-8") as maps:
        check("softhsm" not in maps.read(), "posternd itself never loads the vendor's module")
    gateway.stop()


def forgetting(check, build, folder):
    gateway = Gateway(build, folder)
    gateway.start()
    key = key_file(folder)
    check(gateway.postern("init", "--key-file", key).returncode == 0, "a gateway for a look into its memory")
    if os.geteuid() != 0:
        check(True, "memory: only root can look into it, so nothing is proved about it here")
        gateway.stop()
        return
    check(gateway.status_line("VmLck") is not None and int(gateway.status_line("VmLck").split()[0]) >= 512, "its slab is locked", gateway.status_line("VmLck"))
    with open(f"/proc/{gateway.process.pid}/limits", encoding="utf-8") as limits:
        core = next(line for line in limits if line.startswith("Max core file size")).split()
        check(core[4:6] == ["0", "0"], "it leaves no core dumps", core)
    check(os.stat(f"/proc/{gateway.process.pid}/mem").st_uid == 0, "and is not dumpable")
    gateway.postern("keys", "rotate", "content")
    suite, master, log_key, keys, _ = keys_of(gateway, key)
    needles = {"master": master, "log": log_key, "key file": key.read_bytes()}
    needles |= {f"{name} {version}": value for name, all_versions in keys.items() for version, value in all_versions}
    store = keyring_file.store_key(suite, keys["store"][0][1])
    needles |= {"SQLCipher's key": store[:32], "SQLCipher's key as text": store.hex().encode()}
    seen = gateway.memory(needles)
    check(all(seen[name] > 0 for name in ("master", "log", "content 1", "content 2", "audit_body 1")), "while it is open its keys are found in its memory", seen)
    check(seen["key file"] == 0, "the key file that opened it is found nowhere", seen)
    took = gateway.lock_at_once()
    after = gateway.memory(needles)
    check(took < 0.1, f"lock answers within 100 ms ({took * 1000:.0f} ms)", took)
    check(not any(after.values()), "and not one of its keys is left in its memory", {name: count for name, count in after.items() if count})
    check(gateway.postern("unlock", "--key-file", key).returncode == 0, "it opens again")
    seen = gateway.memory(needles)
    check(seen["key file"] == 0 and seen["content 2"] > 0, "again without a trace of the key file", seen)
    gateway.stop()
    poor = subprocess.run(gateway.command(), preexec_fn=without_locked_memory, capture_output=True, text=True, timeout=60)
    check(poor.returncode == 1 and "LimitMEMLOCK" in poor.stderr, "without memory to lock it refuses to start and says what to do", poor.stderr)


def killed_at_each_step(check, build, folder, thorough=False):
    """strace kills posternd at the n-th call of a kind, until a run survives: afterwards old or new works. Thorough: every kind of
    call that changes a file, and every ninth write into the store; else the two that make a change true."""
    if shutil.which("strace") is None or os.geteuid() != 0:
        check(True, "kill: needs root and strace, so nothing is proved here")
        return
    gateway = Gateway(build, folder)
    gateway.start()
    key = key_file(folder)
    gateway.postern("init", "--key-file", key)
    killed, trouble = 0, []

    def attempt(call, n, begin, work):
        """True when posternd was killed; `begin` prepares, then strace is attached, then `work` runs."""
        nonlocal killed
        gateway.start()
        begin()
        before = versions(gateway, "content") if gateway.json("status")["state"] == "open" else None
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}",
                                   "-p", str(gateway.process.pid)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while gateway.status_line("TracerPid") == "0" and time.monotonic() < deadline:
            time.sleep(0.005)
        work()
        dead = gateway.process.poll() is not None
        killed += dead
        if dead:
            gateway.ended()
        tracer.terminate()
        tracer.wait()
        if not dead:
            gateway.stop()
        gateway.start()
        opened = gateway.postern("unlock", "--key-file", key)
        state = gateway.json("keys", "status") if opened.returncode == 0 else None
        good = opened.returncode == 0 and gateway.postern("audit", "verify").returncode == 0
        if before is not None and good:
            now = [k["version"] for k in state["keys"] if k["name"] == "content"]
            good = now in (before, before + [before[-1] + 1])
        if not good:
            trouble.append((call, n, opened.stderr))
        gateway.stop()
        return dead

    gateway.stop()
    for call in ("fsync", "renameat2", "unlink", "fdatasync") if thorough else ("fsync", "renameat2"):
        for n in range(1, 40):
            if not attempt(call, n, lambda: gateway.postern("unlock", "--key-file", key), lambda: gateway.postern("keys", "rotate", "content")):
                break
    check(killed >= (6 if thorough else 3) and not trouble, f"rotate: killed at each of {killed} steps, old or new works", trouble)
    killed = 0

    def wait_for_new_store():
        gateway.postern("unlock", "--key-file", key)
        gateway.postern("keys", "rotate", "store")
        gateway.postern("lock")
    for call in ("fsync", "rename", "renameat2", "unlink", "fdatasync", "ftruncate") if thorough else ("rename", "renameat2"):
        for n in range(1, 60):
            if not attempt(call, n, wait_for_new_store, lambda: gateway.postern("unlock", "--key-file", key)):
                break
    for n in range(1, 2000, 9) if thorough else ():
        if not attempt("pwrite64", n, wait_for_new_store, lambda: gateway.postern("unlock", "--key-file", key)):
            break
    check(killed >= (60 if thorough else 2) and not trouble, f"rotate store: killed at each of {killed} steps of the next unlock, old or new works", trouble)
    gateway.start()
    gateway.postern("unlock", "--key-file", key)
    left = versions(gateway, "store")
    check(len(left) == 1, "in the end the store has one key", left)
    check(sorted(p.name for p in (gateway.folder / "state").iterdir() if p.name.endswith((".new", ".rekey"))) == [], "and nothing lies about")
    gateway.stop()


def rotation(check, build, folder):
    gateway = Gateway(build, folder)
    gateway.start()
    key = key_file(folder)
    gateway.postern("init", "--key-file", key)
    shown = gateway.json("keys", "status")
    names = [k["name"] for k in shown["keys"]]
    check(names == ["master", "log"] + keyring_file.PURPOSES, "keys status lists every key", names)
    content = next(k for k in shown["keys"] if k["name"] == "content")
    check(content["age_days"] == 0 and content["due"] > content["created"] and not content["overdue"], "with age and due date", content)
    check(next(k for k in shown["keys"] if k["name"] == "log")["due"] == "-", "the log's identity has none")
    generation = shown["generation"]
    first = keys_of(gateway, key)
    check(gateway.postern("keys", "rotate", "content").returncode == 0, "one key is rotated")
    second = keys_of(gateway, key)
    check([v for v, _ in second[3]["content"]] == [1, 2] and second[3]["audit_body"] == first[3]["audit_body"], "it has a second version, others have not")
    check(gateway.postern("keys", "rotate", "master").returncode == 0 and keys_of(gateway, key)[1] != second[1], "the master key is rotated under the same slots")
    check(gateway.json("keys", "status")["generation"] == generation + 2, "each save grows the generation")
    check(gateway.postern("keys", "rotate", "nonsense").returncode == 1, "a key that is none is refused")
    for name in ("pseudonym", "state_sum"):
        refused = gateway.postern("keys", "rotate", name)
        check(refused.returncode == 1 and "as long as the store" in refused.stderr, f"{name} says why it stays", refused.stderr)
    told = gateway.postern("keys", "rotate", "store")
    check(told.returncode == 0 and "next unlock" in told.stdout, "the store's key says when it takes effect and what that costs", told.stdout)
    check(gateway.postern("keys", "rotate", "store").returncode == 1, "a second one in waiting is refused")
    old = keyring_file.store_key(first[0], keys_of(gateway, key)[3]["store"][0][1])
    gateway.postern("lock")
    check(gateway.postern("unlock", "--key-file", key).returncode == 0, "the next unlock writes the store anew")
    now = keys_of(gateway, key)
    check([v for v, _ in now[3]["store"]] == [2] and keyring_file.store_key(now[0], now[3]["store"][0][1]) != old, "and the older key is destroyed", now[3]["store"])
    check("keys.store-rewritten" in gateway.words(), "the log says so")
    events = gateway.json("audit", "verify")["events"]
    check(events.get("key-rotated") == 3 and events.get("key-destroyed") == 1, "and the audit log", events)
    # A keyring that cannot be written: nothing changes, and the audit log says that too.
    before = gateway.keyring.read_bytes()
    os.mkdir(str(gateway.keyring) + ".new")
    check(gateway.postern("keys", "rotate", "content").returncode == 1 and gateway.keyring.read_bytes() == before, "a keyring that cannot be saved stays as it is")
    os.rmdir(str(gateway.keyring) + ".new")
    check(gateway.json("audit", "verify")["events"].get("key-change-failed") == 1, "the audit log says that the change was not made")
    check(versions(gateway, "content") == [1, 2], "and the version is not in use")
    gateway.stop()


def command_line(check, build):
    run = lambda *words: subprocess.run([f"{build}/admin/postern", *words], capture_output=True, text=True, timeout=60)  # noqa: E731
    for words in (["slots"], ["status"], ["rotate"], ["slot", "add", "passphrase"], ["slot", "add", "key-file"], ["slot", "add", "token"], ["slot", "add", "quorum"],
                  ["slot", "remove"], ["way", "add"], ["way", "remove"], ["custodian", "new"], ["custodian", "show"], ["token", "make-key"]):
        shown = run("keys", *words, "--help")
        check(shown.returncode == 0 and "Example:" in shown.stdout, f"keys {' '.join(words)} --help shows an example")
    check(run("keys").returncode == 2 and run("keys", "slot", "add", "passphrase").returncode == 2, "a wrong command line ends with exit code 2")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", help="one part")
    options = parser.parse_args()
    build, check = pathlib.Path(options.build).resolve(), Checks()
    parts = {"command_line": lambda f: command_line(check, build), "ways": lambda f: ways(check, build, f), "quorum": lambda f: quorum(check, build, f, "modern"),
             "quorum_fips": lambda f: quorum(check, build, f, "fips"), "token": lambda f: token(check, build, f), "rotation": lambda f: rotation(check, build, f),
             "forgetting": lambda f: forgetting(check, build, f), "killed": lambda f: killed_at_each_step(check, build, f)}
    for name, part in parts.items():
        if options.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory(prefix="pstn-", dir="/tmp") as folder:
            began = time.monotonic()
            try:
                part(folder)
            finally:
                log = pathlib.Path(folder) / "posternd.log"
                words = log.read_text() if log.exists() else ""
                check("ERROR: AddressSanitizer" not in words and "runtime error" not in words, f"{name}: no sanitizer spoke", words[-3000:])
            print(f"        {name}: {time.monotonic() - began:.1f} s", flush=True)
    return check.finish()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
