// SPDX-License-Identifier: Apache-2.0
// Purpose: the keyring: one random master key behind unlock slots that ways combine, and under it every long-lived secret: the
// versioned key of each purpose and the log's signing key. Used by: posternd only. Threads: one.
// Ownership: values; all secrets live in Secret and are wiped with the Keyring. Changes are made in memory and become true with save().
// Format: crypto/DESIGN.md, "Keyring file". Errors: a wrong secret, a damaged file and a file of another version are told apart;
// nothing is written by a failed unlock. Every key is proved by its check value before anybody can use it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "crypto/keyring_format.hpp"
#include "crypto/purpose.hpp"
#include "crypto/suite.hpp"

namespace postern {

using KeyCheck = std::array<std::uint8_t, 8>;

struct KeyVersion {
  std::uint16_t number = 0;      // 1 is the first; never used again for the purpose
  std::int64_t created_ms = 0;
  Secret key;
  KeyCheck check{};
};

struct NamedPublicKey {
  std::string name;
  Bytes public_key;
};

class Keyring {
 public:
  // A new master key, signing key and first version of every purpose's key, with no slot yet.
  static Keyring create(std::int64_t now_ms, Profile profile = Profile::modern);

  // Reads the slots of a file without unlocking it.
  static Result<std::vector<SlotInfo>> slots(const std::string& path);

  // Opens with one secret by a way of one slot; class Unlocking is for ways of several. `secret` is the passphrase or
  // the content of the key file. Errors: no such file; no slot of this kind; "wrong passphrase" / "wrong key file"; damaged.
  static Result<Keyring> unlock(const std::string& path, SlotKind kind, const Secret& secret);

  // The rest of the file, once a way gave the master key. Errors: damaged, which includes slots or ways that somebody else changed.
  static Result<Keyring> open(const KeyringFile& file, Secret master);

  Keyring clone() const;

  // ---- slots and ways ----
  // A new slot; `alone` makes a way of the same name that needs nothing else, `part` leaves the slot to ways added later.
  // Errors: a passphrase under 12 bytes, a key file under 32, a name that is taken or unfit, no room.
  enum class Opens { alone, part };
  Status add_slot(SlotKind kind, const std::string& name, const Secret& secret, std::int64_t now_ms, PassphraseCost cost = {},
                  Opens opens = Opens::alone);
  // The token's side is done: `secret` is the 32 bytes that `token.encrypted` holds.
  Status add_token_slot(const std::string& name, TokenFacts token, const Secret& secret, std::int64_t now_ms, Opens opens = Opens::alone);
  // Makes a secret, shares it out and forgets the shares: only custodians can open theirs.
  Status add_quorum_slot(const std::string& name, unsigned needed, const std::vector<NamedPublicKey>& custodians, std::int64_t now_ms,
                         Opens opens = Opens::alone);
  // Takes the slot's own way with it. Errors: another way needs it; nothing would open the keyring any more.
  Status remove_slot(const std::string& name);
  Status add_way(const std::string& name, const std::vector<std::string>& slots);
  // Errors: the last way.
  Status remove_way(const std::string& name);

  // ---- keys ----
  // A new newest version; older ones go on opening. Errors: 64 versions, which is all a purpose can have.
  Result<std::uint16_t> rotate(Purpose purpose, std::int64_t now_ms);
  // Forgets one version: what it sealed is gone for good. Errors: no such version, or the newest.
  Status destroy(Purpose purpose, std::uint16_t version);
  // A new master key under the same slots and ways.
  void rotate_master(std::int64_t now_ms);

  const std::vector<KeyVersion>& versions(Purpose purpose) const { return keys_.at(purpose); }  // oldest first, never empty
  const std::vector<KeyringFile::Slot>& own_slots() const { return slots_; }
  const std::vector<KeyringFile::Way>& own_ways() const { return ways_; }

  // Grows the generation, writes to a new file and renames it over `path`, both synced. The file must exist or not as
  // `replace` says, so that an init never overwrites keys. On failure the file is what it was.
  enum class Replace { no, yes };
  Status save(const std::string& path, Replace replace);

  Profile profile() const { return profile_; }
  const Suite& suite() const { return Suite::of(profile_); }
  const Secret& master() const { return master_; }
  const Secret& log_seed() const { return log_secret_; }   // the log's signing key, as Suite::sign takes it
  std::int64_t created_ms() const { return created_ms_; }
  std::int64_t master_created_ms() const { return master_created_ms_; }
  std::uint64_t generation() const { return generation_; }  // how often it was saved

 private:
  Keyring() = default;
  Status check_new_slot(const std::string& name) const;
  Status put_slot(SlotInfo info, Secret secret, Opens opens);
  Bytes wrapped_master(const KeyringFile::Way& way) const;
  KeyVersion new_version(Purpose purpose, std::uint16_t number, std::int64_t now_ms) const;
  Secret encode_payload() const;
  bool decode_payload(const Secret& plain, std::size_t slots);

  Profile profile_ = Profile::modern;
  Secret master_, log_secret_;
  std::int64_t created_ms_ = 0, master_created_ms_ = 0;
  std::uint64_t generation_ = 0;
  std::vector<KeyringFile::Slot> slots_;
  std::vector<Secret> slot_secrets_;          // of slots_, in order: a new way or master needs no person to come again
  std::vector<KeyringFile::Way> ways_;
  std::map<Purpose, std::vector<KeyVersion>> keys_;
};

// The 32 bytes that a slot stands for, from what its owner gives. Passphrase and key file only.
Result<Secret> slot_secret(Profile profile, const SlotInfo& slot, const Secret& given);
// The key under which a way wraps the master key.
Secret way_key(Profile profile, const std::vector<const Secret*>& secrets);
// Tells a right share from a wrong one.
Bytes share_check(Profile profile, const SlotInfo& slot, std::uint8_t number, const Secret& share);
KeyCheck key_check(Profile profile, Purpose purpose, std::uint16_t version, const Secret& key);

}  // namespace postern
