#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The units of systemd/: what they say (installed, verified, exposure, reasons, users, README), and what they do. For
the second half a real systemd is started in namespaces of its own, on an overlay of this machine's files, with the
real programs; then a probe takes their places and tries what an intruder would. Needs root for that half, and the
packages systemd, apparmor, strace, iproute2, openssl, cmake and a C++ compiler.

    python3 tests/functional/systemd_test.py --build BUILD_DIR
"""

import argparse
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from systemd_live import BUS, CONTROL, KINDS, live, posternd_settings
from systemd_machine import Checks, read, run, until, write

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.normpath(os.path.join(HERE, "..", ".."))
SYSTEMD = os.path.join(REPOSITORY, "systemd")
UNITS = "usr/lib/systemd/system"

# `systemd-analyze security` counts in tenths.
EXPOSURE = {"posternd.service": 2, "postern-https.service": 2, "postern-hook.service": 2}
CHANNEL_EXPOSURE = 10

# Lines that start and name things; every other line of [Service] and [Socket] confines, and owes a reason.
PLAIN = {"Type", "ExecStart", "User", "Restart", "RestartSec"}


def settings(path):
    """[(section, key, value, line number)] of a unit file, in order."""
    found, section = [], ""
    for number, line in enumerate(read(path).splitlines(), 1):
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.append((section, key, value, number))
    return found


def unit_files(root):
    return sorted(
        os.path.basename(p)
        for kind in ("service", "socket", "target")
        for p in glob.glob(f"{root}/{UNITS}/postern*.{kind}")
    )


def effective(root, unit):
    """{key: [values]} of a service with the drop-in that all connectors share."""
    files = [f"{root}/{UNITS}/{unit}"]
    if unit.startswith("postern-") and unit.endswith(".service"):
        files.append(f"{root}/{UNITS}/postern-{'@' if '@' in unit else ''}.service.d/10-sandbox.conf")
    values = {}
    for path in files:
        for _, key, value, _ in settings(path):
            values.setdefault(key, []).append(value)
    return values


# --- What the files say.


def install(folder):
    """`cmake --install` of systemd/ alone; gives the folder that stands for the root."""
    write(
        f"{folder}/source/CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.25)\nproject(units LANGUAGES C)\n" f'add_subdirectory("{SYSTEMD}" systemd)\n',
    )
    root = f"{folder}/installed"
    for command in (
        ("cmake", "-G", "Ninja", "-S", f"{folder}/source", "-B", f"{folder}/build"),
        ("cmake", "--install", f"{folder}/build", "--prefix", "/usr"),
    ):
        done = run(*command, env=dict(os.environ, DESTDIR=root))
        if done.returncode != 0:
            raise RuntimeError(done.stdout)
    return root


def verified(check, folder, installed):
    root = f"{folder}/verify"
    shutil.copytree(installed, root)
    for path in glob.glob("/usr/lib/systemd/system/*"):
        target = f"{root}/{UNITS}/{os.path.basename(path)}"
        if not os.path.lexists(target):
            (shutil.copytree if os.path.isdir(path) and not os.path.islink(path) else shutil.copy)(
                path,
                target,
                **(
                    {"symlinks": True}
                    if os.path.isdir(path) and not os.path.islink(path)
                    else {"follow_symlinks": False}
                ),
            )
    for program in ["/usr/bin/kill"] + [f"/usr/sbin/postern{kind}" for kind in ("d",) + tuple("-" + k for k in KINDS)]:
        write(root + program, "", 0o755)
    units = unit_files(root)
    check.equal(len(units), 13, "eight services, four sockets and the target are installed")
    clean = lambda unit: run("systemd-analyze", "verify", f"--root={root}", unit)
    for unit in units:
        done = clean(unit)
        check(done.returncode == 0 and not done.stdout, f"{unit}: systemd-analyze verify is clean", done.stdout)
    shutil.copytree(f"{root}/usr/share/doc/postern/examples", f"{root}/etc/systemd/system", dirs_exist_ok=True)
    for unit in ("posternd.service", "postern-smpp@smpp-main.service", "postern-https.socket"):
        done = clean(unit)
        check(done.returncode == 0 and not done.stdout, f"{unit}: still clean with the examples' drop-ins", done.stdout)
    path = f"{root}/{UNITS}/postern-.service.d/10-sandbox.conf"
    write(path, read(path).replace("ProtectHome=", "ProtectHoome="))
    check(
        "ProtectHoome" in clean("postern-https.service").stdout,
        "verify reads the shared drop-in: a misspelt key in it is told",
    )


def exposures(check, root):
    for unit in unit_files(root):
        if not unit.endswith(".service"):
            continue
        most = EXPOSURE.get(unit, CHANNEL_EXPOSURE)
        done = run("systemd-analyze", "security", "--offline=true", f"--threshold={most}", f"{root}/{UNITS}/{unit}")
        seen = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
        check(done.returncode == 0 and seen, f"{unit}: exposure {seen and seen[1]} is at most {most / 10}", done.stdout)


def reasons(check, root):
    files = [f"{root}/{UNITS}/{unit}" for unit in unit_files(root)] + [
        f"{root}/{UNITS}/postern-.service.d/10-sandbox.conf"
    ]
    total = 0
    for path in files:
        lines, bare, before = read(path).splitlines(), [], None
        for section, key, value, number in settings(path):
            above = lines[number - 2] if number > 1 else ""
            explained = above.startswith("# ") and not above.startswith("# ---") and len(above.split()) > 3
            # One reason may stand above several lines of the same key.
            explained = explained or (before == (key, number - 1))
            if section in ("Service", "Socket") and key not in PLAIN:
                total += 1
                if not explained:
                    bare.append(f"{number}: {key}={value}")
            before = (key, number) if explained else None
        check(not bare, f"{os.path.basename(path)}: every line that confines has its reason above it", "\n".join(bare))
    check(total > 100, f"{total} such lines were seen")
    check(
        read(f"{root}/{UNITS}/postern-.service.d/10-sandbox.conf")
        == read(f"{root}/{UNITS}/postern-@.service.d/10-sandbox.conf"),
        "units and templates share one sandbox",
    )


def programs(build):
    """{name: path} of what the build directory holds."""
    found = {}
    for pattern in ("gateway/posternd", "admin/postern", "connectors/*/*/postern-*"):
        for path in glob.glob(os.path.join(build, pattern)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                found[os.path.basename(path)] = os.path.abspath(path)
    return found


def users_and_targets(check, root, build):
    lines = [
        line.split() for line in read(f"{root}/usr/lib/sysusers.d/postern.conf").splitlines() if line and line[0] != "#"
    ]
    users = {line[1] for line in lines if line[0] == "u"}
    recipe = read(os.path.join(build, "build.ninja")) if os.path.exists(os.path.join(build, "build.ninja")) else ""
    of_units = set()
    for unit in unit_files(root):
        if not unit.endswith(".service"):
            continue
        values = effective(root, unit)
        user, program = values["User"][0], values["ExecStart"][0].split()[0]
        of_units.add(user)
        check(user in users, f"{unit}: its user {user} is in sysusers.d")
        name = os.path.basename(program)
        check(
            program == f"/usr/sbin/{name}"
            and re.search(rf"^build (\S+/)?{name}(:| \|).*EXECUTABLE_LINKER", recipe, re.M),
            f"{unit}: {name} is a target of the build",
        )
        sockets = " ".join(effective(root, "posternd.service").get("Wants", []))
        check(name == "posternd" or f"posternd-bus@{user}.socket" in sockets, f"{unit}: its user has a socket at the vault")
    check.equal(users, of_units, "sysusers.d has no user without a unit")


def readme(check, root):
    text = read(os.path.join(SYSTEMD, "README.md"))
    table = lambda heading: [
        [c.strip() for c in row.strip("|").split("|")]
        for row in text[text.index(heading) :].split("\n\n")[1].splitlines()[2:]
    ]
    rows = {row[0].strip("`"): row for row in table("## Who may do what")}
    services = [unit for unit in unit_files(root) if unit.endswith(".service")]
    check.equal(sorted(rows), services, "README's table has every service and no other")
    for unit in services:
        values, row = effective(root, unit), rows.get(unit, [""] * 6)
        check.equal(row[1].strip("`"), values["User"][0], f"{unit}: README names its user")
        families = "none" if unit == "posternd.service" else "AF_UNIX"
        alone = values.get("PrivateNetwork") == ["yes"] and values.get("RestrictAddressFamilies") == [families]
        says_alone = "no network" in row[4] or "Unix sockets" in row[4]
        check(
            alone == says_alone and (alone or "listed" in row[4]) and values.get("IPAddressDeny") == ["any"],
            f"{unit}: README's word on its network is true",
            row[4],
        )
        check(all(len(cell) > 3 for cell in row[2:]), f"{unit}: bytes, secrets and what a takeover yields are told")
    credentials = {row[0].strip("`"): set(re.findall(r"`([^`]+)`", row[2])) for row in table("**Credentials**")}
    for unit in services:
        names = {value.split(":")[0] for value in effective(root, unit).get("LoadCredential", [])}
        key = unit.removesuffix(".service").replace("@", "@NAME")
        check.equal(credentials.get(key, set()), names, f"{unit}: README names its credentials")
    here = lambda *path: read(os.path.join(REPOSITORY, *path))
    check(
        f'"{BUS}/" + own_user_name()' in here("connectors", "protocol", "program.cpp")
        and f'"{CONTROL}/" + own_user_name()' in here("admin", "cli", "session.cpp"),
        "programs look for their own socket where the units make it",
    )


def apparmor(check, root):
    if shutil.which("apparmor_parser") is None:
        return print("skip  AppArmor profiles: apparmor_parser is not installed", flush=True)
    done = run(
        "apparmor_parser",
        "-QK",
        "-I",
        f"{root}/etc/apparmor.d",
        "-I",
        "/etc/apparmor.d",
        f"{root}/etc/apparmor.d/postern",
    )
    check(done.returncode == 0, "the AppArmor profiles can be read", done.stdout)
    profiles = set(re.findall(r"^profile \S+ (\S+) ", read(f"{root}/etc/apparmor.d/postern"), re.M))
    check.equal(
        profiles,
        {"/usr/sbin/posternd"} | {f"/usr/sbin/postern-{kind}" for kind in KINDS},
        "each program has its profile",
    )
    return None


# --- posternd alone, in an empty network namespace.


def without_network(check, folder, built):
    folder = f"{folder}/alone"
    os.makedirs(f"{folder}/state")
    bus, control, log = f"{folder}/bus.sock", f"{folder}/control.sock", f"{folder}/calls"
    posternd_settings(folder, state=f"{folder}/state", bus=bus, control=control)
    if shutil.which("strace") is None or os.geteuid() != 0 or not {"posternd", "postern"} <= set(built):
        return print(
            "skip  posternd in an empty network namespace: needs root, strace, and posternd and postern built",
            flush=True,
        )
    process = subprocess.Popen(
        [
            "unshare",
            "--net",
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=%network",
            "-o",
            log,
            built["posternd"],
            "--config",
            f"{folder}/posternd.toml",
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"),
    )
    try:
        check(
            until(lambda: os.path.exists(bus) and os.path.exists(control)),
            "posternd starts in an empty network namespace",
        )
        postern = lambda *words: run(built["postern"], "--socket", control, *words)
        write(f"{folder}/key", "0123456789abcdef0123456789abcdef", 0o400)
        check(
            postern("init", "--key-file", f"{folder}/key").returncode == 0, "it is initialised over its control socket"
        )
        done = postern("status", "--json")
        check(done.returncode == 0 and "open" in done.stdout, "and is open", done.stdout)
    finally:
        # strace passes the signal's death on; posternd is its only child.
        children = read(f"/proc/{process.pid}/task/{process.pid}/children").split()
        os.kill(int(children[0]) if children else process.pid, signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    check("vault.open" in said, "it served", said)
    calls = read(log).splitlines()
    opened = [line for line in calls if re.search(r"\bsocket\(", line)]
    named = [line for line in calls if "sa_family=" in line]
    check(len(opened) >= 2, f"{len(opened)} sockets were opened under strace")
    foreign = [line for line in opened if "AF_UNIX" not in line] + [
        line for line in named if "sa_family=AF_UNIX" not in line
    ]
    check(not foreign, "none but AF_UNIX, and no other address was ever named", "\n".join(foreign))
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--build", required=True, help="build directory with the programs")
    build = os.path.abspath(arguments.parse_args().build)
    check, folder = Checks(), tempfile.mkdtemp(prefix="postern-systemd-")
    try:
        installed, built = install(folder), programs(build)
        verified(check, folder, installed)
        exposures(check, installed)
        reasons(check, installed)
        users_and_targets(check, installed, build)
        readme(check, installed)
        apparmor(check, installed)
        without_network(check, folder, built)
        live(check, folder, installed, built)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
