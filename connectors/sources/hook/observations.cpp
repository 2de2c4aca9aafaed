// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/observations.hpp"

#include <utility>

namespace postern::hook {
namespace {

constexpr std::size_t kMaxKinds = 32;

}  // namespace

void Observations::saw(wire::Observation::Kind kind, const std::string& reason, const std::string& object) {
  if (seen_.empty()) second_.start(std::chrono::seconds(1));
  auto key = std::make_tuple(static_cast<int>(kind), reason, object);
  if (seen_.size() >= kMaxKinds && !seen_.contains(key)) std::get<2>(key).clear();
  ++seen_[std::move(key)];
}

void Observations::flush() {
  second_.stop();
  for (const auto& [key, count] : std::exchange(seen_, {})) {
    wire::Observation observation;
    observation.set_kind(static_cast<wire::Observation::Kind>(std::get<0>(key)));
    observation.set_reason(std::get<1>(key));
    observation.set_object(std::get<2>(key));
    observation.set_count(count);
    tell_(std::move(observation));
  }
}

}  // namespace postern::hook
