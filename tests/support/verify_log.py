#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second verifier of audit logs, written from crypto/DESIGN.md sections 6 and 7 alone: it shares no line with the
one in admin/audit, and tests hold the two against each other.

    verify_log.py DIR --vkey KEY_OR_FILE... [--from CHECKPOINT]... [--witness KEY_OR_FILE]...
    verify_log.py FILE.tlog-proof --vkey KEY_OR_FILE... [--witness KEY_OR_FILE]...

Prints `ok`, `bad` for a proof, `bad INDEX` (the first leaf that is not right; the log's size when all leaves are and something else is
not) or `unreadable: WHY`; exit codes 0, 3 and 1.
"""
import argparse
import base64
import binascii
import functools
import hashlib
import os
import re
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, ECDSA, COSIGNATURE = 1, 2, 4
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SPKI = bytes.fromhex("3059301306072A8648CE3D020106082A8648CE3D030107034200")   # what stands before the uncompressed point
INITIALISED, EPOCH_BEGUN = 6, 9
DAY = 86_400_000_000
TILE = 256
HEADER = struct.Struct(">BHQIqQ16sQHHBB32sBH")
NUMBER = re.compile("0|[1-9][0-9]*")


class Bad(Exception):
    """The log does not hold; the argument is the first bad leaf."""


class Unreadable(Exception):
    pass


class Flawed(Exception):
    """A note, key or leaf that is not of its form, or a signature that is false."""


# ---- notes -------------------------------------------------------------------------------------------------------

def unbase64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Flawed("base64") from error
    # One text for one value: stray bits in the last character are refused.
    if base64.b64encode(raw).decode() != text:
        raise Flawed("base64")
    return raw


@functools.lru_cache(maxsize=65536)
def ed25519(key, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@functools.lru_cache(maxsize=4096)
def p256_point(x):
    """Of the two points with this x the one whose y is even."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\2" + x)
    except ValueError as error:
        raise Flawed("no point") from error


@functools.lru_cache(maxsize=65536)
def ecdsa(x, message, signature):
    """One DER form, and of (r, s) and (r, n-s) the one with the lower s."""
    try:
        r, s = utils.decode_dss_signature(signature)
        if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2) or utils.encode_dss_signature(r, s) != signature:
            return False
        p256_point(x).verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


class Key:
    def __init__(self, text):
        parts = text.split("+", 2)
        if len(parts) != 3 or not parts[0] or " " in parts[0]:
            raise Flawed("key")
        whole = unbase64(parts[2])
        if not whole or whole[0] not in (ED25519, ECDSA, COSIGNATURE):
            raise Flawed("key")
        at = len(SPKI) + 2 if whole[0] == ECDSA else 1   # behind the type, SPKI and 04
        self.make(parts[0], whole[0], whole[at:at + 32])
        # Whatever is longer, shorter or elsewhere shows when it is written again.
        if bytes([self.kind]) + self.material != whole or parts[1].lower() != self.hash.hex():
            raise Flawed("key")

    @classmethod
    def of(cls, name, kind, raw):
        key = cls.__new__(cls)
        key.make(name, kind, raw)
        return key

    def make(self, name, kind, raw):
        if len(raw) != 32:
            raise Flawed("key")
        self.name, self.kind, self.raw, self.material = name, kind, raw, raw
        hashed = name.encode() + b"\n" + bytes([kind]) + raw
        if kind == ECDSA:
            uncompressed = p256_point(raw).public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
            hashed = self.material = SPKI + uncompressed
        self.hash = hashlib.sha256(hashed).digest()[:4]

    def text(self):
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(bytes([self.kind]) + self.material).decode()}"

    def signed(self, message, signature):
        if self.kind == ECDSA:
            return ecdsa(self.raw, message, signature)
        return len(signature) == 64 and ed25519(self.raw, message, signature)


