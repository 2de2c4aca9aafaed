// SPDX-License-Identifier: Apache-2.0
// Purpose: why each step of a message went, waited or was left out: what the policy was asked then, what it said, what it says to the
// same question now, and what a changed policy would have said. Used by: posternd. Threads: one. A whole address never leaves here;
// each look leaves an `admin-read` leaf. Errors: in the reply, a sentence for a person.
#pragma once

#include <string>

#include "gateway/control/control.pb.h"
#include "gateway/vault/vault.hpp"

namespace postern::reports {

void explain(vault::Turn& turn, vault::Context& context, const control::ExplainAsk& ask, const std::string& actor, control::Reply& reply);

}  // namespace postern::reports
