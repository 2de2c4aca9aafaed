# SPDX-License-Identifier: Apache-2.0
"""What a measurement needs to know of processes and of the machine: what they used, and how to start and end them."""
import atexit
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")


def say(**figure):
    print(json.dumps(figure), flush=True)


def machine(bench):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = int(next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))) // 1024
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    say(bench="machine", of=bench, at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), cpu=cpu, cores=os.cpu_count(), memory_mib=memory,
        kernel=os.uname().release, commit=commit, load_before=os.getloadavg()[0])


def of_service():
    """The environment that systemd gives to posternd and to every connector."""
    lines = (ROOT / "systemd" / "posternd.service").read_text().splitlines()
    return {**os.environ, **dict(line.removeprefix("Environment=").split("=", 1) for line in lines if line.startswith("Environment="))}


def end_well():
    """An end from outside ends what was started, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


STARTED = []


def start(words, **more):
    """A process that does not outlive this one, however it ends."""
    STARTED.append(subprocess.Popen([str(word) for word in words], **more))
    return STARTED[-1]


@atexit.register
def end_all():
    for process in STARTED:
        if process.poll() is None:
            process.kill()


def new_folder():
    """On a disk, not in memory: what is measured has to reach it. Short, for the sockets in it."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", tempfile.gettempdir()], capture_output=True, text=True).stdout.strip()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pstn-", dir="/var/tmp" if kind in ("tmpfs", "ramfs") else None))
    folder.chmod(0o755)
    return folder


def wait_for(what, condition, seconds=60, pause=0.02):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: {what} did not happen within {seconds} s")
        time.sleep(pause)
    return value


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mib(pid, what="VmRSS"):
    return int(next(line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith(what))) / 1024


def proportional_mib(pid):
    """Its share of the memory that it holds with others: pages that several map are counted once over all of them."""
    return int(next(line.split()[1] for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:"))) / 1024


def written_bytes(pid):
    """What was given to storage; files that ended before they came there are not counted."""
    counts = dict(line.split(": ") for line in open(f"/proc/{pid}/io").read().splitlines())
    return int(counts["write_bytes"]) - int(counts["cancelled_write_bytes"])


class Group:
    """The processes of one gateway by name, each with a log of its own in a folder."""

    def __init__(self, folder):
        self.folder, self.commands, self.processes = pathlib.Path(folder), {}, {}

    def start(self, name, *command, **more):
        self.commands[name] = ([str(word) for word in command], more)
        self.again(name)

    def again(self, name):
        command, more = self.commands[name]
        with open(self.folder / f"{name}.log", "a") as log:
            self.processes[name] = start(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)

    def kill(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def stop(self):
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
        for name, process in self.processes.items():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill(name)

    def used(self):
        """CPU seconds, peak and present memory, and written bytes of each process."""
        return {name: {"cpu": cpu_seconds(p.pid), "peak_mib": memory_mib(p.pid, "VmHWM"), "rss_mib": memory_mib(p.pid), "written": written_bytes(p.pid)}
                for name, p in self.processes.items()}


def used_since(before, after, messages):
    """The same for each of so many messages."""
    count = max(messages, 1)
    cpu = {name: round((after[name]["cpu"] - before[name]["cpu"]) * 1e6 / count, 1) for name in after}
    return {"cpu_us": cpu, "cpu_us_all": round(sum(cpu.values()), 1), "peak_mib": round(sum(each["peak_mib"] for each in after.values()), 1),
            "written_bytes": round(max(0, sum(after[name]["written"] - before[name]["written"] for name in after)) / count)}
