// SPDX-License-Identifier: Apache-2.0
// Purpose: a file system for SQLite (a VFS, sqlite.org/vfs.html) that is the host's own but for two things.
// The write-ahead log is written in long pieces: SQLite hands a commit over as two writes for each page, a head of 24 bytes and the page;
// here they are gathered and written at once when the commit is synced, or before anything is read of the log.
// And a store whose commits are durable elsewhere already says which syncs need not keep it waiting (Syncs).
// Used by: sqlite.cpp, page by page through SQLite. Threads: as SQLite's connection, one; the sync that nobody waits for has one of its own.
// Errors: a write that fails is told at the sync instead, and a sync in a thread when the log is written next; SQLite takes both as it
// takes the other: the commit has failed.
// Limits: pieces of 120 KiB.
#pragma once

#include "crypto/result.hpp"

struct sqlite3;

namespace postern::store {

// Its name for sqlite3_open_v2(). Registers it when it is asked for the first time; null when that cannot be, which is the host's.
const char* log_file_system();

// What syncs do while one lives; `all` otherwise.
class Syncs {
 public:
  enum class Do {
    all,
    log_unsynced,   // what is committed is written to the log, and synced before it is folded; the head of a log begun anew is synced at once
    file_later,     // the file is synced in a thread; the log, which has all of that, is not written before that has ended well
  };
  Syncs(sqlite3* db, Do what) : db_(db) { ask(what); }
  ~Syncs() { ask(Do::all); }
  Syncs(const Syncs&) = delete;
  Syncs& operator=(const Syncs&) = delete;

 private:
  void ask(Do what);
  sqlite3* db_;
};

// Makes durable what is committed in the write-ahead log; nothing happens where there is none.
Status sync_log(sqlite3* db);

// What a sync in a thread has come to; good while it is under way.
Status file_sync(sqlite3* db);

}  // namespace postern::store
