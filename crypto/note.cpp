// SPDX-License-Identifier: Apache-2.0
#include "crypto/note.hpp"

#include <sodium.h>

#include <algorithm>
#include <charconv>

namespace postern {
namespace {

constexpr std::uint8_t kEd25519 = 0x01;
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // em dash and a space open a signature line

std::array<std::uint8_t, 4> key_hash(std::string_view name, const std::array<std::uint8_t, 32>& public_key) {
  Bytes text;
  ByteWriter out(text);
  out.raw(name);
  out.raw(std::string_view("\n"));
  out.u8(kEd25519);
  out.raw(public_key);
  const Hash hash = sha256(text);
  std::array<std::uint8_t, 4> first{};
  std::copy_n(hash.begin(), first.size(), first.begin());
  return first;
}

struct Verifier {
  std::string name;
  std::array<std::uint8_t, 32> key{};
};

Result<Verifier> parse_verifier(std::string_view text) {
  const auto refused = [] { return fail("verifier key: must look like NAME+HASH+BASE64"); };
  const std::size_t first = text.find('+');
  const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return refused();
  Verifier verifier;
  verifier.name = text.substr(0, first);
  if (verifier.name.empty() || verifier.name.find(' ') != std::string::npos) return refused();
  Bytes hash, key;
  if (!from_hex(text.substr(first + 1, second - first - 1), hash) || !from_base64(text.substr(second + 1), key) ||
      key.size() != 33 || key[0] != kEd25519)
    return refused();
  std::copy(key.begin() + 1, key.end(), verifier.key.begin());
  const auto expected = key_hash(verifier.name, verifier.key);
  if (!std::ranges::equal(hash, expected)) return fail("verifier key: its hash does not belong to its key");
  return verifier;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

std::string verifier_key(std::string_view name, const std::array<std::uint8_t, 32>& public_key) {
  Bytes key{kEd25519};
  key.insert(key.end(), public_key.begin(), public_key.end());
  return std::string(name) + "+" + to_hex(key_hash(name, public_key)) + "+" + to_base64(key);
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const std::array<std::uint8_t, 32>& public_key,
                            const std::function<std::array<std::uint8_t, 64>(std::string_view)>& sign) {
  const std::string text = checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" + to_base64(checkpoint.root) + "\n";
  Bytes signature;
  ByteWriter out(signature);
  out.raw(key_hash(checkpoint.origin, public_key));
  out.raw(sign(text));
  return text + "\n" + std::string(kDash) + checkpoint.origin + " " + to_base64(signature) + "\n";
}

Result<Checkpoint> open_checkpoint(std::string_view text, std::string_view vkey) {
  const Result<Verifier> verifier = parse_verifier(vkey);
  if (!verifier) return fail(verifier.what());
  const std::size_t split = text.find("\n\n");
  if (split == std::string_view::npos || text.size() > 64 * 1024 || text.back() != '\n') return fail("checkpoint: is not a signed note");
  const std::string_view body = text.substr(0, split + 1);
  std::string_view signatures = text.substr(split + 2);

  bool good = false;
  while (!signatures.empty()) {
    std::string_view line = take_line(signatures);
    if (!line.starts_with(kDash)) return fail("checkpoint: a signature line is malformed");
    line.remove_prefix(kDash.size());
    const std::size_t space = line.rfind(' ');
    Bytes signature;
    if (space == std::string_view::npos || !from_base64(line.substr(space + 1), signature)) return fail("checkpoint: a signature line is malformed");
    if (line.substr(0, space) != verifier->name || signature.size() != 4 + 64) continue;
    const auto hash = key_hash(verifier->name, verifier->key);
    if (!std::equal(hash.begin(), hash.end(), signature.begin())) continue;
    if (crypto_sign_verify_detached(signature.data() + 4, reinterpret_cast<const unsigned char*>(body.data()), body.size(),
                                    verifier->key.data()) != 0)
      return fail("checkpoint: the signature is false");
    good = true;
  }
  if (!good) return fail("checkpoint: carries no signature of " + verifier->name);

  std::string_view rest = body;
  Checkpoint checkpoint;
  checkpoint.origin = take_line(rest);
  const std::string_view size = take_line(rest);
  const std::string_view root = take_line(rest);
  Bytes hash;
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  const bool plain = error == std::errc{} && end == size.data() + size.size() && (size == "0" || size.front() != '0');
  if (checkpoint.origin.empty() || !plain || !from_base64(root, hash) || hash.size() != checkpoint.root.size() || !rest.empty())
    return fail("checkpoint: its three lines are not origin, size and root");
  std::ranges::copy(hash, checkpoint.root.begin());
  return checkpoint;
}

}  // namespace postern
