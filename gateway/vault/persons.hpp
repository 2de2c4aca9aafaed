// SPDX-License-Identifier: Apache-2.0
// Purpose: the keys of the persons that messages speak to. Each person has one, random, made with the
// first message and wrapped by the ring; what the gateway keeps of the person is sealed under it, so
// that destroying it erases the person from store, audit log and every old copy. Used by: gateway/vault.
// Threads: one. Ownership: owns a bounded cache of keys; pointers hold until turn_over().
// Errors: a store that cannot be read is told by failure().
#pragma once

#include <deque>
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

  // The person's key; a new one is written with the turn's batch. Null when the store cannot be read.
  const FieldKey* find_or_make(std::uint64_t person, store::Batch& batch);
  // Null when the person has none: erased, or never written to.
  const FieldKey* find(std::uint64_t person);
  // From now on it has none; it may be given a new one.
  void forget(std::uint64_t person);

  // What the store said when it could not be read since the last turn_over(); empty: it could.
  const std::string& failure() const { return failure_; }
  // `committed`: whether the keys that were made are in the store now.
  void turn_over(bool committed);

 private:
  static constexpr std::size_t kCache = 4096;   // 32 bytes of locked memory each
  const FieldKey* keep(FieldKey key);

  store::Store& store_;
  const Keys& keys_;
  const Ring& ring_;
  std::unordered_map<std::uint64_t, FieldKey> cache_;
  std::deque<std::uint64_t> age_;
  std::vector<std::uint64_t> fresh_;
  std::string failure_;
};

}  // namespace postern::vault
