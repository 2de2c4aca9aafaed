#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing secret stays behind. A bank of real programs is given secrets, one-time codes, texts, numbers, addresses and answers
that are random words. One second after the last message has ended every process is stopped, and the words are looked for in
every form they can have: in every file, log and core image and in the memory of every Postern process. None may be found where
it must not be; and they must be found where they must be, or the search is worth nothing.

    python3 tests/fault/canaries_test.py --build BUILD_DIR [--keep]

Where a word may be found, and why, is said in `allowed()`; SECURITY.md ("Limits") tells the same.
"""

import argparse
import contextlib
import glob
import hashlib
import hmac
import http.client
import json
import os
import resource
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import keyring_file  # noqa: E402
from bank import Bank, Checks, wait_for  # noqa: E402
from canaries import CYRILLIC, Canary, Search, random_word  # noqa: E402

SECONDS_AFTER_USE = 1.0
DIGITS, LOWER, HEX = "0123456789", "abcdefghijklmnopqrstuvwxyz0123456789", "0123456789abcdef"

CHANNELS = ("network-a", "network-b", "push", "whatsapp", "email")
POSTERN = ("posternd", *CHANNELS, "hook", "https", "sql")

SCENARIO = 'name = "only-{0}"\ndeadline = "1h"\n[[steps]]\nchannel = "{0}"\nuntil = "{1}"\n'
ANSWER = 'name = "answer-{0}"\ndeadline = "1h"\n[[steps]]\nchannel = "{0}"\nuntil = "replied"\n'

# What the bank writes as its own credentials, and what is the customers' or the bank's own side of the simulated world.
CREDENTIALS = ("secrets", "pki")
OUTSIDE = ("phones.jsonl", "answers.json", "postgres", "log/world.log", "log/database.log", "log/postgres.log")


class Words:
    """All canaries of a run by their names."""

    def __init__(self):
        self.all = {}

    def add(self, name, word, **more):
        assert name not in self.all, name
        self.all[name] = Canary(name, word, **more)
        return word

    def text(self, name, size=36):
        return self.add(name, random_word(size))

    def cyrillic(self, name):
        return self.add(name, random_word(24, CYRILLIC))

    def code(self, name, size=20):
        return self.add(name, random_word(size, DIGITS), whole=True)

    def number(self, name, ending="01", prefix="38067"):
        """E.164 digits; the national part alone would tell as much."""
        word = prefix + random_word(5, DIGITS) + ending
        self.add(name, word, whole=True)
        self.all[name].pieces.append(word[3:])
        return word

    def email(self, name):
        return self.add(name, random_word(24, LOWER)) + "@customer.example"

    def token(self, name, behaviour="anna"):
        return behaviour + "-" + self.add(name, random_word(48))

    def secret(self, name, size=48, home=None):
        return self.add(name, random_word(size, HEX), home=home, whole=size < 24)


def plant(bank, words):
    """The bank's credentials are made before the sandbox would make its own."""
    bank.add_file("SANDBOX", "canaries\n")
    for folder in ("secrets", "run", "log"):
        os.mkdir(bank.path(folder), 0o700)
    planted = {"unlock.key": ("key file", 48, None), "smsc-a.password": ("SMPP password a", 8, "network-a"),
               "smsc-b.password": ("SMPP password b", 8, "network-b"), "smtp.password": ("relay password", 48, "email"),
               "postgres.password": ("database password", 48, "sql"), "whatsapp.token": ("access token", 48, "whatsapp"),
               "whatsapp.app-secret": ("app secret", 48, "hook"), "whatsapp.verify-token": ("verify token", 48, "hook")}
    for file, (name, size, home) in planted.items():
        bank.add_file("secrets/" + file, words.secret(name, size, home) + "\n")
        os.chmod(bank.path("secrets/" + file), 0o400)


