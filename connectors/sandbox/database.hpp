// SPDX-License-Identifier: Apache-2.0
// Purpose: the sandbox bank's PostgreSQL as one process that can be supervised: it makes and starts the
// server, watches over it, and stops it. Used by: `postern-sandbox database`, which the supervisor starts.
// Threads: one. Errors: what could not be made or started; a server that ended by itself.
#pragma once

#include "connectors/sandbox/bank.hpp"

namespace postern::sandbox {

// Serves until SIGTERM; writes run/database.ready, with its process id, when statements can be run.
Status run_database(const Bank& bank);
inline constexpr std::string_view kDatabaseReady = "run/database.ready";

// Stops a server of this bank that nobody watches over any more; true when there was one. It is known by
// its data folder, in which it works.
bool end_left_database(const Bank& bank);

}  // namespace postern::sandbox
