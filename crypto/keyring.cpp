// SPDX-License-Identifier: Apache-2.0
#include "crypto/keyring.hpp"

#include <algorithm>
#include <cstdlib>

#include "crypto/keyring_io.hpp"
#include "crypto/shamir.hpp"
#include "crypto/unlocking.hpp"

namespace postern {
namespace {

constexpr std::size_t kMinPassphrase = 12, kMinKeyFile = 32, kMaxVersions = 64;

Secret payload_key(Profile profile, const Secret& master) { return Suite::of(profile).derive(master, "pstrnkr1", 1, kKeySize); }

// Writes into locked memory only; what does not fit is a bug of ours.
class SecretWriter {
 public:
  explicit SecretWriter(std::size_t room) : secret_(room) {}
  void raw(ByteView bytes) {
    if (bytes.size() > secret_.size() - size_) std::abort();
    std::ranges::copy(bytes, secret_.writable().begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += bytes.size();
  }
  void number(std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
      const auto byte = static_cast<std::uint8_t>(value >> shift);
      raw({&byte, 1});
    }
  }
  Secret take() {
    if (size_ != secret_.size()) std::abort();
    return std::move(secret_);
  }

 private:
  Secret secret_;
  std::size_t size_ = 0;
};

}  // namespace

// ---- the pieces ----

Result<Secret> slot_secret(Profile profile, const SlotInfo& slot, const Secret& given) {
  const Suite& suite = Suite::of(profile);
  if (slot.kind == SlotKind::passphrase) {
    Result<Secret> key = suite.passphrase_key(given, slot.salt, slot.cost);
    if (!key) return fail("keyring: slot '" + slot.name + "' " + key.what());
    return key;
  }
  // A key file is random already: one keyed hash binds it to this slot's salt.
  Mac hash = suite.mac(slot.salt, given.bytes());
  Secret key{std::span<const std::uint8_t>(hash)};
  wipe(hash.data(), hash.size());
  return key;
}

Secret way_key(Profile profile, const std::vector<const Secret*>& secrets) {
  SecretWriter all(secrets.size() * kKeySize);
  for (const Secret* secret : secrets) all.raw(secret->bytes());
  Mac hash = Suite::of(profile).mac(as_bytes("postern keyring way"), all.take().bytes());
  Secret key{std::span<const std::uint8_t>(hash)};
  wipe(hash.data(), hash.size());
  return key;
}

Bytes share_check(Profile profile, const SlotInfo& slot, std::uint8_t number, const Secret& share) {
  // The share is the key: who has it can make its check, who has the check learns nothing of 256 random bits.
  Bytes text;
  ByteWriter out(text);
  out.raw("postern share");
  out.raw(slot.salt);
  out.u8(number);
  const Mac check = Suite::of(profile).mac(share.bytes(), text);
  return {check.begin(), check.begin() + kShareCheckSize};
}

KeyCheck key_check(Profile profile, Purpose purpose, std::uint16_t version, const Secret& key) {
  Bytes text;
  ByteWriter out(text);
  out.raw("postern key check");
  out.u8(static_cast<std::uint8_t>(purpose));
  out.u16(version);
  const Mac mac = Suite::of(profile).mac(key.bytes(), text);
  KeyCheck check{};
  std::copy_n(mac.begin(), check.size(), check.begin());
  return check;
}

// ---- making and opening ----

KeyVersion Keyring::new_version(Purpose purpose, std::uint16_t number, std::int64_t now_ms) const {
  KeyVersion version{number, now_ms, suite().random_secret(), {}};
  version.check = key_check(profile_, purpose, number, version.key);
  return version;
}

Keyring Keyring::create(std::int64_t now_ms, Profile profile) {
  Keyring ring;
  ring.profile_ = profile;
  ring.master_ = ring.suite().random_secret();
  ring.log_secret_ = ring.suite().new_signing_key();
  ring.created_ms_ = ring.master_created_ms_ = now_ms;
  for (const Purpose purpose : kPurposes) ring.keys_[purpose].push_back(ring.new_version(purpose, 1, now_ms));
  return ring;
}

Result<std::vector<SlotInfo>> Keyring::slots(const std::string& path) {
  const Result<KeyringFile> file = read_keyring(path);
  if (!file) return fail(file.what());
  std::vector<SlotInfo> infos;
  for (const KeyringFile::Slot& slot : file->slots) infos.push_back(slot.info);
  return infos;
}

Result<Keyring> Keyring::unlock(const std::string& path, SlotKind kind, const Secret& secret) {
  const Result<KeyringFile> file = read_keyring(path);
  if (!file) return fail(file.what());
  Unlocking unlocking;
  if (const Status taken = unlocking.offer(*file, kind, "", secret); !taken) return fail(taken.what());
  Result<Unlocking::Outcome> outcome = unlocking.open(*file);
  if (!outcome) return fail(outcome.what());
  if (!outcome->ring) return fail(outcome->needed);
  return std::move(*outcome->ring);
}

Result<Keyring> Keyring::open(const KeyringFile& file, Secret master) {
  // The payload is bound to all slots and ways before it: none can be added, changed or removed outside.
  const std::size_t over = Suite::kNonceSize + Suite::kTagSize;
  Keyring ring;
  ring.profile_ = file.profile;
  ring.master_ = std::move(master);
  Secret plain(file.payload.size() < over ? 0 : file.payload.size() - over);
  if (plain.empty() || !ring.suite().unwrap(payload_key(file.profile, ring.master_).bytes(), file.bound, file.payload, plain.writable()) ||
      !ring.decode_payload(plain, file.slots.size()))
    return fail("keyring " + file.path + ": is damaged; restore it from its backup");
  ring.slots_ = file.slots;
  ring.ways_ = file.ways;
  for (const auto& [purpose, versions] : ring.keys_)
    for (const KeyVersion& version : versions)
      if (key_check(ring.profile_, purpose, version.number, version.key) != version.check)
        return fail("keyring " + file.path + ": version " + std::to_string(version.number) + " of key '" + std::string(name_of(purpose)) +
                    "' does not match its check value; restore the file from its backup");
  return ring;
}

Keyring Keyring::clone() const {
  Keyring copy;
  copy.profile_ = profile_;
  copy.master_ = master_.clone();
  copy.log_secret_ = log_secret_.clone();
  copy.created_ms_ = created_ms_;
  copy.master_created_ms_ = master_created_ms_;
  copy.generation_ = generation_;
  copy.slots_ = slots_;
  for (const Secret& secret : slot_secrets_) copy.slot_secrets_.push_back(secret.clone());
  copy.ways_ = ways_;
  for (const auto& [purpose, versions] : keys_)
    for (const KeyVersion& v : versions) copy.keys_[purpose].push_back({v.number, v.created_ms, v.key.clone(), v.check});
  return copy;
}

// ---- payload: crypto/DESIGN.md, "Keyring file" ----

Secret Keyring::encode_payload() const {
  std::size_t size = 8 + 8 + 8 + 1 + log_secret_.size() + slot_secrets_.size() * kKeySize + 1;
  for (const auto& [purpose, versions] : keys_) size += 2 + versions.size() * (2 + 8 + kKeySize + KeyCheck().size());
  SecretWriter out(size);
  out.number(generation_, 8);
  out.number(static_cast<std::uint64_t>(created_ms_), 8);
  out.number(static_cast<std::uint64_t>(master_created_ms_), 8);
  out.number(log_secret_.size(), 1);
  out.raw(log_secret_.bytes());
  for (const Secret& secret : slot_secrets_) out.raw(secret.bytes());
  out.number(keys_.size(), 1);
  for (const auto& [purpose, versions] : keys_) {
    out.number(static_cast<std::uint8_t>(purpose), 1);
    out.number(versions.size(), 1);
    for (const KeyVersion& version : versions) {
      out.number(version.number, 2);
      out.number(static_cast<std::uint64_t>(version.created_ms), 8);
      out.raw(version.key.bytes());
      out.raw(version.check);
    }
  }
  return out.take();
}

bool Keyring::decode_payload(const Secret& plain, std::size_t slots) {
  ByteReader in(plain.bytes());
  generation_ = in.u64();
  created_ms_ = in.i64();
  master_created_ms_ = in.i64();
  log_secret_ = Secret(in.view8());
  for (std::size_t i = 0; i < slots; ++i) slot_secrets_.emplace_back(in.view(kKeySize));
  const std::uint8_t purposes = in.u8();
  if (!in.ok() || purposes != kPurposes.size() || !suite().is_signing_key(log_secret_)) return false;
  for (const Purpose purpose : kPurposes) {
    if (in.u8() != static_cast<std::uint8_t>(purpose)) return false;
    const std::uint8_t count = in.u8();
    std::vector<KeyVersion>& versions = keys_[purpose];
    for (std::uint8_t i = 0; i < count && in.ok(); ++i) {
      KeyVersion version;
      version.number = in.u16();
      version.created_ms = in.i64();
      version.key = Secret(in.view(kKeySize));
      std::ranges::copy(in.view(version.check.size()), version.check.begin());
      if (version.number == 0 || (!versions.empty() && version.number <= versions.back().number)) return false;
      versions.push_back(std::move(version));
    }
    if (versions.empty() || versions.size() > kMaxVersions) return false;
  }
  return in.finish();
}

// ---- slots and ways ----

Status Keyring::check_new_slot(const std::string& name) const {
  if (!is_key_name(name)) return fail("slot name: must have 1 to 64 printable ASCII characters");
  const auto taken = [&](const auto& items) { return std::ranges::any_of(items, [&](const auto& item) { return item.info.name == name; }); };
  if (taken(slots_) || taken(ways_)) return fail("slot name '" + name + "' is taken; choose another");
  if (slots_.size() >= kMaxSlots) return fail("the keyring has 16 slots, which is all it can hold; remove one first");
  return {};
}

Status Keyring::put_slot(SlotInfo info, Secret secret, Opens opens) {
  if (opens == Opens::alone && ways_.size() >= kMaxWays) return fail("the keyring has 16 ways, which is all it can hold; remove one first");
  const std::string name = info.name;
  Bytes header = encode(info);
  slots_.push_back({std::move(info), std::move(header)});
  slot_secrets_.push_back(std::move(secret));
  return opens == Opens::alone ? add_way(name, {name}) : Status();
}

Status Keyring::add_slot(SlotKind kind, const std::string& name, const Secret& secret, std::int64_t now_ms, PassphraseCost cost, Opens opens) {
  if (const Status fit = check_new_slot(name); !fit) return fit;
  if (kind == SlotKind::passphrase && secret.size() < kMinPassphrase) return fail("the passphrase must have at least 12 characters");
  if (kind == SlotKind::key_file && secret.size() < kMinKeyFile) return fail("the key file must hold at least 32 random bytes");
  if (kind != SlotKind::passphrase && kind != SlotKind::key_file) return fail("a slot of this kind is added in another way");
  SlotInfo info;
  info.kind = kind;
  info.name = name;
  info.created_ms = now_ms;
  info.salt.resize(Suite::kSaltSize);
  suite().random(info.salt);
  if (kind == SlotKind::passphrase) info.cost = cost.passes == 0 ? suite().standard_cost() : cost;
  Result<Secret> made = slot_secret(profile_, info, secret);
  if (!made) return fail(made.what());
  return put_slot(std::move(info), std::move(*made), opens);
}

Status Keyring::add_token_slot(const std::string& name, TokenFacts token, const Secret& secret, std::int64_t now_ms, Opens opens) {
  if (const Status fit = check_new_slot(name); !fit) return fit;
  if (secret.size() != kKeySize || token.encrypted.empty() || token.encrypted.size() > 1024) return fail("the token's secret has a wrong length");
  if (!is_key_name(token.token) || !is_key_name(token.serial) || !is_key_name(token.key))
    return fail("the labels of token and key must have 1 to 64 printable ASCII characters");
  SlotInfo info;
  info.kind = SlotKind::token;
  info.name = name;
  info.created_ms = now_ms;
  info.salt.resize(Suite::kSaltSize);
  suite().random(info.salt);
  info.token = std::move(token);
  return put_slot(std::move(info), secret.clone(), opens);
}

Status Keyring::add_quorum_slot(const std::string& name, unsigned needed, const std::vector<NamedPublicKey>& custodians, std::int64_t now_ms,
                                Opens opens) {
  if (const Status fit = check_new_slot(name); !fit) return fit;
  if (needed < 2 || needed > custodians.size() || custodians.size() > kMaxCustodians)
    return fail("a quorum needs at least 2 custodians, at most as many as there are, and there may be 16");
  SlotInfo info;
  info.kind = SlotKind::quorum;
  info.name = name;
  info.created_ms = now_ms;
  info.salt.resize(Suite::kSaltSize);
  suite().random(info.salt);
  info.needed = static_cast<std::uint8_t>(needed);
  const Secret secret = suite().random_secret();
  const Result<std::vector<shamir::Share>> shares =
      shamir::split(secret, needed, static_cast<unsigned>(custodians.size()), suite().random_secret((needed - 1) * kKeySize));
  if (!shares) return fail(shares.what());
  for (std::size_t i = 0; i < custodians.size(); ++i) {
    const auto& [custodian, public_key] = custodians[i];
    if (!is_key_name(custodian)) return fail("a custodian's name must have 1 to 64 printable ASCII characters");
    for (const Custodian& other : info.custodians)
      if (other.name == custodian || other.public_key == public_key) return fail("custodian '" + custodian + "' is given twice; each has a name and a key of his own");
    Result<Bytes> boxed = suite().box(public_key, (*shares)[i].value.bytes());
    if (!boxed) return fail("the key of custodian '" + custodian + "' " + boxed.what());
    info.custodians.push_back({custodian, public_key, share_check(profile_, info, (*shares)[i].number, (*shares)[i].value), std::move(*boxed)});
  }
  return put_slot(std::move(info), secret.clone(), opens);
}

Status Keyring::remove_slot(const std::string& name) {
  const auto slot = std::ranges::find_if(slots_, [&](const KeyringFile::Slot& s) { return s.info.name == name; });
  if (slot == slots_.end()) return fail("there is no slot '" + name + "'");
  std::size_t others = 0;
  for (const KeyringFile::Way& way : ways_) {
    const bool uses = std::ranges::find(way.info.slots, name) != way.info.slots.end();
    if (uses && way.info.slots.size() > 1) return fail("way '" + way.info.name + "' needs slot '" + name + "'; remove that way first");
    if (!uses) ++others;
  }
  if (others == 0) return fail("slot '" + name + "' is in the last way that opens; add another first");
  std::erase_if(ways_, [&](const KeyringFile::Way& way) { return way.info.slots.front() == name; });
  slot_secrets_.erase(slot_secrets_.begin() + (slot - slots_.begin()));
  slots_.erase(slot);
  return {};
}

Bytes Keyring::wrapped_master(const KeyringFile::Way& way) const {
  std::vector<const Secret*> secrets;
  for (const std::string& name : way.info.slots)
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].info.name == name) secrets.push_back(&slot_secrets_[i]);
  return suite().wrap(way_key(profile_, secrets).bytes(), bound_of(profile_, way, slots_), master_.bytes());
}

