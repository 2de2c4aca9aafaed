# SPDX-License-Identifier: Apache-2.0
"""What the functional tests of the provider connectors share: certificates, the scripted provider (provider.mjs), the
connector as a process, and checks that print one line each."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Checks:
    """One line a check; `finish()` gives the exit code."""

    def __init__(self):
        self.failed = 0

    def __call__(self, good, what):
        print(("ok    " if good else "FAILED ") + what, flush=True)
        self.failed += 0 if good else 1
        return bool(good)

    def equal(self, seen, wanted, what):
        if not self(seen == wanted, what):
            print(f"       seen {seen!r}, wanted {wanted!r}", flush=True)

    def finish(self):
        print("all good" if not self.failed else f"{self.failed} failed", flush=True)
        return 1 if self.failed else 0


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as out:
        out.write(text)
    return path


def openssl(*arguments, **more):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def make_certificates(folder):
    """ca.pem, other-ca.pem, and server.pem with server.key for 127.0.0.1 and localhost, signed by ca."""
    at = lambda name: os.path.join(folder, name)
    for name in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                f"/CN=test {name}", "-keyout", at(name + ".key"), "-out", at(name + ".pem"), "-addext",
                "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test server",
            "-keyout", at("server.key"), "-out", at("server.csr"))
    write(at("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", at("server.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial",
            "-days", "2", "-extfile", at("server.ext"), "-out", at("server.pem"))
    for name in ("ca.key", "other-ca.key", "server.key"):
        os.chmod(at(name), 0o600)


class ScriptedProvider:
    """provider.mjs as a process; its requests in the order they came."""

    def __init__(self, folder, mode="http2"):
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "provider.mjs"), os.path.join(folder, "server.pem"),
             os.path.join(folder, "server.key"), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.changed = threading.Condition()
        self.requests, self.port, self._ready = [], 0, 0
        threading.Thread(target=self._read, daemon=True).start()
        self._wait(lambda: self.port, "the scripted provider's port")
        self.url = f"https://127.0.0.1:{self.port}"

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.changed:
                if "port" in said:
                    self.port = said["port"]
                elif "ready" in said:
                    self._ready += 1
                else:
                    self.requests.append(said)
                self.changed.notify_all()

    def _wait(self, condition, what, timeout=20.0):
        deadline = time.monotonic() + timeout
        with self.changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("waited for " + what)
                self.changed.wait(left)

    def rule(self, path, *answers, match=""):
        """From the return on, requests whose path begins with `path` and whose body holds `match` get these."""
        with self.changed:
            wanted = self._ready + 1
        self.process.stdin.write(json.dumps({"path": path, "match": match, "answers": list(answers)}) + "\n")
        self.process.stdin.flush()
        self._wait(lambda: self._ready >= wanted, "the rule")

    def of(self, text):
        """The requests so far whose path or body holds `text`."""
        with self.changed:
            return [r for r in self.requests if text in r["path"] or text in r["body"]]

    def wait_for(self, text, count=1):
        self._wait(lambda: len([r for r in self.requests if text in r["path"] or text in r["body"]]) >= count,
                   f"{count} requests with {text!r}")
        return self.of(text)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Program:
    """A connector as a process; its log lines are kept."""

    def __init__(self, binary, config, wait_for=None):
        self.process = subprocess.Popen([binary, "--config", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True)
        self.lines, self.changed = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        if wait_for:
            self.wait_line(wait_for)

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("<end of output>")
            self.changed.notify_all()

    def wait_line(self, text, timeout=20.0):
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or self.lines[-1:] == ["<end of output>"]:
                    raise TimeoutError(f"no line with {text!r} in:\n" + "\n".join(self.lines))
                self.changed.wait(left)

    def output(self):
        with self.changed:
            return "\n".join(self.lines)

    def terminate(self, timeout=15):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(5)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Folder:
    """A temporary folder that goes away with the test."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="postern-test-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def arguments():
    if len(sys.argv) != 3 or sys.argv[1] != "--build":
        raise SystemExit(f"usage: {sys.argv[0]} --build BUILD_DIR")
    return os.path.abspath(sys.argv[2])


def check_settings(binary, path):
    """Exit code and output of --check."""
    done = subprocess.run([binary, "--config", path, "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=30, check=False)
    return done.returncode, done.stdout


def example_of(readme):
    """The first ```toml block of a README."""
    with open(readme, encoding="utf-8") as text:
        return text.read().split("```toml\n", 1)[1].split("```", 1)[0]
