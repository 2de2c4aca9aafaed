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

// Within a turn too the oldest go: locked memory is bounded, and a turn may speak to any number of persons.
const FieldKey* Persons::keep(FieldKey key) {
  const std::uint64_t person = key.holder();
  const FieldKey* kept = &cache_.insert_or_assign(person, std::move(key)).first->second;
  age_.push_back(person);
  trim();
  return kept;
}

void Persons::trim() {
  while (age_.size() > kCache) {
    cache_.erase(age_.front());
    age_.pop_front();
  }
}

const FieldKey* Persons::find(std::uint64_t person) {
  if (person == 0) return nullptr;
  if (const auto found = cache_.find(person); found != cache_.end()) return &found->second;
  if (some_have_rows()) {
    Result<std::optional<Bytes>> wrapped = store_.person(person);
    if (!wrapped) failure_ = wrapped.what();
    if (!wrapped) return nullptr;
    if (*wrapped) {
      std::optional<FieldKey> key = ring_.unwrap(keys_, person, **wrapped);
      return key ? keep(std::move(*key)) : nullptr;
    }
  }
  if (!failure_.empty()) return nullptr;
  const Branch* from = holding(person);
  std::optional<Secret> key = from == nullptr ? std::nullopt : from->key_of(keys_.suite(), person);
  return key ? keep(FieldKey(person, std::move(*key))) : nullptr;
}

const FieldKey* Persons::find_or_make(std::uint64_t person, store::Batch& batch) {
  if (const FieldKey* known = find(person); known != nullptr || !failure_.empty()) return known;
  if (branch(Branch::kRoot) == nullptr && failure_.empty()) {
    put(branches_.emplace(Branch::kRoot, Branch::root(keys_.suite())).first->second, batch);
    if (const FieldKey* first = find(person); first != nullptr || !failure_.empty()) return first;
  }
  if (!failure_.empty()) return nullptr;
  FieldKey key = FieldKey::create(keys_, person);
  batch.persons.push_back({person, ring_.wrap(keys_, key)});
  some_have_rows_ = true;
  made_.push_back(person);
  return &cache_.insert_or_assign(person, std::move(key)).first->second;
}

void Persons::erase(std::uint64_t person, store::Batch& batch) {
  cache_.erase(person);
  std::erase(age_, person);
  std::erase(made_, person);
  batch.erased_persons.push_back(person);
  Branch* from = holding(person);
  if (from == nullptr) return;   // no key is derived for this person
  for (Branch& rest : from->puncture(keys_.suite(), person)) {
    put(rest, batch);
    const Branch::Id id = rest.id();
    branches_.insert_or_assign(id, std::move(rest));
  }
  put(*from, batch);
}

Branch* Persons::branch(Branch::Id id) {
  if (const auto found = branches_.find(id); found != branches_.end()) return &found->second;
  const Result<std::optional<Bytes>> wrapped = store_.branch(id);
  if (!wrapped) failure_ = wrapped.what();
  if (!wrapped || !*wrapped) return nullptr;
  std::optional<Branch> opened = ring_.unwrap_branch(keys_, id, **wrapped);
  if (!opened) {
    failure_ = "branch " + std::to_string(id) + " of the persons' keys is damaged in the store; restore it from a backup";
    return nullptr;
  }
  return &branches_.emplace(id, std::move(*opened)).first->second;
}

Branch* Persons::holding(std::uint64_t person) {
  for (std::optional<Branch::Id> id = Branch::kRoot; id;) {
    Branch* at = branch(*id);
    if (at == nullptr || at->holds(person)) return at;
    id = at->below(person);
  }
  return nullptr;
}

bool Persons::some_have_rows() {
  if (!some_have_rows_) {
    const Result<std::vector<store::PersonRow>> first = store_.persons(std::nullopt, 1);
    if (!first) failure_ = first.what();
    if (first) some_have_rows_ = !first->empty();
  }
  return some_have_rows_.value_or(false);
}

void Persons::put(const Branch& branch, store::Batch& batch) { batch.branches.push_back({branch.id(), ring_.wrap(keys_, branch)}); }

void Persons::turn_over(bool committed) {
  // What was made, or taken from a branch, is not so.
  if (!committed) {
    cache_.clear();
    age_.clear();
    made_.clear();
    branches_.clear();
    some_have_rows_.reset();
  }
  failure_.clear();
  age_.insert(age_.end(), made_.begin(), made_.end());
  made_.clear();
  trim();
  if (branches_.size() > kBranches) branches_.clear();
}

}  // namespace postern::vault
