# SPDX-License-Identifier: Apache-2.0
"""Canaries: random words that stand for what must not stay behind, every form in which such a word can stand in a file or
in memory, and the search for all of them. The words themselves are never printed."""

import base64
import collections
import json
import secrets
import string
import subprocess
import urllib.parse

# A piece of this many characters is enough: what frees memory writes over its beginning, and lines are cut anywhere.
PIECE = 12
SHORTEST = 8   # bytes of a form; below it a hit would say nothing

LETTERS = string.ascii_letters + string.digits
CYRILLIC = "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЬЮЯабвгдежзиклмнопрстуфхцчшщьюя"

# RFC 7541 appendix B, as far as hexadecimal words go: (code, bits).
HUFFMAN = {"0": (0x0, 5), "1": (0x1, 5), "2": (0x2, 5), "3": (0x19, 6), "4": (0x1a, 6), "5": (0x1b, 6), "6": (0x1c, 6), "7": (0x1d, 6),
           "8": (0x1e, 6), "9": (0x1f, 6), "a": (0x3, 5), "b": (0x23, 6), "c": (0x4, 5), "d": (0x24, 6), "e": (0x5, 5), "f": (0x25, 6)}


def random_word(size, alphabet=LETTERS):
    return "".join(secrets.choice(alphabet) for _ in range(size))


class Canary:
    """One word, or the bytes of a key. `home`: the process in whose locked slab it may and must lie as that process's own credential."""

    def __init__(self, name, word, home=None, whole=False):
        self.name, self.word, self.home = name, word, home
        if isinstance(word, bytes):
            self.pieces = [word[i:i + PIECE] for i in range(0, len(word) - PIECE + 1, PIECE)]
            return
        # Numbers travel whole; so does a word that is hardly longer than a piece.
        self.pieces = [word] if whole or len(word) < 2 * PIECE else [word[i:i + PIECE] for i in range(0, len(word) - PIECE + 1, PIECE)]


def aligned(bits):
    """The whole bytes inside a row of bits for each of the eight places where the row may begin within a byte."""
    for skip in range(8):
        inner = bits[skip:]
        inner = inner[:len(inner) // 8 * 8]
        yield int(inner, 2).to_bytes(len(inner) // 8, "big") if inner else b""


def packed_septets(text):
    """GSM 7-bit packing (3GPP TS 23.038 section 6.1.2.1) fills bytes from their low end."""
    row = "".join(format(ord(c), "07b")[::-1] for c in text)
    for form in aligned(row):
        yield bytes(int(format(byte, "08b")[::-1], 2) for byte in form)


def huffman(text):
    yield from aligned("".join(format(code, f"0{bits}b") for code, bits in (HUFFMAN[c] for c in text)))


def base64_forms(data):
    """What of the encoding does not depend on what stands before and after."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for form in {text[first:last], text[first:last].replace(b"+", b"-").replace(b"/", b"_")}:
            yield form


def forms(text):
    """The forms of a text or a key: bytes -> name. What is too short to tell anything is left out."""
    if isinstance(text, bytes):
        return {text: "bytes", text.hex().encode(): "hex", text.hex().upper().encode(): "hex"} | {form: "base64" for form in base64_forms(text)}
    utf8, wide = text.encode(), text.encode("utf-16-be")
    found = [("utf-8", utf8), ("utf-16-be", wide), ("utf-16-le", text.encode("utf-16-le"))]
    found += [("json", json.dumps(text)[1:-1].encode())]
    for quoted in (urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text)):
        found += [("percent", quoted.encode()), ("percent", quoted.lower().encode() if "%" in quoted and quoted.lower() != text.lower() else quoted.encode())]
    found += [("quoted-printable", "".join(c if c.isascii() else "".join(f"={b:02X}" for b in c.encode()) for c in text).encode())]
    for data, name in ((utf8, "hex"), (wide, "hex of utf-16")):
        found += [(name, data.hex().encode()), (name, data.hex().upper().encode())]
    found += [("base64", form) for form in base64_forms(utf8)]
    if text.isascii():
        found += [("gsm 7-bit packed", form) for form in packed_septets(text)]
    if all(c in HUFFMAN for c in text):
        found += [("hpack", form) for form in huffman(text)]
    return {form: name for name, form in reversed(found) if len(form) >= SHORTEST}


Hit = collections.namedtuple("Hit", "canary form place name flags")   # place: a process's name, or a path


class Search:
    """The search of all canaries through files and processes by the program canary_search."""

    def __init__(self, program, canaries):
        self.program, self.needles, self.canaries = program, [], {each.name: each for each in canaries}
        for canary in canaries:
            for piece in canary.pieces:
                self.needles += [(canary, name, form) for form, name in forms(piece).items()]

    def run(self, files=(), processes=None):
        """(hits, bytes read, targets that could not be read). `processes`: name -> pid."""
        processes = processes or {}
        names = {str(pid): name for name, pid in processes.items()}
        lines = [f"needle {form.hex()}" for _, _, form in self.needles]
        lines += [f"file {path}" for path in files] + [f"pid {pid}" for pid in names]
        done = subprocess.run([self.program], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120)
        if done.returncode not in (0, 1):
            raise AssertionError(f"canary_search: {done.returncode} {done.stderr}")
        hits, read, unread = collections.Counter(), 0, []
        for line in done.stdout.splitlines():
            words = line.split(" ", 5)
            if words[0] == "read":
                read += int(words[1])
            elif words[0] == "unread":
                unread.append(line.split(" ", 1)[1])
            elif words[0] == "file":
                canary, form, _ = self.needles[int(words[1])]
                hits[Hit(canary.name, form, line.split(" ", 3)[3], "", "")] += 1
            else:
                canary, form, _ = self.needles[int(words[1])]
                hits[Hit(canary.name, form, names[words[3]], words[5] if len(words) > 5 else "", words[4])] += 1
        return hits, read, unread

