// SPDX-License-Identifier: Apache-2.0
#include "crypto/note.hpp"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

namespace postern {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // em dash and a space open a signature line
constexpr std::size_t kMaxNote = 64 * 1024, kMaxLines = 64;
constexpr std::size_t kIdSize = 4;
using KeyId = std::array<std::uint8_t, kIdSize>;

KeyId key_id(const Verifier& verifier) {
  Bytes text;
  ByteWriter out(text);
  out.raw(verifier.name);
  out.raw(std::string_view("\n"));
  out.u8(static_cast<std::uint8_t>(verifier.type));
  out.raw(verifier.key);
  const Hash hash = sha256(text);
  KeyId id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

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

bool verifies(const PublicKey& key, std::string_view text, ByteView signature) {
  return signature.size() == sizeof(Signature) &&
         crypto_sign_verify_detached(signature.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data()) == 0;
}

}  // namespace

std::string verifier_key(const Verifier& verifier) {
  Bytes key{static_cast<std::uint8_t>(verifier.type)};
  key.insert(key.end(), verifier.key.begin(), verifier.key.end());
  return verifier.name + "+" + to_hex(key_id(verifier)) + "+" + to_base64(key);
}

std::string verifier_key(std::string_view name, const PublicKey& public_key) {
  return verifier_key(Verifier{std::string(name), KeyType::ed25519, public_key});
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
  if (key.size() != 1 + verifier.key.size()) return refused();
  if (key[0] == static_cast<std::uint8_t>(KeyType::cosigner)) verifier.type = KeyType::cosigner;
  else if (key[0] != static_cast<std::uint8_t>(KeyType::ed25519)) return fail("verifier key: " + verifier.name + " is of a type that is not supported; Ed25519 (1) and its cosignatures (4) are");
  std::copy(key.begin() + 1, key.end(), verifier.key.begin());
  if (!std::ranges::equal(id, key_id(verifier))) return fail("verifier key: its hash does not belong to its key");
  return verifier;
}

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + to_base64(checkpoint.root) + "\n";
}

std::string sign_note(std::string_view text, const std::vector<Signer>& signers) {
  std::string note = std::string(text) + "\n";
  for (const Signer& signer : signers) note += signature_line(signer.verifier, signer.sign(text));
  return note;
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const std::vector<Signer>& signers) {
  return sign_note(checkpoint_text(checkpoint), signers);
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const PublicKey& public_key, const std::function<Signature(std::string_view)>& sign) {
  return sign_checkpoint(checkpoint, {{{checkpoint.origin, KeyType::ed25519, public_key}, sign}});
}

std::string cosignature_line(std::string_view checkpoint_text, const Signer& witness, std::uint64_t time_s) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u64(time_s);
  out.raw(witness.sign(cosigned_text(checkpoint_text, time_s)));
  return signature_line(witness.verifier, bytes);
}

Result<SignedCheckpoint> read_checkpoint(std::string_view note) {
  if (note.size() > kMaxNote) return fail("checkpoint: is longer than a signed note may be");
  const std::size_t split = note.find("\n\n");
  if (split == std::string_view::npos || note.back() != '\n' || !plain_text(note)) return fail("checkpoint: is not a signed note");
  SignedCheckpoint read;
  read.text = note.substr(0, split + 1);

  std::string_view signatures = note.substr(split + 2);
  while (!signatures.empty()) {
    std::string_view line = take_line(signatures);
    const auto malformed = [] { return fail("checkpoint: a signature line is malformed"); };
    if (!line.starts_with(kDash) || read.lines.size() == kMaxLines) return malformed();
    line.remove_prefix(kDash.size());
    const std::size_t space = line.rfind(' ');
    SignedCheckpoint::Line entry;
    if (space == std::string_view::npos || !good_name(line.substr(0, space)) || !from_base64(line.substr(space + 1), entry.signature) ||
        entry.signature.size() <= kIdSize)
      return malformed();
    entry.name = line.substr(0, space);
    read.lines.push_back(std::move(entry));
  }
  if (read.lines.empty()) return fail("checkpoint: carries no signature");

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

Result<std::optional<std::uint64_t>> find_signature(const SignedCheckpoint& note, const Verifier& key) {
  const KeyId id = key_id(key);
  std::optional<std::uint64_t> time;
  for (const SignedCheckpoint::Line& line : note.lines) {
    if (line.name != key.name || !std::equal(id.begin(), id.end(), line.signature.begin())) continue;
    const auto false_one = [&] { return fail("checkpoint: the signature of " + key.name + " is false"); };
    ByteReader in(ByteView(line.signature).subspan(kIdSize));
    std::uint64_t at = 0;
    std::string text = note.text;
    if (key.type == KeyType::cosigner) {
      at = in.u64();
      // tlog-cosignature: at most 2^63-1; tlog-witness: never 0.
      if (!in.ok() || at == 0 || at > static_cast<std::uint64_t>(INT64_MAX)) return false_one();
      text = cosigned_text(note.text, at);
    }
    if (!verifies(key.key, text, in.view(in.left()))) return false_one();
    time = std::max(time.value_or(0), at);
  }
  return time;
}

Result<std::uint64_t> signed_by(const SignedCheckpoint& note, const Verifier& key) {
  const Result<std::optional<std::uint64_t>> found = find_signature(note, key);
  if (!found) return fail(found.what());
  if (!*found) return fail("checkpoint: carries no signature of " + key.name);
  return **found;
}

Result<Checkpoint> open_checkpoint(std::string_view note, std::string_view vkey) {
  const Result<Verifier> verifier = parse_verifier(vkey);
  if (!verifier) return fail(verifier.what());
  const Result<SignedCheckpoint> read = read_checkpoint(note);
  if (!read) return fail(read.what());
  if (const Result<std::uint64_t> good = signed_by(*read, *verifier); !good) return fail(good.what());
  return read->checkpoint;
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
