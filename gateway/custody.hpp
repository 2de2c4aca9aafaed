// SPDX-License-Identifier: Apache-2.0
// Purpose: who may open the vault, and what becomes of the keys: makes the keyring, gathers what unlocks it, holds it while the vault
// is open, changes slots, ways and key versions. Used by: posternd. Threads: one loop.
// Ownership: owns the open keyring and what was gathered; lock() and a time limit wipe them.
// Errors: sentences for an administrator. Failed attempts make the next one wait, twice as long each time, up to a minute. A change is
// told to the audit log before it takes effect; what could not be told is not done.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "connectors/protocol/loop.hpp"
#include "crypto/unlocking.hpp"
#include "gateway/audit/leaf.hpp"
#include "gateway/control/control.pb.h"

namespace postern {

class Custody {
 public:
  struct Vault {
    // Writes a leaf and commits it.
    std::function<Status(EventType, const audit::Body&)> leaf;
    // The keyring was changed and saved: use it.
    std::function<void(const Keyring&)> renewed;
  };
  // What was gathered towards unlocking is forgotten `patience` after the last thing that was given.
  Custody(Loop& loop, std::string keyring_path, Vault vault, std::chrono::milliseconds patience = std::chrono::minutes(15));

  bool initialised() const;

  // A new keyring with what the request names; neither saved nor adopted.
  Result<Keyring> make(const control::Init& ask) const;

  // Takes one thing towards unlocking. `credential` is the configured key file's path, or empty.
  struct Opened {
    std::optional<Keyring> ring;
    std::string how;                        // way and custodians, for the audit log
    std::vector<std::string> custodians;
    std::string needed;                     // not open yet
  };
  Result<Opened> take(const control::Unlock& ask, const std::string& credential);
  // Failures since the last success, which this call forgets.
  int failures() { return std::exchange(failures_, 0); }

  // The vault is open with this keyring.
  void adopt(Keyring ring) { ring_ = std::move(ring); }
  const Keyring* ring() const { return ring_ ? &*ring_ : nullptr; }
  // Wipes every key and everything that was gathered.
  void lock();

  // Slots and ways can be read while locked; everything else needs an open keyring.
  Status answer(const control::KeysAsk& ask, const std::string& actor, control::KeysFacts& facts);

 private:
  Result<Secret> read_given(const control::Unlock& ask, const std::string& credential, SlotKind& kind) const;
  void fill_access(const std::vector<KeyringFile::Slot>& slots, const std::vector<KeyringFile::Way>& ways, Profile profile, control::KeysFacts& facts) const;
  void fill_keys(control::KeysFacts& facts) const;
  Status change(const std::string& actor, EventType type, const std::string& object, const std::string& text, const std::function<Status(Keyring&)>& work);
  Status rotate(const std::string& what, const std::string& actor, control::KeysFacts& facts);

  std::string path_;
  Vault vault_;
  std::chrono::milliseconds patience_;
  Unlocking gathered_;
  Timer forget_;
  std::optional<Keyring> ring_;
  int failures_ = 0, failed_in_a_row_ = 0;
  std::int64_t next_attempt_ms_ = 0;
};

// The keys that a request names. Errors: text that is no key, a key of another profile.
Result<std::vector<NamedPublicKey>> custodians_of(const control::Quorum& quorum, Profile profile);

// The store's file is under the oldest version of its key; where a newer one waits, writes the file anew under it and destroys the
// older. Call with the store closed. The keyring is saved when it changed.
// Errors: the file and the keyring are as before and open together; the next unlock tries again.
Status settle_store_key(Keyring& ring, const std::string& keyring_path, const std::string& store_path);

}  // namespace postern
