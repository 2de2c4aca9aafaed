// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/http_client/pace.hpp"

#include <algorithm>
#include <cmath>

namespace postern::http_client {
namespace {

constexpr std::int64_t kGrowEveryMs = 10'000;
constexpr double kGrowShare = 0.1;

}  // namespace

void Pace::refill(std::int64_t now_ms) {
  if (!started_) {
    started_ = true;
    filled_ms_ = grow_ms_ = now_ms;
  }
  while (rate_ < full_ && now_ms - grow_ms_ >= kGrowEveryMs) {
    grow_ms_ += kGrowEveryMs;
    rate_ = std::min(full_, rate_ + full_ * kGrowShare);
  }
  const std::int64_t from = std::max(filled_ms_, paused_until_ms_);
  if (now_ms <= from) return;
  tokens_ = std::min(burst(), tokens_ + static_cast<double>(now_ms - from) * rate_ / 1000);
  filled_ms_ = now_ms;
}

bool Pace::take(std::int64_t now_ms) {
  refill(now_ms);
  if (now_ms < paused_until_ms_ || tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

std::chrono::milliseconds Pace::wait(std::int64_t now_ms) const {
  const double missing = std::max(0.0, 1 - tokens_);
  const auto refill_ms = static_cast<std::int64_t>(std::ceil(missing * 1000 / rate_));
  return pause_left(now_ms) + std::chrono::milliseconds(std::max<std::int64_t>(1, refill_ms));
}

void Pace::slow_down(std::int64_t now_ms, std::chrono::milliseconds pause) {
  refill(now_ms);
  // Answers to requests that were under way together all say "too fast"; they are one event.
  if (now_ms >= paused_until_ms_) {
    rate_ = std::max(1.0, rate_ / 2);
    grow_ms_ = now_ms;
    tokens_ = 0;
  }
  paused_until_ms_ = std::max(paused_until_ms_, now_ms + pause.count());
}

std::chrono::milliseconds Pace::pause_left(std::int64_t now_ms) const {
  return std::chrono::milliseconds(std::max<std::int64_t>(0, paused_until_ms_ - now_ms));
}

}  // namespace postern::http_client