def settle(bank, words):
    """Every connector logs all it can log; free text goes to WhatsApp too; scenarios of one step."""
    for name in POSTERN[1:]:
        path = bank.path(f"etc/connectors/{name}.toml")
        with open(path, encoding="utf-8") as lines:
            text = lines.read().replace("\nvault = ", '\nlog = "debug"\nvault = ', 1)
        if name == "whatsapp":
            text = text.replace("\nbase_url", "\nfree_text = true\nbase_url", 1)
        bank.add_file(f"etc/connectors/{name}.toml", text)
        before = bank.process(name)["pid"]
        os.kill(before, signal.SIGTERM)
        wait_for(f"{name} to start again", lambda: bank.process(name)["pid"] not in (0, before), 30)
    for channel in ("push", "whatsapp", "sms", "email"):
        bank.add_file(f"etc/scenarios/only-{channel}.toml", SCENARIO.format(channel, "sent" if channel == "email" else "delivered"))
        if channel in ("whatsapp", "sms"):
            bank.add_file(f"etc/scenarios/answer-{channel}.toml", ANSWER.format(channel))
    bank.reload()
    bank.wait_until_up()
    with open(bank.path("secrets/fcm-service-account.json"), encoding="utf-8") as account:
        pem = json.load(account)["private_key"].splitlines()
    words.add("push private key, PEM", pem[5], home="push")


def keys(bank, words):
    """The vault's own keys, as who has keyring and key file can know them: they live in posternd's slab and nowhere else."""
    with open(bank.path("state/keyring"), "rb") as ring, open(bank.path("secrets/unlock.key"), "rb") as file:
        suite, master, log_key, purposes, _ = keyring_file.open_with_key_file(ring.read(), file.read().rstrip(b"\n"))
    found = {"master key": master, "log key": log_key} | {f"key {name} {version}": key for name, versions in purposes.items() for version, key in versions}
    for name, key in found.items():
        words.add(name, key, home="posternd")
    words.add("SQLCipher's key", keyring_file.store_key(suite, purposes["store"][0][1])[:32])


def postern(bank, *arguments, text=""):
    return subprocess.run([bank.program("admin/postern"), "--socket", bank.path("run/control.sock"), *arguments], input=text, capture_output=True, text=True, timeout=120)


def open_by_passphrase(bank, words, check):
    passphrase = words.secret("passphrase", 40)
    done = postern(bank, "keys", "slot", "add", "passphrase", "night", text=passphrase + "\n")
    check(done.returncode == 0, "a passphrase is added", done.stderr)
    check(postern(bank, "lock").returncode == 0, "the vault is locked")
    done = postern(bank, "unlock", text=passphrase + "\n")
    check(done.returncode == 0, "and opened by the passphrase", done.stderr)
    wrong = postern(bank, "keys", "slot", "add", "passphrase", "short", text=words.secret("refused passphrase", 11) + "\n")
    check(wrong.returncode != 0, "a passphrase of eleven characters is refused")
    bank.wait_until_up()


# ---- what is sent ----

def payment(words, name, recipient, **more):
    return {"category": "transaction", "template": "payment", "recipient": recipient,
            "variables": {"amount": "77.10 UAH", "payee": words.text(f"payee, {name}"), "balance": "9 001.25 UAH", "date": "2026-11-22"}, **more}


def code(words, name, recipient, channel):
    return {"category": "otp", "template": "otp", "scenario": f"only-{channel}", "recipient": recipient,
            "variables": {"code": words.code(f"code, {name}", 15), "minutes": "5"}}


def plain(words, name, recipient, channel, category="transaction"):
    return {"category": category, "text": f"Dear customer, {words.text(f'text, {name}')} is yours.", "scenario": f"only-{channel}", "recipient": recipient,
            **({"subject": f"On {words.text(f'subject, {name}')}"} if channel in ("push", "email") else {})}


def ways(words, name):
    """A recipient for each channel."""
    return {"sms": {"phone": "+" + words.number(f"number, sms {name}"), "locale": "en"},
            "whatsapp": {"phone": "+" + words.number(f"number, whatsapp {name}"), "locale": "en"},
            "push": {"push": [{"token": words.token(f"push token, {name}"), "platform": "fcm"}], "locale": "en"},
            "email": {"email": words.email(f"e-mail address, {name}"), "locale": "en"}}


