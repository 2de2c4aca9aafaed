# SPDX-License-Identifier: Apache-2.0
"""A whole sandbox bank for a test: real programs on free loopback ports in a temporary folder, asked the way a bank's
systems and administrators ask."""

import contextlib
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time

FINAL = {"reached", "failed", "expired", "cancelled", "suppressed"}


class Checks:
    """One line a check; `finish()` gives the exit code."""

    def __init__(self):
        self.failed = 0

    def __call__(self, good, what, seen=None):
        print(("ok      " if good else "FAILED  ") + what, flush=True)
        if not good:
            self.failed += 1
            if seen is not None:
                print(f"        saw {str(seen)[:2000]}", flush=True)
        return bool(good)

    def finish(self):
        print("all good" if not self.failed else f"{self.failed} failed", flush=True)
        return 1 if self.failed else 0


def wait_for(what, condition, timeout=60.0, pause=0.05):
    """The first true value of `condition`, asked again and again until the time is over."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(pause)


class Client:
    """One system of the bank, known by its certificate; keeps one connection."""

    def __init__(self, bank, name):
        self.bank, self.name, self.connection = bank, name, None

    def ask(self, method, path, body=None, **headers):
        """(status, headers, body as JSON or text). A lost connection is raised, after it was closed."""
        if self.connection is None:
            context = ssl.create_default_context(cafile=self.bank.path("pki/ca.pem"))
            context.load_cert_chain(self.bank.path(f"pki/{self.name}.pem"), self.bank.path(f"pki/{self.name}.key"))
            self.connection = http.client.HTTPSConnection("127.0.0.1", self.bank.port("https"), context=context,
                                                          timeout=90)
        try:
            fields = {key.replace("_", "-"): value for key, value in headers.items()}
            if body is not None and "Content-Type" not in fields:
                fields["Content-Type"] = "application/json"
            self.connection.request(method, path, body, fields)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        is_json = "json" in (answer.headers.get("Content-Type") or "") and "ndjson" not in answer.headers["Content-Type"]
        return answer.status, answer.headers, json.loads(content) if is_json and content else content.decode()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def submit(self, message, key=None):
        """The id of an accepted message."""
        status, _, body = self.ask("POST", "/v1/messages", json.dumps(message), **({"Idempotency_Key": key} if key else {}))
        if status != 202:
            raise AssertionError(f"not accepted: {status} {body}")
        return body["id"]

    def message(self, identifier):
        status, _, body = self.ask("GET", f"/v1/messages/{identifier}")
        if status != 200:
            raise AssertionError(f"GET /v1/messages/{identifier}: {status} {body}")
        return body

    def ended(self, identifier, timeout=60.0):
        """The message once it is in a final state."""
        def look():
            seen = self.message(identifier)
            return seen if seen["state"] in FINAL else None
        return wait_for(f"the end of message {identifier}", look, timeout)

    def events(self):
        """Every event of this client so far, page by page."""
        found, cursor = [], 0
        while True:
            status, _, page = self.ask("GET", f"/v1/events?after={cursor}&limit=1000")
            if status != 200:
                raise AssertionError(f"GET /v1/events: {status} {page}")
            if not page["events"]:
                return found
            found += page["events"]
            cursor = page["cursor"]


class Bank:
    def __init__(self, build, keep=False):
        self.build, self.keep = os.path.abspath(build), keep
        if not os.path.exists(self.program("connectors/sandbox/postern-sandbox")):
            raise SystemExit(f"{self.program('connectors/sandbox/postern-sandbox')} is not built")
        # Short, for the sockets in it; open for the user that PostgreSQL runs as.
        self.folder = tempfile.mkdtemp(prefix="postern-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.clients = {}

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        self.sandbox("down", check=False)
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, below):
        return os.path.join(self.folder, below)

    def program(self, below):
        return os.path.join(self.build, below)

    def sandbox(self, verb, *more, check=True):
        done = subprocess.run([self.program("connectors/sandbox/postern-sandbox"), verb, self.folder, *more],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f"postern-sandbox {verb}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def up(self):
        self.drop_connections()
        return self.sandbox("up")

    def down(self):
        self.drop_connections()
        return self.sandbox("down")

    def drop_connections(self):
        for client in self.clients.values():
            client.close()

    def status(self):
        return json.loads(self.sandbox("status", "--json", check=False).stdout)

    def process(self, name):
        return next(each for each in self.status()["processes"] if each["name"] == name)

    def postern(self, *words):
        return subprocess.run([self.program("admin/postern"), "--socket", self.path("run/control.sock"), *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def connectors(self):
        told = self.postern("connectors", "--json").stdout
        return {each["name"]: each["state"] for each in json.loads(told)["connectors"]} if told else {}

    def wait_until_up(self, timeout=60.0):
        wait_for("every connector", lambda: (seen := self.connectors()) and set(seen.values()) == {"up"}, timeout)

    def trace(self, identifier):
        done = self.postern("trace", "--json", identifier)
        if done.returncode != 0:
            raise AssertionError(f"postern trace: {done.stderr}")
        return json.loads(done.stdout)

    def steps(self, identifier):
        """The trace as "event:connector" words, without what administrators did."""
        return [f"{each['event']}:{each['connector']}" if each["connector"] else each["event"]
                for each in self.trace(identifier)["events"] if each["event"] != "admin-read"]

    def port(self, name):
        with open(self.path("ports.json"), encoding="utf-8") as ports:
            return json.load(ports)[name]

    def client(self, name):
        return self.clients.setdefault(name, Client(self, name))

    def new_client(self, name):
        """One with a connection of its own, for another thread."""
        return Client(self, name)

    def phones(self, handset=None):
        """What handsets received, in the order of arrival."""
        with contextlib.suppress(FileNotFoundError), open(self.path("phones.jsonl"), encoding="utf-8") as lines:
            seen = [json.loads(line) for line in lines if line.endswith("\n")]
            return [each for each in seen if handset is None or each["handset"] == handset]
        return []

    def sql(self, statement):
        environment = dict(os.environ, PGPASSFILE=self.path("secrets/pgpass"))
        done = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
             f"host=127.0.0.1 port={self.port('postgres')} dbname=bank user=bank_app sslmode=verify-full "
             f"sslrootcert={self.path('pki/ca.pem')}", "-c", statement],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"psql: {done.stderr}")
        return done.stdout.strip()

    def metrics(self):
        """The vault's counters by their full name, labels included."""
        lines = self.postern("metrics").stdout.splitlines()
        return {name: float(value) for name, value in
                (re.fullmatch(r"(\S+) (\S+)", line).groups() for line in lines if line and not line.startswith("#"))}

    def add_file(self, below, text):
        with open(self.path(below), "w", encoding="utf-8") as out:
            out.write(text)

    def reload(self):
        done = self.postern("config", "reload")
        if done.returncode != 0:
            raise AssertionError(f"config reload: {done.stderr}")

    def files(self, *folders):
        for folder in folders:
            for place, _, names in os.walk(self.path(folder)):
                for name in names:
                    yield os.path.join(place, name)
