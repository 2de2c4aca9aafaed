// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/sightings.hpp"

#include <algorithm>

#include "gateway/vault/context.hpp"

namespace postern::vault {

std::vector<Bytes> digests_of(const Keys& keys, std::uint64_t person, const Payload& payload) {
  constexpr std::size_t kKept = 16;
  Bytes bytes;
  ByteWriter out(bytes);
  // No address begins so: what is hashed here is never taken for one.
  out.text8(std::string_view("\0same-words", 11));
  out.u64(person);
  for (const std::string* text : {&payload.subject, &payload.text, &payload.html, &payload.provider_template}) out.view32(as_bytes(*text));
  for (const auto& [name, value] : payload.parameters) out.view32(as_bytes(value));
  std::vector<Bytes> digests;
  for (const Mac& mac : keys.macs(Purpose::pseudonym, bytes)) digests.emplace_back(mac.begin(), mac.begin() + kKept);
  wipe(bytes.data(), bytes.size());
  return digests;
}

std::vector<store::SightingRow>& Sightings::rows_of(std::uint64_t person) {
  const auto [place, fresh] = rows_.try_emplace(person);
  if (fresh) {
    Result<std::vector<store::SightingRow>> rows = store_.sightings(person);
    if (rows) place->second = std::move(*rows);
    else failure_ = rows.what();
  }
  return place->second;
}

Sightings::Of Sightings::of(std::uint64_t person, MessageKey message) {
  Of found;
  for (const store::SightingRow& row : rows_of(person)) {
    if (row.key == message) found.counted = true;
    else found.others.push_back({row.at_ms, row.category, row.client, row.weight});
  }
  return found;
}

std::optional<TimeMs> Sightings::last_same(std::uint64_t person, MessageKey message, const std::vector<Bytes>& digests) {
  std::optional<TimeMs> last;
  for (const store::SightingRow& row : rows_of(person))
    if (row.key != message && !row.digest.empty() && std::ranges::find(digests, row.digest) != digests.end()) last = std::max(last.value_or(0), row.at_ms);
  return last;
}

void Sightings::add(const store::SightingRow& row, std::int64_t memory_ms, store::Batch& batch) {
  std::vector<store::SightingRow>& rows = rows_of(row.person);
  if (std::ranges::find(rows, row.key, &store::SightingRow::key) != rows.end()) return;
  const auto old = std::ranges::stable_partition(rows, [&](const store::SightingRow& r) { return r.at_ms >= row.at_ms - memory_ms; });
  for (const store::SightingRow& gone : old) {
    // One of this very turn is not in the store yet.
    if (std::erase_if(batch.sightings, [&](const store::SightingRow& r) { return r.person == gone.person && r.key == gone.key; }) == 0)
      batch.dropped_sightings.push_back(gone);
  }
  rows.erase(old.begin(), rows.end());
  rows.push_back(row);
  batch.sightings.push_back(row);
}

}  // namespace postern::vault
