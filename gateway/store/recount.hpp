// SPDX-License-Identifier: Apache-2.0
// Purpose: the walk over every row of the embedded store, in pieces between commits: counts the sum anew and holds the indexes
// against their tables. Used by: the embedded store. Threads: one. Ownership: borrows connection and account.
// Errors: the first row or page that cannot be read, the first index entry that does not fit; the walk then begins anew.
#pragma once

#include "gateway/store/account.hpp"
#include "gateway/store/sqlite.hpp"

namespace postern::store {

class Recounter {
 public:
  Recounter(sqlite3* db, Account& account) : db_(db), account_(account) {}
  Result<Store::Recount> step(std::size_t rows);

 private:
  enum class Phase { idle, rows, queue_index, wake_index, whole };
  Status walk_rows(std::size_t limit);
  Status walk_index(std::size_t limit);
  Status in_indexes(const std::vector<Row>& flights);
  Status check_whole();

  sqlite3* db_;
  Account& account_;
  Phase phase_ = Phase::idle;
  std::uint64_t rows_ = 0;
  std::array<std::int64_t, 3> index_at_{};
};

}  // namespace postern::store