def messages(words):
    """(client, message) of everything that reaches somebody, or fails, or is withdrawn."""
    core, cards = [], []
    for channel, recipient in ways(words, "template").items():
        core.append(payment(words, channel, recipient, scenario=f"only-{channel}"))
    for channel, recipient in ways(words, "plain").items():
        core.append(plain(words, channel, recipient, channel))
    for channel, recipient in ways(words, "code").items():
        if channel != "email":
            cards.append(code(words, channel, recipient, channel))
    for channel, recipient in ways(words, "plain code").items():
        cards.append(plain(words, f"code by {channel}", recipient, channel, "otp"))
    # Another alphabet: UCS-2 on the way to a handset, base64 or quoted-printable in a letter.
    core.append({"category": "transaction", "text": f"Оплата: {words.cyrillic('Cyrillic text, sms')}, дякуємо за те, що ви з нами; залишок прийде окремо.",
                 "scenario": "only-sms", "recipient": {"phone": "+" + words.number("number, Cyrillic", prefix="38050")}})
    core.append({"category": "service", "template": "statement", "recipient": {"email": words.email("e-mail address, statement"), "locale": "uk-UA"},
                 "variables": {"name": words.cyrillic("name, statement"), "month": words.cyrillic("month, statement"),
                               "link": "https://bank.example/s/" + words.text("link, statement")}})
    # A dead token, no WhatsApp on the number: three ways for one message.
    core.append(payment(words, "fallback", {"phone": "+" + words.number("number, fallback", "10"), "locale": "en",
                                            "push": [{"token": words.token("push token, dead", "dead"), "platform": "fcm"}]}))
    core.append(plain(words, "nobody", {"phone": "+" + words.number("number, nobody", "14")}, "sms"))
    core.append(plain(words, "throttled", {"phone": "+" + words.number("number, throttled", "13")}, "sms"))
    core.append(payment(words, "customer reference", {"reference": words.text("customer reference"), "phone": "+" + words.number("number, reference")}, scenario="only-sms"))
    return [("core-banking", each) for each in core] + [("card-processing", each) for each in cards]


