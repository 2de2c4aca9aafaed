# SPDX-License-Identifier: Apache-2.0
"""A systemd of its own for tests of units: process 1 of new namespaces, on an overlay of this machine's files. And the
small helpers that the parts of systemd_test.py share."""

import os
import subprocess
import time


class Checks:
    """One line a check; `finish()` gives the exit code."""

    def __init__(self):
        self.failed = 0

    def __call__(self, good, what, seen=""):
        print(("ok    " if good else "FAILED ") + what, flush=True)
        if not good:
            self.failed += 1
            if seen:
                print("       " + str(seen).strip().replace("\n", "\n       "), flush=True)
        return bool(good)

    def equal(self, seen, wanted, what):
        return self(seen == wanted, what, f"seen {seen!r}, wanted {wanted!r}")

    def finish(self):
        print("all good" if not self.failed else f"{self.failed} failed", flush=True)
        return 1 if self.failed else 0


def run(*command, **more):
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120, **more
    )


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)


def until(condition, timeout=20.0):
    """Looks again and again; True as soon as it holds, False at the deadline."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


BOOT = r"""
set -e
R="$1/root"; mount --make-rprivate /
mount -t tmpfs tmpfs "$1"; mkdir "$1/root" "$1/up" "$1/work"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/up",workdir="$1/work" "$R"
mount -t proc proc "$R/proc"; mount -t sysfs -o ro sysfs "$R/sys"; mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
for D in run tmp var/tmp dev; do mount -t tmpfs -o mode=0755 tmpfs "$R/$D"; done
chmod 1777 "$R/tmp" "$R/var/tmp"
for D in null zero full random urandom tty; do touch "$R/dev/$D"; mount --bind "/dev/$D" "$R/dev/$D"; done
mkdir "$R/dev/pts" "$R/dev/shm"; ln -s pts/ptmx "$R/dev/ptmx"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$R/dev/pts"
# Only what is under test runs: no service of this machine is started.
for T in sysinit basic sockets timers local-fs multi-user; do
  rm -rf "$R/etc/systemd/system/$T.target.wants" "$R/usr/lib/systemd/system/$T.target.wants"
done
rm -rf "$R/var/lib/postern" "$R/etc/postern"
cp -a "$2/." "$R/"
while read -r FROM TO; do touch "$R$TO"; mount --bind "$FROM" "$R$TO"; done < "$3"
chroot "$R" systemd-sysusers; chroot "$R" systemd-tmpfiles --create /usr/lib/tmpfiles.d/postern.conf
printf '[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service systemd-tmpfiles-setup.service\n' \
  > "$R/etc/systemd/system/test.target"
cd "$R"; mkdir .old; pivot_root . .old; umount -l /.old; rmdir /.old; mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system --unit=test.target --log-target=journal
"""


class Machine:
    """systemd as process 1 of new namespaces. What it writes lies in memory and goes with it."""

    def __init__(self, folder, installed, built):
        at = lambda name: os.path.join(folder, name)
        os.makedirs(at("machine"))
        write(at("boot.sh"), BOOT)
        write(
            at("programs"),
            "".join(
                f"{path} {'/usr/bin' if name == 'postern' else '/usr/sbin'}/{name}\n" for name, path in built.items()
            ),
        )
        base = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
        self.cgroup = os.path.join(base, f"postern-test-{os.getpid()}")
        os.mkdir(self.cgroup)
        self.pid, self.said = "", at("boot.log")

        def enter():
            with open(os.path.join(self.cgroup, "cgroup.procs"), "w", encoding="ascii") as out:
                out.write(str(os.getpid()))

        with open(self.said, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    "unshare",
                    "--mount",
                    "--pid",
                    "--fork",
                    "--net",
                    "--ipc",
                    "--uts",
                    "--cgroup",
                    "--kill-child",
                    "sh",
                    at("boot.sh"),
                    at("machine"),
                    installed,
                    at("programs"),
                ],
                preexec_fn=enter,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if not until(self._running, 60):
            said = read(self.said)
            self.close()
            raise RuntimeError(said)

    def _running(self):
        if self.process.poll() is not None:
            return True if self.pid else time.sleep(0.2)
        children = read(f"/proc/{self.process.pid}/task/{self.process.pid}/children").split()
        if not children or not os.readlink(f"/proc/{children[0]}/exe").endswith("/systemd"):
            return False
        self.pid = children[0]
        return self("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def __call__(self, *command, **more):
        return run(
            "nsenter",
            "--target",
            self.pid,
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--cgroup",
            "--root",
            "--wd",
            *command,
            **more,
        )

    def shell(self, script, **more):
        return self("sh", "-ec", script, **more)

    def write(self, path, text, mode="0644"):
        self.shell(f"mkdir -p \"$(dirname '{path}')\"; cat > '{path}'; chmod {mode} '{path}'", input=text)

    def journal(self, unit):
        return self("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout

    def close(self):
        self.process.kill()
        self.process.wait()

        def gone():
            try:
                for top, _, _ in os.walk(self.cgroup, topdown=False):
                    os.rmdir(top)
                return True
            except OSError:
                return False

        until(gone)
