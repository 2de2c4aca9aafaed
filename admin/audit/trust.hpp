// SPDX-License-Identifier: Apache-2.0
// Purpose: the verifier keys that an auditor brings along. Used by: the verbs of postern-audit.
// Threads: plain values. Errors: text that is no key, a file that cannot be read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crypto/note.hpp"

namespace postern::auditor {

struct Trust {
  std::vector<Verifier> keys;        // of logs and of their epochs, by name
  std::vector<Verifier> witnesses;   // each must have cosigned

  // The identity key of the log `origin`; the key of one of its epochs. Null: none was given.
  const Verifier* identity(const std::string& origin) const { return named(origin); }
  const Verifier* epoch(const std::string& origin, std::uint32_t number) const { return named(epoch_key_name(origin, number)); }

 private:
  const Verifier* named(const std::string& name) const;
};

// Each word is a verifier key or the name of a file with one key a line, as the log's own `vkey` file. Keys of
// type cosigner among `keys`, or of another type among `witnesses`, are errors; so are keys of a log and of its epochs that are
// of two types, for a log has one type from its first day to its last.
Result<Trust> read_trust(const std::vector<std::string>& keys, const std::vector<std::string>& witnesses);

// A note of a log of which `trust` has the identity key, with a good signature of it.
Result<SignedCheckpoint> open_signed(std::string_view note, const Trust& trust);

}  // namespace postern::auditor
