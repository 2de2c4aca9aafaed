# SPDX-License-Identifier: Apache-2.0
"""Benches of whole gateways under load (tests/bench/run): posternd, postern-https and postern-smpp with the measuring programs around them."""
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import threading
import time

from gateways import Postern, Rig
from processes import memory_mib, say, start, used_since, wait_for


def median(runs, key):
    return round(statistics.median(run[key] for run in runs), 2)


def fresh(rig, **more):
    rig.used = getattr(rig, "used", 0) + 1
    gateway = Postern(rig, rig.folder / f"gateway-{rig.used}", **more)
    gateway.load(count=500)
    return gateway


def finished(gateway):
    gateway.stop()
    shutil.rmtree(gateway.folder, ignore_errors=True)


def accept(rig, options):
    """Durable, audited accepts over mutual TLS, while they are delivered."""
    gateway = fresh(rig)
    try:
        for batch, connections in ((1, 32), (100, 8)):
            runs = [gateway.load(count=options.messages * (1 if batch == 1 else 3) // batch * batch, batch=batch, connections=connections) for _ in range(options.runs)]
            say(bench="accept", batch=batch, connections=connections, runs=len(runs), per_second=median(runs, "per_second"), p50_ms=median(runs, "p50_ms"), p99_ms=median(runs, "p99_ms"),
                p999_ms=median(runs, "p999_ms"), refused=[run["refused"] for run in runs])
        runs = [gateway.load(count=options.rate * options.seconds, rate=options.rate) for _ in range(options.runs)]
        say(bench="accept-open-loop", rate=options.rate, runs=len(runs), **{key: median(runs, key) for key in ("p50_ms", "p99_ms", "p999_ms", "to_pdu_p50_ms", "to_pdu_p99_ms", "to_receipt_p99_ms")})
    finally:
        finished(gateway)


def end_to_end(rig, options):
    """From the first order to the last receipt at the client, everything of it counted."""
    for batch, connections in ((1, 32), (100, 8)):
        runs = []
        for _ in range(options.runs):
            gateway = fresh(rig)
            try:
                before = gateway.group.used()
                run = gateway.load(count=options.messages // batch * batch, batch=batch, connections=connections)
                runs.append({**run, **used_since(before, gateway.group.used(), run["accepted"])})
            finally:
                finished(gateway)
        say(bench="end-to-end", batch=batch, runs=len(runs), messages=options.messages, receipts_per_second=median(runs, "receipts_per_second"), delivered_per_second=median(runs, "delivered_per_second"),
            cpu_us_per_message=median(runs, "cpu_us_all"), cpu_us=runs[-1]["cpu_us"], peak_mib=median(runs, "peak_mib"), written_bytes=median(runs, "written_bytes"), lost=sum(run["lost"] for run in runs))


def flood(gateway, rig, first, count, category):
    """Batches of 100 beside the ledger's numbers, as fast as they are taken."""
    command = [rig.bench("load_client"), "--port", gateway.port, "--first", first, "--count", count, "--batch", min(100, count), "--connections", 8 if count >= 800 else 1, "--category", category, "--people", 100_000, *gateway.words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def priority(rig, options):
    """One-time codes alone, then while marketing waits and flows through the same connector at its rate."""
    gateway = fresh(rig, rate=options.flow)
    try:
        words = {"count": 50 * options.seconds, "rate": 50, "category": "otp", "connections": 8}
        idle = [gateway.load(**words) for _ in range(options.runs)]
        loaded = flood(gateway, rig, rig.entries, options.backlog, "marketing")
        waiting = gateway.waiting()
        busy = [gateway.load(**words) for _ in range(options.runs)]
        left = gateway.waiting()
        p99 = median(idle, "to_pdu_p99_ms"), median(busy, "to_pdu_p99_ms")
        say(bench="priority", otp_rate=50, marketing_waiting=int(waiting), marketing_left=int(left), marketing_accepted=loaded["accepted"], flow=options.flow, idle_to_pdu_p50_ms=median(idle, "to_pdu_p50_ms"),
            idle_to_pdu_p99_ms=p99[0], busy_to_pdu_p50_ms=median(busy, "to_pdu_p50_ms"), busy_to_pdu_p99_ms=p99[1], ratio=round(p99[1] / p99[0], 2), lost=sum(run["lost"] for run in busy))
    finally:
        finished(gateway)


def backlog(rig, options):
    """What a message costs from order to receipt while others wait for a connector that never comes; memory and restart at each depth."""
    user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    gateway = fresh(rig, absent=f'[connectors.absent]\nuser = "{user}"\nchannel = "sms"\n[[routes]]\nchannel = "sms"\nconnector = "absent"\ncategories = ["marketing"]\n')
    try:
        depths, first_cost, filled = [10, options.backlog] + ([10 * options.backlog] if options.long else []), None, 0
        for depth in depths:
            loaded = flood(gateway, rig, rig.entries + filled, depth - filled, "marketing")
            filled = depth
            posternd = gateway.group.processes["posternd"].pid
            runs = []
            for _ in range(options.runs):
                before = gateway.group.used()
                run = gateway.load(count=options.messages)
                runs.append({**run, **used_since(before, gateway.group.used(), run["accepted"])})
            cost = median(runs, "cpu_us_all")
            first_cost = first_cost or cost
            size = sum(f.stat().st_size for f in (gateway.folder / "state").rglob("*") if f.is_file() and f.name != "reserve")
            say(bench="backlog", waiting=int(gateway.waiting()), filled_per_second=loaded["per_second"], cpu_us_per_message=cost, to_first=round(cost / first_cost, 2), receipts_per_second=median(runs, "receipts_per_second"),
                accept_p99_ms=median(runs, "p99_ms"), posternd_rss_mib=round(memory_mib(posternd), 1), posternd_peak_mib=round(memory_mib(posternd, "VmHWM"), 1), state_folder_mib=round(size / 2**20))
            restart(gateway, depth)
    finally:
        finished(gateway)


def accepts(gateway):
    command = [gateway.rig.bench("load_client"), "--port", gateway.port, "--first", gateway.rig.entries, "--count", 1, "--connections", 1, *gateway.words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return done.stdout and json.loads(done.stdout.splitlines()[-1])["accepted"] == 1


def restart(gateway, depth):
    gateway.group.kill("posternd")
    begun = time.monotonic()
    gateway.group.again("posternd")
    wait_for("an accept after kill -9", lambda: accepts(gateway), 300)
    seconds = time.monotonic() - begun
    pid = gateway.group.processes["posternd"].pid
    say(bench="restart", waiting=depth, accepts_after_s=round(seconds, 2), posternd_rss_mib=round(memory_mib(pid), 1), posternd_peak_mib=round(memory_mib(pid, "VmHWM"), 1))
    wait_for("both connectors", gateway.is_up)


def abuse(rig, options):
    """A good client's answers while the same port is abused from other addresses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))   # for the processes that are started here
    connections = options.connections
    gateway = fresh(rig, https=f"[limits]\nconnections = {connections + 2000}\nidle_time = \"10m\"\n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    https = gateway.group.processes["https"].pid
    try:
        words = {"count": 200 * options.seconds, "rate": 200, "connections": 16, "persist": True}
        base = [gateway.load(**words) for _ in range(options.runs)]
        say(bench="abuse", kind="none", p50_ms=median(base, "p50_ms"), p99_ms=median(base, "p99_ms"), https_rss_mib=round(memory_mib(https), 1))
        for kind, attack in (("slow", ["--count", 500]), ("idle", ["--count", connections, *rig.client_tls()]), ("flood", ["--rate", 2000])):
            runs = []
            for _ in range(options.runs):
                result, first, command = {}, gateway.next, [rig.bench("abuse"), kind, "--port", gateway.port, *attack]
                if kind == "idle":
                    attacker = start(command, stdout=subprocess.PIPE, text=True)
                    attacker.stdout.readline()   # all of them stand
                good = threading.Thread(target=lambda: result.update(gateway.load(**words)))
                good.start()
                # The good client was there before the attack: its connections are open.
                wait_for("the good client's first answer", lambda: gateway.is_accepted(first))
                if kind != "idle":
                    attacker = start(command, stdout=subprocess.PIPE, text=True)
                    attacker.stdout.readline()   # it has its full weight
                begun = time.monotonic()
                wait_for("a new client's way in", lambda: accepts(gateway), 60)
                result["new_client_s"] = time.monotonic() - begun
                good.join()
                result["https_rss_mib"] = memory_mib(https)
                attacker.send_signal(signal.SIGTERM)
                told = json.loads(attacker.stdout.read().splitlines()[-1])
                attacker.wait()
                runs.append(result)
            say(bench="abuse", kind=kind, p50_ms=median(runs, "p50_ms"), p99_ms=median(runs, "p99_ms"), to_base=round(median(runs, "p99_ms") / median(base, "p99_ms"), 2), new_client_s=median(runs, "new_client_s"),
                https_rss_mib=median(runs, "https_rss_mib"), attack={key: told[key] for key in ("opened", "answered", "ended_by_peer", "open", "seconds")}, refused=[run["refused"] for run in runs],
                broken=sum(run["errors"] for run in runs), lost=sum(run["lost"] for run in runs))
    finally:
        finished(gateway)


def soak(rig, options):
    """At a given rate for minutes: how memory and the slowest answers move."""
    gateway = fresh(rig)
    try:
        minutes, first, samples = options.soak_minutes, None, []
        for minute in range(minutes):
            run = gateway.load(count=options.rate * 60, rate=options.rate, patience=30)
            run["rss_mib"] = sum(each["rss_mib"] for each in gateway.group.used().values())
            samples.append(run)
            first = first or run
            say(bench="soak-minute", minute=minute + 1, rate=options.rate, p99_ms=run["p99_ms"], to_pdu_p99_ms=run["to_pdu_p99_ms"], rss_mib=round(run["rss_mib"], 1), lost=run["lost"])
        half = len(samples) // 2
        early, late = samples[max(0, half // 2):half] or samples[:1], samples[half:]
        say(bench="soak", minutes=minutes, rate=options.rate, mib_an_hour=round((statistics.mean(s["rss_mib"] for s in late) - statistics.mean(s["rss_mib"] for s in early)) / max(len(late), 1) * 60, 2),
            p99_drift=round(median(late, "p99_ms") / median(early, "p99_ms") - 1, 3), lost=sum(s["lost"] for s in samples))
    finally:
        finished(gateway)


BENCHES = {"accept": accept, "end-to-end": end_to_end, "priority": priority, "backlog": backlog, "abuse": abuse, "soak": soak}


def run_them(names, options, folder):
    entries = max(400_000, options.messages * 8 * max(1, options.runs), options.rate * 60 * options.soak_minutes + 10_000 if "soak" in names else 0)
    rig = Rig(options.build, folder, entries)
    for name in names:
        BENCHES[name](rig, options)
