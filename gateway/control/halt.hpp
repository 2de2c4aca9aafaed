// SPDX-License-Identifier: Apache-2.0
// Purpose: what administrators ask of halts: begin, end, list, and who had got what was stopped. Used by: posternd. Threads: one.
// Errors: a sentence in the reply; returned is whether the turn that it took was committed. A report reads some thousands of messages a page, so that it never holds up the vault.
#pragma once

#include <string>

#include "gateway/control/control.pb.h"
#include "gateway/vault/vault.hpp"

namespace postern::reports {

Status halt(vault::Vault& vault, const control::HaltAsk& ask, const std::string& actor, control::Reply& reply);

}  // namespace postern::reports
