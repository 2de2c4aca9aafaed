#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rehearsal (BX21) over the sandbox bank's own configuration: days of traffic against a virtual clock, with faults; the same report for
the same seed.

    python3 tests/functional/rehearse_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from bank import Bank, Checks  # noqa: E402

QUIET = """
policy = "policy.toml"
"""
POLICY = """time_zone = "Europe/Kyiv"
[quiet_hours]
spans = ["21:00-09:00"]
[[caps]]
name = "offers"
categories = ["marketing"]
limit = 1
period = "day"
"""


CONSENT = """[consent]
required = ["marketing"]
stop_words = ["STOP", "СТОП"]
stops = ["marketing", "service"]
"""
# The scenario of its category sends SMS alone.
LETTER = """name = "letter"
categories = ["marketing"]
default_locale = "en"
[locales.en.email]
subject = "News"
text = "News from your bank."
"""


class Rehearsal:
    def __init__(self, bank):
        self.bank = bank

    def run(self, *words, config="etc/posternd.toml", messages=4000, days=3):
        return subprocess.run([self.bank.program("admin/postern"), "rehearse", "--config", self.bank.path(config), "--messages", str(messages), "--days", str(days), *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)

    def facts(self, *words, **more):
        done = self.run("--json", *words, **more)
        if done.returncode != 0:
            raise AssertionError(f"rehearsal: exit {done.returncode}: {done.stdout[-1500:]} {done.stderr[-1500:]}")
        return json.loads(done.stdout)


def sent(row, channel):
    return row["channels"].get(channel, {}).get("sent", 0)


def the_same_again(rehearsal, check):
    first, second, other = (rehearsal.run("--seed", seed) for seed in ("7", "7", "8"))
    check(first.returncode == 0, "a rehearsal of the sandbox bank keeps every promise", first.stdout + first.stderr)
    check(first.stdout == second.stdout and first.stdout, "the same seed is the same report, to the byte")
    check(first.stdout != other.stdout, "another seed is another report")
    check("messages/s" in first.stderr and "messages/s" not in first.stdout, "how long it took is no part of the report", first.stderr)
    json_a, json_b = rehearsal.run("--json", "--seed", "7"), rehearsal.run("--json", "--seed", "7")
    check(json_a.stdout == json_b.stdout and json.loads(json_a.stdout)["seed"] == 7, "and so is the one for scripts")
    # More than one world, whoever plays them.
    wide = [rehearsal.run("--jobs", jobs, messages=126_000, days=2) for jobs in ("1", "2")]
    check(wide[0].stdout == wide[1].stdout and " in 2 worlds" in wide[0].stdout, "the number of processes does not show in it", wide[0].stdout[:300] + wide[1].stderr)


def what_became(rehearsal, check):
    facts = rehearsal.facts("--faults", "none", "--seed", "3")
    every = facts["all"]
    ends = sum(every[word] for word in ("reached", "failed", "expired", "cancelled", "suppressed"))
    refused = sum(count for answer, count in facts["submits"].items() if answer.startswith("invalid: "))
    check(every["accepted"] == ends and every["accepted"] + refused == 4000 and every["accepted"] > 3600, "every message is accepted or refused, and has one end", (every, facts["submits"]))
    check(sum(row["accepted"] for row in facts["categories"].values()) == ends and len(facts["categories"]) == 5, "of every category", list(facts["categories"]))
    check(sum(row["accepted"] for row in facts["scenarios"].values()) == ends and len(facts["scenarios"]) == 9, "by every scenario", list(facts["scenarios"]))
    check({"core-banking", "card-processing", "marketing", "mobile-app"} == set(facts["clients"]), "from every client that may send", list(facts["clients"]))
    check(all(sent(every, way) for way in ("push", "sms", "whatsapp", "email")), "on every channel", every["channels"])
    check(facts["played"] and not any("crash" in name or "lost" in name for name in facts["played"]), "without faults only customers have their ways", facts["played"])
    check(every["ms_to_reach"]["p50"] < 10_000, "half of them are reached in seconds", every["ms_to_reach"])
    check(not facts["broken"] and all(facts["promises"].values()), "every promise was looked at", facts["promises"])

    heavy = rehearsal.facts("--faults", "heavy", "--seed", "3")
    played = heavy["played"]
    check(all(any(word in name for name in played) for word in ("gateway crashes", "disk is full", "clock jumps", "connector crashes", "away for an hour", "connection breaks",
                                                                 "receipt is lost", "comes late", "comes twice", "before the answer", "not so")), "with faults they all happen", played)
    check(heavy["all"]["in_doubt"] > 0 and heavy["all"]["accepted"] > 3600, "and yet every message has one end", heavy["all"])


def quiet_hours(bank, rehearsal, check):
    """The bank tries a policy before it puts it into force."""
    text = open(bank.path("etc/posternd.toml"), encoding="utf-8").read()
    with open(bank.path("etc/policy.toml"), "w", encoding="utf-8") as file:
        file.write(POLICY)
    with open(bank.path("etc/quiet.toml"), "w", encoding="utf-8") as file:
        file.write(text.replace('templates = "templates"\n', 'templates = "templates"\n' + QUIET.lstrip(), 1))
    facts = rehearsal.facts("--faults", "none", config="etc/quiet.toml", messages=20_000)
    rules = facts["categories"]["marketing"]["rules"]
    check(any(name.startswith("held: ") and "quiet-hours" in name for name in rules), "offers wait for the end of quiet hours", rules)
    check(any("cap-offers" in name for name in rules), "and a customer gets one a day", rules)
    otp = facts["categories"]["otp"]["rules"]
    check(any(name.startswith("passed: ") and "quiet-hours" in name for name in otp) and facts["categories"]["otp"]["held"] == 0, "codes pass, and the log says so", otp)
    check(facts["promises"]["the policy allows what connectors are given"] > 1000, "each hand-over is held against the policy", facts["promises"])
    without = rehearsal.facts("--faults", "none", messages=20_000)
    check(facts["categories"]["marketing"]["ms_to_reach"]["p95"] > 10 * without["categories"]["marketing"]["ms_to_reach"]["p95"], "what it costs in time is told",
          (facts["categories"]["marketing"]["ms_to_reach"], without["categories"]["marketing"]["ms_to_reach"]))


def consents(bank, rehearsal, check):
    """The bank asks its customers before it writes to them of offers, and they take it back."""
    text = open(bank.path("etc/posternd.toml"), encoding="utf-8").read()
    with open(bank.path("etc/policy.toml"), "w", encoding="utf-8") as file:
        file.write(CONSENT)
    with open(bank.path("etc/consent.toml"), "w", encoding="utf-8") as file:
        file.write(text.replace('templates = "templates"\n', 'templates = "templates"\n' + QUIET.lstrip(), 1))
    facts = rehearsal.facts(config="etc/consent.toml", messages=20_000, days=10)
    said, offers = facts["said"], facts["categories"]["marketing"]
    check(said["consents to marketing that the bank told of"] > 700 and offers["reached"] > offers["accepted"] / 2, "most customers have agreed to offers, and get them", (said, offers))
    check(said["customers opted out by a reply"] > 5 and said["customers opted out through the bank"] > 20, "some opt out, by a stop word and through the bank", said)
    check(said["messages of which an opt-out stopped a step or all"] > 20, "the report tells what that stopped", said)
    check(offers["rules"].get("skipped: sms-opted-out", 0) > 0 and offers["rules"].get("skipped: sms-no-consent", 0) > 0, "and who has never agreed gets none", offers["rules"])
    check(not any("consent" in rule for rule in facts["categories"]["transaction"]["rules"]), "what needs no consent goes on", facts["categories"]["transaction"]["rules"])
    check(facts["promises"]["where a consent is needed each hand-over cites one, and after an opt-out there is none"] >= offers["attempts"], "each hand-over of an offer is held against it", facts["promises"])
    wide = [rehearsal.run("--jobs", jobs, config="etc/consent.toml", messages=126_000, days=2) for jobs in ("1", "2")]
    check(wide[0].returncode == 0 and wide[0].stdout == wide[1].stdout, "the same by one process as by two", wide[0].stderr)

    with open(bank.path("etc/mute.toml"), "w", encoding="utf-8") as file:
        file.write(open(bank.path("etc/consent.toml"), encoding="utf-8").read().replace("recipients = true\n", ""))
    mute = rehearsal.facts(config="etc/mute.toml")
    check(mute["categories"]["marketing"]["reached"] == 0 and any(what.startswith("clients may tell of consents") for what in mute["said"]),
          "a bank of which no client may tell of consents learns it here", mute["said"])


def halts(rehearsal, check):
    facts = rehearsal.facts(messages=20_000, days=10)
    halted = [what for what in facts["played"] if " is halted for " in what]
    check({what.split()[0] for what in halted} == {"template", "category", "client"}, "administrators halt a template, a category and a client", facts["played"])
    rules = facts["all"]["rules"]
    check(facts["run"]["messages that a halt held"] > 20 and any("halted-" in rule for rule in rules), "the report tells how many messages that held", (facts["run"], rules))
    check(facts["promises"]["nothing of what is halted is handed on before it is let go"] > 20, "and each hand-over meanwhile is looked at", facts["promises"])
    check(facts["all"]["accepted"] == sum(facts["all"][word] for word in ("reached", "failed", "expired", "cancelled", "suppressed")), "all go on or end when it is over", facts["all"])
    calm = rehearsal.facts("--faults", "none")["played"]
    check(not any("halted" in what for what in calm), "nothing is halted where nothing goes wrong", calm)


def costs(bank, rehearsal, check):
    """What the bank pays follows from the prices of its routes and the messages that providers took."""
    every = rehearsal.facts("--seed", "3")["all"]["channels"]
    for channel, price in (("push", 200), ("whatsapp", 21_000), ("email", 900)):
        check(every[channel]["cost_millionths"] == price * every[channel]["sent"], f"each {channel} message costs what its route costs", every[channel])
    sms = every["sms"]
    check(34_000 * sms["sent"] < sms["cost_millionths"] < 55_000 * sms["sent"], "an SMS by the network that it goes to", sms)
    text = open(bank.path("etc/posternd.toml"), encoding="utf-8").read()
    with open(bank.path("etc/dear.toml"), "w", encoding="utf-8") as file:
        file.write(re.sub(r'price = "0\.0(34|38|52|55)"', 'price = "0.5"', text))
    dear = rehearsal.facts("--seed", "3", config="etc/dear.toml")
    check(dear["all"]["channels"]["sms"] == {**sms, "cost_millionths": 500_000 * sms["sent"]}, "a dearer network is seen before it is in force, and nothing else changes", dear["all"]["channels"])
    parts = sum(row["channels"]["sms"]["cost_millionths"] for row in dear["categories"].values())
    check(parts == dear["all"]["channels"]["sms"]["cost_millionths"], "categories add up to it", parts)
    shown = rehearsal.run("--seed", "3", config="etc/dear.toml").stdout
    total = sum(way["cost_millionths"] for way in dear["all"]["channels"].values())
    check(f"cost in all: {total // 1_000_000:,}.{total // 10_000 % 100:02}\n" in shown and f"for {sms['sent'] * 500_000 // 1_000_000:,}." in shown, "people read it too", shown[:4000])


def refusals(bank, rehearsal, check):
    text = open(bank.path("etc/posternd.toml"), encoding="utf-8").read()
    with open(bank.path("etc/broken.toml"), "w", encoding="utf-8") as file:
        file.write(text.replace('scenario = "campaign"', 'scenario = "campain"'))
    done = rehearsal.run(config="etc/broken.toml")
    line = 1 + next(number for number, words in enumerate(text.splitlines()) if 'scenario = "campaign"' in words)
    check(done.returncode == 3 and f"broken.toml:{line}:" in done.stderr and "campain" in done.stderr and not done.stdout, "a faulty configuration is told with its place", done.stderr)
    done = rehearsal.run("--days", "0")
    check(done.returncode == 2, "so is a faulty command line", (done.returncode, done.stderr))
    done = rehearsal.run("--faults", "some")
    check(done.returncode == 2 and "none, usual or heavy" in done.stderr, "with what would be right", done.stderr)
    with open(bank.path("etc/templates/letter.toml"), "w", encoding="utf-8") as file:
        file.write(LETTER)
    told = rehearsal.facts()["submits"]
    check(any(name.startswith("never sent: marketing / marketing / letter / as configured: invalid") for name in told), "what can never be sent as it is configured is told", told)
    before = sorted(os.listdir(bank.path("state")))
    rehearsal.run()
    check(sorted(os.listdir(bank.path("state"))) == before, "the bank's state is not touched")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    check = Checks()
    with Bank(options.build) as bank:
        bank.sandbox("down")
        rehearsal = Rehearsal(bank)
        the_same_again(rehearsal, check)
        what_became(rehearsal, check)
        quiet_hours(bank, rehearsal, check)
        consents(bank, rehearsal, check)
        halts(rehearsal, check)
        costs(bank, rehearsal, check)
        refusals(bank, rehearsal, check)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