Status Keyring::add_way(const std::string& name, const std::vector<std::string>& slots) {
  if (!is_key_name(name)) return fail("way name: must have 1 to 64 printable ASCII characters");
  if (slots.empty() || slots.size() > kMaxSlotsOfWay) return fail("a way needs 1 to 8 slots");
  if (ways_.size() >= kMaxWays) return fail("the keyring has 16 ways, which is all it can hold; remove one first");
  for (const KeyringFile::Way& way : ways_) {
    if (way.info.name == name) return fail("way name '" + name + "' is taken; choose another");
    if (std::ranges::is_permutation(way.info.slots, slots)) return fail("way '" + way.info.name + "' needs the same slots already");
  }
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (std::ranges::none_of(slots_, [&](const KeyringFile::Slot& s) { return s.info.name == slots[i]; })) return fail("there is no slot '" + slots[i] + "'");
    if (std::find(slots.begin(), slots.begin() + static_cast<std::ptrdiff_t>(i), slots[i]) != slots.begin() + static_cast<std::ptrdiff_t>(i))
      return fail("slot '" + slots[i] + "' is named twice");
  }
  KeyringFile::Way way{{name, slots}, {}, {}};
  way.header = encode(way.info);
  way.wrapped = wrapped_master(way);
  ways_.push_back(std::move(way));
  return {};
}

