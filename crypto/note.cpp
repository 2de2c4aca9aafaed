// SPDX-License-Identifier: Apache-2.0
#include "crypto/note.hpp"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "crypto/p256.hpp"

namespace postern {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // em dash and a space open a signature line
constexpr std::size_t kMaxNote = 64 * 1024, kMaxLines = 64;
constexpr std::size_t kIdSize = 4;
using KeyId = std::array<std::uint8_t, kIdSize>;

// The key as it stands in a verifier key, behind its type; empty when it is none.
Bytes material_of(const Verifier& verifier) {
  if (verifier.type != KeyType::ecdsa_p256) return {verifier.key.begin(), verifier.key.end()};
  const std::optional<p256::Spki> spki = p256::spki_of(p256::even_point(verifier.key));
  return spki ? Bytes(spki->begin(), spki->end()) : Bytes();
}

// signed-note: of the name, the type and the key; but of ECDSA of the key alone.
KeyId key_id(const Verifier& verifier, ByteView material) {
  Bytes text;
  ByteWriter out(text);
  if (verifier.type != KeyType::ecdsa_p256) {
    out.raw(verifier.name);
    out.raw(std::string_view("\n"));
    out.u8(static_cast<std::uint8_t>(verifier.type));
  }
  out.raw(material);
  const Hash hash = sha256(text);
  KeyId id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}
KeyId key_id(const Verifier& verifier) { return key_id(verifier, material_of(verifier)); }

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// RFC 3629, and no control character but the newline (signed-note, "Format").
bool plain_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<std::uint8_t>(text[at++]);
    if (first < 0x80) {
      if (first < 0x20 && first != '\n') return false;
      continue;
    }
    const unsigned more = first >= 0xc2 && first <= 0xdf ? 1 : first >= 0xe0 && first <= 0xef ? 2 : first >= 0xf0 && first <= 0xf4 ? 3 : 0;
    if (more == 0 || text.size() - at < more) return false;
    std::uint32_t point = first & (0x3fU >> more);
    for (unsigned i = 0; i < more; ++i) {
      const auto next = static_cast<std::uint8_t>(text[at++]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 4> kLeast{0, 0x80, 0x800, 0x10000};
    if (point < kLeast[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
  }
  return true;
}

// Unicode's other spaces cannot stand in a name that an administrator wrote on purpose; ASCII's is what splits a line.
bool good_name(std::string_view name) {
  return !name.empty() && plain_text(name) && name.find_first_of(" +\n") == std::string_view::npos;
}

std::string signature_line(const Verifier& verifier, ByteView signature) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.raw(key_id(verifier));
  out.raw(signature);
  return std::string(kDash) + verifier.name + " " + to_base64(bytes) + "\n";
}

std::string cosigned_text(std::string_view text, std::uint64_t time_s) {
  return "cosignature/v1\ntime " + std::to_string(time_s) + "\n" + std::string(text);
}

bool verifies(const Verifier& verifier, std::string_view text, ByteView signature) {
  if (verifier.type == KeyType::ecdsa_p256) return p256::verify(p256::even_point(verifier.key), as_bytes(text), signature);
  return signature.size() == sizeof(Signature) &&
         crypto_sign_verify_detached(signature.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), verifier.key.data()) == 0;
}

// What stands behind the type: 32 bytes, or a whole SubjectPublicKeyInfo.
Status read_material(ByteView material, Verifier& out) {
  if (out.type != KeyType::ecdsa_p256) {
    if (material.size() != out.key.size()) return fail("has not the 32 bytes of an Ed25519 key");
    std::ranges::copy(material, out.key.begin());
    return {};
  }
  const std::optional<p256::Point> point = p256::point_in(material);
  if (!point) return fail("is no P-256 key as uncompressed SubjectPublicKeyInfo (91 bytes)");
  std::copy(point->begin() + 1, point->end(), out.key.begin());
  if (*point != p256::even_point(out.key)) return fail("is a P-256 key whose y is odd; no log of Postern has one");
  return {};
}

}  // namespace

bool is_key(const Verifier& verifier) { return !material_of(verifier).empty(); }

std::string verifier_key(const Verifier& verifier) {
  const Bytes material = material_of(verifier);
  Bytes key{static_cast<std::uint8_t>(verifier.type)};
  key.insert(key.end(), material.begin(), material.end());
  return verifier.name + "+" + to_hex(key_id(verifier, material)) + "+" + to_base64(key);
}

Result<Verifier> parse_verifier(std::string_view vkey) {
  const auto refused = [] { return fail("verifier key: must look like NAME+HASH+BASE64"); };
  const std::size_t first = vkey.find('+');
  const std::size_t second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == std::string_view::npos) return refused();
  Verifier verifier;
  verifier.name = vkey.substr(0, first);
  Bytes id, key;
  if (!good_name(verifier.name) || !from_hex(vkey.substr(first + 1, second - first - 1), id) || !from_base64(vkey.substr(second + 1), key)) return refused();
  constexpr KeyType kTypes[] = {KeyType::ed25519, KeyType::ecdsa_p256, KeyType::cosigner};
  const auto* type = std::ranges::find_if(kTypes, [&](KeyType each) { return !key.empty() && key[0] == static_cast<std::uint8_t>(each); });
  if (type == std::end(kTypes))
    return fail("verifier key: " + verifier.name + " is of a type that is not supported; Ed25519 (1), ECDSA P-256 (2) and Ed25519 cosignatures (4) are");
  verifier.type = *type;
  const ByteView material = ByteView(key).subspan(1);
  if (const Status read = read_material(material, verifier); !read) return fail("verifier key: " + verifier.name + " " + read.what());
  if (!std::ranges::equal(id, key_id(verifier, material))) return fail("verifier key: its hash does not belong to its key");
  return verifier;
}

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + to_base64(checkpoint.root) + "\n";
}

