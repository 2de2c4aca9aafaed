// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/speed.hpp"

#include <algorithm>
#include <utility>

namespace postern::policy {

TimeMs Speed::ask(TimeMs now, TimeMs was_told, TimeMs deadline) {
  forget(now - kKept);
  if (was_told != 0 && was_told <= now && claim(was_told)) return now;
  const std::int64_t slot = std::max(next_, slot_at(now));
  const TimeMs at = time_of(slot);
  if (at <= now) {
    extend(slot, /*promised=*/false);
    return now;
  }
  // Whoever finds no room to be promised anything comes again at that time.
  if (at < deadline && slots_.size() < kMostPromised) extend(slot, /*promised=*/true);
  return at;
}

// Several slots may begin in one millisecond: any that is promised will do.
bool Speed::claim(TimeMs was_told) {
  for (std::int64_t slot = std::min(slot_at(was_told), next_ - 1); slot >= head_ && time_of(slot) == was_told; --slot) {
    bool& promised = slots_[static_cast<std::size_t>(slot - head_)];
    if (std::exchange(promised, false)) return true;
  }
  return false;
}

void Speed::forget(TimeMs before) {
  while (!slots_.empty() && (!slots_.front() || time_of(head_) < before)) {
    slots_.pop_front();
    ++head_;
  }
  if (slots_.empty()) head_ = next_;
}

void Speed::extend(std::int64_t slot, bool promised) {
  if (slots_.empty()) head_ = slot;
  while (head_ + static_cast<std::int64_t>(slots_.size()) < slot) slots_.push_back(false);
  slots_.push_back(promised);
  next_ = slot + 1;
}

}  // namespace postern::policy
