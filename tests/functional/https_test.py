# SPDX-License-Identifier: Apache-2.0
"""postern-https as its clients see it: the real program, real certificates, curl and raw TLS sockets, against a played
vault.  python3 tests/functional/https_test.py --build BUILD_DIR"""

import argparse
import concurrent.futures
import contextlib
import functools
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from vault_player import VaultPlayer, load_wire  # noqa: E402

UUID = "018f3a52-0000-7000-8000-%012x"
failures = []


def check(name, good, seen=""):
    print(("ok   " if good else "FAIL ") + name + ("" if good else f": {str(seen)[:400]}"), flush=True)
    if not good:
        failures.append(name)


# ---- certificates ----


class Pki:
    """A client CA with a revocation list, a second CA that nobody trusts, and a server certificate."""

    CONFIG = """
[ca]
default_ca = this
[this]
dir = {dir}
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
crlnumber = {dir}/crlnumber
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""

    def __init__(self, folder):
        self.folder = folder
        for name in ("good", "other"):
            self._make_ca(name)
        self.issue("server", san="IP:127.0.0.1,DNS:localhost", usage="serverAuth")
        self.write_crl()

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def run(*words):
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _make_ca(self, name):
        directory = self.path("ca-" + name)
        os.mkdir(directory)
        open(f"{directory}/index.txt", "w").close()
        for counter in ("serial", "crlnumber"):
            with open(f"{directory}/{counter}", "w") as file:
                file.write("1000\n")
        with open(f"{directory}/ca.cnf", "w") as file:
            file.write(self.CONFIG.format(dir=directory))
        self.run(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            f"/CN=Test CA {name}",
            "-keyout",
            f"{directory}/ca.key",
            "-out",
            f"{directory}/ca.pem",
        )

    def issue(self, name, san, ca="good", usage="clientAuth", start=None, end=None):
        directory = self.path("ca-" + ca)
        extensions = ["-addext", f"extendedKeyUsage={usage}"] + (["-addext", f"subjectAltName={san}"] if san else [])
        self.run(
            "openssl",
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            self.path(name + ".key"),
            "-out",
            self.path(name + ".csr"),
            *extensions,
        )
        dates = ["-startdate", start, "-enddate", end] if start else ["-days", "365"]
        self.run(
            "openssl",
            "ca",
            "-batch",
            "-notext",
            "-config",
            f"{directory}/ca.cnf",
            "-in",
            self.path(name + ".csr"),
            "-out",
            self.path(name + ".pem"),
            *dates,
        )

    def revoke(self, name):
        self.run("openssl", "ca", "-config", self.path("ca-good") + "/ca.cnf", "-revoke", self.path(name + ".pem"))

    def write_crl(self):
        self.run("openssl", "ca", "-config", self.path("ca-good") + "/ca.cnf", "-gencrl", "-out", self.path("crl.new"))
        os.rename(self.path("crl.new"), self.path("crl.pem"))

    def fingerprint(self, name):
        with open(self.path(name + ".pem")) as file:
            der = ssl.PEM_cert_to_DER_cert(file.read())
        return hashlib.sha256(der).hexdigest()

    @functools.cache
    def context(self, name):
        context = ssl.create_default_context(cafile=self.path("ca-good") + "/ca.pem")
        if name:
            context.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))
        return context


# ---- the program ----


class Source:
    def __init__(self, build, folder, pki, vault_path, extra=""):
        self.folder, self.pki = folder, pki
        self.port_file = os.path.join(folder, "port")
        self.config = os.path.join(folder, "https.toml")
        with open(self.config, "w") as file:
            file.write(
                f"""name = "https-main"
vault = "{vault_path}"
log = "debug"
listen = "127.0.0.1:0"
port_file = "{self.port_file}"
default_region = "UA"
{extra}
[tls]
certificate = "{pki.path('server.pem')}"
key = "{pki.path('server.key')}"
ca = "{pki.path('ca-good')}/ca.pem"
crl = "{pki.path('crl.pem')}"

