// SPDX-License-Identifier: Apache-2.0
// Purpose: gathers what strangers do at the door over a second and tells the vault once, so that they
// cannot make the audit log grow at will. Used by: HookSource. Threads: one loop.
// Limits: 32 different ones a second; what is over joins them without its object.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "connectors/protocol/loop.hpp"
#include "connectors/protocol/wire.pb.h"

namespace postern::hook {

class Observations {
 public:
  Observations(Loop& loop, std::function<void(wire::Observation&&)> tell)
      : tell_(std::move(tell)), second_(loop, [this] { flush(); }) {}

  void saw(wire::Observation::Kind kind, const std::string& reason, const std::string& object);
  void flush();

 private:
  std::function<void(wire::Observation&&)> tell_;
  std::map<std::tuple<int, std::string, std::string>, std::uint32_t> seen_;
  Timer second_;
};

}  // namespace postern::hook
