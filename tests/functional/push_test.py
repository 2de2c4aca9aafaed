# SPDX-License-Identifier: Apache-2.0
"""postern-push against a scripted token service and FCM: what it sends, what each answer becomes, and what happens when
an answer does not come."""

import base64
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "support", "providers"))

from vault_player import VaultPlayer, now_ms  # noqa: E402
from harness import (Checks, Folder, Program, ScriptedProvider, arguments, check_settings, example_of,  # noqa: E402
                     make_certificates, openssl, write)

REPOSITORY = os.path.join(HERE, "..", "..")
SEND = "/v1/projects/bank-test/messages:send"
NAME = json.dumps({"name": "projects/bank-test/messages/0:15004%31bd1c96"})


def fcm_error(http, status, code=None, message="", **answer):
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    return dict(answer, status=http,
                body=json.dumps({"error": {"code": http, "status": status, "message": message, "details": details}}))


def token_answer(token, life=3600):
    return {"status": 200, "body": json.dumps({"access_token": token, "expires_in": life, "token_type": "Bearer"})}


def service_account(folder, token_uri):
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", os.path.join(folder, "sa.key"))
    openssl("pkey", "-in", os.path.join(folder, "sa.key"), "-pubout", "-out", os.path.join(folder, "sa.pub"))
    with open(os.path.join(folder, "sa.key"), encoding="ascii") as key:
        account = {"type": "service_account", "project_id": "bank-test", "private_key_id": "key-1",
                   "private_key": key.read(), "client_email": "push@bank-test.iam.example", "token_uri": token_uri}
    return write(os.path.join(folder, "account.json"), json.dumps(account))


def config(folder, provider, **more):
    keys = {"name": "push-fcm", "vault": os.path.join(folder, "bus.sock"), "ca": "ca.pem", "base_url": provider.url,
            "service_account": "account.json", "timeout": "1s", "probe_pause": "200ms", "breaker_failures": 3}
    keys.update(more)
    lines = [f"{k} = {json.dumps(v)}" for k, v in keys.items()]
    return write(os.path.join(folder, f"push-{len(os.listdir(folder))}.toml"), "\n".join(lines) + "\n")


