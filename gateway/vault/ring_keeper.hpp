// SPDX-License-Identifier: Apache-2.0
// Purpose: erases persons, and renews the key that wraps the persons' keys, and the tree of them, every day. A renewal wraps
// anew what is to stay, page by page between other work, and then destroys the old wrapping key: what
// was erased cannot come back from any old copy of the store. Used by: the vault. Threads: one.
// Ownership: borrows ring and context.
// Crash: a ring with more than one wrapping key tells the next start that a renewal was under way; it is
// begun again. Nothing is lost, and an erased person stays erased.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/ring.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

class RingKeeper {
 public:
  RingKeeper(Context& context, Ring& ring, std::string path);

  // Destroys the person's key with this turn and begins a renewal. Returns the sequence of the leaf that
  // says so. Errors: the ring could not be written; then nothing has happened.
  Result<std::uint64_t> erase(Turn& turn, std::uint64_t person, const std::string& actor);
  // The leaf with which an erasure became final: since then no key opens what was the person's.
  std::optional<std::uint64_t> made_final(std::uint64_t erased_leaf) const;

  // Begins the day's renewal when it is time. Errors: the ring could not be written; tried again later.
  Status keep(TimeMs now);
  // What waits for a backup to end has nothing to do meanwhile.
  bool busy() const { return phase_ != Phase::idle && !(phase_ == Phase::destroy && context_.store.snapshot_taken()); }
  // A piece of the work that is under way.
  void step(Turn& turn);
  // After the turn's commit, or without it. Errors: the ring or the journal could not be written; tried again.
  Status turn_over(bool committed);

 private:
  enum class Phase { idle, flights, keys, branches, destroy, tell };
  void begin_anew(bool sweep);
  void sweep_flights(Turn& turn);
  void wrap_keys(Turn& turn);
  void wrap_branches(Turn& turn);

  Context& context_;
  Ring& ring_;
  std::string path_;
  Phase phase_ = Phase::idle, next_ = Phase::idle;
  bool anew_ = false;
  MessageKey flights_after_ = 0, flights_next_ = 0;
  std::optional<std::uint64_t> keys_after_, keys_next_;
  Branch::Id branches_after_ = 0, branches_next_ = 0;
  std::uint64_t wrapped_ = 0;
  std::vector<std::uint64_t> waiting_, in_work_;       // leaves of erasures: for the next renewal, for this one
  std::map<std::uint64_t, std::uint64_t> final_;
  std::optional<std::uint64_t> told_;
};

}  // namespace postern::vault
