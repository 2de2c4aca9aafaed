#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern-smpp against an independent SMS centre: the npm package `smpp` over TLS with client certificates. The test
plays the vault. Needs node, npm, openssl, protoc and python3-protobuf.

    python3 tests/functional/smpp_test.py --build BUILD_DIR
"""

import argparse
import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from vault_player import VaultPlayer, now_ms  # noqa: E402

TIMEOUT = 20.0
NUMBER = "48500100200"


class Checks:
    """One line for each check; a failed one ends the run."""

    def __init__(self):
        self.passed = 0

    def __call__(self, good, what, seen=None):
        if not good:
            raise AssertionError(f"FAILED  {what}" + (f": saw {seen!r}" if seen is not None else ""))
        self.passed += 1
        print(f"ok      {what}", flush=True)


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


class Certificates:
    """A CA and what it signs, made by the openssl command in `folder`."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.ca = self.path("ca.pem")
        self._key(self.path("ca.key"))
        run("openssl", "req", "-x509", "-new", "-key", self.path("ca.key"), "-out", self.ca, "-days", "2", "-subj",
            f"/CN={name} test CA", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
            "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return os.path.join(self.folder, f"{self.name}-{name}")

    @staticmethod
    def _key(path):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        os.chmod(path, 0o600)

    def issue(self, name, san, usage):
        key, request, certificate, extensions = (self.path(f"{name}.{ending}") for ending in
                                                 ("key", "csr", "pem", "ext"))
        self._key(key)
        run("openssl", "req", "-new", "-key", key, "-out", request, "-subj", f"/CN={name}")
        with open(extensions, "w", encoding="utf-8") as out:
            out.write(f"subjectAltName={san}\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n"
                      "keyUsage=digitalSignature\n")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key


class Smsc:
    """tests/support/smsc/server.js as a process; events come as dictionaries."""

    def __init__(self, script, certificate, key, ca, port=0):
        self.process = subprocess.Popen(
            ["node", script, "--key", key, "--cert", certificate, "--ca", ca, "--port", str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.events = collections.deque()
        self.changed = threading.Condition()
        self.ended = False
        threading.Thread(target=self._read, daemon=True).start()
        self.port = self.wait("listening")["port"]

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, event, timeout=TIMEOUT, **fields):
        """Takes the next event of that name whose fields fit."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for seen in self.events:
                    if seen["event"] == event and all(seen.get(key) == value for key, value in fields.items()):
                        self.events.remove(seen)
                        return seen
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise TimeoutError(f"the SMS centre told no {event} {fields}; it told {list(self.events)}")
                self.changed.wait(left)

    def clear(self):
        with self.changed:
            self.events.clear()

    def say(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        self.wait("done")

    def mode(self, mode, **fields):
        self.say(cmd="mode", mode=mode, **fields)

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(10)


class Connector:
    """The real postern-smpp."""

    def __init__(self, program, folder, name, vault, **keys):
        self.config = os.path.join(folder, f"{name}.toml")
        lines = [f"name = {json.dumps(name)}", f"vault = {json.dumps(vault)}", 'log = "debug"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        with open(self.config, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        self.log = os.path.join(folder, f"{name}.log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([program, "--config", self.config], stderr=log, stdout=log)

    def stop(self, how=signal.SIGTERM, timeout=15):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()


class Scene:
    """Everything a scenario needs; a fresh connector for each."""

    def __init__(self, build, folder):
        self.folder = folder
        self.program = os.path.join(build, "connectors", "channels", "smpp", "postern-smpp")
        self.ours = Certificates(folder, "smsc")
        self.server = self.ours.issue("server", "IP:127.0.0.1", "serverAuth")
        self.client = self.ours.issue("postern-smpp", "DNS:postern-smpp.bank.example", "clientAuth")
        self.password = os.path.join(folder, "password")
        with open(self.password, "w", encoding="utf-8") as out:
            out.write("longer-than-eight\n")
        os.chmod(self.password, 0o600)
        self.script = self._install_server(build)
        self.vault = VaultPlayer(os.path.join(folder, "bus.sock"))
        self.wire = self.vault.wire
        self.smsc = None
        self.connector = None
        self.number = 0

    def _install_server(self, build):
        """The npm package beside the build, so that a second run needs no registry."""
        target = os.path.join(build, "test-smsc")
        os.makedirs(target, exist_ok=True)
        source = os.path.join(HERE, "..", "support", "smsc")
        for name in ("package.json", "package-lock.json", "server.js"):
            shutil.copy(os.path.join(source, name), target)
        if not os.path.isdir(os.path.join(target, "node_modules", "smpp")):
            run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=target)
        return os.path.join(target, "server.js")

    def start_smsc(self, port=0):
        self.smsc = Smsc(self.script, *self.server, self.ours.ca, port)
        return self.smsc

    def start_connector(self, **keys):
        self.number += 1
        name = f"smpp-{self.number}"
        settings = {"hosts": ["127.0.0.1"], "port": self.smsc.port, "ca": self.ours.ca,
                    "certificate": self.client[0], "key": self.client[1], "system_id": "bankgw",
                    "password": self.password, "sender": "MyBank", "bind_timeout": "3s", **keys}
        self.connector = Connector(self.program, self.folder, name, self.vault.path, **settings)
        peer = self.vault.connector(name)
        return peer

    def start(self, **keys):
        """A connector that is bound to a fresh SMS centre."""
        self.start_smsc()
        peer = self.start_connector(**keys)
        self.smsc.wait("bind")
        peer.wait_health(True)
        return peer

    def stop(self):
        """Ends the scenario's processes; the connector must end well."""
        code = self.connector.stop() if self.connector else 0
        if self.smsc:
            self.smsc.stop()
        self.connector = self.smsc = None
        return code

    def close(self):
        for process in (self.connector.process if self.connector else None, self.smsc.process if self.smsc else None):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        self.vault.close()


def kind(scene, name):
    return scene.wire.Result.Kind.Value(name)


def delivered(scene, peer, text, **fields):
    """Delivers one text and returns (result, submits seen by the SMS centre)."""
    attempt = peer.deliver(address=NUMBER, text=text, **fields)
    result = peer.wait_result(attempt)
    return result, [scene.smsc.wait("submit") for _ in range(max(1, len(result.provider_id)))]


def test_submit_and_receipts(scene, check):
    scene.start_smsc()
    peer = scene.start_connector()
    bind = scene.smsc.wait("bind")
    check(bind["command"] == "bind_transceiver" and bind["system_id"] == "bankgw", "binds as transceiver", bind)
    check(bind["tls"] == "TLSv1.3" and bind["client"] == "postern-smpp",
          "over TLS 1.3 with its client certificate", bind)
    check(bind["password_length"] == 17, "with a password of more than eight characters", bind["password_length"])
    peer.wait_health(True)
    peer.wait_observation(scene.wire.Observation.BOUND)
    check(True, "and tells the vault about health and the bind")

    result, (submit,) = delivered(scene, peer, "Kod: 123456 {€}", category=scene.wire.OTP)
    check(result.kind == kind(scene, "SENT") and list(result.provider_id) == [submit["id"]] and result.receipts,
          "a GSM 7-bit text is sent and its id comes back", result)
    check(submit["text"] == "Kod: 123456 {€}" and submit["data_coding"] == 0, "with its extended characters", submit)
    check((submit["source"], submit["source_ton"], submit["source_npi"]) == ("MyBank", 5, 0) and
          (submit["destination"], submit["destination_ton"], submit["destination_npi"]) == (NUMBER, 1, 1),
          "from an alphanumeric sender to an international number", submit)
    check(submit["registered_delivery"] == 1 and submit["priority"] == 2,
          "asking for a receipt, urgent as an OTP", submit)
    check(submit["validity"] != "", "and never without a validity", submit["validity"])

    scene.smsc.say(cmd="deliver", tag=1, pdu={
        "source_addr": NUMBER, "destination_addr": "MyBank", "esm_class": 4, "receipted_message_id": submit["id"],
        "message_state": 2, "short_message": ""})
    receipt = peer.wait_receipt(provider_id=submit["id"])
    check(receipt.progress == scene.wire.DELIVERED, "a receipt by parameters says delivered", receipt)
    check(scene.smsc.wait("deliver_resp", tag=1)["status"] == 0, "and is answered when it is durable")

    result, (submit,) = delivered(scene, peer, "second")
    scene.smsc.say(cmd="deliver", tag=2, pdu={
        "source_addr": NUMBER, "destination_addr": "MyBank", "esm_class": 4, "short_message":
        f"id:{submit['id']} sub:001 dlvrd:000 submit date:2611221314 done date:2611221320 stat:UNDELIV err:027 "
        "text:stat:DELIVRD"})
    receipt = peer.wait_receipt(provider_id=submit["id"])
    check(receipt.progress == scene.wire.REFUSED and receipt.reason == "dlr-undeliverable-27" and
          receipt.at_ms == 1795353600000, "a receipt by text says undelivered, with code and time", receipt)

    text = "Уважаемый клиент, " * 8
    result, submits = delivered(scene, peer, text)
    check(len(submits) == 3 and "".join(s["text"] for s in submits) == text,
          "a long Cyrillic text goes in three parts", submits)
    check([s["udh"] for s in submits] == [[submits[0]["udh"][0][:-2] + f"{n:02x}"] for n in (1, 2, 3)] and
          all(s["data_coding"] == 8 and s["esm_class"] == 0x40 for s in submits),
          "in order, under one reference", submits)
    check(list(result.provider_id) == [s["id"] for s in submits], "with an id for each part, in order", result)

    scene.vault.hold_commits()
    scene.smsc.say(cmd="deliver", tag=3, pdu={
        "source_addr": NUMBER, "source_addr_ton": 1, "destination_addr": "7300", "data_coding": 8,
        "short_message": "Дякую"})
    reply = peer.wait_reply(sender=NUMBER)
    check(reply.text == "Дякую" and reply.channel == "sms" and reply.provider_id,
          "a customer's answer becomes a reply", reply)
    try:
        early = scene.smsc.wait("deliver_resp", timeout=0.5, tag=3)
    except TimeoutError:
        early = None
    check(early is None, "which is not answered while it is not durable", early)
    scene.vault.release_commits()
    check(scene.smsc.wait("deliver_resp", tag=3)["status"] == 0, "and answered once it is")

    for tag, part in ((4, "0500031102014865"), (5, "0500031102026c6c6f")):
        scene.smsc.say(cmd="deliver", tag=tag, pdu={
            "source_addr": NUMBER, "destination_addr": "7300", "esm_class": 0x40, "short_message_hex": part})
    check(peer.wait_reply(sender=NUMBER).text == "Hello", "an answer in two parts is joined")
    scene.smsc.wait("deliver_resp", tag=4)
    scene.smsc.wait("deliver_resp", tag=5)

    refused = [peer.wait_result(peer.deliver(**fields)) for fields in (
        {"address": NUMBER, "text": "late", "expires_ms": now_ms() - 1}, {"address": "12", "text": "x"},
        {"address": NUMBER, "text": "Ж" * 500}, {"address": NUMBER, "text": "x", "sender": "Not a sender!"})]
    check([r.reason for r in refused] == ["expired", "address-invalid", "text-too-long", "sender-invalid"] and
          all(r.kind == kind(scene, "REFUSED") for r in refused),
          "what cannot be sent is refused with its reason", refused)
    log = scene.connector.log_text()
    check(NUMBER not in log and "123456" not in log and "longer-than-eight" not in log,
          "no number, text or password stands in the log")
    check(scene.stop() == 0, "it unbinds and ends well")


def test_throttling(scene, check):
    peer = scene.start()
    scene.smsc.mode("status", status=0x58, count=1)
    result = peer.wait_result(peer.deliver(address=NUMBER, text="too fast"))
    check(result.kind == kind(scene, "THROTTLED") and result.reason == "smsc-0x00000058",
          "throttled is told as such", result)
    scene.smsc.clear()
    before = time.monotonic()
    result, _ = delivered(scene, peer, "again")
    check(result.kind == kind(scene, "SENT"), "the next try is taken", result)
    check(time.monotonic() - before > 0.5, "after a pause of the whole session", time.monotonic() - before)

    for status, wanted, reason in ((0x0b, "REFUSED", "smsc-0x0000000b"), (0x08, "RETRY", "smsc-0x00000008"),
                                   (0x410, "RETRY", "smsc-0x00000410"), (0x0a, "REFUSED", "smsc-0x0000000a")):
        scene.smsc.mode("status", status=status, count=1)
        result = peer.wait_result(peer.deliver(address=NUMBER, text="x"))
        check(result.kind == kind(scene, wanted) and result.reason == reason, f"status {status:#x} is {wanted}", result)
    check(scene.stop() == 0, "ends well")


def test_part_refused_for_now(scene, check):
    peer = scene.start(window=1)
    scene.smsc.mode("status", status=0x08, count=1, skip=1)
    text = "Ж" * 150
    result, submits = delivered(scene, peer, text)
    submits.append(scene.smsc.wait("submit"))
    check(result.kind == kind(scene, "SENT") and len(result.provider_id) == 3 and len(submits) == 4,
          "a part refused for now is sent again alone", result)
    check("".join(submits[i]["text"] for i in (0, 2, 3)) == text and submits[1]["udh"] == submits[2]["udh"],
          "with the same place in the message", submits)
    check(scene.stop() == 0, "ends well")


def test_bind_refused(scene, check):
    scene.start_smsc()
    scene.smsc.mode("refuse-bind", status=0x0e)
    peer = scene.start_connector()
    health = peer.wait(lambda: [h for h in peer.health if "ESME_RINVPASWD" in h.detail], "the refusal in health")[0]
    check(not health.up, "a refused bind is told as health down with its status", health)
    result = peer.wait_result(peer.deliver(address=NUMBER, text="x"))
    check(result.kind == kind(scene, "RETRY") and result.reason == "smsc-unbound" and result.retry_after_ms > 10_000,
          "deliveries go back, to be tried when the bind is", result)
    check(scene.stop() == 0, "ends well")


def test_garbage(scene, check):
    peer = scene.start()
    scene.smsc.mode("garbage")
    result = peer.wait_result(peer.deliver(address=NUMBER, text="x"))
    check(result.kind == kind(scene, "UNKNOWN"),
          "an SMS centre that answers garbage leaves the attempt in doubt", result)
    check(peer.wait_observation(scene.wire.Observation.PEER_PROTOCOL_ERROR).reason == "framing",
          "which the audit log hears")
    scene.smsc.mode("ok")
    scene.smsc.wait("bind")
    peer.wait_health(True)
    result, _ = delivered(scene, peer, "after")
    check(result.kind == kind(scene, "SENT"), "it binds again and goes on", result)
    check(scene.stop() == 0, "ends well")


def test_cut_in_mid_pdu(scene, check):
    peer = scene.start()
    scene.smsc.mode("cut")
    result = peer.wait_result(peer.deliver(address=NUMBER, text="x"))
    check(result.kind == kind(scene, "UNKNOWN"), "half an answer is no answer", result)
    scene.smsc.mode("ok")
    scene.smsc.wait("bind")
    peer.wait_health(True)
    check(delivered(scene, peer, "after")[0].kind == kind(scene, "SENT"), "it binds again and goes on")
    check(scene.stop() == 0, "ends well")


def test_silence(scene, check):
    peer = scene.start(response_timeout="1s", enquire_link="1s")
    scene.smsc.mode("silent")
    attempt = peer.deliver(address=NUMBER, text="x")
    result = peer.wait_result(attempt)
    check(result.kind == kind(scene, "UNKNOWN") and result.reason == "smsc-no-answer", "no answer is unknown", result)
    scene.smsc.say(cmd="late")
    receipt = peer.wait_receipt(attempt=attempt)
    check(receipt.progress == scene.wire.SENT and receipt.provider_id, "a late answer settles the doubt", receipt)
    peer.wait_observation(scene.wire.Observation.UNBOUND)
    check(True, "a dead session is given up after unanswered enquire_link")
    scene.smsc.mode("ok")
    scene.smsc.wait("bind")
    check(scene.stop() == 0, "ends well")


def test_restart_of_the_smsc(scene, check):
    peer = scene.start()
    check(delivered(scene, peer, "before")[0].kind == kind(scene, "SENT"), "sends before")
    port = scene.smsc.port
    scene.smsc.process.kill()
    scene.smsc.process.wait()
    peer.wait_health(False)
    attempt = peer.deliver(address=NUMBER, text="meanwhile", expires_ms=now_ms() + 60_000)
    scene.start_smsc(port)
    scene.smsc.wait("bind")
    peer.wait_health(True)
    result = peer.wait_result(attempt)
    check(result.kind in (kind(scene, "SENT"), kind(scene, "RETRY")),
          "what came meanwhile is sent or given back", result)
    check(delivered(scene, peer, "after", category=scene.wire.OTP)[0].kind == kind(scene, "SENT"),
          "sends after the re-bind")
    scene.smsc.say(cmd="unbind")
    scene.smsc.wait("bind")
    peer.wait_health(True)
    check(True, "an unbind from the SMS centre is answered and followed by a new bind")
    check(scene.stop() == 0, "ends well")


def test_restart_of_the_vault(scene, check):
    peer = scene.start()
    scene.vault.hold_commits()
    attempt = peer.deliver(address=NUMBER, text="x")
    check(peer.wait_result(attempt).kind == kind(scene, "SENT"), "a result that was never committed")
    scene.vault.stop_listening()
    scene.vault.release_commits()
    scene.smsc.say(cmd="deliver", tag=9, pdu={
        "source_addr": NUMBER, "destination_addr": "7300", "short_message": "STOP"})
    scene.vault.listen()
    peer.wait_hello(2)
    check(peer.wait_reply(sender=NUMBER).text == "STOP", "what came while the vault was away arrives", None)
    check(scene.smsc.wait("deliver_resp", tag=9)["status"] == 0, "and is answered then")
    check(scene.stop() == 0, "ends well")


def test_wrong_certificates(scene, check):
    stranger = Certificates(scene.folder, "stranger")
    scene.start_smsc()
    peer = scene.start_connector(ca=stranger.ca)
    seen = peer.wait_observation(scene.wire.Observation.TLS_REFUSED)
    check(seen.reason in ("unknown-ca", "self-signed"), "an SMS centre of another CA is refused and observed", seen)
    check(not peer.health[-1].up, "and never bound")
    check(scene.stop() == 0, "ends well")
    scene.start_smsc()
    certificate, key = stranger.issue("stranger", "DNS:x", "clientAuth")
    peer = scene.start_connector(certificate=certificate, key=key)
    scene.smsc.wait("tls_error")
    check(not peer.health[-1].up, "an SMS centre that refuses our certificate is not bound")
    check(scene.stop() == 0, "ends well")


def test_two_sessions_and_drain(scene, check):
    scene.start_smsc()
    peer = scene.start_connector(binds=2, window=5, rate=1000)
    scene.smsc.wait("bind")
    scene.smsc.wait("bind")
    peer.wait(lambda: peer.health and peer.health[-1].detail == "bound to 2 of 2", "both binds")
    check(peer.window == 20, "the window follows from sessions and their windows", peer.window)
    attempts = peer.deliver_many([peer.make_deliver(address=NUMBER, text=f"n{i}") for i in range(20)])
    results = [peer.wait_result(attempt) for attempt in attempts]
    check(all(r.kind == kind(scene, "SENT") for r in results), "twenty deliveries over two sessions are sent")
    check(len({r.provider_id[0] for r in results}) == 20, "each once")
    peer.drain()
    peer.wait_drained()
    check(scene.connector.process.wait(15) == 0, "drain unbinds both sessions and ends the process")
    scene.smsc.wait("unbind")
    scene.smsc.wait("unbind")
    scene.stop()


def test_settings(scene, check):
    scene.start_smsc()
    for keys, wanted in (({"tls": False, "hosts": ["smsc.example"]}, "in the clear"),
                         ({"wind0w": 5}, "wind0w"), ({"window": 5000}, "window"),
                         ({"id_in_receipt": "dec"}, "id_in_receipt")):
        base = {"hosts": ["127.0.0.1"], "ca": scene.ours.ca, "system_id": "x", "password": scene.password, **keys}
        if not base.get("tls", True):
            base.pop("ca")
        refused = Connector(scene.program, scene.folder, "refused", scene.vault.path, **base)
        code = refused.process.wait(10)
        check(code == 2 and wanted in refused.log_text(), f"settings with {keys} are refused", refused.log_text())
    scene.stop()


SCENARIOS = [test_submit_and_receipts, test_throttling, test_part_refused_for_now, test_bind_refused, test_garbage,
             test_cut_in_mid_pdu, test_silence, test_restart_of_the_smsc, test_restart_of_the_vault,
             test_wrong_certificates, test_two_sessions_and_drain, test_settings]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--only", help="part of a scenario's name")
    arguments = parser.parse_args()
    check = Checks()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="smpp-") as folder:
        scene = Scene(os.path.abspath(arguments.build), folder)
        try:
            for scenario in SCENARIOS:
                if arguments.only and arguments.only not in scenario.__name__:
                    continue
                print(f"-- {scenario.__name__[5:].replace('_', ' ')}", flush=True)
                try:
                    scenario(scene, check)
                except (AssertionError, TimeoutError, subprocess.TimeoutExpired) as error:
                    failed += 1
                    print(f"{error}\n-- log of the connector")
                    if scene.connector:
                        print(scene.connector.log_text())
                    break
        finally:
            scene.close()
    print(f"{check.passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