def submit_all(bank, words):
    sent = [(client, message, bank.client(client).submit(message, key=f"canary-{i}")) for i, (client, message) in enumerate(messages(words))]
    # The same again under its key, and a batch whose frames are larger than any buffer is at first.
    client, message, identifier = sent[0]
    if bank.client(client).submit(message, key="canary-0") != identifier:
        raise AssertionError("a repeated submit made another message")
    lines = [plain(words, "batch by sms", {"phone": "+" + words.number("number, batch")}, "sms")] * 20
    long = plain(words, "batch by e-mail", {"email": words.email("e-mail address, batch")}, "email")
    lines += [dict(long, text=" ".join([long["text"]] * 400))] * 8
    status, _, answer = bank.client("core-banking").ask("POST", "/v1/messages:batch", "".join(json.dumps(line) + "\n" for line in lines), Content_Type="application/x-ndjson")
    batch = [json.loads(line).get("id") for line in answer.splitlines()]
    if status != 200 or None in batch:
        raise AssertionError(f"a batch: {status} {answer[:500]}")
    sent += [("core-banking", None, identifier) for identifier in batch]
    # One that is taken back before its time.
    later = plain(words, "cancelled", {"phone": "+" + words.number("number, cancelled")}, "sms")
    later["send_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    planned = bank.client("core-banking").submit(later)
    status, _, answer = bank.client("core-banking").ask("DELETE", f"/v1/messages/{planned}")
    if status != 200:
        raise AssertionError(f"a cancel: {status} {answer}")
    return {client: [each for owner, _, each in sent if owner == client] for client in ("core-banking", "card-processing")}


def answers(bank, words):
    """Customers answer in words of their own."""
    said = {words.number("number, answers by WhatsApp", "16"): words.text("answer by WhatsApp"), words.number("number, answers by SMS", "16"): words.text("answer by SMS")}
    bank.add_file("answers.json", json.dumps(said))
    return [bank.client("card-processing").submit(
        {"category": "security", "template": "card-alert", "scenario": f"answer-{channel}", "recipient": {"phone": "+" + number, "locale": "en"},
         "variables": {"card": "4512", "amount": "12 400.00 UAH", "merchant": words.text(f"merchant, {channel}")}})
        for channel, number in zip(("whatsapp", "sms"), said)]


def refused(bank, words, check):
    """What is wrong must not be told to a log either."""
    core = bank.client("core-banking")
    for what, message, wanted in (
            ("a number that is none", plain(words, "wrong number", {"phone": "+38067" + words.text("no number")}, "sms"), 422),
            ("a variable that fits no type", dict(code(words, "wrong", {"phone": "+" + words.number("number, wrong code")}, "sms"),
                                                  variables={"code": words.text("no code"), "minutes": "5"}), 422),
            ("an address that is none", plain(words, "wrong address", {"email": words.text("no address")}, "email"), 422),
            ("an unknown member", dict(plain(words, "unknown member", {"phone": "+" + words.number("number, unknown member")}, "sms"), **{words.text("member name"): 1}), 422),
            ("a forbidden category", dict(plain(words, "forbidden", {"phone": "+" + words.number("number, forbidden")}, "sms"), category="marketing"), 403)):
        status, _, answer = core.ask("POST", "/v1/messages", json.dumps(message))
        check(status in (wanted, 400), f"{what} is refused", status)
    status, _, _ = core.ask("POST", "/v1/messages:validate", json.dumps(plain(words, "validated", {"phone": "+" + words.number("number, validated")}, "sms")))
    check(status == 200, "a message is validated and not sent", status)
    status, _, _ = core.ask("POST", "/v1/messages", '{"text": "' + words.text("broken JSON"))
    check(status in (400, 422), "broken JSON is refused", status)
    status, _, _ = core.ask("GET", "/v1/messages/" + words.text("path"))
    check(status == 404, "an unknown path is not found", status)
    status, _, _ = core.ask("GET", "/v1/events?after=" + words.text("query"))
    check(status in (400, 422), "a query that is none is refused", status)


def webhooks(bank, words, check):
    """A stranger's words under the provider's signature, and words under a forged one."""
    with open(bank.path("secrets/whatsapp.app-secret"), "rb") as file:
        app_secret = file.read().strip()

    def post(body, key):
        context = ssl.create_default_context(cafile=bank.path("pki/ca.pem"))
        link = http.client.HTTPSConnection("127.0.0.1", bank.port("hook"), context=context, timeout=20)
        link.request("POST", "/hooks/whatsapp", body, {"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()})
        status = link.getresponse().status
        link.close()
        return status

    def body(name):
        message = {"from": words.number(f"number, {name}"), "id": f"wamid.{random_word(16)}", "timestamp": str(int(time.time())), "type": "text",
                   "text": {"body": words.text(f"text, {name}")}}
        return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": {
            "messaging_product": "whatsapp", "metadata": {"phone_number_id": "106540352242922"}, "messages": [message]}}]}]}).encode()

    check(post(body("stranger's webhook"), app_secret) == 200, "a stranger's message is taken")
    check(post(body("forged webhook"), b"guessed") in (401, 403), "a forged one is not")


def row(bank, words):
    """The bank's database says it, too: that is its own table, outside of what is searched."""
    values = [words.number("number, row"), words.text("payee, row"), words.text("payee, bad row")]
    statement = ("INSERT INTO outbox.messages (message_key, category, template, scenario, locale, phone, variables) VALUES "
                 "('row', 'transaction', 'payment', 'only-sms', 'en', '+{0}', '{{\"amount\": \"5.00 UAH\", \"payee\": \"{1}\", \"balance\": \"1.00 UAH\", \"date\": \"2026-11-22\"}}'), "
                 "('bad-row', 'transaction', 'payment', 'only-sms', 'en', '12', '{{\"payee\": \"{2}\"}}');").format(*values)
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"host=127.0.0.1 port={bank.port('postgres')} dbname=bank user=bank_app sslmode=verify-full "
                           f"sslrootcert={bank.path('pki/ca.pem')}"], env=dict(os.environ, PGPASSFILE=bank.path("secrets/pgpass")), input=statement, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"psql: {done.stderr}")
    wait_for("the rows' outcomes", lambda: bank.sql("SELECT status FROM outbox.messages ORDER BY message_key") == "3\n4", 60)


