// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/schema.hpp"

#include <string>
#include <vector>

#include "gateway/store/rows.hpp"

namespace postern::store {
namespace {

// `queue` is connector * 2 + (1 when handed); NULL in no queue. `wake` is NULL when nothing is due.
// `place` has the further places of flights that stand in several queues: queue * 8 + lane.
// Both indexes hold only flights on their way, so a long history costs them nothing.
// `mark` has one row: the end of the audit log, and what the store says of itself (store.hpp, State); `folded` is the generation
// up to which everything stands in the file itself and not in the write-ahead log alone.
constexpr const char* kTablesSql = R"(
CREATE TABLE content(k INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE content_key(k INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE person(id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE branch(id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE flight(k INTEGER PRIMARY KEY, queue INTEGER, lane INTEGER NOT NULL, wake INTEGER, data BLOB NOT NULL) STRICT;
CREATE INDEX flight_queue ON flight(queue, lane, k) WHERE queue IS NOT NULL;
CREATE INDEX flight_wake ON flight(wake, k) WHERE wake IS NOT NULL;
CREATE TABLE place(place INTEGER NOT NULL, k INTEGER NOT NULL, PRIMARY KEY(place, k)) STRICT, WITHOUT ROWID;
CREATE TABLE journey(person INTEGER NOT NULL, k INTEGER NOT NULL, PRIMARY KEY(person, k)) STRICT, WITHOUT ROWID;
CREATE TABLE sighting(person INTEGER NOT NULL, k INTEGER NOT NULL, at INTEGER NOT NULL, who INTEGER NOT NULL, weight INTEGER NOT NULL,
  digest BLOB NOT NULL DEFAULT x'', PRIMARY KEY(person, k)) STRICT, WITHOUT ROWID;
CREATE TABLE recipient(person INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE kept(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE idempotency(client INTEGER NOT NULL, hash BLOB NOT NULL, k INTEGER NOT NULL, random INTEGER NOT NULL,
  fingerprint BLOB NOT NULL, PRIMARY KEY(client, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE provider(connector INTEGER NOT NULL, id TEXT NOT NULL, k INTEGER NOT NULL, attempt INTEGER NOT NULL,
  part INTEGER NOT NULL, PRIMARY KEY(connector, id)) STRICT, WITHOUT ROWID;
CREATE TABLE parked(n INTEGER PRIMARY KEY, connector INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
CREATE INDEX parked_id ON parked(connector, id);
CREATE TABLE leaf(seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE event(client INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(client, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE cursor(connector INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE conversation(who INTEGER PRIMARY KEY, k INTEGER NOT NULL) STRICT;
CREATE TABLE name(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE mark(id INTEGER PRIMARY KEY CHECK (id = 1), audit BLOB NOT NULL, generation INTEGER NOT NULL DEFAULT 0,
  sum BLOB NOT NULL DEFAULT x'00000000000000000000000000000000', folded INTEGER NOT NULL DEFAULT 0, suspect INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO mark(id, audit) VALUES(1, x'');
)";

Status set_version(sqlite3* db, std::int64_t version) { return run(db, ("PRAGMA user_version=" + std::to_string(version)).c_str()); }

// Keys of persons and of single contents; the generation, and the sum over what is there already.
Status add_keys_and_state(const Migration& m) {
  if (const Status made = run(m.db, "CREATE TABLE content_key(k INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;"
                                    "CREATE TABLE person(id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;"
                                    "ALTER TABLE mark ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;"
                                    "ALTER TABLE mark ADD COLUMN sum BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';"
                                    "ALTER TABLE mark ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;"
                                    "ALTER TABLE mark ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;"
                                    "INSERT OR IGNORE INTO mark(id, audit) VALUES(1, x'');");
      !made)
    return made;
  StateSum sum;
  for (const Table table : kTables) {
    if (table > Table::person) break;  // of later schemas
    Statement all(m.db, std::string("SELECT ") + columns_of(table) + " FROM " + name_of(table));
    for (;;) {
      const Statement::Step step = all.ready() ? all.step() : Statement::Step::error;
      if (step == Statement::Step::error) return fail(error_of(m.db));
      if (step == Statement::Step::end) break;
      sum += value_of(m.sum_key, row_of(table, all));
    }
  }
  Bytes bytes;
  encode(sum, bytes);
  return Statement(m.db, "UPDATE mark SET sum = ?1 WHERE id = 1").bind(1, ByteView(bytes)).done();
}

// Messages that stand in several queues at a time, those that an event may end, and what has reached whom.
Status add_places_journeys_and_sightings(const Migration& m) {
  return run(m.db, "CREATE TABLE place(place INTEGER NOT NULL, k INTEGER NOT NULL, PRIMARY KEY(place, k)) STRICT, WITHOUT ROWID;"
                   "CREATE TABLE journey(person INTEGER NOT NULL, k INTEGER NOT NULL, PRIMARY KEY(person, k)) STRICT, WITHOUT ROWID;"
                   "CREATE TABLE sighting(person INTEGER NOT NULL, k INTEGER NOT NULL, at INTEGER NOT NULL, who INTEGER NOT NULL, weight INTEGER NOT NULL,"
                   " PRIMARY KEY(person, k)) STRICT, WITHOUT ROWID;");
}

// What is known of persons, small state, and what a sighting said.
Status add_recipients_and_kept(const Migration& m) {
  return run(m.db, "ALTER TABLE sighting ADD COLUMN digest BLOB NOT NULL DEFAULT x'';"
                   "CREATE TABLE recipient(person INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;"
                   "CREATE TABLE kept(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;");
}

// The tree of persons' keys. Who has a row keeps its key.
Status add_branches(const Migration& m) { return run(m.db, "CREATE TABLE branch(id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;"); }

Status in_transaction(sqlite3* db, std::int64_t to, const std::function<Status()>& change, const Passed& passed) {
  const auto at = [&](const char* instant) {
    if (passed) passed(to, instant);
  };
  if (const Status begun = run(db, "BEGIN IMMEDIATE"); !begun) return begun;
  at("begun");
  Status done = change();
  at("changed");
  if (done) done = set_version(db, to);
  at("marked");
  if (done) done = run(db, "COMMIT");
  if (!done) {
    (void)run(db, "ROLLBACK");
    return fail("schema " + std::to_string(to) + " could not be made: " + done.what() + "; the store is as it was");
  }
  at("committed");
  return {};
}

}  // namespace

std::span<const SchemaStep> schema_steps() {
  static const std::vector<SchemaStep> steps{{2, add_keys_and_state}, {3, add_places_journeys_and_sightings}, {4, add_recipients_and_kept}, {5, add_branches}};
  return steps;
}

Status migrate(sqlite3* db, const Secret& sum_key, std::span<const SchemaStep> steps, const Passed& passed) {
  std::int64_t found = 0;
  {
    Statement version(db, "PRAGMA user_version");
    if (!version.ready() || version.step() != Statement::Step::row) return fail("its schema version cannot be read");
    found = version.integer(0);
  }
  const std::int64_t newest = steps.empty() ? kSchema : steps.back().to;
  if (found > newest) return fail("was written by a newer Postern (schema " + std::to_string(found) + "); install that version or a newer one");
  if (found == 0) return in_transaction(db, newest, [db] { return run(db, kTablesSql); }, passed);
  for (const SchemaStep& step : steps) {
    if (step.to <= found) continue;
    if (step.to != found + 1) return fail("is of schema " + std::to_string(found) + ", from which no step leads on; install the version in between first");
    if (const Status taken = in_transaction(db, step.to, [&] { return step.change({db, sum_key}); }, passed); !taken) return taken;
    found = step.to;
  }
  return {};
}

}  // namespace postern::store
