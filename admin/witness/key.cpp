// SPDX-License-Identifier: Apache-2.0
#include "admin/witness/key.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace postern::witness {
namespace {

constexpr std::string_view kOpening = "PRIVATE+KEY+";
constexpr std::size_t kMaxFile = 1024;

// NAME+HASH+ of NAME+HASH+BASE64; a '+' may stand in the base64 too.
std::string_view named_part(std::string_view text) {
  const std::size_t first = text.find('+');
  const std::size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  return second == std::string_view::npos ? std::string_view() : text.substr(0, second + 1);
}

}  // namespace

Key::Key(std::string name, const Secret& seed) : verifier_{std::move(name), KeyType::cosigner, {}}, secret_(crypto_sign_SECRETKEYBYTES) {
  crypto_sign_seed_keypair(verifier_.key.data(), secret_.writable().data(), seed.bytes().data());
}

Signer Key::signer() const {
  return {verifier_, [this](std::string_view text) {
            Signature signature{};
            crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char*>(text.data()), text.size(), secret_.bytes().data());
            return signature;
          }};
}

Result<Key> Key::make(const std::string& path, const std::string& name) {
  const Secret seed = Secret::random(crypto_sign_SEEDBYTES);
  Key key(name, seed);
  const std::string vkey = verifier_key(key.verifier_);
  if (const Result<Verifier> good = parse_verifier(vkey); !good) return fail("a witness cannot be called '" + name + "': no space, '+' or control character");

  Secret material(1 + seed.size());
  material.writable()[0] = static_cast<std::uint8_t>(KeyType::cosigner);
  std::copy(seed.bytes().begin(), seed.bytes().end(), material.writable().begin() + 1);
  const std::string opening = std::string(kOpening) + std::string(named_part(vkey));
  Secret base64(sodium_base64_encoded_len(material.size(), sodium_base64_VARIANT_ORIGINAL));
  sodium_bin2base64(reinterpret_cast<char*>(base64.writable().data()), base64.size(), material.bytes().data(), material.size(), sodium_base64_VARIANT_ORIGINAL);
  base64.writable()[base64.size() - 1] = '\n';   // in place of the NUL

  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(path + ": " + std::strerror(errno) + "; a key is never written over another file");
  const bool good = write(fd, opening.data(), opening.size()) == static_cast<ssize_t>(opening.size()) &&
                    write(fd, base64.bytes().data(), base64.size()) == static_cast<ssize_t>(base64.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!good) return fail(path + ": " + std::strerror(error));
  return key;
}

Result<Key> Key::read(const std::string& path) {
  const Result<Secret> content = read_secret_file(path.c_str(), kMaxFile);
  if (!content) return fail(content.what());
  Result<Key> key = parse(*content);
  if (!key) return fail(path + ": " + key.what());
  return key;
}

Result<Key> Key::parse(const Secret& line) {
  const auto refused = [] { return fail("is no key of a witness; make one with 'postern-witness keygen FILE NAME'"); };
  std::string_view text = line.text();
  if (!text.starts_with(kOpening)) return refused();
  text.remove_prefix(kOpening.size());
  const std::string_view named = named_part(text);
  if (named.empty()) return refused();
  Secret material(1 + crypto_sign_SEEDBYTES);
  std::size_t length = 0;
  const char* end = nullptr;
  const std::string_view base64 = text.substr(named.size());
  // libsodium 1.0.18 reads any byte above 127 as '/'.
  if (std::ranges::any_of(base64, [](char c) { return static_cast<unsigned char>(c) > 127; })) return refused();
  if (sodium_base642bin(material.writable().data(), material.size(), base64.data(), base64.size(), nullptr, &length, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      length != material.size() || end != base64.data() + base64.size() || material.bytes()[0] != static_cast<std::uint8_t>(KeyType::cosigner))
    return refused();
  Key key(std::string(text.substr(0, text.find('+'))), Secret(material.bytes().subspan(1)));
  // The hash of the public key finds a key that was damaged or put together by hand.
  const std::string vkey = verifier_key(key.verifier_);
  if (!parse_verifier(vkey) || named_part(vkey) != named) return refused();
  return key;
}

}  // namespace postern::witness
