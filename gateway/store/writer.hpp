// SPDX-License-Identifier: Apache-2.0
// Purpose: writes a batch's rows into the embedded store's tables, and tells the account of each row that comes and goes. Used by:
// the embedded store, within a transaction that it opens and ends. Threads: one. Ownership: borrows connection and account.
// Errors: the first row that cannot be written stops the batch; the caller rolls back and calls forget().
#pragma once

#include "gateway/store/account.hpp"
#include "gateway/store/sqlite.hpp"

namespace postern::store {

class Writer {
 public:
  Writer(sqlite3* db, Account& account) : db_(db), account_(account) {}
  bool prepare();                              // false: a statement does not fit the schema
  Status write(const Batch& batch);
  void forget() { account_.memo().clear(); }   // after a roll-back: values of rows that are not there

 private:
  Status insert(const FlightRow& row);
  Status update(const FlightRow& row);
  Status put(Statement& add, Statement& set, Statement& old, const Row& row);
  Status remove(Table table, Statement& statement, bool* any = nullptr);
  Status remove_one(Table table, Statement& old, Statement& drop);
  Status erase(std::int64_t person);
  Status drop_content(MessageKey key);
  Status purge(const Batch& batch);

  sqlite3* db_;
  Account& account_;
  Statement add_content_, add_content_key_, add_person_, set_person_, old_person_, add_branch_, set_branch_, old_branch_, add_flight_, set_flight_, old_flight_, add_idempotency_, add_provider_, set_provider_, old_provider_, add_parked_,
      drop_parked_, drop_old_parked_, add_leaf_, add_event_, add_cursor_, set_cursor_, old_cursor_, add_conversation_, set_conversation_,
      old_conversation_, add_name_, add_place_, drop_place_, add_journey_, drop_journey_, add_sighting_, drop_sighting_,
      add_recipient_, set_recipient_, old_recipient_, add_kept_, set_kept_, old_kept_;
  Statement purge_flight_, purge_content_, purge_content_key_, old_content_, old_content_key_, purge_person_, purge_event_, purge_idempotency_, purge_provider_, purge_conversation_, purge_sightings_, purge_journeys_,
      purge_recipient_;
};

}  // namespace postern::store
