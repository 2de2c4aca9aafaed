# SPDX-License-Identifier: Apache-2.0
"""One real posternd in a folder of its own, and the connectors of its tests: a source that submits and a channel that
answers, both on the bus socket and both with a ledger of what they said and heard. A key file unlocks it, so that it
accepts again within a few tens of milliseconds after it was killed.

The ledgers live in the test's process, which is never killed; `join()` holds them against the audit log's files.
"""

import collections
import contextlib
import glob
import heapq
import importlib.util
import itertools
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from vault_player import REPOSITORY, load_wire  # noqa: E402

IDENTITY = "spiffe://bank.example/core"
FIRST_FINAL = 20   # wire::REACHED; lower numbers are no end

# Event types of the audit log (gateway/domain/event_type.hpp, frozen).
ACCEPTED, HANDED, SENT, IN_DOUBT = 40, 46, 47, 49

CONFIG = """
state = "{folder}/state"
bus = "{folder}/bus.sock"
control = "{folder}/control.sock"
audit_origin = "bank.example/fault/audit"
reserve_mib = 1
unlock_key = "{folder}/key"
scenarios = "{folder}/scenarios"
templates = "{folder}/templates"
[connectors.api]
user = "{user}"
[connectors.sms]
user = "{user}"
channel = "sms"
[clients.core]
identities = ["{identity}"]
categories = ["otp", "security", "transaction", "service", "marketing"]
[categories.otp]
scenario = "sms"
tries = 10
in_doubt = "rather-twice"
[categories.security]
scenario = "sms"
[categories.transaction]
scenario = "sms"
tries = 10
in_doubt = "rather-never-twice"
[categories.service]
scenario = "sms"
[categories.marketing]
scenario = "sms"
[[routes]]
channel = "sms"
connector = "sms"
"""


class Lost(Exception):
    """The connection is gone; what was not committed is said again in the next one."""


def load_control():
    """The module generated from gateway/control/control.proto."""
    if "postern_control_pb2" not in sys.modules:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["protoc", "-I", REPOSITORY, "--python_out", folder, "gateway/control/control.proto"], check=True)
            spec = importlib.util.spec_from_file_location("postern_control_pb2", os.path.join(folder, "gateway/control/control_pb2.py"))
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        sys.modules["postern_control_pb2"] = module
    return sys.modules["postern_control_pb2"]


