// SPDX-License-Identifier: Apache-2.0
#include "crypto/keyring.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace postern {
namespace {

constexpr std::string_view kMagic = "PSTRNKR1";
constexpr std::size_t kMaxFile = 64 * 1024, kMaxSlots = 16, kSaltSize = 16;
constexpr std::size_t kNonceSize = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagSize = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kMinPassphrase = 12, kMinKeyFile = 32;
// A file from elsewhere must not be able to make an unlock take all memory or all day.
constexpr std::uint64_t kMaxArgonMemory = 4ULL * 1024 * 1024 * 1024, kMaxArgonPasses = 64;

Bytes sealed(std::span<const std::uint8_t> key, std::span<const std::uint8_t> plain, ByteView bound) {
  Bytes out(kNonceSize + plain.size() + kTagSize);
  randombytes_buf(out.data(), kNonceSize);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kNonceSize, nullptr, plain.data(), plain.size(), bound.data(),
                                             bound.size(), nullptr, out.data(), key.data());
  return out;
}

bool opened(std::span<const std::uint8_t> key, ByteView cipher, ByteView bound, std::span<std::uint8_t> plain) {
  return cipher.size() == kNonceSize + plain.size() + kTagSize &&
         crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, cipher.data() + kNonceSize,
                                                    cipher.size() - kNonceSize, bound.data(), bound.size(), cipher.data(),
                                                    key.data()) == 0;
}

// The key-encryption key of a slot from its header and what unlocks it.
Result<Secret> wrapping_key(SlotKind kind, ByteView salt, Argon2Cost cost, const Secret& secret) {
  Secret key(kKeySize);
  if (kind == SlotKind::passphrase) {
    if (cost.memory_bytes > kMaxArgonMemory || cost.passes > kMaxArgonPasses || cost.passes == 0)
      return fail("keyring: a slot asks for an absurd Argon2id cost; the file is damaged or not ours");
    if (crypto_pwhash(key.writable().data(), kKeySize, secret.text().data(), secret.size(), salt.data(), cost.passes,
                      static_cast<std::size_t>(cost.memory_bytes), crypto_pwhash_ALG_ARGON2ID13) != 0)
      return fail("keyring: not enough memory for Argon2id (" + std::to_string(cost.memory_bytes >> 20) + " MiB); free some and try again");
    return key;
  }
  // A key file is random already: one keyed hash binds it to this slot's salt.
  crypto_generichash(key.writable().data(), kKeySize, secret.bytes().data(), secret.size(), salt.data(), salt.size());
  return key;
}

Secret payload_key(const Secret& master) {
  Secret key(kKeySize);
  crypto_kdf_derive_from_key(key.writable().data(), kKeySize, 1, "pstrnkr1", master.bytes().data());
  return key;
}

Result<Bytes> read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail("keyring " + path + ": " + std::strerror(errno) + "; run 'postern init' first, or restore the file");
  Bytes content(kMaxFile + 1);
  std::size_t size = 0;
  for (ssize_t got = 1; got > 0 && size < content.size();) {
    got = read(fd, content.data() + size, content.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
  }
  close(fd);
  if (size > kMaxFile) return fail("keyring " + path + ": is too large to be a keyring");
  content.resize(size);
  return content;
}

std::unexpected<Error> damaged(const std::string& path) {
  return fail("keyring " + path + ": is damaged; restore it from its backup");
}

}  // namespace

Keyring Keyring::create(std::int64_t now_ms) {
  Keyring ring;
  ring.master_ = Secret::random(kKeySize);
  ring.log_seed_ = Secret::random(kKeySize);
  ring.created_ms_ = now_ms;
  return ring;
}

Result<std::vector<Keyring::Slot>> Keyring::read_slots(ByteReader& in) {
  std::vector<Slot> slots;
  const std::string_view magic = as_text(in.view(kMagic.size()));
  if (magic != kMagic)
    return fail(magic.starts_with(kMagic.substr(0, kMagic.size() - 1)) ? "was written by another version of Postern; install that version"
                                                                       : "is not a keyring");
  const std::uint8_t count = in.u8();
  for (std::uint8_t i = 0; i < count && in.ok(); ++i) {
    Slot slot;
    const ByteView header = in.view16(256), wrapped = in.view16(256);
    slot.header.assign(header.begin(), header.end());
    slot.wrapped.assign(wrapped.begin(), wrapped.end());
    ByteReader fields(header);
    const std::uint8_t kind = fields.u8();
    slot.info.name = fields.text8();
    slot.info.created_ms = fields.i64();
    fields.view(kSaltSize);
    fields.u64();
    fields.u64();
    if (!fields.finish() || (kind != 1 && kind != 2)) return fail("is damaged; restore it from its backup");
    slot.info.kind = static_cast<SlotKind>(kind);
    slots.push_back(std::move(slot));
  }
  if (!in.ok() || count > kMaxSlots) return fail("is damaged; restore it from its backup");
  return slots;
}

Result<std::vector<SlotInfo>> Keyring::slots(const std::string& path) {
  const Result<Bytes> content = read_file(path);
  if (!content) return fail(content.what());
  ByteReader in(*content);
  const Result<std::vector<Slot>> slots = read_slots(in);
  if (!slots) return fail("keyring " + path + ": " + slots.what());
  std::vector<SlotInfo> infos;
  for (const Slot& slot : *slots) infos.push_back(slot.info);
  return infos;
}

