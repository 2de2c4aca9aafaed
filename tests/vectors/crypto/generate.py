#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the vectors of this folder with tests/support/keyring_file.py, which shares no code with Postern. Everything is made from
labels, so a second run writes the same bytes (ECDSA signatures excepted: they are randomised).

    python3 tests/vectors/crypto/generate.py
"""
import base64
import hashlib
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from cryptography.hazmat.primitives.asymmetric import utils  # noqa: E402
import keyring_file as k  # noqa: E402
import verify_log  # noqa: E402

CREATED = 1_700_000_000_000
PHRASE = b"correct horse battery"
KEY_FILE = bytes(range(64))


def seed(profile, label, size=32):
    """Bytes that look random; under 2^255, so that they serve as a scalar too."""
    out = b"".join(hashlib.sha256(f"postern vector/{profile}/{label}/{i}".encode()).digest() for i in range((size + 31) // 32))
    return bytes([out[0] & 0x7F]) + out[1:size]


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(data if isinstance(data, bytes) else data.encode())


def make(profile, suite):
    s = lambda label, size=32: seed(profile, label, size)  # noqa: E731
    master, log_key = s("master"), suite.signing_key(s("log"))
    passes, memory = (1, 8192) if suite.number == k.MODERN else (1000, 0)

    slots = []  # name, header, secret
    salt = s("salt passphrase", 16)
    slots.append(("passphrase", k.slot_header(k.PASSPHRASE, "passphrase", CREATED + 1, salt, struct.pack(">QQ", passes, memory)),
                  suite.passphrase_key(PHRASE, salt, passes, memory)))
    salt = s("salt key file", 16)
    slots.append(("key-file", k.slot_header(k.KEY_FILE, "key-file", CREATED + 2, salt), suite.mac(salt, KEY_FILE)))
    salt = s("salt token", 16)
    rest = bytes([1]) + k.text8("token label") + k.text8("0123") + k.text8("key label") + k.view16(b"encrypted by a token")
    slots.append(("hsm", k.slot_header(k.TOKEN, "hsm", CREATED + 3, salt, rest), s("token secret")))
    salt, secret, coefficients = s("salt quorum", 16), s("quorum secret"), s("coefficients", 32)
    rest, custodians = bytes([2, 3]), []
    for number, name in enumerate(("alice", "bob", "carol"), 1):
        private, public = suite.box_key(s("custodian " + name))
        value = k.share(secret, number, coefficients)
        custodians.append((name, private, public, value))
        rest += k.text8(name) + k.text8(public) + k.share_check(suite, salt, number, value)
        rest += k.text8(suite.box(public, value, s("box for " + name)))
    slots.append(("board", k.slot_header(k.QUORUM, "board", CREATED + 4, salt, rest), secret))

    headers, secrets = {n: h for n, h, _ in slots}, {n: x for n, _, x in slots}
    front = b"PSTRNKR1" + bytes([suite.number, len(slots)]) + b"".join(k.view16(h) for _, h, _ in slots)
    ways = [("passphrase", ["passphrase"]), ("both", ["key-file", "hsm"]), ("board", ["board"])]
    front += bytes([len(ways)])
    for name, names in ways:
        header, nonce = k.way_header(name, names), s("nonce way " + name, 24)
        bound = k.way_bound(suite, header, [headers[n] for n in names])
        front += k.view16(header) + k.view16(nonce + suite.seal(k.way_key(suite, [secrets[n] for n in names]), nonce, bound, master))
    keys = {number: [(1, CREATED, s(f"key {name} 1"))] for number, name in enumerate(k.PURPOSES, 1)}
    keys[2].append((2, CREATED + 5, s("key content 2")))
    plain = k.payload(suite, 7, CREATED, CREATED + 6, log_key, [x for _, _, x in slots], keys)
    nonce = s("nonce payload", 24)
    write(f"keyring-{profile}", front + k.view32(nonce + suite.seal(k.payload_key(suite, master), nonce, front, plain)))

    # What the keys make of known inputs.
    key = lambda purpose: keys[k.PURPOSES.index(purpose) + 1][-1][2]  # noqa: E731
    lines = [("master", master), ("store", k.store_key(suite, key("store"))), ("log", suite.public_key(log_key)),
             ("pseudonym", suite.mac(key("pseudonym"), b"380671234567")[:8]),
             ("idempotency", suite.mac(key("idempotency"), k.text8("core") + b"key-1")[:16]),
             ("otp_commitment", suite.mac(key("otp_commitment"), b"text")), ("anchor", suite.mac(key("anchor"), b"text")),
             ("state_sum", suite.mac(key("state_sum"), b"text")), ("signature", suite.sign(log_key, b"text"))]
    for number, name in enumerate(k.PURPOSES, 1):
        lines.append(("check_" + name, k.key_check(suite, number, keys[number][-1][0], key(name))))
    for name, private, public, value in custodians:
        lines += [("private_" + name, private), ("public_" + name, public), ("share_" + name, value)]
    lines += [("token_secret", secrets["hsm"]), ("quorum_secret", secret)]
    write(f"keys-{profile}.txt", "".join(f"{name} {value.hex()}\n" for name, value in lines))
    for number, name in enumerate(k.PURPOSES, 1):
        if name not in ("content", "audit_body", "ring", "epoch", "backup"):
            continue
        for version, _, value in keys[number]:
            write(f"sealed-{name}-{version}-{profile}",
                  k.field(suite, number, version, value, "table", 7, "column", 1, f"sealed for {name}".encode(), s(f"nonce {name} {version}", 24)))


def make_note(profile, suite):
    """A checkpoint and its `vkey`, signed by the log's key and by an epoch's."""
    origin = "bank.example/vectors/audit"
    kind = verify_log.ECDSA if suite.number == k.FIPS else verify_log.ED25519
    text = f"{origin}\n123456\n{base64.b64encode(hashlib.sha256(b'root').digest()).decode()}\n"
    vkey, lines = "", ""
    for name, label in ((origin, "log"), (f"{origin}/epoch/000000", "epoch 0")):
        secret = suite.signing_key(seed(profile, label))
        key, signature = verify_log.Key.of(name, kind, suite.public_key(secret)), suite.sign(secret, text.encode())
        if kind == verify_log.ECDSA:
            signature = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        vkey += key.text() + "\n"
        lines += f"\N{EM DASH} {name} {base64.b64encode(key.hash + signature).decode()}\n"
    write(f"vkey-{profile}", vkey)
    write(f"checkpoint-{profile}", text + "\n" + lines)


def main():
    # C2SP XAES-256-GCM's own vectors: the generator must be right about it before it is believed on the rest.
    fips = k.SUITES[k.FIPS]
    assert fips.seal(b"\1" * 32, b"ABCDEFGHIJKLMNOPQRSTUVWX", b"", b"XAES-256-GCM").hex() == "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"
    assert fips.seal(b"\3" * 32, b"ABCDEFGHIJKLMNOPQRSTUVWX", b"c2sp.org/XAES-256-GCM", b"XAES-256-GCM").hex() == "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"
    make("modern", k.SUITES[k.MODERN])
    make("fips", fips)
    for profile, number in (("modern", k.MODERN), ("fips", k.FIPS)):
        make_note(profile, k.SUITES[number])


if __name__ == "__main__":
    main()
