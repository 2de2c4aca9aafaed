# SPDX-License-Identifier: Apache-2.0
"""Benches on the sandbox's bank, which has every process and a PostgreSQL server (tests/bench/run)."""
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import time

from processes import cpu_seconds, memory_mib, of_service, proportional_mib, say, wait_for

# What a bank does not run: the simulated world and its database.
WORLD = {"world", "database", "sandbox", "supervisor", "postgres"}


class Bank:
    """The sandbox bank without its handsets and without speed limits towards the SMS centres."""

    def __init__(self, build, folder):
        self.build, self.folder = build, pathlib.Path(folder)
        self.sandbox("up", "--no-phones")
        self.sandbox("down")
        for network in ("network-a", "network-b"):
            path = self.folder / "etc" / "connectors" / f"{network}.toml"
            path.write_text(path.read_text().replace("rate = 40", "rate = 100000").replace("window = 10", "window = 500\nbinds = 2"))
        self.sandbox("up", "--no-phones")
        self.ports = json.loads((self.folder / "ports.json").read_text())

    def sandbox(self, verb, *words):
        answer = subprocess.run([self.build / "connectors" / "sandbox" / "postern-sandbox", verb, self.folder, *words], env=of_service(), capture_output=True, text=True)
        if answer.returncode not in (0, 3):
            raise SystemExit(f"bench: sandbox {verb}: {answer.stderr}{answer.stdout}")
        return answer.stdout

    def pids(self):
        facts = json.loads(self.sandbox("status", "--json"))
        return {each["name"]: each["pid"] for each in facts["processes"] if each.get("pid")}

    def metrics(self):
        text = subprocess.run([self.build / "admin" / "postern", "--socket", self.folder / "run" / "control.sock", "metrics"], capture_output=True, text=True).stdout
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and not line.startswith("#")}

    def waiting(self):
        return self.metrics().get("postern_messages_waiting", -1)

    def load(self, *words):
        pki = self.folder / "pki"
        answer = subprocess.run([self.build / "tests" / "bench" / "load_client", "--port", str(self.ports["https"]), "--ca", pki / "ca.pem",
                                 "--cert", pki / "core-banking.pem", "--key", pki / "core-banking.key", *map(str, words)], capture_output=True, text=True)
        return json.loads(answer.stdout.splitlines()[-1])

    def sql(self, statement):
        """Asked as the bank's own system, over TLS."""
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"host=127.0.0.1 port={self.ports['postgres']} dbname=bank user=bank_app sslmode=verify-full sslrootcert={self.folder}/pki/ca.pem",
                               "-c", statement], env={**os.environ, "PGPASSFILE": str(self.folder / "secrets" / "pgpass")}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: psql: {done.stderr}")
        return done.stdout.strip()


def median(runs, key):
    return round(statistics.median(run[key] for run in runs), 2)


def one_run(bank, options, batch, connections):
    """From the first order to the last receipt."""
    pids, reached = bank.pids(), bank.metrics()
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    begun = time.monotonic()
    load = bank.load("--batch", batch, "--connections", connections, "--count", options.messages, "--category", "transaction", "--scenario", "sms", "--keys")
    wait_for("the end of every message", lambda: bank.waiting() == 0, 600)
    seconds = time.monotonic() - begun
    key = 'postern_messages_ended_total{category="transaction",state="reached"}'
    done = bank.metrics().get(key, 0) - reached.get(key, 0)
    return {"delivered_per_second": done / seconds, "reached": done, "accepted": load["accepted"],
            "cpu_us": {name: round((cpu_seconds(pid) - before[name]) * 1e6 / max(done, 1), 1) for name, pid in pids.items() if pid}}


class Shadow:
    """A build folder whose posternd is another one; everything else is the real build."""

    def __init__(self, build, folder, posternd):
        self.path = pathlib.Path(folder)
        for below in ("", "gateway", "connectors", "connectors/sandbox"):
            (self.path / below).mkdir()
        for below, own in (("", ("gateway", "connectors")), ("connectors", ("sandbox",)), ("connectors/sandbox", ("postern-sandbox",))):
            for entry in (build / below).iterdir():
                if entry.name not in own:
                    (self.path / below / entry.name).symlink_to(entry)
        # It looks for the other programs from where it lies itself.
        shutil.copy2(build / "connectors/sandbox/postern-sandbox", self.path / "connectors/sandbox/postern-sandbox")
        (self.path / "gateway" / "posternd").symlink_to(posternd)