def ended(bank, submitted):
    """Every message has told its end in an event."""
    final = {"reached", "failed", "expired", "cancelled", "suppressed"}
    for client, identifiers in submitted.items():
        wait_for(f"the ends of {client}'s messages",
                 lambda client=client, wanted=set(identifiers): wanted <= {each["id"] for each in bank.client(client).events() if each["state"] in final}, 60)


def administration(bank, words, check, identifier, code_identifier):
    done = postern(bank, "audit", "check-text", code_identifier, text=words.text("checked text") + "\n")
    check(done.returncode == 3, "a text that was not sent is told from the one that was", done.stderr)
    number = words.all["number, sms template"].word
    done = postern(bank, "find", text=number + "\n")
    check(done.returncode == 0 and identifier in done.stdout, "an address is found that is given on standard input", done.stdout + done.stderr)
    done = postern(bank, "find", text=words.email("e-mail address, nobody's") + "\n")
    check(done.returncode == 3, "one of nobody is not", done.stderr)
    done = postern(bank, "recipient", "erase", "--address", "--json", text=words.all["number, sms plain"].word + "\n")
    check(done.returncode == 0 and json.loads(done.stdout)["erased"], "a customer is erased by an address given there", done.stderr)
    done = postern(bank, "numbers", "show", text=words.number("number, looked up") + "\n")
    check(done.returncode in (0, 3), "a number is looked up that is given there", done.stderr)
    done = postern(bank, "trace", identifier)
    check(done.returncode == 0, "a message is traced", done.stderr)
    check(all(postern(bank, *verb, "380671234567").returncode == 2 for verb in (("find",), ("find", "--address"), ("numbers", "show"), ("recipient", "erase", "--address"))),
          "an address in an argument is not taken")


# ---- what is searched ----

def processes(bank):
    return {each["name"]: each["pid"] for each in bank.status()["processes"] if each["name"] in POSTERN}


def in_slab(hit):
    return {"lo", "dd"} <= set(hit.flags.split(","))


# What libraries keep by themselves while a connection or the store is open: (process, word) -> (copies in each form, why). Gone
# with the connection; in no core image, since none can be made.
KEPT_BY_LIBRARIES = {
    ("sql", "database password"): ({"utf-8": 1}, "libpq: state of its SCRAM exchange"),
    ("posternd", "SQLCipher's key"): ({"bytes": 2, "hex": 2}, "SQLCipher: key of its pages and the text it came in, for reading and for writing, in memory that it locks"),
}


def allowed(hit, count, canary):
    """Where a word may be found, and why."""
    # A process's own credential or key, in the locked slab that is kept out of core dumps (crypto/secret.cpp).
    if canary.home == hit.place and in_slab(hit):
        return True
    copies, _ = KEPT_BY_LIBRARIES.get((os.path.basename(hit.place), hit.canary), ({}, ""))
    image = hit.place.startswith("/") and os.path.basename(os.path.dirname(hit.place)) == "images"
    return (image or hit.name == "[heap]") and count <= copies.get(hit.form, 0) * len(canary.pieces)


def judge(check, search, what, files=(), pids=None):
    hits, read, unread = search.run(files, pids)
    unread = [path for path in unread if not path.startswith("/") or os.path.exists(path)]   # other programs' files come and go
    bad = {hit: count for hit, count in hits.items() if not allowed(hit, count, search.canaries[hit.canary])}
    check(not unread, f"{what}: everything could be read", unread)
    check(not bad, f"{what}: {len(search.canaries)} words in {len(search.needles)} forms, {read / 1e6:.1f} MB, none found")
    for hit, count in sorted(bad.items()):
        print(f"        {count:3} x {hit.canary}, as {hit.form}: {hit.place}" + (f" {hit.name} [{hit.flags}]" if hit.name else ""), flush=True)
    return hits


