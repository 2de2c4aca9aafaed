#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives any connector that carries messages through the rules of connectors/protocol/PROTOCOL.md, section 12, by
playing the vault on a Unix socket. Each rule is a check of its name.

    python3 tests/contract/connector_conformance.py --connector BIN --config FILE --deliver JSON [--until CHECK] [--timeout S]

FILE is the connector's own configuration; its `vault` is replaced by this test's socket, in a copy beside it, so that
relative names in it still lead where they led. JSON holds the fields of a delivery that the connector's provider
takes: {"channel": "sms", "address": "48500100200", "text": "..."}. The provider must be there and answer.
Exit code 0 when every check held.
"""

import argparse
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from vault_player import VaultPlayer, attempt_key, load_wire, now_ms  # noqa: E402

TIMEOUT = 30.0   # --timeout
DRAIN = 10.0
MARK = "Xq7Zk2conformance"     # stands in every text, so that it can be looked for where it must not be
CHECKS = []


def check(name):
    def keep(function):
        CHECKS.append((name, function))
        return function
    return keep


class Failed(Exception):
    pass


def must(good, what):
    if not good:
        raise Failed(what)


class Connector:
    """The connector as a process in an empty folder; everything it writes is kept."""

    def __init__(self, options, config, folder):
        environment = dict(os.environ, TMPDIR=folder)
        self.process = subprocess.Popen([options.connector, "--config", config], cwd=folder, env=environment,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = bytearray()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for piece in iter(lambda: self.process.stdout.read1(65536), b""):
            self.output += piece

    def ended(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Bench:
    """One run: folder, configuration, socket, and the connector under test."""

    def __init__(self, options):
        self.options, self.wire = options, load_wire()
        self.folder = tempfile.TemporaryDirectory(prefix="postern-conformance-")
        self.socket_path = os.path.join(self.folder.name, "bus.sock")
        self.work = os.path.join(self.folder.name, "work")
        os.mkdir(self.work)
        with open(options.config, encoding="utf-8") as file:
            text = file.read()
        self.name = re.search(r'^name\s*=\s*"([^"]+)"', text, re.M).group(1)
        text = re.sub(r"^vault\s*=.*\n", "", text, flags=re.M)
        self.config = os.path.join(os.path.dirname(os.path.abspath(options.config)), f".conformance-{os.getpid()}.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"vault = {json.dumps(self.socket_path)}\n" + text)
        self.connector = self.player = None
        self.outputs = []
        self.sequence = 0

    def close(self):
        self.stop()
        os.unlink(self.config)
        self.folder.cleanup()

    def start(self):
        self.connector = Connector(self.options, self.config, self.work)

    def stop(self):
        if self.connector is not None:
            self.connector.stop()
            self.outputs.append(bytes(self.connector.output))
            self.connector = None
        if self.player is not None:
            self.player.close()
            self.player = None

    def connected(self):
        """A vault and the connector welcomed and healthy."""
        self.player = VaultPlayer(self.socket_path)
        self.start()
        peer = self.player.connector(self.name, TIMEOUT)
        peer.wait(lambda: not peer.health or peer.health[-1].up, "a healthy connector", TIMEOUT)
        # Every result in the order and the connection in which it was said.
        peer.said, take = [], peer._take_frame

        def remember(frame):
            peer.said.extend((peer.hellos, attempt_key(result.attempt), result) for result in frame.result)
            take(frame)
        peer._take_frame = remember
        return peer

    def make(self, peer, **more):
        fields = dict(self.options.deliver)
        self.sequence += 1
        for key in ("text", "subject"):
            if key in fields:
                fields[key] = f"{fields[key]} {MARK} {self.sequence}"
        if "parameter" in fields:
            fields["parameter"] = [self.wire.Variable(name=p["name"], value=f"{p['value']} {MARK}") for p in fields["parameter"]]
        fields.update(more)
        return peer.make_deliver(**fields)

    def deliver(self, peer, count=1, **more):
        return peer.deliver_many([self.make(peer, **more) for _ in range(count)])

    def results(self, peer, attempts, timeout=None):
        return [peer.wait_result(attempt, timeout or TIMEOUT) for attempt in attempts]


class RawVault:
    """A socket that says nothing by itself: for bytes that no vault would say."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(8)
        self.listener.settimeout(TIMEOUT)

    def close(self):
        self.listener.close()

    def accept(self):
        peer, _ = self.listener.accept()
        peer.settimeout(TIMEOUT)
        return peer

    @staticmethod
    def read(peer, count):
        data = b""
        while len(data) < count:
            more = peer.recv(count - len(data))
            if not more:
                raise Failed("the connector closed while a frame was expected")
            data += more
        return data

    def frame(self, peer, wire):
        size = struct.unpack(">I", self.read(peer, 4))[0]
        must(1 <= size <= 4 * 1024 * 1024, f"a frame of {size} bytes")
        frame = wire.ToVault()
        frame.ParseFromString(self.read(peer, size))
        return frame

    @staticmethod
    def say(peer, frame):
        data = frame.SerializeToString()
        peer.sendall(struct.pack(">I", len(data)) + data)

    @staticmethod
    def is_closed_by_peer(peer, seconds):
        peer.settimeout(seconds)
        try:
            while peer.recv(65536):
                pass
            return True
        except socket.timeout:
            return False
        except OSError:
            return True


