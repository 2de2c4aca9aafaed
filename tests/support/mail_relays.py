# SPDX-License-Identifier: Apache-2.0
"""Relays for the tests of postern-email: a real Postfix of its own, and relays that follow a script."""

import os
import pwd
import socket
import ssl
import subprocess
import threading
import time

from harness import free_port, write


class Postfix:
    """A private instance: own configuration, queue and data folders, one smtpd on a free port of 127.0.0.1."""

    DAEMONS = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

    def __init__(self, folder, certificates):
        self.folder, self.port, self.process = folder, free_port(), None
        at = lambda name: os.path.join(folder, name)
        user = pwd.getpwnam("postfix")
        for name in ("", "conf", "queue", "data", "mail"):
            os.makedirs(at(name), exist_ok=True)
            os.chmod(at(name), 0o755)
        for name in ("data", "mail"):
            os.chown(at(name), user.pw_uid, user.pw_gid)
        self.log = at("log")
        write(
            at("conf/main.cf"),
            "\n".join(
                f"{k} = {v}"
                for k, v in {
                    "compatibility_level": "3.6",
                    "queue_directory": at("queue"),
                    "data_directory": at("data"),
                    "daemon_directory": "/usr/lib/postfix/sbin",
                    "command_directory": "/usr/sbin",
                    "mail_owner": "postfix",
                    "setgid_group": "postdrop",
                    "myhostname": "relay.bank.test",
                    "mydestination": "",
                    "inet_interfaces": "127.0.0.1",
                    "inet_protocols": "ipv4",
                    "mynetworks": "127.0.0.0/8",
                    "maillog_file": self.log,
                    "maillog_file_prefixes": folder,
                    "smtputf8_enable": "yes",
                    "smtpd_relay_restrictions": "permit_mynetworks, reject",
                    "virtual_mailbox_domains": "customers.test",
                    "virtual_mailbox_base": at("mail"),
                    "virtual_transport": "virtual",
                    "virtual_minimum_uid": "1",
                    "virtual_mailbox_maps": "inline:{ {anna@customers.test=anna/} {ivan@customers.test=ivan/} "
                    "{іван@customers.test=ivan/} }",
                    "virtual_uid_maps": f"static:{user.pw_uid}",
                    "virtual_gid_maps": f"static:{user.pw_gid}",
                    "local_recipient_maps": "",
                    "alias_maps": "",
                    "alias_database": "",
                    "message_size_limit": "300000",
                    "smtpd_tls_cert_file": os.path.join(certificates, "server.pem"),
                    "smtpd_tls_key_file": os.path.join(certificates, "server.key"),
                    "smtpd_tls_security_level": "encrypt",
                    "smtpd_tls_loglevel": "1",
                    "default_transport": "error:5.4.4 no route",
                    "smtpd_client_connection_rate_limit": "0",
                    "smtpd_delay_reject": "yes",
                    "smtpd_recipient_restrictions": "check_recipient_access "
                    "inline:{ {elsewhere.test=550 5.7.1 not for us} }, "
                    "reject_unlisted_recipient, permit_mynetworks, reject",
                }.items()
            )
            + "\n",
            0o644,
        )
        write(at("conf/master.cf"), self.DAEMONS.format(port=self.port), 0o644)

    def start(self):
        self.process = subprocess.Popen(
            ["postfix", "-c", os.path.join(self.folder, "conf"), "start-fg"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if probe.recv(4) == b"220 ":
                        return
            except OSError:
                pass
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise TimeoutError("Postfix did not come up:\n" + self.log_text())
            time.sleep(0.05)

    def stop(self):
        if self.process is None:
            return
        subprocess.run(
            ["postfix", "-c", os.path.join(self.folder, "conf"), "stop"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        self.process.wait(20)
        self.process = None

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def mailbox(self, name, count, timeout=20):
        """The raw mails of a mailbox, once it holds `count`."""
        new = os.path.join(self.folder, "mail", name, "new")
        deadline = time.monotonic() + timeout
        while not os.path.isdir(new) or len(os.listdir(new)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the mailbox {name} does not hold {count} mails\n" + self.log_text()[-3000:])
            time.sleep(0.05)
        mails = []
        for file in sorted(os.listdir(new), key=lambda f: os.stat(os.path.join(new, f)).st_mtime_ns):
            with open(os.path.join(new, file), "rb") as mail:
                mails.append(mail.read())
        return mails


class ScriptedRelay:
    """A relay that does exactly what `script(relay, connection)` says; it notes every line that it reads."""

    def __init__(self, certificates, script):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(certificates, "server.pem"), os.path.join(certificates, "server.key"))
        self.script, self.lines, self.connections = script, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        line = Line(self, sock)
        try:
            self.script(line)
        except (OSError, EOFError):
            pass
        finally:
            line.sock.close()

    def close(self):
        self.listener.close()

    def said(self, text):
        return [line for line in list(self.lines) if text in line]


class Line:
    def __init__(self, relay, sock):
        self.relay, self.sock, self.buffer = relay, sock, b""

    def say(self, text):
        self.sock.sendall(text.replace("\n", "\r\n").encode())

    def read(self):
        while b"\r\n" not in self.buffer:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        text = line.decode("utf-8", "replace")
        self.relay.lines.append(text)
        return text

    def expect(self, start):
        line = self.read()
        if not line.startswith(start):
            self.relay.lines.append(f"<wanted {start}>")
            raise EOFError
        return line

    def tls(self):
        self.sock = self.relay.context.wrap_socket(self.sock, server_side=True)

    def hello(self, offers="PIPELINING\n250-SIZE 1000000\n250 ENHANCEDSTATUSCODES"):
        """Greeting, STARTTLS and the second EHLO with these offers."""
        self.say("220 scripted\n")
        self.expect("EHLO ")
        self.say("250-scripted\n250 STARTTLS\n")
        self.expect("STARTTLS")
        self.say("220 go\n")
        self.tls()
        self.expect("EHLO ")
        self.say(f"250-scripted\n250-{offers}\n")

    def take_mail(self, answer="250 2.0.0 Ok: queued as S1\n"):
        line = self.read()
        if line.startswith("RSET"):
            self.say("250 2.0.0 Ok\n")
            line = self.read()
        if line.startswith("QUIT"):
            self.say("221 bye\n")
            raise EOFError
        self.expect("RCPT TO:")
        self.expect("DATA")
        self.say("250 2.1.0 Ok\n250 2.1.5 Ok\n354 go\n")
        while self.read() != ".":
            pass
        if answer:
            self.say(answer)
