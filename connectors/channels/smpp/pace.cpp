// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/pace.hpp"

#include <algorithm>
#include <cmath>

namespace postern::smpp {
namespace {

constexpr double kLeastShare = 1.0 / 64;  // of the configured rate, after many refusals
constexpr double kGrowthPerSecond = 1.0 / 20;
constexpr double kBurstSeconds = 0.05;
constexpr std::int64_t kStep = 1000;

}  // namespace

Pace::Pace(std::uint32_t per_second) : most_(per_second), rate_(per_second), tokens_(least(/*urgent=*/false)) {}

void Pace::refill(std::int64_t now) {
  if (!started_) {
    started_ = true;
    filled_at_ = changed_at_ = now;
  }
  if (rate_ < most_ && now - changed_at_ >= kStep) {
    const double seconds = static_cast<double>(now - changed_at_) / 1000;
    rate_ = std::min(most_, rate_ + std::max(1.0, most_ * kGrowthPerSecond) * seconds);
    changed_at_ = now;
  }
  const double earned = static_cast<double>(std::max<std::int64_t>(0, now - filled_at_)) * rate_ / 1000;
  tokens_ = std::min(most_tokens(), tokens_ + earned);
  filled_at_ = now;
}

double Pace::most_tokens() const { return std::max(1.0, rate_ * kBurstSeconds); }

double Pace::least(bool urgent) const { return urgent ? 1 : 1 + std::floor(most_tokens() / 2); }

bool Pace::take(std::int64_t now, bool urgent) {
  refill(now);
  if (tokens_ < least(urgent)) return false;
  tokens_ -= 1;
  return true;
}

std::int64_t Pace::next(std::int64_t now, bool urgent) {
  refill(now);
  const double missing = least(urgent) - tokens_;
  return missing <= 0 ? now : now + static_cast<std::int64_t>(std::ceil(missing * 1000 / rate_));
}

void Pace::throttled(std::int64_t now) {
  refill(now);
  if (rate_ < most_ && now - changed_at_ < kStep) return;
  rate_ = std::max({rate_ / 2, most_ * kLeastShare, std::min(1.0, most_)});
  tokens_ = std::min(tokens_, 0.0);
  changed_at_ = now;
}

}  // namespace postern::smpp
