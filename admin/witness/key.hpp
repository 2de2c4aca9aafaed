// SPDX-License-Identifier: Apache-2.0
// Purpose: the witness's signing key, in its file and in memory. Used by: postern-witness. Threads: one.
// Ownership: the Signer that signer() gives must not outlive the Key.
// The file is one line: PRIVATE+KEY+NAME+HASH+BASE64(04 | seed 32), HASH being that of the verifier key.
#pragma once

#include <string>

#include "crypto/note.hpp"
#include "crypto/secret.hpp"

namespace postern::witness {

class Key {
 public:
  // A new key under this name, written to a file that must not exist yet (mode 0600, synced).
  static Result<Key> make(const std::string& path, const std::string& name);
  // Errors: a file that others may read, text of another form, a hash that does not belong to the key.
  static Result<Key> read(const std::string& path);
  // The same from what stood in the file.
  static Result<Key> parse(const Secret& line);

  const Verifier& verifier() const { return verifier_; }
  Signer signer() const;

 private:
  Key(std::string name, const Secret& seed);
  Verifier verifier_;
  Secret secret_;   // Ed25519, 64 bytes
};

}  // namespace postern::witness