Status Keyring::remove_way(const std::string& name) {
  const auto way = std::ranges::find_if(ways_, [&](const KeyringFile::Way& w) { return w.info.name == name; });
  if (way == ways_.end()) return fail("there is no way '" + name + "'");
  if (ways_.size() == 1) return fail("way '" + name + "' is the last that opens; add another first");
  ways_.erase(way);
  return {};
}

// ---- keys ----

Result<std::uint16_t> Keyring::rotate(Purpose purpose, std::int64_t now_ms) {
  std::vector<KeyVersion>& versions = keys_.at(purpose);
  if (versions.size() >= kMaxVersions || versions.back().number == 0xffff)
    return fail("key '" + std::string(name_of(purpose)) + "' has 64 versions, which is all it can have; destroy one that nothing needs any more");
  const auto number = static_cast<std::uint16_t>(versions.back().number + 1);
  versions.push_back(new_version(purpose, number, now_ms));
  return number;
}

Status Keyring::destroy(Purpose purpose, std::uint16_t number) {
  std::vector<KeyVersion>& versions = keys_.at(purpose);
  const auto found = std::ranges::find_if(versions, [&](const KeyVersion& v) { return v.number == number; });
  if (found == versions.end()) return fail("key '" + std::string(name_of(purpose)) + "' has no version " + std::to_string(number));
  if (found + 1 == versions.end()) return fail("version " + std::to_string(number) + " of key '" + std::string(name_of(purpose)) + "' is the newest; rotate it first");
  versions.erase(found);
  return {};
}

void Keyring::rotate_master(std::int64_t now_ms) {
  master_ = suite().random_secret();
  master_created_ms_ = now_ms;
  for (KeyringFile::Way& way : ways_) way.wrapped = wrapped_master(way);
}

Status Keyring::save(const std::string& path, Replace replace) {
  if (ways_.empty()) return fail("keyring: without a way to open it nobody ever could");
  ++generation_;
  Bytes out = encode_front(profile_, slots_, ways_);
  const Bytes payload = suite().wrap(payload_key(profile_, master_).bytes(), out, encode_payload().bytes());
  ByteWriter(out).view32(payload);
  const Status put = put_file(path, out, replace == Replace::yes);
  if (!put) --generation_;
  return put ? put : fail("keyring " + put.what());
}

}  // namespace postern
