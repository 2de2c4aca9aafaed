// SPDX-License-Identifier: Apache-2.0
// Purpose: the rehearsal of a policy as an administrator asks for it: reads the candidate, runs piece after piece, tells the result.
// One at a time. Used by: posternd. Threads: one. Ownership: owns the rehearsal under way. Errors: in the reply; of a candidate every
// fault with file:line:column.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gateway/control/control.pb.h"
#include "gateway/vault/policy_rehearsal.hpp"

namespace postern {

class Rehearsals {
 public:
  // Commits a turn of its own.
  using InTurn = std::function<Status(const std::function<void(vault::Turn&)>&)>;

  // `folder` is posternd's, where the lists of a candidate are looked for while no policy is in force.
  void answer(vault::Context& context, TimeMs now, const std::string& folder, const control::RehearsalAsk& ask, const std::string& actor, const InTurn& in_turn,
              control::Reply& reply);
  bool busy() const { return rehearsal_ != nullptr; }
  // Its tool asks no more, or the vault is locked.
  void drop() { rehearsal_.reset(); }

 private:
  void begin(vault::Context& context, TimeMs now, const std::string& folder, const control::RehearsalBegin& ask, const std::string& actor, const InTurn& in_turn,
             control::Reply& reply);
  void next(const InTurn& in_turn, control::Reply& reply);

  std::unique_ptr<vault::PolicyRehearsal> rehearsal_;
  std::string actor_, candidate_, policy_;
  std::uint64_t number_ = 0;
};

}  // namespace postern