def check_assertion(check, folder, body, token_uri):
    form = dict(pair.split("=", 1) for pair in body.split("&"))
    check.equal(form["grant_type"], "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer", "the grant is RFC 7523's")
    head, claims, signature = form["assertion"].split(".")
    decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    check.equal(json.loads(decode(head)), {"alg": "RS256", "typ": "JWT", "kid": "key-1"}, "the assertion names its key")
    said = json.loads(decode(claims))
    check(said["iss"] == "push@bank-test.iam.example" and said["aud"] == token_uri
          and said["exp"] - said["iat"] == 3600 and abs(said["iat"] - time.time()) < 60,
          "its claims are ours and fresh")
    with open(os.path.join(folder, "jwt.sig"), "wb") as out:
        out.write(decode(signature))
    write(os.path.join(folder, "jwt.txt"), head + "." + claims)
    verified = subprocess.run(["openssl", "dgst", "-sha256", "-verify", os.path.join(folder, "sa.pub"), "-signature",
                               os.path.join(folder, "jwt.sig"), os.path.join(folder, "jwt.txt")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
    check.equal(verified, 0, "its signature verifies with the account's public key")


def settings_checks(check, binary, folder, provider):
    code, text = check_settings(binary, config(folder, provider))
    check(code == 0, "--check accepts good settings " + ("" if code == 0 else text))
    code, text = check_settings(binary, config(folder, provider, base_url="https://user:pw@fcm.example"))
    check(code == 2 and "without user" in text, "a URL that holds a credential is refused")
    code, text = check_settings(binary, config(folder, provider, base_url="http://fcm.example"))
    check(code == 2 and "https" in text, "plain HTTP is refused")
    code, text = check_settings(binary, config(folder, provider, speed=3))
    check(code == 2 and "unknown key 'speed'" in text and ".toml:" in text, "an unknown key is refused with its place")
    write(os.path.join(folder, "bad.json"), '{"type":"service_account"}')
    code, text = check_settings(binary, config(folder, provider, service_account="bad.json"))
    check(code == 2 and "project_id" in text, "a service account without its members is refused")
    example = example_of(os.path.join(REPOSITORY, "connectors", "channels", "push", "README.md"))
    write(os.path.join(folder, "google-roots.pem"), open(os.path.join(folder, "ca.pem"), encoding="ascii").read())
    write(os.path.join(folder, "service-account"),
          open(os.path.join(folder, "account.json"), encoding="utf-8").read())
    code, text = check_settings(binary, write(os.path.join(folder, "example.toml"), example))
    check(code == 0, "the README's example is good " + ("" if code == 0 else text))


def sending(check, folder, provider, vault, push):
    R = vault.wire.Result
    provider.rule(SEND, {"status": 200, "body": NAME})
    result = push.wait_result(push.deliver(address="tok-1", platform="fcm", subject="Вхід", text="Code 123456",
                                           category=vault.wire.OTP, id="mid-1"))
    check.equal((result.kind, list(result.provider_id), result.receipts),
                (R.SENT, ["0:15004%31bd1c96"], True), "an accepted message is SENT with its name's tail")
    sent = provider.of("mid-1")[0]
    message = json.loads(sent["body"])["message"]
    check.equal(sent["version"], "2.0", "it went over HTTP/2")
    check.equal(sent["headers"]["authorization"], "Bearer access-1", "it carried the access token")
    check.equal((message["token"], message["notification"], message["data"]),
                ("tok-1", {"title": "Вхід", "body": "Code 123456"}, {"mid": "mid-1"}),
                "title, body and message id arrive")
    check(message["android"]["priority"] == "HIGH" and message["android"]["collapse_key"] == "otp"
          and 50 <= int(message["android"]["ttl"].rstrip("s")) <= 60, "an OTP wakes the device, collapses, lives 60 s")

    cases = [
        ("unregistered", fcm_error(404, "NOT_FOUND", "UNREGISTERED"), R.REFUSED, "fcm-unregistered", True, 0),
        ("mismatch", fcm_error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), R.REFUSED,
         "fcm-sender-id-mismatch", True, 0),
        ("invalid", fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), R.REFUSED,
         "fcm-invalid-argument", False, 0),
        ("trouble", fcm_error(503, "UNAVAILABLE", "UNAVAILABLE", headers={"retry-after": "7"}), R.RETRY,
         "fcm-unavailable", False, 7000),
        ("odd", {"status": 418, "body": "<html>"}, R.REFUSED, "fcm-http-418", False, 0),
        ("mute", {"status": 200, "body": "{}"}, R.UNKNOWN, "fcm-answer-unreadable", False, 0),
    ]
    for token, answer, kind, reason, dead, wait in cases:
        provider.rule(SEND, answer)
        result = push.wait_result(push.deliver(address="tok-" + token, text="x", platform="fcm"))
        check.equal((result.kind, result.reason, result.address_dead, result.retry_after_ms),
                    (kind, reason, dead, wait),
                    f"answer '{token}' becomes {reason}")
    provider.rule(SEND, {"status": 200, "body": NAME})

    result = push.wait_result(push.deliver(address="tok-apple", text="x", platform="apns"))
    check.equal((result.kind, result.reason), (R.REFUSED, "platform-not-served"), "another platform is refused")
    result = push.wait_result(push.deliver(address="tok-big", text="x" * 4096))
    check.equal((result.kind, result.reason), (R.REFUSED, "fcm-payload-too-large"), "4,096 bytes are not exceeded")
    result = push.wait_result(push.deliver(address="tok-old", text="x", expires_ms=now_ms() - 1))
    check.equal((result.kind, result.reason), (R.REFUSED, "expired"), "nothing is sent after its deadline")
    check.equal(len(provider.of("tok-old")) + len(provider.of("tok-big")) + len(provider.of("tok-apple")), 0,
                "none of these three reached the provider")


def doubts(check, provider, vault, push):
    R = vault.wire.Result
    provider.rule(SEND, {"action": "hang"})
    result = push.wait_result(push.deliver(address="tok-hang", text="x"))
    check.equal((result.kind, result.reason), (R.UNKNOWN, "fcm-no-answer"), "no answer in time is UNKNOWN")
    # libcurl repeats a request when a connection that worked before ends without an answer; ours must not.
    provider.rule(SEND, {"status": 200, "body": NAME})
    push.wait_result(push.deliver(address="tok-warm", text="x"))
    provider.rule(SEND, {"action": "cut"})
    result = push.wait_result(push.deliver(address="tok-cut", text="x"))
    check.equal((result.kind, result.reason), (R.UNKNOWN, "fcm-no-answer"), "a cut connection is UNKNOWN")
    check.equal(len(provider.wait_for("tok-cut")), 1, "and the message was not sent a second time on a new connection")
    provider.rule(SEND, {"status": 200, "body": NAME})
    result = push.wait_result(push.deliver(address="tok-after", text="x"))
    check.equal(result.kind, R.SENT, "the next message goes over a new connection")