[limits]
handshake_time = "1500ms"
head_time = "1s"
request_time = "1500ms"
idle_time = "20s"
watch_files_every = "100ms"
connections_per_peer = 200
"""
            )
        self.program = os.path.join(build, "connectors", "sources", "https", "postern-https")
        self.log = open(os.path.join(folder, "https.log"), "w")
        self.process = None

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.port_file)
        self.process = subprocess.Popen([self.program, "--config", self.config], stderr=self.log, stdout=self.log)
        deadline = time.monotonic() + 30
        while not os.path.exists(self.port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("postern-https did not start:\n" + self.log_text())
            time.sleep(0.02)
        self.port = int(open(self.port_file).read())
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None

    def log_text(self):
        self.log.flush()
        return open(self.log.name).read()

    # ---- ways to talk to it ----

    def connection(self, name="alice"):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.pki.context(name), timeout=20)

    def request(self, method, path, body=None, headers=None, name="alice"):
        connection = self.connection(name)
        try:
            return ask(connection, method, path, body, headers)
        finally:
            connection.close()

    def post(self, body, path="/v1/messages", **headers):
        content = "application/x-ndjson" if path.endswith("batch") else "application/json"
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return self.request(
            "POST", path, data, {"Content-Type": content, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )

    def raw(self, name="alice"):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.pki.context(name).wrap_socket(plain, server_hostname="localhost")

    def curl(self, name, path="/v1/health", *words):
        """(exit code, HTTP status) of curl with the client certificate of that name."""
        command = [
            "curl",
            "-sS",
            "-o",
            os.path.join(self.folder, "curl.out"),
            "-w",
            "%{http_code}",
            "--cacert",
            self.pki.path("ca-good") + "/ca.pem",
        ]
        if name:
            command += ["--cert", self.pki.path(name + ".pem"), "--key", self.pki.path(name + ".key")]
        done = subprocess.run(
            command + list(words) + [f"https://127.0.0.1:{self.port}{path}"], capture_output=True, text=True
        )
        return done.returncode, done.stdout


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]

    def codes(self):
        return {fault["pointer"]: fault["code"] for fault in self.json.get("errors", [])}

    def code(self):
        return self.json["type"].removeprefix("urn:postern:problem:")

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body=body, headers=headers or {})
    return Answer(connection.getresponse())


def read_all(sock):
    data = b""
    try:
        while more := sock.recv(65536):
            data += more
    except (ssl.SSLError, OSError):
        pass
    return data


def message(**changes):
    good = {
        "category": "otp",
        "template": "login-code",
        "variables": {"code": "123456", "amount": 10.50},
        "recipient": {"phone": "067 123 45 67"},
    }
    good.update(changes)
    return {key: value for key, value in good.items() if value is not None}


# ---- the vault's part ----


class Played:
    """What the played vault says; a test changes `verdict` and `answer`."""

    def __init__(self):
        self.wire = load_wire()
        self.count = 0
        self.verdict = None
        self.answer = None
        self.away = False
        self.hold = threading.Event()
        self.hold.set()

    def on_submit(self, submit):
        self.hold.wait(30)
        if self.away:
            raise OSError("the vault is away")
        self.count += 1
        V = self.wire.Verdict
        if self.verdict:
            return self.verdict(submit)
        return V(outcome=V.VALID if submit.validate_only else V.STORED, id=UUID % self.count)

    def on_query(self, query):
        answer = self.answer(query) if self.answer else self.wire.Answer(outcome=self.wire.Answer.OK)
        if answer is not None:
            answer.tag = query.tag
        return answer


# ---- the tests ----


def test_certificates(source, vault, pki):
    check("a client with a good certificate is served", source.curl("alice") == (0, "200"), source.curl("alice"))
    peer = vault.connector("https-main")
    cases = [
        ("no certificate", None, "no-certificate"),
        ("an expired one", "old", "expired"),
        ("one not valid yet", "future", "not-yet-valid"),
        ("one of another CA", "stranger", "unknown-ca"),
        ("a revoked one", "revoked", "revoked"),
        ("a server's one", "wrongusage", "wrong-purpose"),
        ("one without a name", "nameless", "no-name"),
    ]
    for what, name, reason in cases:
        code, status = source.curl(name)
        check(f"{what} is refused before a byte of HTTP is read", code != 0 and status == "000", (code, status))
    seen = {}
    O = vault.wire.Observation
    deadline = time.monotonic() + 10
    while len(seen) < len(cases) and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            o = peer.wait_observation(O.TLS_REFUSED, timeout=2)
            seen[o.reason] = o
    for what, name, reason in cases:
        check(f"the refusal of {what} reaches the audit log as {reason}", reason in seen, sorted(seen))
        if name and reason in seen and reason != "no-name":
            check(
                f"... with its certificate's fingerprint ({reason})",
                seen[reason].object == pki.fingerprint(name),
                seen[reason].object,
            )
    for _ in range(5):
        source.curl(None)
    for _ in range(5):
        socket.create_connection(("127.0.0.1", source.port)).close()
    total = 0
    for _ in range(5):
        total += peer.wait_observation(O.TLS_REFUSED).count
        if total == 5:
            break
    check("refusals of one kind are told together with their number", total == 5, total)
    text = source.request("GET", "/v1/metrics").body
    check(
        "a connection that only looks whether somebody listens is no refusal",
        b"postern_https_handshakes_lost_total 5" in text,
        text,
    )


def test_submit(source, vault, played):
    peer = vault.connector("https-main")
    wire = vault.wire
    body = json.dumps(
        message(
            reference="r-1",
            scenario="fast",
            deadline="5m",
            send_at="2027-01-02T03:04:05.678+02:00",
            recipient={
                "phone": "067 123 45 67",
                "email": "anna@bank.example",
                "reference": "cust-7",
                "push": [{"token": "abc", "platform": "fcm"}],
                "whatsapp": "+380501112233",
                "locale": "uk-UA",
                "time_zone": "Europe/Kyiv",
            },
        )
    )
    before = len(peer.submits)
    answer = source.post(body, Idempotency_Key='"k-1"')
    submit = peer.submits[before]
    check(
        "a stored message is answered 202 with its id",
        answer.status == 202 and answer.json["status"] == "accepted",
        answer,
    )
    check("... and its Location", answer.headers["Location"] == "/v1/messages/" + answer.json["id"], answer.headers)
    sent_at = 1798851845678 - 0
    check(
        "the vault gets every field",
        submit.identity == "urn:bank:alice"
        and submit.idempotency_key == "k-1"
        and submit.reference == "r-1"
        and submit.fingerprint == hashlib.sha256(body.encode()).digest()
        and submit.category == wire.OTP
        and submit.scenario == "fast"
        and submit.template == "login-code"
        and submit.recipient.phone == "380671234567"
        and submit.recipient.email == "anna@bank.example"
        and submit.recipient.reference == "cust-7"
        and submit.recipient.push[0].token == "abc"
        and submit.recipient.push[0].platform == "fcm"
        and submit.recipient.whatsapp == "380501112233"
        and submit.recipient.locale == "uk-UA"
        and submit.recipient.time_zone == "Europe/Kyiv"
        and {v.name: v.value for v in submit.variable} == {"code": "123456", "amount": "10.5"}
        and submit.send_at_ms == sent_at
        and submit.deadline_ms == sent_at + 300_000
        and not submit.validate_only,
        submit,
    )

    V = wire.Verdict

    def say(**fields):
        played.verdict = lambda submit: V(**fields)

    say(outcome=V.REPLAYED, id=UUID % 7)
    answer = source.post(message(), Idempotency_Key="bare-key_1")
    check(
        "a replay is 202 with the first id and says so",
        answer.status == 202 and answer.json["id"] == UUID % 7 and answer.headers["Idempotent-Replayed"] == "true",
        answer,
    )
    say(outcome=V.INVALID, problem=[wire.Problem(pointer="/variables/amount", code="missing-variable", detail="d")])
    answer = source.post(message())
    check(
        "what the vault finds invalid is 422 with its pointer",
        answer.status == 422
        and answer.codes() == {"/variables/amount": "missing-variable"}
        and answer.headers["Content-Type"] == "application/problem+json",
        answer,
    )
    for outcome, status, code, retry in [
        (V.KEY_REUSED, 422, "idempotency-key-reused", None),
        (V.CLIENT_UNKNOWN, 403, "client-unknown", None),
        (V.FORBIDDEN, 403, "forbidden", None),
        (V.BUSY, 429, "rate", "3"),
        (V.UNAVAILABLE, 503, "unavailable", "3"),
    ]:
        say(outcome=outcome, retry_after_ms=2500)
        answer = source.post(message())
        check(f"{V.Outcome.Name(outcome)} is {status}", answer.status == status and answer.code() == code, answer)
        check(f"... with Retry-After {retry}", answer.headers["Retry-After"] == retry, answer.headers)
    played.verdict = None

    answer = source.post(message(), path="/v1/messages:validate")
    check("a valid message validates", answer.status == 200 and answer.json == {"valid": True}, answer)
    check("... and is not stored", peer.submits[-1].validate_only)


def test_refused_here(source, vault):
    peer = vault.connector("https-main")
    before = len(peer.submits)
    for what, body, status, code in [
        ("broken JSON", '{"category":', 400, "json-malformed"),
        ("a repeated key", '{"category":"otp","category":"otp"}', 400, "json-repeated-key"),
        ("deep nesting", "[" * 5000 + "]" * 5000, 400, "json-too-deep"),
        ("bytes that are not UTF-8", b'{"text":"\xff"}', 400, "json-not-utf8"),
        ("something after the JSON", json.dumps(message()) + "x", 400, "json-trailing-bytes"),
        ("no body", "", 400, "json-empty"),
        ("a list", "[]", 422, "invalid"),
    ]:
        answer = source.post(body)
        check(f"{what} is {status} {code}", answer.status == status and answer.code() == code, answer)

    answer = source.post(message(colour="red", recipient={"phone": "+380671234567", "fax": "1"}))
    check(
        "unknown fields are refused and named",
        answer.status == 422 and answer.codes() == {"/colour": "unknown-field", "/recipient/fax": "unknown-field"},
        answer,
    )
    answer = source.post(
        {"category": "gossip", "recipient": {"phone": "abc", "push": [{"token": ""}]}, "variables": {"a": []}}
    )
    check(
        "every fault is told with its place",
        answer.codes()
        == {
            "/category": "unknown-value",
            "/recipient/phone": "phone-malformed",
            "/recipient/push/0/token": "empty",
            "/recipient/push/0/platform": "missing",
            "/variables/a": "wrong-type",
            "": "content-missing",
        },
        answer,
    )
    answer = source.post(message(recipient={"phone": "+49 30 901820"}))
    check("a fixed line is refused", answer.codes() == {"/recipient/phone": "phone-fixed-line"}, answer)
    check("no fault repeats a value", b"901820" not in answer.body, answer)

    for what, headers, status in [
        ("another content type", {"Content-Type": "text/plain"}, 415),
        ("none", {}, 415),
        ("a content coding", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ("a malformed key", {"Content-Type": "application/json", "Idempotency-Key": '"a'}, 400),
    ]:
        answer = source.request("POST", "/v1/messages", json.dumps(message()), headers)
        check(f"{what} is {status}", answer.status == status, answer)
    answer = source.post("{}\n", path="/v1/messages:batch", Idempotency_Key="k")
    check(
        "a batch with a key in its header is 400", answer.status == 400 and answer.code() == "idempotency-key", answer
    )

    answer = source.request("PUT", "/v1/messages")
    check("a wrong method is 405 with Allow", answer.status == 405 and answer.headers["Allow"] == "POST, GET", answer)
    answer = source.request("PUT", "/v1/messages/" + UUID % 1)
    check("... also for one message", answer.status == 405 and answer.headers["Allow"] == "GET, DELETE, PATCH", answer)
    for path in ("/", "/v2/messages", "/v1/messages/", "/v1/messages/not-an-id", "/v1/message"):
        check(f"{path} is 404", source.request("GET", path).status == 404)

    big = '{"text":"' + "x" * (300 * 1024) + '"}'
    with source.raw() as sock:
        sock.sendall(
            b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99999999\r\n\r\n"
        )
        check("a body over the limit is 413 before it is read", read_all(sock).startswith(b"HTTP/1.1 413 "))
    with source.raw() as sock:
        sock.sendall(
            b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            sock.sendall(f"{len(big):x}\r\n".encode() + big.encode() + b"\r\n0\r\n\r\n")
        check("... also in chunks", read_all(sock).startswith(b"HTTP/1.1 413 "))
    check("nothing of all this reached the vault", len(peer.submits) == before, len(peer.submits) - before)


def test_http(source, vault):
    post = json.dumps(message()).encode()
    head = b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    one = head + b"Content-Length: %d\r\n\r\n" % len(post) + post

    with source.raw() as sock:
        sock.sendall(
            b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + one
        )
        data = read_all(sock)
        check(
            "a smuggling attempt is 400 and ends the connection",
            data.startswith(b"HTTP/1.1 400 ") and data.count(b"HTTP/1.1") == 1,
            data,
        )
    with source.raw() as sock:
        sock.sendall(b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n")
        check("a head over its limit is 431", read_all(sock).startswith(b"HTTP/1.1 431 "))

    with source.raw() as sock:
        sock.sendall(
            b"HEAD /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"
            b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        data = read_all(sock)
        check(
            "an answer to HEAD has no body that the next could be mistaken for",
            data.startswith(b"HTTP/1.1 405 ") and data.split(b"\r\n\r\n", 1)[1].startswith(b"HTTP/1.1 200 "),
            data,
        )
    with source.raw() as sock:
        expect = head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(post) + post
        sock.sendall(one + expect + expect + one.replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n"))
        data = read_all(sock)
        check(
            "100 Continue never follows the answer to its own request",
            data.count(b"HTTP/1.1 202 ") == 4 and b" 100 " not in data,
            data,
        )

    with source.raw() as sock:
        pipelined = [one, b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"] * 20
        sock.sendall(b"".join(pipelined) + one.replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n"))
        statuses = [
            part.split(b" ")[1] for part in read_all(sock).split(b"HTTP/1.1")[1:] for part in [b" " + part.lstrip()]
        ]
        check("pipelined requests are answered in their order", statuses == [b"202", b"200"] * 20 + [b"202"], statuses)

    # More answers than a small socket takes: some find it full.
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(20)
    plain.connect(("127.0.0.1", source.port))
    with source.pki.context("alice").wrap_socket(plain, server_hostname="localhost") as sock:
        health = b"GET /v1/health HTTP/1.1\r\nHost: a\r\n"
        sock.sendall((health + b"\r\n") * 4000 + health + b"Connection: close\r\n\r\n")
        data = read_all(sock)
        check("a client that reads late misses no answer", data.count(b"HTTP/1.1 200 OK\r\n") == 4001, (len(data), data.count(b"HTTP/1.1 200 OK")))

    with source.raw() as sock:
        chunked = (
            b"".join(b"%x\r\n%b\r\n" % (len(post[i : i + 7]), post[i : i + 7]) for i in range(0, len(post), 7))
            + b"0\r\n\r\n"
        )
        data = head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunked
        for i in range(0, len(data), 11):
            sock.sendall(data[i : i + 11])
        check("a chunked body in small pieces is read", read_all(sock).startswith(b"HTTP/1.1 202 "))

    with source.raw() as sock:
        sock.sendall(head + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(post))
        first = sock.recv(1000)
        sock.sendall(post)
        check(
            "Expect: 100-continue is served",
            first == b"HTTP/1.1 100 Continue\r\n\r\n" and read_all(sock).startswith(b"HTTP/1.1 202 "),
            first,
        )

    begun = time.monotonic()
    with source.raw() as sock:
        with contextlib.suppress(OSError):
            for byte in b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000:
                sock.sendall(bytes([byte]))
                time.sleep(0.02)
                if time.monotonic() - begun > 1.2:
                    break
        data = read_all(sock)
        span = time.monotonic() - begun
        check(
            "a head that drips in is 408 by total time",
            data.startswith(b"HTTP/1.1 408 ") and 0.9 < span < 2.5,
            (data[:40], span),
        )
    begun = time.monotonic()
    with source.raw() as sock:
        sock.sendall(head + b"Content-Length: 5000\r\n\r\n{")
        data = read_all(sock)
        span = time.monotonic() - begun
        check(
            "a body that does not come is 408",
            data.startswith(b"HTTP/1.1 408 ") and 1.3 < span < 3.5,
            (data[:40], span),
        )
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", source.port)) as sock:
        data = sock.recv(100)
        check("a connection without a handshake ends", data == b"" and time.monotonic() - begun < 4, data)

    connection = source.connection()
    answers = [ask(connection, "GET", "/v1/health") for _ in range(50)]
    local = connection.sock.getsockname()
    check(
        "a connection is kept for many requests",
        all(a.status == 200 for a in answers) and connection.sock.getsockname() == local,
    )
    connection.close()

    openapi = source.request("GET", "/v1/openapi.json")
    check("the description is served", openapi.status == 200 and openapi.json["openapi"] == "3.1.0")


def test_smuggling(source, vault):
    peer = vault.connector("https-main")
    before = len(peer.submits)
    with open(
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "http", "smuggling.json")
    ) as file:
        cases = json.load(file)
    wrong = []
    for case in cases:
        with source.raw() as sock:
            with contextlib.suppress(OSError):
                sock.sendall(case["bytes"].encode("latin-1"))
            data = read_all(sock)
            if (
                data.count(b"\r\nDate: ") != 1
                or not data.startswith(b"HTTP/1.1 4")
                and not data.startswith(b"HTTP/1.1 505")
            ):
                wrong.append((case["name"], data[:60]))
    check(
        f"each of {len(cases)} smuggling cases is refused once and ends its connection",
        len(cases) > 200 and not wrong,
        wrong,
    )
    check("... and none reaches the vault", len(peer.submits) == before)


def test_batch(source, vault, played):
    V = vault.wire.Verdict

    def verdict(submit):
        if submit.idempotency_key == "again":
            return V(outcome=V.REPLAYED, id=UUID % 99)
        if submit.idempotency_key == "bad":
            return V(
                outcome=V.INVALID,
                problem=[vault.wire.Problem(pointer="/template", code="unknown-template", detail="d")],
            )
        return V(outcome=V.STORED, id=UUID % int(submit.reference))

    played.verdict = verdict
    lines = [
        json.dumps(message(reference="0")),
        json.dumps(message(idempotency_key="again")),
        "{broken",
        "",
        json.dumps(message(idempotency_key="bad")),
        json.dumps(message(recipient={"phone": "12"})),
        json.dumps(message(reference="6")),
    ]
    answer = source.post("\n".join(lines) + "\n", path="/v1/messages:batch")
    got = answer.lines()
    check(
        "a batch answers each line in order",
        answer.status == 200
        and [g["index"] for g in got] == list(range(7))
        and answer.headers["Content-Type"] == "application/x-ndjson",
        answer,
    )
    check(
        "... with its own verdict",
        [g["status"] for g in got] == [202, 202, 400, 400, 422, 422, 202]
        and got[0]["id"] == UUID % 0
        and got[1]["replayed"]
        and got[6]["id"] == UUID % 6
        and got[4]["problem"]["errors"][0]["pointer"] == "/template"
        and got[5]["problem"]["errors"][0]["code"] == "phone-impossible",
        got,
    )

    many = "\n".join(json.dumps(message(reference=str(i))) for i in range(1000))
    answer = source.post(many, path="/v1/messages:batch")
    got = answer.lines()
    check(
        "a batch of 1000 goes through a window of 40",
        answer.status == 200
        and len(got) == 1000
        and all(g["status"] == 202 and g["index"] == i and g["id"] == UUID % i for i, g in enumerate(got)),
        answer,
    )
    answer = source.post(many + "\n{}", path="/v1/messages:batch")
    check("a batch of 1001 is refused whole", answer.status == 422 and answer.code() == "batch-size", answer)
    played.verdict = None


def test_queries(source, vault, played):
    wire = vault.wire
    A = wire.Answer
    view = wire.MessageView(
        id=UUID % 5,
        reference="r",
        category=wire.TRANSACTION,
        state=wire.DELIVERED,
        accepted_ms=1700000000123,
        deadline_ms=1700000300000,
        attempt=[
            wire.AttemptView(
                number=1,
                channel="sms",
                connector="smpp-main",
                progress=wire.DELIVERED,
                handed_ms=1700000000200,
                changed_ms=1700000001000,
                parts=2,
            )
        ],
    )
    seen = []

    def answer_query(query):
        seen.append(query)
        which = query.WhichOneof("ask")
        if which in ("get", "cancel"):
            last = int(getattr(query, which)[-2:], 16)
            return {
                5: A(outcome=A.OK, message=view),
                6: A(outcome=A.NOT_FOUND),
                7: A(outcome=A.TOO_LATE),
                8: A(outcome=A.FORBIDDEN),
            }[last]
        if which == "app_receipt":
            return A(outcome=A.NOT_FOUND if query.app_receipt.id == UUID % 6 else A.OK)
        if which == "metrics":
            return A(outcome=A.OK, metrics="postern_messages_total 5\n")
        return None

    played.answer = answer_query

    answer = source.request("GET", "/v1/messages/" + UUID % 5)
    check(
        "a message can be read",
        answer.status == 200
        and answer.json
        == {
            "id": UUID % 5,
            "reference": "r",
            "category": "transaction",
            "state": "delivered",
            "accepted_at": "2023-11-14T22:13:20.123Z",
            "deadline": "2023-11-14T22:18:20.000Z",
            "attempts": [
                {
                    "number": 1,
                    "channel": "sms",
                    "connector": "smpp-main",
                    "state": "delivered",
                    "handed_at": "2023-11-14T22:13:20.200Z",
                    "changed_at": "2023-11-14T22:13:21.000Z",
                    "parts": 2,
                }
            ],
        },
        answer,
    )
    check("the question carries the client's name", seen[-1].identity == "urn:bank:alice", seen[-1])
    check("a foreign message is 404", source.request("GET", "/v1/messages/" + UUID % 6).status == 404)
    check(
        "a cancel is 200",
        source.request("DELETE", "/v1/messages/" + UUID % 5).status == 200 and seen[-1].cancel == UUID % 5,
    )
    check("a late cancel is 409", source.request("DELETE", "/v1/messages/" + UUID % 7).status == 409)
    check("a forbidden cancel is 403", source.request("DELETE", "/v1/messages/" + UUID % 8).status == 403)

    answer = source.post({"id": UUID % 5, "status": "read"}, path="/v1/receipts")
    check(
        "an app's receipt is taken",
        answer.status == 204 and answer.body == b"" and seen[-1].app_receipt.progress == wire.READ,
        answer,
    )
    answer = source.post(
        [{"id": UUID % 5, "status": "delivered"}, {"id": UUID % 6, "status": "read"}], path="/v1/receipts"
    )
    check(
        "a list of receipts has a result for each", [r["status"] for r in answer.json["results"]] == [204, 404], answer
    )
    answer = source.post(
        [{"id": UUID % 5, "status": "eaten"}, {"id": 7, "status": "read", "x": 1}], path="/v1/receipts"
    )
    check(
        "a faulty list is refused whole",
        answer.status == 422
        and answer.codes() == {"/0/status": "unknown-value", "/1/id": "malformed", "/1/x": "unknown-field"},
        answer,
    )

    metrics = source.request("GET", "/v1/metrics")
    text = metrics.body.decode()
    check(
        "metrics are the vault's and our own",
        metrics.status == 200
        and "postern_messages_total 5" in text
        and 'postern_https_requests_total{route="read",status="404"} 1' in text
        and 'postern_https_tls_refused_total{reason="revoked"} 1' in text,
        text,
    )

    peer = vault.connector("https-main")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        count = len(peer.queries)
        poll = pool.submit(source.request, "GET", "/v1/events?after=41&limit=10&wait=20")
        query = peer.wait(lambda: len(peer.queries) > count and peer.queries[count], "the events query")
        check(
            "a long poll asks the vault",
            query.events.after == 41 and query.events.limit == 10 and query.events.wait_ms == 20000,
            query,
        )
        check("... and waits", not poll.done())
        peer.send(
            answer=[
                A(
                    tag=query.tag,
                    outcome=A.OK,
                    cursor=42,
                    event=[
                        wire.Event(
                            sequence=42,
                            id=UUID % 5,
                            progress=wire.REPLIED,
                            channel="sms",
                            at_ms=1700000000000,
                            text='YES \u2713 "q"',
                        )
                    ],
                )
            ]
        )
        answer = poll.result(10)
        check(
            "an event ends it",
            answer.json
            == {
                "cursor": 42,
                "events": [
                    {
                        "sequence": 42,
                        "id": UUID % 5,
                        "state": "replied",
                        "channel": "sms",
                        "at": "2023-11-14T22:13:20.000Z",
                        "text": 'YES \u2713 "q"',
                    }
                ],
            },
            answer,
        )
    for query in ("limit=0", "limit=1001", "wait=61", "after=-1", "after=1&after=2", "cursor=1", "wait"):
        check(f"?{query} is 400", source.request("GET", "/v1/events?" + query).status == 400)
    played.answer = None


def test_window_and_silence(source, vault, played):
    played.hold.clear()
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(source.post, message()) for _ in range(60)]
        done, _ = concurrent.futures.wait(waiting, timeout=15, return_when=concurrent.futures.FIRST_COMPLETED)
        deadline = time.monotonic() + 15
        while sum(w.done() for w in waiting) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        early = [w.result() for w in waiting if w.done()]
        check(
            "more than the window is refused at once",
            len(early) == 20
            and all(a.status == 503 and a.code() == "window" and a.headers["Retry-After"] == "1" for a in early),
            [str(a) for a in early[:3]],
        )
        late = [w.result() for w in waiting if w.result()]
        silent = [a for a in late if a.status == 503 and a.code() == "in-doubt"]
        check(
            "a silent vault is 503 and says that the outcome is not known", len(silent) == 40, [a.code() for a in late]
        )
    played.hold.set()
    vault.connector("https-main")
    deadline = time.monotonic() + 10
    while played.count < 40 and time.monotonic() < deadline:
        time.sleep(0.02)
    check("late verdicts harm nobody", source.post(message()).status == 202)


def test_vault_away(source, vault, played):
    peer = vault.connector("https-main")
    played.hold.clear()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        count = len(peer.submits)
        under_way = pool.submit(source.post, message(), Idempotency_Key="k-away")
        peer.wait(lambda: len(peer.submits) > count, "the submit")
        played.away = True
        vault.stop_listening()
        answer = under_way.result(10)
        check(
            "a message under way when the vault goes is 503 in doubt",
            answer.status == 503 and answer.code() == "in-doubt",
            answer,
        )
    played.hold.set()
    answer = source.post(message())
    check(
        "without the vault a message is 503",
        answer.status == 503 and answer.code() == "no-vault" and answer.headers["Retry-After"] == "1",
        answer,
    )
    health = source.request("GET", "/v1/health")
    check("health says so", health.status == 503 and health.json == {"status": "no-vault"}, health)
    check("metrics still tell our own", b"postern_https_vault_up 0" in source.request("GET", "/v1/metrics").body)
    answer = source.post(json.dumps(message()) + "\n" + json.dumps(message()), path="/v1/messages:batch")
    check("a batch is 503 too", answer.status == 503, answer)

    played.away = False
    vault.locked = True
    vault.listen()
    deadline = time.monotonic() + 10
    while source.request("GET", "/v1/health").json != {"status": "locked"} and time.monotonic() < deadline:
        time.sleep(0.05)
    answer = source.post(message())
    check("a locked vault is 503 and named", answer.status == 503 and answer.code() == "locked", answer)
    vault.locked = False
    vault.connector("https-main")
    deadline = time.monotonic() + 10
    while source.request("GET", "/v1/health").status != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    check("it recovers by itself", source.post(message()).status == 202)


def test_revocation_while_connected(source, vault, pki):
    peer = vault.connector("https-main")
    bob, alice = source.connection("bob"), source.connection()
    check(
        "bob is served", ask(bob, "GET", "/v1/health").status == 200 and ask(alice, "GET", "/v1/health").status == 200
    )
    pki.revoke("bob")
    pki.write_crl()
    begun = time.monotonic()
    ended = bob.sock.recv(1) == b""
    span = time.monotonic() - begun
    check("a newly revoked client is cut off when the list changes", ended and span < 5, span)
    check("... others stay connected", ask(alice, "GET", "/v1/health").status == 200)
    observed = None
    with contextlib.suppress(TimeoutError):
        while not observed or observed.object != pki.fingerprint("bob"):
            observed = peer.wait_observation(vault.wire.Observation.TLS_REFUSED, timeout=5)
    check(
        "... and the cut is observed",
        observed is not None and observed.reason == "revoked" and observed.object == pki.fingerprint("bob"),
        observed,
    )
    check("... nor can it connect again", source.curl("bob")[0] != 0)
    with open(pki.path("crl.pem")) as file:
        good = file.read()
    with open(pki.path("crl.pem"), "w") as file:
        file.write("nonsense")
    os.kill(source.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + 5
    while "tls.reload-failed" not in source.log_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    check(
        "a broken list changes nothing",
        "tls.reload-failed" in source.log_text() and source.curl("alice") == (0, "200") and source.curl("bob")[0] != 0,
    )
    with open(pki.path("crl.pem"), "w") as file:
        file.write(good)


def test_no_resumption(source, pki):
    context = pki.context("carol")
    health = b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", source.port), timeout=10), server_hostname="localhost"
    ) as first:
        first.sendall(health)
        first.recv(4096)
        session = first.session
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", source.port), timeout=10), server_hostname="localhost", session=session
    ) as second:
        second.sendall(health)
        data = second.recv(4096)
        check(
            "no session is resumed: each connection shows its certificate",
            data.startswith(b"HTTP/1.1 200") and not second.session_reused,
            data,
        )


def test_systemd_socket(build, folder, pki, vault):
    listening = socket.create_server(("127.0.0.1", 0))
    sub = os.path.join(folder, "systemd")
    os.mkdir(sub)
    source = Source(build, sub, pki, vault.path)
    text = (
        open(source.config)
        .read()
        .replace('listen = "127.0.0.1:0"', 'listen = "systemd"')
        .replace("https-main", "https-socket")
    )
    open(source.config, "w").write(text)
    with open(os.path.join(sub, "out"), "w") as out:
        without = subprocess.run([source.program, "--config", source.config], stderr=out, stdout=out)
        check(
            "without a passed socket the program says so",
            without.returncode == 1 and "systemd passed no socket" in open(out.name).read(),
            open(out.name).read(),
        )
        process = subprocess.Popen(
            [
                "sh",
                "-c",
                f'exec 3<&{listening.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --config "$1"',
                source.program,
                source.config,
            ],
            pass_fds=[listening.fileno()],
            stderr=out,
            stdout=out,
        )
        try:
            source.port = listening.getsockname()[1]
            vault.connector("https-socket")
            deadline = time.monotonic() + 10
            while source.curl("alice") != (0, "200") and time.monotonic() < deadline:
                time.sleep(0.05)
            check("a socket that systemd passed is served", source.curl("alice") == (0, "200"), open(out.name).read())
        finally:
            process.terminate()
            check("... and drained", process.wait(15) == 0)
            listening.close()


def test_limits(source):
    socks = []
    try:
        for _ in range(199):
            socks.append(socket.create_connection(("127.0.0.1", source.port), timeout=10))
        extra = [socket.create_connection(("127.0.0.1", source.port), timeout=10) for _ in range(4)]
        socks += extra
        check("connections of one peer over the limit are closed at once", extra[-1].recv(1) == b"")
    finally:
        for sock in socks:
            sock.close()
    deadline = time.monotonic() + 10
    while source.curl("alice") != (0, "200") and time.monotonic() < deadline:
        time.sleep(0.05)
    check("and the next ones are served again", source.curl("alice") == (0, "200"))


def test_floods(build, folder, pki, vault):
    """Who keeps a handshake open for nothing gives way, and no flood of them takes the thread from those who are in."""
    sub = os.path.join(folder, "floods")
    os.mkdir(sub)
    source = Source(build, sub, pki, vault.path)
    text = open(source.config).read().replace("https-main", "https-floods")
    open(source.config, "w").write(
        text.replace('handshake_time = "1500ms"', 'handshake_time = "30s"\nhandshakes = 20\nhandshakes_per_second = 50')
    )
    source.start()
    silent = []
    try:
        vault.connector("https-floods")
        deadline = time.monotonic() + 10
        while source.curl("alice") != (0, "200") and time.monotonic() < deadline:
            time.sleep(0.05)
        inside = source.connection()
        ask(inside, "GET", "/v1/health")
        silent += [socket.create_connection(("127.0.0.1", source.port), timeout=10) for _ in range(20)]
        check("a new client comes in although all places for handshakes are taken", source.curl("alice") == (0, "200"))
        check("... in place of the oldest one", silent[0].recv(1) == b"")
        # Far more than may begin: they wait, and the clients that are in do not wait for them.
        silent += [socket.create_connection(("127.0.0.1", source.port), timeout=10) for _ in range(150)]
        check("a client that is in is answered meanwhile", ask(inside, "GET", "/v1/health").status == 200)
        check("a new one comes in when its turn has come", source.curl("alice") == (0, "200"))
        # A dozen seconds of handshakes, from other addresses.
        silent += [socket.create_connection(("127.0.0.1", source.port), 10, (f"127.0.0.{10 + i % 4}", 0)) for i in range(600)]
        begun = time.monotonic()
        check("a new client's turn is after one of each address", source.curl("alice") == (0, "200"))
        check("... not after all that came before it", time.monotonic() - begun < 5, time.monotonic() - begun)
        while silent:
            silent.pop().close()
        begun = time.monotonic()
        check("nobody waits for those who have left", [source.curl("alice") for _ in range(3)] == [(0, "200")] * 3)
        check("... though their turn had come first", time.monotonic() - begun < 5, time.monotonic() - begun)
    finally:
        for sock in silent:
            sock.close()
        source.stop()


def test_drain(source, vault, played):
    peer = vault.connector("https-main")
    idle = source.connection()
    ask(idle, "GET", "/v1/health")
    played.answer = lambda query: None
    played.hold.clear()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        submits, queries = len(peer.submits), len(peer.queries)
        poll = pool.submit(source.request, "GET", "/v1/events?after=7&wait=60")
        peer.wait(lambda: len(peer.queries) > queries, "the poll")
        under_way = pool.submit(source.post, message())
        peer.wait(lambda: len(peer.submits) > submits, "the submit")
        source.process.terminate()
        answer = poll.result(10)
        check(
            "on drain a long poll ends without events",
            answer.status == 200 and answer.json == {"events": [], "cursor": 7},
            answer,
        )
        check("an idle connection is closed", idle.sock.recv(1) == b"")
        check("a message under way is not", not under_way.done())
        refused = False
        try:
            socket.create_connection(("127.0.0.1", source.port), timeout=5).close()
        except ConnectionRefusedError:
            refused = True
        check("new connections are refused", refused)
        played.hold.set()
        answer = under_way.result(10)
        check(
            "it gets its answer and Connection: close",
            answer.status == 202 and answer.headers["Connection"] == "close",
            answer,
        )
    code = source.process.wait(15)
    check("the process ends with 0", code == 0, code)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    folder = tempfile.mkdtemp(prefix="postern-https-")
    source = None
    try:
        pki = Pki(folder)
        for name in ("alice", "bob", "carol", "revoked"):
            pki.issue(name, san=f"URI:urn:bank:{name},DNS:{name}.bank.example")
        pki.issue("old", san="URI:urn:bank:old", start="200101000000Z", end="210101000000Z")
        pki.issue("future", san="URI:urn:bank:future", start="400101000000Z", end="410101000000Z")
        pki.issue("stranger", san="URI:urn:bank:alice", ca="other")
        pki.issue("wrongusage", san="URI:urn:bank:alice", usage="serverAuth")
        pki.issue("nameless", san=None)
        pki.revoke("revoked")
        pki.write_crl()
        played = Played()
        with VaultPlayer(
            os.path.join(folder, "bus.sock"), submit_window=40, on_submit=played.on_submit, on_query=played.on_query
        ) as vault:
            source = Source(build, folder, pki, vault.path, extra='answer_timeout = "2s"\n').start()
            checked = subprocess.run(
                [source.program, "--config", source.config, "--check"], capture_output=True, text=True
            )
            check("--check accepts the settings", checked.returncode == 0, checked.stdout + checked.stderr)
            vault.connector("https-main")
            deadline = time.monotonic() + 10
            while source.curl("alice") != (0, "200") and time.monotonic() < deadline:
                time.sleep(0.05)
            test_certificates(source, vault, pki)
            test_submit(source, vault, played)
            test_refused_here(source, vault)
            test_http(source, vault)
            test_smuggling(source, vault)
            test_batch(source, vault, played)
            test_queries(source, vault, played)
            test_no_resumption(source, pki)
            test_systemd_socket(build, folder, pki, vault)
            test_window_and_silence(source, vault, played)
            test_vault_away(source, vault, played)
            test_revocation_while_connected(source, vault, pki)
            test_limits(source)
            test_floods(build, folder, pki, vault)
            test_drain(source, vault, played)
            # A certificate's fingerprint may hold any three letters.
            text = re.sub(r"\b[0-9a-f]{64}\b", "", source.log_text())
            for secret in ("123456", "671234567", "anna@bank.example", "abc"):
                check(
                    "the log holds no personal data",
                    secret not in text,
                    [l for l in text.splitlines() if secret in l][:1],
                )
            check("libevent complained of nothing", "[warn]" not in text and "[err]" not in text)
            check("no sanitizer spoke", "ERROR: " not in text and "runtime error" not in text, text[-3000:])
    finally:
        if source:
            source.stop()
            if failures:
                print(source.log_text()[-4000:])
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} failed" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
