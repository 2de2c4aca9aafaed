// SPDX-License-Identifier: Apache-2.0
// Purpose: sees every system call with which this process changes files, below SQLite's own file layer and below the
// code of audit log and keyring alike: the order between them is part of what is recorded. It can also let one of the
// calls fail. recorder.cpp defines the C library's names (open, pwrite64, fsync, ...) in the program itself, so that every
// library of the process calls them; what is below the watched folder is noted and then done by the real system call.
// Used by: the power-cut and fault tests. Threads: any, one call at a time. Errors: a call that it cannot follow ends the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"

namespace postern::fault {

// One change. Files are known by the number of their inode: names come and go by renames.
struct Op {
  enum class Kind { create, folder, write, truncate, rename, exchange, unlink, sync_file, sync_folder, sync_all, failed_sync } kind{};
  int inode = 0;               // of a failed sync, 0: of everything
  std::string path, to;        // relative to the watched folder
  std::uint64_t at = 0;        // offset of a write, size of a truncate
  Bytes data;
};

namespace recorder {

// From now on everything in a folder `part` (such as "/state") somewhere below `root` is recorded; paths are relative to it.
void begin(const std::string& root, const std::string& part);
void end();
const std::vector<Op>& ops();

// While armed, the calls that may fail are counted; the `number`-th (from 1) fails with `error`. An `error` of 0 makes a
// write short: half of it is done and told.
void fail_at(std::uint64_t number, int error);
void arm(bool on);
std::uint64_t counted();
bool struck();                 // the fault has happened

}  // namespace recorder
}  // namespace postern::fault
