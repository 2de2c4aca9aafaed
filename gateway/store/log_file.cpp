// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/log_file.hpp"

#include <fcntl.h>
#include <sqlcipher/sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <new>

#include "crypto/bytes.hpp"

namespace postern::store {
namespace {

// The host takes no more than 131,071 bytes at a time, and takes a multiple of 131,072 for nothing (unix VFS, seekAndWriteFd).
constexpr std::size_t kPiece = 120 * 1024;
constexpr const char* kName = "postern";
constexpr int kSyncs = 1'000'001, kSyncLog = 1'000'002, kLook = 1'000'003;   // file controls of ours; SQLite's own are below 100

sqlite3_vfs* host = nullptr;

// What SQLite knows of a file is `file`, which must come first; the host's own file follows behind the object.
struct Wrapped {
  sqlite3_file file;
  sqlite3_file* inner;
};

struct Log;

// The store's file.
struct Table : Wrapped {
  Log* log = nullptr;            // while it is open
  int fd = -1;                   // for syncs that nobody waits for
  Syncs::Do syncs = Syncs::Do::all;
  std::future<bool> syncing;
  bool failed = false;           // once and for all

  // The sync that was begun has ended, well or not.
  int settled() {
    if (syncing.valid() && !syncing.get()) failed = true;
    return failed ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  }
  // The same without waiting for it.
  int look() { return syncing.valid() && syncing.wait_for(std::chrono::seconds(0)) != std::future_status::ready ? SQLITE_OK : settled(); }
};

// Its write-ahead log.
struct Log : Wrapped {
  Table* table = nullptr;
  Bytes gathered;                // to be written at `from`
  sqlite3_int64 from = 0;
  bool begun_anew = false;       // its head was written and not synced: what the disk has may still be taken for the log

