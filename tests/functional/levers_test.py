#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What administrators and clients can do about customers and messages that must not go out, on the sandbox bank: recipients,
consents, a stop word by SMS, halt and resume.

    python3 tests/functional/levers_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from bank import Bank, Checks, wait_for  # noqa: E402

POLICY = """[consent]
required = ["marketing"]
stop_words = ["STOP", "СТОП"]
stops = ["marketing", "service"]
"""
SMS = """name = "one-sms"
deadline = "1h"
[[steps]]
channel = "sms"
"""


def message(category, reference, phone=None, **more):
    recipient = {"reference": reference, "locale": "en"}
    if phone:
        recipient["phone"] = phone
    return {"category": category, "text": "Words", "scenario": "one-sms", "recipient": recipient, **more}


def recipients(bank, check):
    core = bank.client("core-banking")
    path = "/v1/recipients/customer%201"
    status, _, body = core.ask("GET", path)
    check(status == 404, "nothing is kept of a new customer", (status, body))
    status, _, body = core.ask("PUT", path, json.dumps({"phone": "067 110 00 31", "locale": "uk-UA", "time_zone": "Europe/Kyiv"}))
    check(status == 200 and body["phone"] == "+380671100031" and body["reference"] == "customer 1", "a number is kept as the world writes it", (status, body))
    sent = core.submit(message("service", "customer 1"))
    check(core.ended(sent)["state"] == "reached" and len(bank.phones("380671100031")) == 1, "a message that names the customer alone reaches the number")
    status, _, body = core.ask("PUT", path, json.dumps({"phone": "12", "town": "Lviv"}))
    check(status == 422 and {each["pointer"] for each in body["errors"]} == {"/phone", "/town"}, "faults are told with their places", (status, body))
    status, _, body = bank.client("marketing").ask("GET", path)
    check(status == 403, "another department may not look", (status, body))
    shown = json.loads(bank.postern("recipient", "show", "customer 1", "--json").stdout)
    check("phone +38067***031" in shown["kept"], "administrators see enough of the number", shown)
    odd = "/v1/recipients/branch%2F7%5Cold%25"
    status, _, body = core.ask("PUT", odd, json.dumps({"phone": "067 110 00 33"}))
    check(status == 200 and body["reference"] == "branch/7\\old%", "a name may hold / \\ and %, written as %2F, %5C and %25", (status, body))
    sent = core.submit(message("service", "branch/7\\old%"))
    check(core.ended(sent)["state"] == "reached" and len(bank.phones("380671100033")) == 1, "and is the name that messages use")
    status, _, body = core.ask("GET", "/v1/recipients/%FF")
    check(status == 400 and "UTF-8" in body["detail"], "what is no name is refused with what is wrong", (status, body))
    status, _, _ = core.ask("DELETE", path)
    status_after, _, body = core.ask("POST", "/v1/messages", json.dumps(message("service", "customer 1")))
    check(status == 200 and status_after == 422, "what is forgotten is used no more", (status, status_after, body))


def consents(bank, check):
    core, marketing = bank.client("core-banking"), bank.client("marketing")
    offer = message("marketing", "customer-2", phone="+380671100032")
    refused = marketing.ended(marketing.submit(offer))
    check(refused["state"] == "suppressed" and refused["reason"] == "no-consent", "no consent, no offer", refused)
    path = "/v1/recipients/customer-2/consents"
    status, _, body = core.ask("POST", path, json.dumps({"purpose": "marketing", "given": True, "source": "branch-17"}))
    check(status == 422 and body["errors"][0]["pointer"] == "/wording", "a consent without its words is refused", (status, body))
    status, _, body = core.ask("POST", path, json.dumps({"purpose": "otp", "given": False, "source": "app", "wording": "no codes"}))
    check(status == 422 and body["errors"][0]["code"] == "purpose-always-allowed", "nobody can opt out of codes", (status, body))
    status, _, body = core.ask("POST", path, json.dumps({"purpose": "marketing", "given": True, "source": "branch-17", "wording": "Yes, send me offers"}))
    check(status == 200, "with them it is taken", (status, body))
    cited = body["consents"][0]["hash"]
    sent = marketing.submit(offer)
    check(marketing.ended(sent)["state"] == "reached", "then the offer goes")
    handed = [each for each in bank.trace(sent)["events"] if each["event"] == "handed"]
    check(f"consent={cited}" in handed[0]["detail"], "and its leaf cites the consent", handed)

    # Number ..16 answers; what it says stands in answers.json.
    bank.add_file("answers.json", json.dumps({"380671100016": "Stop."}))
    chatty = message("service", "customer-16", phone="+380671100016")
    first = core.submit(chatty)
    check(core.ended(first)["state"] == "reached", "a customer gets a message and answers Stop")
    wait_for("the opt-out", lambda: core.ended(core.submit(chatty))["reason"] == "opted-out")
    after = core.ended(core.submit(chatty))
    check(after["state"] == "suppressed" and after["reason"] == "opted-out", "after which nothing of the kind goes out", after)
    code = core.ended(core.submit(message("otp", "customer-16", phone="+380671100016")))
    check(code["state"] == "reached", "a code does", code)

    done = bank.postern("recipient", "consent", "customer-2", "--withdrawn", "--purpose", "marketing", "--source", "hotline", "--wording", "no more, please")
    check(done.returncode == 0, "an administrator records what a customer said on the telephone", done.stderr)
    ended = marketing.ended(marketing.submit(offer))
    check(ended["reason"] == "opted-out", "and it counts at once", ended)
    shown = json.loads(bank.postern("recipient", "show", "customer-2", "--json").stdout)["consents"]
    check([(each["given"], each["source"]) for each in shown] == [(True, "branch-17"), (False, "hotline")], "the history is all there", shown)
    done = bank.postern("recipient", "consent", "customer-2", "--purpose", "marketing", "--source", "hotline", "--wording", "?")
    check(done.returncode == 2, "neither yes nor no is a wrong command", done.stderr)
    done = bank.postern("recipient", "erase", "customer-2")
    check(done.returncode == 0 and bank.postern("recipient", "show", "customer-2").returncode == 3, "erasing the customer takes it", done.stderr)


