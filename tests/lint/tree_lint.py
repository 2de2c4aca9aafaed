# SPDX-License-Identifier: Apache-2.0
"""Holds the tree's outward order: its top level, SPDX lines, sizes, and that nothing of one machine stands in it.

    python3 tests/lint/tree_lint.py ROOT
"""
import os
import re
import sys

from sources import Findings, files, text_of

TOP = {"CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "gateway",
       "connectors", "crypto", "admin", "systemd", "tests"}
SOURCES = (".cpp", ".hpp", ".proto")
SPDX = SOURCES + (".py", ".cmake", ".in", ".mjs", ".js", ".sh", "CMakeLists.txt")
LONGEST = 600
# Built from pieces, so that this file does not hold what it looks for.
FOREIGN = re.compile("|".join([r"(?<![\w.])/wo" r"rk/", r"(?<![\w.])/fa" r"rm/", r"/tmp/bash" r"_jobs", r"://(?:deb|registry)" r"\.",
                               r"snapshot\.deb" r"ian", r"npmjs\.(?:org|com)", r"files\.python" r"hosted"]))


def is_program(root, path):
    with open(os.path.join(root, path), "rb") as file:
        return file.read(2) == b"#!"


def main():
    root, findings, looked = sys.argv[1], Findings(), 0
    for entry in sorted(os.listdir(root)):
        if not entry.startswith(".") and entry not in TOP and entry not in ("node_modules",):
            findings.add(entry, "is not part of the top level")
    for path in files(root):
        looked += 1
        text = text_of(root, path)
        if text is None:
            continue
        lines = text.splitlines()
        if path.endswith(SPDX) or is_program(root, path):
            if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:2]):
                findings.add(f"{path}:1", "has no SPDX line")
        if path.endswith(SOURCES) and len(lines) > LONGEST:
            findings.add(path, f"has {len(lines)} lines; split it by responsibility ({LONGEST} at most)")
        # A lock file of the tests' own packages names where they come from; that is its purpose.
        if os.path.basename(path) == "package-lock.json":
            continue
        for number, line in enumerate(lines, 1):
            if FOREIGN.search(line):
                findings.add(f"{path}:{number}", "names a path of one machine or a package registry")
    findings.end(looked)


main()