def audit_cost(options, folder):
    """Both gateways by turns, so that what else the machine does falls on both: orders over mutual TLS, texts into the SMS centre, receipts back."""
    without = Shadow(options.build, folder / "without", options.build / "tests" / "bench" / "posternd_without_audit")
    banks = {}
    try:
        banks = {True: Bank(options.build, folder / "on"), False: Bank(without.path, folder / "off")}
        for batch, connections in ((1, 32), (100, 8)):
            runs = {True: [], False: []}
            for _ in range(max(options.runs, 5)):
                for audit, bank in banks.items():
                    runs[audit].append(one_run(bank, options, batch, connections))
            for audit in runs:
                runs[audit] = {"per_second": median(runs[audit], "delivered_per_second"),
                               "cpu_us": round(statistics.median(run["cpu_us"]["posternd"] for run in runs[audit]), 1)}
            say(bench="audit-cost", batch=batch, runs=max(options.runs, 5), messages=options.messages, delivered_per_second=runs[True]["per_second"],
                delivered_per_second_without=runs[False]["per_second"], posternd_cpu_us=runs[True]["cpu_us"], posternd_cpu_us_without=runs[False]["cpu_us"],
                throughput_lost=round(1 - runs[True]["per_second"] / runs[False]["per_second"], 3))
    finally:
        for bank in banks.values():
            bank.sandbox("down")


def idle(bank, options):
    """Every process of a bank that has nothing to do."""
    pids = {name: pid for name, pid in bank.pids().items() if name not in WORLD}
    before, begun = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(options.seconds * 2)   # what is measured is this time itself
    seconds = time.monotonic() - begun
    # What all of them hold together: a page of a library that several map is one page (Pss).
    rss, held = ({name: round(reading(pid), 1) for name, pid in pids.items()} for reading in (memory_mib, proportional_mib))
    cpu = {name: round((cpu_seconds(pid) - before[name]) / seconds * 100, 2) for name, pid in pids.items()}
    say(bench="idle", processes=len(pids), resident_mib=round(sum(held.values()), 1), rss_mib_all=round(sum(rss.values()), 1), core_percent=round(sum(cpu.values()), 2), resident_mib_each=held,
        rss_mib=rss, core_percent_each=cpu, seconds=round(seconds, 1))


def sql_pull(bank, options):
    """Rows of a bank's outbox over TLS: pulled, sent, and their state written back."""
    table, runs = "outbox.messages", []
    for _ in range(options.runs):
        first = bank.sql(f"SELECT coalesce(max(id), 0) FROM {table}")
        begun = time.monotonic()
        bank.sql(f"INSERT INTO {table} (message_key, category, template, scenario, phone, variables) SELECT 'bench-{first}-' || i, 'transaction', 'payment', 'sms', "
                 "'+38050' || lpad((i / 80)::text, 5, '0') || (20 + i % 80)::text, '{\"amount\": \"12.50 UAH\", \"payee\": \"Shop\", \"balance\": \"1000.00 UAH\", \"date\": \"2026-05-02\"}' "
                 f"FROM generate_series(1, {options.messages}) AS i")
        inserted = time.monotonic()
        wait_for("the acceptance of every row", lambda: bank.sql(f"SELECT count(*) FROM {table} WHERE id > {first} AND status < 2") == "0", 600, 0.05)
        accepted = time.monotonic()
        wait_for("the end of every row", lambda: bank.sql(f"SELECT count(*) FROM {table} WHERE id > {first} AND status = 2") == "0", 600, 0.05)
        runs.append({"rows_per_second": options.messages / (time.monotonic() - inserted), "accepted_per_second": options.messages / (accepted - inserted), "insert_s": inserted - begun})
    reached = bank.sql(f"SELECT count(*) FROM {table} WHERE outcome = 'reached'")
    rejected = bank.sql(f"SELECT coalesce(min(error), '') FROM {table} WHERE status = 3")
    say(bench="sql", rows=options.messages, runs=len(runs), rows_per_second=median(runs, "rows_per_second"), accepted_per_second=median(runs, "accepted_per_second"), reached=int(reached), rejected=rejected)


def rehearse(options, folder):
    """BX21: thirty days and a million messages of the sandbox bank's own configuration."""
    Bank(options.build, folder / "bank").sandbox("down")
    # Some customers have no address for some kinds.
    words = [options.build / "admin" / "postern", "rehearse", "--config", folder / "bank" / "etc" / "posternd.toml", "--days", "30", "--messages", "1060000", "--seed", "7", "--json"]
    reports, seconds = [], []
    for _ in range(2):
        begun = time.monotonic()
        reports.append(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        seconds.append(round(time.monotonic() - begun, 1))
    facts = json.loads(reports[0])
    say(bench="rehearse", days=facts["days"], messages=facts["all"]["accepted"], faults=facts["faults"], seconds=seconds, same_report=reports[0] == reports[1],
        broken=facts["broken"], turns=facts["run"]["turns"], audit_leaves=facts["run"]["audit leaves"],
        peak_mib_of_a_process=round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024))


def run_them(names, options, folder):
    if "rehearse" in names:
        (folder / "rehearse").mkdir()
        rehearse(options, folder / "rehearse")
    if "audit_cost" in names:
        (folder / "audit").mkdir()
        audit_cost(options, folder / "audit")
    if not {"idle", "sql"} & set(names):
        return
    bank = Bank(options.build, folder / "bank")
    try:
        if "idle" in names:
            idle(bank, options)
        if "sql" in names:
            sql_pull(bank, options)
    finally:
        bank.sandbox("down")