# ---- the checks, in the order in which they run ----

@check("config")
def config(bench):
    """A good configuration passes --check; a wrong one is refused with code 2 and the place of the fault."""
    good = subprocess.run([bench.options.connector, "--config", bench.config, "--check"], capture_output=True, text=True, timeout=TIMEOUT)
    must(good.returncode == 0, f"--check refuses the given configuration: {good.stderr}")
    wrong = bench.config + ".wrong"
    with open(bench.config, encoding="utf-8") as file, open(wrong, "w", encoding="utf-8") as out:
        out.write("no_such_key = 1\n" + file.read())
    try:
        bad = subprocess.run([bench.options.connector, "--config", wrong, "--check"], capture_output=True, text=True, timeout=TIMEOUT)
        must(bad.returncode == 2, f"an unknown key ends with code {bad.returncode}, not 2")
        must(re.search(r":1:1\b.*no_such_key", bad.stderr), f"the place of the fault is not told: {bad.stderr!r}")
    finally:
        os.unlink(wrong)


@check("hello")
def hello(bench):
    """Hello comes first and complete; nothing comes between it and the welcome."""
    vault = RawVault(bench.socket_path)
    try:
        bench.start()
        peer = vault.accept()
        first = vault.frame(peer, bench.wire)
        must(first.HasField("hello"), "the first frame holds no hello")
        must(first.frame == 1, f"the first frame has the number {first.frame}")
        said = first.hello
        must(said.version == 1 and said.connector == bench.name and said.instance != 0, f"an incomplete hello: {said}")
        must(0 <= said.window <= 100_000, f"a window of {said.window}")
        must(not (first.result or first.receipt or first.reply or first.submit or first.query), "facts in the first frame")
        peer.settimeout(1.0)
        try:
            must(peer.recv(1) == b"", "bytes between hello and welcome")
            raise Failed("the connector closed while it waited for its welcome")
        except socket.timeout:
            pass
        bench.instance = said.instance
    except Exception:
        vault.close()
        raise
    bench.raw, bench.raw_peer = vault, peer


@check("locked")
def locked(bench):
    """A locked vault is tried again, by the same process with the same instance."""
    for _ in range(2):
        refusal = bench.wire.ToConnector(refusal=bench.wire.Refusal(reason=bench.wire.Refusal.LOCKED, detail="locked"))
        bench.raw.say(bench.raw_peer, refusal)
        bench.raw_peer.close()
        bench.raw_peer = bench.raw.accept()
        again = bench.raw.frame(bench.raw_peer, bench.wire)
        must(again.hello.instance == bench.instance, "it came back with another instance")
        must(again.frame == 1, f"the first frame of a new connection has the number {again.frame}")


