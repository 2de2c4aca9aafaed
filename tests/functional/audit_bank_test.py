#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A whole bank's audit log under an auditor's eyes: both verifiers on a gateway at work and at rest, the proof of a
message, a kept checkpoint, a witness on another port, and what an administrator could try with the files.

    audit_bank_test.py --build BUILD_DIR
"""
import argparse
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import audit_tamper as tamper  # noqa: E402
import verify_log  # noqa: E402
import witness_test  # noqa: E402
from bank import Bank  # noqa: E402

check = witness_test.check


def both(program, folder, vkey, what, good=True):
    first = program.audit("verify", folder, "--vkey", vkey, "--json")
    second = verify_log.judge(verify_log.Log(folder, verify_log.keys_from([vkey])))
    check(first.returncode == (0 if good else 3) and (second == "ok") == good, what, (first.stdout, first.stderr, second))
    return json.loads(first.stdout) if first.stdout else {}


def message(bank, number):
    return bank.client("core-banking").submit({
        "category": "transaction", "template": "payment", "scenario": "sms", "reference": f"audit-{number}", "recipient": {"locale": "en", "phone": "+380671100001"},
        "variables": {"amount": "10.00 UAH", "payee": "Somebody", "balance": "5.00 UAH", "date": "2026-11-22"}})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    program = tamper.Program(build)
    with Bank(build) as bank, tamper.memory_folder() as base:
        bank.wait_until_up()
        audit = json.loads(bank.postern("audit", "verify", "--json").stdout)
        check(audit["good"], "postern audit verify holds on the running gateway", audit)
        folder = next(os.path.dirname(path) for path in bank.files("") if path.endswith("/audit/vkey"))
        vkey = shutil.copy(f"{folder}/vkey", f"{base}/vkey")
        check(len(open(vkey, encoding="utf-8").read().splitlines()) == 2, "its vkey file has the identity's and the first epoch's key")
        shutil.copy(f"{folder}/checkpoint", f"{base}/kept")

        identifiers = [message(bank, number) for number in range(20)]
        for identifier in identifiers:
            bank.client("core-banking").ended(identifier)
        bank.postern("audit", "verify")
        told = both(program, folder, vkey, "both verifiers hold the log of a gateway at work")
        check(told.get("anchored") and told["events"].get("accepted", 0) >= 20, "with the key of its first day, and every message in it", told)
        done = program.audit("consistency", folder, f"{base}/kept", "--vkey", vkey)
        check(done.returncode == 0, "it grew by appending since the checkpoint that was kept", done.stdout + done.stderr)

        done = program.audit("prove", folder, "--message", identifiers[3], "-o", f"{base}/message.tlog-proof")
        check(done.returncode == 0, "a message's proof is made from the folder", done.stderr)
        done = program.audit("check-proof", f"{base}/message.tlog-proof", "--vkey", vkey, "--json")
        proof = json.loads(done.stdout)
        events = [leaf["event"] for leaf in proof["leaves"]]
        check(done.returncode == 0 and proof["unbroken"] and events[0] == "accepted" and {leaf["message"] for leaf in proof["leaves"]} == {identifiers[3]},
              "and checks alone, from its first record on", proof)
        traced = [each["event"] for each in bank.trace(identifiers[3])["events"] if each["event"] != "admin-read"]
        check(events == traced[:len(events)], "it tells what postern trace tells", (events, traced))

        witness_test.certificates(base)
        witness_test.keys(program, base)
        witness = witness_test.Witness(program, base, [open(vkey, encoding="utf-8").readline().strip()])
        check(witness.start(), "a witness knows the log")
        for _ in range(2):
            message(bank, "more")
            bank.postern("audit", "verify")
            done = witness.cosign(folder)
            check(done.returncode == 0, "and cosigns it as it grows", done.stdout + done.stderr)
        done = program.audit("verify", folder, "--vkey", vkey, "--witness", f"{base}/witness.vkey")
        check(done.returncode == 0, "verify asks for the witness's word", done.stdout + done.stderr)
        bank.down()
        both(program, folder, vkey, "both hold it at rest")
        shutil.copytree(folder, f"{base}/old")
        bank.up()
        bank.wait_until_up()
        message(bank, "restart")
        bank.postern("audit", "verify")
        both(program, folder, vkey, "and after a restart")
        check(witness.cosign(folder).returncode == 0, "the witness follows")
        bank.down()
        done = witness.cosign(f"{base}/old")
        check(done.returncode == 3, "an old copy it does not cosign", done.stderr)

        tampered = f"{base}/tampered"
        shutil.copytree(folder, tampered)
        bundle = max((name for name in tamper.files_of(tampered) if name.startswith("tile/entries/")), key=len)
        content = tamper.files_of(tampered)[bundle]
        tamper.write(tampered, bundle, content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        both(program, tampered, vkey, "a bit of the last record's body is missed by neither", good=False)
        witness.stop()
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
