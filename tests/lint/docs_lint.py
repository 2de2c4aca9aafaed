# SPDX-License-Identifier: Apache-2.0
"""Holds the documents against the tree: every path and process that README.md names is there, every field of the
connector protocol is told in PROTOCOL.md, its byte example is right, every named test exists, frozen numbers agree,
and every TOML example in a document can be read.

    python3 tests/lint/docs_lint.py ROOT
"""
import os
import re
import sys

from sources import Findings, files, text_of

try:
    import tomllib
except ImportError:  # before Python 3.11
    tomllib = None


def paths_of_readme(root, findings):
    text, looked = text_of(root, "README.md"), 0
    for number, line in enumerate(text.splitlines(), 1):
        names = re.findall(r"`([\w./-]+)`", line) + re.findall(r"\]\(([^)#]+)\)", line) + re.findall(r"\btests/[\w./-]+", line)
        for name in names:
            name = name.rstrip(".,;)")
            first = name.lstrip("./").split("/")[0]
            if "/" not in name or first not in ("gateway", "connectors", "crypto", "admin", "systemd", "tests"):
                continue
            looked += 1
            if not os.path.exists(os.path.join(root, name.lstrip("./"))):
                findings.add(f"README.md:{number}", f"names {name}, which is not there")
        # The table of processes: each must be built by some CMakeLists.txt.
        found = re.match(r"\| `(postern[\w-]*)` \|", line)
        if found:
            looked += 1
            if found.group(1) not in programs(root):
                findings.add(f"README.md:{number}", f"names the process {found.group(1)}, which nothing builds")
    return looked


def programs(root):
    names = set()
    for path in files(root):
        if path.endswith("CMakeLists.txt"):
            text = text_of(root, path)
            names.update(re.findall(r"add_executable\((postern[\w-]*)", text))
            names.update(re.findall(r"OUTPUT_NAME (postern[\w-]*)", text))
    return names


def links(root, findings):
    looked = 0
    for path in files(root):
        if not path.endswith(".md"):
            continue
        for number, line in enumerate(text_of(root, path).splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)", line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                looked += 1
                if not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                    findings.add(f"{path}:{number}", f"links to {target}, which is not there")
    return looked


def fields_of_protocol(root, findings):
    proto, text, looked = text_of(root, "connectors/protocol/wire.proto"), text_of(root, "connectors/protocol/PROTOCOL.md"), 0
    words = set(re.findall(r"\w+", text))
    for name in re.findall(r"^\s+(?:repeated )?\w+ (\w+) = \d+;", proto, re.M) + re.findall(r"^\s+([A-Z_]+) = \d+;", proto, re.M):
        looked += 1
        if name.endswith("_UNSET"):
            continue
        if name not in words:
            findings.add("connectors/protocol/PROTOCOL.md", f"does not tell of '{name}'")
    return looked


def byte_example(root, findings):
    """The frames of the worked example: each must be as long as it says, field by field."""
    text, looked = text_of(root, "connectors/protocol/PROTOCOL.md"), 0
    example = text[text.index("## 13."):]
    data = bytearray()
    for block in re.findall(r"```\n(.*?)```", example, re.S):
        for line in block.splitlines():
            found = re.match(r"\s*((?:[0-9a-f]{2}(?: |$))+)", line)
            if found:
                data += bytes.fromhex(found.group(1))
    at = 0
    while at < len(data):
        looked += 1
        size = int.from_bytes(data[at:at + 4], "big")
        body = data[at + 4:at + 4 + size]
        if len(body) != size or not well_formed(body):
            findings.add("connectors/protocol/PROTOCOL.md", f"frame {looked} of the byte example does not add up")
            break
        at += 4 + size
    if looked != 6 and not findings.all:
        findings.add("connectors/protocol/PROTOCOL.md", f"the byte example has {looked} frames")
    return looked


def varint(data, at):
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    return None, at


