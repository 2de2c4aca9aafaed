# SPDX-License-Identifier: Apache-2.0
"""The keyring file, sealed fields and what keys are used for, from the words of crypto/DESIGN.md alone: a second implementation
that writes the frozen vectors and lets a test know a running gateway's keys. Debian's python3-nacl and python3-cryptography."""

import hashlib
import hmac
import struct

import nacl.bindings as sodium
from cryptography.hazmat.primitives import cmac, hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MODERN, FIPS = 1, 2
PASSPHRASE, KEY_FILE, TOKEN, QUORUM = 1, 2, 3, 4
PURPOSES = ["store", "content", "audit_body", "pseudonym", "idempotency", "ring", "epoch", "otp_commitment", "anchor", "state_sum", "backup", "holder_mask"]
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def text8(text):
    data = text.encode() if isinstance(text, str) else text
    return bytes([len(data)]) + data


def view16(data):
    return struct.pack(">H", len(data)) + data


def view32(data):
    return struct.pack(">I", len(data)) + data


class Modern:
    number = MODERN

    def mac(self, key, data):
        return hashlib.blake2b(data, digest_size=32, key=key).digest()

    def derive(self, key, context, number, size):
        return hashlib.blake2b(b"", digest_size=size, key=key, salt=struct.pack("<Q", number) + bytes(8), person=context.encode() + bytes(8)).digest()

    def seal(self, key, nonce, bound, plain):
        return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, bound, nonce, key)

    def open(self, key, nonce, bound, cipher):
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(cipher, bound, nonce, key)

    def passphrase_key(self, passphrase, salt, passes, memory):
        return sodium.crypto_pwhash_alg(32, passphrase, salt, passes, memory, sodium.crypto_pwhash_ALG_ARGON2ID13)

    def signing_key(self, seed):
        return seed

    def public_key(self, key):
        return sodium.crypto_sign_seed_keypair(key)[0]

    def sign(self, key, text):
        return sodium.crypto_sign(text, sodium.crypto_sign_seed_keypair(key)[1])[:64]

    def box_key(self, seed):
        return seed, sodium.crypto_scalarmult_base(seed)

    def box(self, public, plain, seed):
        own = sodium.crypto_scalarmult_base(seed)
        nonce = hashlib.blake2b(own + public, digest_size=24).digest()
        return own + sodium.crypto_box(plain, nonce, public, seed)


class Fips:
    number = FIPS

    def mac(self, key, data):
        return hmac.new(key, data, hashlib.sha256).digest()

    def derive(self, key, context, number, size):
        out, i = b"", 1
        while len(out) < size:
            out += self.mac(key, struct.pack(">I", i) + context.encode() + b"\0" + struct.pack(">Q", number) + struct.pack(">I", size * 8))
            i += 1
        return out[:size]

    def inner(self, key, nonce):
        halves = []
        for half in (1, 2):
            c = cmac.CMAC(algorithms.AES(key))
            c.update(bytes([0, half]) + b"X\0" + nonce[:12])
            halves.append(c.finalize())
        return AESGCM(b"".join(halves))

    def seal(self, key, nonce, bound, plain):
        return self.inner(key, nonce).encrypt(nonce[12:], plain, bound)

    def open(self, key, nonce, bound, cipher):
        return self.inner(key, nonce).decrypt(nonce[12:], cipher, bound)

    def passphrase_key(self, passphrase, salt, passes, memory):
        return hashlib.pbkdf2_hmac("sha512", passphrase, salt, passes, 32)

    def pair(self, scalar):
        return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())

    def compressed(self, private):
        return private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)

    def signing_key(self, seed):
        point = self.compressed(self.pair(seed))
        if point[0] == 3:
            seed = (P256_ORDER - int.from_bytes(seed, "big")).to_bytes(32, "big")
        return seed + point[1:]

    def public_key(self, key):
        return key[32:]

    def sign(self, key, text):
        r, s = utils.decode_dss_signature(self.pair(key[:32]).sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")

    def box_key(self, seed):
        return seed, self.compressed(self.pair(seed))

    def box(self, public, plain, seed):
        own = self.compressed(self.pair(seed))
        z = self.pair(seed).exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public))
        key = self.mac(b"postern sealed box 1", struct.pack(">I", 1) + z + own + public)
        return own + self.seal(key, bytes(24), b"", plain)


SUITES = {MODERN: Modern(), FIPS: Fips()}


