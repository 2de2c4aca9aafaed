#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one CTest folder of two build trees: what starts whole programs runs on the release build, all the rest on
the build with sanitizers. CTest itself then runs them as one list and sums them up.

    one_ctest.py FOLDER --debug TREE --release TREE [--long]
"""

import argparse
import json
import os
import subprocess
import sys

# Labels of tests that start programs with real deadlines, or play as many worlds as the time allows.
WHOLE_PROGRAMS = {"functional", "fault", "sim", "long"}


def tests_of(tree, configuration):
    told = subprocess.run(["ctest", "--test-dir", tree, "--show-only=json-v1", "-C", configuration], check=True,
                          capture_output=True, text=True).stdout
    for test in json.loads(told)["tests"]:
        yield test, {each["name"]: each["value"] for each in test.get("properties", [])}


def quoted(text):
    """A bracket argument of CMake, which takes every character as it is."""
    level = ""
    while f"]{level}]" in text:
        level += "="
    return f"[{level}[{text}]{level}]"


def entry(test, properties):
    command = " ".join(quoted(word) for word in test["command"])
    settings = {"WORKING_DIRECTORY": properties["WORKING_DIRECTORY"]}
    for name in ("LABELS", "TIMEOUT", "RUN_SERIAL", "ENVIRONMENT", "RESOURCE_LOCK", "SKIP_RETURN_CODE", "COST", "WILL_FAIL"):
        if name in properties:
            value = properties[name]
            settings[name] = ";".join(value) if isinstance(value, list) else str(value)
    lines = " ".join(f"{name} {quoted(value)}" for name, value in settings.items())
    return f"add_test({quoted(test['name'])} {command})\nset_tests_properties({quoted(test['name'])} PROPERTIES {lines})\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--debug", required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--long", action="store_true")
    arguments = parser.parse_args()
    entries = []
    for tree, whole in ((arguments.debug, False), (arguments.release, True)):
        for test, properties in tests_of(tree, "long" if arguments.long else "usual"):
            if bool(WHOLE_PROGRAMS & set(properties.get("LABELS", []))) != whole:
                continue
            if "command" not in test:
                sys.exit(f"one_ctest.py: test {test['name']} of {tree} has no program; build the tree first")
            entries.append(entry(test, properties))
    os.makedirs(arguments.folder, exist_ok=True)
    with open(os.path.join(arguments.folder, "CTestTestfile.cmake"), "w", encoding="utf-8") as out:
        out.write("".join(entries))
    print(f"{len(entries)} tests")


if __name__ == "__main__":
    main()
