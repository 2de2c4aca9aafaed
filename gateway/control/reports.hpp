// SPDX-License-Identifier: Apache-2.0
// Purpose: what administrators read: a message's trace, messages of an address, connectors, numbers.
// Used by: posternd. Threads: one. Nothing here shows a message's text or a whole address; each look
// at a message leaves an `admin-read` leaf with the administrator's name.
#pragma once

#include <string>
#include <vector>

#include "gateway/control/control.pb.h"
#include "gateway/vault/vault.hpp"

namespace postern::reports {

// A message by its id, its leaves (the newest thousand, oldest first), and how both are shown.
Result<const Flight*> flight_of(vault::Turn& turn, const std::string& id);
Result<std::vector<audit::Leaf>> leaves_of(const vault::Context& context, const Flight& flight);
control::TraceHead head_of(const vault::Context& context, const Flight& flight);
control::TraceLine line_of(vault::Turn& turn, const vault::Context& context, const Flight& flight, const audit::Leaf& leaf);
std::string name_after_colon(const std::string& name);

void trace(vault::Turn& turn, vault::Context& context, const std::string& id, const std::string& actor, control::Reply& reply);

// Whether the message committed to this text at its acceptance.
void check_text(vault::Turn& turn, vault::Context& context, const control::CheckText& ask, const std::string& actor, control::Reply& reply);

// One page of a search through all flights: reads at most some thousands, so that it never holds up
// the vault; `after` tells where to go on.
void find(vault::Turn& turn, vault::Context& context, const control::Find& ask, const std::string& actor, control::Reply& reply);

// One page of a report, as find() reads.
void report(vault::Turn& turn, vault::Context& context, const control::ReportAsk& ask, const std::string& actor, control::Reply& reply);

void connectors(vault::Vault& vault, control::Reply& reply);
void number(const vault::Context& context, const std::string& digits, control::Reply& reply);
void fill(const numbers::IndexFacts& facts, control::NumbersFacts& out);

}  // namespace postern::reports
