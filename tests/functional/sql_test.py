# SPDX-License-Identifier: Apache-2.0
"""postern-sql against a real PostgreSQL: a private cluster with TLS on a free port, the outbox table of the README's
DDL, and the vault played by VaultPlayer."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "support", "providers"))

from vault_player import VaultPlayer, now_ms  # noqa: E402
from harness import (
    Checks,
    Folder,
    Program,
    arguments,
    check_settings,
    example_of,
    make_certificates,
    openssl,
    write,
)

from postgres_cluster import Cluster  # noqa: E402

REPOSITORY = os.path.join(HERE, "..", "..")
PASSWORD = "reader secret 7"


def config(folder, cluster, **more):
    keys = {
        "name": "sql-core",
        "vault": os.path.join(folder, "bus.sock"),
        "hosts": ["127.0.0.1"],
        "port": cluster.port,
        "database": "core",
        "user": "postern",
        "password": "db.password",
        "ca": "ca.pem",
        "table": "outbox.messages",
        "lease": "5s",
        "poll": "60s",
        "default_region": "UA",
    }
    keys.update(more)
    lines = [f"{k} = {json.dumps(v)}" for k, v in keys.items() if v is not None]
    return write(os.path.join(folder, f"sql-{len(os.listdir(folder))}.toml"), "\n".join(lines) + "\n")


def insert(cluster, *rows):
    """Inserts rows given as {column: SQL expression}, in one transaction."""
    text = "BEGIN;\n"
    for row in rows:
        row = dict({"category": "'transaction'", "template": "'payment'", "phone": "'+380671234567'"}, **row)
        text += f"INSERT INTO outbox.messages ({', '.join(row)}) VALUES ({', '.join(row.values())});\n"
    return cluster.sql(text + "COMMIT;")


def clear(cluster):
    cluster.sql("DELETE FROM outbox.messages")


def status(cluster, key, columns="status"):
    return cluster.sql(f"SELECT {columns} FROM outbox.messages WHERE message_key = '{key}'")


def flow(check, build, folder, cluster):
    with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
        wire = vault.wire
        program = Program(build, config(folder, cluster, write_progress=True))
        peer = vault.connector("sql-core")
        peer.wait_health(True)
        check("TLSv1.3" in program.wait_line("sql.up"), "it reads over TLS 1.3")
        check(peer.hello.wants_events and peer.hello.window == 0, "it is a source that wants events")

        insert(
            cluster,
            {"message_key": "'m1'", "category": "'marketing'"},
            {
                "message_key": "'k1'",
                "category": "'otp'",
                "phone": "'067 123-45-67'",
                "recipient_ref": "'C-17'",
                "locale": "'uk-UA'",
                "variables": """'{"amount": 12.50, "name": "Анна \\"А\\"", "vip": true}'""",
                "scenario": "'otp-first'",
                "deadline": "now() + interval '5 minutes'",
                "send_at": "'2026-11-22 12:00:00.5+00'",
                "email": "'anna@customers.test'",
                "push_token": "'token-1'",
                "push_platform": "'fcm'",
            },
        )
        first, second = peer.wait_submit(), peer.wait_submit()
        check.equal([first.idempotency_key, second.idempotency_key], ["k1", "m1"], "a code overtakes marketing")
        check.equal(
            (first.category, first.template, first.scenario, first.reference, first.identity, first.validate_only),
            (wire.OTP, "payment", "otp-first", "k1", "", False),
            "the row's words arrive",
        )
        to = first.recipient
        check.equal(
            (to.reference, to.phone, to.email, to.locale, to.push[0].token, to.push[0].platform),
            ("C-17", "380671234567", "anna@customers.test", "uk-UA", "token-1", "fcm"),
            "the recipient arrives, the number in E.164",
        )
        check.equal(
            {v.name: v.value for v in first.variable},
            {"amount": "12.50", "name": 'Анна "А"', "vip": "true"},
            "the variables arrive",
        )
        check(len(first.fingerprint) == 32 and first.fingerprint != second.fingerprint, "each row has its fingerprint")
        check(
            abs(first.deadline_ms - now_ms() - 300_000) < 5000 and first.send_at_ms == 1795348800500,
            "times are in milliseconds",
        )
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2 AND message_id IS NOT NULL", "2")
        check(True, "accepted rows carry the message's id (woken by NOTIFY, the poll is a minute away)")

        # Events: acknowledged only after their rows are committed.
        message_id = status(cluster, "k1", "message_id")
        lock = cluster.session()
        lock.stdin.write("BEGIN; LOCK TABLE outbox.messages IN SHARE ROW EXCLUSIVE MODE; SELECT 'locked';\n")
        lock.stdin.flush()
        lock.stdout.readline()
        event = lambda sequence, progress, key="k1", mid=message_id, **more: wire.Event(
            sequence=sequence, id=mid, reference=key, progress=progress, at_ms=1795349647123, **more
        )
        peer.events(event(7, wire.DELIVERED), event(8, wire.SENT), event(9, wire.REACHED, reason="delivered"))
        time.sleep(0.3)
        check(not peer.event_cursors, "an event whose row is not written is not acknowledged")
        lock.stdin.write("COMMIT;\n")
        lock.stdin.close()
        lock.wait(10)
        peer.wait(lambda: peer.event_cursors and peer.event_cursors[-1] == 9, "the cursor")
        check.equal(
            status(
                cluster, "k1", "status, outcome, outcome_reason, progress, outcome_at = to_timestamp(1795349647.123)"
            ),
            "4|reached|delivered|delivered|t",
            "the final state is written, and how far it had come",
        )
        peer.events(
            event(10, wire.FAILED, key="m1", mid="00000000-0000-7000-8000-00000000dead"),
            event(11, wire.FAILED, key="stranger"),
            event(12, wire.FAILED, mid="not a uuid"),
            event(13, wire.EXPIRED),
        )
        peer.wait(lambda: peer.event_cursors[-1] == 13, "the cursor")
        check.equal(status(cluster, "m1"), "2", "an event of another message with this reference changes nothing")
        check.equal(status(cluster, "k1", "outcome"), "reached", "the first final state stays")
        check.equal(program.terminate(), 0, "it ends as asked")
        output = program.output()
        check(
            not any(secret in output for secret in (PASSWORD, "Анна", "1234567", "12.50", "anna@", "token-1")),
            "the log holds nothing of a row",
        )
    clear(cluster)


def quarantine(check, build, folder, cluster):
    with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
        program = Program(build, config(folder, cluster, largest_row=20000))
        peer = vault.connector("sql-core")
        peer.wait_health(True)
        big = "'{\"a\": \"' || repeat('x', 30000) || '\"}'"
        bad = {
            "b-phone": ({"phone": "'not a number'"}, "phone-malformed"),
            "b-cat": ({"category": "'greeting'"}, "category-unknown"),
            "b-arr": ({"variables": "'[1, 2]'"}, "variables-malformed"),
            "b-nest": ({"variables": """'{"a": {"b": 1}}'"""}, "variable-type"),
            "b-big": ({"variables": f"({big})::jsonb"}, "row-too-large"),
            "b-inf": ({"deadline": "'infinity'"}, "time-invalid"),
            "b-late": ({"deadline": "now() - interval '1 second'"}, "expired"),
            "b key": ({}, "key-invalid"),
            "b-push": ({"push_token": "'t'"}, "push-platform-missing"),
            "b-tmpl": ({"template": "''"}, "template-invalid"),
        }
        insert(
            cluster,
            *[dict({"message_key": f"'{key}'"}, **row) for key, (row, _) in bad.items()],
            {"message_key": "'good'"},
        )
        check.equal(peer.wait_submit().idempotency_key, "good", "a good row among bad ones goes on")
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 3", str(len(bad)))
        for key, (_, code) in bad.items():
            seen = status(cluster, key, "split_part(error, ':', 1)")
            check.equal(seen, code, f"a bad row is rejected: {code}")
        errors = cluster.sql("SELECT string_agg(error, ' ') FROM outbox.messages WHERE status = 3")
        check(
            "not a number" not in errors and "xxx" not in errors and "greeting" not in errors,
            "and the reason repeats no value",
        )
        seen = {peer.wait_observation(vault.wire.Observation.ROW_QUARANTINED).reason for _ in range(len(bad) - 1)}
        check.equal(
            seen, {code for _, code in bad.values()} - {"expired"}, "the audit log is told, once for each reason"
        )
        insert(cluster, *[{"message_key": f"'p{i}'", "phone": "'x'"} for i in range(300)])
        counted = peer.wait_observation(vault.wire.Observation.ROW_QUARANTINED).count
        check(counted > 1, f"and {counted} rows of one reason are one observation")
        program.terminate()
    clear(cluster)


def verdicts(check, build, folder, cluster):
    tries = {}

    def on_submit(submit):
        wire = vault.wire
        tries[submit.idempotency_key] = tries.get(submit.idempotency_key, 0) + 1
        stored = wire.Verdict(outcome=wire.Verdict.STORED, id="01890000-0000-7000-8000-000000000001")
        if submit.idempotency_key == "v-bad":
            problem = wire.Problem(pointer="/variables/amount", code="missing-variable", detail="d")
            return wire.Verdict(outcome=wire.Verdict.INVALID, problem=[problem])
        if submit.idempotency_key == "v-reused":
            return wire.Verdict(outcome=wire.Verdict.KEY_REUSED)
        if submit.idempotency_key == "v-busy" and tries["v-busy"] == 1:
            return wire.Verdict(outcome=wire.Verdict.BUSY, retry_after_ms=300)
        if submit.idempotency_key == "v-again":
            stored.outcome = wire.Verdict.REPLAYED
        return stored

    with VaultPlayer(os.path.join(folder, "bus.sock"), on_submit=on_submit) as vault:
        program = Program(build, config(folder, cluster, poll="100ms"))
        peer = vault.connector("sql-core")
        peer.wait_health(True)
        insert(cluster, *[{"message_key": f"'v-{word}'"} for word in ("bad", "reused", "busy", "again", "good")])
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status IN (2, 3)", "5")
        check.equal(
            status(cluster, "v-bad", "status, error"),
            "3|invalid; /variables/amount missing-variable",
            "an invalid row tells where",
        )
        check(status(cluster, "v-reused", "error").startswith("key-reused"), "a key used twice is told")
        check.equal(
            status(cluster, "v-again", "status, message_id"),
            "2|01890000-0000-7000-8000-000000000001",
            "a repeated row keeps the first id",
        )
        check.equal((status(cluster, "v-busy"), tries["v-busy"]), ("2", 2), "a busy vault gets the row again")

        # The vault vanishes while it holds rows without a verdict.
        gate = threading.Event()
        normal = vault.on_submit

        def never(submit):
            gate.wait(20)
            return normal(submit)

        vault.on_submit = never
        insert(cluster, *[{"message_key": f"'w{i}'"} for i in range(20)])
        peer.wait(lambda: len([s for s in peer.submits if s.idempotency_key.startswith("w")]) == 20, "20 submits")
        before = {s.idempotency_key: s.fingerprint for s in peer.submits}
        vault.on_submit = normal
        peer.drop()
        gate.set()
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2 AND message_key LIKE 'w%'", "20")
        again = {s.idempotency_key: s.fingerprint for s in peer.submits[-20:]}
        check(
            all(before[key] == again[key] for key in again),
            "after a lost vault the same keys come with the same fingerprints",
        )
        program.terminate()
    clear(cluster)


def crashes(check, build, folder, cluster):
    gate = threading.Event()
    held = []

    def on_submit(submit):
        held.append(submit.idempotency_key)
        gate.wait(60)
        return vault.wire.Verdict(outcome=vault.wire.Verdict.STORED, id="01890000-0000-7000-8000-000000000002")

    with VaultPlayer(os.path.join(folder, "bus.sock"), on_submit=on_submit) as vault:
        one = config(folder, cluster, name="sql-a", claimed_by="node-a")
        two = config(folder, cluster, name="sql-b", claimed_by="node-b", poll="100ms")
        first = Program(build, one)
        vault.connector("sql-a").wait_health(True)
        insert(cluster, *[{"message_key": f"'c{i}'"} for i in range(10)])
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 1 AND claimed_by = 'node-a'", "10")
        # While the process lives it keeps its lease, however long the vault thinks.
        second = Program(build, two)
        other = vault.connector("sql-b")
        other.wait_health(True)
        time.sleep(6.5)
        check.equal(len(other.submits), 0, "a living connector's rows are nobody else's, also after the lease's length")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
        killed = time.monotonic()
        other.wait(lambda: len(other.submits) == 10, "the lapsed rows", 20)
        waited = time.monotonic() - killed
        check(1.0 < waited < 9.0, f"a killed connector's rows come again when the lease has run out ({waited:.1f} s)")
        gate.set()
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2 AND claimed_by = 'node-b'", "10")
        check(True, "and are accepted")
        check.equal(second.terminate(), 0, "it ends as asked")
        clear(cluster)

        gate.clear()
        first = Program(build, one)
        peer = vault.connector("sql-a")
        peer.wait_hello(2)
        peer.wait_health(True)
        insert(cluster, *[{"message_key": f"'d{i}'"} for i in range(5)])
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 1", "5")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
        gate.set()
        first = Program(build, one)
        started = time.monotonic()
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2", "5")
        check(time.monotonic() - started < 4, "restarted under its own name it has its rows at once")
        first.wait_line("sql.recovered")
        first.terminate()
    clear(cluster)


def two_pollers(check, build, folder, cluster):
    with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
        programs = [
            Program(build, config(folder, cluster, name=f"sql-{n}", claimed_by=n, poll="100ms", batch=50))
            for n in ("x", "y")
        ]
        peers = [vault.connector(f"sql-{n}") for n in ("x", "y")]
        for peer in peers:
            peer.wait_health(True)
        cluster.sql(
            "INSERT INTO outbox.messages (message_key, category, template, phone) "
            "SELECT 'r' || i, 'service', 't', '+380671234567' FROM generate_series(1, 3000) i"
        )
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2", "3000", 60)
        keys = [[s.idempotency_key for s in peer.submits] for peer in peers]
        check(
            len(keys[0]) + len(keys[1]) == 3000 == len(set(keys[0]) | set(keys[1])),
            f"two pollers share 3000 rows ({len(keys[0])} and {len(keys[1])}), none twice",
        )
        for program in programs:
            check.equal(program.terminate(), 0, "a poller ends as asked")
    clear(cluster)


def servers(check, build, folder, cluster):
    """Servers that must not be trusted, servers that come and go."""
    other = os.path.join(folder, "wrong.password")
    write(other, "wrong\n")
    cases = (
        ("a certificate without this address", {"hosts": ["127.0.0.2"]}, "does not match"),
        ("a certificate of another CA", {"ca": "other-ca.pem"}, "certificate verify failed"),
        ("a wrong password", {"password": "wrong.password"}, "password authentication failed"),
        ("a missing table", {"table": "outbox.nothing"}, "outbox.nothing"),
    )
    with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
        for what, more, said in cases:
            program = Program(build, config(folder, cluster, **more))
            peer = vault.connector("sql-core")
            line = program.wait_line(said)
            peer.wait(lambda: peer.health and not peer.health[-1].up and said in peer.health[-1].detail, "health")
            check(said in line, f"{what}: no connection, and the log says why")
            check.equal(program.terminate(), 0, f"{what}: it ends as asked")
            peer.wait_gone()

        program = Program(
            build,
            config(folder, cluster, user="postern_cert", password=None, certificate="client.pem", key="client.key"),
        )
        peer = vault.connector("sql-core")
        peer.wait_health(True)
        check(True, "a client certificate instead of a password")
        program.terminate()
        peer.wait_gone()

        program = Program(build, config(folder, cluster))
        peer = vault.connector("sql-core")
        peer.wait_health(True)
        cluster.stop("immediate")
        peer.wait_health(False)
        cluster.start()
        peer.wait_health(True)
        insert(cluster, {"message_key": "'after'"})
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2", "1")
        check(True, "after a crash of the database it goes on, notifications included")
        cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postern-sql'")
        peer.wait(lambda: not peer.health[-1].up or len(peer.health) > 4, "the loss", 10)
        peer.wait_health(True)
        insert(cluster, {"message_key": "'cut'"})
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2", "2")
        check(True, "and after its connection was ended by an administrator")
        cluster.sql("ALTER TABLE outbox.messages RENAME TO hidden")
        insert_into_hidden = "INSERT INTO outbox.hidden (message_key, category, template) VALUES ('h', 'otp', 't')"
        cluster.sql(insert_into_hidden)
        program.wait_line("SQLSTATE 42P01")
        cluster.sql("ALTER TABLE outbox.hidden RENAME TO messages")
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2", "3", 30)
        check(True, "a table taken away and given back is told, and then served")
        program.terminate()
        peer.wait_gone()

        cluster.settings("ssl = off\n")
        cluster.stop()
        cluster.start()
        program = Program(build, config(folder, cluster))
        program.wait_line("server does not support SSL")
        check(True, "a server without TLS gets no password")
        program.terminate()
        cluster.settings("ssl = on\n")
        cluster.stop()
        cluster.start()
    clear(cluster)


def alone(check, build, folder, cluster):
    """--ddl, --dry-run, --check, the README and the grants."""
    path = config(folder, cluster)
    insert(cluster, {"message_key": "'dry1'", "category": "'otp'"}, {"message_key": "'dry2'", "phone": "'nonsense'"})
    done = subprocess.run(
        [build, "--config", path, "--dry-run"], capture_output=True, text=True, timeout=30, check=False
    )
    check.equal(done.returncode, 0, "the dry run ends well")
    check(
        "rows: 2 new, 0 claimed" in done.stdout
        and "OTP payment phone 38067***567" in done.stdout
        and "phone-malformed" in done.stdout,
        "it shows what would be claimed, masked, and what would be rejected",
    )
    check("1234567" not in done.stdout and "nonsense" not in done.stdout, "and nothing whole")
    check.equal(cluster.sql("SELECT count(*) FROM outbox.messages WHERE status = 0"), "2", "it changes nothing")
    done = subprocess.run(
        [build, "--config", config(folder, cluster, table="outbox.none"), "--dry-run"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    check(done.returncode == 1 and "no table outbox.none" in done.stdout, "a missing table fails the dry run")
    code, _ = check_settings(build, path)
    check.equal(code, 0, "--check takes the settings")
    code, output = check_settings(
        build, config(folder, cluster, table="outbox.m; DROP TABLE x", hosts=["/var/run/postgresql"], ssl="off")
    )
    check(
        code == 2 and all(key in output for key in ("'table'", "'hosts'", "ssl")),
        "a table name is an identifier, a host has a certificate",
    )

    readme = os.path.join(REPOSITORY, "connectors", "sources", "sql", "README.md")
    for name in ("postern-db-ca.pem", "password"):
        if not os.path.exists(os.path.join(folder, name)):
            write(os.path.join(folder, name), "x" if name == "password" else open(os.path.join(folder, "ca.pem"), encoding="ascii").read())
    example = write(os.path.join(folder, "example.toml"), example_of(readme))
    code, output = check_settings(build, example)
    check(code == 0, "the README's example is good: " + output.strip())
    ddl = subprocess.run(
        [build, "--config", example, "--ddl"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    with open(readme, encoding="utf-8") as text:
        check(text.read().split("```sql\n", 1)[1].split("```", 1)[0] == ddl, "the README's DDL is what --ddl prints")

    def may(statement):
        text = f"SET ROLE postern; {statement}"
        try:
            cluster.sql(text)
            return True
        except subprocess.CalledProcessError as error:
            return "permission denied" not in error.stderr

    check(
        not may("INSERT INTO outbox.messages (message_key, category, template) VALUES ('x', 'otp', 't')")
        and not may("DELETE FROM outbox.messages")
        and not may("UPDATE outbox.messages SET phone = '1'")
        and may("UPDATE outbox.messages SET status = 0 WHERE false"),
        "the role may do no more than the statements need",
    )
    clear(cluster)


def drained(check, build, folder, cluster):
    """SIGTERM in the middle of work leaves every row either new or accepted."""
    with VaultPlayer(os.path.join(folder, "bus.sock")) as vault:
        cluster.sql(
            "INSERT INTO outbox.messages (message_key, category, template, phone) "
            "SELECT 'q' || i, 'service', 't', '+380671234567' FROM generate_series(1, 20000) i"
        )
        program = Program(build, config(folder, cluster, batch=100, window=300))
        peer = vault.connector("sql-core")
        peer.wait(lambda: len(peer.submits) > 1000, "the work to begin")
        check.equal(program.terminate(), 0, "it ends in the middle of work")
        peer.wait_gone()
        submitted, accepted = len(peer.submits), int(
            cluster.sql("SELECT count(*) FROM outbox.messages WHERE status = 2")
        )
        left = int(cluster.sql("SELECT count(*) FROM outbox.messages WHERE status = 0"))
        check(
            accepted == submitted and left == 20000 - accepted and left > 0,
            f"{accepted} rows accepted, {left} untouched, none between",
        )
    clear(cluster)


def speed(check, build, folder, cluster):
    """How many rows a second are claimed, submitted, accepted and written back. The vault is one thread of Python, so this
    is a floor."""
    count = 20000
    with VaultPlayer(os.path.join(folder, "bus.sock"), submit_window=2000) as vault:
        cluster.sql(
            "INSERT INTO outbox.messages (message_key, category, template, phone, variables) "
            "SELECT 's' || i, 'service', 't', '+380671234567', '{\"amount\": \"1 234,56\"}' FROM generate_series(1, "
            + str(count)
            + ") i; "
        )
        cluster.sql("VACUUM ANALYZE outbox.messages")
        program = Program(build, config(folder, cluster, batch=400, window=2000))
        started = time.monotonic()
        peer = vault.connector("sql-core")
        peer.wait(lambda: len(peer.submits) >= count, "all submits", 120)
        cluster.wait("SELECT count(*) FROM outbox.messages WHERE status = 2", str(count), 60)
        elapsed = time.monotonic() - started
        check(
            True, f"{count} rows claimed, submitted and written back in {elapsed:.2f} s: {count / elapsed:.0f} a second"
        )
        check.equal(program.terminate(), 0, "it ends as asked")
    clear(cluster)


def main():
    build = os.path.join(arguments(), "connectors", "sources", "sql", "postern-sql")
    check = Checks()
    with Folder() as folder:
        os.chmod(folder, 0o711)
        make_certificates(folder)
        write(os.path.join(folder, "db.password"), PASSWORD + "\n")
        openssl(
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=postern_cert",
            "-keyout",
            os.path.join(folder, "client.key"),
            "-out",
            os.path.join(folder, "client.csr"),
        )
        openssl(
            "x509",
            "-req",
            "-in",
            os.path.join(folder, "client.csr"),
            "-CA",
            os.path.join(folder, "ca.pem"),
            "-CAkey",
            os.path.join(folder, "ca.key"),
            "-CAcreateserial",
            "-days",
            "2",
            "-out",
            os.path.join(folder, "client.pem"),
        )
        os.chmod(os.path.join(folder, "client.key"), 0o600)
        cluster = Cluster(os.path.join(folder, "cluster"), folder)
        cluster.start()
        try:
            cluster.sql("CREATE DATABASE core", "postgres")
            cluster.sql(
                f"CREATE ROLE postern LOGIN PASSWORD '{PASSWORD}'; "
                "CREATE ROLE postern_cert LOGIN IN ROLE postern; CREATE SCHEMA outbox"
            )
            ddl = subprocess.run(
                [build, "--config", config(folder, cluster), "--ddl"],
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            )
            cluster.sql(ddl.stdout)
            for part in (alone, flow, quarantine, verdicts, crashes, two_pollers, drained, servers, speed):
                part(check, build, folder, cluster)
        finally:
            cluster.stop("immediate")
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
