// SPDX-License-Identifier: Apache-2.0
// Purpose: the keys of the persons that messages speak to. Each person has one, derived from a tree (crypto/key_tree.hpp) whose branches stand in
// the store, wrapped by the ring; what the gateway keeps of the person is sealed under it, so that destroying it erases the person from store,
// audit log and every old copy. One who was erased and is written to again has a key of their own, random, in a row of its own; so has one
// whom a version before the tree knew. Used by: gateway/vault.
// Threads: one. Ownership: owns bounded caches of keys and branches; a pointer holds until another person is asked for.
// Errors: a store that cannot be read is told by failure().
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/field_key.hpp"
#include "crypto/ring.hpp"
#include "gateway/store/store.hpp"

namespace postern::vault {

// The number of a customer: of the bank's reference, or where there is none of the first address.
std::uint64_t person_of(const Keys& keys, const std::string& reference, const std::string& address);
// The same under every version of the key that lives, newest first: one who was known before a rotation may stand under an older one.
std::vector<std::uint64_t> persons_of(const Keys& keys, const std::string& reference, const std::string& address);

class Persons {
 public:
  Persons(store::Store& store, const Keys& keys, const Ring& ring) : store_(store), keys_(keys), ring_(ring) {}

  // The person's key; what is new of it is written with the turn's batch. Null when the store cannot be read.
  const FieldKey* find_or_make(std::uint64_t person, store::Batch& batch);
  // Null when the person was erased, or nobody was ever written to; and when the store cannot be read.
  const FieldKey* find(std::uint64_t person);
  // Destroys the person's key, with everything else of the person that has rows. It may be given a new one.
  void erase(std::uint64_t person, store::Batch& batch);

  // What the store said when it could not be read since the last turn_over(); empty: it could.
  const std::string& failure() const { return failure_; }
  // `committed`: whether what was made and erased is so in the store now.
  void turn_over(bool committed);

 private:
  static constexpr std::size_t kCache = 4096, kBranches = 64;   // 32 and 512 bytes of locked memory each
  const FieldKey* keep(FieldKey key);
  void trim();
  Branch* branch(Branch::Id id);           // null where there is none, or it cannot be read
  Branch* holding(std::uint64_t person);   // the branch that the person's key is derived from; null where none is
  bool some_have_rows();
  void put(const Branch& branch, store::Batch& batch);

  store::Store& store_;
  const Keys& keys_;
  const Ring& ring_;
  std::unordered_map<std::uint64_t, FieldKey> cache_;
  std::deque<std::uint64_t> age_;          // of keys that can be had again
  std::vector<std::uint64_t> made_;        // in this turn: nothing else has them yet
  std::map<Branch::Id, Branch> branches_;
  std::optional<bool> some_have_rows_;     // once it is known
  std::string failure_;
};

}  // namespace postern::vault