Result<Keyring> Keyring::unlock(const std::string& path, SlotKind kind, const Secret& secret) {
  const Result<Bytes> content = read_file(path);
  if (!content) return fail(content.what());
  ByteReader in(*content);
  Result<std::vector<Slot>> slots = read_slots(in);
  if (!slots) return fail("keyring " + path + ": " + slots.what());
  const std::size_t slots_end = content->size() - in.left();
  const ByteView payload = in.view32(4096);
  if (!in.finish()) return damaged(path);

  bool tried = false;
  for (const Slot& slot : *slots) {
    if (slot.info.kind != kind) continue;
    tried = true;
    if (secret.empty()) continue;
    ByteReader fields(slot.header);
    fields.u8();
    fields.view8();
    fields.i64();
    const ByteView salt = fields.view(kSaltSize);
    const std::uint64_t passes = fields.u64(), memory = fields.u64();
    const Result<Secret> wrapping = wrapping_key(kind, salt, {passes, memory}, secret);
    if (!wrapping) return fail(wrapping.what());
    Keyring ring;
    ring.master_ = Secret(kKeySize);
    if (!opened(wrapping->bytes(), slot.wrapped, slot.header, ring.master_.writable())) continue;

    // The payload is bound to all slots before it: none can be added, changed or removed outside.
    Secret plain(8 + kKeySize);
    if (!opened(payload_key(ring.master_).bytes(), payload, ByteView(*content).first(slots_end), plain.writable())) return damaged(path);
    ByteReader inner(plain.bytes());
    ring.created_ms_ = inner.i64();
    ring.log_seed_ = Secret(inner.view(kKeySize));
    ring.slots_ = std::move(*slots);
    return ring;
  }
  if (!tried) return fail(std::string("keyring: has no ") + (kind == SlotKind::passphrase ? "passphrase" : "key file") + " slot; unlock it another way");
  return fail(kind == SlotKind::passphrase ? "wrong passphrase" : "wrong key file");
}

Status Keyring::add_slot(SlotKind kind, const std::string& name, const Secret& secret, std::int64_t now_ms, Argon2Cost cost) {
  if (name.empty() || name.size() > 64) return fail("slot name: must have 1 to 64 characters");
  for (const Slot& slot : slots_)
    if (slot.info.name == name) return fail("slot name '" + name + "' is taken; choose another");
  if (slots_.size() >= kMaxSlots) return fail("the keyring has 16 slots, which is all it can hold; remove one first");
  if (kind == SlotKind::passphrase && secret.size() < kMinPassphrase) return fail("the passphrase must have at least 12 characters");
  if (kind == SlotKind::key_file && secret.size() < kMinKeyFile) return fail("the key file must hold at least 32 random bytes");

  Slot slot{{kind, name, now_ms}, {}, {}};
  std::array<std::uint8_t, kSaltSize> salt{};
  randombytes_buf(salt.data(), salt.size());
  if (kind == SlotKind::key_file) cost = {0, 0};
  ByteWriter header(slot.header);
  header.u8(static_cast<std::uint8_t>(kind));
  header.text8(name);
  header.i64(now_ms);
  header.raw(salt);
  header.u64(cost.passes);
  header.u64(cost.memory_bytes);
  const Result<Secret> wrapping = wrapping_key(kind, salt, cost, secret);
  if (!wrapping) return fail(wrapping.what());
  slot.wrapped = sealed(wrapping->bytes(), master_.bytes(), slot.header);
  slots_.push_back(std::move(slot));
  return {};
}

Status Keyring::save(const std::string& path, Replace replace) const {
  if (slots_.empty()) return fail("keyring: without a slot nobody could ever open it");
  Bytes out;
  ByteWriter file(out);
  file.raw(kMagic);
  file.u8(static_cast<std::uint8_t>(slots_.size()));
  for (const Slot& slot : slots_) {
    file.view16(slot.header);
    file.view16(slot.wrapped);
  }
  Secret plain(8 + kKeySize);
  Bytes created;
  ByteWriter(created).i64(created_ms_);
  std::memcpy(plain.writable().data(), created.data(), created.size());
  std::memcpy(plain.writable().data() + created.size(), log_seed_.bytes().data(), kKeySize);
  file.view32(sealed(payload_key(master_).bytes(), plain.bytes(), out));

  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail("keyring " + fresh + ": " + std::strerror(errno));
  const bool written = write(fd, out.data(), out.size()) == static_cast<ssize_t>(out.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!written) return fail("keyring " + fresh + ": could not be written: " + std::strerror(error));
  // Atomic both ways: an init can never overwrite keys, a change can never invent a keyring.
  const unsigned how = replace == Replace::no ? RENAME_NOREPLACE : RENAME_EXCHANGE;
  if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), how) != 0) {
    const int why = errno;
    unlink(fresh.c_str());
    if (why == EEXIST) return fail("keyring " + path + ": exists already; it will not be overwritten");
    return fail("keyring " + path + ": " + std::strerror(why));
  }
  if (replace == Replace::yes) unlink(fresh.c_str());
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int dir = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = dir >= 0 && fsync(dir) == 0;
  if (dir >= 0) close(dir);
  return synced ? Status() : fail("keyring " + path + ": its folder could not be synced");
}

}  // namespace postern