def well_formed(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key is None or key >> 3 == 0:
            return False
        if key & 7 == 0:
            value, at = varint(data, at)
            if value is None:
                return False
        elif key & 7 == 1:
            at += 8
        elif key & 7 == 2:
            size, at = varint(data, at)
            if size is None:
                return False
            at += size
        else:
            return False
    return at == len(data)


def named_tests(root, findings):
    """Tests that documents name, as `Suite.Name`, as a check of the conformance test, or as a file."""
    tests = set()
    for path in files(root):
        if path.startswith("tests") and path.endswith((".cpp", ".hpp")):
            tests.update(f"{suite}.{name}" for suite, name in re.findall(r"TEST(?:_[FP])?\((\w+), (\w+)\)", text_of(root, path)))
    conformance = text_of(root, "tests/contract/connector_conformance.py") or ""
    checks = set(re.findall(r'@check\("([\w-]+)"\)', conformance))
    looked = 0
    for path in ("connectors/protocol/PROTOCOL.md", "gateway/store/STATES.md", "gateway/engine/ENGINE.md", "crypto/DESIGN.md"):
        text = text_of(root, path)
        for name in re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", text):
            if not re.match(r"[A-Z][A-Za-z]+\.[A-Z][A-Za-z0-9]{8,}$", name):
                continue
            looked += 1
            if name not in tests:
                findings.add(path, f"names the test {name}, which is not there")
        for name in re.findall(r"`(tests/[\w./-]+)`", text):
            looked += 1
            if not os.path.exists(os.path.join(root, name)):
                findings.add(path, f"names {name}, which is not there")
    rules = text_of(root, "connectors/protocol/PROTOCOL.md").split("## 12.")[1].split("## 13.")[0]
    for name in re.findall(r"\*([a-z][a-z-]+)\*", rules):
        looked += 1
        if name not in checks:
            findings.add("connectors/protocol/PROTOCOL.md", f"names the check *{name}*, which connector_conformance.py does not have")
    return looked


def frozen_numbers(root, findings):
    looked = 0
    design = text_of(root, "crypto/DESIGN.md")
    for name, number in re.findall(r"^  (\w+) = (\d+),?\s", text_of(root, "crypto/purpose.hpp"), re.M):
        looked += 1
        if f"| {number} | `{name}` |" not in design:
            findings.add("crypto/DESIGN.md", f"does not list purpose {number} {name}")
    leaf = text_of(root, "gateway/audit/leaf.hpp")
    for name, number in re.findall(r"^  (\w+) = (\d+),", leaf[leaf.index("enum class Field"):leaf.index("using Body")], re.M):
        looked += 1
        if not re.search(rf"\b{number} {name.split('_')[0]}", design):
            findings.add("crypto/DESIGN.md", f"does not list body field {number} {name}")
    events = text_of(root, "gateway/audit/EVENTS.md")
    names = dict(re.findall(r'EventType::(\w+): return "([\w-]+)"', text_of(root, "gateway/domain/event_type.cpp")))
    for name, number in re.findall(r"^  (\w+) = (\d+),", text_of(root, "gateway/domain/event_type.hpp"), re.M):
        looked += 1
        if not re.search(rf"^\| {number} \| {names.get(name, '?')} \| \S", events, re.M):
            findings.add("gateway/audit/EVENTS.md", f"does not tell of event {number} {names.get(name, name)}")
    states = text_of(root, "gateway/store/STATES.md")
    words = text_of(root, "gateway/domain/words.hpp")
    for enum in ("AttemptState", "MessageState"):
        body = words[words.index(f"enum class {enum}"):]
        for name in re.findall(r"^  (\w+) = \d+,", body[:body.index("};")], re.M):
            looked += 1
            if f"`{name}`" not in states:
                findings.add("gateway/store/STATES.md", f"does not tell of {enum} {name}")
    for table in re.findall(r"CREATE TABLE (\w+)", text_of(root, "gateway/store/schema.cpp")):
        looked += 1
        if f"`{table}`" not in states:
            findings.add("gateway/store/STATES.md", f"does not tell of the table {table}")
    return looked


def toml_examples(root, findings):
    looked = 0
    if tomllib is None:
        return 1
    for path in files(root):
        text = text_of(root, path)
        if path.endswith(".toml"):
            blocks = [(1, text)]
        elif path.endswith(".md"):
            blocks = [(text[:found.start()].count("\n") + 2, found.group(1)) for found in re.finditer(r"^```toml\n(.*?)^```", text, re.S | re.M)]
        else:
            continue
        for line, block in blocks:
            looked += 1
            try:
                tomllib.loads(block)
            except tomllib.TOMLDecodeError as error:
                findings.add(f"{path}:{line}", f"the TOML example cannot be read: {error}")
    return looked


def fuzz_targets(root, findings):
    looked, folder = 0, "tests/fuzz"
    table = text_of(root, f"{folder}/CMakeLists.txt")
    for name in sorted(os.listdir(os.path.join(root, folder))):
        if not name.endswith("_fuzz.cpp"):
            continue
        looked += 1
        target = name[:-len("_fuzz.cpp")]
        if f"set(LIBRARIES_{target} " not in table:
            findings.add(f"{folder}/CMakeLists.txt", f"has no libraries for {name}")
        corpus = os.path.join(root, folder, "corpus", target)
        if not os.path.isdir(corpus) or len(os.listdir(corpus)) < 5:
            findings.add(f"{folder}/corpus/{target}", "has fewer than 5 inputs")
    return looked


def main():
    root, findings = sys.argv[1], Findings()
    parts = (paths_of_readme, links, fields_of_protocol, byte_example, named_tests, frozen_numbers, toml_examples, fuzz_targets)
    counts = [part(root, findings) for part in parts]
    for part, count in zip(parts, counts):
        if count == 0:
            findings.add(part.__name__, "looked at nothing: this lint does not find its place any more")
    findings.end(sum(counts))


main()
