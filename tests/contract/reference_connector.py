#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A connector in another language than ours, written from PROTOCOL.md alone: it "sends" into the void after a moment. It
shows that the page is enough, and with --break RULE it breaks one rule, so that the conformance test can be seen to
notice.

    reference_connector.py --config FILE [--check] [--break RULE]
"""

import os
import re
import select
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from vault_player import load_wire  # noqa: E402

MOMENT = 0.03   # what its provider takes for one message
WINDOW = 20


def settings(path):
    """name and vault; anything else is refused with its place (exit code 2)."""
    values = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            found = re.match(r'(\w+)\s*=\s*"([^"]*)"\s*$', line)
            key = re.match(r"\w*", line).group(0)
            if not found or key not in ("name", "vault"):
                sys.stderr.write(f"{path}:{number}:1: unknown key '{key}'\n")
                sys.exit(0 if BROKEN == "config" else 2)
            values[key] = found.group(2)
    return values


class Connector:
    def __init__(self, name, path):
        self.wire, self.name, self.path = load_wire(), name, path
        self.instance = int.from_bytes(os.urandom(8), "big") or 1
        self.socket = None
        self.backoff = 0.05
        self.buffer = b""
        self.frame = 0
        self.up = False
        self.known = {}        # attempt -> its Deliver, until its result is durable
        self.under_way = []    # (time at which the provider answers, attempt)
        self.cancelled = set()
        self.held = []         # [frame number or None, Result]: said or to be said, not durable
        self.draining = False

    # ---- the socket ----

    def connect(self):
        try:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(self.path)
        except OSError:
            return self.lose()
        self.buffer, self.frame, self.up = b"", 0, False
        hello = self.wire.Hello(version=1, connector=self.name, instance=0 if BROKEN == "hello" else self.instance,
                                window=WINDOW, software="reference 1")
        self.say(hello=hello, health=self.wire.Health(up=True, window=WINDOW))
        return None

    def lose(self):
        self.socket.close()
        if BROKEN == "lost-vault" and self.up:
            self.instance += 1
        self.socket, self.up = None, False
        time.sleep(self.backoff)
        self.backoff = min(self.backoff * 2, 2.0)

    def say(self, **fields):
        self.frame += 2 if BROKEN == "numbers" and self.frame == 3 else 1
        data = self.wire.ToVault(frame=self.frame, **fields).SerializeToString()
        try:
            self.socket.sendall(struct.pack(">I", len(data)) + data)
        except OSError:
            self.lose()

    def flush(self):
        """Says the results that this connection has not heard yet, in one frame."""
        if not self.up:
            return
        fresh = [entry for entry in self.held if entry[0] is None]
        if fresh:
            self.say(result=[entry[1] for entry in (reversed(fresh) if BROKEN == "facts" and len(fresh) > 1 else fresh)])
            for entry in fresh:
                entry[0] = self.frame

    def read(self):
        data = b""
        try:
            data = self.socket.recv(65536)
        except OSError:
            pass
        if not data:
            return self.lose()
        self.buffer += data
        while len(self.buffer) >= 4:
            size = struct.unpack(">I", self.buffer[:4])[0]
            if not 1 <= size <= 4 * 1024 * 1024:
                return self.lose()
            if len(self.buffer) < 4 + size:
                return None
            body, self.buffer = self.buffer[4:4 + size], self.buffer[4 + size:]
            frame = self.wire.ToConnector()
            try:
                frame.ParseFromString(body)
            except Exception:  # whatever the library calls it: the frame cannot be read
                return sys.exit(1) if BROKEN == "garbage" else self.lose()
            self.take(frame)
            if self.socket is None:
                return None
        return None

    # ---- what the vault says ----

    def take(self, frame):
        if frame.HasField("refusal"):
            return self.lose()
        if frame.HasField("welcome"):
            self.up, self.backoff = True, 0.05
            for entry in self.held:       # said in an earlier connection: again, first, in their order
                entry[0] = None
            if BROKEN == "facts":
                self.held.clear()
        for entry in [e for e in self.held if e[0] is not None and e[0] <= frame.committed]:
            self.held.remove(entry)
            self.known.pop(self.key(entry[1].attempt), None)
        for deliver in frame.deliver:
            key = self.key(deliver.attempt)
            if key in self.known and BROKEN != "redelivery":
                continue
            self.known[key] = deliver
            if BROKEN == "window" and len(self.known) > 5:
                continue
            self.under_way.append((time.time() + (5 if BROKEN == "responsive" else MOMENT), key))
            if BROKEN == "log":
                sys.stderr.write(f"sending {deliver.text} to {deliver.address}\n")
            if BROKEN == "no-files":
                with open("spool", "a", encoding="utf-8") as out:
                    out.write(deliver.text)
            if deliver.expires_ms <= time.time() * 1000 and BROKEN not in ("expiry", "responsive"):
                self.answer(key, self.wire.Result.REFUSED, "expired")
        for attempt in frame.cancel:
            self.cancelled.add(self.key(attempt))
            if self.key(attempt) in [key for _, key in self.under_way]:
                if BROKEN == "cancel":
                    self.under_way = [(at, key) for at, key in self.under_way if key != self.key(attempt)]
                else:
                    self.answer(self.key(attempt), self.wire.Result.REFUSED, "cancelled")
        if frame.drain:
            self.draining = True
        return None

    @staticmethod
    def key(attempt):
        return (attempt.message, attempt.number)

    def answer(self, key, kind, reason=""):
        self.under_way = [(at, other) for at, other in self.under_way if other != key]
        result = self.wire.Result(attempt=self.wire.Attempt(message=key[0], number=key[1]), kind=kind, reason=reason)
        if kind == self.wire.Result.SENT:
            result.provider_id.append(f"{key[0]:x}-{key[1]}")
        self.held.append([None, result])
        if BROKEN == "one-result" and kind == self.wire.Result.SENT:
            other = self.wire.Result(attempt=result.attempt, kind=self.wire.Result.REFUSED, reason="twice")
            self.held.append([None, other])

    def run(self):
        while True:
            if self.socket is None:
                self.connect()
                continue
            now = time.time()
            for at, key in list(self.under_way):
                if at <= now:
                    self.answer(key, self.wire.Result.SENT)
            self.flush()
            if self.draining and BROKEN != "drain" and not self.under_way and not self.held and self.up:
                self.say(drained=True)
                sys.exit(0)
            if self.socket is None:
                continue
            wait = min([at - now for at, _ in self.under_way] + [0.05])
            if select.select([self.socket], [], [], max(wait, 0))[0]:
                self.read()


def main():
    arguments = sys.argv[1:]
    read = settings(arguments[arguments.index("--config") + 1])
    if "--check" in arguments:
        return 0
    connector = Connector(read["name"], read["vault"])

    def drain(*_):
        connector.draining = True
    signal.signal(signal.SIGTERM, drain)
    if BROKEN == "locked":
        take = connector.take

        def give_up(frame):
            if frame.HasField("refusal"):
                sys.exit(1)
            take(frame)
        connector.take = give_up
    connector.run()
    return 0


BROKEN = sys.argv[sys.argv.index("--break") + 1] if "--break" in sys.argv else os.environ.get("BREAK_RULE", "")

if __name__ == "__main__":
    sys.exit(main())
