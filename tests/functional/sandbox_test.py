#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sandbox program itself: up, down and crashes of everything that it runs.

    python3 tests/functional/sandbox_test.py --build BUILD_DIR
"""

import argparse
import glob
import json
import os
import signal
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from bank import Bank, Checks, wait_for  # noqa: E402


def processes_of(folder):
    """Every process that names the folder on its command line or works in it."""
    found = []
    for place in glob.glob("/proc/[0-9]*"):
        try:
            with open(place + "/cmdline", "rb") as words:
                named = folder.encode() in words.read()
            if named or os.readlink(place + "/cwd").startswith(folder):
                found.append(int(os.path.basename(place)))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def refusals(bank, check):
    program = bank.program("connectors/sandbox/postern-sandbox")

    def run(*words):
        return subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    done = run()
    check(done.returncode == 2 and "usage" in done.stderr, "without a verb it tells its usage", done)
    done = run("help")
    check(done.returncode == 0 and "WhatsApp is not on this number" in done.stdout, "help tells what customers do", done)
    done = run("up", "/tmp/" + "x" * 120)
    check(done.returncode == 1 and "shorter folder" in done.stderr, "a folder too long for sockets is refused", done)
    foreign = bank.path("requests")
    before = os.listdir(foreign)
    done = run("up", foreign)
    check(done.returncode == 1 and "neither empty nor a sandbox" in done.stderr, "a folder with other things in it is refused", done)
    check(sorted(os.listdir(foreign)) == sorted(before), "and left alone")
    done = run("down", foreign)
    check(done.returncode == 1, "down refuses what is no sandbox", done)


def secrecy(bank, check):
    open_ones = [path for path in bank.files("secrets") if stat.S_IMODE(os.stat(path).st_mode) != 0o400]
    check(not open_ones, "credentials are readable by their owner alone", open_ones)
    keys = [path for path in bank.files("pki") if path.endswith(".key") and stat.S_IMODE(os.stat(path).st_mode) != 0o400]
    check(not keys, "and so are private keys", keys)
    words = []
    for path in bank.files("secrets"):
        with open(path, encoding="utf-8") as secret:
            words.append(secret.read().strip().encode())
    shown = b""
    for pid in processes_of(bank.folder):
        for kind in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{kind}", "rb") as content:
                    shown += content.read()
            except OSError:
                continue
    check(shown and not any(word in shown for word in words), "no credential stands on a command line or in an environment")


def crashes(bank, check):
    names = [each["name"] for each in bank.status()["processes"]]
    for name in names:
        victim = bank.process(name)["pid"]
        os.kill(victim, signal.SIGKILL)
        wait_for(f"{name} to be started again", lambda name=name, victim=victim: bank.process(name)["pid"] not in (0, victim))
    bank.wait_until_up()
    check(all(bank.process(name)["deaths"] == 1 for name in names), f"each of {len(names)} processes, killed, is started again",
          bank.status())
    sent = bank.client("core-banking").submit({
        "category": "transaction", "template": "payment", "scenario": "sms", "recipient": {"phone": "+380671000005"},
        "variables": {"amount": "1.00 UAH", "payee": "P", "balance": "2.00 UAH", "date": "2026-11-22"}})
    check(bank.client("core-banking").ended(sent)["state"] == "reached", "and the bank works as before")

    os.kill(bank.status()["supervisor"], signal.SIGKILL)
    done = bank.sandbox("down")
    check("down" in done.stdout, "after a crash of the supervisor, down ends what it left", done)
    wait_for("every process to end", lambda: not processes_of(bank.folder), timeout=30)
    check(not processes_of(bank.folder), "and nothing runs any more")


def restarts(bank, check):
    before = bank.port("https")
    # Somebody else takes a port of the stopped bank.
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", before))
        taken.listen()
        bank.drop_connections()
        bank.up()
        check(bank.port("https") != before, "a port that somebody took is replaced", bank.port("https"))
        status, _, health = bank.client("core-banking").ask("GET", "/v1/health")
        check(status == 200, "and the API serves at the new one", health)
    done = bank.sandbox("up")
    check("the bank is up" in done.stdout, "up on a running bank changes nothing", done)
    check(all(each["deaths"] == 0 for each in bank.status()["processes"]), "not even a process")
    state = json.loads(bank.postern("status", "--json").stdout)
    check(state["state"] == "open" and state["number_ranges"] > 0, "the vault is open and knows its numbers", state)
    done = bank.sandbox("phones")
    check("380671000005" in done.stdout and "P." in done.stdout, "phones shows what customers read", done.stdout)


def bad_configuration(bank, check):
    bank.down()
    path = bank.path("etc/posternd.toml")
    with open(path, encoding="utf-8") as good:
        text = good.read()
    bank.add_file("etc/posternd.toml", "nonsense = 1\n" + text)
    done = bank.sandbox("up", check=False)
    check(done.returncode == 1 and "posternd did not start" in done.stderr and "nonsense" in done.stderr,
          "what does not start is named, with the end of its log", done)
    check(not processes_of(bank.folder), "and nothing is left running", processes_of(bank.folder))
    bank.add_file("etc/posternd.toml", text)
    bank.up()
    check(bank.status()["state"] == "ready", "with the fault mended it comes up")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    arguments = parser.parse_args()
    check = Checks()
    with Bank(arguments.build) as bank:
        refusals(bank, check)
        secrecy(bank, check)
        crashes(bank, check)
        restarts(bank, check)
        bad_configuration(bank, check)
        folder = bank.folder
    check(not processes_of(folder), "in the end nothing runs", processes_of(folder))
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
