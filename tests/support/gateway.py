# SPDX-License-Identifier: Apache-2.0
"""One posternd over a folder of its own, without connectors: for tests of what administrators do, and of what a thief sees."""

import ctypes
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import time


class Gateway:
    def __init__(self, build, folder, config=""):
        self.build, self.folder = pathlib.Path(build), pathlib.Path(folder)
        self.process = self.log = None
        for name in ("state", "run", "scenarios", "templates"):
            (self.folder / name).mkdir(exist_ok=True)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        categories = "".join(f'[categories.{c}]\nscenario = "sms"\n' for c in ("otp", "security", "transaction", "service", "marketing"))
        (self.folder / "posternd.toml").write_text(
            f'state = "state"\nbus = "{self.folder}/run/bus.sock"\ncontrol = "{self.folder}/run/control.sock"\n'
            f'audit_origin = "bank.example/test/audit"\nreserve_mib = 1\n{config}[connectors.smpp-a]\nuser = "{user}"\nchannel = "sms"\n'
            f'[clients.core]\nidentities = ["spiffe://bank/core"]\ncategories = ["otp"]\n{categories}'
            '[[routes]]\nchannel = "sms"\nconnector = "smpp-a"\n')
        (self.folder / "scenarios" / "sms.toml").write_text('name = "sms"\ndeadline = "5m"\n[[steps]]\nchannel = "sms"\n')

    @property
    def keyring(self):
        return self.folder / "state" / "keyring"

    def command(self):
        return [self.build / "gateway" / "posternd", "--config", self.folder / "posternd.toml"]

    def start(self, before=()):
        """`before`: a program that starts posternd, such as strace."""
        self.log = open(self.folder / "posternd.log", "a")
        self.process = subprocess.Popen([*before, *self.command()], stderr=self.log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while self.postern("status").returncode == 1:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("posternd did not start: " + self.words()[-2000:])
            time.sleep(0.02)

    def words(self):
        return (self.folder / "posternd.log").read_text()

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        return self.ended()

    def ended(self):
        code = self.process.wait(60)
        self.process = None
        self.log.close()
        return code

    def postern(self, *words, text=None, env=None):
        return subprocess.run([self.build / "admin" / "postern", "--socket", self.folder / "run" / "control.sock", *map(str, words)],
                              input=text if text is not None else "", capture_output=True, text=True, timeout=120, env={**os.environ, **(env or {})})

    def json(self, *words, **more):
        return json.loads(self.postern(*words, "--json", **more).stdout)

    def unlock_until(self, *words, text=None, timeout=90):
        """Unlocks, waiting out the pause that failed attempts have earned."""
        deadline = time.monotonic() + timeout
        while True:
            answer = self.postern("unlock", *words, text=text)
            if "too many failed attempts" not in answer.stderr or time.monotonic() > deadline:
                return answer
            time.sleep(0.1)

    def lock_at_once(self):
        """Seconds from the request's last byte to posternd's answer, without a program's start in between."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.folder / "run" / "control.sock"))
            began = time.monotonic()
            link.sendall(struct.pack(">I", 2) + b"\x18\x01")   # Request.lock = true
            size = struct.unpack(">I", link.recv(4, socket.MSG_WAITALL))[0]
            link.recv(size, socket.MSG_WAITALL)
            return time.monotonic() - began

    def memory(self, needles):
        """How often each needle stands in the process's memory; needs root."""
        pid = self.process.pid
        found = dict.fromkeys(needles, 0)
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                words = line.split()
                begin, end = (int(part, 16) for part in words[0].split("-"))
                # Not the kernel's own pages, and not a sanitizer's shadow of terabytes.
                if "r" not in words[1] or (len(words) > 5 and words[5].startswith("[v")) or end - begin > 1 << 32:
                    continue
                tail = b""
                for at in range(begin, end, 1 << 22):
                    try:
                        memory.seek(at)
                        piece = memory.read(min(1 << 22, end - at))
                    except OSError:
                        tail = b""
                        continue
                    both = tail + piece
                    for name, needle in needles.items():
                        found[name] += both.count(needle) - tail.count(needle)
                    tail = both[-256:]
        return found

    def status_line(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as lines:
            return next((line.split(":")[1].strip() for line in lines if line.startswith(name + ":")), None)


def without_locked_memory():
    """For preexec_fn: no right to lock memory, and a limit of 64 KiB."""
    libc = ctypes.CDLL(None)
    libc.prctl(24, 14, 0, 0, 0)   # PR_CAPBSET_DROP, CAP_IPC_LOCK
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