@check("garbage")
def garbage(bench):
    """Bytes that are no frame end the connection; the connector survives them and comes back."""
    try:
        for what, data in (("no ToConnector", struct.pack(">I", 4) + b"\xff\xff\xff\xff"), ("a length of 0", struct.pack(">I", 0)),
                           ("a length over the limit", struct.pack(">I", 4 * 1024 * 1024 + 1)), ("a huge length", b"\xff\xff\xff\xff")):
            bench.raw_peer.sendall(data)
            must(bench.raw.is_closed_by_peer(bench.raw_peer, TIMEOUT), f"{what} does not end the connection")
            bench.raw_peer.close()
            bench.raw_peer = bench.raw.accept()
            must(bench.raw.frame(bench.raw_peer, bench.wire).hello.instance == bench.instance, f"after {what}: another instance")
        must(bench.connector.process.poll() is None, "the process ended")
    finally:
        bench.raw_peer.close()
        bench.raw.close()
        bench.stop()


@check("one-result")
def one_result(bench):
    """Every attempt gets exactly one result."""
    peer = bench.connected()
    attempts = bench.deliver(peer, min(peer.window, 20))
    for result in bench.results(peer, attempts):
        must(result.kind != bench.wire.Result.KIND_UNSET, "a result without a kind")
        must(re.fullmatch(r"[\x21-\x7e]{0,64}", result.reason), f"the reason {result.reason!r} is no short word of printable ASCII")
    keys = [key for _, key, _ in peer.said]
    must(len(keys) == len(set(keys)), "an attempt has two results")


@check("window")
def window(bench):
    """As many deliveries as the window says are taken at once."""
    peer = bench.player.connector(bench.name)
    count = min(peer.window, 500)
    must(count > 0, "a channel with a window of 0")
    bench.results(peer, bench.deliver(peer, count))


@check("numbers")
def numbers(bench):
    """Frames are numbered without gaps (the player looks at each), and answers keep coming."""
    peer = bench.player.connector(bench.name)
    for _ in range(5):
        bench.results(peer, bench.deliver(peer, 1))
    must(peer._frame >= 5, "results without frames")


@check("redelivery")
def redelivery(bench):
    """A delivery said again is neither sent nor answered again."""
    peer = bench.player.connector(bench.name)
    bench.player.hold_commits()
    delivery = bench.make(peer)
    peer.deliver_many([delivery])
    peer.wait_result(delivery.attempt)
    peer.send(deliver=[delivery, delivery])
    bench.results(peer, bench.deliver(peer, 1))
    key = attempt_key(delivery.attempt)
    must([k for _, k, _ in peer.said].count(key) == 1, "a delivery said again was answered again")
    bench.player.release_commits()


@check("expiry")
def expiry(bench):
    """Nothing is sent at or after its deadline."""
    peer = bench.player.connector(bench.name)
    for result in bench.results(peer, bench.deliver(peer, 3, expires_ms=now_ms() - 1000)):
        must(result.kind == bench.wire.Result.REFUSED and result.reason == "expired",
             f"an expired attempt is answered {bench.wire.Result.Kind.Name(result.kind)} {result.reason!r}")


@check("cancel")
def cancel(bench):
    """A cancelled attempt still has one result: cancelled, or what became of it."""
    peer = bench.player.connector(bench.name)
    attempts = bench.deliver(peer, min(peer.window, 20))
    peer.cancel(*attempts)
    for result in bench.results(peer, attempts):
        if result.kind == bench.wire.Result.REFUSED:
            must(result.reason == "cancelled", f"a cancelled attempt is refused as {result.reason!r}")
    unknown = bench.wire.Attempt(message=12345, number=1)
    peer.cancel(unknown)
    bench.results(peer, bench.deliver(peer, 1))
    must(attempt_key(unknown) not in [key for _, key, _ in peer.said], "a cancel for an unknown attempt was answered")


@check("responsive")
def responsive(bench):
    """What can be answered at once is, while others are still with the provider."""
    peer = bench.player.connector(bench.name)
    others = bench.deliver(peer, max(min(peer.window, 100) - 1, 0))
    begun = time.monotonic()
    bench.results(peer, bench.deliver(peer, 1, expires_ms=now_ms() - 1000), 5.0)
    must(time.monotonic() - begun < 5.0, "an expired attempt waited for others")
    bench.results(peer, others)


