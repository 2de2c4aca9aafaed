// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/sightings.hpp"

#include <algorithm>

namespace postern::vault {

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
