#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Any decision is asked "why" and "what if", and a policy is rehearsed before it comes into force: a whole sandbox bank with a cap
and quiet hours.

    python3 tests/functional/explain_test.py --build BUILD_DIR
"""
import argparse
import datetime
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from bank import Bank, Checks, wait_for  # noqa: E402

CAPPED, OTHER, QUIET = "+380671100031", "+380671100032", "+380671100033"
WORDS = "Meadow Street branch 8123"


def policy(limit, spans):
    return (f'time_zone = "UTC"\n[quiet_hours]\nspans = {json.dumps(spans)}\ncategories = ["service"]\n'
            f'[[caps]]\nname = "daily"\nlimit = {limit}\nperiod = "24h"\ncategories = ["transaction"]\n'
            '[[lists]]\nname = "objected"\nkind = "never"\nfile = "objected.txt"\n')


def around_now(hours_before, hours_after):
    """A span of the day in UTC that holds now: far enough from its ends for the test's time."""
    now = datetime.datetime.now(datetime.timezone.utc)
    begin, end = now - datetime.timedelta(hours=hours_before), now + datetime.timedelta(hours=hours_after)
    return f"{begin:%H}:00-{end:%H}:00"


def message(reference, phone, category="transaction"):
    return {"category": category, "text": f"Visit us: {WORDS}", "scenario": "sms", "reference": reference,
            "recipient": {"phone": phone, "locale": "en"}}


def explain(bank, identifier, *what_if):
    words = [word for change in what_if for word in ("--what-if", change)]
    done = bank.postern("explain", "--json", identifier, *words)
    if done.returncode != 0:
        raise AssertionError(f"postern explain: {done.returncode} {done.stderr}")
    return json.loads(done.stdout)


def decisions(told):
    return [event["decision"] for event in told["events"] if "decision" in event]


def rehearse(bank, text, *more):
    bank.add_file("candidate.toml", text)
    return bank.postern("policy", "rehearse", bank.path("candidate.toml"), "--json", *more)


def why(bank, check, sent):
    told = decisions(explain(bank, sent["capped"]))
    check(len(told) == 1 and told[0]["said"]["kind"] == "wait" and told[0]["said"]["rule"] == "cap-daily", "a hold is told with its rule", told)
    held = told[0]
    check(held["replayed_same"] and held["same_policy"], "the same question has the same answer again", held)
    check([seen["client"] for seen in held["sent"]] == ["core-banking", "core-banking"], "with what the customer had before", held["sent"])
    check(held["caps"] == [{"name": "daily", "used": 2, "limit": 2}], "with the cap and what is used of it", held["caps"])
    check(CAPPED.lstrip("+") not in json.dumps(held) and held["address"].startswith("38067"), "the number is masked", held["address"])
    quiet = decisions(explain(bank, sent["quiet"]))[0]
    check(quiet["said"]["rule"] == "quiet-hours" and quiet["zone"] == "UTC" and not quiet["own_zone"], "quiet hours are told with their zone", quiet)
    went = decisions(explain(bank, sent["first"]))
    check(len(went) == 1 and went[0]["said"]["kind"] == "go", "what went has its decision too", went)
    text = bank.postern("explain", sent["capped"], "--what-if", "caps.daily.limit=3").stdout
    check("cap        daily: 2 of 2 used" in text and "replayed   the same" in text and "what if    would go" in text, "and it reads well", text)


def what_if(bank, check, sent):
    higher = explain(bank, sent["capped"], "caps.daily.limit=4")
    check(decisions(higher)[0]["what_if"]["kind"] == "go" and higher["different"] == 1, "with a cap of 4 it would go", higher)
    same = explain(bank, sent["capped"], "caps.daily.limit=1")
    check(decisions(same)[0]["what_if"]["kind"] == "wait", "with a cap of 1 it would wait as well", same)
    free = explain(bank, sent["quiet"], f'quiet_hours.spans=["{around_now(-3, 4)}"]')
    check(decisions(free)[0]["what_if"]["kind"] == "go", "with other quiet hours it would go", free)
    both = explain(bank, sent["capped"], "caps.daily.limit=4", "caps.daily.categories=[\"service\"]")
    check(decisions(both)[0]["what_if"]["kind"] == "go", "two changes together", both)


def wrong_questions(bank, check, sent):
    def says(words, *args):
        done = bank.postern(*args)
        check(done.returncode != 0 and words in done.stderr, f"refused: {words}", (done.returncode, done.stderr))
        return done.returncode
    says("is not a message id", "explain", "nonsense")
    check(says("there is no message of this id", "explain", "019ab0c2-3f5e-7a10-8c4d-5e6f70819203") == 3, "exit code 3 for none")
    says("there are: daily", "explain", sent["capped"], "--what-if", "caps.dayly.limit=4")
    says("policy.toml:6:1: unknown key 'limmit'", "explain", sent["capped"], "--what-if", "caps.daily.limmit=4")
    says("write a change as KEY=VALUE", "explain", sent["capped"], "--what-if", "caps.daily.limit")
    check(says("give days", "policy", "rehearse", bank.path("etc/policy.toml"), "--last", "forever") == 2, "exit code 2 for a wrong command line")
    says("cannot be read", "policy", "rehearse", bank.path("nothing.toml"))
    faulty = rehearse(bank, policy(2, ["25:00-08:00"]))
    check(faulty.returncode == 3 and f"{bank.path('candidate.toml')}:3:1: " in faulty.stderr, "a faulty candidate is refused by its place", faulty.stderr)
    faulty = rehearse(bank, policy(2, []).replace("limit = 2", "limit = 0\nlimmit = 2"))
    check(f"{bank.path('candidate.toml')}:7:1: " in faulty.stderr and f"{bank.path('candidate.toml')}:8:1: unknown key" in faulty.stderr, "all its faults", faulty.stderr)


