# SPDX-License-Identifier: Apache-2.0
"""What systemd_test.py does with the real units under a real systemd: the way from an empty machine to an answered
client, what a probe in each program's place can do, and unlocking at start."""

import os
import re
import shutil
import subprocess

from systemd_machine import Machine, read, run, until, write

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.normpath(os.path.join(HERE, "..", "..", "systemd", "examples"))

BUS, CONTROL = "/run/postern/bus", "/run/postern/control"
KINDS = ("https", "hook", "sql", "smpp", "push", "messenger", "email")
CHANNELS = ("sql", "smpp", "push", "messenger", "email")

POSTERND = """audit_origin = "bank.example/postern/audit"
admins = ["alice"]
state = "{state}"
anchor = "{state}-anchor/anchor"
bus = "{bus}"
control = "{control}"
[connectors.smpp-main]
user = "postern-smpp"
channel = "sms"
[connectors.https]
user = "postern-https"
[clients.core]
identities = ["spiffe://bank.example/core"]
categories = ["otp"]
[[routes]]
channel = "sms"
connector = "smpp-main"
""" + "".join(
    f'[categories.{name}]\nscenario = "sms"\n' for name in ("otp", "security", "transaction", "service", "marketing")
)
SCENARIO = 'name = "sms"\ndeadline = "1h"\n[[steps]]\nchannel = "sms"\n'


def posternd_settings(folder, **places):
    os.makedirs(f"{places['state']}-anchor", exist_ok=True)
    write(f"{folder}/posternd.toml", POSTERND.format(**places))
    write(f"{folder}/scenarios/sms.toml", SCENARIO)
    os.makedirs(f"{folder}/templates", exist_ok=True)


CERTIFICATES = """
cd /etc/postern/connectors; mkdir -p https smpp-main; cd /run; umask 022
new() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" "${@:2}" 2>/dev/null
}
new ca -x509 -days 2 -out ca.pem -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
for N in server client; do
  new $N -out $N.csr
  [ $N = server ] && printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\n' > $N.ext
  [ $N = client ] && printf 'subjectAltName=URI:spiffe://bank.example/core\\nextendedKeyUsage=clientAuth\\n' > $N.ext
  openssl x509 -req -in $N.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $N.ext -out $N.pem 2>/dev/null
done
cp ca.pem server.pem server.key /etc/postern/connectors/https/; cp ca.pem /etc/postern/connectors/smpp-main/
for N in https smpp-main; do
  cd /etc/postern/connectors/$N; chown -R root:postern-${N%-main} .; chmod 0750 .; chmod 0640 *
done
"""
HTTPS = """name = "https"
listen = "systemd"
[tls]
certificate = "https/server.pem"
key = "https/server.key"
ca = "https/ca.pem"
crl_optional = true
"""
SMPP = """name = "smpp-main"
hosts = ["127.0.0.2"]
ca = "smpp-main/ca.pem"
system_id = "bank"
password = "password"
connect_timeout = "1s"
"""
# Prints the HTTP status of GET /v1/health, or why there is none.
HEALTH = """
import socket, ssl, sys
context = ssl.create_default_context(cafile="/run/ca.pem")
context.load_cert_chain("/run/client.pem", "/run/client.key")
context.check_hostname = False
try:
    with socket.create_connection((sys.argv[1], 8443), timeout=3) as raw, context.wrap_socket(raw) as tls:
        tls.sendall(b"GET /v1/health HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        print(tls.recv(4096).split()[1].decode())
except OSError as error:
    print(type(error).__name__)
"""
LISTEN = """
import socket
server = socket.create_server(("0.0.0.0", 4001))
print("ready", flush=True)
while True:
    server.accept()[0].close()
"""


def vault(check, machine):
    posternd_settings_in(machine)
    done = machine("systemctl", "start", "posternd.service")
    check(
        done.returncode == 0,
        "posternd.service starts with the sockets that systemd passes in",
        done.stdout + machine.journal("posternd"),
    )
    look = lambda path: machine("stat", "--format=%A %U", path).stdout.strip()
    for kind in KINDS:
        check.equal(
            look(f"{BUS}/postern-{kind}"), f"srw------- postern-{kind}", f"postern-{kind} has a socket that is its own"
        )
    check.equal(look(f"{CONTROL}/root"), "srw------- root", "and so has root as an administrator")
    check.equal(look("/var/lib/postern"), "drwx------ postern", "others cannot enter the folder of the state")
    machine.shell("useradd -M alice; useradd -M mallory")
    machine.shell("systemctl enable posternd-control@alice.socket posternd-control@mallory.socket; systemctl stop posternd")
    machine.shell("systemctl start posternd-control@alice.socket posternd-control@mallory.socket; systemctl start posternd")
    machine.shell("head -c 32 /dev/urandom > /run/key; chown alice /run/key; chmod 400 /run/key")
    as_user = lambda user, *words: machine(
        "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "postern", *words
    )
    done = as_user("mallory", "--socket", f"{CONTROL}/alice", "status")
    check(done.returncode != 0 and "another user's socket" in done.stdout, "mallory cannot come through the socket of alice", done.stdout)
    check(
        as_user("mallory", "status").returncode != 0,
        "somebody with a socket who is no administrator is stopped by the vault",
    )
    done = as_user("alice", "init", "--key-file", "/run/key")
    check(
        done.returncode == 0,
        "an administrator initialises the vault, the store included",
        done.stdout + machine.journal("posternd"),
    )
    done = as_user("alice", "status")
    check(done.returncode == 0 and "open" in done.stdout, "and sees it open", done.stdout)
    check(
        "Max core file size        0                    0"
        in machine.shell("cat /proc/$(systemctl show --property=MainPID --value posternd)/limits").stdout,
        "it can leave no core dump",
    )


