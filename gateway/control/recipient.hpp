// SPDX-License-Identifier: Apache-2.0
// Purpose: what administrators see and say of a customer: addresses (masked), preferences, the history of consents; one more consent.
// Used by: posternd. Threads: one. Errors: a sentence in the reply. Every look and every change is a leaf with the administrator's name.
#pragma once

#include <string>

#include "gateway/control/control.pb.h"
#include "gateway/vault/turn.hpp"

namespace postern::reports {

void recipient(vault::Turn& turn, vault::Context& context, const control::RecipientAsk& ask, const std::string& actor, control::Reply& reply);

}  // namespace postern::reports
