// SPDX-License-Identifier: Apache-2.0
// Purpose: a file system for SQLite (a VFS, sqlite.org/vfs.html) in which the write-ahead log is written in long pieces. SQLite hands a
// commit over as two writes for each page, a head of 24 bytes and the page; here they are gathered and written at once when the
// commit is synced, or before anything is read of the log. Every other file is the host's own.
// Used by: sqlite.cpp, page by page through SQLite. Threads: as SQLite's connection, one.
// Errors: a write that fails is told at the sync instead, which SQLite takes as it takes the other: the commit has failed.
// Limits: pieces of 120 KiB.
#pragma once

namespace postern::store {

// Its name for sqlite3_open_v2(). Registers it when it is asked for the first time; null when that cannot be, which is the host's.
const char* log_file_system();

}  // namespace postern::store