def posternd_settings_in(machine):
    machine.write("/etc/postern/posternd.toml", POSTERND.format(state="/var/lib/postern", bus=f"{BUS}/socket", control=f"{CONTROL}/socket"))
    machine.write("/etc/postern/scenarios/sms.toml", SCENARIO)
    machine.shell("chgrp postern /etc/postern/posternd.toml; chmod 640 /etc/postern/posternd.toml")


def connectors(check, machine):
    done = machine("bash", "-ec", CERTIFICATES)
    check(done.returncode == 0, "certificates for the test are made", done.stdout)
    for name, text, kind in (("https", HTTPS, "https"), ("smpp-main", SMPP, "smpp")):
        machine.write(f"/etc/postern/connectors/{name}.toml", text, "0640")
        machine("chgrp", f"postern-{kind}", f"/etc/postern/connectors/{name}.toml")
    machine.write("/etc/postern/connectors/other.toml", "", "0644")
    unit = "postern-smpp@smpp-main.service"
    done = machine("systemctl", "start", unit)
    check(
        done.returncode != 0 and "'password'" in machine.journal(unit),
        "without its credential a connector does not start, and says which is missing",
    )
    machine.write("/etc/credstore/postern.smpp-main.password", "secret\n", "0400")
    machine("systemctl", "reset-failed", unit)
    done = machine("systemctl", "start", unit)
    check(done.returncode == 0, f"{unit} starts with it", done.stdout + machine.journal(unit))
    check(
        until(lambda: "connector.up smpp-main" in machine.journal("posternd")),
        "the vault knows it by the socket it came through",
        machine.journal("posternd"),
    )
    seen = lambda: machine("postern", "connectors").stdout
    check(
        until(lambda: re.search(r"^smpp-main +sms +down .*timeout", seen(), re.M)),
        "no peer is listed, and it reaches none",
        seen(),
    )
    done = machine("systemctl", "start", "postern-https.socket", "postern-https.service")
    check(
        done.returncode == 0,
        "postern-https.service starts with the port that systemd opened",
        done.stdout + machine.journal("postern-https.service"),
    )
    health = lambda host: machine("python3", "-c", HEALTH, host).stdout.strip()
    check(
        until(lambda: health("127.0.0.1") == "200"),
        "a client is answered 200 by a process without a network",
        health("127.0.0.1"),
    )
    machine("ip", "address", "add", "198.51.100.1/32", "dev", "lo")
    check.equal(health("198.51.100.1"), "TimeoutError", "a client whose network is not listed is not heard")
    machine.write(
        "/etc/systemd/system/postern-https.socket.d/50-clients.conf", "[Socket]\nIPAddressAllow=198.51.100.0/24\n"
    )
    machine.shell(
        "systemctl daemon-reload; systemctl stop postern-https.service;"
        "systemctl restart postern-https.socket; systemctl start postern-https.service"
    )
    check(until(lambda: health("198.51.100.1") == "200"), "it is, when a drop-in lists it")
    before = machine.journal("posternd").count("vault.started")
    machine("systemctl", "reload", "posternd.service")
    check(
        until(lambda: "config.loaded" in machine.journal("posternd"))
        and machine.journal("posternd").count("vault.started") == before,
        "systemctl reload reads the settings again and does not restart",
        machine.journal("posternd"),
    )


CHANNEL = {"socket:inet", "socket:inet6", "connect:listed-peer"}
VAULT = {"read:/etc/postern/posternd.toml", "read:/var/lib/postern/keyring", "write:/var/lib/postern"}


def probed(text):
    return {action: word for action, word in re.findall(r"^probe (\S+) (possible|refused)", text, re.M)}


