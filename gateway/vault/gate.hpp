// SPDX-License-Identifier: Apache-2.0
// Purpose: puts the engine's question about a step to the bank's policy: gathers what the policy decides from, and turns its answer into
// the engine's. Used by: the vault. Threads: one. Errors: a message that cannot be read
// is let through here and ended as damaged where it would be sent.
#pragma once

#include <map>
#include <string>

#include "gateway/policy/speed.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

class Gate {
 public:
  explicit Gate(Context& context) : context_(context) {}

  engine::Decision ask(Turn& turn, const Flight& flight, const Step& step);

 private:
  policy::Speed& speed_of(const policy::SpeedRule& rule);

  Context& context_;
  std::map<std::string, policy::Speed> speeds_;   // by name of the rule; since the start
};

}  // namespace postern::vault
