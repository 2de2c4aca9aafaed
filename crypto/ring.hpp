// SPDX-License-Identifier: Apache-2.0
// Purpose: the keys that wrap the persons' keys and the tree that they are derived from. A new one every day wraps anew what is to stay, and
// the old one is destroyed: what was not wrapped anew, and every old copy of any of it, is worth nothing from then on. Used by: posternd only. Threads: one.
// Ownership: owns its keys and wipes them. The file is never part of a backup of messages.
// Format: crypto/DESIGN.md, "Ring".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/field_key.hpp"
#include "crypto/key_tree.hpp"

namespace postern {

class Ring {
 public:
  static Ring create(const Keys& keys, std::int64_t now_ms);
  static Result<Ring> open(const std::string& path, const Keys& keys);
  Status save(const std::string& path, const Keys& keys) const;

  std::uint32_t newest() const { return wrappings_.back().number; }
  std::int64_t newest_since_ms() const { return wrappings_.back().created_ms; }
  bool has_older() const { return wrappings_.size() > 1; }

  // A new wrapping key for all that is wrapped from now on, in the file before it is used. Errors: it could
  // not be written, or too many renewals were begun and never ended; then all is as before.
  Status renew(const std::string& path, const Keys& keys, std::int64_t now_ms);
  // Forgets all but the newest: what they wrap is lost. Whoever calls it has wrapped anew what is to stay.
  void destroy_older();

  // number | nonce | ciphertext and tag, under the newest key
  Bytes wrap(const Keys& keys, const FieldKey& key) const;
  std::optional<FieldKey> unwrap(const Keys& keys, std::uint64_t holder, ByteView wrapped) const;
  Bytes wrap(const Keys& keys, const Branch& branch) const;
  std::optional<Branch> unwrap_branch(const Keys& keys, Branch::Id id, ByteView wrapped) const;
  bool is_newest(ByteView wrapped) const;

 private:
  struct Wrapping {
    std::uint32_t number;
    std::int64_t created_ms;
    Secret key;
  };
  Ring() = default;
  Bytes wrap(const Keys& keys, std::uint64_t holder, bool branch, ByteView secret) const;
  std::optional<Secret> unwrap(const Keys& keys, std::uint64_t holder, bool branch, ByteView wrapped) const;
  std::vector<Wrapping> wrappings_;  // oldest first, at least one
};

}  // namespace postern
