// SPDX-License-Identifier: Apache-2.0
// Purpose: follows the epochs of a log, leaf by leaf, and holds them to their rules (crypto/DESIGN.md, "Epochs"):
// which key may sign now, and that no epoch was left out, lengthened or begun anew. Every epoch's key is of the type of
// the log's identity key. Used by: verify. Threads: one. Ownership: borrows Trust.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "admin/audit/leaf.hpp"
#include "admin/audit/trust.hpp"

namespace postern::auditor {

class EpochChain {
 public:
  EpochChain(const Verifier& identity, const Trust& trust) : origin_(identity.name), type_(identity.type), trust_(trust) {}

  // Takes the next leaf of the log. Returns what is wrong with it, in a sentence; the chain is of no use then.
  std::optional<std::string> take(const Leaf& leaf);

  // Number of the epoch of the next leaf; as many epochs are finished.
  std::uint32_t current() const { return current_; }
  // The key of the epoch that the last leaf taken has closed; null when it closed none.
  const Verifier* just_closed() const { return closed_ ? &*closed_ : nullptr; }
  // Says whether one of the keys that could sign a checkpoint of exactly these leaves has signed this one.
  Status signed_now(const SignedCheckpoint& note) const;

 private:
  std::optional<std::string> begin(const Terms& terms);
  Verifier key_of(std::uint32_t epoch, const PublicKey& key) const { return {epoch_key_name(origin_, epoch), type_, key}; }

  std::string origin_;
  KeyType type_;
  const Trust& trust_;
  bool begun_ = false;
  std::uint32_t current_ = 0;
  Terms terms_;
  std::int64_t last_utc_us_ = 0;
  std::optional<Verifier> closed_;
};

}  // namespace postern::auditor
