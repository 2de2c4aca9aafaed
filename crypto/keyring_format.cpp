// SPDX-License-Identifier: Apache-2.0
#include "crypto/keyring_format.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace postern {
namespace {

constexpr std::string_view kMagic = "PSTRNKR1";
constexpr std::size_t kMaxFile = 256 * 1024, kMaxHeader = 8 * 1024, kMaxPayload = 64 * 1024, kMaxEncrypted = 1024;
constexpr std::size_t kWrappedSize = Suite::kNonceSize + kKeySize + Suite::kTagSize;

Bytes copy(ByteView view) { return {view.begin(), view.end()}; }


template <class Items, class Name>
bool unique(const Items& items, const Name& name_of_item) {
  for (std::size_t i = 0; i < items.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (name_of_item(items[i]) == name_of_item(items[j])) return false;
  return true;
}

std::optional<SlotInfo> decode_slot(ByteView header) {
  ByteReader in(header);
  SlotInfo slot;
  const std::uint8_t kind = in.u8();
  if (kind < 1 || kind > 4) return std::nullopt;
  slot.kind = static_cast<SlotKind>(kind);
  slot.name = in.text8();
  slot.created_ms = in.i64();
  slot.salt = copy(in.view(Suite::kSaltSize));
  bool good = is_key_name(slot.name);
  switch (slot.kind) {
    case SlotKind::passphrase:
      slot.cost.passes = in.u64();
      slot.cost.memory_bytes = in.u64();
      break;
    case SlotKind::key_file: break;
    case SlotKind::token:
      slot.token.mechanism = in.u8();
      slot.token.token = in.text8();
      slot.token.serial = in.text8();
      slot.token.key = in.text8();
      slot.token.encrypted = copy(in.view16(kMaxEncrypted));
      good = good && is_key_name(slot.token.token) && is_key_name(slot.token.serial) && is_key_name(slot.token.key) && !slot.token.encrypted.empty();
      break;
    case SlotKind::quorum: {
      slot.needed = in.u8();
      const std::uint8_t count = in.u8();
      good = good && slot.needed >= 2 && slot.needed <= count && count <= kMaxCustodians;
      for (std::uint8_t i = 0; good && in.ok() && i < count; ++i) {
        Custodian custodian;
        custodian.name = in.text8();
        custodian.public_key = copy(in.view8());
        custodian.check = copy(in.view(kShareCheckSize));
        custodian.share = copy(in.view8());
        good = is_key_name(custodian.name);
        slot.custodians.push_back(std::move(custodian));
      }
      good = good && unique(slot.custodians, [](const Custodian& c) { return c.name; });
      break;
    }
  }
  if (!in.finish() || !good) return std::nullopt;
  return slot;
}

std::optional<WayInfo> decode_way(ByteView header) {
  ByteReader in(header);
  WayInfo way;
  way.name = in.text8();
  const std::uint8_t count = in.u8();
  if (!is_key_name(way.name) || count == 0 || count > kMaxSlotsOfWay) return std::nullopt;
  for (std::uint8_t i = 0; i < count; ++i) way.slots.push_back(in.text8());
  if (!in.finish() || !unique(way.slots, [](const std::string& s) { return s; })) return std::nullopt;
  return way;
}

bool decode(ByteReader& in, KeyringFile& file) {
  const std::optional<Profile> profile = profile_of(in.u8());
  const std::uint8_t slots = in.u8();
  if (!profile || slots > kMaxSlots) return false;
  file.profile = *profile;
  for (std::uint8_t i = 0; i < slots; ++i) {
    const ByteView header = in.view16(kMaxHeader);
    std::optional<SlotInfo> info = decode_slot(header);
    if (!info || file.slot(info->name) != nullptr) return false;
    file.slots.push_back({std::move(*info), copy(header)});
  }
  const std::uint8_t ways = in.u8();
  if (!in.ok() || ways > kMaxWays) return false;
  for (std::uint8_t i = 0; i < ways; ++i) {
    const ByteView header = in.view16(kMaxHeader), wrapped = in.view16(kWrappedSize);
    std::optional<WayInfo> info = decode_way(header);
    if (!info || wrapped.size() != kWrappedSize || file.way(info->name) != nullptr) return false;
    for (const std::string& slot : info->slots)
      if (file.slot(slot) == nullptr) return false;
    file.ways.push_back({std::move(*info), copy(header), copy(wrapped)});
  }
  return in.ok();
}

Result<Bytes> read_whole(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail(std::string(std::strerror(errno)) + "; run 'postern init' first, or restore the file");
  struct stat facts {};
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size > static_cast<off_t>(kMaxFile)) {
    close(fd);
    return fail("is not a plain file, or too large to be a keyring");
  }
  Bytes content(static_cast<std::size_t>(facts.st_size) + 1);
  std::size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < content.size()) {
    got = read(fd, content.data() + size, content.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
    if (got < 0 && errno == EINTR) got = 1;
  }
  const int error = errno;
  close(fd);
  if (got < 0) return fail(std::string("could not be read: ") + std::strerror(error));
  if (size == content.size()) return fail("changed while it was read");
  content.resize(size);
  return content;
}

}  // namespace

