// SPDX-License-Identifier: Apache-2.0
// Purpose: the store contract in memory: what was committed lives in a `Disk` that outlasts the store that wrote it, so that a
// crash and a restart are the end of one store and the beginning of the next over the same disk. No encryption: nothing of a
// customer is ever put here. Used by: the simulator, tests and the rehearsal; no program that serves a bank links it.
// Threads: one. Ownership: the disk is shared by whoever holds it; at most one store is open on it.
// Errors: those that the holder of the disk asks for, those of a faulty batch, and those of the contract (store.hpp).
#pragma once

#include <functional>
#include <memory>

#include "crypto/secret.hpp"
#include "gateway/store/store.hpp"

namespace postern::store {

// What the next commit meets.
enum class DiskFault : std::uint8_t {
  none,
  full,            // refused, and the store goes on
  unsynced_lost,   // the sync failed: the store is not usable any more, and the batch is gone
  unsynced_kept,   // the same, yet all of the batch is there when the store is opened again
};

struct MemoryTables;

class Disk {
 public:
  Disk();
  ~Disk();
  Disk(const Disk& other);             // all rows as they are now, no fault, no watcher
  Disk& operator=(const Disk&) = delete;

  void fail_next(DiskFault fault) { fault_ = fault; }
  DiskFault take_fault() { return std::exchange(fault_, DiskFault::none); }
  // Told of every batch as it becomes durable, also of one whose commit is not answered any more.
  void watch(std::function<void(const Batch&)> watcher) { watcher_ = std::move(watcher); }
  // Audit leaves are shown to the watcher and not kept: for a rehearsal of millions. Whoever asks for leaves finds none.
  void forget_leaves() { keeps_leaves_ = false; }
  bool keeps_leaves() const { return keeps_leaves_; }
  void wrote(const Batch& batch) const { if (watcher_) watcher_(batch); }
  MemoryTables& tables() { return *tables_; }

 private:
  std::unique_ptr<MemoryTables> tables_;
  std::function<void(const Batch&)> watcher_;
  DiskFault fault_ = DiskFault::none;
  bool keeps_leaves_ = true;
};

// Goes on with what `disk` holds. The key is that of State::sum, 32 bytes.
std::unique_ptr<Store> open_memory(std::shared_ptr<Disk> disk, const Secret& sum_key);

}  // namespace postern::store
