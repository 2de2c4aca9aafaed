# SPDX-License-Identifier: Apache-2.0
"""postern-hook with curl as the provider: good and forged signatures, what the vault is told, and what happens when the
vault is away or slow."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "support", "providers"))

from vault_player import VaultPlayer  # noqa: E402
from harness import (Checks, Folder, Program, arguments, check_settings, example_of, free_port,  # noqa: E402
                     make_certificates, write)

REPOSITORY = os.path.join(HERE, "..", "..")
SECRET, PREVIOUS = b"app-secret", b"app-secret-of-last-year"
ATTEMPT = 0x0192f3a4b5c6d7e8


def change(value, field="messages"):
    return {"object": "whatsapp_business_account",
            "entry": [{"id": "WABA", "changes": [
                {"field": field, "value": dict({"messaging_product": "whatsapp"}, **value)}]}]}


def status(wamid, word, echo=f"{ATTEMPT:016x}-2", **more):
    return dict({"id": wamid, "status": word, "timestamp": "1795356001", "recipient_id": "48500100200",
                 "biz_opaque_callback_data": echo}, **more)


def signed(body, secret=SECRET):
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


class Provider:
    """Posts with curl, as bytes, so that nothing in between changes them."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port

    def curl(self, *more, path="/hooks/whatsapp"):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--http1.1", "--max-time", "20", "--cacert",
             os.path.join(self.folder, "ca.pem"),
             "--output", os.path.join(self.folder, "answer"), "--write-out", "%{http_code} %{content_type}", *more,
             f"https://127.0.0.1:{self.port}{path}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        code, _, kind = done.stdout.partition(" ")
        with open(os.path.join(self.folder, "answer"), "rb") as answer:
            return int(code or 0), kind, answer.read()

    def post(self, body, signature=None, headers=(), path="/hooks/whatsapp"):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        with open(os.path.join(self.folder, "body"), "wb") as out:
            out.write(body)
        signature = signed(body) if signature is None else signature
        named = ["--header", "X-Hub-Signature-256: " + signature] if signature else []
        return self.curl("--header", "Content-Type: application/json", *named, *headers, "--data-binary",
                         "@" + os.path.join(self.folder, "body"), path=path)[0]


def config(folder, port, **more):
    keys = {"name": "hook", "vault": os.path.join(folder, "bus.sock"), "listen": f"127.0.0.1:{port}",
            "certificate": "server.pem", "key": "server.key", "answer_within": "1s"}
    keys.update(more)
    lines = [f"{k} = {json.dumps(v)}" for k, v in keys.items()]
    lines += ["[[hook]]", 'kind = "whatsapp"', 'path = "/hooks/whatsapp"', 'connector = "whatsapp-main"',
              'app_secret = "app-secret"', 'app_secret_previous = "previous"', 'verify_token = "verify-token"']
    return write(os.path.join(folder, f"hook-{len(os.listdir(folder))}.toml"), "\n".join(lines) + "\n")


def settings_checks(check, binary, folder):
    path = config(folder, 0)
    code, text = check_settings(binary, path)
    check(code == 0, "--check accepts good settings " + ("" if code == 0 else text))
    with open(path, encoding="utf-8") as good:
        lines = good.read()
    code, text = check_settings(binary, write(os.path.join(folder, "kind.toml"), lines.replace('"whatsapp"', '"icq"')))
    check(code == 2 and "must be one of: whatsapp" in text, "an unknown kind is refused")
    code, text = check_settings(binary, write(os.path.join(folder, "empty.toml"), lines.split("[[hook]]")[0]))
    check(code == 2 and "[[hook]]" in text, "settings without a webhook are refused")
    write(os.path.join(folder, "nothing"), "")
    code, text = check_settings(binary, write(os.path.join(folder, "bare.toml"),
                                              lines.replace('"verify-token"', '"nothing"')))
    check(code == 2 and "empty" in text, "an empty secret is refused")
    example = example_of(os.path.join(REPOSITORY, "connectors", "sources", "hook", "README.md"))
    for name in ("hook.pem", "hook.key", "whatsapp-app-secret", "whatsapp-verify-token"):
        write(os.path.join(folder, name), "x")
    code, text = check_settings(binary, write(os.path.join(folder, "example.toml"), example))
    check(code == 0, "the README's example is good " + ("" if code == 0 else text))


