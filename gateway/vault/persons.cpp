// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/persons.hpp"

namespace postern::vault {

namespace {

std::string name_of(const std::string& reference, const std::string& address) { return reference.empty() ? "address:" + address : "reference:" + reference; }

// 0 says that nobody is meant.
std::uint64_t number_of(std::uint64_t pseudonym) { return pseudonym == 0 ? 1 : pseudonym; }

}  // namespace

std::uint64_t person_of(const Keys& keys, const std::string& reference, const std::string& address) {
  return number_of(keys.pseudonym(name_of(reference, address)));
}

std::vector<std::uint64_t> persons_of(const Keys& keys, const std::string& reference, const std::string& address) {
  std::vector<std::uint64_t> numbers = keys.pseudonyms(name_of(reference, address));
  for (std::uint64_t& number : numbers) number = number_of(number);
  return numbers;
}

const FieldKey* Persons::keep(FieldKey key) {
  const std::uint64_t person = key.holder();
  age_.push_back(person);
  return &cache_.insert_or_assign(person, std::move(key)).first->second;
}

const FieldKey* Persons::find(std::uint64_t person) {
  if (person == 0) return nullptr;
  if (const auto found = cache_.find(person); found != cache_.end()) return &found->second;
  Result<std::optional<Bytes>> wrapped = store_.person(person);
  if (!wrapped) {
    failure_ = wrapped.what();
    return nullptr;
  }
  std::optional<FieldKey> key = *wrapped ? ring_.unwrap(keys_, person, **wrapped) : std::nullopt;
  return key ? keep(std::move(*key)) : nullptr;
}

const FieldKey* Persons::find_or_make(std::uint64_t person, store::Batch& batch) {
  if (const FieldKey* known = find(person); known != nullptr || !failure_.empty()) return known;
  FieldKey key = FieldKey::create(keys_, person);
  batch.persons.push_back({person, ring_.wrap(keys_, key)});
  fresh_.push_back(person);
  return keep(std::move(key));
}

void Persons::forget(std::uint64_t person) { cache_.erase(person); }

void Persons::turn_over(bool committed) {
  if (!committed)
    for (const std::uint64_t person : fresh_) cache_.erase(person);
  fresh_.clear();
  failure_.clear();
  while (age_.size() > kCache) {
    cache_.erase(age_.front());
    age_.pop_front();
  }
}

}  // namespace postern::vault
