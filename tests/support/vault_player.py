# SPDX-License-Identifier: Apache-2.0
"""Plays the vault for functional tests of connectors: the far side of the connector protocol.

A test starts a VaultPlayer on a socket path, starts the real connector against it, and says what the vault
would say:

    with VaultPlayer(path) as vault:
        ...start postern-smpp with `vault = path` and `name = "smpp-main"`...
        smpp = vault.connector("smpp-main")             # waits for its hello, the welcome is already sent
        attempt = smpp.deliver(address="48500100200", text="Code 123456")
        result = smpp.wait_result(attempt)
        receipt = smpp.wait_receipt(provider_id=result.provider_id[0])

What it checks by itself, raising ProtocolError in the next wait: the frame length, that a frame can be read, that
frames are numbered from 1 without gaps, that hello comes first and once, version 1, and that an attempt gets exactly
one result in each process (a repeated fact after a lost session is folded away as the vault would do it).

Facts are committed at once; `hold_commits()` keeps them undurable until `release_commits()`. `drop()` cuts the
socket as a crash of the vault would do. Sources: `on_submit(submit) -> Verdict` and `on_query(query) -> Answer or
None` of the VaultPlayer answer submits and queries; without them submits are STORED.

The generated Python messages are `player.wire` (module of connectors/protocol/wire.proto). Needs protoc and
Debian's python3-protobuf. Threads: one that accepts, one for each connection; a test calls from its own.
"""

import collections
import importlib.util
import itertools
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

# Debian's protobuf belongs to Debian's Python: a test started by another interpreter goes on in that one.
if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.protobuf") is None:
    if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    raise SystemExit("python3-protobuf is missing: apt-get install python3-protobuf")

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAX_FRAME = 4 * 1024 * 1024
DEFAULT_TIMEOUT = 20.0


class ProtocolError(AssertionError):
    """The connector broke a rule of the connector protocol."""