class Note:
    def __init__(self, content):
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Flawed("text") from error
        head, gap, tail = text.partition("\n\n")
        if len(content) > 65536 or not gap or not tail.endswith("\n") or any(c < " " and c != "\n" for c in text):
            raise Flawed("note")
        lines = head.split("\n")
        if len(lines) != 3 or not lines[0] or not NUMBER.fullmatch(lines[1]) or int(lines[1]) >= 1 << 64:
            raise Flawed("checkpoint")
        self.origin, self.size, self.root = lines[0], int(lines[1]), unbase64(lines[2])
        self.body, self.signatures = (head + "\n").encode(), []
        if len(self.root) != 32:
            raise Flawed("root")
        for line in tail[:-1].split("\n"):
            dash, _, rest = line.partition(" ")
            name, space, blob = rest.rpartition(" ")
            if dash != "\N{EM DASH}" or not space or not name or " " in name or "+" in name:
                raise Flawed("signature line")
            blob = unbase64(blob)
            if len(blob) < 5:
                raise Flawed("signature line")
            self.signatures.append((name, blob[:4], blob[4:]))
        if len(self.signatures) > 64:
            raise Flawed("too many signatures")

    def has(self, key):
        """Whether the key has signed; a line of its name and hash that is false spoils the note."""
        found = False
        for name, number, blob in self.signatures:
            if (name, number) != (key.name, key.hash):
                continue
            message = self.body
            if key.kind == COSIGNATURE:
                moment, blob = int.from_bytes(blob[:8], "big"), blob[8:]
                if not 0 < moment < 1 << 63:
                    raise Flawed("time")
                message = f"cosignature/v1\ntime {moment}\n".encode() + message
            if not key.signed(message, blob):
                raise Flawed("signature")
            found = True
        return found

    def must_have(self, key):
        if not self.has(key):
            raise Flawed("signature missing")


# ---- the tree ----------------------------------------------------------------------------------------------------

def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Tree:
    """Roots of perfect subtrees with their heights, as appending leaves them."""

    def __init__(self):
        self.stack = []

    def add(self, value):
        height = 0
        while self.stack and self.stack[-1][0] == height:
            value, height = sha(b"\1", self.stack.pop()[1], value), height + 1
        self.stack.append((height, value))

    def root(self):
        if not self.stack:
            return sha()
        result = self.stack[-1][1]
        for _, left in reversed(self.stack[:-1]):
            result = sha(b"\1", left, result)
        return result


# ---- leaves ------------------------------------------------------------------------------------------------------

def fields_of(body):
    fields, at = [], 0
    while at < len(body):
        if at + 3 > len(body):
            raise Flawed("field")
        number, size = body[at], int.from_bytes(body[at + 1:at + 3], "big")
        value = body[at + 3:at + 3 + size]
        if len(value) != size or (number == 11 and size != 32) or (number in (12, 13) and size != 8):
            raise Flawed("field")
        fields.append((number, value))
        at += 3 + size
    return fields


class Leaf:
    def __init__(self, data):
        if not HEADER.size <= len(data) <= 8192:
            raise Flawed("leaf")
        (version, self.type, self.sequence, self.epoch, self.utc, _, self.message, self.before, _, _, _, _, self.previous,
         self.kind, size) = HEADER.unpack_from(data)
        body = data[HEADER.size:]
        if version != 1 or len(body) != size or self.kind > 3 or (self.kind == 0) != (size == 0):
            raise Flawed("leaf")
        self.fields = fields_of(body) if self.kind == 1 else []

    def terms(self):
        """(key, begins, ends) of the epoch that this leaf begins."""
        each = [[value for number, value in self.fields if number == wanted] for wanted in (11, 12, 13)]
        if [len(values) for values in each] != [1, 1, 1]:
            raise Flawed("terms")
        key, begins, ends = (values[0] for values in each)
        return key, int.from_bytes(begins, "big", signed=True), int.from_bytes(ends, "big", signed=True)


# ---- the log -----------------------------------------------------------------------------------------------------