def searched_files(bank):
    for path in sorted(glob.glob(bank.path("**"), recursive=True, include_hidden=True)):
        below = os.path.relpath(path, bank.folder)
        if stat.S_ISREG(os.lstat(path).st_mode) and not any(below == each or below.startswith(each + "/") for each in CREDENTIALS + OUTSIDE):
            yield path


def left_elsewhere(bank, since):
    """Files that appeared in folders for temporary files, PostgreSQL's own left out."""
    for folder in ("/dev/shm", "/tmp", "/var/tmp"):
        for path in glob.glob(folder + "/**", recursive=True, include_hidden=True):
            with contextlib.suppress(OSError):
                facts = os.lstat(path)
                if stat.S_ISREG(facts.st_mode) and facts.st_mtime >= since and not path.startswith(bank.folder) and not os.path.basename(path).startswith("PostgreSQL."):
                    yield path


def arguments_and_environments(check, search, stage):
    paths = [path for name in ("cmdline", "environ") for path in glob.glob(f"/proc/[0-9]*/{name}")]
    hits, _, _ = search.run(paths)   # who has ended meanwhile has nothing to tell
    check(not hits, f"{stage}: no argument and no environment of {len(paths) // 2} processes holds one", sorted({(hit.canary, hit.place) for hit in hits}))


# ---- the story ----

class HalfRequest:
    """A client that has said a part of a message and waits: what it said must be in the source's memory."""

    def __init__(self, bank, port, path, said, certificate=None):
        context = ssl.create_default_context(cafile=bank.path("pki/ca.pem"))
        if certificate:
            context.load_cert_chain(bank.path(f"pki/{certificate}.pem"), bank.path(f"pki/{certificate}.key"))
        self.link = http.client.HTTPSConnection("127.0.0.1", bank.port(port), context=context, timeout=20)
        self.link.putrequest("POST", path)
        for name, value in (("Content-Type", "application/json"), ("X-Hub-Signature-256", "sha256=" + 64 * "0"), ("Content-Length", str(len(said) + 1))):
            self.link.putheader(name, value)
        self.link.endheaders(said.encode())

    def finish(self):
        self.link.send(b"x")
        status = self.link.getresponse().status
        self.link.close()
        return status


def held(bank, words, check):
    """The world stands still: what waits in a connector must be found there, or the search is blind. Then it goes on."""
    world = bank.process("world")["pid"]
    core = bank.client("core-banking")
    os.kill(world, signal.SIGSTOP)
    try:
        sent = [core.submit(plain(words, f"held {channel}", recipient, channel)) for channel, recipient in ways(words, "held").items()]
        halves = [HalfRequest(bank, "https", "/v1/messages", '{"text": "' + words.text("half a message"), "core-banking"),
                  HalfRequest(bank, "hook", "/hooks/whatsapp", '{"object": "' + words.text("half a webhook"))]

        def in_hand():
            told = json.loads(bank.postern("connectors", "--json").stdout)["connectors"]
            return {each["name"] for each in told if each["outstanding"] > 0} >= {"push", "whatsapp", "email"} and any(
                each["outstanding"] > 0 for each in told if each["name"] in ("network-a", "network-b"))
        wait_for("each channel to hold a message", in_hand, 20)
        search, pids = Search(bank.program("tests/fault/canary_search"), words.all.values()), processes(bank)
        wanted = {"text, held sms": {"network-a", "network-b"}, "text, held push": {"push"}, "text, held whatsapp": {"whatsapp"}, "text, held email": {"email"},
                  "number, sms held": {"network-a", "network-b"}, "push token, held": {"push"}, "number, whatsapp held": {"whatsapp"}, "e-mail address, held": {"email"},
                  "half a message": {"https"}, "half a webhook": {"hook"}}
        seen = wait_for("what is held to be seen", lambda: (hits := {(hit.canary, hit.place) for hit in search.run((), pids)[0]}) and
                        all(any((name, place) in hits for place in places) for name, places in wanted.items()) and hits, 10)
        check(bool(seen), "what waits in a channel, and half a request, is found in the memory of the process that has it")
        arguments_and_environments(check, search, "while messages wait")
    finally:
        os.kill(world, signal.SIGCONT)
    check([half.finish() for half in halves] == [400, 401], "the halves are refused")
    return sent


