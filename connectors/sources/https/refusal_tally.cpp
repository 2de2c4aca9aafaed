// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/refusal_tally.hpp"

#include "connectors/protocol/log.hpp"

namespace postern::https {
namespace {

constexpr std::chrono::seconds kSpan{1};

}  // namespace

RefusalTally::RefusalTally(Loop& loop, std::function<bool()> ready, std::function<void(wire::Observation&&)> observe)
    : ready_(std::move(ready)), observe_(std::move(observe)), timer_(loop, [this] { tell(); }) {}

void RefusalTally::count(const HandshakeFailure& failure) {
  ++totals_[failure.reason];
  auto kind = std::make_pair(failure.reason, failure.fingerprint);
  if (kinds_.size() >= kMaxKinds && !kinds_.contains(kind)) kind.second.clear();
  std::uint32_t& number = kinds_[std::move(kind)];
  if (number < UINT32_MAX) ++number;
  if (running_) return;
  running_ = true;
  timer_.start(kSpan);
}

void RefusalTally::finish() {
  if (!running_ || !ready_()) return;
  timer_.stop();
  tell();
}

void RefusalTally::tell() {
  if (!ready_()) return timer_.start(kSpan);
  running_ = false;
  std::uint64_t all = 0;
  for (const auto& [kind, number] : std::exchange(kinds_, {})) {
    wire::Observation observation;
    observation.set_kind(wire::Observation::TLS_REFUSED);
    observation.set_reason(kind.first);
    observation.set_object(kind.second);
    observation.set_count(number);
    observe_(std::move(observation));
    all += number;
    log::debug("https.tls-refused-kind", "{} of {}", kind.first, kind.second.empty() ? "no certificate" : kind.second);
  }
  log::warning("https.tls-refused", "{} TLS connections were refused; the audit log has reasons and certificates", all);
}

}  // namespace postern::https
