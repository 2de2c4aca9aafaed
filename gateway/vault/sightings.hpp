// SPDX-License-Identifier: Apache-2.0
// Purpose: what has reached out to a person lately, for the caps of the policy: read once a turn, kept true through it. A message counts
// once, with its first attempt that is handed to a connector. Used by: gateway/vault. Threads: one. Ownership: the rows of this turn.
// Errors: a store that cannot be read is told by failure().
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/policy/budget.hpp"
#include "gateway/store/store.hpp"

namespace postern::vault {

class Sightings {
 public:
  explicit Sightings(store::Store& store) : store_(store) {}

  struct Of {
    std::vector<policy::Sighting> others;   // of other messages
    bool counted = false;                   // this message is among them already
  };
  Of of(std::uint64_t person, MessageKey message);

  // When another message with one of these digests last reached out to the person.
  std::optional<TimeMs> last_same(std::uint64_t person, MessageKey message, const std::vector<Bytes>& digests);

  // The message reaches out now; rows older than `memory_ms` go. Nothing when it is there already.
  void add(const store::SightingRow& row, std::int64_t memory_ms, store::Batch& batch);

  const std::string& failure() const { return failure_; }
  // After a turn, whether it was committed or not.
  void turn_over() { rows_.clear(), failure_.clear(); }

 private:
  std::vector<store::SightingRow>& rows_of(std::uint64_t person);

  store::Store& store_;
  std::unordered_map<std::uint64_t, std::vector<store::SightingRow>> rows_;
  std::string failure_;
};

}  // namespace postern::vault
