#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postern-witness and postern-cosign as real programs: what is cosigned, what is refused and changes nothing, a kill -9
after each answer, damaged state, a second history and an old one.

    witness_test.py --build BUILD_DIR
"""
import argparse
import base64
import hashlib
import http.client
import os
import shutil
import signal
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import audit_tamper as tamper  # noqa: E402
from bank import Checks, wait_for  # noqa: E402

check = Checks()
NAME = "witness.bank.example/one"
EMPTY = base64.b64encode(hashlib.sha256().digest()).decode()


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def certificates(folder):
    """A root, a server's certificate for 127.0.0.1, and a client's."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=test root",
            "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem")
    for name, san, usage in (("server", "IP:127.0.0.1", "serverAuth"), ("client", "DNS:gateway.bank.example", "clientAuth")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key",
                "-out", f"{folder}/{name}.csr")
        tamper.write(folder, f"{name}.ext", f"subjectAltName={san}\nextendedKeyUsage={usage}\n".encode())
        openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.pem")


class Witness:
    """A running witness in a folder."""

    def __init__(self, program, folder, logs, client_ca=False):
        self.program, self.folder, self.process = program, folder, None
        os.makedirs(f"{folder}/state", exist_ok=True)
        settings = (f'listen = "127.0.0.1:0"\nport_file = "{folder}/port"\ncertificate = "{folder}/server.pem"\ncertificate_key = "{folder}/server.key"\n'
                    f'key = "{folder}/key"\nstate = "{folder}/state"\n' + (f'client_ca = "{folder}/ca.pem"\n' if client_ca else ""))
        for vkey in logs:
            settings += f'[[logs]]\nvkey = "{vkey}"\n'
        tamper.write(folder, "witness.toml", settings.encode())

    def start(self):
        if os.path.exists(f"{self.folder}/port"):
            os.remove(f"{self.folder}/port")
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen([self.program.path("admin/witness/postern-witness"), "--config", f"{self.folder}/witness.toml"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the witness's port", lambda: os.path.exists(f"{self.folder}/port") or self.process.poll() is not None)
        if self.process.poll() is not None:
            return False
        with open(f"{self.folder}/port", encoding="utf-8") as file:
            self.port = int(file.read())
        return True

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(30)

    def ask(self, method, path, body=None):
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)
        connection.request(method, path, None if body is None else body.encode())
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, answer.headers["Content-Type"], content

    def add(self, old, proof, note):
        return self.ask("POST", "/add-checkpoint", f"old {old}\n" + "".join(line + "\n" for line in proof) + "\n" + note)

    def memory(self):
        return tamper.files_of(f"{self.folder}/state")

    def cosign(self, log, *words):
        return self.program.run("admin/audit/postern-cosign", log, "--witness", f"https://127.0.0.1:{self.port}", "--witness-vkey", f"{self.folder}/witness.vkey",
                                "--ca", f"{self.folder}/ca.pem", *words)


def log(program, folder, *words):
    program.made_log(folder, *words)
    shutil.rmtree(f"{folder}/witness")
    return folder


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def keys(program, folder):
    made = program.run("admin/witness/postern-witness", "keygen", f"{folder}/key", NAME)
    check(made.returncode == 0 and made.stdout.startswith(NAME + "+"), "keygen makes a key and prints its verifier key", made.stderr)
    tamper.write(folder, "witness.vkey", made.stdout.encode())
    check(os.stat(f"{folder}/key").st_mode & 0o777 == 0o600 and text(f"{folder}/key").startswith("PRIVATE+KEY+"), "the key's file is the owner's alone")
    key = text(f"{folder}/key")
    again = program.run("admin/witness/postern-witness", "keygen", f"{folder}/key", NAME)
    check(again.returncode == 1 and text(f"{folder}/key") == key, "a key is never written over", again.stderr)
    check(program.run("admin/witness/postern-witness", "keygen", f"{folder}/other", "two words").returncode == 1, "a name that no note can hold is refused")
    check(program.run("admin/witness/postern-witness").returncode == 2, "a wrong command line ends with exit code 2")


def life(program, witness, base):
    """Grows a log and has each state cosigned, over kill -9."""
    own = f"{base}/audit"
    for leaves in (90, 200, 200, 256, 700):
        grown = log(program, f"{base}/grown", "--leaves", leaves)
        kept = f"{own}/witness/witness.bank.example_one"
        shutil.copytree(grown, own, dirs_exist_ok=True)
        shutil.rmtree(grown)
        done = witness.cosign(own)
        check(done.returncode == 0 and f"{leaves} leaves" in done.stdout, f"a checkpoint of {leaves} leaves is cosigned", done.stdout + done.stderr)
        witness.stop(signal.SIGKILL)
        check(witness.start(), "killed after its answer, the witness starts again")
        check(text(kept).startswith(text(f"{own}/checkpoint")), "the cosigned copy is the checkpoint and a line")
    done = program.audit("verify", own, "--vkey", f"{own}/vkey", "--witness", f"{witness.folder}/witness.vkey", "--json")
    check(done.returncode == 0 and f'"name":"{NAME}","size":700' in done.stdout, "verify --witness sees it", done.stdout + done.stderr)
    program.audit("prove", own, "--leaf", 5, "-o", f"{base}/five.tlog-proof")
    done = program.audit("check-proof", f"{base}/five.tlog-proof", "--vkey", f"{own}/vkey", "--witness", f"{witness.folder}/witness.vkey")
    check(done.returncode == 0, "and a proof carries it", done.stdout + done.stderr)
    origin_hash = hashlib.sha256(b"bank.example/postern/audit").hexdigest()
    status, _, note = witness.ask("GET", f"/{origin_hash}/checkpoint")
    lines = text(f"{own}/witness/witness.bank.example_one").splitlines()
    check(status == 200 and set(note.splitlines()) <= set(lines) and lines[-1] in note, "whoever asks gets the last cosigned checkpoint", note)
    check(witness.ask("GET", "/" + "0" * 64 + "/checkpoint")[0] == 404, "of another log there is none")
    shutil.rmtree(f"{own}/witness")
    done = witness.cosign(own, "-o", f"{base}/elsewhere")
    check(done.returncode == 0 and os.listdir(f"{base}/elsewhere") == ["witness.bank.example_one"], "without its copy cosign learns the size from the witness", done.stderr)
    return own


def refusals(program, witness, base, own):
    """Each is answered as tlog-witness says and leaves the witness's memory as it was."""
    note, before = text(f"{own}/checkpoint"), witness.memory()
    other = text(log(program, f"{base}/other", "--origin", "bank.example/other") + "/checkpoint")
    stranger = text(log(program, f"{base}/stranger", "--seed", 9, "--leaves", 800) + "/checkpoint")
    fork = log(program, f"{base}/fork", "--fork", 120, "--leaves", 700)
    old = log(program, f"{base}/old", "--leaves", 200)
    longer = text(log(program, f"{base}/longer", "--leaves", 800) + "/checkpoint")
    at = note.index("\u2014 bank.example/postern/audit ") + len("\u2014 bank.example/postern/audit ") + 30
    bad_signature = note[:at] + ("A" if note[at] != "A" else "B") + note[at + 1:]
    cases = [
        ("no request at all", 400, lambda: witness.ask("POST", "/add-checkpoint", "nonsense")),
        ("an empty body", 400, lambda: witness.ask("POST", "/add-checkpoint", "")),
        ("an old size that is no number", 400, lambda: witness.add("07", [], note)),
        ("a line of proof that is no hash", 400, lambda: witness.add(700, ["x"], note)),
        ("64 lines of proof", 400, lambda: witness.add(700, [EMPTY] * 64, note)),
        ("an old size over the checkpoint's", 400, lambda: witness.add(701, [], note)),
        ("the log of another origin", 404, lambda: witness.add(0, [], other)),
        ("the right origin under a strange key", 403, lambda: witness.add(700, [], stranger)),
        ("a false signature", 403, lambda: witness.add(700, [], bad_signature)),
        ("another old size", 409, lambda: witness.add(200, [], note)),
        ("an old state of the log", 409, lambda: witness.add(200, [], text(f"{old}/checkpoint"))),
        ("a second history of the same size", 422, lambda: witness.add(700, [], text(f"{fork}/checkpoint"))),
        ("a longer log without a proof", 422, lambda: witness.add(700, [], longer)),
        ("a longer log with a false proof", 422, lambda: witness.add(700, [EMPTY] * 8, longer)),
        ("another path", 404, lambda: witness.ask("POST", "/", "x")),
        ("another method", 405, lambda: witness.ask("GET", "/add-checkpoint")),
    ]
    for what, status, ask in cases:
        told = ask()
        check(told[0] == status, f"{what}: {status}", told)
        if status == 409:
            check(told[1:] == ("text/x.tlog.size", "700\n"), "with the size that is known", told)
    done = witness.cosign(fork)
    check(done.returncode == 3 and "422" in done.stderr, "cosign tells of a second history: exit code 3", done.stderr)
    done = witness.cosign(log(program, f"{base}/fork-on", "--fork", 120, "--leaves", 900))
    check(done.returncode == 3 and "422" in done.stderr, "also when it goes on, with a proof of its own", done.stderr)
    done = witness.cosign(old)
    check(done.returncode == 3 and "older" in done.stderr, "and of an old one", done.stderr)
    done = witness.cosign(f"{base}/other")
    check(done.returncode == 1 and "404" in done.stderr, "an unknown log is not cosigned: exit code 1", done.stderr)
    check(witness.memory() == before, "nothing of this has changed what the witness knows")
    done = witness.cosign(own, "--cert", f"{base}/ca.pem")
    check(done.returncode == 2, "a certificate without its key is a wrong command line", done.stderr)


def bad_state(program, witness, base):
    """Whatever happens to its memory, the witness does not take it for a first day."""
    name, content = next(iter(witness.memory().items()))
    path = f"{witness.folder}/state/{name}"
    witness.stop()
    for what, damaged in (("cut", content[:-1]), ("emptied", b""), ("of another log", content.replace(b"700", b"600")), ("without its own line", content[:content.rindex("\u2014".encode())])):
        tamper.write(witness.folder + "/state", name, damaged)
        check(not witness.start() and "restore it from a backup" in text(f"{witness.folder}/log"), f"with its memory {what} it does not start")
        open(f"{witness.folder}/log", "w").close()
    tamper.write(witness.folder + "/state", name, content)
    os.chmod(f"{witness.folder}/key", 0o644)
    check(not witness.start(), "nor with a key that others may read")
    os.chmod(f"{witness.folder}/key", 0o600)
    key = text(f"{witness.folder}/key")
    tamper.write(witness.folder, "key", (key[:-6] + ("A" if key[-6] != "A" else "B") + key[-5:]).encode())
    check(not witness.start(), "nor with a damaged key")
    tamper.write(witness.folder, "key", key.encode())
    check(witness.start(), "put right, it starts")
    second = subprocess.run([program.path("admin/witness/postern-witness"), "--config", f"{witness.folder}/witness.toml"], capture_output=True, text=True, timeout=30)
    check(second.returncode == 1 and "another witness is using it" in second.stderr, "two witnesses do not share a memory", second.stderr)
    checked = program.run("admin/witness/postern-witness", "--config", f"{witness.folder}/witness.toml", "--check")
    check(checked.returncode == 0, "--check finds the settings good", checked.stderr)
    tamper.write(base, "bad.toml", b'listen = "nowhere"\nlisten2 = 1\n')
    checked = program.run("admin/witness/postern-witness", "--config", f"{base}/bad.toml", "--check")
    check(checked.returncode == 2 and "[[logs]]" in checked.stderr and "listen2" in checked.stderr, "and says what is wrong with others", checked.stderr)
    os.chmod(f"{witness.folder}/state", 0o500)
    if os.geteuid() != 0:
        before = witness.memory()
        check(witness.cosign(f"{base}/audit").returncode == 1 and witness.memory() == before, "what cannot be kept is not cosigned")
    os.chmod(f"{witness.folder}/state", 0o700)


def with_certificates(program, base, own):
    closed = Witness(program, base, [text(f"{own}/vkey").splitlines()[0]], client_ca=True)
    closed.start()
    check(closed.cosign(own).returncode == 1, "where it asks for a certificate, nobody is heard without one")
    done = closed.cosign(own, "--cert", f"{base}/client.pem", "--key", f"{base}/client.key")
    check(done.returncode == 0, "and with one it is cosigned", done.stderr)
    check(closed.stop() == 0, "it ends cleanly")


def of_profile_fips(program, base):
    """A log whose keys are ECDSA P-256; the witness's own is Ed25519 as ever."""
    folder, own = f"{base}/second", log(program, f"{base}/fips", "--leaves", 90)
    os.mkdir(folder)
    for name in ("ca.pem", "server.pem", "server.key", "key", "witness.vkey"):
        shutil.copy(f"{base}/{name}", folder)
    identity, epoch = text(f"{own}/vkey").splitlines()
    wrong = Witness(program, folder, [epoch])
    check(not wrong.start() and "identity key" in text(f"{folder}/log"), "fips: an epoch's key in its settings is refused")
    witness = Witness(program, folder, [identity])
    check(witness.start(), "fips: the witness takes an identity key of this type")
    try:
        for leaves in (90, 200, 256):
            shutil.copytree(log(program, f"{base}/fips-grown", "--leaves", leaves), own, dirs_exist_ok=True)
            shutil.rmtree(f"{base}/fips-grown")
            done = witness.cosign(own)
            check(done.returncode == 0 and f"{leaves} leaves" in done.stdout, f"fips: a checkpoint of {leaves} leaves is cosigned", done.stdout + done.stderr)
        known = witness.memory()
        fork = log(program, f"{base}/fips-fork", "--fork", 120, "--leaves", 256)
        check(witness.cosign(fork).returncode == 3 and witness.memory() == known, "fips: a second history is not")
        stranger = text(log(program, f"{base}/fips-stranger", "--seed", 9, "--leaves", 300) + "/checkpoint")
        check(witness.add(256, [], stranger)[0] == 403, "fips: nor the right origin under a strange key")
        note = text(f"{own}/checkpoint")
        check(witness.add(256, [], note)[0] == 200, "fips: the same again is cosigned again")
        check(witness.stop() == 0 and witness.start(), "fips: it knows the log after a restart")
        done = program.audit("verify", own, "--vkey", f"{own}/vkey", "--witness", f"{folder}/witness.vkey")
        check(done.returncode == 0 and "cosigned by" in done.stdout, "fips: verify --witness sees it", done.stdout + done.stderr)
        program.audit("prove", own, "--leaf", 5, "-o", f"{base}/fips.tlog-proof")
        done = program.audit("check-proof", f"{base}/fips.tlog-proof", "--vkey", f"{own}/vkey", "--witness", f"{folder}/witness.vkey")
        check(done.returncode == 0, "fips: and a proof carries it", done.stdout + done.stderr)
    finally:
        if witness.process.poll() is None:
            witness.stop(signal.SIGKILL)
    check("ERROR: AddressSanitizer" not in text(f"{folder}/log") and "runtime error" not in text(f"{folder}/log"), "fips: no sanitizer spoke")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    build = parser.parse_args().build
    program = tamper.Program(build)
    with tamper.memory_folder() as base:
        certificates(base)
        keys(program, base)
        vkey = text(log(program, f"{base}/first") + "/vkey").splitlines()[0]
        witness = Witness(program, base, [vkey])
        check(witness.start(), "the witness starts", text(f"{base}/log"))
        try:
            own = life(program, witness, base)
            refusals(program, witness, base, own)
            bad_state(program, witness, base)
            check(witness.stop() == 0, "SIGTERM ends it")
            with_certificates(program, base, own)
            of_profile_fips(tamper.Program(build, "fips"), base)
        finally:
            if witness.process.poll() is None:
                witness.stop(signal.SIGKILL)
        check("ERROR: AddressSanitizer" not in text(f"{base}/log") and "runtime error" not in text(f"{base}/log") and "PRIVATE+KEY" not in text(f"{base}/log"),
              "no sanitizer spoke, and the log holds no key")
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
