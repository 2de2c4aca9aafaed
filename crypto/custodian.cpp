// SPDX-License-Identifier: Apache-2.0
#include "crypto/custodian.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "crypto/keyring_io.hpp"

namespace postern {
namespace {

constexpr std::string_view kMagic = "PSTRNCU1", kPrefix = "postern-custodian-";
constexpr std::size_t kMaxFile = 4096, kMinPassphrase = 12, kMaxPublic = 64;

struct Parsed {
  CustodianPublic open;
  Bytes salt, bound, wrapped;
  PassphraseCost cost;
};

Bytes copy(ByteView view) { return {view.begin(), view.end()}; }

Result<Parsed> read_file(const std::string& path) {
  const auto refused = [&](const std::string& why) { return fail("custodian file " + path + ": " + why); };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return refused(std::strerror(errno));
  Bytes content(kMaxFile + 1);
  const ssize_t got = read(fd, content.data(), content.size());
  close(fd);
  if (got < 0 || static_cast<std::size_t>(got) > kMaxFile) return refused("cannot be read as a custodian's file");
  content.resize(static_cast<std::size_t>(got));
  ByteReader in(content);
  if (as_text(in.view(kMagic.size())) != kMagic) return refused("is no custodian's file of this version");
  Parsed parsed;
  const std::optional<Profile> profile = profile_of(in.u8());
  in.i64();
  parsed.salt = copy(in.view(Suite::kSaltSize));
  parsed.cost.passes = in.u64();
  parsed.cost.memory_bytes = in.u64();
  parsed.open.public_key = copy(in.view8());
  parsed.bound = copy(ByteView(content).first(content.size() - in.left()));
  parsed.wrapped = copy(in.view8());
  if (!in.finish() || !profile || parsed.open.public_key.size() > kMaxPublic) return refused("is damaged; take it from its copy");
  parsed.open.profile = *profile;
  return parsed;
}

}  // namespace

Result<CustodianPublic> make_custodian(const std::string& path, Profile profile, const Secret& passphrase, std::int64_t now_ms, PassphraseCost cost) {
  if (passphrase.size() < kMinPassphrase) return fail("the passphrase must have at least 12 characters");
  const Suite& suite = Suite::of(profile);
  if (cost.passes == 0) cost = suite.standard_cost();
  const Suite::BoxKey key = suite.new_box_key();
  Bytes salt(Suite::kSaltSize), file;
  suite.random(salt);
  ByteWriter out(file);
  out.raw(kMagic);
  out.u8(static_cast<std::uint8_t>(profile));
  out.i64(now_ms);
  out.raw(salt);
  out.u64(cost.passes);
  out.u64(cost.memory_bytes);
  out.view8(key.public_key);
  const Result<Secret> wrapping = suite.passphrase_key(passphrase, salt, cost);
  if (!wrapping) return fail("custodian file " + path + ": " + wrapping.what());
  const Bytes wrapped = suite.wrap(wrapping->bytes(), file, key.secret.bytes());
  out.view8(wrapped);
  if (const Status put = put_file(path, file, /*replace=*/false); !put) return fail("custodian file " + put.what());
  return CustodianPublic{profile, key.public_key};
}

Result<CustodianKey> open_custodian(const std::string& path, const Secret& passphrase) {
  const Result<Parsed> file = read_file(path);
  if (!file) return fail(file.what());
  const Suite& suite = Suite::of(file->open.profile);
  const Result<Secret> wrapping = suite.passphrase_key(passphrase, file->salt, file->cost);
  if (!wrapping) return fail("custodian file " + path + ": " + wrapping.what());
  CustodianKey key{file->open.profile, {Secret(kKeySize), file->open.public_key}};
  if (!suite.unwrap(wrapping->bytes(), file->bound, file->wrapped, key.key.secret.writable()))
    return fail("custodian file " + path + ": wrong passphrase, or the file is damaged");
  return key;
}

Result<CustodianPublic> read_custodian(const std::string& path) {
  Result<Parsed> file = read_file(path);
  if (!file) return fail(file.what());
  return std::move(file->open);
}

std::string custodian_text(const CustodianPublic& key) {
  return std::string(kPrefix) + std::string(name_of(key.profile)) + ":" + to_base64(key.public_key);
}

Result<CustodianPublic> parse_custodian(std::string_view text) {
  const auto refused = [] { return fail("a custodian's public key looks like postern-custodian-modern:BASE64; 'postern keys custodian new FILE' prints it"); };
  if (!text.starts_with(kPrefix)) return refused();
  text.remove_prefix(kPrefix.size());
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return refused();
  const std::optional<Profile> profile = profile_of(text.substr(0, colon));
  CustodianPublic key;
  if (!profile || !from_base64(text.substr(colon + 1), key.public_key) || key.public_key.empty() || key.public_key.size() > kMaxPublic) return refused();
  key.profile = *profile;
  // The suite says whether the bytes are a key at all, before anybody relies on it.
  if (const Result<Bytes> tried = Suite::of(*profile).box(key.public_key, {}); !tried) return fail("the custodian's public key " + tried.what());
  return key;
}

}  // namespace postern
