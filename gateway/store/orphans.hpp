// SPDX-License-Identifier: Apache-2.0
// Purpose: looks through the tables whose rows belong to a message for those whose message is gone (Store::orphans). Used by: the
// embedded store. Threads: one. Errors: a table that cannot be read.
#pragma once

#include "gateway/store/store.hpp"

struct sqlite3;

namespace postern::store {

Result<Orphans> find_orphans(sqlite3* db, OrphanPlace& place, MessageKey before, std::size_t limit);

}  // namespace postern::store