def halts(bank, check):
    core = bank.client("core-banking")
    template = {"category": "transaction", "template": "payment", "scenario": "one-sms",
                "variables": {"amount": "1 UAH", "payee": "Baker", "balance": "2 UAH", "date": "2026-11-22"}}
    one = core.submit(dict(template, recipient={"phone": "+380671100041", "locale": "en"}))
    check(core.ended(one)["state"] == "reached", "one went out before")
    begun = time.monotonic()
    done = bank.postern("halt", "template", "payment", "--reason", "wrong amount")
    took = time.monotonic() - begun
    check(done.returncode == 0 and took < 1.0, f"halting takes {took:.2f} s of a second", (done.stdout, done.stderr))
    held = core.submit(dict(template, recipient={"phone": "+380671100042", "locale": "en"}))
    other = core.submit(message("transaction", "customer-5", phone="+380671100043"))
    check(core.ended(other)["state"] == "reached", "another message goes on")
    check(core.message(held)["state"] == "accepted" and not bank.phones("380671100042"), "one of that template does not", core.message(held))
    report = json.loads(bank.postern("halt", "report", "template", "payment", "--json").stdout)
    check([each["id"] for each in report["messages"]] == [one] and report["got_it"] == 1 and report["waiting"] == 1, "the report names who got it", report)
    csv = bank.path("got-it.csv")
    bank.postern("halt", "report", "template", "payment", "--out", csv)
    with open(csv, encoding="utf-8") as lines:
        check(one in lines.read(), "also in a file")
    check(bank.postern("halt", "template", "payment", "--reason", "again").returncode == 1, "it cannot be halted twice")
    wrong = bank.postern("halt", "template", "paymant", "--reason", "typing")
    check(wrong.returncode == 1 and "there is no template 'paymant'" in wrong.stderr, "a name that is none is told", wrong.stderr)
    bank.down()
    bank.up()
    check("payment" in bank.postern("halt", "list").stdout, "a halt outlives a restart")
    check(not bank.phones("380671100042"), "and still holds")
    done = bank.postern("resume", "template", "payment")
    check(done.returncode == 0 and core.ended(held)["state"] == "reached", "resumed, what waited goes out", done.stderr)
    check(len(bank.phones("380671100042")) == 1, "once")
    verdict = json.loads(bank.postern("audit", "verify", "--json").stdout)
    events = verdict["events"]
    check(verdict["good"] and events["halted"] == 1 and events["resumed"] == 1 and events["consent-changed"] >= 4, "all of it stands in the audit log", events)


def twice(bank, check):
    """A push that is acknowledged late, when the SMS after it has arrived: the customer has it twice, and the bank knows what that cost."""
    core = bank.client("core-banking")
    check(bank.postern("report", "double-contacts").returncode == 0, "nobody was reached twice so far")
    sent = core.submit({"category": "transaction", "text": "Words", "subject": "Words", "scenario": "careful",
                        "recipient": {"phone": "+380671100050", "push": [{"token": "late-50", "platform": "fcm"}], "locale": "en"}})
    core.ended(sent)
    told = lambda: json.loads(bank.postern("report", "double-contacts", "--json").stdout)  # noqa: E731
    wait_for("the late receipt", lambda: told()["double_contacts"], timeout=30)
    report = told()
    row = report["double_contacts"][0]
    check(row["id"] == sent and row["category"] == "transaction" and row["channel"] == "push" and row["cause"] == "late-receipt", "the report names the message, and whose receipt came late", row)
    # The number belongs to the second network.
    check(row["cost"] == "0.038" and report["categories"] == [{"category": "transaction", "count": 1, "cost": "0.038"}], "and what the SMS after it cost, by the price of its route", report)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    arguments = parser.parse_args()
    check = Checks()
    with Bank(arguments.build, arguments.keep) as bank:
        bank.add_file("etc/scenarios/one-sms.toml", SMS)
        bank.add_file("etc/policy.toml", POLICY)
        with open(bank.path("etc/posternd.toml"), encoding="utf-8") as file:
            config = file.read()
        bank.add_file("etc/posternd.toml", config.replace("[connectors.", 'policy = "policy.toml"\n[connectors.', 1))
        bank.reload()
        recipients(bank, check)
        consents(bank, check)
        halts(bank, check)
        twice(bank, check)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