def probes(check, machine):
    """The probe in the place of each program, under that program's unit."""
    listener = subprocess.Popen(
        ["nsenter", "--target", machine.pid, "--net", "python3", "-c", LISTEN], stdout=subprocess.PIPE, text=True
    )
    check.equal(listener.stdout.readline().strip(), "ready", "a peer listens in the machine")
    try:
        control = probed(machine("postern-probe").stdout)
        refused = sorted(action for action, word in control.items() if word == "refused")
        check(
            len(control) >= 70 and len(control) - len(refused) >= 50,
            f"of {len(control)} actions {len(control) - len(refused)} are possible for root without a sandbox; not: "
            + " ".join(refused),
        )
        names = {kind: kind if kind in ("https", "hook") else f"{kind}-main" for kind in KINDS}
        for kind in CHANNELS:
            machine.write(
                f"/etc/systemd/system/postern-{kind}@.service.d/50-peers.conf", "[Service]\nIPAddressAllow=127.0.0.2\n"
            )
        machine("systemctl", "daemon-reload")
        for kind in KINDS:
            unit = f"postern-{kind}@{names[kind]}.service" if kind in CHANNELS else f"postern-{kind}.service"
            if machine("test", "-e", f"/etc/postern/connectors/{names[kind]}.toml").returncode != 0:
                machine.write(f"/etc/postern/connectors/{names[kind]}.toml", "")
            machine("systemctl", "stop", unit)
            own = {f"connect:{BUS}/postern-{kind}"}
            probe_in_place(check, machine, f"postern-{kind}", unit, own | (CHANNEL if kind in CHANNELS else set()), control)
        machine("systemctl", "stop", "postern.target", "posternd.service")
        probe_in_place(check, machine, "posternd", "posternd.service", VAULT, control)
    finally:
        listener.kill()
        listener.wait()


def probe_in_place(check, machine, program, unit, allowed, control):
    machine.shell(f"touch /usr/sbin/{program}; mount --bind /usr/sbin/postern-probe /usr/sbin/{program}")
    cursor = machine("journalctl", "--no-pager", "--lines=0", "--show-cursor").stdout.split("cursor: ")[-1].strip()
    machine("systemctl", "start", unit)
    seen = {}

    def finished():
        seen.update(
            probed(
                machine("journalctl", "--no-pager", "--output=cat", f"--unit={unit}", f"--after-cursor={cursor}").stdout
            )
        )
        return len(seen) == len(control)

    until(finished)
    machine("systemctl", "stop", unit)
    machine("umount", f"/usr/sbin/{program}")
    check.equal(len(seen), len(control), f"{unit}: the probe ran")
    possible = {action for action, word in seen.items() if word == "possible"}
    check.equal(
        sorted(possible), sorted(allowed), f"{unit}: of {len(seen)} hostile actions only those of its job are possible"
    )


def unlocking(check, machine):
    """The example for unlocking at start. There is no TPM in here, so the host's key stands in for it."""
    done = machine.shell(
        "systemctl reset-failed; cd /etc/credstore.encrypted;"
        "systemd-creds encrypt --with-key=host --name=unlock-key /run/key postern.unlock-key"
    )
    check(done.returncode == 0, "systemd-creds encrypts the unlock key", done.stdout)
    machine.write(
        "/etc/systemd/system/posternd.service.d/50-unlock.conf",
        read(os.path.join(EXAMPLES, "posternd.service.d", "50-unlock.conf")),
    )
    machine.shell("sed -i '1i unlock_key = \"unlock-key\"' /etc/postern/posternd.toml; systemctl daemon-reload")
    before = machine.journal("posternd").count("unlocked by credential")
    done = machine("systemctl", "start", "posternd.service")
    check(
        done.returncode == 0
        and until(lambda: machine.journal("posternd").count("unlocked by credential") == before + 1),
        "with the example's drop-in the vault unlocks itself at start",
        machine.journal("posternd")[-2000:],
    )


def live(check, folder, installed, built):
    needed = {"posternd", "postern", "postern-https", "postern-smpp"}
    if os.geteuid() != 0 or not needed <= set(built):
        return print(
            f"skip  the units under a real systemd: needs root, and {sorted(needed - set(built))} built", flush=True
        )
    done = run(
        "c++",
        "-std=c++20",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        f"{folder}/probe",
        os.path.join(HERE, "systemd_probe.cpp"),
    )
    if not check(done.returncode == 0, "the probe compiles", done.stdout):
        return None
    # Sanitizers look for leaks by ptrace at the end, which the sandbox forbids.
    root = f"{folder}/live"
    shutil.copytree(installed, root)
    for name in ("posternd.service.d", "postern-.service.d", "postern-@.service.d"):
        write(
            f"{root}/etc/systemd/system/{name}/20-sanitizer.conf",
            "[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n",
        )
    machine = Machine(folder, root, dict(built, **{"postern-probe": f"{folder}/probe"}))
    try:
        vault(check, machine)
        connectors(check, machine)
        probes(check, machine)
        unlocking(check, machine)
    finally:
        machine.close()
    return None
