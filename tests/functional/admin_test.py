#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The administrator's tool against a real posternd: keys, configuration, portability table, audit log, exit codes.

    python3 tests/functional/admin_test.py --build BUILD_DIR
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PASSPHRASE = "correct horse battery staple"


class Failure(Exception):
    pass


def check(good, what):
    print(("ok   " if good else "FAIL ") + what, flush=True)
    if not good:
        raise Failure(what)


class Gateway:
    """One posternd over a folder of its own."""

    def __init__(self, build, folder):
        self.build, self.folder = pathlib.Path(build), pathlib.Path(folder)
        self.process = None
        for name in ("state", "run", "scenarios", "templates"):
            (self.folder / name).mkdir(exist_ok=True)
        self.write_config()

    def write_config(self, extra=""):
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        categories = "".join(f'[categories.{c}]\nscenario = "sms"\n' for c in ("otp", "security", "transaction", "service", "marketing"))
        (self.folder / "posternd.toml").write_text(
            f'state = "state"\nbus = "{self.folder}/run/bus.sock"\ncontrol = "{self.folder}/run/control.sock"\n'
            f'audit_origin = "bank.example/test/audit"\n{extra}[connectors.smpp-a]\nuser = "{user}"\nchannel = "sms"\n'
            f'[clients.core]\nidentities = ["spiffe://bank/core"]\ncategories = ["otp"]\n{categories}'
            '[[routes]]\nchannel = "sms"\nconnector = "smpp-a"\n')
        (self.folder / "scenarios" / "sms.toml").write_text('name = "sms"\ndeadline = "5m"\n[[steps]]\nchannel = "sms"\n')

    def start(self):
        self.log = open(self.folder / "posternd.log", "a")
        self.process = subprocess.Popen([self.build / "gateway" / "posternd", "--config", self.folder / "posternd.toml"], stderr=self.log)
        deadline = time.monotonic() + 30
        # The socket is there when posternd can be asked.
        while self.postern("status").returncode == 1:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure("posternd did not start: " + (self.folder / "posternd.log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.process = None
        self.log.close()
        return code

    def postern(self, *words, text=None):
        return subprocess.run([self.build / "admin" / "postern", "--socket", self.folder / "run" / "control.sock", *words],
                              input=text, capture_output=True, text=True, timeout=120)

    def json(self, *words, text=None):
        answer = self.postern(*words, "--json", text=text)
        return json.loads(answer.stdout)


def keys(gateway):
    gateway.start()
    status = gateway.postern("status", "--json")
    check(status.returncode == 3 and json.loads(status.stdout)["state"] == "uninitialised", "a new gateway says that it is uninitialised, with exit code 3")
    check("not initialised" in gateway.postern("trace", "x").stderr, "an uninitialised gateway says what to run first")
    short = gateway.postern("init", "--passphrase", text="short\n")
    check(short.returncode == 1 and "12 characters" in short.stderr, "a short passphrase is refused and says how long it must be")
    check(not (gateway.folder / "state" / "keyring").exists(), "a refused init leaves no keyring")
    made = gateway.postern("init", "--passphrase", text=PASSPHRASE + "\n")
    check(made.returncode == 0, "init with a passphrase makes and opens the gateway")
    again = gateway.postern("init", "--passphrase", text=PASSPHRASE + "\n")
    check(again.returncode == 1 and "will not be replaced" in again.stderr, "a second init never replaces keys")
    check(oct((gateway.folder / "state" / "keyring").stat().st_mode & 0o777) == "0o600", "only its owner may read the keyring")
    state = gateway.json("status")
    check(state["state"] == "open", "the gateway is open")
    check(state["in_doubt"] == 0 and state["in_doubt_counted"], "and says how many attempts are in doubt")
    check(gateway.postern("lock").returncode == 0 and gateway.json("status")["state"] == "locked", "lock closes it")
    check("locked" in gateway.postern("metrics").stderr, "a locked gateway answers nothing but its state")
    wrong = gateway.postern("unlock", text="not the passphrase\n")
    check(wrong.returncode == 1 and wrong.stderr.strip() == "postern: wrong passphrase", "a wrong passphrase is refused in two words")
    limited = gateway.postern("unlock", text=PASSPHRASE + "\n")
    check(limited.returncode == 1 and "wait" in limited.stderr, "after a wrong one the next attempt must wait")
    deadline = time.monotonic() + 30
    while gateway.postern("unlock", text=PASSPHRASE + "\n").returncode != 0:
        if time.monotonic() > deadline:
            raise Failure("the right passphrase never unlocked")
        time.sleep(0.1)
    events = gateway.json("audit", "verify")["events"]
    check(events.get("unlock-failed") == 1 and events.get("locked") == 1, "failed and good unlocks stand in the audit log")
    check(gateway.stop() == 0, "SIGTERM ends posternd in order")


def recovery(gateway):
    gateway.start()
    check(gateway.json("status")["state"] == "locked", "a restarted gateway is locked until somebody unlocks it")
    check(gateway.postern("unlock", text=PASSPHRASE + "\n").returncode == 0, "and opens with the passphrase")
    check("recovered" not in gateway.json("audit", "verify")["events"], "after an orderly stop nothing was recovered")
    gateway.stop(signal.SIGKILL)
    gateway.start()
    gateway.postern("unlock", text=PASSPHRASE + "\n")
    check(gateway.json("audit", "verify")["events"].get("recovered") == 1, "after kill -9 the log says that it recovered")
    gateway.stop()


def bad_stores(gateway):
    state = gateway.folder / "state"
    kept = gateway.folder / "kept"
    shutil.copytree(state, kept)

    def refused(name, damage, words):
        shutil.rmtree(state)
        shutil.copytree(kept, state)
        damage()
        gateway.start()
        answer = gateway.postern("unlock", text=PASSPHRASE + "\n")
        check(answer.returncode == 1 and words in answer.stderr, f"{name}: refused, with the reason ({words})")
        check(gateway.json("status")["state"] == "locked", f"{name}: nothing was opened")
        gateway.stop()

    def overwrite(path, content):
        path.write_bytes(content)
        for side in ("postern.db-wal", "postern.db-redo", "postern.db-shm"):
            (state / side).unlink(missing_ok=True)

    database = (kept / "postern.db").read_bytes()
    refused("a plaintext store", lambda: overwrite(state / "postern.db", b"SQLite format 3\0" + bytes(4080)), "plaintext database")
    refused("a store of another key", lambda: overwrite(state / "postern.db", os.urandom(8192)), "another keyring")
    refused("a store cut inside its first page", lambda: overwrite(state / "postern.db", database[:2000]), "cannot be read")
    refused("a missing store", lambda: overwrite(state / "postern.db", b"") or (state / "postern.db").unlink(), "is missing beside its keyring")
    refused("a damaged keyring", lambda: (state / "keyring").write_bytes((kept / "keyring").read_bytes()[:-7]), "is damaged")
    shutil.rmtree(state)
    shutil.copytree(kept, state)
    gateway.start()
    check(gateway.postern("unlock", text=PASSPHRASE + "\n").returncode == 0, "the untouched copy opens")
    gateway.stop()


def old_copy(gateway):
    """A copy of the store from before leaves that were published is refused."""
    state = gateway.folder / "state"
    before = gateway.folder / "before"
    shutil.copytree(state, before)
    gateway.start()
    gateway.postern("unlock", text=PASSPHRASE + "\n")
    gateway.postern("audit", "verify")
    gateway.stop()
    after = gateway.folder / "after"
    shutil.copytree(state, after)
    for name in ("postern.db", "postern.db-wal", "postern.db-redo", "postern.db-shm"):
        (state / name).unlink(missing_ok=True)
        if (before / name).exists():
            shutil.copy(before / name, state / name)
    gateway.start()
    answer = gateway.postern("unlock", text=PASSPHRASE + "\n")
    check(answer.returncode == 1 and "rolled back: the store's generation is at" in answer.stderr, "a store older than its published audit log is refused")
    gateway.stop()
    shutil.rmtree(state)
    shutil.copytree(after, state)


def configuration(gateway):
    posternd = gateway.build / "gateway" / "posternd"
    path = gateway.folder / "posternd.toml"
    good = path.read_text()

    def faulty(name, text, *words):
        path.write_text(text)
        for command in ([posternd, "--config", path, "--check"], [posternd, "--config", path]):
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
            check(answer.returncode == 2 and all(w in answer.stderr for w in words), f"{name}: refused with its place ({' '.join(command[3:]) or 'start'})")

    faulty("an unknown key", good + "\nsurprise = 1\n", "posternd.toml:", "unknown key 'surprise'")
    faulty("a wrong type", good.replace('audit_origin = "bank.example/test/audit"', "audit_origin = 7"), "posternd.toml:4:1", "must be a text")
    faulty("a missing credential", 'unlock_key = "not-given"\n' + good, "posternd.toml:1:1", "LoadCredentialEncrypted")
    faulty("broken TOML", good + "[[", "posternd.toml:")
    faulty("a route to nowhere", good.replace('connector = "smpp-a"', 'connector = "smpp-z"'), "there is no connector 'smpp-z'")
    path.write_text(good)
    check(subprocess.run([posternd, "--config", path, "--check"], capture_output=True).returncode == 0, "the good file passes the check")
    check(gateway.postern("config", "check", str(path)).returncode == 0, "postern config check agrees")

    gateway.start()
    gateway.postern("unlock", text=PASSPHRASE + "\n")
    before = gateway.json("status")["config_sha256"]
    (gateway.folder / "scenarios" / "sms.toml").write_text('name = "sms"\ndeadline = "soon"\n[[steps]]\nchannel = "sms"\n')
    answer = gateway.postern("config", "reload")
    check(answer.returncode == 3 and "sms.toml:2:1" in answer.stderr, "a faulty reload is refused with its place")
    check(gateway.json("status")["config_sha256"] == before, "and the running configuration stays")
    (gateway.folder / "scenarios" / "sms.toml").write_text('name = "sms"\ndeadline = "7m"\n[[steps]]\nchannel = "sms"\n')
    check(gateway.postern("config", "reload").returncode == 0 and gateway.json("status")["config_sha256"] != before, "a good reload is taken without a restart")
    gateway.stop()


def portability(gateway):
    table = gateway.folder / "ported.csv"
    gateway.start()
    gateway.postern("unlock", text=PASSPHRASE + "\n")
    header = "kind,number,network,date\n"
    table.write_text(header + "range,38067,25503,\nported,380671234567,25501,2026-05-02\n")
    check(gateway.postern("numbers", "import", str(table)).returncode == 0, "a good table is imported")
    shown = gateway.json("numbers", "show", text="380671234567\n")
    check(shown == {"known": True, "current": "25501", "original": "25503", "ported": True}, "a ported number shows its current and its original network")
    table.write_text(header + "range,38067,25503,\nrange,abc,25503,\nported,12,25501,\nported,380671234567,2550,2026-05-02\nported,380671234568,25501,yesterday\n")
    answer = gateway.postern("numbers", "import", str(table))
    check(answer.returncode == 1 and all(f"line {n}:" in answer.stderr for n in (3, 4, 5, 6)), "every bad line is named with its number")
    check(gateway.json("numbers", "show", text="380671234567\n")["current"] == "25501", "and nothing was imported: the old table serves on")
    none = gateway.postern("numbers", "show", text="\n")
    check(none.returncode == 1 and "standard input" in none.stderr, "a number comes on standard input")
    check(gateway.postern("find", "380671234567").returncode == 2, "and an address is no argument: others could read it there")
    check(gateway.postern("find", text="380671234567\n").returncode == 3, "an address of nobody finds nothing")
    for report in ("double-contacts", "in-doubt"):
        check(gateway.postern("report", report, "--last", "12h").returncode == 0, f"a report of {report} without any is good news")
        check(gateway.postern("report", report, "--last", "tomorrow").returncode == 1, "a span that is none is told")
    check(json.loads(gateway.postern("report", "double-contacts", "--json").stdout) == {"double_contacts": [], "categories": []}, "and is JSON for scripts")
    check(gateway.postern("numbers", "check", str(table)).returncode == 3, "numbers check refuses it too")
    check(gateway.postern("numbers", "import", str(gateway.folder / "none.csv")).returncode == 1, "a missing file is an error")
    check(gateway.json("audit", "verify")["events"].get("numbers-imported") == 1, "the import stands in the audit log")
    gateway.stop()


def audit(gateway):
    gateway.start()
    gateway.postern("unlock", text=PASSPHRASE + "\n")
    folder = gateway.folder / "state" / "audit"
    check(gateway.postern("audit", "verify").returncode == 0, "the log verifies")
    gateway.stop()
    check(gateway.postern("audit", "verify", str(folder)).returncode == 0, "and also offline, from its folder alone")
    bundle = sorted(folder.glob("tile/entries/*.p/*"))[-1]
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    answer = gateway.postern("audit", "verify", str(folder), "--json")
    check(answer.returncode == 3 and json.loads(answer.stdout)["good"] is False, "one flipped bit is found, with exit code 3")
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)
    other = "bank.example/test/audit+00000000+" + "A" * 44
    check(gateway.postern("audit", "verify", str(folder), "--vkey", other).returncode == 3, "another key does not verify it")


def command_line(gateway):
    tool = gateway.build / "admin" / "postern"
    run = lambda *words: subprocess.run([tool, *words], capture_output=True, text=True, timeout=60)
    check(run().returncode == 2 and run("nonsense").returncode == 2 and run("trace").returncode == 2, "a wrong command line ends with exit code 2")
    for verb in (["init"], ["unlock"], ["status"], ["trace"], ["find"], ["report", "in-doubt"], ["connectors"], ["audit", "verify"], ["numbers", "import"], ["config", "check"], ["doctor"]):
        help_text = run(*verb, "--help")
        check(help_text.returncode == 0 and "Example:" in help_text.stdout, f"'{' '.join(verb)} --help' shows an example")
    absent = run("--socket", str(gateway.folder / "none.sock"), "status")
    check(absent.returncode == 1 and "is posternd running" in absent.stderr, "an absent posternd is told with what to look at")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = pathlib.Path(parser.parse_args().build).resolve()
    with tempfile.TemporaryDirectory(prefix="pstn-") as folder:
        gateway = Gateway(build, folder)
        try:
            for part in (command_line, keys, recovery, bad_stores, old_copy, configuration, portability, audit):
                part(gateway)
        except Failure:
            print((pathlib.Path(folder) / "posternd.log").read_text()[-3000:])
            return 1
        finally:
            gateway.stop(signal.SIGKILL)
        log = (pathlib.Path(folder) / "posternd.log").read_text()
        check(PASSPHRASE not in log and "ERROR: AddressSanitizer" not in log and "runtime error" not in log, "the log holds no passphrase, and no sanitizer spoke")
    print("all good")
    return 0


if __name__ == "__main__":
    sys.exit(main())