  int write_out() {
    if (gathered.empty()) return SQLITE_OK;
    const int done = inner->pMethods->xWrite(inner, gathered.data(), static_cast<int>(gathered.size()), from);
    gathered.clear();            // should it have failed, SQLite gives the commit up and writes the next one over it
    return done;
  }
  int sync() {
    if (const int whole = file_is_whole(); whole != SQLITE_OK) return whole;
    const int written = write_out();
    return written != SQLITE_OK ? written : inner->pMethods->xSync(inner, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
  }
  // Before the log is written on, or anew.
  int file_is_whole() { return table == nullptr ? SQLITE_OK : table->settled(); }
};

template <class File>
File& of(sqlite3_file* file) {
  return *reinterpret_cast<File*>(file);
}

// Calls the host's method of the same name.
template <auto Method, class... Arguments>
int at_once(sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* inner = of<Wrapped>(file).inner;
  return (inner->pMethods->*Method)(inner, arguments...);
}
template <auto Method, class... Arguments>
void for_nothing(sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* inner = of<Wrapped>(file).inner;
  (inner->pMethods->*Method)(inner, arguments...);
}

// ---- the store's file ----

int sync_table(sqlite3_file* file, int flags) {
  Table& table = of<Table>(file);
  if (const int before = table.settled(); before != SQLITE_OK) return before;
  if (table.syncs != Syncs::Do::file_later || table.fd < 0) return table.inner->pMethods->xSync(table.inner, flags);
  table.syncing = std::async(std::launch::async, [fd = table.fd] { return fdatasync(fd) == 0; });
  return SQLITE_OK;
}

int control_table(sqlite3_file* file, int what, void* argument) {
  Table& table = of<Table>(file);
  switch (what) {
    case kSyncs: table.syncs = *static_cast<Syncs::Do*>(argument); return SQLITE_OK;
    case kLook: return table.look();
    case kSyncLog: return table.log == nullptr ? SQLITE_OK : table.log->sync();
    default: return table.inner->pMethods->xFileControl(table.inner, what, argument);
  }
}

int close_table(sqlite3_file* file) {
  Table& table = of<Table>(file);
  const int synced = table.settled();
  if (table.fd >= 0) close(table.fd);
  const int closed = table.inner->pMethods->xClose(table.inner);
  table.~Table();
  return synced != SQLITE_OK ? synced : closed;
}

// ---- the write-ahead log ----

int close_log(sqlite3_file* file) {
  Log& log = of<Log>(file);
  if (log.table != nullptr) log.table->log = nullptr;
  const int written = log.write_out(), whole = log.file_is_whole(), closed = log.inner->pMethods->xClose(log.inner);
  log.~Log();
  return written != SQLITE_OK ? written : whole != SQLITE_OK ? whole : closed;
}

int write_log(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  Log& log = of<Log>(file);
  // What comes now may say that the file is whole.
  if (const int whole = log.file_is_whole(); whole != SQLITE_OK) return whole;
  const bool follows = !log.gathered.empty() && at == log.from + static_cast<sqlite3_int64>(log.gathered.size());
  if (!follows || log.gathered.size() + static_cast<std::size_t>(size) > kPiece)
    if (const int written = log.write_out(); written != SQLITE_OK) return written;
  if (log.gathered.empty()) log.from = at;
  log.begun_anew = log.begun_anew || at == 0;
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  log.gathered.insert(log.gathered.end(), bytes, bytes + size);
  return SQLITE_OK;
}

int sync_log_file(sqlite3_file* file, int flags) {
  Log& log = of<Log>(file);
  const int written = log.write_out();
  const bool wanted = log.begun_anew || log.table == nullptr || log.table->syncs != Syncs::Do::log_unsynced;
  if (written != SQLITE_OK || !wanted) return written;
  log.begun_anew = false;
  return log.inner->pMethods->xSync(log.inner, flags);
}

int truncate_log(sqlite3_file* file, sqlite3_int64 size) {
  Log& log = of<Log>(file);
  if (const int written = log.write_out(); written != SQLITE_OK) return written;
  if (const int whole = log.file_is_whole(); whole != SQLITE_OK) return whole;
  return log.inner->pMethods->xTruncate(log.inner, size);
}

template <auto Method, class... Arguments>
int after_writing(sqlite3_file* file, Arguments... arguments) {
  Log& log = of<Log>(file);
  if (const int written = log.write_out(); written != SQLITE_OK) return written;
  return (log.inner->pMethods->*Method)(log.inner, arguments...);
}

using Methods = sqlite3_io_methods;
constexpr Methods kTable{
    .iVersion = 2,
    .xClose = close_table,
    .xRead = at_once<&Methods::xRead, void*, int, sqlite3_int64>,
    .xWrite = at_once<&Methods::xWrite, const void*, int, sqlite3_int64>,
    .xTruncate = at_once<&Methods::xTruncate, sqlite3_int64>,
    .xSync = sync_table,
    .xFileSize = at_once<&Methods::xFileSize, sqlite3_int64*>,
    .xLock = at_once<&Methods::xLock, int>,
    .xUnlock = at_once<&Methods::xUnlock, int>,
    .xCheckReservedLock = at_once<&Methods::xCheckReservedLock, int*>,
    .xFileControl = control_table,
    .xSectorSize = at_once<&Methods::xSectorSize>,
    .xDeviceCharacteristics = at_once<&Methods::xDeviceCharacteristics>,
    .xShmMap = at_once<&Methods::xShmMap, int, int, int, void volatile**>,
    .xShmLock = at_once<&Methods::xShmLock, int, int, int>,
    .xShmBarrier = for_nothing<&Methods::xShmBarrier>,
    .xShmUnmap = at_once<&Methods::xShmUnmap, int>,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};
constexpr Methods kLog{
    .iVersion = 1,
    .xClose = close_log,
    .xRead = after_writing<&Methods::xRead, void*, int, sqlite3_int64>,
    .xWrite = write_log,
    .xTruncate = truncate_log,
    .xSync = sync_log_file,
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

constexpr std::size_t aligned(std::size_t size) { return (size + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t); }
constexpr std::size_t kBehind = aligned(sizeof(Table) > sizeof(Log) ? sizeof(Table) : sizeof(Log));

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  const bool is_log = (flags & SQLITE_OPEN_WAL) != 0, is_table = (flags & SQLITE_OPEN_MAIN_DB) != 0 && name != nullptr;
  if (!is_log && !is_table) return host->xOpen(host, name, file, flags, flags_out);
  auto* inner = reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::uint8_t*>(file) + kBehind);
  file->pMethods = nullptr;      // nothing to close
  if (const int opened = host->xOpen(host, name, inner, flags, flags_out); opened != SQLITE_OK) return opened;
  if (is_table) {
    auto* table = new (file) Table;
    table->file.pMethods = &kTable;
    table->inner = inner;
    table->fd = ::open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  } else {
    auto* log = new (file) Log;
    log->file.pMethods = &kLog;
    log->inner = inner;
    sqlite3_file* table = sqlite3_database_file_object(name);
    if (table != nullptr && table->pMethods == &kTable) {
      log->table = &of<Table>(table);
      log->table->log = log;
    }
  }
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

Status sync_log(sqlite3* db) {
  return sqlite3_file_control(db, "main", kSyncLog, nullptr) == SQLITE_OK ? Status() : fail("disk I/O error");
}

Status file_sync(sqlite3* db) {
  return sqlite3_file_control(db, "main", kLook, nullptr) == SQLITE_OK ? Status() : fail("the store's file could not be synced");
}

void Syncs::ask(Do what) { (void)sqlite3_file_control(db_, "main", kSyncs, &what); }

}  // namespace postern::store
