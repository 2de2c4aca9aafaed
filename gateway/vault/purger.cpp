// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/purger.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>

namespace postern::vault {
namespace {

constexpr std::size_t kPage = 200;

}  // namespace

void Purger::begin(TimeMs now) {
  phase_ = next_ = Phase::flights;
  now_ = now;
  TimeMs shortest = context_.config->rules(Category::otp).keep.count();
  for (const Category category : kCategories) shortest = std::min<TimeMs>(shortest, context_.config->rules(category).keep.count());
  oldest_ = now - shortest;
  after_ = 0;
  place_ = {};
  count_ = counted_ = 0;
}

void Purger::step(Turn& turn) {
  switch (phase_) {
    case Phase::idle: return;
    case Phase::flights: return purge_flights(turn);
    case Phase::orphans: {
      Result<store::Orphans> orphans = context_.store.orphans(place_, oldest_ << 20, kPage);
      if (!orphans) return turn.fail_with(orphans.what());
      turn.batch().purged_orphans = std::move(*orphans);
      if (place_.done) next_ = Phase::idle;
      return;
    }
  }
}

void Purger::purge_flights(Turn& turn) {
  const Result<std::vector<store::FlightRow>> rows = context_.store.scan(after_, kPage);
  if (!rows) return turn.fail_with(rows.what());
  next_ = rows->size() < kPage ? Phase::orphans : Phase::flights;
  std::map<Category, std::uint64_t> gone;
  for (const store::FlightRow& row : *rows) {
    after_ = row.key;
    // In the order of their acceptance: all that follow are younger.
    if (time_of(row.key) > oldest_) {
      next_ = Phase::orphans;
      break;
    }
    if (row.wake_ms != 0 || row.queue.connector != 0) continue;
    const std::optional<Flight> flight = decode_flight(row.key, row.data);
    if (!flight) return turn.fail_with(fmt::format("the state of message key {} is damaged in the store", row.key));
    if (!is_final(flight->state) || flight->ended_ms + context_.config->rules(flight->category).keep.count() > now_) continue;
    purge(turn, *flight);
    ++gone[flight->category];
  }
  if (gone.empty()) return;
  std::uint64_t all = 0;
  std::string text;
  for (const auto& [category, count] : gone) {
    all += count;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name_of(category), count);
  }
  counted_ = all;
  turn.leaf(EventType::purged, {{audit::Field::count, std::to_string(all)}, {audit::Field::text, text}});
}

// Its leaves name each other, back to the first: they tell which events its client was told.
void Purger::purge(Turn& turn, const Flight& flight) {
  for (std::uint64_t cursor = flight.last_leaf; cursor != 0;) {
    const Result<std::vector<Bytes>> found = context_.store.leaves(cursor - 1, 1);
    if (!found) return turn.fail_with(found.what());
    const std::optional<audit::Leaf> leaf = found->empty() ? std::nullopt : audit::decode_leaf(found->front());
    if (!leaf || leaf->before >= cursor) return turn.fail_with(fmt::format("audit leaf {} is damaged in the store", cursor - 1));
    turn.batch().purged_events.emplace_back(flight.client, cursor);
    cursor = leaf->before;
  }
  if (flight.person != 0) turn.batch().dropped_sightings.push_back({flight.person, flight.id.key, 0, flight.category, flight.client, 0});
  turn.purge(flight.id.key);
}

void Purger::turn_over(bool committed) {
  if (phase_ == Phase::idle) return;
  if (!committed) return begin(now_);
  count_ += std::exchange(counted_, 0);
  phase_ = next_;
}

}  // namespace postern::vault
