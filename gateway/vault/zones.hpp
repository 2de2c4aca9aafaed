// SPDX-License-Identifier: Apache-2.0
// Purpose: time zones by name, each read from the system's database once. Used by: gateway/vault. Threads: one.
// Ownership: owns what it found: at most the database's 600 names. Errors: null for a name that it does not know, which is not kept.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "gateway/policy/zone.hpp"

namespace postern::vault {

class Zones {
 public:
  const policy::Zone* find(std::string_view name) {
    if (const auto known = zones_.find(name); known != zones_.end()) return &known->second;
    Result<policy::Zone> zone = policy::Zone::find(name);
    return zone ? &zones_.emplace(std::string(name), std::move(*zone)).first->second : nullptr;
  }

 private:
  std::map<std::string, policy::Zone, std::less<>> zones_;
};

}  // namespace postern::vault
