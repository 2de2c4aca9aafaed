# SPDX-License-Identifier: Apache-2.0
"""postern-messenger against a scripted WhatsApp Cloud API: what it sends, what each answer becomes, and what
happens when an answer does not come."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "support", "providers"))

from vault_player import VaultPlayer, now_ms  # noqa: E402
from harness import (Checks, Folder, Program, ScriptedProvider, arguments, check_settings, example_of,  # noqa: E402
                     make_certificates, write)

REPOSITORY = os.path.join(HERE, "..", "..")
NUMBER = "/v24.0/106540352242922"
SEND = NUMBER + "/messages"
HEALTH = NUMBER + "?fields="
TOKEN = "EAAG-system-user-token"
WELL = {"status": 200, "body": json.dumps({"status": "CONNECTED", "quality_rating": "GREEN",
                                           "health_status": {"can_send_message": "AVAILABLE"}})}


def accepted(wamid):
    return {"status": 200, "body": json.dumps({"messaging_product": "whatsapp",
                                               "contacts": [{"input": "48500100200", "wa_id": "48500100200"}],
                                               "messages": [{"id": wamid, "message_status": "accepted"}]})}


def graph_error(code, http=400, **more):
    return dict(more, status=http, body=json.dumps({"error": {"message": f"(#{code}) no", "type": "OAuthException",
                                                              "code": code, "fbtrace_id": "A"}}))


def config(folder, peer, **more):
    keys = {"name": "whatsapp-main", "vault": os.path.join(folder, "bus.sock"), "ca": "ca.pem",
            "base_url": peer.url + "/v24.0", "phone_number_id": "106540352242922", "token": "token", "timeout": "1s",
            "probe_pause": "200ms", "breaker_failures": 3}
    keys.update(more)
    lines = [f"{k} = {json.dumps(v)}" for k, v in keys.items()]
    return write(os.path.join(folder, f"messenger-{len(os.listdir(folder))}.toml"), "\n".join(lines) + "\n")


def settings_checks(check, binary, folder, provider):
    code, text = check_settings(binary, config(folder, provider))
    check(code == 0, "--check accepts good settings " + ("" if code == 0 else text))
    code, text = check_settings(binary, config(folder, provider, phone_number_id="+48 500"))
    check(code == 2 and "digits only" in text, "a phone number instead of its id is refused")
    code, text = check_settings(binary, config(folder, provider, provider="carrier-pigeon"))
    check(code == 2 and "must be one of: whatsapp" in text, "another messenger is refused by name")
    write(os.path.join(folder, "two-lines"), "a token\nwith two lines")
    code, text = check_settings(binary, config(folder, provider, token="two-lines"))
    check(code == 2 and "one line" in text and "two lines" not in text,
          "a token that could add header lines is refused")
    example = example_of(os.path.join(REPOSITORY, "connectors", "channels", "messenger", "README.md"))
    write(os.path.join(folder, "meta-roots.pem"), open(os.path.join(folder, "ca.pem"), encoding="ascii").read())
    write(os.path.join(folder, "whatsapp-token"), TOKEN)
    code, text = check_settings(binary, write(os.path.join(folder, "example.toml"), example))
    check(code == 0, "the README's example is good " + ("" if code == 0 else text))


def template(vault, messenger, *values, **more):
    fields = dict(address="48500100200", channel="whatsapp", template="payment_pl", language="pl",
                  parameter=[vault.wire.Variable(name=f"p{i}", value=v) for i, v in enumerate(values)])
    fields.update(more)
    return messenger.deliver(**fields)


def sending(check, provider, vault, messenger):
    R = vault.wire.Result
    provider.rule(SEND, accepted("wamid.HBg1"))
    attempt = template(vault, messenger, "123456", template="otp_pl", category=vault.wire.OTP)
    result = messenger.wait_result(attempt)
    check.equal((result.kind, list(result.provider_id), result.receipts), (R.SENT, ["wamid.HBg1"], True),
                "an accepted message is SENT with its wamid")
    request = provider.of("otp_pl")[0]
    check.equal(json.loads(request["body"]), {
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": "48500100200", "type": "template",
        "template": {"name": "otp_pl", "language": {"code": "pl"}, "components": [
            {"type": "body", "parameters": [{"type": "text", "text": "123456"}]},
            {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "123456"}]}]},
        "biz_opaque_callback_data": f"{attempt.message:016x}-{attempt.number}"},
        "a one-time code stands in body and button, the attempt is echoed")
    check.equal(request["headers"]["authorization"], "Bearer " + TOKEN, "it carried the access token")
    result = messenger.wait_result(template(vault, messenger, "12,50 zł", "Żabka"))
    body = json.loads(provider.of("payment_pl")[0]["body"])["template"]["components"][0]
    check.equal([p["text"] for p in body["parameters"]], ["12,50 zł", "Żabka"],
                "parameters keep their order and characters")

    cases = [
        ("not on WhatsApp", graph_error(131026), R.REFUSED, "wa-131026", 0),
        ("throughput", graph_error(130429, 429), R.THROTTLED, "wa-130429", 1000),
        ("pair limit", graph_error(131056), R.THROTTLED, "wa-131056", 6000),
        ("Meta in trouble", graph_error(131016, 500), R.RETRY, "wa-131016", 10000),
        ("template paused", graph_error(132015), R.REFUSED, "wa-132015", 0),
        ("a code of next year", graph_error(199999), R.REFUSED, "wa-199999", 0),
        ("a proxy's page", {"status": 502, "body": "<html>"}, R.UNKNOWN, "wa-http-502", 0),
        ("no id", {"status": 200, "body": "{\"messages\":[]}"}, R.UNKNOWN, "wa-answer-unreadable", 0),
    ]
    for what, answer, kind, reason, wait in cases:
        provider.rule(SEND, answer)
        result = messenger.wait_result(template(vault, messenger, "x"))
        check.equal((result.kind, result.reason, result.retry_after_ms), (kind, reason, wait), f"{what}: {reason}")


def refusals(check, provider, vault, messenger):
    R = vault.wire.Result
    provider.rule(SEND, accepted("wamid.unexpected"))
    before = len(provider.of(SEND))
    cases = [
        (dict(values=["a\nb"]), "wa-parameter-line-break"), (dict(values=["a\tb"]), "wa-parameter-line-break"),
        (dict(values=["a    b"]), "wa-parameter-spaces"), (dict(values=[""]), "wa-parameter-empty"),
        (dict(values=["x"], address="+48500100200"), "wa-address-malformed"),
        (dict(values=["x"], template="", text="hello"), "wa-no-template"),
        (dict(values=["x"], language=""), "wa-template-language-missing"),
        (dict(values=["1" * 16], category=vault.wire.OTP), "wa-code-too-long"),
        (dict(values=["x"], expires_ms=now_ms() - 1), "expired"),
    ]
    for fields, reason in cases:
        values = fields.pop("values")
        result = messenger.wait_result(template(vault, messenger, *values, **fields))
        check.equal((result.kind, result.reason), (R.REFUSED, reason), f"refused before it leaves: {reason}")
    check.equal(len(provider.of(SEND)), before, "none of these reached the provider")


def doubts(check, provider, vault, messenger, version):
    R = vault.wire.Result
    provider.rule(SEND, {"action": "hang"})
    result = messenger.wait_result(template(vault, messenger, "hang" + version))
    check.equal((result.kind, result.reason, result.receipts), (R.UNKNOWN, "wa-no-answer", True),
                f"HTTP/{version}: no answer in time is UNKNOWN, receipts may settle it")
    # libcurl repeats a request when a connection that worked before ends without an answer; ours must not.
    provider.rule(SEND, accepted("wamid.warm"))
    messenger.wait_result(template(vault, messenger, "warm" + version))
    provider.rule(SEND, {"action": "cut"})
    result = messenger.wait_result(template(vault, messenger, "cut" + version))
    check.equal((result.kind, result.reason), (R.UNKNOWN, "wa-no-answer"),
                f"HTTP/{version}: a cut connection is UNKNOWN")
    check.equal(len(provider.of('"cut' + version)), 1, f"HTTP/{version}: the message did not go out a second time")
    provider.rule(SEND, accepted("wamid.after"))
    check.equal(messenger.wait_result(template(vault, messenger, "after")).kind, R.SENT, "the next message is sent")
    check.equal(provider.of('"cut' + version)[0]["version"], version, f"that was HTTP/{version}")


def breaker(check, provider, vault, messenger):
    R = vault.wire.Result
    provider.rule(HEALTH, graph_error(190, 401))
    provider.rule(SEND, graph_error(190, 401))
    result = messenger.wait_result(template(vault, messenger, "x"))
    check.equal((result.kind, result.reason), (R.REFUSED, "wa-190"), "an expired access token is REFUSED")
    messenger.wait_health(False)
    result = messenger.wait_result(template(vault, messenger, "x"))
    check.equal((result.kind, result.reason), (R.RETRY, "provider-down"), "meanwhile messages are given back")
    provider.wait_for("fields=", len(provider.of("fields=")) + 1)
    check(not messenger.health[-1].up, "a probe that is refused keeps the way down")
    provider.rule(HEALTH, WELL)
    provider.rule(SEND, accepted("wamid.back"))
    messenger.wait_health(True)
    check.equal(messenger.wait_result(template(vault, messenger, "x")).kind, R.SENT, "a good probe opens it again")


def variants(check, folder, provider, vault, binary):
    program = Program(binary, config(folder, provider, name="whatsapp-text", free_text=True,
                                     template_parameters="named", otp_button=False, http2=False))
    messenger = vault.connector("whatsapp-text")
    messenger.wait_health(True)
    provider.rule(SEND, accepted("wamid.text"))
    messenger.wait_result(messenger.deliver(address="PL.1349abc", channel="whatsapp", text="Dzień dobry"))
    said = json.loads(provider.of("Dzie")[0]["body"])
    check.equal((said["recipient"], said["type"], said["text"]), ("PL.1349abc", "text",
                {"preview_url": False, "body": "Dzień dobry"}),
                "free text where allowed, to a user who hides the number")
    check.equal(provider.of("Dzie")[0]["version"], "1.1", "HTTP/1.1 where the settings ask for it")
    messenger.wait_result(template(vault, messenger, "99", template="named_pl", category=vault.wire.OTP))
    check.equal(json.loads(provider.of("named_pl")[0]["body"])["template"]["components"],
                [{"type": "body", "parameters": [{"type": "text", "parameter_name": "p0", "text": "99"}]}],
                "named parameters, and no button where the templates have none")
    messenger.drain()
    messenger.wait_drained()
    check.equal(program.process.wait(15), 0, "drained, the process ends with 0")


def http1(check, folder, vault, binary):
    provider = ScriptedProvider(folder, "http1")
    program = None
    try:
        provider.rule(HEALTH, WELL)
        program = Program(binary, config(folder, provider, name="whatsapp-http1"))
        messenger = vault.connector("whatsapp-http1")
        messenger.wait_health(True)
        doubts(check, provider, vault, messenger, "1.1")
    finally:
        if program:
            program.terminate()
        provider.close()


def main():
    build, check = arguments(), Checks()
    binary = os.path.join(build, "connectors", "channels", "messenger", "postern-messenger")
    with Folder() as folder:
        make_certificates(folder)
        write(os.path.join(folder, "token"), TOKEN + "\n")
        provider = ScriptedProvider(folder)
        program = None
        try:
            settings_checks(check, binary, folder, provider)
            provider.rule(HEALTH, WELL)
            with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
                program = Program(binary, config(folder, provider))
                messenger = vault.connector("whatsapp-main")
                messenger.wait_health(True)
                sending(check, provider, vault, messenger)
                refusals(check, provider, vault, messenger)
                doubts(check, provider, vault, messenger, "2.0")
                breaker(check, provider, vault, messenger)
                variants(check, folder, provider, vault, binary)
                http1(check, folder, vault, binary)
                check.equal(program.terminate(), 0, "SIGTERM ends the process with 0")
                log = program.output()
                check("123456" not in log and TOKEN not in log and "48500100200" not in log,
                      "no code, access token or number stands in the log")
        finally:
            if program:
                program.terminate()
            provider.close()
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