def verification(check, provider):
    ask = "/hooks/whatsapp?hub.mode=subscribe&hub.verify_token={}&hub.challenge={}"
    code, kind, answer = provider.curl(path=ask.format("agreed-word", "1158201444"))
    check.equal((code, answer), (200, b"1158201444"), "the provider's challenge is given back")
    check(kind.startswith("text/plain"), "as plain text")
    check.equal(provider.curl(path=ask.format("guessed", "1158201444"))[0], 403, "with a wrong token it is not")
    check.equal(provider.curl(path=ask.format("agreed-word", "%3Cscript%3E"))[0], 403,
                "nor is anything but a plain word")
    check.equal(provider.curl(path="/hooks/other")[0], 404, "another path is 404")
    check.equal(provider.curl("--request", "DELETE")[0], 405, "another method is 405")


def statuses(check, provider, vault, hook):
    W = vault.wire
    code = provider.post(change({"statuses": [
        status("wamid.1", "read"), status("wamid.1", "delivered"), status("wamid.1", "delivered"),
        status("wamid.1", "sent"),
        status("wamid.2", "failed", echo="ours-not", errors=[{"code": 131026, "title": "Message undeliverable"}]),
        status("wamid.3", "teleported"), status("wamid.4", "played"), {"status": "sent"}, "text", 7]}))
    check.equal(code, 200, "a batch with unordered, repeated and unknown statuses is taken")
    seen = [(r.provider_id, r.progress, r.connector) for r in hook.receipts]
    check.equal(seen, [("wamid.1", W.READ, "whatsapp-main"), ("wamid.1", W.DELIVERED, "whatsapp-main"),
                       ("wamid.1", W.SENT, "whatsapp-main"), ("wamid.2", W.REFUSED, "whatsapp-main"),
                       ("wamid.4", W.READ, "whatsapp-main")], "what is known is handed on in its order")
    first, failed = hook.receipts[0], hook.receipts[3]
    check.equal((first.attempt.message, first.attempt.number, first.at_ms), (ATTEMPT, 2, 1795356001000),
                "with the attempt that the provider echoes, and its time")
    check.equal((failed.HasField("attempt"), failed.reason), (False, "wa-131026"),
                "a foreign echo is no attempt; a failure has its code")
    check.equal(provider.post(change({"statuses": [status("wamid.x", "sent")]}, field="account_alerts")), 200,
                "another field is tolerated")
    check.equal(provider.post({"hello": "world"}), 200, "and a signed body without entries")


def replies(check, provider, vault, hook):
    message = {"from": "48500100200", "id": "wamid.in", "timestamp": "1795356000"}
    check.equal(provider.post(change({"messages": [
        dict(message, id="wamid.in1", type="text", text={"body": "YES"}, context={"from": "4822", "id": "wamid.1"}),
        dict(message, id="wamid.in2", type="button", button={"payload": "DISPUTE:9f1c", "text": "Not me"}),
        dict(message, id="wamid.in3", type="interactive",
             interactive={"type": "list_reply", "list_reply": {"id": "row-2", "title": "Block card"}}),
        dict(message, id="wamid.in4", type="unsupported", errors=[{"code": 131051}]),
        {"from_user_id": "PL.1349", "id": "wamid.in5", "timestamp": "x", "type": "text", "text": {"body": "hi"}},
    ]})), 200, "inbound messages are taken")
    seen = [(getattr(r, "from"), r.text, r.payload, r.context_id, r.provider_id, r.at_ms) for r in hook.replies]
    check.equal(seen, [("48500100200", "YES", "", "wamid.1", "wamid.in1", 1795356000000),
                       ("48500100200", "Not me", "DISPUTE:9f1c", "", "wamid.in2", 1795356000000),
                       ("48500100200", "Block card", "row-2", "", "wamid.in3", 1795356000000),
                       ("PL.1349", "hi", "", "", "wamid.in5", 0)], "text, buttons and lists with what they answer")
    check(all(r.channel == "whatsapp" and r.connector == "whatsapp-main" for r in hook.replies), "for their connector")