def tokens(check, provider, vault, push):
    R = vault.wire.Result
    provider.rule("/token", token_answer("access-2"))
    provider.rule(SEND, fcm_error(401, "UNAUTHENTICATED"), {"status": 200, "body": NAME})
    before = len(provider.of("/token"))
    result = push.wait_result(push.deliver(address="tok-renew", text="x"))
    check.equal(result.kind, R.SENT, "a refused access token is renewed and the message sent again")
    check.equal([r["headers"]["authorization"] for r in provider.of("tok-renew")],
                ["Bearer access-1", "Bearer access-2"], "the second try carried the new token")
    check.equal(len(provider.of("/token")) - before, 1, "one token was fetched")

    provider.rule(SEND, fcm_error(401, "UNAUTHENTICATED"))
    result = push.wait_result(push.deliver(address="tok-locked", text="x"))
    check.equal((result.kind, result.reason), (R.REFUSED, "fcm-unauthenticated"), "refused again: REFUSED")
    push.wait_health(False)
    check(True, "and the way is told to be down")
    result = push.wait_result(push.deliver(address="tok-down", text="x"))
    check.equal((result.kind, result.reason), (R.RETRY, "provider-down"), "meanwhile messages are given back")
    provider.rule(SEND, fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"))
    push.wait_health(True)
    check(True, "the probe finds that the provider takes us again")
    probes = [json.loads(r["body"]) for r in provider.of("postern-probe")]
    check(probes and all(p["validate_only"] is True for p in probes), "the probe is a message that is only checked")


def pace(check, provider, vault, push):
    R = vault.wire.Result
    provider.rule(SEND, fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", headers={"retry-after": "2"}),
                  {"status": 200, "body": NAME})
    result = push.wait_result(push.deliver(address="tok-quota", text="x"))
    check.equal((result.kind, result.retry_after_ms), (R.THROTTLED, 2000), "a quota is THROTTLED for as long as asked")
    result = push.wait_result(push.deliver(address="tok-pause", text="x"))
    check.equal((result.kind, len(provider.of("tok-pause"))), (R.THROTTLED, 0), "nothing is sent during the pause")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        result = push.wait_result(push.deliver(address="tok-later", text="x"))
        if result.kind == R.SENT:
            break
        time.sleep(result.retry_after_ms / 1000)
    check.equal(result.kind, R.SENT, "after it sending goes on")


def many(check, provider, vault, push):
    provider.rule(SEND, {"status": 200, "body": NAME})
    attempts = push.deliver_many([push.make_deliver(address=f"many-{i}", text="x") for i in range(300)])
    kinds = {push.wait_result(a).kind for a in attempts}
    check.equal(kinds, {vault.wire.Result.SENT}, "300 messages at once are all SENT")
    check(len({r["session"] for r in provider.of("many-")}) <= 4, "over no more connections than the settings allow")


def cancel_and_drain(check, folder, provider, vault, binary):
    R = vault.wire.Result
    program = Program(binary, config(folder, provider, name="push-slow", rate=1))
    push = vault.connector("push-slow")
    push.wait_health(True)
    first = push.deliver(address="slow-1", text="x")
    push.wait_result(first)
    second = push.deliver(address="slow-2", text="x")
    third = push.deliver(address="slow-3", text="x")
    push.cancel(third)
    result = push.wait_result(third)
    check.equal((result.kind, result.reason, len(provider.of("slow-3"))), (R.REFUSED, "cancelled", 0),
                "a message that waits for its turn can be cancelled")
    push.drain()
    result = push.wait_result(second)
    check((result.kind == R.RETRY and result.reason == "draining") or result.kind == R.SENT,
          "drain gives back what was not sent")
    push.wait_drained()
    check.equal(program.process.wait(15), 0, "and the process ends with 0")


def foreign_root(check, folder, provider, vault, binary):
    program = Program(binary, config(folder, provider, name="push-foreign", ca="other-ca.pem"))
    push = vault.connector("push-foreign")
    before = len(provider.requests)
    health = push.wait(lambda: [h for h in push.health if "tls" in h.detail], "health that says tls")
    check(not health[0].up, "a server that another root signed is not talked to")
    check.equal(len(provider.requests), before, "not one request reached it")
    program.terminate()


def main():
    build, check = arguments(), Checks()
    binary = os.path.join(build, "connectors", "channels", "push", "postern-push")
    with Folder() as folder:
        make_certificates(folder)
        provider = ScriptedProvider(folder)
        token_uri = provider.url + "/token"
        service_account(folder, token_uri)
        program = None
        try:
            settings_checks(check, binary, folder, provider)
            provider.rule("/token", token_answer("access-1"))
            provider.rule(SEND, fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"))
            with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
                program = Program(binary, config(folder, provider))
                push = vault.connector("push-fcm")
                push.wait_health(True)
                check_assertion(check, folder, provider.of("/token")[0]["body"], token_uri)
                sending(check, folder, provider, vault, push)
                doubts(check, provider, vault, push)
                tokens(check, provider, vault, push)
                many(check, provider, vault, push)
                cancel_and_drain(check, folder, provider, vault, binary)
                foreign_root(check, folder, provider, vault, binary)
                pace(check, provider, vault, push)
                check.equal(program.terminate(), 0, "SIGTERM ends the process with 0")
                log = program.output()
                check("123456" not in log and "access-1" not in log and "tok-1" not in log,
                      "no text, access token or registration token stands in the log")
        finally:
            if program:
                program.terminate()
            provider.close()
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