def load_wire():
    """The module generated from connectors/protocol/wire.proto."""
    if "postern_wire_pb2" in sys.modules:
        return sys.modules["postern_wire_pb2"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", "-I", REPOSITORY, "--python_out", folder, "connectors/protocol/wire.proto"],
                       check=True)
        path = os.path.join(folder, "connectors", "protocol", "wire_pb2.py")
        spec = importlib.util.spec_from_file_location("postern_wire_pb2", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    sys.modules["postern_wire_pb2"] = module
    return module


def now_ms():
    return int(time.time() * 1000)


def attempt_key(attempt):
    return (attempt.message, attempt.number)


class ConnectorPeer:
    """One connector as the vault sees it, by its configured name; it outlives its connections."""

    def __init__(self, player, name):
        self.player, self.wire, self.name = player, player.wire, name
        self.changed = player.changed       # one condition for everything of a player
        self.socket = None
        self.instance = 0
        self.hello = None
        self.hellos = 0                     # connections that said hello, over all time
        self.window = 0
        self.health = []                    # every Health told, oldest first
        self.drained = False
        self.submits, self.queries, self.event_cursors = [], [], []
        self.receipts, self.replies, self.observations = [], [], []
        self.results = {}                   # attempt -> Result, the first told
        self.outstanding = {}               # attempt -> Deliver without a result
        self._unclaimed = {"receipt": [], "reply": [], "observation": [], "submit": [], "query": []}
        self._frame = 0                     # last frame number of this session
        self._uncommitted = 0
        self._folded = set()
        self._fault = None

    # ---- what the vault says ----

    def send(self, **fields):
        """Sends one ToConnector with these fields."""
        frame = self.wire.ToConnector(**fields)
        data = frame.SerializeToString()
        with self.changed:
            if self.socket is None:
                raise ProtocolError(f"{self.name} is not connected")
            self.socket.sendall(struct.pack(">I", len(data)) + data)

    def make_deliver(self, **fields):
        """A Deliver with a fresh attempt, id, category, channel and a deadline a minute away unless given."""
        number = next(self.player.numbers)
        fields.setdefault("attempt", self.wire.Attempt(message=number, number=1))
        fields.setdefault("id", f"00000000-0000-7000-8000-{number & 0xffffffffffff:012x}")
        fields.setdefault("category", self.wire.TRANSACTION)
        fields.setdefault("channel", "sms")
        fields.setdefault("expires_ms", now_ms() + 60_000)
        return self.wire.Deliver(**fields)

    def deliver_many(self, deliveries):
        """Sends these Delivers in one frame; returns their attempts."""
        with self.changed:
            for deliver in deliveries:
                self.outstanding[attempt_key(deliver.attempt)] = deliver
        self.send(deliver=deliveries)
        return [deliver.attempt for deliver in deliveries]

    def deliver(self, **fields):
        """Sends one Deliver made by make_deliver(); returns its attempt."""
        return self.deliver_many([self.make_deliver(**fields)])[0]

    def cancel(self, *attempts):
        self.send(cancel=list(attempts))

    def drain(self):
        self.send(drain=True)

    def events(self, *events):
        self.send(event=list(events))

    def drop(self):
        """Cuts the connection without a word, as a crash of the vault does."""
        with self.changed:
            gone, self.socket = self.socket, None
        if gone is not None:
            gone.shutdown(socket.SHUT_RDWR)

    # ---- what the connector says ----

    def wait(self, condition, what, timeout=DEFAULT_TIMEOUT):
        """Waits until condition() is true and returns its value; a protocol fault of the connector ends it."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                if self._fault:
                    raise ProtocolError(self._fault)
                value = condition()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{self.name}: waited {timeout:g} s for {what}")
                self.changed.wait(left)

    def wait_result(self, attempt, timeout=DEFAULT_TIMEOUT):
        key = attempt_key(attempt)
        return self.wait(lambda: self.results.get(key), f"the result of {key[0]:016x}-{key[1]}", timeout)

    def _take(self, kind, matches, what, timeout):
        unclaimed = self._unclaimed[kind]

        def look():
            for item in unclaimed:
                if matches(item):
                    unclaimed.remove(item)
                    return item
            return None

        return self.wait(look, what, timeout)

    def wait_receipt(self, provider_id=None, progress=None, attempt=None, timeout=DEFAULT_TIMEOUT):
        """The next receipt, not yet returned, that fits what is given."""
        def fits(receipt):
            return ((provider_id is None or receipt.provider_id == provider_id) and
                    (progress is None or receipt.progress == progress) and
                    (attempt is None or attempt_key(receipt.attempt) == attempt_key(attempt)))
        return self._take("receipt", fits, f"a receipt (id {provider_id}, progress {progress})", timeout)

    def wait_reply(self, sender=None, timeout=DEFAULT_TIMEOUT):
        return self._take("reply", lambda r: sender is None or getattr(r, "from") == sender, "a reply", timeout)

    def wait_observation(self, kind, timeout=DEFAULT_TIMEOUT):
        return self._take("observation", lambda o: o.kind == kind, f"an observation of kind {kind}", timeout)

    def wait_submit(self, timeout=DEFAULT_TIMEOUT):
        return self._take("submit", lambda _: True, "a submit", timeout)

    def wait_query(self, timeout=DEFAULT_TIMEOUT):
        return self._take("query", lambda _: True, "a query", timeout)

    def wait_health(self, up, timeout=DEFAULT_TIMEOUT):
        """Waits until the last health told is `up`."""
        return self.wait(lambda: self.health and self.health[-1].up == up and self.health[-1],
                         f"health up={up}", timeout)

    def wait_hello(self, count, timeout=DEFAULT_TIMEOUT):
        """Waits for the count-th hello of all time, for example 2 after a restart."""
        return self.wait(lambda: self.hellos >= count, f"hello number {count}", timeout)

    def wait_drained(self, timeout=DEFAULT_TIMEOUT):
        return self.wait(lambda: self.drained, "drained", timeout)

    def wait_gone(self, timeout=DEFAULT_TIMEOUT):
        return self.wait(lambda: self.socket is None, "the connection to end", timeout)

    # ---- called by the player's threads, with the condition held ----

    def _attach(self, sock, hello):
        if hello.instance != self.instance:
            # A new process: what the old one left without a result is no longer its business.
            self.outstanding.clear()
            self._folded.clear()
        if self.socket is not None:
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket, self.hello, self.instance, self.window = sock, hello, hello.instance, hello.window
        self.hellos += 1
        self._frame = self._uncommitted = 0
        self.drained = False

    def _check_number(self, frame):
        if frame.frame != self._frame + 1:
            raise ProtocolError(f"{self.name}: frame {frame.frame} after frame {self._frame}")
        self._frame = frame.frame

    def _once(self, fact):
        """False for a fact that this process has said before (repeated because it was not committed)."""
        key = (type(fact).__name__, fact.SerializeToString())
        if type(fact).__name__ == "Observation" or key not in self._folded:
            self._folded.add(key)
            return True
        return False

    def _take_frame(self, frame):
        for result in frame.result:
            key = attempt_key(result.attempt)
            if result.kind == self.wire.Result.KIND_UNSET:
                raise ProtocolError(f"{self.name}: a result without a kind")
            if key in self.outstanding:
                self.outstanding.pop(key)
                self.results[key] = result
                self._once(result)
            elif self._once(result):
                raise ProtocolError(f"{self.name}: a second result, or one for no delivery: {key[0]:016x}-{key[1]}")
        for kind, items, kept in (("receipt", frame.receipt, self.receipts), ("reply", frame.reply, self.replies),
                                  ("observation", frame.observation, self.observations)):
            for item in items:
                if self._once(item):
                    kept.append(item)
                    self._unclaimed[kind].append(item)
        for kind, items, kept in (("submit", frame.submit, self.submits), ("query", frame.query, self.queries)):
            kept.extend(items)
            self._unclaimed[kind].extend(items)
        if frame.event_cursor:
            self.event_cursors.append(frame.event_cursor)
        if frame.HasField("health"):
            self.health.append(frame.health)
            self.window = frame.health.window
        if frame.drained:
            self.drained = True


class VaultPlayer:
    """Listens on `socket_path`. `submit_window` goes into every welcome; `names`, when given, are the connectors that
    the configuration knows: others are refused with NOT_CONFIGURED. `locked = True` refuses every hello with LOCKED."""

    def __init__(self, socket_path, submit_window=1000, names=None, on_submit=None, on_query=None):
        self.wire = load_wire()
        self.path, self.submit_window, self.names = socket_path, submit_window, names
        self.on_submit, self.on_query = on_submit, on_query
        self.locked = False
        self.instance = int.from_bytes(os.urandom(8), "big") | 1
        self.changed = threading.Condition(threading.RLock())
        self.numbers = itertools.count((now_ms() & 0xffffffff) << 16)
        self._peers = {}
        self._holding = False
        self._stopping = False
        self._listener = None
        self._threads = collections.deque(maxlen=64)
        self.listen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def listen(self):
        """Opens the socket; again after stop_listening(), as a restarted vault does."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o660)
        self._listener.listen(16)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop_listening(self):
        """Closes the socket and every connection: the vault is away."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for peer in list(self._peers.values()):
            try:
                peer.drop()
            except OSError:
                pass

    def close(self):
        self._stopping = True
        self.stop_listening()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def peer(self, name):
        with self.changed:
            if name not in self._peers:
                self._peers[name] = ConnectorPeer(self, name)
            return self._peers[name]

    def connector(self, name, timeout=DEFAULT_TIMEOUT):
        """Waits until the connector of that name is connected and returns it."""
        peer = self.peer(name)
        peer.wait(lambda: peer.socket is not None, "its hello", timeout)
        return peer

    def hold_commits(self):
        with self.changed:
            self._holding = True

    def release_commits(self):
        with self.changed:
            self._holding = False
            for peer in self._peers.values():
                if peer.socket is not None and peer._uncommitted:
                    peer.send(committed=peer._uncommitted)
                    peer._uncommitted = 0

    # ---- threads ----

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    @staticmethod
    def _read(sock, count):
        data = bytearray()
        while len(data) < count:
            try:
                more = sock.recv(min(65536, count - len(data)))
            except OSError:
                return None
            if not more:
                return None
            data += more
        return bytes(data)

    def _read_frame(self, sock):
        head = self._read(sock, 4)
        if head is None:
            return None
        size = struct.unpack(">I", head)[0]
        if not 1 <= size <= MAX_FRAME:
            raise ProtocolError(f"a frame of {size} bytes")
        data = self._read(sock, size)
        if data is None:
            return None
        frame = self.wire.ToVault()
        try:
            frame.ParseFromString(data)
        except Exception as error:  # the protobuf library's own error types differ between versions
            raise ProtocolError(f"a frame that cannot be read: {error}") from error
        return frame

    def _refuse(self, sock, reason, detail):
        frame = self.wire.ToConnector(refusal=self.wire.Refusal(reason=reason, detail=detail)).SerializeToString()
        sock.sendall(struct.pack(">I", len(frame)) + frame)

    def _serve(self, sock):
        peer = None
        try:
            frame = self._read_frame(sock)
            if frame is None:
                return
            if not frame.HasField("hello"):
                raise ProtocolError("the first frame holds no hello")
            hello = frame.hello
            if self.locked:
                return self._refuse(sock, self.wire.Refusal.LOCKED, "the vault is locked")
            if self.names is not None and hello.connector not in self.names:
                return self._refuse(sock, self.wire.Refusal.NOT_CONFIGURED, "no connector of that name")
            peer = self.peer(hello.connector)
            with self.changed:
                if hello.version != 1 or not hello.instance:
                    raise ProtocolError(f"hello with version {hello.version}, instance {hello.instance:x}")
                peer._attach(sock, hello)
                peer._check_number(frame)
                peer.send(welcome=self.wire.Welcome(version=1, submit_window=self.submit_window,
                                                    vault_instance=self.instance), committed=frame.frame)
                peer._take_frame(frame)
                self.changed.notify_all()
            while True:
                frame = self._read_frame(sock)
                if frame is None:
                    return
                self._handle(peer, sock, frame)
        except (ProtocolError, OSError) as error:
            if peer is not None and not self._stopping and isinstance(error, ProtocolError):
                with self.changed:
                    peer._fault = str(error)
        finally:
            with self.changed:
                if peer is not None and peer.socket is sock:
                    peer.socket = None
                self.changed.notify_all()
            sock.close()

    def _handle(self, peer, sock, frame):
        with self.changed:
            if peer.socket is not sock:
                return
            if frame.HasField("hello"):
                raise ProtocolError(f"{peer.name}: a second hello")
            peer._check_number(frame)
            peer._take_frame(frame)
            self.changed.notify_all()
            if self._holding:
                peer._uncommitted = frame.frame
            else:
                self._commit(peer, frame.frame)
        verdicts = [self._verdict(submit) for submit in frame.submit]
        answers = [self.on_query(query) for query in frame.query] if self.on_query else []
        answers = [answer for answer in answers if answer is not None]
        if verdicts or answers:
            peer.send(verdict=verdicts, answer=answers)

    @staticmethod
    def _commit(peer, number):
        try:
            peer.send(committed=number)
        except OSError:
            pass  # the connector is gone; what it had written before is still read to its end

    def _verdict(self, submit):
        if self.on_submit is not None:
            verdict = self.on_submit(submit)
        else:
            verdict = self.wire.Verdict(outcome=self.wire.Verdict.STORED,
                                        id=f"00000000-0000-7000-8000-{next(self.numbers) & 0xffffffffffff:012x}")
        verdict.tag = submit.tag
        return verdict