def number_path(number):
    text = str(number)
    text = text.zfill((len(text) + 2) // 3 * 3)
    groups = [text[i:i + 3] for i in range(0, len(text), 3)]
    return "/".join(["x" + group for group in groups[:-1]] + groups[-1:])


class Log:
    def __init__(self, folder, keys, witnesses=(), kept=()):
        self.folder, self.keys, self.witnesses, self.kept = folder, {key.name: key for key in keys}, witnesses, kept

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise Unreadable(f"{name}: {error}") from error

    def names(self, below):
        for place, _, names in os.walk(os.path.join(self.folder, below)):
            for name in names:
                if not name.endswith(".new"):
                    yield os.path.relpath(os.path.join(place, name), self.folder)

    def open(self, content):
        """A note of a log whose identity key we have, signed by it."""
        note = Note(content)
        if note.origin not in self.keys:
            raise Flawed("origin")
        note.must_have(self.keys[note.origin])
        return note

    def epoch_key(self, epoch):
        return f"{self.origin}/epoch/{epoch:06}"

    def tile(self, kind, number, width):
        return self.read(f"tile/{kind}/{number_path(number)}" + (f".p/{width}" if width < TILE else ""))

    def verify(self, content):
        if content is None:
            raise Unreadable("there is no checkpoint")
        try:
            self.checkpoint = self.open(content)
            self.origin, self.size = self.checkpoint.origin, self.checkpoint.size
            self.check_vkey()
        except Flawed as error:
            raise Bad(0) from error
        after_all = not self.gather_anchors()   # what is wrong besides the leaves is told when they are right
        self.walk()
        if self.tree.root() != self.checkpoint.root or not self.signed_now(self.checkpoint) or self.anchors or after_all:
            raise Bad(self.size)
        if not all(witness.name in self.seen_by for witness in self.witnesses) or not self.belongs():
            raise Bad(self.size)

    def check_vkey(self):
        lines = (self.read("vkey") or b"").decode("latin-1").split("\n")
        keys = [Key(line) for line in lines[:-1]]
        if lines[-1] or [key.name for key in keys] != [self.origin, self.epoch_key(0)]:
            raise Flawed("vkey")
        for line, key in zip(lines, keys):
            if key.kind == COSIGNATURE or key.kind != self.keys[self.origin].kind or line != key.text() or (key.name in self.keys and self.keys[key.name].text() != line):
                raise Flawed("vkey")

    def gather_anchors(self):
        """Checkpoints that others kept, by size; false when one here is none of this log's."""
        self.anchors, self.seen_by, whole = [], set(), True
        for name in self.kept:
            try:
                with open(name, "rb") as file:
                    self.anchors.append(self.open(file.read()))
            except (OSError, Flawed) as error:
                raise Unreadable(f"{name}: {error}") from error
        for name in sorted(self.names("witness")):
            try:
                note = self.open(self.read(name) or b"")
                if note.origin != self.origin:
                    raise Flawed("origin")
                self.anchors.append(note)
                self.seen_by.update(key.name for key in self.witnesses if note.has(key))
            except Flawed:
                whole = False
        self.anchors.sort(key=lambda note: -note.size)   # the smallest is popped first
        return whole

    # The walk: state is what the leaves so far say.

    def walk(self):
        self.tree, self.previous, self.last_of, self.begun = Tree(), bytes(32), {}, False
        self.epoch, self.utc, self.closed, self.index = 0, None, None, 0
        self.levels, self.whole = [[] for _ in range(8)], [0] * 8
        self.hold_anchors()
        for first in range(0, self.size, TILE):
            self.walk_bundle(first, min(TILE, self.size - first))
        for level in range(1, 8):
            if self.levels[level]:
                self.compare(level)

    def walk_bundle(self, first, width):
        bundle, hashes = self.tile("entries", first // TILE, width), self.tile("0", first // TILE, width)
        if bundle is None or hashes is None or len(hashes) != 32 * width:
            raise Bad(first)
        at = 0
        for place in range(width):
            size = int.from_bytes(bundle[at:at + 2], "big")
            data = bundle[at + 2:at + 2 + size]
            if at + 2 > len(bundle) or len(data) != size or size > 8192:
                raise Bad(self.index)
            at += 2 + size
            mark = sha(b"\0", data)
            if mark != hashes[32 * place:32 * place + 32]:
                raise Bad(self.index)
            try:
                self.take(Leaf(data), mark)
            except Flawed as error:
                raise Bad(self.index) from error
            self.index += 1
            self.hold_anchors()
        if at != len(bundle):
            raise Bad(self.index)
        if width == TILE:
            self.levels[0] = [hashes[i:i + 32] for i in range(0, len(hashes), 32)]
            self.lift(0)

    def take(self, leaf, mark):
        if leaf.sequence != self.index or leaf.previous != self.previous:
            raise Flawed("place")
        if leaf.before != (self.last_of.get(leaf.message, 0) if any(leaf.message) else 0):
            raise Flawed("before")
        if any(leaf.message):
            self.last_of[leaf.message] = self.index + 1
        self.follow(leaf)
        self.previous = mark
        self.tree.add(mark)
        if self.closed is not None:
            content = self.read(f"epoch/{self.epoch - 1:06}")
            if content is None and self.index + 1 == self.size and self.checkpoint.has(self.closed):
                return   # the checkpoint is written before the epoch's file and says the same
            note = self.open(content or b"")
            if (note.origin, note.size, note.root) != (self.origin, self.index + 1, self.tree.root()):
                raise Flawed("epoch file")
            note.must_have(self.closed)

    def follow(self, leaf):
        if self.begun == (leaf.type == INITIALISED) or leaf.epoch != self.epoch:
            raise Flawed("epoch")
        if self.begun and leaf.utc < self.utc:
            raise Flawed("time")
        self.utc, self.closed = leaf.utc, None
        if leaf.type == EPOCH_BEGUN:
            terms = leaf.terms()
            if terms[1] != self.ends or self.epoch == 0xffffffff:
                raise Flawed("epoch does not follow")
            self.closed, self.epoch = self.key, self.epoch + 1
            self.begin(terms)
            return
        if leaf.type == INITIALISED:
            self.begin(leaf.terms())
        if not self.begins <= leaf.utc < self.ends:
            raise Flawed("time outside")

    def begin(self, terms):
        raw, self.begins, self.ends = terms
        if not 0 < self.ends - self.begins <= DAY:
            raise Flawed("length of epoch")
        # A log has one type of keys, its identity's.
        self.key, self.begun = Key.of(self.epoch_key(self.epoch), self.keys[self.origin].kind, raw), True
        if self.key.name in self.keys and self.keys[self.key.name].text() != self.key.text():
            raise Flawed("another key")

    def signed_now(self, note):
        """By the key of the epoch that runs, or by that of the epoch that the last leaf has closed."""
        able = [self.key] if self.begun else [self.keys[name] for name in (self.epoch_key(0),) if name in self.keys]
        able += [self.closed] if self.closed is not None else []
        try:
            return any([note.has(key) for key in able]) or (not self.begun and not able)
        except Flawed:
            return False

    def hold_anchors(self):
        while self.anchors and self.anchors[-1].size <= self.index:
            note = self.anchors.pop()
            if note.root != self.tree.root() or not self.signed_now(note):
                raise Bad(max(self.index - 1, 0))

    def lift(self, level):
        if level > 0:
            self.compare(level)
        tile = Tree()
        for value in self.levels[level]:
            tile.add(value)
        self.levels[level], self.whole[level] = [], self.whole[level] + 1
        self.levels[level + 1].append(tile.root())
        if len(self.levels[level + 1]) == TILE:
            self.lift(level + 1)

    def compare(self, level):
        known = self.levels[level]
        content = self.tile(str(level), self.whole[level], len(known))
        first = self.whole[level] * TILE
        if content is None or len(content) != 32 * len(known):
            raise Bad(first << 8 * level)
        for place, value in enumerate(known):
            if content[32 * place:32 * place + 32] != value:
                raise Bad((first + place) << 8 * level)

    # What else lies in the folder.

    def belongs(self):
        finished = {f"epoch/{epoch:06}" for epoch in range(self.epoch)}
        return all(name in finished for name in self.names("epoch")) and all(self.fits(name) for name in self.names("tile"))

    def fits(self, name):
        found = re.fullmatch(r"tile/(entries|[0-7])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", name)
        if not found:
            return False
        kind, number, width = found[1], int(re.sub("[x/]", "", found[2])), int(found[3] or TILE)
        if number_path(number) != found[2] or (found[3] and width >= TILE) or number >= 1 << 64:
            return False
        count = self.size >> (0 if kind == "entries" else 8 * int(kind))
        whole, part = divmod(count, TILE)
        if (number < whole) if width == TILE else (number == whole and width == part):
            return True   # the walk has read it
        covered = width if number < whole else min(width, part) if number == whole else 0
        content = self.read(name)
        truth = self.tile(kind, number, TILE if number < whole else part) if covered else b""
        if content is None:
            return True   # it went away meanwhile and says nothing any more
        if truth is None:
            return False
        same = 32 * covered
        if kind == "entries":
            at = same = 0
            for place in range(width):
                size = int.from_bytes(content[at:at + 2], "big")
                if at + 2 + size > len(content) or size > 8192:
                    return False
                at += 2 + size
                same = at if place < covered else same
            if at != len(content):
                return False
        elif len(content) != 32 * width:
            return False
        return content[:same] == truth[:same] and len(truth) >= same


# ---- proofs ------------------------------------------------------------------------------------------------------

def audit_root(mark, index, size, path):
    """The root that a leaf's hash and its siblings lead to (RFC 6962, section 2.1.1)."""
    if size == 1:
        if path:
            raise Flawed("path")
        return mark
    if not path:
        raise Flawed("path")
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return sha(b"\1", audit_root(mark, index, left, path[:-1]), path[-1])
    return sha(b"\1", path[-1], audit_root(mark, index - left, size - left, path[:-1]))


def check_proof(log, content):
    """One proof that holds its leaf (C2SP tlog-proof)."""
    try:
        head, gap, note = content.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as error:
        raise Flawed("text") from error
    lines = head.split("\n")
    if not gap or len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or lines[1][:6] != "extra " or lines[2][:6] != "index ":
        raise Flawed("proof")
    leaf, number, path = unbase64(lines[1][6:]), lines[2][6:], [unbase64(line) for line in lines[3:]]
    if not NUMBER.fullmatch(number) or any(len(value) != 32 for value in path) or len(path) > 63:
        raise Flawed("proof")
    checkpoint = log.open(note.encode())
    for witness in log.witnesses:
        checkpoint.must_have(witness)
    if int(number) >= checkpoint.size or audit_root(sha(b"\0", leaf), int(number), checkpoint.size, path) != checkpoint.root:
        raise Flawed("path")


def judge_proof(name, log):
    try:
        with open(name, "rb") as file:
            check_proof(log, file.read())
    except Flawed:
        return "bad"
    return "ok"


def keys_from(words):
    keys = []
    for word in words:
        try:
            with open(word, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            lines = [word]
        keys += [Key(line) for line in lines if line]
    kinds = {key.name: key.kind for key in keys}
    if any(kinds.get(name.rpartition("/epoch/")[0], kind) != kind for name, kind in kinds.items()):
        raise Flawed("keys of two types for one log")
    return keys


def judge(log):
    """`ok`, `bad INDEX` or `unreadable: WHY`. A log that grows meanwhile is looked at again, while its checkpoint changes."""
    seen, verdict = None, "ok"
    try:
        for _ in range(10):
            now = log.read("checkpoint")
            if now is not None and now == seen:
                break
            seen = now
            try:
                log.verify(now)
                return "ok"
            except Bad as bad:
                verdict = f"bad {bad.args[0]}"
    except Unreadable as why:
        return f"unreadable: {why}"
    return verdict


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--vkey", nargs="+", required=True)
    parser.add_argument("--from", dest="kept", nargs="+", default=[])
    parser.add_argument("--witness", nargs="+", default=[])
    given = parser.parse_args()
    try:
        log = Log(given.folder, keys_from(given.vkey), keys_from(given.witness), given.kept)
    except Flawed as error:
        sys.exit(f"unreadable: no verifier key: {error}")
    told = judge_proof(given.folder, log) if given.folder.endswith(".tlog-proof") else judge(log)
    print(told)
    return {"o": 0, "b": 3, "u": 1}[told[0]]


if __name__ == "__main__":
    sys.exit(main())
