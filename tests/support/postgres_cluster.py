# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL of a test's own, with TLS, on a free port."""

import os
import pwd
import shutil
import subprocess
import time

from harness import free_port

BIN = "/usr/lib/postgresql/15/bin"


class Cluster:
    """A PostgreSQL of its own under a folder; run by the user postgres when the test is run by root."""

    def __init__(self, folder, certificates):
        self.folder, self.port = folder, free_port()
        self.user = "postgres" if os.geteuid() == 0 else None
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        for name in ("server.pem", "server.key", "ca.pem"):
            shutil.copy(os.path.join(certificates, name), os.path.join(folder, name))
        os.chmod(os.path.join(folder, "server.key"), 0o600)
        if self.user:
            account = pwd.getpwnam(self.user)
            for name in ("", "server.pem", "server.key", "ca.pem"):
                os.chown(os.path.join(folder, name), account.pw_uid, account.pw_gid)
        self.data = os.path.join(folder, "data")
        self._run(
            f"{BIN}/initdb", "-D", self.data, "-A", "peer", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N"
        )
        self.settings(
            f"listen_addresses = '127.0.0.1,127.0.0.2'\nport = {self.port}\nunix_socket_directories = '{folder}'\n"
            f"ssl = on\nssl_cert_file = '{folder}/server.pem'\nssl_key_file = '{folder}/server.key'\n"
            f"ssl_ca_file = '{folder}/ca.pem'\npassword_encryption = 'scram-sha-256'\nfsync = off\n"
            "log_min_messages = warning\nmax_connections = 40\n"
        )
        write_as = os.path.join(self.data, "pg_hba.conf")
        with open(write_as, "w", encoding="ascii") as hba:
            hba.write(
                "local all postgres peer map=owner\nhostssl core postern_cert 127.0.0.1/32 cert\n"
                "hostssl core all 127.0.0.0/8 scram-sha-256\n"
            )
        with open(os.path.join(self.data, "pg_ident.conf"), "w", encoding="ascii") as ident:
            ident.write(f"owner {self.user or pwd.getpwuid(os.geteuid()).pw_name} postgres\n")

    def _run(self, *command, **more):
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        return subprocess.run([*prefix, *command], check=True, cwd="/", capture_output=True, text=True, **more)

    def settings(self, text):
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="ascii") as conf:
            conf.write(text)

    def start(self):
        # Output to a file: a server that inherits the pipe would keep it open.
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        subprocess.run(
            [*prefix, f"{BIN}/pg_ctl", "-D", self.data, "-w", "-l", os.path.join(self.folder, "log"), "start"],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self, mode="fast"):
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        subprocess.run(
            [*prefix, f"{BIN}/pg_ctl", "-D", self.data, "-w", "-m", mode, "stop"],
            check=False,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def sql(self, text, database="core"):
        return self._run(
            "psql",
            "-h",
            self.folder,
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-d",
            database,
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            "-",
            input=text,
        ).stdout.strip()

    def session(self):
        """A psql whose input the test writes."""
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        return subprocess.Popen(
            [*prefix, "psql", "-h", self.folder, "-p", str(self.port), "-U", "postgres", "-d", "core", "-XAtq"],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self, query, wanted, timeout=20.0):
        deadline = time.monotonic() + timeout
        while True:
            seen = self.sql(query)
            if seen == wanted:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{query}\n  seen {seen!r}, wanted {wanted!r}")
            time.sleep(0.05)