std::string sign_note(std::string_view text, const std::vector<Signer>& signers) {
  std::string note = std::string(text) + "\n";
  for (const Signer& signer : signers) {
    const Signature signature = signer.sign(text);
    note += signature_line(signer.verifier, signer.verifier.type == KeyType::ecdsa_p256 ? p256::der_of(signature) : Bytes(signature.begin(), signature.end()));
  }
  return note;
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const std::vector<Signer>& signers) {
  return sign_note(checkpoint_text(checkpoint), signers);
}

std::string cosignature_line(std::string_view checkpoint_text, const Signer& witness, std::uint64_t time_s) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u64(time_s);
  out.raw(witness.sign(cosigned_text(checkpoint_text, time_s)));
  return signature_line(witness.verifier, bytes);
}

Result<SignedNote> read_note(std::string_view note) {
  if (note.size() > kMaxNote) return fail("is longer than a signed note may be");
  const std::size_t split = note.find("\n\n");
  if (split == std::string_view::npos || note.back() != '\n' || !plain_text(note)) return fail("is not a signed note");
  SignedNote read;
  read.text = note.substr(0, split + 1);

  std::string_view signatures = note.substr(split + 2);
  while (!signatures.empty()) {
    std::string_view line = take_line(signatures);
    const auto malformed = [] { return fail("a signature line is malformed"); };
    if (!line.starts_with(kDash) || read.lines.size() == kMaxLines) return malformed();
    line.remove_prefix(kDash.size());
    const std::size_t space = line.rfind(' ');
    SignedNote::Line entry;
    if (space == std::string_view::npos || !good_name(line.substr(0, space)) || !from_base64(line.substr(space + 1), entry.signature) ||
        entry.signature.size() <= kIdSize)
      return malformed();
    entry.name = line.substr(0, space);
    read.lines.push_back(std::move(entry));
  }
  if (read.lines.empty()) return fail("carries no signature");
  return read;
}

Result<SignedCheckpoint> read_checkpoint(std::string_view note) {
  Result<SignedNote> signed_note = read_note(note);
  if (!signed_note) return fail("checkpoint: " + signed_note.what());
  SignedCheckpoint read{std::move(*signed_note), {}};
  std::string_view rest = read.text;
  Checkpoint& checkpoint = read.checkpoint;
  checkpoint.origin = take_line(rest);
  const std::string_view size = take_line(rest);
  const std::string_view root = take_line(rest);
  Bytes hash;
  if (checkpoint.origin.empty() || !read_decimal(size, checkpoint.size) || !from_base64(root, hash) || hash.size() != checkpoint.root.size() ||
      !rest.empty())
    return fail("checkpoint: its three lines are not origin, size and root");
  std::ranges::copy(hash, checkpoint.root.begin());
  return read;
}

Result<std::optional<std::uint64_t>> find_signature(const SignedNote& note, const Verifier& key) {
  const KeyId id = key_id(key);
  std::optional<std::uint64_t> time;
  for (const SignedNote::Line& line : note.lines) {
    if (line.name != key.name || !std::equal(id.begin(), id.end(), line.signature.begin())) continue;
    const auto false_one = [&] { return fail("the signature of " + key.name + " is false"); };
    ByteReader in(ByteView(line.signature).subspan(kIdSize));
    std::uint64_t at = 0;
    std::string text = note.text;
    if (key.type == KeyType::cosigner) {
      at = in.u64();
      // tlog-cosignature: at most 2^63-1; tlog-witness: never 0.
      if (!in.ok() || at == 0 || at > static_cast<std::uint64_t>(INT64_MAX)) return false_one();
      text = cosigned_text(note.text, at);
    }
    if (!verifies(key, text, in.view(in.left()))) return false_one();
    time = std::max(time.value_or(0), at);
  }
  return time;
}

Result<std::uint64_t> signed_by(const SignedNote& note, const Verifier& key) {
  const Result<std::optional<std::uint64_t>> found = find_signature(note, key);
  if (!found) return fail(found.what());
  if (!*found) return fail("carries no signature of " + key.name);
  return **found;
}

Result<std::string> open_note(std::string_view note, const Verifier& key) {
  Result<SignedNote> read = read_note(note);
  if (!read) return fail(read.what());
  if (const Result<std::uint64_t> good = signed_by(*read, key); !good) return fail(good.what());
  return std::move(read->text);
}

Result<Checkpoint> open_checkpoint(std::string_view note, const Verifier& key) {
  const Result<SignedCheckpoint> read = read_checkpoint(note);
  if (!read) return fail(read.what());
  if (const Result<std::uint64_t> good = signed_by(*read, key); !good) return fail("checkpoint: " + good.what());
  return read->checkpoint;
}

Result<Checkpoint> open_checkpoint(std::string_view note, std::string_view vkey) {
  const Result<Verifier> verifier = parse_verifier(vkey);
  return verifier ? open_checkpoint(note, *verifier) : fail(verifier.what());
}

std::string epoch_digits(std::uint32_t epoch) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%06u", epoch);
  return text.data();
}

std::string epoch_key_name(std::string_view origin, std::uint32_t epoch) { return std::string(origin) + "/epoch/" + epoch_digits(epoch); }

bool read_decimal(std::string_view text, std::uint64_t& out) {
  // from_chars takes no sign for unsigned types, and "007" would be a second way to write 7.
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && (text == "0" || text.front() != '0');
}

}  // namespace postern