bool is_key_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::string_view name_of(SlotKind kind) {
  switch (kind) {
    case SlotKind::passphrase: return "passphrase";
    case SlotKind::key_file: return "key file";
    case SlotKind::token: return "token";
    case SlotKind::quorum: return "quorum";
  }
  return "?";
}

const KeyringFile::Slot* KeyringFile::slot(std::string_view name) const {
  const auto found = std::ranges::find_if(slots, [&](const Slot& s) { return s.info.name == name; });
  return found == slots.end() ? nullptr : &*found;
}

const KeyringFile::Way* KeyringFile::way(std::string_view name) const {
  const auto found = std::ranges::find_if(ways, [&](const Way& w) { return w.info.name == name; });
  return found == ways.end() ? nullptr : &*found;
}

Result<KeyringFile> read_keyring(const std::string& path) {
  const auto refused = [&](const std::string& why) { return fail("keyring " + path + ": " + why); };
  const Result<Bytes> content = read_whole(path);
  if (!content) return refused(content.what());
  ByteReader in(*content);
  const std::string_view magic = as_text(in.view(kMagic.size()));
  if (magic != kMagic)
    return refused(magic.starts_with(kMagic.substr(0, kMagic.size() - 1)) ? "was written by another version of Postern; install that version"
                                                                          : "is not a keyring");
  KeyringFile file;
  file.path = path;
  const bool front = decode(in, file);
  file.bound = copy(ByteView(*content).first(content->size() - in.left()));
  const ByteView payload = in.view32(kMaxPayload);
  if (!front || !in.finish()) return refused("is damaged; restore it from its backup");
  file.payload = copy(payload);
  return file;
}

Bytes encode(const SlotInfo& slot) {
  Bytes header;
  ByteWriter out(header);
  out.u8(static_cast<std::uint8_t>(slot.kind));
  out.text8(slot.name);
  out.i64(slot.created_ms);
  out.raw(slot.salt);
  switch (slot.kind) {
    case SlotKind::passphrase:
      out.u64(slot.cost.passes);
      out.u64(slot.cost.memory_bytes);
      break;
    case SlotKind::key_file: break;
    case SlotKind::token:
      out.u8(slot.token.mechanism);
      out.text8(slot.token.token);
      out.text8(slot.token.serial);
      out.text8(slot.token.key);
      out.view16(slot.token.encrypted);
      break;
    case SlotKind::quorum:
      out.u8(slot.needed);
      out.u8(static_cast<std::uint8_t>(slot.custodians.size()));
      for (const Custodian& custodian : slot.custodians) {
        out.text8(custodian.name);
        out.view8(custodian.public_key);
        out.raw(custodian.check);
        out.view8(custodian.share);
      }
      break;
  }
  return header;
}

Bytes encode(const WayInfo& way) {
  Bytes header;
  ByteWriter out(header);
  out.text8(way.name);
  out.u8(static_cast<std::uint8_t>(way.slots.size()));
  for (const std::string& slot : way.slots) out.text8(slot);
  return header;
}

Bytes encode_front(Profile profile, const std::vector<KeyringFile::Slot>& slots, const std::vector<KeyringFile::Way>& ways) {
  Bytes front;
  ByteWriter out(front);
  out.raw(kMagic);
  out.u8(static_cast<std::uint8_t>(profile));
  out.u8(static_cast<std::uint8_t>(slots.size()));
  for (const KeyringFile::Slot& slot : slots) out.view16(slot.header);
  out.u8(static_cast<std::uint8_t>(ways.size()));
  for (const KeyringFile::Way& way : ways) {
    out.view16(way.header);
    out.view16(way.wrapped);
  }
  return front;
}

Bytes bound_of(Profile profile, const KeyringFile::Way& way, const std::vector<KeyringFile::Slot>& slots) {
  Bytes bound;
  ByteWriter out(bound);
  out.raw(kMagic);
  out.u8(static_cast<std::uint8_t>(profile));
  out.view16(way.header);
  for (const std::string& name : way.info.slots)
    for (const KeyringFile::Slot& slot : slots)
      if (slot.info.name == name) out.view16(slot.header);
  return bound;
}

}  // namespace postern
