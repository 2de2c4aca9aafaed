// SPDX-License-Identifier: Apache-2.0
// Purpose: the outside world of a sandbox bank in one process: two SMS centres, the push and WhatsApp
// providers, the mail relay, the customers and the bank's app. Used by: `postern-sandbox world`, which the
// supervisor starts. Threads: one loop. Errors: what cannot listen, or which file cannot be read.
#pragma once

#include "connectors/sandbox/bank.hpp"

namespace postern::sandbox {

// Serves until SIGTERM; writes run/world.ready when everything listens.
Status run_world(const Bank& bank, Phones phones);

// Where run_world says that it serves: the file holds its process id.
inline constexpr std::string_view kWorldReady = "run/world.ready";

}  // namespace postern::sandbox