# ---- GF(256), for shares ----

def product(a, b):
    total = 0
    while b:
        if b & 1:
            total ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return total


def share(secret, number, coefficients):
    """`coefficients`: for each byte of the secret its coefficients of x, x^2, ..."""
    k = len(coefficients) // len(secret)
    out = bytearray()
    for at, byte in enumerate(secret):
        x, total = 1, byte
        for power in range(k):
            x = product(x, number)
            total ^= product(coefficients[at * k + power], x)
        out.append(total)
    return bytes(out)


# ---- slots and ways ----

def slot_header(kind, name, created, salt, rest=b""):
    return bytes([kind]) + text8(name) + struct.pack(">q", created) + salt + rest


def way_header(name, slots):
    return text8(name) + bytes([len(slots)]) + b"".join(text8(s) for s in slots)


def share_check(suite, salt, number, value):
    return suite.mac(value, b"postern share" + salt + bytes([number]))[:16]


def way_key(suite, secrets):
    return suite.mac(b"postern keyring way", b"".join(secrets))


def key_check(suite, purpose, version, key):
    return suite.mac(key, b"postern key check" + bytes([purpose]) + struct.pack(">H", version))[:8]


def way_bound(suite, header, slot_headers):
    return b"PSTRNKR1" + bytes([suite.number]) + view16(header) + b"".join(view16(h) for h in slot_headers)


def payload(suite, generation, created, master_created, log_key, slot_secrets, keys):
    """`keys`: purpose number -> list of (version, created, key)."""
    out = struct.pack(">Qqq", generation, created, master_created) + text8(log_key) + b"".join(slot_secrets) + bytes([len(keys)])
    for purpose, versions in sorted(keys.items()):
        out += bytes([purpose, len(versions)])
        for version, made, key in versions:
            out += struct.pack(">Hq", version, made) + key + key_check(suite, purpose, version, key)
    return out


def payload_key(suite, master):
    return suite.derive(master, "pstrnkr1", 1, 32)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        out = self.data[self.at:self.at + count]
        if len(out) != count:
            raise ValueError("cut")
        self.at += count
        return out

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def view(self, size):
        return self.take(self.number(size))


def open_with_key_file(data, content):
    """What a keyring holds, opened by a way of one key file slot: (suite, master, log key, purpose -> [(version, key)], generation)."""
    r = Reader(data)
    if r.take(8) != b"PSTRNKR1":
        raise ValueError("magic")
    suite = SUITES[r.number(1)]
    slots, secrets = {}, {}
    count = r.number(1)
    for _ in range(count):
        header = r.view(2)
        h = Reader(header)
        kind, name = h.number(1), h.view(1)
        h.take(8)
        slots[name] = header
        if kind == KEY_FILE:
            secrets[name] = suite.mac(h.take(16), content)
    master = None
    for _ in range(r.number(1)):
        header, wrapped = r.view(2), r.view(2)
        h = Reader(header)
        h.view(1)
        names = [h.view(1) for _ in range(h.number(1))]
        if len(names) == 1 and names[0] in secrets:
            bound = way_bound(suite, header, [slots[names[0]]])
            master = suite.open(way_key(suite, [secrets[names[0]]]), wrapped[:24], bound, wrapped[24:])
    front = data[:r.at]
    sealed = r.view(4)
    p = Reader(suite.open(payload_key(suite, master), sealed[:24], front, sealed[24:]))
    generation = p.number(8)
    p.take(16)
    log_key = p.view(1)
    p.take(32 * count)
    keys = {}
    for _ in range(p.number(1)):
        purpose = p.number(1)
        for _ in range(p.number(1)):
            version = p.number(2)
            p.take(8)
            key = p.take(32)
            if p.take(8) != key_check(suite, purpose, version, key):
                raise ValueError("check value")
            keys.setdefault(PURPOSES[purpose - 1], []).append((version, key))
    return suite, master, log_key, keys, generation


# ---- sealed fields and hashes ----

def field(suite, purpose, version, key, table, row, column, schema, plain, nonce):
    bound = bytes([suite.number, purpose]) + struct.pack(">H", version) + text8(table) + struct.pack(">Q", row) + text8(column) + struct.pack(">H", schema)
    return bytes([suite.number]) + struct.pack(">H", version) + nonce + suite.seal(key, nonce, bound, plain)


def store_key(suite, key):
    return suite.derive(key, "pstrnsql", 1, 48)
