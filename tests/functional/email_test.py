# SPDX-License-Identifier: Apache-2.0
"""postern-email against a real Postfix (a private instance on a free port) and against small scripted relays for the
faults that a healthy relay never shows."""

import base64
import email
import email.policy
import json
import os
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "support", "providers"))

# Debian's packages belong to Debian's Python.
if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3"):
    os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)

import dkim  # noqa: E402
from vault_player import VaultPlayer, now_ms  # noqa: E402
from harness import (
    Checks,
    Folder,
    Program,
    arguments,
    check_settings,
    example_of,  # noqa: E402
    make_certificates,
    openssl,
    write,
)
from mail_relays import Postfix, ScriptedRelay  # noqa: E402

REPOSITORY = os.path.join(HERE, "..", "..")
PASSWORD = "correct horse 42"
TEXT = "Шановна Анно!\n.крапка на початку\n..\nСума: 1 234,56 ₴ = so-called QP\n" + "довгий рядок " * 40 + "\n"
SUBJECT = "Платіж прийнято: 1 234,56 ₴ на рахунок вашого договору обслуговування"


def make_keys(folder):
    """DKIM keys and the DNS records that a verifier would find."""
    records = {}
    for name, kind, options in (
        ("rsa", "rsa", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")),
        ("ed", "ed25519", ("-algorithm", "ED25519")),
    ):
        key = os.path.join(folder, f"dkim-{name}.pem")
        openssl("genpkey", *options, "-out", key)
        os.chmod(key, 0o600)
        public = subprocess.run(
            ["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True
        ).stdout
        if kind == "ed25519":
            public = public[-32:]
        records[f"{name}2026._domainkey.bank.test."] = f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"
    return records


def config(folder, port, **more):
    keys = {
        "name": "email-main",
        "vault": os.path.join(folder, "bus.sock"),
        "hosts": ["127.0.0.1"],
        "port": port,
        "hello": "postern.bank.test",
        "ca": "ca.pem",
        "server_name": "localhost",
        "connections": 2,
        "sender": "Банк Тест <info@bank.test>",
        "return_path": "bounces@bank.test",
        "idle": "2s",
        "probe": "1s",
    }
    tables = {"timeouts": {"greeting": "1s", "command": "1s", "data_end": "1s", "data_start": "1s"}}
    tables.update(more.pop("tables", {}))
    dkim_keys = more.pop("dkim", ())
    keys.update(more)
    lines = [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in keys.items()]
    for name, table in tables.items():
        lines += [f"[{name}]"] + [f"{k} = {json.dumps(v)}" for k, v in table.items()]
    for name in dkim_keys:
        lines += ["[[dkim]]", 'domain = "bank.test"', f'selector = "{name}2026"', f'key = "dkim-{name}.pem"']
    return write(os.path.join(folder, f"email-{len(os.listdir(folder))}.toml"), "\n".join(lines) + "\n")


def header_text(mail, name):
    return str(mail[name])


def check_mail(check, raw, deliver_id, records):
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    check.equal(header_text(mail, "Subject"), SUBJECT, "the subject comes back as it was")
    check.equal(header_text(mail, "From"), "Банк Тест <info@bank.test>", "so does the sender's name")
    check.equal(header_text(mail, "Message-ID"), f"<{deliver_id}@bank.test>", "the Message-ID is the message's id")
    check.equal(header_text(mail, "Auto-Submitted"), "auto-generated", "the mail says that a machine wrote it")
    check.equal(header_text(mail, "Return-Path"), "<bounces@bank.test>", "bounces go to the return path")
    check(abs(mail["Date"].datetime.timestamp() - time.time()) < 60, "the date is now")
    check(max(len(line) for line in raw.split(b"\n")) <= 998, "no line is too long")
    lookup = lambda name, timeout=5: records.get(name.decode() if isinstance(name, bytes) else name, "").encode()
    # Postfix puts Return-Path, Delivered-To and Received in front; a verifier reads what it signed.
    verifier = dkim.DKIM(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    count = raw.count(b"DKIM-Signature:")
    check.equal(count, 2, "two signatures: RSA and Ed25519")
    for index in range(count):
        check(
            verifier.verify(idx=index, dnsfunc=lookup), f"signature {index + 1} verifies with an independent verifier"
        )
    tampered = dkim.DKIM(raw.replace(b"info@bank.test", b"evil@bank.test").replace(b"\n", b"\r\n"))
    check(not tampered.verify(idx=0, dnsfunc=lookup), "and not when the sender was changed")
    return mail


def with_postfix(check, build, folder, records):
    postfix = Postfix(os.path.join(folder, "postfix"), folder)
    postfix.start()
    path = config(
        folder,
        postfix.port,
        dkim=("rsa", "ed"),
        notify=["success", "failure"],
        connections=3,
        messages_per_connection=40,
        tables={"unsubscribe": {"url": "https://u.bank.test/{id}"}},
    )
    try:
        with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
            program = Program(build, path)
            peer = vault.connector("email-main")
            health = peer.wait_health(True)
            check(health.window == 200, "the channel is up and tells its window")
            check("TLSv1.3" in program.wait_line("email.relay.up"), "over TLS 1.3")
            send = lambda to="anna@customers.test", **more: peer.deliver(
                **dict({"channel": "email", "address": to, "subject": SUBJECT, "text": TEXT}, **more)
            )

            one = peer.make_deliver(channel="email", address="anna@customers.test", subject=SUBJECT, text=TEXT)
            result = peer.wait_result(peer.deliver_many([one])[0])
            check.equal(result.kind, vault.wire.Result.SENT, "a mail is sent")
            check(
                len(result.provider_id) == 1 and result.provider_id[0] in postfix.log_text(), "with Postfix's queue id"
            )
            check(result.receipts, "a delivery report was asked for")
            raw = postfix.mailbox("anna", 1)[0]
            mail = check_mail(check, raw, one.id, records)
            check.equal(mail.get_content_type(), "text/plain", "text alone is a single part")
            check.equal(mail.get_content(), TEXT, "the text comes back byte for byte")

            result = peer.wait_result(send(html="<p>Сума: <b>1 ₴</b></p>", category=vault.wire.MARKETING))
            mail = email.message_from_bytes(postfix.mailbox("anna", 2)[-1], policy=email.policy.default)
            check.equal(
                [part.get_content_type() for part in mail.walk()],
                ["multipart/alternative", "text/plain", "text/html"],
                "with html there are both, html last",
            )
            check.equal(mail.get_body(("html",)).get_content(), "<p>Сума: <b>1 ₴</b></p>\n", "the html comes back")
            check(
                header_text(mail, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click",
                "marketing can be left by one click",
            )

            result = peer.wait_result(send("nobody@customers.test"))
            check.equal(
                (result.kind, result.reason, result.address_dead),
                (vault.wire.Result.REFUSED, "smtp-5.1.1", True),
                "an unknown mailbox is refused and its address dead",
            )
            result = peer.wait_result(send("someone@elsewhere.test"))
            check.equal(
                (result.kind, result.address_dead),
                (vault.wire.Result.REFUSED, False),
                f"a domain that the relay does not serve is refused ({result.reason}), its address not dead",
            )
            result = peer.wait_result(send(text="x" * 400_000))
            check.equal(
                (result.kind, result.reason), (vault.wire.Result.REFUSED, "smtp-5.3.4"), "too large a mail is not tried"
            )
            for bad, reason in (
                ({"subject": "a\r\nBcc: eve@evil.test"}, "mail-subject"),
                ({"subject": "a\nb"}, "mail-subject"),
                ({"to": "anna@customers.test>\r\nRCPT TO:<eve@evil.test"}, "mail-to"),
                ({"sender": "x <info@bank.test>\r\nX: y"}, "mail-from"),
            ):
                result = peer.wait_result(send(**bad))
                check.equal(
                    (result.kind, result.reason),
                    (vault.wire.Result.REFUSED, reason),
                    f"an injection is refused ({reason})",
                )
            result = peer.wait_result(send(expires_ms=now_ms() - 1))
            check.equal(
                (result.kind, result.reason),
                (vault.wire.Result.REFUSED, "expired"),
                "nothing is sent after its deadline",
            )
            result = peer.wait_result(send("іван@customers.test", text="x"))
            check.equal(result.kind, vault.wire.Result.SENT, "an internationalised address goes out with SMTPUTF8")
            mail = email.message_from_bytes(postfix.mailbox("ivan", 1)[0], policy=email.policy.default)
            check.equal(header_text(mail, "To"), "іван@customers.test", "and its header is UTF-8")

            started = time.monotonic()
            mixed = [
                peer.make_deliver(
                    channel="email",
                    subject="s",
                    text=f"text {i}",
                    address=("gone@customers.test" if i % 10 == 3 else "ivan@customers.test"),
                )
                for i in range(200)
            ]
            peer.deliver_many(mixed)
            results = [peer.wait_result(d.attempt, 60) for d in mixed]
            elapsed = time.monotonic() - started
            good = all((r.reason == "smtp-5.1.1") == ("gone@" in d.address) for d, r in zip(mixed, results))
            check(good, f"200 mails, every tenth to nobody: each has its own answer ({200 / elapsed:.0f} a second)")
            texts = sorted(
                email.message_from_bytes(m, policy=email.policy.default).get_content().strip()
                for m in postfix.mailbox("ivan", 181)[1:]
            )
            check.equal(
                texts,
                sorted(d.text for d in mixed if "ivan@" in d.address),
                "and exactly the good ones arrived, once each",
            )
            log = postfix.log_text()
            check(log.count("Anonymous TLS connection established") >= 5, "a connection ends after its number of mails")

            postfix.stop()
            result = peer.wait_result(send())
            check(
                result.kind == vault.wire.Result.RETRY and result.retry_after_ms > 0,
                f"without the relay: try again ({result.reason})",
            )
            check.equal(peer.wait_health(False).detail, "smtp-connect", "and the channel says that it is down")
            postfix.start()
            peer.wait_health(True)
            result = peer.wait_result(send("ivan@customers.test"))
            check.equal(result.kind, vault.wire.Result.SENT, "when the relay is back, mail goes out again")
            check.equal(program.terminate(), 0, "it ends as asked")
            check(peer.drained, "after draining")
            output = program.output()
            check(
                "1 234" not in output and "anna@" not in output and "ivan@" not in output,
                "the log holds no text and no address",
            )

            counted = postfix.log_text().count("client=")
            for what, more, reason in (
                ("a certificate for another name", {"server_name": "other.bank.test"}, "smtp-tls-host-mismatch"),
                ("a certificate of another CA", {"ca": "other-ca.pem"}, "smtp-tls-unknown-ca"),
            ):
                program = Program(build, config(folder, postfix.port, name="email-tls", **more))
                tls_peer = vault.connector("email-tls")
                tls_peer.wait(lambda: tls_peer.health and tls_peer.health[-1].detail == reason, reason)
                result = tls_peer.wait_result(
                    tls_peer.deliver(channel="email", address="ivan@customers.test", subject="s", text="t")
                )
                check.equal((result.kind, result.reason), (vault.wire.Result.REFUSED, reason), f"{what} gets no mail")
                program.terminate()
                tls_peer.wait_gone()
            check.equal(postfix.log_text().count("client="), counted, "and Postfix saw none of it")
    finally:
        postfix.stop()


def scripted(check, build, folder, what, script, wanted, *, settings=None, deliver=None, after=None):
    """One connector against one scripted relay and one mail; `wanted` is (kind name, reason)."""
    relay = ScriptedRelay(folder, script)
    path = config(folder, relay.port, **(settings or {}))
    try:
        with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
            program = Program(build, path)
            try:
                peer = vault.connector("email-main")
                peer.wait(lambda: any(h.detail != "connecting to the relay" for h in peer.health), "a first health")
                attempt = peer.deliver(
                    **dict(
                        {"channel": "email", "address": "anna@customers.test", "subject": "s", "text": "canary text"},
                        **(deliver or {}),
                    )
                )
                result = peer.wait_result(attempt)
                kind = vault.wire.Result.Kind.Name(result.kind)
                check.equal((kind, result.reason), wanted, f"{what}: {wanted[0]} {wanted[1]}")
                if after:
                    after(relay, vault, peer, result)
            finally:
                check.equal(program.terminate(), 0, f"{what}: ends as asked")
                check(
                    PASSWORD not in program.output()
                    and base64.b64encode(f"\0gw\0{PASSWORD}".encode()).decode() not in program.output()
                    and "canary text" not in program.output(),
                    f"{what}: nothing secret in the log",
                )
    finally:
        relay.close()


def faults(check, build, folder):
    login = {"user": "gw", "password": "relay.password"}

    def no_starttls(line):
        line.say("220 x\n")
        line.expect("EHLO ")
        line.say("250-x\n250-AUTH PLAIN\n250 PIPELINING\n")
        line.read()

    scripted(
        check,
        build,
        folder,
        "no STARTTLS",
        no_starttls,
        ("REFUSED", "smtp-no-starttls"),
        settings=login,
        after=lambda relay, vault, peer, _: (
            check(not relay.said("AUTH") and not relay.said("MAIL"), "no STARTTLS: nothing but EHLO was said"),
            check(not peer.health[-1].up, "no STARTTLS: the channel is down"),
        ),
    )

    def injection(line):
        line.say("220 x\n")
        line.expect("EHLO ")
        line.say("250-x\n250 STARTTLS\n")
        line.expect("STARTTLS")
        line.say("220 go\n250-x\n250 AUTH PLAIN\n")
        line.tls()
        line.read()

    scripted(
        check,
        build,
        folder,
        "bytes before TLS",
        injection,
        ("REFUSED", "smtp-starttls-injection"),
        settings=login,
        after=lambda relay, *_: check(not relay.said("AUTH"), "bytes before TLS: no credential was said"),
    )

    def garbage(line):
        line.say("220 x\n")
        line.expect("EHLO ")
        line.sock.sendall(b"\x00\x01HTTP/1.1 200\r\n")
        line.read()

    scripted(check, build, folder, "garbage", garbage, ("RETRY", "smtp-protocol-bad-line"))
    scripted(check, build, folder, "a silent relay", lambda line: line.read(), ("RETRY", "smtp-timeout"))

    def plain_login(line):
        line.hello("AUTH LOGIN PLAIN\n250 PIPELINING")
        offered = line.expect("AUTH PLAIN ")
        check(
            base64.b64decode(offered.split()[2]) == f"\0gw\0{PASSWORD}".encode(),
            "AUTH PLAIN: inside TLS, as RFC 4616 says",
        )
        line.say("235 2.7.0 ok\n")
        while True:
            line.take_mail()

    scripted(check, build, folder, "AUTH PLAIN", plain_login, ("SENT", ""), settings=login)

    def login_login(line):
        line.hello("AUTH LOGIN\n250 SIZE")
        line.expect("AUTH LOGIN")
        line.say("334 VXNlcm5hbWU6\n")
        line.expect(base64.b64encode(b"gw").decode())
        line.say("334 UGFzc3dvcmQ6\n")
        line.expect(base64.b64encode(PASSWORD.encode()).decode())
        line.say("235 ok\n")
        # No PIPELINING was offered: each command waits for its answer.
        for start, answer in (
            ("MAIL FROM:<bounces@bank.test> SIZE=", "250 ok\n"),
            ("RCPT TO:<anna@customers.test>", "250 ok\n"),
            ("DATA", "354 go\n"),
        ):
            line.expect(start)
            line.sock.settimeout(0.1)
            try:
                line.buffer += line.sock.recv(100)
            except TimeoutError:
                pass
            line.sock.settimeout(None)
            check(line.buffer == b"", f"AUTH LOGIN: nothing is said before the answer to {start.split()[0]}")
            line.say(answer)
        while line.read() != ".":
            pass
        line.say("250 2.0.0 OK id=1abc-0002-XY\n")
        line.read()

    scripted(
        check,
        build,
        folder,
        "AUTH LOGIN",
        login_login,
        ("SENT", ""),
        settings=login,
        after=lambda relay, vault, peer, result: check.equal(
            list(result.provider_id), ["1abc-0002-XY"], "AUTH LOGIN: Exim's id"
        ),
    )

    def wrong_password(line):
        line.hello("AUTH PLAIN\n250 SIZE")
        line.expect("AUTH PLAIN ")
        line.say("535 5.7.8 no\n")
        line.read()

    scripted(
        check,
        build,
        folder,
        "wrong password",
        wrong_password,
        ("REFUSED", "smtp-5.7.8"),
        settings=login,
        after=lambda relay, vault, peer, _: check(not peer.health[-1].up, "wrong password: the channel is down"),
    )

    def no_answer(line):
        line.hello()
        line.take_mail(answer="")
        line.read()

    scripted(check, build, folder, "no answer to the final dot", no_answer, ("UNKNOWN", "smtp-timeout"))

    def cut_after_dot(line):
        line.hello()
        line.take_mail(answer="")

    scripted(check, build, folder, "cut after the final dot", cut_after_dot, ("UNKNOWN", "smtp-closed"))

    def cut_at_data(line):
        line.hello()
        line.expect("MAIL")
        line.expect("RCPT")
        line.expect("DATA")
        line.say("250 ok\n250 ok\n")

    scripted(check, build, folder, "cut before 354", cut_at_data, ("RETRY", "smtp-closed"))

    def closing(line):
        line.hello()
        line.expect("MAIL")
        line.say("421 4.3.2 shutting down\n")

    scripted(check, build, folder, "421", closing, ("RETRY", "smtp-4.3.2"))

    def too_fast(line):
        line.hello()
        line.expect("MAIL")
        line.expect("RCPT")
        line.expect("DATA")
        line.say("250 ok\n450 4.7.28 rate limit exceeded\n503 5.5.1 no recipients\n")
        while True:
            line.take_mail()

    scripted(check, build, folder, "too fast", too_fast, ("THROTTLED", "smtp-4.7.28"))

    def data_after_refusal(line):
        line.hello()
        line.expect("MAIL")
        line.expect("RCPT")
        line.expect("DATA")
        line.say("250 ok\n550 5.1.1 nobody\n354 go on\n")
        line.expect(".")
        line.say("554 5.5.1 no valid recipients\n")
        line.take_mail()
        line.read()

    def after_refusal(relay, vault, peer, result):
        check(result.address_dead, "354 after a refusal: the address is dead")
        check(not relay.said("canary"), "354 after a refusal: the text was not sent")
        again = peer.wait_result(peer.deliver(channel="email", address="ivan@customers.test", subject="s", text="t"))
        check(
            again.kind == vault.wire.Result.SENT and relay.connections == 1,
            "354 after a refusal: the connection goes on",
        )
        check(relay.said("RSET"), "354 after a refusal: after RSET")

    scripted(
        check, build, folder, "354 after a refusal", data_after_refusal, ("REFUSED", "smtp-5.1.1"), after=after_refusal
    )

    def implicit(line):
        line.tls()
        line.say("220 x\n")
        line.expect("EHLO ")
        line.say("250-x\n250 PIPELINING\n")
        line.take_mail()
        line.read()

    scripted(check, build, folder, "implicit TLS", implicit, ("SENT", ""), settings={"tls": "implicit"})


def held_back(check, build, folder):
    """Cancel and drain while the relay thinks."""
    release = threading.Event()

    def slow(line):
        line.hello()
        line.expect("MAIL")
        line.expect("RCPT")
        line.expect("DATA")
        release.wait(20)
        line.say("250 ok\n250 ok\n354 go\n")
        line.read()

    relay = ScriptedRelay(folder, slow)
    path = config(folder, relay.port, connections=1, tables={"timeouts": {"command": "30s", "data_start": "30s"}})
    with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
        program = Program(build, path)
        peer = vault.connector("email-main")
        peer.wait_health(True)
        mail = {"channel": "email", "address": "anna@customers.test", "subject": "s", "text": "t"}
        under_way, waiting, stays = peer.deliver(**mail), peer.deliver(**mail), peer.deliver(**mail)
        while not relay.said("DATA"):
            time.sleep(0.01)
        peer.cancel(under_way, waiting)
        result = peer.wait_result(waiting)
        check.equal(
            (result.kind, result.reason), (vault.wire.Result.REFUSED, "cancelled"), "what waits can be cancelled"
        )
        release.set()
        result = peer.wait_result(under_way)
        check.equal(
            (result.kind, result.reason),
            (vault.wire.Result.REFUSED, "cancelled"),
            "and what the server has not yet been told",
        )
        check(not relay.said("Message-ID"), "its text was never said")
        release.clear()
        while len(relay.said("DATA")) < 2:
            time.sleep(0.01)
        late = peer.deliver(**mail)
        peer.drain()
        result = peer.wait_result(late)
        check.equal(
            (result.kind, result.reason), (vault.wire.Result.RETRY, "restart"), "draining gives back what waits"
        )
        result = peer.wait_result(stays)
        check.equal(
            (result.kind, result.reason),
            (vault.wire.Result.RETRY, "smtp-restart"),
            "and what hangs, before the deadline",
        )
        peer.wait_drained()
        check.equal(program.process.wait(15), 0, "the process ends")
        release.set()
    relay.close()


def settings_checks(check, build, folder):
    example = example_of(os.path.join(REPOSITORY, "connectors", "channels", "email", "README.md"))
    for name, source in (("relay-ca.pem", "ca.pem"), ("password", "ca.pem"), ("dkim-rsa", "dkim-rsa.pem"), ("dkim-ed25519", "dkim-ed.pem")):
        target = os.path.join(folder, name)
        if not os.path.exists(target):
            shutil.copy(os.path.join(folder, source), target)
            os.chmod(target, 0o400)
    code, output = check_settings(build, write(os.path.join(folder, "example.toml"), example))
    check(code == 0, "the README's example is good: " + output.strip())
    code, output = check_settings(build, config(folder, 25, sender="not an address", tls="none", colour="red"))
    check(
        code == 2 and all(key in output for key in ("'sender'", "'tls'", "colour")) and ".toml:" in output,
        "wrong keys are refused with their place",
    )


def main():
    build = os.path.join(arguments(), "connectors", "channels", "email", "postern-email")
    check = Checks()
    with Folder() as folder:
        os.chmod(folder, 0o711)
        make_certificates(folder)
        os.chmod(os.path.join(folder, "server.key"), 0o600)
        write(os.path.join(folder, "relay.password"), PASSWORD + "\n")
        records = make_keys(folder)
        settings_checks(check, build, folder)
        if shutil.which("postfix") is None:
            print("skip  a real relay: another mail server stands on this machine, so Postfix was not installed")
        else:
            with_postfix(check, build, folder, records)
        faults(check, build, folder)
        held_back(check, build, folder)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
