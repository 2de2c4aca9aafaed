# SPDX-License-Identifier: Apache-2.0
"""Which storage system calls a run of posternd makes, and the options that make strace stop or fail one of them.

Counting and injecting use the same strace, which counts the calls of each thread by themselves: the N-th call of one name is the same call
in both, as long as the run is the same. Nearly all are of one thread, and the rig's scenario says one thing after the other; the N-th call
of a thread beside it (the audit files of a second, the sync of a fold) may be met by one of the first thread instead.
"""

import collections
import re
import subprocess
import time

# What changes storage, and what reads it back.
CHANGING = ("openat", "pwrite64", "write", "fsync", "fdatasync", "syncfs", "rename", "renameat2", "ftruncate", "unlink", "unlinkat", "mkdir",
            "fallocate")
READING = ("pread64", "read")
LINE = re.compile(r"^(\d*) *(\w+)\((.*)$")

# The `number`-th call of this name in the `run`-th process of the scenario.
Call = collections.namedtuple("Call", "run name number text")


def tracing(log, calls=CHANGING + READING):
    # -D: strace is the grandchild, so that the process that the test started is posternd itself.
    return ["strace", "-D", "-f", "-q", "-y", "-s", "0", "-o", log, "-e", "trace=" + ",".join(calls)]


def injecting(call, what, log):
    """`what` is an errno's name, or KILL."""
    how = "signal=KILL" if what == "KILL" else f"error={what}"
    # strace stops a process at the injected calls alone with seccomp, which is quick; signals it injects only without.
    quick = [] if what == "KILL" else ["--seccomp-bpf"]
    return ["strace", "-D", "-f", *quick, "-qq", "-y", "-s", "0", "-o", log, "-e", f"trace={call.name}",
            "-e", f"inject={call.name}:{how}:when={call.number}"]


def finished(log):
    """The lines of a log, once strace has written the last one."""
    deadline = time.monotonic() + 10
    while True:
        with open(log, encoding="utf-8", errors="replace") as text:
            lines = text.readlines()
        if lines and "+++ " in lines[-1]:
            return lines
        if time.monotonic() > deadline:
            raise TimeoutError(f"strace did not finish {log}")
        time.sleep(0.005)


def calls_on(log, folder, run=0):
    """Every traced call on a file below `folder`, with its number among all calls of its name."""
    counts, found = collections.Counter(), []
    for line in finished(log):
        match = LINE.match(line)
        if match is None:
            continue
        thread, name, text = match.groups()
        counts[thread, name] += 1
        if folder + "/" in text or f'"{folder}"' in text or f"<{folder}>" in text:
            found.append(Call(run, name, counts[thread, name], text.strip()))
    return found


def took_effect(log):
    """Whether the fault was really injected: the run may have made fewer calls than the one that was counted."""
    try:
        with open(log, encoding="utf-8", errors="replace") as text:
            return "(INJECTED)" in (content := text.read()) or "= ?" in content or "killed by SIGKILL" in content
    except FileNotFoundError:
        return False


def spread(items, limit):
    """At most `limit` of them, evenly."""
    if limit <= 0 or len(items) <= limit:
        return items
    return [items[index * len(items) // limit] for index in range(limit)]


def strace_works():
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0