def planted(search, check, words, folder):
    """The search finds each form of each word in a file and in a process."""
    path = os.path.join(folder, "planted")
    with open(path, "wb") as out:
        out.write(b"\n".join(form for _, _, form in search.needles))
    hits, _, _ = search.run([path])
    wanted = {(canary.name, name) for canary, name, _ in search.needles}
    check({(hit.canary, hit.form) for hit in hits} == wanted, f"the search finds {len(search.needles)} forms in a planted file")
    script = "import sys; kept = open(sys.argv[1], 'rb').read(); print(len(kept), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script, path, words.all["passphrase"].word], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=dict(os.environ, PLANTED=words.all["key file"].word)) as process:
        process.stdout.readline()
        hits, _, _ = search.run((), {"planted": process.pid})
        check({(hit.canary, hit.form) for hit in hits} == wanted, "and in a planted process")
        hits, _, _ = search.run([f"/proc/{process.pid}/cmdline", f"/proc/{process.pid}/environ"])
        check({hit.canary for hit in hits} == {"passphrase", "key file"}, "and in its argument and environment", sorted({hit.canary for hit in hits}))
        process.stdin.close()
    os.unlink(path)


@contextlib.contextmanager
def frozen(pids):
    """The processes stand still, as they were at this moment."""
    def state(pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
            return text.read().rsplit(")", 1)[1].split()[0]
    for pid in pids.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("the processes to stand still", lambda: all(state(pid) == "T" for pid in pids.values()), 10, 0.001)
        yield
    finally:
        for pid in pids.values():
            os.kill(pid, signal.SIGCONT)


def status_line(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        return next((line.split(":")[1].strip() for line in lines if line.startswith(name + ":")), None)


def core_images(bank, search, check, pids):
    """What gcore writes of each process is what a core dump would hold."""
    gdb = shutil.which("gdb")
    if gdb is None:
        return print("        without gdb there are no core images: the memory that was read, which is more, stands for them", flush=True)
    folder = os.path.join(bank.folder, "images")
    os.mkdir(folder, 0o700)
    makers = [(name, subprocess.Popen([gdb, "-nx", "-batch", "-iex", "set auto-solib-add off", "-iex", "set debuginfod enabled off", "-p", str(pid),
                                       "-ex", f"generate-core-file {folder}/{name}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
              for name, pid in pids.items()]
    for name, maker in makers:
        text, _ = maker.communicate(timeout=120)
        check(os.path.exists(f"{folder}/{name}"), f"a core image of {name} is made", text[-2000:]) if not os.path.exists(f"{folder}/{name}") else None
    judge(check, search, "core images of every process", [f"{folder}/{name}" for name in pids if os.path.exists(f"{folder}/{name}")])
    shutil.rmtree(folder)


def cores_in(folders, since):
    found = []
    for folder in folders:
        for path in glob.glob(os.path.join(folder, "*"), include_hidden=True):
            with contextlib.suppress(OSError):
                facts = os.lstat(path)
                if not stat.S_ISREG(facts.st_mode) or facts.st_mtime < since:
                    continue
                with open(path, "rb") as file:
                    head = file.read(18)
                if head[:4] == b"\x7fELF" and head[16:18] == b"\x04\x00":   # ET_CORE
                    found.append(path)
    return found


def crashes(bank, check, since):
    """Killed by what makes others leave a core image, they leave none."""
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as text:
        pattern = text.read().strip()
    folders = {os.path.dirname(pattern)} if pattern.startswith("/") else set()
    folder = bank.path("crash")
    os.mkdir(folder)
    if pattern.startswith("|"):
        print(f"        core images go to a program of this machine ({pattern.split()[0][1:]}): limits and dumpability alone tell here", flush=True)
    else:
        other = subprocess.Popen([sys.executable, "-c", "import os; os.abort()"], cwd=folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
        other.wait(30)
        left = cores_in({folder, *folders}, since)
        check(left, "a process that bars nothing leaves a core image", os.listdir(folder))
        for path in left:
            os.unlink(path)
    pids = processes(bank)
    for name, pid in pids.items():
        with open(f"/proc/{pid}/limits", encoding="utf-8") as limits:
            core = next(line for line in limits if line.startswith("Max core file size")).split()
        good = core[4:6] == ["0", "0"] and os.stat(f"/proc/{pid}/mem").st_uid == 0 and status_line(pid, "VmSwap") == "0 kB"
        folders.add(os.readlink(f"/proc/{pid}/cwd"))
        if not good:
            check(False, f"{name} may leave no core image and nothing in swap", (core, status_line(pid, "VmSwap")))
    for name, how in (("https", signal.SIGSEGV), ("push", signal.SIGABRT), ("network-a", signal.SIGSEGV), ("posternd", signal.SIGABRT)):
        os.kill(pids[name], how)
        wait_for(f"{name} to start again", lambda name=name: bank.process(name)["pid"] not in (0, pids[name]), 30)
    check(not cores_in({folder, *folders}, since), "no limit allows a core image, nothing is in swap, and four of them that crash leave none", sorted(folders))


def story(bank, words, check, begun):
    settle(bank, words)
    open_by_passphrase(bank, words, check)
    submitted = submit_all(bank, words)
    submitted["card-processing"] += answers(bank, words)
    refused(bank, words, check)
    webhooks(bank, words, check)
    row(bank, words)
    submitted["core-banking"] += held(bank, words, check)
    ended(bank, submitted)
    administration(bank, words, check, submitted["core-banking"][0], submitted["card-processing"][0])
    ended(bank, submitted)
    over = time.monotonic()

    keys(bank, words)
    search, pids = Search(bank.program("tests/fault/canary_search"), words.all.values()), processes(bank)
    check(len(words.all) >= 50 and len(pids) == len(POSTERN), f"{len(words.all)} words were used, by {len(pids)} processes")
    time.sleep(max(0.0, over + SECONDS_AFTER_USE - time.monotonic()))   # this second is what is claimed
    with frozen(pids):
        hits = judge(check, search, "memory of every process, one second after the last use", pids=pids)
        for canary in words.all.values():
            if canary.home and not canary.name.startswith("push private key"):
                if not any(hit.place == canary.home and in_slab(hit) for hit in hits if hit.canary == canary.name):
                    check(False, f"{canary.name} is found where it is at home, in the slab of {canary.home}")
        judge(check, search, "every file, log and leftover", [*searched_files(bank), *left_elsewhere(bank, begun)])
        core_images(bank, search, check, pids)
    planted(search, check, words, bank.folder)
    arguments_and_environments(check, search, "at the end")
    received, _, _ = search.run([bank.path("phones.jsonl")])
    check(len({hit.canary for hit in received}) > 30, "what customers received is found where they received it", len({hit.canary for hit in received}))

    check(postern(bank, "lock").returncode == 0, "the vault is locked")
    time.sleep(SECONDS_AFTER_USE)
    pids = processes(bank)
    with frozen(pids):
        judge(check, search, "memory of every process, one second after the vault was locked", pids=pids)
    crashes(bank, check, begun)
    bank.down()
    judge(check, search, "every file after the end of all", [*searched_files(bank), *left_elsewhere(bank, begun)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    options = parser.parse_args()
    check, words, begun = Checks(), Words(), time.time()
    if os.geteuid() != 0:
        print("only root can look into the memory of others: nothing is proved here")
        return 77
    bank = Bank(options.build, options.keep)
    plant(bank, words)
    with bank:
        story(bank, words, check, begun)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
