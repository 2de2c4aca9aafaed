// SPDX-License-Identifier: Apache-2.0
// Purpose: answers what sources and administrators ask of a customer: shows, keeps and drops addresses and preferences, and takes one more
// statement of what the customer agrees to. Every change is a leaf that is sealed to the person. Used by: gateway/vault, gateway/control.
// Threads: one. Errors: BAD_REQUEST with problems; NOT_FOUND when nothing is known of the customer; the turn's.
#pragma once

#include "gateway/vault/turn.hpp"
#include "connectors/protocol/wire.pb.h"

namespace postern::vault {

void answer_recipient(Turn& turn, Context& context, const wire::RecipientAsk& ask, ClientId client, wire::Answer& answer);

}  // namespace postern::vault
