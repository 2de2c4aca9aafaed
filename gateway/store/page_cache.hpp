// SPDX-License-Identifier: Apache-2.0
// Purpose: SQLite's own page cache, spared one walk. When SQLite splits a B-tree page it gives a page the number of the lock page (at
// 1 GiB) for a moment; its cache remembers that as its highest number, finds at the end of the transaction that the
// database is smaller, and looks through every page that it holds for some to drop. With 32 MiB of pages that is a sixth of what a commit costs. This
// one knows better what the highest number is, and passes everything else on.
// Used by: sqlite.cpp. Threads: any. Errors: none; where it cannot be set, SQLite goes on as it is.
#pragma once

namespace postern::store {

// For the whole process; before the first connection, and then without effect.
void spare_page_cache();

}  // namespace postern::store
