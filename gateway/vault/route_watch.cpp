// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/route_watch.hpp"

#include <algorithm>

#include "connectors/protocol/log.hpp"

namespace postern::vault {
namespace {

constexpr TimeMs kJudgeEvery = 1000;

static_assert(kMaxAttempts <= 64, "a message's attempts have a bit each");

bool is_news_of_arrival(AttemptState state) { return state == AttemptState::delivered || state == AttemptState::read || state == AttemptState::replied; }

}  // namespace

// Other rules measure anew.
void RouteWatch::configure() {
  if (of_ == context_.config) return;
  if (of_ != nullptr && of_->routes_health != context_.config->routes_health) watched_.clear();
  of_ = context_.config;
}

RouteWatch::Watched* RouteWatch::watched(ConnectorId connector) {
  configure();
  if (!of_->routes_health.measured || connector == 0) return nullptr;
  if (const auto found = watched_.find(connector); found != watched_.end()) return &found->second;
  Result<policy::RouteHealth> health = policy::RouteHealth::make(of_->routes_health.rules);
  if (!health) return nullptr;   // the configuration has asked the same
  return &watched_.emplace(connector, Watched{std::move(*health), {}, {}}).first->second;
}

bool RouteWatch::counts_receipts(const Flight& flight, std::size_t attempt) const {
  const Channel channel = flight.plan[flight.attempts[attempt].step].channel;
  return std::ranges::find(of_->routes_health.receipts, channel) != of_->routes_health.receipts.end();
}

void RouteWatch::result(const Flight& flight, std::size_t attempt, const engine::Result& result, TimeMs now) {
  const Attempt& a = flight.attempts[attempt];
  Watched* w = a.state == AttemptState::handed ? watched(a.connector) : nullptr;
  // A final refusal is the address's or the message's fault and tells nothing of the route.
  if (w == nullptr || result.kind == engine::Result::Kind::refused) return;
  const bool failed = result.kind != engine::Result::Kind::sent;
  w->health.answered(a.handed_ms, failed, now);
  if (failed || !result.receipts || !counts_receipts(flight, attempt) || w->awaited.size() == kMostAwaited) return;
  w->awaited.push_back({flight.id.key, static_cast<std::uint8_t>(attempt), a.handed_ms});
  w->open[flight.id.key] |= 1ULL << attempt;
}

void RouteWatch::receipt(const Flight& flight, std::size_t attempt, AttemptState progress, TimeMs now) {
  if (!is_news_of_arrival(progress) && progress != AttemptState::refused) return;
  const Attempt& a = flight.attempts[attempt];
  Watched* w = watched(a.connector);
  if (w == nullptr) return;
  const auto open = w->open.find(flight.id.key);
  if (open == w->open.end() || (open->second & (1ULL << attempt)) == 0) return;   // known already, or told as lost
  open->second &= ~(1ULL << attempt);
  if (open->second == 0) w->open.erase(open);
  w->health.receipt(a.handed_ms, progress == AttemptState::refused, now);
}

void RouteWatch::run(TimeMs now) {
  configure();
  if (!of_->routes_health.measured || (now >= judged_ms_ && now - judged_ms_ < kJudgeEvery)) return;
  judged_ms_ = now;
  const policy::RouteRules& rules = of_->routes_health.rules;
  // Late is slow; twice as late is lost.
  const TimeMs patience = rules.slowest_p90_ms > 0 ? 2 * rules.slowest_p90_ms : rules.window_ms;
  for (auto& [connector, w] : watched_) {
    for (; !w.awaited.empty(); w.awaited.pop_front()) {
      const Awaited& first = w.awaited.front();
      const auto open = w.open.find(first.key);
      if (open == w.open.end() || (open->second & (1ULL << first.attempt)) == 0) continue;   // its receipt has come
      if (first.handed_ms + patience > now) break;
      open->second &= ~(1ULL << first.attempt);
      if (open->second == 0) w.open.erase(open);
      w.health.receipt(first.handed_ms, /*failed=*/true, now);
    }
    const policy::RouteHealth::Judgement judged = w.health.judge(now);
    if (!judged.changed) continue;
    const std::string& name = context_.names.name(connector);
    if (judged.change.why == policy::RouteHealth::Why::fine) log::info("route.raised", "{} takes {} of 1000 messages again", name, judged.change.share);
    else
      log::warning("route.demoted", "{} takes {} of 1000 messages now: {}", name, judged.change.share,
                   judged.change.why == policy::RouteHealth::Why::slow ? "its receipts are slow" : "too many of its answers and receipts are failures");
  }
}

bool RouteWatch::has_failed(ConnectorId connector, const Flight& flight) {
  return std::ranges::any_of(flight.attempts, [&](const Attempt& a) {
    return a.connector == connector && (a.state == AttemptState::refused || a.state == AttemptState::unknown);
  });
}

bool RouteWatch::takes(ConnectorId connector, const Flight& flight) const {
  const auto found = watched_.find(connector);
  if (found == watched_.end() || found->second.health.share() == 1000) return true;
  return !has_failed(connector, flight) && found->second.health.takes(static_cast<std::uint64_t>(flight.id.key));
}

std::uint16_t RouteWatch::share(ConnectorId connector) const {
  const auto found = watched_.find(connector);
  return found == watched_.end() ? 1000 : found->second.health.share();
}

}  // namespace postern::vault
