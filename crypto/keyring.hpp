// SPDX-License-Identifier: Apache-2.0
// Purpose: the keyring file: one random master key, wrapped once for each unlock slot, and the long-lived
// secrets sealed under it. Used by: posternd only. Threads: one. Ownership: values; the master key
// lives in Secret and is wiped with the Keyring.
// Format: crypto/DESIGN.md, "Keyring file". Errors: a wrong passphrase, a damaged file and a file of
// another version are told apart; nothing is written by a failed unlock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"

namespace postern {

inline constexpr std::size_t kKeySize = 32;

enum class SlotKind : std::uint8_t {
  passphrase = 1,  // Argon2id over what a person types
  key_file = 2,    // 32 or more random bytes in a file, given as a systemd credential
};

// What Argon2id may cost. `standard` is 256 MiB and 3 passes.
struct Argon2Cost {
  std::uint64_t passes = 3;
  std::uint64_t memory_bytes = 256ULL * 1024 * 1024;
};

struct SlotInfo {
  SlotKind kind;
  std::string name;
  std::int64_t created_ms;
};

class Keyring {
 public:
  // A new master key and log seed, with no slot yet.
  static Keyring create(std::int64_t now_ms);

  // Reads the slots of a file without unlocking it.
  static Result<std::vector<SlotInfo>> slots(const std::string& path);

  // Tries every slot of the kind. `secret` is the passphrase or the content of the key file.
  // Errors: no such file; no slot of this kind; "wrong passphrase" / "wrong key file"; damaged.
  static Result<Keyring> unlock(const std::string& path, SlotKind kind, const Secret& secret);

  // Adds a slot. Errors: a passphrase under 12 bytes, a key file under 32 bytes, more than 16 slots,
  // a name that is taken or not 1..64 bytes.
  Status add_slot(SlotKind kind, const std::string& name, const Secret& secret, std::int64_t now_ms, Argon2Cost cost = {});

  // Writes to a new file and renames it over `path`, both synced. The file must exist or not as
  // `replace` says, so that an init never overwrites keys.
  enum class Replace { no, yes };
  Status save(const std::string& path, Replace replace) const;

  const Secret& master() const { return master_; }
  const Secret& log_seed() const { return log_seed_; }
  std::int64_t created_ms() const { return created_ms_; }

 private:
  struct Slot {
    SlotInfo info;
    Bytes header;  // as in the file; the wrapped key's associated data
    Bytes wrapped;
  };
  Keyring() = default;
  static Result<std::vector<Slot>> read_slots(ByteReader& in);

  Secret master_, log_seed_;
  std::int64_t created_ms_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace postern
