// SPDX-License-Identifier: Apache-2.0
// Purpose: the roll-back anchor: a small file, kept apart from the state folder, that says how far everything had come when it was
// last written. What is behind it at a start was put back. Used by: the vault. Threads: one. Ownership: values.
// Format: crypto/DESIGN.md, "Anchor". It is written after what it speaks of is durable, so that no crash makes it speak of more.
// Errors: a file that is damaged, or of another gateway, is no anchor.
#pragma once

#include <optional>
#include <string>

#include "crypto/seal.hpp"
#include "gateway/audit/log.hpp"
#include "gateway/store/store.hpp"

namespace postern::vault {

struct Anchor {
  std::uint64_t generation = 0;   // of the store
  Bytes log;                      // the audit log's mark (audit::encode)
  std::uint64_t published = 0;    // leaves under the checkpoint in the audit folder
  std::uint64_t keyring = 0;      // generation of the keyring
  std::uint32_t wrapping = 0;     // number of the newest wrapping key
  bool operator==(const Anchor&) const = default;
};

// The anchor as it stands in its file, and writing that, which needs no keys.
Bytes sealed(const Keys& keys, const Anchor& anchor);
Status save_anchor(const std::string& path, ByteView sealed);
// Nothing when there is no file.
Result<std::optional<Anchor>> load_anchor(const std::string& path, const Keys& keys);

// What a start finds.
struct Found {
  store::Store& store;
  const audit::Log::Mark& mark;
  std::uint64_t published = 0, keyring = 0;
  std::uint32_t wrapping = 0;
};
// What of it is older than the anchor or of another history, one sentence; empty: nothing. Errors: the store cannot be read.
Result<std::string> behind(const Anchor& anchor, const Found& found);

// Two administrators let a state go on that is not what the anchor says. `findings` is what they were shown: a start that finds
// anything else refuses again.
struct Consent {
  std::string actors, findings;
};

}  // namespace postern::vault
