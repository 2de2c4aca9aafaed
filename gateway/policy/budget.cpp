// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/budget.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace postern::policy {
namespace {

// The instant from which something sent at `at` no longer counts.
TimeMs free_from(const Cap& cap, TimeMs at, const Zone& zone) {
  switch (cap.period) {
    case Period::rolling: return at > std::numeric_limits<TimeMs>::max() - cap.rolling_ms ? std::numeric_limits<TimeMs>::max() : at + cap.rolling_ms;
    case Period::day: return zone.instant_of({(zone.local_of(at).day() + 1) * kDayMs});
    case Period::week: {
      const Local local = zone.local_of(at);
      return zone.instant_of({(local.day() - local.weekday() + 7) * kDayMs});
    }
  }
  return at;
}

}  // namespace

Verdict allowed_at(const Cap& cap, std::span<const Sighting> sent, Category category, std::uint32_t weight, TimeMs now, const Zone& zone) {
  struct Load {
    TimeMs free_from;
    std::uint32_t weight;
  };
  std::vector<Load> loads;
  Verdict verdict{true, now, 0, cap.limit};
  for (const Sighting& sighting : sent) {
    if ((cap.categories & mask_of(sighting.category)) == 0) continue;
    const TimeMs until = free_from(cap, sighting.at_ms, zone);
    if (until <= now) continue;
    loads.push_back({until, sighting.weight});
    verdict.used += sighting.weight;
  }
  if ((cap.categories & mask_of(category)) == 0) return verdict;
  if (weight > cap.limit) return {false, 0, verdict.used, cap.limit};
  // What ends first makes room first.
  std::ranges::sort(loads, {}, &Load::free_from);
  std::uint64_t left = verdict.used;
  for (std::size_t i = 0; left + weight > cap.limit; ++i) {
    left -= loads[i].weight;
    verdict.allowed = false;
    verdict.at_ms = loads[i].free_from;
  }
  return verdict;
}

Decision allowed_at(std::span<const Cap> caps, std::span<const Sighting> sent, Category category, std::uint32_t weight, TimeMs now, const Zone& zone) {
  Decision decision{std::nullopt, {true, now, 0, 0}};
  for (std::size_t i = 0; i < caps.size(); ++i) {
    const Verdict verdict = allowed_at(caps[i], sent, category, weight, now, zone);
    if (verdict.allowed) continue;
    // Never is later than any time.
    const bool later = !decision.cap || (decision.verdict.at_ms != 0 && (verdict.at_ms == 0 || verdict.at_ms > decision.verdict.at_ms));
    if (later) decision = {i, verdict};
  }
  return decision;
}

}  // namespace postern::policy
