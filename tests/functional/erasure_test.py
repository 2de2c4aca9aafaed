#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A customer is erased while others stay, and the log still verifies; a one-time code can be disputed though nobody can read it.

    python3 tests/functional/erasure_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from bank import Bank, Checks  # noqa: E402


def payment(reference, phone):
    return {"category": "transaction", "template": "payment", "scenario": "sms", "recipient": {"reference": reference, "phone": phone, "locale": "en"},
            "variables": {"amount": "77.10 UAH", "payee": "Pharmacy", "balance": "9 001.25 UAH", "date": "2026-11-22"}}


def details(bank, identifier):
    return [word for event in bank.trace(identifier)["events"] if event["event"] != "admin-read" for word in event["detail"]]


def erasure(bank, check):
    core = bank.client("core-banking")
    anna, boris = core.submit(payment("C-1", "+380671100001")), core.submit(payment("C-2", "+380671100002"))
    core.ended(anna), core.ended(boris)
    check(details(bank, anna) and details(bank, boris), "traces tell how both were reached")
    certificate = bank.path("certificate.txt")
    done = bank.postern("recipient", "erase", "C-1", "--out", certificate, "--json")
    check(done.returncode == 0 and json.loads(done.stdout)["erased"], "a customer is erased by the bank's reference", done.stdout + done.stderr)
    with open(certificate, encoding="utf-8") as text:
        told = text.read()
    check(re.search(r"^key destroyed by leaf \d+\nwrapping key destroyed by leaf \d+\n\n\u2014 sandbox", told, re.M), "the certificate is a signed note", told)
    check(not details(bank, anna), "of the customer the log tells nothing any more", details(bank, anna))
    check(details(bank, boris), "of the other it does")
    events = json.loads(bank.postern("audit", "verify", "--json").stdout)
    check(events["good"] and events["events"].get("person-erased") == 1 and events["events"].get("wrapping-key-destroyed") == 1,
          "the log verifies, and says what was done", events)
    again = core.submit(payment("C-1", "+380671100001"))
    check(core.ended(again)["state"] == "reached", "the customer can be written to again")
    bank.down()
    bank.up()
    check(not details(bank, anna) and details(bank, boris), "so it is after a restart")
    done = bank.postern("recipient", "erase")
    check(done.returncode == 1 and "reference or by address" in done.stderr, "nobody is erased without a name", done.stderr)


def check_text(bank, identifier, text):
    return subprocess.run([bank.program("admin/postern"), "--socket", bank.path("run/control.sock"), "audit", "check-text", identifier], input=text,
                          capture_output=True, text=True, timeout=60)


def disputes(bank, check):
    cards = bank.client("card-processing")
    code = cards.submit({"category": "otp", "template": "otp", "scenario": "sms", "recipient": {"phone": "+380671100008", "locale": "en"},
                         "variables": {"code": "730285", "minutes": "5"}})
    cards.ended(code)
    said = bank.phones("380671100008")[-1]["text"]
    done = check_text(bank, code, said + "\n")
    check(done.returncode == 0, "the text that was sent is told from others", done.stdout + done.stderr)
    done = check_text(bank, code, said.replace("730285", "730286"))
    check(done.returncode == 3, "one digit less is another text", done.stdout + done.stderr)
    core = bank.client("core-banking")
    other = core.submit(payment("C-3", "+380671100003"))
    core.ended(other)
    done = check_text(bank, other, "Hello")
    check(done.returncode == 1 and "only one-time codes" in done.stderr, "other messages committed to nothing", done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    check = Checks()
    with Bank(parser.parse_args().build) as bank:
        erasure(bank, check)
        disputes(bank, check)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