def rows_of(done):
    return {(row["category"], row["rule"]): row for row in json.loads(done.stdout)["rows"]}


def rehearsals(bank, check, sent, now):
    same = rehearse(bank, now)
    facts = json.loads(same.stdout)
    changed = sum(row[what] for row in facts["rows"] for what in ("delayed", "sooner", "dropped", "no_longer_dropped", "other_way"))
    check(facts["messages"] == len(sent) and changed == 0 and facts["candidate"] == facts["policy"], "the policy in force changes nothing", facts)
    stricter = rehearse(bank, now.replace("limit = 2", "limit = 1"), "--last", "7d")
    rows = rows_of(stricter)
    check(rows[("transaction", "cap-daily")]["delayed"] == 1 and rows[("transaction", "cap-daily")]["unchanged"] == 1
          and rows[("transaction", "")]["unchanged"] == 2 and rows[("service", "quiet-hours")]["unchanged"] == 1,
          "a stricter cap: the second message of one customer, and nobody else", rows)
    examples = json.loads(stricter.stdout)["examples"]
    check([(one["id"], one["what"]) for one in examples] == [(sent["second"], "delayed")], "named by its id", examples)
    looser = rows_of(rehearse(bank, now.replace("limit = 2", "limit = 9")))
    check(looser[("transaction", "cap-daily")]["no_longer_dropped"] + looser[("transaction", "cap-daily")]["sooner"] == 1, "a looser one: what was held goes", looser)
    listed = rows_of(rehearse(bank, now + '[[lists]]\nname = "new"\nkind = "never"\nfile = "new.txt"\n'))
    check(listed[("transaction", "list-new")]["dropped"] == 1, "a list of numbers: its customer is not written to", listed)
    text = bank.postern("policy", "rehearse", bank.path("candidate.toml")).stdout
    check("1 not sent at all" in text and "cost change" in text and "candidate" in text, "and it reads well", text)
    check(bank.postern("status", "--json").returncode == 0, "the gateway goes on")


def after_a_change(bank, check, sent, now):
    bank.add_file("etc/policy.toml", now.replace("limit = 2", "limit = 3"))
    bank.reload()
    held = decisions(explain(bank, sent["capped"]))[0]
    check(not held["same_policy"] and not held["replayed_same"] and held["now"]["kind"] == "go", "after a change of the policy it says what today's would say", held)
    text = bank.postern("explain", sent["capped"]).stdout
    check("the policy has changed since" in text and "would go" in text, "in words too", text)


def audited(bank, check, sent):
    events = bank.trace(sent["capped"])["events"]
    looks = [event for event in events if event["event"] == "admin-read" and "text=explain" in event["detail"]]
    check(len(looks) >= 4 and not any("facts" in word for event in events for word in event["detail"]), "each look is in the log, and the trace shows no raw facts", events)
    bank.down()
    files = list(bank.files("state", "log"))
    places = [path for path in files for word in (CAPPED[1:], WORDS) if word.encode() in pathlib.Path(path).read_bytes()]
    check(len(files) > 10 and not places, "no number and no text in any file of state and log", places or len(files))
    check(CAPPED[1:].encode() in pathlib.Path(bank.path("phones.jsonl")).read_bytes(), "which the handsets' file does hold")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    arguments = parser.parse_args()
    check = Checks()
    with Bank(arguments.build, arguments.keep) as bank:
        now = policy(2, [around_now(1, 2)])
        bank.add_file("etc/objected.txt", "# nobody yet\n")
        bank.add_file("etc/new.txt", OTHER + "\n")
        bank.add_file("etc/policy.toml", now)
        main_file = bank.path("etc/posternd.toml")
        with open(main_file, encoding="utf-8") as file:
            text = file.read()
        bank.add_file("etc/posternd.toml", 'policy = "policy.toml"\n' + text)
        bank.reload()
        core = bank.client("core-banking")
        sent = {}
        for name, phone, category in (("first", CAPPED, "transaction"), ("second", CAPPED, "transaction"), ("other", OTHER, "transaction")):
            sent[name] = core.submit(message(name, phone, category))
            core.ended(sent[name])
        sent["capped"] = core.submit(message("capped", CAPPED))
        sent["quiet"] = core.submit(message("quiet", QUIET, "service"))
        for name in ("capped", "quiet"):
            wait_for(f"{name} to be decided", lambda name=name: {"held", "step-skipped"} & set(bank.steps(sent[name])))
        why(bank, check, sent)
        what_if(bank, check, sent)
        wrong_questions(bank, check, sent)
        rehearsals(bank, check, sent, now)
        after_a_change(bank, check, sent, now)
        audited(bank, check, sent)
    return check.finish()


if __name__ == "__main__":
    sys.exit(main())