def temporary_folder(prefix):
    """In memory where there is one: kills and injected faults do not need a disk, and runs are many."""
    return tempfile.mkdtemp(prefix=prefix, dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


class Rig:
    def __init__(self, build, keep=False):
        self.build, self.keep = os.path.abspath(build), keep
        self.wire, self.control = load_wire(), load_control()
        self.posternd, self.postern = os.path.join(self.build, "gateway/posternd"), os.path.join(self.build, "admin/postern")
        for program in (self.posternd, self.postern):
            if not os.path.exists(program):
                raise SystemExit(f"{program} is not built")
        self.folder = temporary_folder("pstn-fault-")
        for name in ("state", "scenarios", "templates"):
            os.mkdir(self.path(name))
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.write("posternd.toml", CONFIG.format(folder=self.folder, user=user, identity=IDENTITY))
        self.write("scenarios/sms.toml", 'name = "sms"\ndeadline = "15s"\n[[steps]]\nchannel = "sms"\n')
        self.key = os.urandom(32).hex().encode()
        with open(self.path("key"), "wb") as out:
            out.write(self.key)
        os.chmod(self.path("key"), 0o400)
        self.process = None
        self.log = open(self.path("posternd.log"), "ab")  # pylint: disable=consider-using-with

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, below):
        return os.path.join(self.folder, below)

    def write(self, below, text):
        with open(self.path(below), "w", encoding="utf-8") as out:
            out.write(text)

    def log_text(self):
        with open(self.path("posternd.log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    # ---- the process ----

    def start(self, *before):
        """Starts posternd, behind the words `before` (strace and its options) when there are any."""
        self.process = subprocess.Popen([*before, self.posternd, "--config", self.path("posternd.toml")],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        return self.process

    def posternd_pid(self):
        """Of the gateway itself: what it was started behind may have it as its child, and ends when it does."""
        with contextlib.suppress(OSError):
            children = open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()
            if len(children) == 1:
                return int(children[0])
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        return self.process.wait()

    def stop(self, timeout=20):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.posternd_pid(), signal.SIGTERM)
        return self.process.wait(timeout)

    def ask(self, timeout=10.0, wait_for_socket=True, **fields):
        """One request to the control socket. Raises Lost when the process is away or goes away over it."""
        request = self.control.Request(**fields).SerializeToString()
        deadline = time.monotonic() + timeout
        while True:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
                    control.settimeout(timeout)
                    control.connect(self.path("control.sock"))
                    control.sendall(struct.pack(">I", len(request)) + request)
                    size = struct.unpack(">I", read_exactly(control, 4))[0]
                    return self.control.Reply.FromString(read_exactly(control, size))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if not wait_for_socket or not self.alive() or time.monotonic() > deadline:
                    raise Lost(str(error)) from error
                time.sleep(0.001)
            except OSError as error:
                raise Lost(str(error)) from error

    def init(self, **more):
        return self.ask(init=self.control.Init(key_file=self.key), **more)

    def unlock(self, **more):
        return self.ask(unlock=self.control.Unlock(credential=True), **more)

    def verify(self):
        """`postern audit verify` over the running gateway: (exit code, output)."""
        done = subprocess.run([self.postern, "--socket", self.path("control.sock"), "audit", "verify", "--json"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout + done.stderr


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        got = sock.recv(size - len(data))
        if not got:
            raise ConnectionResetError("closed")
        data += got
    return data


class Session:
    """One welcomed connection of one connector. Waits for a vault that is away or locked, until `give_up()` is true."""

    def __init__(self, rig, name, instance, window, give_up):
        self.wire, self.buffer, self.frame, self.early = rig.wire, b"", 0, []
        while True:
            if give_up():
                raise Lost("given up")
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.buffer, self.frame, self.early = b"", 0, []
            try:
                self.socket.connect(rig.path("bus.sock"))
                self.say(hello=self.wire.Hello(version=1, connector=name, instance=instance, window=window, software="rig 1"),
                         health=self.wire.Health(up=True, window=window))
                while not self.early and not give_up():
                    self.early = self.read(0.2)
                if self.early and self.early[0].HasField("welcome"):
                    return
                if self.early and self.early[0].refusal.reason != self.wire.Refusal.LOCKED:
                    raise AssertionError(f"{name} was refused: {self.early[0].refusal.detail}")
            except (OSError, Lost):
                pass
            self.socket.close()
            time.sleep(0.001)

    def say(self, **fields):
        self.frame += 1
        data = self.wire.ToVault(frame=self.frame, **fields).SerializeToString()
        try:
            self.socket.sendall(struct.pack(">I", len(data)) + data)
        except OSError as error:
            raise Lost(str(error)) from error
        return self.frame

    def read(self, timeout):
        """Every frame that is there, or that comes within `timeout` seconds."""
        frames, self.early = self.early, []
        if frames:
            return frames
        if not select.select([self.socket], [], [], max(timeout, 0))[0]:
            return []
        try:
            data = self.socket.recv(1 << 20)
        except OSError as error:
            raise Lost(str(error)) from error
        if not data:
            raise Lost("closed")
        self.buffer += data
        at = 0
        while len(self.buffer) - at >= 4:
            size = struct.unpack_from(">I", self.buffer, at)[0]
            if len(self.buffer) - at - 4 < size:
                break
            frames.append(self.wire.ToConnector.FromString(self.buffer[at + 4:at + 4 + size]))
            at += 4 + size
        self.buffer = self.buffer[at:]
        return frames

    def close(self):
        self.socket.close()


class Player(threading.Thread):
    """Comes back whenever its connection is lost, until it is stopped; what goes wrong in it is in `fault`."""

    def __init__(self, rig, name, window):
        super().__init__(daemon=True)
        self.rig, self.wire, self.name_, self.window = rig, rig.wire, name, window
        self.instance = random.SystemRandom().getrandbits(64) | 1
        self.ended = threading.Event()
        self.fault = None

    def run(self):
        try:
            while not self.ended.is_set():
                with contextlib.suppress(Lost):
                    session = Session(self.rig, self.name_, self.instance, self.window, self.ended.is_set)
                    try:
                        self.serve(session)
                    finally:
                        session.close()
        except Exception as error:  # pylint: disable=broad-except
            self.fault = repr(error)

    def end(self):
        self.ended.set()
        self.join(30)


class Source(Player):
    """Submits message after message, each under a key of its own, and repeats it until there is a verdict."""

    AHEAD, FRAME = 64, 16

    def __init__(self, rig):
        super().__init__(rig, "api", 0)
        self.accepted = {}               # key -> id, from the first verdict on
        self.changed = self.replayed = self.unavailable = 0
        self.number = 0
        self.open = collections.OrderedDict()   # tag -> Submit, without a verdict
        self.quiet = threading.Event()   # set: nothing new
        self.progress = threading.Condition()

    def count(self):
        return len(self.accepted)

    def settled(self):
        return self.quiet.is_set() and not self.open

    def wait_count(self, target, timeout):
        with self.progress:
            return self.progress.wait_for(lambda: len(self.accepted) >= target or self.fault, timeout)

    def make(self):
        self.number += 1
        category = self.wire.OTP if self.number % 2 else self.wire.TRANSACTION
        submit = self.wire.Submit(tag=self.number, identity=IDENTITY, idempotency_key=f"key-{self.number}", fingerprint=b"f" * 32,
                                  reference=f"r-{self.number}", category=category, text=f"message {self.number}")
        submit.recipient.phone = f"38067{self.number % 10_000_000:07d}"
        return submit

    def serve(self, session):
        # What had no verdict is said again before anything new.
        self.say(session, list(self.open.values()))
        while not self.ended.is_set():
            fresh = []
            while not self.quiet.is_set() and len(self.open) < self.AHEAD and len(fresh) < self.FRAME:
                submit = self.make()
                self.open[submit.tag] = submit
                fresh.append(submit)
            self.say(session, fresh)
            for frame in session.read(0.05 if len(self.open) >= self.AHEAD or self.quiet.is_set() else 0):
                again = [verdict.tag for verdict in frame.verdict if not self.take(verdict)]
                if again:
                    time.sleep(0.01)
                    self.say(session, [self.open[tag] for tag in again])

    @staticmethod
    def say(session, submits):
        if submits:
            session.say(submit=submits)

    def take(self, verdict):
        """False when it must be said again."""
        submit = self.open[verdict.tag]
        if verdict.outcome in (self.wire.Verdict.UNAVAILABLE, self.wire.Verdict.BUSY):
            self.unavailable += 1
            return False
        if verdict.outcome not in (self.wire.Verdict.STORED, self.wire.Verdict.REPLAYED):
            raise AssertionError(f"{submit.idempotency_key}: {verdict}")
        self.replayed += verdict.outcome == self.wire.Verdict.REPLAYED
        del self.open[verdict.tag]
        with self.progress:
            known = self.accepted.setdefault(submit.idempotency_key, verdict.id)
            self.progress.notify_all()
        if known != verdict.id:
            self.changed += 1
        return True

    def told(self):
        """Every event of the client, asked for like a client does: (id, progress) in order."""
        session, after, events = Session(self.rig, "api", self.instance, 0, lambda: False), 0, []
        try:
            while True:
                query = self.wire.Query(tag=1, identity=IDENTITY)
                query.events.after, query.events.limit = after, 1000
                session.say(query=[query])
                answer = None
                while answer is None:
                    answer = next((each for frame in session.read(10) for each in frame.answer), None)
                if not answer.event:
                    return events
                events += [(event.id, event.progress) for event in answer.event]
                after = answer.cursor
        finally:
            session.close()


class Channel(Player):
    """Takes every delivery and tells its result and its receipt. Facts are kept and said again until they are durable. Now
    and then it loses its memory, as a connector does that was killed: its next instance knows of nothing."""

    def __init__(self, rig, seed, forget=0.0, doubt=0.01, retry=0.02):
        super().__init__(rig, "sms", 500)
        self.chance = random.Random(seed)
        self.forget, self.doubt, self.retry = forget, doubt, retry
        self.sends = collections.defaultdict(list)   # message id -> [(attempt number, instance)] handed to the "provider"
        self.not_sent = set()            # (id, attempt number) that were answered RETRY
        self.redelivered = self.forgotten = 0
        self.order = itertools.count()
        self.known, self.held, self.due = set(), collections.deque(), []

    def forget_all(self):
        """As a kill of the connector would. The provider remembers: it tells again what nobody has acknowledged."""
        self.known = set()
        self.held = collections.deque(entry for entry in self.held if isinstance(entry[1], self.wire.Receipt))
        self.due = [entry for entry in self.due if isinstance(entry[2], self.wire.Receipt)]
        heapq.heapify(self.due)
        self.instance += 2
        self.forgotten += 1

    def serve(self, session):
        for entry in self.held:
            entry[0] = None
        while not self.ended.is_set():
            now = time.monotonic()
            while self.due and self.due[0][0] <= now:
                self.held.append([None, heapq.heappop(self.due)[2]])
            self.tell(session)
            for frame in session.read(min(self.due[0][0] - now, 0.05) if self.due else 0.05):
                self.take(frame)

    def tell(self, session):
        fresh = [entry for entry in self.held if entry[0] is None]
        if not fresh:
            return
        # In their order: a frame's results are taken before its receipts, as they were found out.
        frame = session.say(result=[fact for _, fact in fresh if isinstance(fact, self.wire.Result)],
                            receipt=[fact for _, fact in fresh if isinstance(fact, self.wire.Receipt)])
        for entry in fresh:
            entry[0] = frame

    def take(self, frame):
        while self.held and self.held[0][0] is not None and self.held[0][0] <= frame.committed:
            self.held.popleft()
        for deliver in frame.deliver:
            attempt = (deliver.attempt.message, deliver.attempt.number)
            if attempt in self.known:
                self.redelivered += 1
                continue
            self.known.add(attempt)
            self.answer(deliver)
        if self.forget and frame.deliver and self.chance.random() < self.forget:
            self.forget_all()
            raise Lost("the connector was killed")

    def answer(self, deliver):
        result = self.wire.Result(attempt=deliver.attempt)
        lot, moment = self.chance.random(), time.monotonic() + self.chance.uniform(0, 0.02)
        if lot < self.retry:
            self.not_sent.add((deliver.id, deliver.attempt.number))
            result.kind, result.reason, result.retry_after_ms = self.wire.Result.RETRY, "rig-retry", 1
            return self.later(moment, result)
        self.sends[deliver.id].append((deliver.attempt.number, self.instance))
        if lot < self.retry + self.doubt:
            result.kind, result.reason = self.wire.Result.UNKNOWN, "rig-no-answer"
            return self.later(moment, result)
        provider_id = f"{deliver.attempt.message:x}-{deliver.attempt.number}"
        result.kind, result.receipts = self.wire.Result.SENT, True
        result.provider_id.append(provider_id)
        self.later(moment, result)
        # Some providers echo our reference, others give only their own id.
        receipt = self.wire.Receipt(progress=self.wire.DELIVERED, at_ms=int(time.time() * 1000))
        if lot > 0.5:
            receipt.attempt.CopyFrom(deliver.attempt)
        else:
            receipt.provider_id = provider_id
        return self.later(moment + self.chance.uniform(0, 0.02), receipt)

    def later(self, moment, fact):
        heapq.heappush(self.due, (moment, next(self.order), fact))


# ---- the audit log's files, read without keys ----

Leaf = collections.namedtuple("Leaf", "sequence type message before attempt state")
HEADER = struct.Struct(">BHQIqQ16sQHHBB32s")


def leaves(folder):
    """The readable headers of every leaf under DIR/tile/entries, in order."""
    full = sorted((int("".join(part.lstrip("x") for part in os.path.relpath(path, folder).split(os.sep)[2:])), path)
                  for path in glob.glob(os.path.join(folder, "tile/entries/**/[0-9][0-9][0-9]"), recursive=True)
                  if ".p" not in path)
    partial = glob.glob(os.path.join(folder, "tile/entries/**/*.p/*"), recursive=True)
    # A kill may leave a file that was not yet given its name.
    partial = [path for path in partial if not path.endswith(".new")]
    newest = [max(partial, key=lambda path: (path.split(".p/")[0], int(path.split(".p/")[1])))] if partial else []
    for path in [each for _, each in full] + [each for each in newest if not os.path.exists(each.split(".p/")[0])]:
        with open(path, "rb") as bundle:
            data = bundle.read()
        at = 0
        while at < len(data):
            size = struct.unpack_from(">H", data, at)[0]
            fields = HEADER.unpack_from(data, at + 2)
            yield Leaf(fields[2], fields[1], fields[6].hex(), fields[7], fields[10], fields[11])
            at += 2 + size


def hex_id(text):
    return text.replace("-", "")


def join(check, rig, source, channel, told=None):
    """Holds both ledgers against the audit log. Gives the figures."""
    finals, accepted_leaves, doubts, handed = collections.Counter(), collections.Counter(), set(), set()
    for leaf in leaves(rig.path("state/audit")):
        if leaf.type == ACCEPTED:
            accepted_leaves[leaf.message] += 1
        if leaf.type == HANDED:
            handed.add((leaf.message, leaf.attempt))
        if leaf.type == IN_DOUBT:
            doubts.add((leaf.message, leaf.attempt))
        if leaf.state >= FIRST_FINAL:
            finals[leaf.message] += 1
    accepted = {hex_id(each) for each in source.accepted.values()}
    check(len(accepted) == len(source.accepted) and source.changed == 0, "each key stands for one message, however often it was said",
          (len(accepted), len(source.accepted), source.changed))
    lost = [each for each in accepted if accepted_leaves[each] != 1]
    check(not lost, f"all {len(accepted)} messages that were accepted are in the audit log, once", lost[:5])
    # A message may be accepted whose verdict was lost with the connection: the key was then said again, and it is the same one.
    check(set(accepted_leaves) == accepted, "and no other", sorted(set(accepted_leaves) - accepted)[:5])
    wrong = [(each, finals[each]) for each in accepted if finals[each] != 1]
    check(not wrong, "each has exactly one final state", wrong[:5])
    unknown = [each for each in channel.sends if hex_id(each) not in accepted]
    check(not unknown, "nothing was sent that was not accepted", unknown[:5])

    twice = unexplained = same = unhanded = 0
    examples = []
    for identifier, sends in channel.sends.items():
        numbers = [number for number, _ in sends]
        same += len(set(numbers)) != len(numbers)
        unhanded += sum((hex_id(identifier), number) not in handed for number in numbers)
        if len(numbers) > 1:
            twice += 1
            # All but the last are sends that somebody could not know the end of.
            if any((hex_id(identifier), number) not in doubts for number in sorted(numbers)[:-1]):
                unexplained += 1
                examples.append((identifier, sends))
    check(same == 0, "no attempt was sent twice", same)
    check(unhanded == 0, "each send stands in the audit log as handed over", unhanded)
    check(unexplained == 0, f"{twice} messages were sent twice, each with its first attempt in doubt in the log", examples[:3])
    if told is not None:
        ends = collections.Counter(identifier for identifier, progress in told if progress >= FIRST_FINAL)
        bad = [each for each in source.accepted.values() if ends[each] != 1]
        check(not bad and len(ends) == len(accepted), "the client was told each end once", bad[:5])
    return {"accepted": len(accepted), "lost": len(lost), "sent_twice": twice, "sent_twice_unexplained": unexplained,
            "in_doubt": len(doubts), "redelivered_to_the_same_process": channel.redelivered,
            "repeated_submits_recognised": source.replayed, "connector_processes_lost": channel.forgotten}
