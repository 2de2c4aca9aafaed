// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/recipients.hpp"

#include <algorithm>

#include "crypto/merkle.hpp"

namespace postern::vault {
namespace {

Place place_of(std::uint64_t person) { return {"recipient", "sealed", person, 1}; }

}  // namespace

std::string hash_of(const ConsentRecord& consent) { return to_hex(sha256(encode(consent))); }

audit::Body body_of(const ConsentRecord& consent) {
  std::string says = std::string(consent.given ? "given-" : "withdrawn-") + std::string(name_of(consent.purpose));
  if (consent.channel) says += "-" + std::string(name_of(*consent.channel));
  return {{audit::Field::reason, std::move(says)}, {audit::Field::object, consent.source}, {audit::Field::text, consent.wording}, {audit::Field::consent, hash_of(consent)}};
}

void Recipients::open() {
  const Result<bool> some = store_.has_recipients();
  any_ = !some || *some;
}

const Recipient* Recipients::find(std::uint64_t person) {
  const auto [place, fresh] = rows_.try_emplace(person);
  if (fresh) {
    const Result<std::optional<Bytes>> sealed = store_.recipient(person);
    if (!sealed) failure_ = sealed.what();
    const FieldKey* key = sealed && *sealed ? persons_.find(person) : nullptr;
    if (!persons_.failure().empty()) failure_ = persons_.failure();
    Bytes plain;
    if (key != nullptr && key->open(keys_, Purpose::content, place_of(person), **sealed, plain)) place->second = decode_recipient(plain);
    wipe(plain.data(), plain.size());
  }
  return place->second ? &*place->second : nullptr;
}

// Somebody who was known before a rotation of the key stands under an older version.
const Recipient* Recipients::find(const std::string& reference, const std::string& address) {
  if (!any_) return nullptr;
  for (const std::uint64_t person : persons_of(keys_, reference, address))
    if (const Recipient* found = find(person)) return found;
  return nullptr;
}

void Recipients::save(const std::string& reference, const std::string& address, Recipient recipient, store::Batch& batch) {
  const std::vector<std::uint64_t> numbers = persons_of(keys_, reference, address);
  const std::uint64_t person = numbers.front();
  const FieldKey* key = persons_.find_or_make(person, batch);
  if (key == nullptr) {
    failure_ = persons_.failure();
    return;
  }
  any_ = true;
  Bytes plain = encode(recipient);
  batch.recipients.push_back({person, key->seal(keys_, Purpose::content, place_of(person), plain)});
  wipe(plain.data(), plain.size());
  rows_[person] = std::move(recipient);
  // Under one number only.
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (find(numbers[i]) == nullptr) continue;
    batch.dropped_recipients.push_back(numbers[i]);
    rows_[numbers[i]].reset();
  }
}

const ConsentRecord* Recipients::consent(const Content& content, Category purpose, Channel channel) {
  const ConsentRecord* last = nullptr;
  if (!any_) return last;
  const auto look = [&](const Recipient* recipient) {
    const ConsentRecord* found = recipient == nullptr ? nullptr : recipient->consent(purpose, channel);
    // Of two at the same instant a no is the one that counts.
    if (found != nullptr && (last == nullptr || found->at_ms > last->at_ms || (found->at_ms == last->at_ms && !found->given))) last = found;
  };
  std::vector<std::string> addresses;
  const auto add = [&addresses](const std::string& address) {
    if (!address.empty() && std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  };
  for (const Payload& payload : content.payloads) add(payload.address);
  if (!content.recipient.empty()) {
    const Recipient* known = find(content.recipient, {});
    look(known);
    if (known != nullptr)
      for (const std::string* address : {&known->phone, &known->whatsapp, &known->email}) add(*address);
  }
  for (const std::string& address : addresses) look(find({}, address));
  return last;
}

}  // namespace postern::vault
