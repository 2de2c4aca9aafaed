#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole gateway, from a bank system's request to the customer's handset and back, on the sandbox bank.

    python3 tests/functional/end_to_end_test.py --build BUILD_DIR
"""

import argparse
import http.client
import json
import os
import shutil
import ssl
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from bank import Bank, Checks, wait_for  # noqa: E402

# Steps quick enough for a test; a late acknowledgement comes after four seconds.
STEPS = """name = "test-steps"
deadline = "1h"
[[steps]]
channel = "push"
wait = "2s"
[[steps]]
channel = "sms"
wait = "4s"
[[steps]]
channel = "email"
until = "sent"
"""
ANSWER = """name = "test-answer"
deadline = "1h"
[[steps]]
channel = "sms"
until = "replied"
"""
CODE = "730285916441"
SECRET_PAYEE = "Zhovtneva Pharmacy 8841"


def payment(reference, phone=None, push=None, email=None, locale="en", **more):
    recipient = {"locale": locale}
    if phone:
        recipient["phone"] = phone
    if push:
        recipient["push"] = [{"token": push, "platform": "fcm"}]
    if email:
        recipient["email"] = email
    return {"category": "transaction", "template": "payment", "reference": reference, "recipient": recipient,
            "variables": {"amount": "77.10 UAH", "payee": SECRET_PAYEE, "balance": "9 001.25 UAH", "date": "2026-11-22"},
            **more}


def fallback(bank, check):
    core = bank.client("core-banking")

    sent = core.submit(payment("e2e-push", phone="+380671100001", push="anna-phone"))
    end = core.ended(sent)
    check(end["state"] == "reached" and end["reason"] == "delivered", "a push that the app acknowledges is reached", end)
    check(bank.steps(sent) == ["accepted", "handed:push", "sent:push", "delivered:push"], "its trace names each step",
          bank.steps(sent))
    check([seen["subject"] for seen in bank.phones("anna-phone")] == ["Payment 77.10 UAH"], "the phone shows it once",
          bank.phones("anna-phone"))
    states = [event["state"] for event in core.events() if event["id"] == sent]
    check(states[-1:] == ["reached"], "the client is told its end by an event", states)

    sent = core.submit(payment("e2e-dead", phone="+380671100002", push="dead-boris"))
    core.ended(sent)
    check(bank.steps(sent) == ["accepted", "handed:push", "refused:push", "handed:whatsapp", "sent:whatsapp",
                               "delivered:whatsapp"], "a dead push token falls to WhatsApp", bank.steps(sent))
    check([seen["channel"] for seen in bank.phones("380671100002")] == ["whatsapp"], "and nowhere else",
          bank.phones("380671100002"))

    sent = core.submit(payment("e2e-no-wa", phone="+380501100010", push="dead-boris"))
    core.ended(sent)
    check(bank.steps(sent)[-5:] == ["handed:whatsapp", "refused:whatsapp", "handed:network-a", "sent:network-a",
                                    "delivered:network-a"], "no WhatsApp on the number: SMS", bank.steps(sent))
    seen = bank.phones("380501100010")
    check(len(seen) == 1 and seen[0]["channel"] == "sms" and SECRET_PAYEE in seen[0]["text"], "the SMS says it", seen)

    sent = core.submit(payment("e2e-nobody", phone="+380671100014", push="broken-token"))
    end = core.ended(sent)
    check(end["state"] == "failed", "no way left: failed", end)
    check(bank.phones("380671100014") == [], "and nothing arrived")

    sent = core.submit(payment("e2e-throttled", phone="+380671100013", scenario="sms"))
    check(core.ended(sent)["state"] == "reached", "refused as too fast twice, then reached")
    check(len(bank.phones("380671100013")) == 1, "and sent once")

    sent = core.submit(payment("e2e-off", phone="+380671100017", scenario="sms"))
    end = core.ended(sent)
    check(end["state"] == "failed", "the handset is off: the receipt says undelivered", end)


def networks(bank, check):
    core = bank.client("core-banking")
    ported = core.submit(payment("e2e-ported", phone="+380501000004", scenario="sms"))
    native = core.submit(payment("e2e-native", phone="+380501100004", scenario="sms"))
    core.ended(ported), core.ended(native)
    check("handed:network-b" in bank.steps(ported), "a number ported to 25503 leaves by its new network's centre",
          bank.steps(ported))
    check("network 25503" in bank.phones("380501000004")[0]["note"], "and arrives from there", bank.phones("380501000004"))
    check("handed:network-a" in bank.steps(native), "its neighbour that stayed leaves by 25501", bank.steps(native))

    text = ("22.11.2026: з вашого рахунку сплачено 77,10 UAH, отримувач Книгарня Є. Залишок на рахунку 9 001,25 UAH. Якщо ви "
            "не робили цього платежу, негайно зателефонуйте до банку за номером на звороті картки.")
    sent = core.submit(payment("e2e-long", phone="+380671100005", locale="uk-UA", scenario="sms",
                               variables={"amount": "77,10 UAH", "payee": "Книгарня Є", "balance": "9 001,25 UAH",
                                          "date": "22.11.2026"}))
    end = core.ended(sent)
    seen = bank.phones("380671100005")
    check(end["state"] == "reached" and end["attempts"][0]["parts"] == 3, "a long Cyrillic SMS goes in three parts", end)
    check([each["text"] for each in seen] == [text] and seen[0]["parts"] == 3, "the handset joins them to the same text", seen)


def mail_and_rows(bank, check):
    core = bank.client("core-banking")
    sent = core.submit({"category": "service", "template": "statement", "reference": "e2e-mail",
                        "recipient": {"email": "olha@customer.example", "locale": "uk-UA"},
                        "variables": {"name": "Ольга", "month": "жовтень", "link": "https://bank.example/s/1"}})
    end = core.ended(sent)
    seen = bank.phones("olha@customer.example")
    check(end["state"] == "reached" and len(seen) == 1, "an e-mail is taken by the relay", (end, seen))
    check(seen and seen[0]["subject"] == "Ваша виписка за жовтень" and "https://bank.example/s/1" in seen[0]["text"],
          "with its subject and text in Ukrainian", seen)
    sent = core.submit({"category": "service", "template": "statement", "reference": "e2e-dead-mail",
                        "recipient": {"email": "dead@customer.example"},
                        "variables": {"name": "X", "month": "Y", "link": "https://bank.example/s/2"}})
    check(core.ended(sent)["state"] == "failed", "a mailbox that does not exist fails")

    bank.sql("INSERT INTO outbox.messages (message_key, category, template, scenario, locale, phone, variables) VALUES "
             "('e2e-row', 'transaction', 'payment', 'sms', 'en', '067 110 00 06', '{\"amount\": \"5.00 UAH\", \"payee\": \"Row\", "
             "\"balance\": \"1.00 UAH\", \"date\": \"2026-11-22\"}'), "
             "('e2e-bad-row', 'transaction', 'payment', 'sms', 'en', '12', '{}')")
    wait_for("the row's outcome", lambda: bank.sql("SELECT status FROM outbox.messages WHERE message_key = 'e2e-row'") == "4")
    row = bank.sql("SELECT outcome, outcome_reason, message_id FROM outbox.messages WHERE message_key = 'e2e-row'").split("|")
    check(row[:2] == ["reached", "delivered"], "a row of the database is sent and its end written back", row)
    check(bank.trace(row[2])["reference"] == "e2e-row", "the row names its message")
    check("balance" not in str(bank.phones("380671100006")) and len(bank.phones("380671100006")) == 1, "it arrived once")
    bad = bank.sql("SELECT status, error FROM outbox.messages WHERE message_key = 'e2e-bad-row'")
    check(bad.startswith("3|phone-"), "a bad row is rejected with the reason in its own column", bad)


def priorities(bank, check):
    marketing, cards = bank.client("marketing"), bank.client("card-processing")
    lines = "".join(json.dumps({
        "category": "marketing", "template": "offer", "reference": f"e2e-offer-{n}",
        "recipient": {"phone": f"+38067120{n:02d}20", "locale": "en"},
        "variables": {"rate": "15.5", "link": "https://bank.example/d"}}) + "\n" for n in range(100))
    before = len(bank.phones())
    status, _, answer = marketing.ask("POST", "/v1/messages:batch", lines, Content_Type="application/x-ndjson")
    accepted = [json.loads(line) for line in answer.splitlines()] if isinstance(answer, str) else answer
    check(status == 200 and len(accepted) == 100, "a batch of 100 offers is taken", (status, str(answer)[:300]))
    code = cards.submit({"category": "otp", "template": "otp", "scenario": "sms", "reference": "e2e-otp", "deadline": "5m",
                         "recipient": {"phone": "+380671100008", "locale": "en"}, "variables": {"code": CODE, "minutes": "5"}})
    check(cards.ended(code)["state"] == "reached", "the one-time code is reached")
    wait_for("all offers", lambda: sum("percent" in each["text"] for each in bank.phones()[before:]) == 100)
    order = [each["handset"] for each in bank.phones()[before:]]
    place = order.index("380671100008")
    check(place < 60, f"the code came in before {100 - place} of the 100 offers that were accepted earlier", order)


def receipts_and_deadlines(bank, check):
    core = bank.client("core-banking")
    # Number ...12 never brings a receipt, so only the push decides; the second message shows what the first
    # would have done without its late acknowledgement, and when.
    late = core.submit(payment("e2e-late", phone="+380671100012", push="late-app", email="late@customer.example",
                               scenario="test-steps"))
    control = core.submit(payment("e2e-late-control", phone="+380671200012", push="silent-app",
                                  email="control@customer.example", scenario="test-steps"))
    # Its deadline falls into the wait after the push; the control's SMS goes out at the same moment.
    dead = core.submit(payment("e2e-deadline", phone="+380671100009", push="silent-app", scenario="test-steps", deadline="1s"))
    end = core.ended(dead)
    check(end["state"] == "expired", "a deadline ends the message", end)
    end = core.ended(late)
    check(end["state"] == "reached" and len(end["attempts"]) == 2, "a push acknowledged late, after the SMS step began, ends it", end)
    core.ended(control)
    check(len(bank.phones("control@customer.example")) == 1, "without an acknowledgement all three steps are taken")
    check(bank.phones("late@customer.example") == [], "after the late one the e-mail is never sent")
    check(bank.phones("380671100009") == [], "and nothing is sent after the deadline", bank.phones("380671100009"))

    status, _, body = core.ask("POST", "/v1/messages", json.dumps(payment("e2e-past", phone="+380671100019",
                                                                          deadline="2020-01-01T00:00:00Z")))
    check(status == 422 and body["errors"][0]["pointer"] == "/deadline", "a deadline in the past is refused with its place", body)


def repeats_and_cancels(bank, check):
    core = bank.client("core-banking")
    message = payment("e2e-idempotent", phone="+380671100018", scenario="sms")
    first = core.submit(message, key="e2e-key-1")
    status, headers, body = core.ask("POST", "/v1/messages", json.dumps(message), Idempotency_Key="e2e-key-1")
    check(status == 202 and body["id"] == first and headers["Idempotent-Replayed"] == "true", "the same key gives the same id", body)
    core.ended(first)
    status, _, body = core.ask("POST", "/v1/messages", json.dumps(payment("e2e-other", phone="+380671100018")),
                               Idempotency_Key="e2e-key-1")
    check(status == 422 and "idempotency-key-reused" in body["type"], "the same key with another body is refused", body)
    check(len(bank.phones("380671100018")) == 1, "and one SMS was sent", bank.phones("380671100018"))

    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    planned = core.submit(payment("e2e-planned", phone="+380671100021", scenario="sms", send_at=later))
    check(core.message(planned)["state"] == "accepted", "a message for later waits", core.message(planned))
    status, _, body = core.ask("GET", "/v1/messages?state=scheduled")
    check(status == 200 and [each["id"] for each in body["messages"]] == [planned], "it is listed among those that wait", body)
    even_later = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 7200))
    status, _, body = core.ask("PATCH", f"/v1/messages/{planned}", json.dumps({"send_at": even_later}))
    check(status == 200 and body["send_at"] == even_later, "it can be moved", (status, body))
    status, _, body = core.ask("PATCH", f"/v1/messages/{first}", json.dumps({"send_at": even_later}))
    check(status == 409, "one that was sent cannot be moved", (status, body))
    status, _, body = core.ask("PATCH", f"/v1/messages/{planned}", json.dumps({"send_at": "tomorrow"}))
    check(status == 422 and "/send_at" in json.dumps(body), "nor to a time that is none", (status, body))
    status, _, body = core.ask("DELETE", f"/v1/messages/{planned}")
    check(status in (200, 204) and core.message(planned)["state"] == "cancelled", "it can be cancelled", (status, body))
    status, _, body = core.ask("DELETE", f"/v1/messages/{first}")
    check(status == 409, "one that was sent cannot", (status, body))
    check(bank.phones("380671100021") == [], "the cancelled one was never sent")
    status, _, body = bank.client("card-processing").ask("GET", f"/v1/messages/{first}")
    check(status == 404, "another client does not see it", (status, body))


def journeys(bank, check):
    core = bank.client("core-banking")
    papers = dict(payment("e2e-papers", phone="+380671100024", scenario="papers"), category="service")
    papers["recipient"]["reference"] = "customer-24"
    waiting = core.submit(papers)
    status, _, body = core.ask("POST", "/v1/signals", json.dumps({"event": "upload", "recipient": "customer-25"}))
    check(status == 200 and body == {"ended": 0, "begun": 0}, "another customer's upload ends nothing", (status, body))
    status, _, body = core.ask("POST", "/v1/signals", json.dumps({"event": "upload", "recipient": "customer-24"}))
    check(status == 200 and body == {"ended": 1, "begun": 0}, "the customer's own ends the reminder", (status, body))
    ended = core.message(waiting)
    check(ended["state"] == "cancelled" and ended["reason"] == "event-upload", "before anything was sent", ended)
    offer = dict(payment("e2e-offer", phone="+380671100026", scenario="offer"), category="service")
    offer["recipient"]["reference"] = "customer-26"
    waiting = core.submit(offer)
    scheduled = core.message(waiting)
    check(scheduled["attempts"] == [] and "send_at" in scheduled, "an offer waits for the customer's next payment, three days at most", scheduled)
    status, _, body = core.ask("POST", "/v1/signals", json.dumps({"event": "card-payment", "recipient": "customer-26"}))
    check(status == 200 and body == {"ended": 0, "begun": 1}, "just after the payment it is sent", (status, body))
    reached = wait_for("the offer to be reached", lambda: (m := core.message(waiting))["state"] == "reached" and m)
    check(len(bank.phones("380671100026")) + len(reached["attempts"]) > 0, "and arrives", reached)
    status, _, body = core.ask("POST", "/v1/signals", json.dumps({"event": "upload"}))
    check(status == 422, "a signal to nobody is refused", (status, body))


def answers(bank, check):
    cards = bank.client("card-processing")
    alert = {"category": "security", "template": "card-alert", "recipient": {"phone": "+380671100016", "locale": "en"},
             "variables": {"card": "4512", "amount": "12 400.00 UAH", "merchant": "Electronics Online"}}
    for way, more in (("WhatsApp", {"reference": "e2e-alert"}), ("SMS", {"reference": "e2e-alert-sms", "scenario": "test-answer"})):
        sent = cards.submit(dict(alert, **more))
        end = cards.ended(sent)
        check(end["state"] == "reached" and end["reason"] == "replied", f"the customer's YES by {way} ends the alert", end)
        texts = [event.get("text") for event in cards.events() if event["id"] == sent and event.get("text")]
        check(texts == ["YES"], f"and the client gets its words ({way})", texts)


def restarts(bank, check):
    core = bank.client("core-banking")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    planned = core.submit(payment("e2e-over-restart", phone="+380671100022", scenario="sms", send_at=soon))
    bank.down()
    bank.up()
    check(core.ended(planned)["state"] == "reached" and len(bank.phones("380671100022")) == 1,
          "a message planned before a restart is sent after it, once")


def edges(bank, check):
    def handshake(certificate):
        context = ssl.create_default_context(cafile=bank.path("pki/ca.pem"))
        if certificate:
            context.load_cert_chain(bank.path(f"pki/{certificate}.pem"), bank.path(f"pki/{certificate}.key"))
        connection = http.client.HTTPSConnection("127.0.0.1", bank.port("https"), context=context, timeout=10)
        try:
            connection.request("GET", "/v1/health")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    check(handshake("monitoring") == 200, "a client's certificate opens the API")
    check(handshake("stolen") is None, "a revoked one does not")
    check(handshake(None) is None, "nor does none")
    status, _, text = bank.client("monitoring").ask("GET", "/v1/metrics")
    check(status == 200 and 'postern_messages_accepted_total{category="marketing"} ' in text, "monitoring reads the metrics", status)
    status, _, _ = bank.client("core-banking").ask("GET", "/v1/metrics")
    metrics = bank.metrics()
    check(metrics['postern_connector_up{connector="sql"}'] == 1, "which tell that the connectors are up")
    status, _, body = bank.client("marketing").ask("POST", "/v1/messages", json.dumps(payment("e2e-foreign", phone="+380671100023")))
    check(status == 403, "a client may send its own categories only", (status, body))


def counts(bank, check, before_restart):
    check(before_restart['postern_messages_accepted_total{category="marketing"}'] == 100, "the metrics count 100 offers")
    check(before_restart['postern_messages_ended_total{category="otp",state="reached"}'] == 1, "and one code that was reached")
    check(before_restart["postern_double_contacts_total"] == 0, "and no customer contacted twice", before_restart["postern_double_contacts_total"])


def audit(bank, check):
    done = bank.postern("audit", "verify", "--json")
    verdict = json.loads(done.stdout)
    check(done.returncode == 0 and verdict["good"], "the audit log verifies", done.stdout + done.stderr)
    # 121 messages by the API and one row: every acceptance has its leaf.
    accepted = sum(bank.metrics()[f'postern_messages_accepted_total{{category="{each}"}}']
                   for each in ("otp", "security", "transaction", "service", "marketing"))
    check(verdict["events"]["accepted"] >= accepted, "every acceptance has its leaf", (verdict["events"], accepted))
    check(verdict["events"].get("tls-refused", 0) >= 1, "and so have the refused certificates", verdict["events"])


def altered_audit(bank, check):
    """A copy of the log with one bit turned must not verify."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "audit")
        shutil.copytree(bank.path("state/audit"), copy)
        with open(os.path.join(copy, "vkey"), encoding="utf-8") as vkey:
            key = vkey.read().strip()
        whole = bank.postern("audit", "verify", copy, "--vkey", key)
        check(whole.returncode == 0, "a copy of the log verifies without the gateway", whole.stdout + whole.stderr)
        largest = max((os.path.join(place, name) for place, _, names in os.walk(copy) for name in names), key=os.path.getsize)
        with open(largest, "r+b") as tile:
            tile.seek(os.path.getsize(largest) // 2)
            byte = tile.read(1)[0]
            tile.seek(-1, os.SEEK_CUR)
            tile.write(bytes([byte ^ 1]))
        bad = bank.postern("audit", "verify", copy, "--vkey", key)
        check(bad.returncode == 3, f"with one bit of {os.path.basename(largest)} turned it does not", bad.stdout + bad.stderr)


def no_plaintext(bank, check):
    words = {"a number": "380671100002", "a text": SECRET_PAYEE, "a Cyrillic text": "Книгарня Є", "a one-time code": CODE,
             "an answer's question": "Electronics Online", "an e-mail address": "olha@customer.example", "a push token": "anna-phone"}
    for name in ("unlock.key", "smsc-a.password", "smtp.password", "postgres.password", "whatsapp.token", "whatsapp.app-secret"):
        with open(bank.path("secrets/" + name), encoding="utf-8") as secret:
            words["the secret " + name] = secret.read().strip()
    forms = {what: {word.encode(), word.encode("utf-16-be"), word.encode("utf-16-le")} for what, word in words.items()}
    searched = hits = 0
    for path in bank.files("state", "log"):
        with open(path, "rb") as content:
            data = content.read()
        searched += 1
        for what, encodings in forms.items():
            if any(each in data for each in encodings):
                hits += 1
                check(False, f"{what} stands in {os.path.relpath(path, bank.folder)}")
    check(searched > 15 and hits == 0, f"{searched} files of state and log hold no text, number, code, token or password")
    # The search itself must be able to find: the handsets' file holds them all.
    with open(bank.path("phones.jsonl"), "rb") as content:
        data = content.read()
    check(all(word.encode() in data for what, word in words.items() if not what.startswith("the secret")), "which the search does find in the handsets' file")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    arguments = parser.parse_args()
    check = Checks()
    with Bank(arguments.build, arguments.keep) as bank:
        bank.add_file("etc/scenarios/test-steps.toml", STEPS)
        bank.add_file("etc/scenarios/test-answer.toml", ANSWER)
        bank.reload()
        fallback(bank, check)
        networks(bank, check)
        mail_and_rows(bank, check)
        priorities(bank, check)
        receipts_and_deadlines(bank, check)
        repeats_and_cancels(bank, check)
        journeys(bank, check)
        answers(bank, check)
        counts(bank, check, bank.metrics())
        edges(bank, check)
        restarts(bank, check)
        audit(bank, check)
        bank.down()
        altered_audit(bank, check)
        no_plaintext(bank, check)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
