// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/log_file.hpp"

#include <sqlcipher/sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <new>

#include "crypto/bytes.hpp"

namespace postern::store {
namespace {

// The host takes no more than 131,071 bytes at a time, and takes a multiple of 131,072 for nothing (unix VFS, seekAndWriteFd).
constexpr std::size_t kPiece = 120 * 1024;
constexpr const char* kName = "postern";

sqlite3_vfs* host = nullptr;

// The log. What SQLite knows of it is `file`, which must come first; the host's own file follows behind the object.
struct Log {
  sqlite3_file file;
  sqlite3_file* inner;
  Bytes gathered;                // to be written at `from`
  sqlite3_int64 from = 0;

  int write_out() {
    if (gathered.empty()) return SQLITE_OK;
    const int done = inner->pMethods->xWrite(inner, gathered.data(), static_cast<int>(gathered.size()), from);
    gathered.clear();            // should it have failed, SQLite gives the commit up and writes the next one over it
    return done;
  }
};

Log& of(sqlite3_file* file) { return *reinterpret_cast<Log*>(file); }

int close(sqlite3_file* file) {
  Log& log = of(file);
  const int written = log.write_out(), closed = log.inner->pMethods->xClose(log.inner);
  log.~Log();
  return written != SQLITE_OK ? written : closed;
}

int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  Log& log = of(file);
  const bool follows = !log.gathered.empty() && at == log.from + static_cast<sqlite3_int64>(log.gathered.size());
  if (!follows || log.gathered.size() + static_cast<std::size_t>(size) > kPiece)
    if (const int written = log.write_out(); written != SQLITE_OK) return written;
  if (log.gathered.empty()) log.from = at;
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  log.gathered.insert(log.gathered.end(), bytes, bytes + size);
  return SQLITE_OK;
}

// Calls the host's method of the same name, after what was gathered is written.
template <auto Method, class... Arguments>
int after_writing(sqlite3_file* file, Arguments... arguments) {
  Log& log = of(file);
  if (const int written = log.write_out(); written != SQLITE_OK) return written;
  return (log.inner->pMethods->*Method)(log.inner, arguments...);
}

template <auto Method, class... Arguments>
int at_once(sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* inner = of(file).inner;
  return (inner->pMethods->*Method)(inner, arguments...);
}

using Methods = sqlite3_io_methods;
constexpr Methods kMethods{
    .iVersion = 1,
    .xClose = close,
    .xRead = after_writing<&Methods::xRead, void*, int, sqlite3_int64>,
    .xWrite = write,
    .xTruncate = after_writing<&Methods::xTruncate, sqlite3_int64>,
    .xSync = after_writing<&Methods::xSync, int>,
    .xFileSize = after_writing<&Methods::xFileSize, sqlite3_int64*>,
    .xLock = at_once<&Methods::xLock, int>,
    .xUnlock = at_once<&Methods::xUnlock, int>,
    .xCheckReservedLock = at_once<&Methods::xCheckReservedLock, int*>,
    .xFileControl = at_once<&Methods::xFileControl, int, void*>,
    .xSectorSize = at_once<&Methods::xSectorSize>,
    .xDeviceCharacteristics = at_once<&Methods::xDeviceCharacteristics>,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

constexpr std::size_t kBehind = (sizeof(Log) + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  if ((flags & SQLITE_OPEN_WAL) == 0) return host->xOpen(host, name, file, flags, flags_out);
  auto* inner = reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::uint8_t*>(file) + kBehind);
  file->pMethods = nullptr;      // nothing to close
  if (const int opened = host->xOpen(host, name, inner, flags, flags_out); opened != SQLITE_OK) return opened;
  new (file) Log{{&kMethods}, inner, {}, 0};
  return SQLITE_OK;
}

}  // namespace

const char* log_file_system() {
  static const char* const name = []() -> const char* {
    host = sqlite3_vfs_find(nullptr);
    if (host == nullptr) return nullptr;
    static sqlite3_vfs ours = *host;   // all its methods are the host's but one; they know nothing of a caller's own data
    ours.zName = kName;
    ours.pNext = nullptr;
    ours.szOsFile = static_cast<int>(kBehind) + host->szOsFile;
    ours.xOpen = open;
    return sqlite3_vfs_register(&ours, /*default=*/0) == SQLITE_OK ? kName : nullptr;
  }();
  return name;
}

}  // namespace postern::store