def forgeries(check, provider, vault, hook):
    good = json.dumps(change({"statuses": [status("wamid.forged", "read")]})).encode()
    before = len(hook.receipts)
    cases = {
        "signed with another secret": (good, signed(good, b"guess")),
        "signed over other bytes": (good + b" ", signed(good)),
        "cut short": (good[:-2], signed(good)),
        "encoded anew": (json.dumps(json.loads(good), indent=1).encode(), signed(good)),
        "not signed": (good, ""),
        "signed with half a signature": (good, signed(good)[:-2]),
        "signed with an empty signature": (good, "sha256="),
        "signed with SHA-1": (good, "sha1=" + hmac.new(SECRET, good, hashlib.sha1).hexdigest()),
    }
    for what, (body, signature) in cases.items():
        check.equal(provider.post(body, signature), 401, f"{what}: 401")
    twice = ["--header", "X-Hub-Signature-256: " + signed(good, b"guess")]
    check.equal(provider.post(good, headers=twice), 400, "two signatures: 400")
    check.equal(provider.post(b"{not json", signature="sha256=" + "0" * 64), 401,
                "a bad signature is found before a bad body")
    check.equal(len(hook.receipts), before, "nothing of these reached the vault")
    hook.wait(lambda: sum(o.count for o in hook.observations if o.kind == vault.wire.Observation.WEBHOOK_FORGED) == 9,
              "9 forgeries told")
    check(len(hook.observations) < 9, "the vault is told of them, counted by the second")
    check({o.reason for o in hook.observations} == {"signature-missing", "signature-bad"}
          and {o.object for o in hook.observations} == {"whatsapp-main"}, "with the reason and the connector")
    check.equal(provider.post(good), 200, "the same body with its signature is taken")
    check.equal(provider.post(good), 200, "and when it is replayed, too: the vault knows it")
    check.equal(provider.post(good, signed(good, PREVIOUS)), 200, "the secret before the last change is good as well")
    check.equal(provider.post(b"{not json"), 400, "a signed body that is no JSON: 400")
    check.equal(provider.post(b"[" * 100_000), 400, "nested without end: 400")
    check.equal(provider.post(b" " * (1024 * 1024 + 1)), 413, "more than a mebibyte: 413")


def slow_vault(check, provider, vault, hook):
    vault.hold_commits()
    body = change({"statuses": [status("wamid.slow", "sent")]})
    check.equal(provider.post(body), 503, "facts that do not become durable in time: 503")
    check(hook.wait_receipt(provider_id="wamid.slow") is not None, "the vault was told nevertheless")
    vault.release_commits()
    check.equal(provider.post(body), 200, "the provider comes again and is answered 200")
    vault.stop_listening()
    hook.wait_gone()
    check.equal(provider.post(body), 503, "without the vault: 503")
    vault.listen()
    hook.wait_hello(2)
    deadline = time.monotonic() + 20
    while (code := provider.post(body)) == 503 and time.monotonic() < deadline:
        pass  # between its hello and the welcome
    check.equal(code, 200, "with the vault back: 200")


def large_batch(check, provider, vault, hook):
    code = provider.post(change({"statuses": [status(f"wamid.many{i}", "delivered") for i in range(3000)]}))
    check.equal((code, len([r for r in hook.receipts if "many" in r.provider_id])), (200, 3000),
                "3,000 statuses in one body arrive all")


def main():
    build, check = arguments(), Checks()
    binary = os.path.join(build, "connectors", "sources", "hook", "postern-hook")
    with Folder() as folder:
        make_certificates(folder)
        write(os.path.join(folder, "app-secret"), SECRET.decode())
        write(os.path.join(folder, "previous"), PREVIOUS.decode())
        write(os.path.join(folder, "verify-token"), "agreed-word")
        settings_checks(check, binary, folder)
        port = free_port()
        provider = Provider(folder, port)
        program = None
        try:
            with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
                program = Program(binary, config(folder, port))
                hook = vault.connector("hook")
                program.wait_line("hook.listening")
                verification(check, provider)
                statuses(check, provider, vault, hook)
                replies(check, provider, vault, hook)
                forgeries(check, provider, vault, hook)
                large_batch(check, provider, vault, hook)
                slow_vault(check, provider, vault, hook)
                hook.drain()
                hook.wait_drained()
                check.equal(program.process.wait(15), 0, "drained, the process ends with 0")
                log = program.output()
                check("48500100200" not in log and "app-secret" not in log and "YES" not in log,
                      "no number, secret or text stands in the log")
        except Exception:
            print(program.output() if program else "")
            raise
        finally:
            if program:
                program.terminate()
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
