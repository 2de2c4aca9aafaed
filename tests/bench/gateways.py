# SPDX-License-Identifier: Apache-2.0
"""The gateways that are measured and what stands around them: ours and Kannel, each with the same SMS centre, the same ledger, and the same
load client, in a folder of its own."""
import atexit
import getpass
import json
import os
import pathlib
import signal
import socket
import subprocess

from processes import Group, of_service, start, wait_for

ENTRY, HEAD = 48, 64   # of a ledger: ledger.hpp


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"bench: {words[0]}: {done.stderr}{done.stdout}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Certificates:
    """A CA, what it signs and its revocation list, in one folder."""

    CONFIG = "[ca]\ndefault_ca = own\n[own]\ndatabase = {0}/index.txt\ncrlnumber = {0}/crlnumber\nprivate_key = {0}/ca.key\ncertificate = {0}/ca.pem\n" \
             "default_md = sha256\ndefault_crl_days = 30\n"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.path("index.txt").touch()
        self.path("crlnumber").write_text("1000\n")
        self.path("ca.cnf").write_text(self.CONFIG.format(self.folder))
        self.key("ca")
        run("openssl", "req", "-x509", "-new", "-key", self.path("ca.key"), "-out", self.path("ca.pem"), "-days", 30, "-subj", "/CN=Measured CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        run("openssl", "ca", "-config", self.path("ca.cnf"), "-gencrl", "-out", self.path("crl.pem"))
        self.issue("server", "IP:127.0.0.1,DNS:localhost", "serverAuth")
        self.issue("client", "URI:spiffe://bank.example/core", "clientAuth")

    def path(self, name):
        return self.folder / name

    def key(self, name):
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path(f"{name}.key"))
        self.path(f"{name}.key").chmod(0o600)

    def issue(self, name, names, usage):
        self.key(name)
        run("openssl", "req", "-new", "-key", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"), "-subj", f"/CN={name}")
        self.path(f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n")
        run("openssl", "x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-CAcreateserial",
            "-days", 30, "-extfile", self.path(f"{name}.ext"), "-out", self.path(f"{name}.pem"))


class Rig:
    """What every measured gateway gets: certificates, a ledger, an SMS centre. Ledgers lie in memory where that is possible: nothing of them is
    a gateway's own writing."""

    def __init__(self, build, folder, entries):
        self.build, self.folder, self.entries = pathlib.Path(build), pathlib.Path(folder), entries
        self.pki = Certificates(self.folder / "pki")
        self.memory = pathlib.Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else self.folder
        self.number = 0

    def bench(self, name):
        return self.build / "tests" / "bench" / name

    def new_ledger(self):
        self.number += 1
        path = self.memory / f"postern-ledger-{os.getpid()}-{self.number}"
        with open(path, "wb") as out:
            out.truncate(HEAD + self.entries * ENTRY)
        atexit.register(path.unlink, missing_ok=True)
        return path

    def server_tls(self):
        return ["--ca", self.pki.path("ca.pem"), "--cert", self.pki.path("server.pem"), "--key", self.pki.path("server.key"), "--crl", self.pki.path("crl.pem")]

    def client_tls(self):
        return ["--ca", self.pki.path("ca.pem"), "--cert", self.pki.path("client.pem"), "--key", self.pki.path("client.key")]


class Peer:
    """A measuring program that says its port first and its figures on SIGTERM."""

    def __init__(self, program, *words):
        self.process = start((program, *words), stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: {program} did not start")
        self.port = json.loads(line)["port"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.stdout.read().splitlines()
        self.process.wait(20)
        return json.loads(said[-1]) if said else {}


class Measured:
    """A gateway with its SMS centre and its ledger; `load` drives it. Messages are numbered on from one load to the next."""

    words, tls = (), False

    def __init__(self, rig, folder, receipt_after_ms=20):
        self.rig, self.folder = rig, pathlib.Path(folder)
        self.folder.mkdir()
        self.group, self.ledger, self.next, self.cursor = Group(self.folder), rig.new_ledger(), 0, 0
        self.centre = Peer(rig.bench("sms_centre"), "--ledger", self.ledger, "--receipt-after-ms", receipt_after_ms, *(rig.server_tls() if self.tls else ()))

    def load(self, *words, count, receipts=True, batch=1, **more):
        """What load_client said. `more`: rate=1000, connections=8, persist=True and so on."""
        if self.next + count > self.rig.entries:
            raise SystemExit("bench: the ledger is too small for this load")
        options = [item for key, value in more.items() for item in (["--" + key] if value is True else ["--" + key, value])]
        command = [self.rig.bench("load_client"), "--port", self.port, "--ledger", self.ledger, "--first", self.next, "--count", count, "--batch", batch,
                   "--after", self.cursor, *(["--receipts"] if receipts else []), *self.words, *options, *words]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if not done.stdout:
            raise SystemExit(f"bench: the load client said nothing: {done.stderr}")
        self.next += count
        result = json.loads(done.stdout.splitlines()[-1])
        self.cursor = max(self.cursor, result.get("cursor", 0))
        return result

    def is_accepted(self, n):
        with open(self.ledger, "rb") as entries:
            entries.seek(HEAD + n * ENTRY + 8)
            return entries.read(8) != bytes(8)

    def stop(self):
        """Ends everything; what the SMS centre saw."""
        self.group.stop()
        seen = self.centre.stop()
        self.ledger.unlink(missing_ok=True)
        return seen

    def log_tail(self):
        return "".join(f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in sorted(self.folder.glob("*.log")))


class Postern(Measured):
    """posternd, postern-https and postern-smpp as a bank runs them: mutual TLS on both sides, encrypted store, audit, every commit on disk."""

    tls = True

    def __init__(self, rig, folder, categories="", absent="", https="", rate=100_000, **more):
        """`categories`: other rules than the scenario for each; `absent`: a connector that never comes, and its route, which alone carries marketing then; `https`: further
        settings of postern-https; `rate`: of the SMS centre."""
        super().__init__(rig, folder, **more)
        pki, run_folder, user = rig.pki, self.folder / "run", getpass.getuser()
        self.port = free_port()   # the same after a restart
        for name in ("state", "run", "scenarios", "templates"):
            (self.folder / name).mkdir()
        categories = categories or "".join(f'[categories.{c}]\nscenario = "sms"\n' for c in ("otp", "security", "transaction", "service", "marketing"))
        own = 'categories = ["otp", "security", "transaction", "service"]\n' if absent else ""
        self.write("key", os.urandom(32).hex(), 0o400)
        self.write("password", "measured\n", 0o400)
        self.write("posternd.toml",
                   f'state = "state"\nbus = "{run_folder}/bus.sock"\ncontrol = "{run_folder}/control.sock"\naudit_origin = "measured.example/audit"\nunlock_key = "{self.folder}/key"\n'
                   f'{absent}[connectors.https]\nuser = "{user}"\n[connectors.sms]\nuser = "{user}"\nchannel = "sms"\n'
                   '[clients.core]\nidentities = ["spiffe://bank.example/core"]\ncategories = ["otp", "security", "transaction", "service", "marketing"]\n'
                   f'{categories}[[routes]]\nchannel = "sms"\nconnector = "sms"\n{own}')
        self.write("scenarios/sms.toml", 'name = "sms"\ndeadline = "3d"\n[[steps]]\nchannel = "sms"\n')
        self.write("https.toml",
                   f'name = "https"\nvault = "{run_folder}/bus.sock"\nlisten = "127.0.0.1:{self.port}"\ndefault_region = "UA"\n'
                   f'[tls]\ncertificate = "{pki.path("server.pem")}"\nkey = "{pki.path("server.key")}"\nca = "{pki.path("ca.pem")}"\ncrl = "{pki.path("crl.pem")}"\n{https}')
        self.write("smpp.toml",
                   f'name = "sms"\nvault = "{run_folder}/bus.sock"\nhosts = ["127.0.0.1"]\nport = {self.centre.port}\nca = "{pki.path("ca.pem")}"\n'
                   f'certificate = "{pki.path("client.pem")}"\nkey = "{pki.path("client.key")}"\nsystem_id = "measured"\npassword = "password"\n'
                   f'binds = 2\nwindow = 500\nrate = {rate}\nsender = "MyBank"\n')
        self.words = ["--gateway", "postern", *rig.client_tls(), "--scenario", "sms"]
        self.group.start("posternd", rig.build / "gateway" / "posternd", "--config", self.folder / "posternd.toml", env=of_service())
        wait_for("posternd's start", lambda: self.postern("status").returncode != 1)
        made = self.postern("init", "--key-file", self.folder / "key")
        if made.returncode != 0:
            raise SystemExit(f"bench: postern init: {made.stderr}{self.log_tail()}")
        self.group.start("https", rig.build / "connectors" / "sources" / "https" / "postern-https", "--config", self.folder / "https.toml", env=of_service())
        self.start_channel()
        wait_for("both connectors", self.is_up)

    def start_channel(self):
        self.group.start("smpp", self.rig.build / "connectors" / "channels" / "smpp" / "postern-smpp", "--config", self.folder / "smpp.toml",
                         env={**of_service(), "CREDENTIALS_DIRECTORY": str(self.folder)})

    def write(self, name, text, mode=0o644):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(mode)

    def postern(self, *words):
        return subprocess.run([self.rig.build / "admin" / "postern", "--socket", self.folder / "run" / "control.sock", *map(str, words)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def is_up(self):
        told = self.postern("connectors", "--json").stdout
        return told and {"https", "sms"} <= {each["name"] for each in json.loads(told)["connectors"] if each["state"] == "up"}

    def metrics(self):
        lines = [line.rsplit(" ", 1) for line in self.postern("metrics").stdout.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def waiting(self):
        return self.metrics().get("postern_messages_waiting", -1)


class Kannel(Measured):
    """Debian's Kannel as a good administrator sets it up for speed: wide windows, two sessions, no access log, receipts kept in memory."""

    BEARERBOX, SMSBOX = "/usr/sbin/bearerbox", "/usr/sbin/smsbox"
    log_level = 3   # its own default is 0: every step of every message

    def __init__(self, rig, folder, store="file", instances=1, **more):
        super().__init__(rig, folder, **more)
        ports = {name: free_port() for name in ("admin", "smsbox", "sendsms")}
        self.admin, self.port = ports["admin"], ports["sendsms"]
        (self.folder / "spool").mkdir()
        where = self.folder / "spool" if store == "spool" else self.folder / "kannel.store"
        (self.folder / "kannel.conf").write_text(f"""
group = core
admin-port = {self.admin}
admin-password = measured
status-password = measured
admin-interface = 127.0.0.1
smsbox-port = {ports["smsbox"]}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
box-deny-ip = "*.*.*.*"
log-level = {self.log_level}
store-type = {store}
store-location = "{where}"
dlr-storage = internal
sms-incoming-queue-limit = 1000000
sms-outgoing-queue-limit = 1000000

group = smsc
smsc = smpp
smsc-id = centre
host = 127.0.0.1
port = {self.centre.port}
smsc-username = measured
smsc-password = measured
system-type = ""
transceiver-mode = true
max-pending-submits = 500
instances = {instances}
reconnect-delay = 1
source-addr-ton = 5
source-addr-npi = 0
dest-addr-ton = 1
dest-addr-npi = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {self.port}
sendsms-interface = 127.0.0.1
log-level = {self.log_level}
max-pending-requests = 512
http-request-retry = 3

group = sendsms-user
username = measured
password = measured
max-messages = 10
concatenation = true
default-smsc = centre

group = sms-service
keyword = default
text = "no service"
max-messages = 0
""")
        self.words = ["--gateway", "kannel", "--user", "measured", "--password", "measured"]
        self.group.start("bearerbox", self.BEARERBOX, "-v", self.log_level, self.folder / "kannel.conf", cwd=self.folder)
        wait_for("bearerbox's start", lambda: self.answers(ports["admin"]))
        self.start_smsbox()
        wait_for("Kannel's link to the SMS centre", lambda: self.status().count("(online") >= instances)

    def start_smsbox(self):
        self.group.start("smsbox", self.SMSBOX, "-v", self.log_level, self.folder / "kannel.conf", cwd=self.folder)
        wait_for("smsbox's start", lambda: self.answers(self.port))

    @staticmethod
    def answers(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def status(self):
        done = subprocess.run(["curl", "-s", "-m", "5", f"http://127.0.0.1:{self.admin}/status.txt?password=measured"], capture_output=True, text=True)
        return done.stdout
