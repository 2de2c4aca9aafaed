// SPDX-License-Identifier: Apache-2.0
// Purpose: `postern-sql --dry-run`: what would be claimed, and whether it could be submitted, without
// changing anything (the session is read-only). Used by: main(). Threads: one; runs its own loop.
// Errors: exit code 1 when the database or the table is not usable, with the reason. Limits: kShownRows.
#pragma once

#include "connectors/sources/sql/settings.hpp"

namespace postern::sql {

inline constexpr int kShownRows = 20;

// Prints to standard output; numbers and addresses are masked. Returns the exit code.
int dry_run(const Settings& settings);

}  // namespace postern::sql