@check("facts")
def facts(bench):
    """Results that were not committed are said again after a loss, in their order, and not once they are."""
    peer = bench.player.connector(bench.name)
    bench.player.hold_commits()
    count = min(peer.window, 10)
    for attempt in bench.deliver(peer, count):
        peer.wait_result(attempt)
    hellos = peer.hellos
    first = [key for at, key, _ in peer.said if at == hellos][-count:]
    peer.drop()
    peer.wait_hello(hellos + 1, TIMEOUT)
    again = peer.wait(lambda: (lambda keys: keys if len(keys) >= count else None)([k for at, k, _ in peer.said if at == hellos + 1]),
                      "the results again", TIMEOUT)
    must(again[:count] == first, f"the results came back in another order: {first} then {again}")
    bench.player.release_commits()
    bench.results(peer, bench.deliver(peer, 1))
    peer.drop()
    peer.wait_hello(hellos + 2, TIMEOUT)
    bench.results(peer, bench.deliver(peer, 1))
    repeated = [k for at, k, _ in peer.said if at == hellos + 2 and k in first]
    must(not repeated, "a committed result was said again")


@check("lost-vault")
def lost_vault(bench):
    """When the vault goes away and comes back, the same process is there again and works."""
    peer = bench.player.connector(bench.name)
    instance, hellos = peer.instance, peer.hellos
    bench.player.stop_listening()
    time.sleep(1.0)  # long enough for some attempts that find nobody
    bench.player.listen()
    peer.wait_hello(hellos + 1, TIMEOUT)
    must(peer.instance == instance, "it came back with another instance")
    peer.wait(lambda: peer.socket is not None, "its connection", TIMEOUT)
    bench.results(peer, bench.deliver(peer, 1))


@check("drain")
def drain(bench):
    """It drains within ten seconds, asked by the vault and by SIGTERM, and leaves nothing unanswered."""
    for by_signal in (False, True):
        if by_signal:
            bench.stop()
            bench.connected()
        peer = bench.player.connector(bench.name)
        attempts = bench.deliver(peer, min(peer.window, 5))
        begun = time.monotonic()
        if by_signal:
            bench.connector.process.send_signal(signal.SIGTERM)
        else:
            peer.drain()
        how = "SIGTERM" if by_signal else "drain"
        code = bench.connector.ended(DRAIN + 2)
        must(code is not None, f"it still runs {time.monotonic() - begun:.0f} s after {how}")
        must(code == 0, f"it ends with code {code} after {how}")
        must(peer.drained, f"it does not say `drained` after {how}")
        # A delivery may cross with the signal; behind it on the same socket, `drain` cannot be overtaken.
        missing = [attempt for attempt in attempts if attempt_key(attempt) not in peer.results]
        must(by_signal or not missing, f"{len(missing)} attempts have no result after {how}")


@check("log")
def log(bench):
    """No text, no whole address and no token stands in what it wrote."""
    bench.stop()
    written = b"".join(bench.outputs).decode("utf-8", "replace")
    must(MARK not in written, "a text stands in the log")
    address = bench.options.deliver["address"]
    must(address not in written, "a whole address stands in the log")


@check("no-files")
def no_files(bench):
    """It left no file with a message in it."""
    for folder, _, names in os.walk(bench.work):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                must(MARK.encode() not in file.read(), f"a text stands in the file {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connector", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--deliver", required=True, type=json.loads)
    parser.add_argument("--until", help="the last check to run; those behind it are left out")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds that any one thing may take")
    options = parser.parse_args()
    globals()["TIMEOUT"] = options.timeout
    options.connector = os.path.abspath(options.connector)
    bench, failed = Bench(options), []
    try:
        for name, function in CHECKS:
            try:
                function(bench)
                print(f"ok      {name}: {function.__doc__}", flush=True)
            except (Failed, AssertionError, TimeoutError, OSError) as error:
                failed.append(name)
                print(f"FAILED  {name}: {error}", flush=True)
                if name in ("hello", "locked", "garbage") or bench.player is None:
                    bench.stop()
                    break
            if name == options.until:
                break
        if failed:
            bench.stop()
            sys.stdout.write(b"".join(bench.outputs).decode("utf-8", "replace")[-4000:].replace(MARK, "(text)"))
    finally:
        bench.close()
    print("every rule holds" if not failed else f"{len(failed)} rules broken: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
