// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/prefix_guard.hpp"

#include <algorithm>

#include "connectors/protocol/log.hpp"

namespace postern::vault {
namespace {

constexpr TimeMs kKeepEvery = 600'000;
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kMostDigits = 15;

std::string_view word_of(policy::Velocity::Why why) { return why == policy::Velocity::Why::not_confirmed ? "too few of the codes were used" : "more than usual"; }

// The first number of each prefix.
std::vector<std::size_t> one_of_each_prefix(const policy::Velocity& velocity, const PrefixGuard::Numbers& numbers) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (std::ranges::none_of(found, [&](std::size_t j) { return velocity.prefix_of(numbers[j]) == velocity.prefix_of(numbers[i]); })) found.push_back(i);
  return found;
}

// The one that is closed longest is told.
void add(std::optional<PrefixGuard::Closed>& closed, TimeMs until, std::size_t number) {
  if (!closed || until > closed->until) closed = PrefixGuard::Closed{until, number};
}

}  // namespace

Bytes encode(const std::vector<KeptGuard>& guards) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(kFormat);
  out.u8(static_cast<std::uint8_t>(guards.size()));
  for (const KeptGuard& guard : guards) {
    out.u8(guard.digits);
    out.u8(guard.whole_prefix ? 1 : 0);
    out.u32(static_cast<std::uint32_t>(guard.usual.size()));
    for (const policy::Velocity::Usual& each : guard.usual) {
      out.text8(each.prefix);
      out.u32(each.per_window_milli);
      out.i64(each.closed_until);
      out.u8(static_cast<std::uint8_t>(each.why));
    }
  }
  return bytes;
}

std::optional<std::vector<KeptGuard>> decode_kept_guards(ByteView bytes) {
  ByteReader in(bytes);
  if (in.u8() != kFormat) return std::nullopt;
  std::vector<KeptGuard> guards;
  const std::size_t count = in.u8();
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    KeptGuard& guard = guards.emplace_back();
    guard.digits = in.u8();
    guard.whole_prefix = in.u8() != 0;
    const std::uint32_t prefixes = in.u32();
    for (std::uint32_t p = 0; p < prefixes && in.ok(); ++p) {
      policy::Velocity::Usual each;
      each.prefix = in.text8();
      each.per_window_milli = in.u32();
      each.closed_until = in.i64();
      const std::uint8_t why = in.u8();
      const bool digits = !each.prefix.empty() && each.prefix.size() <= kMostDigits && each.prefix.find_first_not_of("0123456789") == std::string::npos;
      if (!in.ok() || !digits || each.closed_until < 0 || why < 1 || why > 3) return std::nullopt;
      each.why = static_cast<policy::Velocity::Why>(why);
      guard.usual.push_back(std::move(each));
    }
  }
  if (!in.finish()) return std::nullopt;
  return guards;
}

// The first time, and whenever another configuration is in force: what was learned stays where prefixes are as long as before.
void PrefixGuard::configure(TimeMs now) {
  if (of_ == context_.config) return;
  std::vector<KeptGuard> known;
  if (of_ != nullptr) {
    known = learned();
  } else if (const Result<std::optional<Bytes>> kept = context_.store.kept(store::Kept::velocity); kept && *kept) {
    std::optional<std::vector<KeptGuard>> decoded = decode_kept_guards(**kept);
    if (decoded) known = std::move(*decoded);
    else log::error("velocity.damaged", "what was usual for each prefix cannot be read; it is learned anew");
  } else if (!kept) {
    log::error("velocity.damaged", "{}; what is usual for each prefix is learned anew", kept.what());
  }
  of_ = context_.config;
  guards_.clear();
  keep_ms_ = now + kKeepEvery;
  for (const config::VelocityGuard& settings : of_->velocity) {
    Result<policy::Velocity> velocity = policy::Velocity::make(settings.rules);
    if (!velocity) continue;   // the configuration has asked the same
    Guard guard{settings, std::move(*velocity), {}, {}, {}};
    for (const KeptGuard& old : known) {
      if (old.digits != settings.rules.digits || old.whole_prefix != settings.rules.whole_prefix) continue;
      for (const policy::Velocity::Usual& each : old.usual) {
        guard.velocity.remember(each, now);
        if (each.closed_until != 0) guard.closed.emplace(each.prefix, each.closed_until);
      }
    }
    guards_.push_back(std::move(guard));
  }
}

std::vector<KeptGuard> PrefixGuard::learned() const {
  std::vector<KeptGuard> all;
  for (const Guard& guard : guards_) all.push_back({guard.settings.rules.digits, guard.settings.rules.whole_prefix, guard.velocity.usual()});
  return all;
}

