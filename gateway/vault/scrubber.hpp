// SPDX-License-Identifier: Apache-2.0
// Purpose: reads everything that the store holds again, in pieces between other work, and holds it against what the store and the
// audit tree say it must be: pages against their codes, rows against the keyed sum, leaves against the tree. Finds what was altered
// behind the gateway's back though nobody reads it. Used by: the vault. Threads: one. Ownership: borrows store and log.
// Time: a piece takes some milliseconds; at the pace that posternd gives it while it rests 10 GiB take under ten minutes, under full load hours.
// Errors: the first thing that is not as it was written, in a sentence.
#pragma once

#include <cstdint>
#include <string>

#include "gateway/audit/log.hpp"
#include "gateway/store/store.hpp"

namespace postern::vault {

class Scrubber {
 public:
  Scrubber(store::Store& store, const audit::Log& log) : store_(store), log_(log) {}

  void begin();   // anew, wherever it was
  bool busy() const { return phase_ != Phase::idle; }
  // One piece. True when that was the last one and all is well.
  Result<bool> step();

  // Of the last scrub that ended well, or of the one that is under way.
  std::uint64_t rows() const { return rows_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  enum class Phase { idle, media, rows, leaves };
  Result<bool> check_leaves();
  std::unexpected<Error> altered(const std::string& what);

  store::Store& store_;
  const audit::Log& log_;
  Phase phase_ = Phase::idle;
  MerkleFrontier tree_;
  std::uint64_t rows_ = 0, bytes_ = 0;
};

}  // namespace postern::vault
