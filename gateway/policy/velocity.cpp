// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/velocity.hpp"

#include <algorithm>
#include <limits>

namespace postern::policy {
namespace {

constexpr std::uint64_t kMicro = 1'000'000;
constexpr std::size_t kMostDigits = 15;

// ITU-T E.164 list of country codes: zones 1 and 7 have one digit, these have two, all others three.
std::size_t country_digits(std::string_view digits) {
  constexpr std::string_view kTwo = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 "
                                    "81 82 84 86 90 91 92 93 94 95 98";
  if (digits.starts_with('1') || digits.starts_with('7')) return 1;
  for (std::size_t i = 0; i < kTwo.size(); i += 3)
    if (digits.starts_with(kTwo.substr(i, 2))) return 2;
  return 3;
}

}  // namespace

Result<Velocity> Velocity::make(const VelocityRules& rules) {
  constexpr std::int64_t kDayMs = 86'400'000, kMostMs = 366 * kDayMs;
  const auto wrong = [](const char* why) { return fail("velocity: " + std::string(why)); };
  if (rules.digits > kMostDigits || (rules.whole_prefix && rules.digits == 0)) return wrong("digits must be 0 to 15, and 1 to 15 where they are the whole prefix");
  if (rules.window_ms < 12'000 || rules.window_ms > 7 * kDayMs) return wrong("the window must be 12 seconds to 7 days");
  if (rules.limit < 1) return wrong("the limit must be 1 or more; 0 would stop everything");
  if (rules.factor_percent < 100 || rules.factor_percent > 10'000)
    return wrong("the factor must be 100 to 10000 percent; below 100 what is usual would be stopped");
  if (rules.usual_ms < 10 * rules.window_ms || rules.usual_ms > kMostMs) return wrong("what is usual must be learned over 10 windows to 366 days");
  if (rules.cool_down_ms < 1000 || rules.cool_down_ms > kMostMs) return wrong("the cool-down must be 1 second to 366 days");
  if (rules.least_confirmed > 1000) return wrong("the confirmed share must be 0 to 1000 permille");
  if (rules.least_samples < 1) return wrong("the share needs 1 sample or more");
  if (rules.answer_ms < 0 || rules.answer_ms > rules.window_ms - rules.window_ms / kSlices)
    return wrong("the time to answer must be shorter than 11 of 12 parts of the window");
  if (rules.prefixes < 1 || rules.prefixes > 1'000'000) return wrong("prefixes must be 1 to 1000000");
  return Velocity(rules);
}

std::string Velocity::prefix_of(std::string_view number) const {
  if (number.starts_with('+')) number.remove_prefix(1);
  const std::size_t size = rules_.digits + (rules_.whole_prefix ? 0 : country_digits(number));
  return std::string(number.substr(0, std::min(size, kMostDigits)));
}

Velocity::Prefix& Velocity::at(std::string prefix, TimeMs now) {
  if (const auto found = places_.find(prefix); found != places_.end()) {
    prefixes_.splice(prefixes_.begin(), prefixes_, found->second);
    return prefixes_.front();
  }
  if (places_.size() == rules_.prefixes) {
    places_.erase(prefixes_.back().digits);
    prefixes_.pop_back();
  }
  prefixes_.emplace_front();
  prefixes_.front().digits = prefix;
  prefixes_.front().learned = now / rules_.window_ms;
  places_.emplace(std::move(prefix), prefixes_.begin());
  return prefixes_.front();
}

Velocity::Slice& Velocity::slice(Prefix& prefix, TimeMs now) const {
  const std::int64_t number = now / (rules_.window_ms / kSlices);
  Slice& slice = prefix.slices[static_cast<std::size_t>(number % kSlices)];
  if (slice.number != number) slice = {number, 0, 0, 0};
  return slice;
}

// Takes whole windows that are over into the usual count: each moves it by its part of the time it is learned over.
void Velocity::learn(Prefix& prefix, TimeMs now) const {
  const std::int64_t window = now / rules_.window_ms;
  const auto share = static_cast<std::uint64_t>(rules_.usual_ms / rules_.window_ms);
  std::int64_t idle = window - prefix.learned;
  if (idle <= 0) return;
  prefix.usual_micro = prefix.usual_micro - prefix.usual_micro / share + prefix.pending * kMicro / share;
  prefix.pending = 0;
  prefix.learned = window;
  // After forty times that time nothing of it is left.
  if (idle > static_cast<std::int64_t>(share) * 40) prefix.usual_micro = 0;
  for (; idle > 1 && prefix.usual_micro >= share; --idle) prefix.usual_micro -= prefix.usual_micro / share;
}

std::uint32_t Velocity::allowance(const Prefix& prefix) const {
  const std::uint64_t over = prefix.usual_micro / 100 * rules_.factor_percent / kMicro;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(over, rules_.limit, std::numeric_limits<std::uint32_t>::max()));
}

Velocity::Why Velocity::judged(const Prefix& prefix, TimeMs now) const {
  const std::int64_t length = rules_.window_ms / kSlices, current = now / length;
  std::uint64_t asked = 0, answerable = 0, answered = 0;
  for (const Slice& slice : prefix.slices) {
    if (slice.number <= current - kSlices || slice.number > current) continue;
    asked += slice.asked;
    // Only of slices whose every customer has had the time to answer.
    if ((slice.number + 1) * length + rules_.answer_ms > now) continue;
    answerable += slice.let;
    answered += slice.confirmed;
  }
  if (asked > allowance(prefix)) return Why::too_many;
  if (rules_.least_confirmed > 0 && answerable >= rules_.least_samples && answered * 1000 < answerable * rules_.least_confirmed) return Why::not_confirmed;
  return Why::fine;
}

// As many as before still ask for it: closed for another cool-down. Otherwise it is judged anew from here.
void Velocity::end_cool_down(Prefix& prefix, TimeMs now) const {
  if (prefix.closed_until == 0 || prefix.closed_until > now) return;
  if (judged(prefix, now) == Why::too_many) {
    prefix.closed_until = now + rules_.cool_down_ms;
    return;
  }
  prefix.closed_until = 0;
  for (Slice& each : prefix.slices) each.let = each.confirmed = 0;
}

Velocity::Verdict Velocity::look(std::string_view prefix, TimeMs now) {
  now = latest_ = std::max(now, latest_);
  const auto found = places_.find(std::string(prefix));
  if (found == places_.end()) return {};
  end_cool_down(*found->second, now);
  Verdict verdict;
  verdict.closed_until = found->second->closed_until;
  if (verdict.closed_until != 0) verdict.why = found->second->why;
  return verdict;
}

Velocity::Verdict Velocity::peek(std::string_view number, TimeMs now) const {
  Verdict verdict;
  const auto found = places_.find(prefix_of(number));
  if (found == places_.end() || found->second->closed_until <= std::max(now, latest_)) return verdict;
  verdict.closed_until = found->second->closed_until;
  verdict.why = found->second->why;
  return verdict;
}

Velocity::Verdict Velocity::submit(std::string_view number, TimeMs now) {
  now = latest_ = std::max(now, latest_);
  Prefix& prefix = at(prefix_of(number), now);
  learn(prefix, now);
  Slice& here = slice(prefix, now);
  ++here.asked;
  Verdict verdict;
  end_cool_down(prefix, now);
  if (prefix.closed_until != 0) {
    verdict.why = prefix.why;
  } else if (verdict.why = judged(prefix, now); verdict.why == Why::fine) {
    ++here.let;
    ++prefix.pending;
  } else {
    prefix.why = verdict.why;
    prefix.closed_until = now + rules_.cool_down_ms;
    verdict.tripped_now = true;
  }
  const std::int64_t current = now / (rules_.window_ms / kSlices);
  for (const Slice& each : prefix.slices)
    if (each.number > current - kSlices && each.number <= current) verdict.count += each.asked;
  verdict.allowance = allowance(prefix);
  verdict.closed_until = prefix.closed_until;
  return verdict;
}

void Velocity::confirmed(std::string_view number, TimeMs sent_ms, TimeMs now) {
  latest_ = std::max(now, latest_);
  const auto found = places_.find(prefix_of(number));
  if (found == places_.end() || sent_ms < 0) return;
  const std::int64_t sent = sent_ms / (rules_.window_ms / kSlices);
  Slice& slice = found->second->slices[static_cast<std::size_t>(sent % kSlices)];
  if (slice.number == sent && slice.confirmed < slice.let) ++slice.confirmed;
}

std::vector<Velocity::Usual> Velocity::usual() const {
  std::vector<Usual> all;
  for (const Prefix& prefix : prefixes_)
    all.push_back({prefix.digits, static_cast<std::uint32_t>(std::min<std::uint64_t>(prefix.usual_micro / 1000, std::numeric_limits<std::uint32_t>::max())),
                   prefix.closed_until, prefix.why});
  std::ranges::sort(all, {}, &Usual::prefix);
  return all;
}

void Velocity::remember(const Usual& usual, TimeMs now) {
  now = latest_ = std::max(now, latest_);
  Prefix& prefix = at(usual.prefix.substr(0, kMostDigits), now);
  prefix.usual_micro = std::uint64_t{usual.per_window_milli} * 1000;
  // A cool-down is never longer than the rule now says, whatever an older rule or a wrong clock has written.
  prefix.closed_until = std::min(usual.closed_until, now + rules_.cool_down_ms);
  prefix.why = usual.why;
}

}  // namespace postern::policy
