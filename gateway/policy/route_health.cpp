// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/route_health.hpp"

#include <algorithm>
#include <bit>

namespace postern::policy {
namespace {

constexpr std::int64_t kLongestMs = 3'600'000;
constexpr std::int64_t kPatience = 12;  // holds

// splitmix64: neighbouring numbers are spread evenly.
std::uint64_t mixed(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Result<RouteHealth> RouteHealth::make(const RouteRules& rules) {
  constexpr std::int64_t kDay = 86'400'000;
  if (rules.window_ms < 10'000 || rules.window_ms > kDay) return fail("route health: the window must be 10 seconds to 1 day");
  if (rules.least_samples < 1) return fail("route health: 1 sample or more is needed to judge a route");
  if (rules.least_probes < 1) return fail("route health: 1 probe or more is needed to raise a route");
  if (rules.most_failed < 1 || rules.most_failed > 1000) return fail("route health: the share of failures must be 1 to 1000 permille");
  if (rules.slowest_p90_ms < 0 || rules.slowest_p90_ms >= kLongestMs) return fail("route health: the slowest receipts must be below 1 hour; 0 asks for none");
  if (rules.hold_ms < 1000 || rules.hold_ms > kDay) return fail("route health: a step must be held 1 second to 1 day");
  if (rules.longest_hold_ms < rules.hold_ms || rules.longest_hold_ms > 7 * kDay) return fail("route health: the longest hold must be the hold to 7 days");
  return RouteHealth(rules);
}

// Eight buckets for each doubling: 0..15 ms exactly, then to an eighth.
std::size_t RouteHealth::bucket_of(std::int64_t latency_ms) {
  const auto ms = static_cast<std::uint64_t>(std::clamp<std::int64_t>(latency_ms, 0, kLongestMs));
  if (ms < 16) return static_cast<std::size_t>(ms);
  const auto doublings = static_cast<std::size_t>(std::bit_width(ms)) - 4;
  return 8 * doublings + static_cast<std::size_t>(ms >> doublings);
}

// The longest latency that falls into it.
std::int64_t RouteHealth::longest_of(std::size_t bucket) {
  if (bucket < 16) return static_cast<std::int64_t>(bucket);
  const std::size_t doublings = bucket / 8 - 1;
  return static_cast<std::int64_t>(((bucket % 8 + 9) << doublings) - 1);
}

std::int64_t RouteHealth::p90(const std::array<std::uint64_t, kBuckets>& counts, std::uint64_t all) {
  if (all == 0) return 0;
  const std::uint64_t rank = all - all / 10;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i)
    if ((below += counts[i]) >= rank) return longest_of(i);
  return kLongestMs;
}

RouteHealth::Slice* RouteHealth::counted(TimeMs handed_ms, bool failed, TimeMs now) {
  now = latest_ = std::max(now, latest_);
  if (handed_ms < since_) return nullptr;
  ++(failed ? failed_ : good_);
  const std::int64_t number = now / (rules_.window_ms / kSlices);
  Slice& slice = slices_[static_cast<std::size_t>(number % kSlices)];
  if (slice.number != number) {
    slice = Slice{};
    slice.number = number;
  }
  return &slice;
}

void RouteHealth::answered(TimeMs handed_ms, bool failed, TimeMs now) {
  Slice* here = counted(handed_ms, failed, now);
  if (here == nullptr) return;
  if (failed) ++here->answers_failed;
  else ++here->answers[bucket_of(latest_ - handed_ms)];
}

void RouteHealth::receipt(TimeMs handed_ms, bool failed, TimeMs now) {
  Slice* here = counted(handed_ms, failed, now);
  if (here == nullptr) return;
  if (failed) ++here->receipts_failed;
  else ++here->receipts[bucket_of(latest_ - handed_ms)];
}

RouteHealth::Facts RouteHealth::facts(TimeMs now) const {
  const std::int64_t current = std::max(now, latest_) / (rules_.window_ms / kSlices);
  std::array<std::uint64_t, kBuckets> answers{}, receipts{};
  Facts facts;
  for (const Slice& slice : slices_) {
    if (slice.number <= current - kSlices || slice.number > current) continue;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      answers[i] += slice.answers[i];
      receipts[i] += slice.receipts[i];
      facts.answers += slice.answers[i];
      facts.receipts += slice.receipts[i];
    }
    facts.failed += slice.answers_failed + slice.receipts_failed;
  }
  facts.answer_p90_ms = p90(answers, facts.answers);
  facts.receipt_p90_ms = p90(receipts, facts.receipts);
  return facts;
}

void RouteHealth::move_to(std::size_t step, TimeMs now) {
  step_ = step;
  since_ = now;
  good_ = failed_ = 0;
  std::ranges::fill(slices_, Slice{});
}

RouteHealth::Judgement RouteHealth::judge(TimeMs now) {
  now = latest_ = std::max(now, latest_);
  const bool full = step_ + 1 == kSteps.size();
  const Facts seen = facts(now);
  const std::uint64_t all = seen.answers + seen.receipts + seen.failed;
  // On the way back a few probes are all there is to judge by, and they may be further apart than a window.
  const std::uint64_t enough = full ? rules_.least_samples : rules_.least_probes, probes = good_ + failed_;
  const bool failing = (all >= enough && seen.failed * 1000 > all * rules_.most_failed) ||
                       (!full && probes >= enough && failed_ * 1000 > probes * rules_.most_failed);
  const bool slow = rules_.slowest_p90_ms > 0 && seen.receipts >= enough && seen.receipt_p90_ms > rules_.slowest_p90_ms;
  if (failing || slow) {
    // Falling from a higher step of the way back, or soon after it, doubles the holds of the next way; staying down does not.
    const bool lower = step_ != 0, again = since_ != 0 && now - since_ < 4 * hold_ms_;
    if (lower) hold_ms_ = again ? std::min(hold_ms_ * 2, rules_.longest_hold_ms) : rules_.hold_ms;
    move_to(0, now);
    return {lower, {share(), failing ? Why::failing : Why::slow}};
  }
  if (full || now - since_ < hold_ms_) return {};
  if (good_ < rules_.least_probes && (failed_ > 0 || now - since_ < kPatience * hold_ms_)) return {};
  // Between half of what is allowed and all of it nothing changes, or it would soon fall again.
  if (failed_ * 2000 > probes * rules_.most_failed) return {};
  move_to(step_ + 1, now);
  return {true, {share(), Why::fine}};
}

bool RouteHealth::takes(std::uint64_t message_number) const { return mixed(message_number) % 1000 < share(); }

}  // namespace postern::policy