std::optional<PrefixGuard::Closed> PrefixGuard::submit(Turn& turn, Category category, const Numbers& numbers) {
  configure(turn.now());
  std::optional<Closed> closed;
  for (Guard& guard : guards_) {
    if ((guard.settings.categories & policy::mask_of(category)) == 0) continue;
    for (const std::size_t i : one_of_each_prefix(guard.velocity, numbers)) {
      const policy::Velocity::Verdict verdict = guard.velocity.submit(numbers[i], turn.now());
      if (verdict.why == policy::Velocity::Why::fine) continue;
      add(closed, verdict.closed_until, i);
      const std::string prefix = guard.velocity.prefix_of(numbers[i]);
      if (guard.closed.contains(prefix) || std::ranges::find(guard.closing, prefix) != guard.closing.end()) continue;
      guard.closing.push_back(prefix);
      keep_ms_ = 0;
      const std::string why(word_of(verdict.why));
      turn.leaf(EventType::prefix_closed, {{audit::Field::reason, prefix}, {audit::Field::count, std::to_string(verdict.count)}, {audit::Field::text, why}});
      log::warning("velocity.prefix-closed", "{} for {}: {} asked for in a window of {} allowed, {}", prefix, name_of(category), verdict.count, verdict.allowance, why);
      ++context_.metrics.prefixes_closed;
    }
  }
  if (closed) ++context_.metrics.prefix_refusals;
  return closed;
}

std::optional<PrefixGuard::Closed> PrefixGuard::closed(Category category, const Numbers& numbers, TimeMs now) {
  configure(now);
  std::optional<Closed> closed;
  for (const Guard& guard : guards_) {
    if ((guard.settings.categories & policy::mask_of(category)) == 0) continue;
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if (const policy::Velocity::Verdict verdict = guard.velocity.peek(numbers[i], now); verdict.why != policy::Velocity::Why::fine) add(closed, verdict.closed_until, i);
  }
  return closed;
}

void PrefixGuard::accepted(MessageKey key, Category category, const Numbers& numbers, TimeMs now) {
  const Guard* finest = nullptr;   // whose prefixes are longest
  for (const Guard& guard : guards_) {
    if (guard.settings.confirmed_by.empty() || (guard.settings.categories & policy::mask_of(category)) == 0 || numbers.empty()) continue;
    if (finest == nullptr || guard.velocity.prefix_of(numbers.front()).size() > finest->velocity.prefix_of(numbers.front()).size()) finest = &guard;
  }
  if (finest == nullptr) return;
  Sent sent{now, {}};
  for (const std::size_t i : one_of_each_prefix(finest->velocity, numbers)) sent.numbers.push_back(finest->velocity.prefix_of(numbers[i]));
  if (recent_order_.size() == kMostRecent) {
    recent_.erase(recent_order_.front());
    recent_order_.pop_front();
  }
  recent_.emplace(key, std::move(sent));
  recent_order_.push_back(key);
}

void PrefixGuard::told(const std::string& event, MessageKey key, TimeMs now) {
  const auto sent = recent_.find(key);
  if (sent == recent_.end()) return;
  for (Guard& guard : guards_) {
    if (guard.settings.confirmed_by != event) continue;
    for (const std::size_t i : one_of_each_prefix(guard.velocity, sent->second.numbers)) guard.velocity.confirmed(sent->second.numbers[i], sent->second.at_ms, now);
  }
  recent_.erase(sent);   // a code is used once
}

void PrefixGuard::run(Turn& turn) {
  configure(turn.now());
  for (Guard& guard : guards_) {
    for (auto& [prefix, until] : guard.closed) {
      if (until > turn.now()) continue;
      const policy::Velocity::Verdict verdict = guard.velocity.look(prefix, turn.now());
      if (verdict.why != policy::Velocity::Why::fine) {
        until = verdict.closed_until;
        continue;
      }
      guard.opening.push_back(prefix);
      keep_ms_ = 0;
      turn.leaf(EventType::prefix_opened, {{audit::Field::reason, prefix}});
      log::info("velocity.prefix-opened", "{}", prefix);
    }
  }
  if (guards_.empty() || keep_ms_ > turn.now()) return;
  keep_ms_ = turn.now() + kKeepEvery;
  turn.batch().kept.emplace_back(store::Kept::velocity, encode(learned()));
}

TimeMs PrefixGuard::next_wake() const {
  TimeMs wake = 0;
  for (const Guard& guard : guards_)
    for (const auto& [prefix, until] : guard.closed) wake = wake == 0 ? until : std::min(wake, until);
  return wake;
}

std::size_t PrefixGuard::closed_count() const {
  std::size_t count = 0;
  for (const Guard& guard : guards_) count += guard.closed.size();
  return count;
}

// What a failed turn would have told is told by the next one.
void PrefixGuard::turn_over(bool committed) {
  if (!committed) keep_ms_ = 0;
  for (Guard& guard : guards_) {
    if (committed) {
      for (const std::string& prefix : guard.closing) guard.closed[prefix] = guard.velocity.look(prefix, 0).closed_until;
      for (const std::string& prefix : guard.opening) guard.closed.erase(prefix);
    }
    guard.closing.clear();
    guard.opening.clear();
  }
}

}  // namespace postern::vault
