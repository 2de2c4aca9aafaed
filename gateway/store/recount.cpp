// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/recount.hpp"

#include <algorithm>

namespace postern::store {
namespace {

std::string page_sql(Table table) {
  const std::string key = key_of(table);
  const bool two = key.find(',') != std::string::npos;
  return std::string("SELECT ") + columns_of(table) + " FROM " + name_of(table) + " WHERE (" + key + ") > " + (two ? "(?1, ?2)" : "?1") + " ORDER BY " + key +
         " LIMIT ?3";
}

void bind_position(Statement& page, const Position& at) {
  page.bind(1, at.number);
  switch (at.table) {
    case Table::idempotency: page.bind(2, ByteView(at.tail)); break;
    case Table::provider: page.bind(2, as_text(at.tail)); break;
    case Table::event:
    case Table::place:
    case Table::journey:
    case Table::sighting: page.bind(2, at.second); break;
    case Table::flight:
    case Table::content:
    case Table::parked:
    case Table::conversation:
    case Table::cursor:
    case Table::name:
    case Table::content_key:
    case Table::recipient:
    case Table::kept:
    case Table::branch:
    case Table::person: break;
  }
}

}  // namespace

Result<Store::Recount> Recounter::step(std::size_t rows) {
  // A commit that failed has ended the walk: what it had counted may not be there.
  if (phase_ != Phase::idle && !account_.walk()) phase_ = Phase::idle;
  if (phase_ == Phase::idle) {
    drop_cache(db_);  // what is remembered tells nothing about the disk
    account_.begin_walk();
    phase_ = Phase::rows;
    rows_ = 0;
  }
  Status good;
  switch (phase_) {
    case Phase::idle: break;
    case Phase::rows: good = walk_rows(rows); break;
    case Phase::queue_index:
    case Phase::wake_index: good = walk_index(rows); break;
    case Phase::whole:
      good = check_whole();
      if (good) {
        phase_ = Phase::idle;
        const StateSum sum = account_.counted();
        account_.end_walk();
        return Store::Recount{true, rows_, sum};
      }
      break;
  }
  if (!good) {
    phase_ = Phase::idle;
    account_.end_walk();
    return fail(good.what());
  }
  return Store::Recount{false, rows_, {}};
}

Status Recounter::walk_rows(std::size_t limit) {
  const Position from = *account_.walk();   // bound while the page is read
  Position at = from;
  Statement page(db_, page_sql(at.table));
  if (!page.ready()) return fail("table " + std::string(name_of(at.table)) + ": " + error_of(db_));
  bind_position(page, from);
  page.bind(3, static_cast<std::int64_t>(limit));
  std::size_t found = 0;
  std::vector<Row> waiting;
  for (;;) {
    const Statement::Step step = page.step();
    if (step == Statement::Step::error) return fail("table " + std::string(name_of(at.table)) + " cannot be read: " + error_of(db_));
    if (step == Statement::Step::end) break;
    const Row row = row_of(at.table, page);
    account_.count(row);
    ++rows_;
    at.number = row.number;
    at.second = row.second;
    at.tail.assign(row.tail.begin(), row.tail.end());
    ++found;
    if (at.table == Table::flight && (row.values[0] != kNoQueue || row.values[2] != 0))
      waiting.push_back({row.table, row.number, 0, {}, row.values, {}, {}});
  }
  if (const Status indexed = in_indexes(waiting); !indexed) return indexed;
  if (found < limit) {
    if (at.table == kTables.back()) {
      phase_ = Phase::queue_index;
      index_at_ = {INT64_MIN, INT64_MIN, INT64_MIN};
    }
    at = Position{static_cast<Table>(static_cast<int>(at.table) + 1), INT64_MIN, INT64_MIN, {}};
  }
  account_.walked_to(std::move(at));
  return {};
}

// A message that its index does not know would never be sent.
Status Recounter::in_indexes(const std::vector<Row>& flights) {
  Statement queue(db_, "SELECT 1 FROM flight INDEXED BY flight_queue WHERE queue = ?1 AND lane = ?2 AND k = ?3");
  Statement wake(db_, "SELECT 1 FROM flight INDEXED BY flight_wake WHERE wake = ?1 AND k = ?2");
  if (!queue.ready() || !wake.ready()) return fail("the indexes of table flight cannot be read: " + error_of(db_));
  const auto there = [this](Statement& look) -> Status {
    const Statement::Step step = look.step();
    look.reset();
    if (step == Statement::Step::row) return {};
    return fail(step == Statement::Step::error ? "an index of table flight cannot be read: " + error_of(db_) : "a row of table flight is missing in its index");
  };
  for (const Row& row : flights) {
    if (row.values[0] != kNoQueue)
      if (const Status found = there(queue.bind(1, row.values[0]).bind(2, row.values[1]).bind(3, row.number)); !found) return found;
    if (row.values[2] != 0)
      if (const Status found = there(wake.bind(1, row.values[2]).bind(2, row.number)); !found) return found;
  }
  return {};
}

// An entry that its row does not know would be acted on.
Status Recounter::walk_index(std::size_t limit) {
  const bool is_queue = phase_ == Phase::queue_index;
  Statement page(db_, is_queue ? "SELECT queue, lane, k FROM flight INDEXED BY flight_queue WHERE queue IS NOT NULL AND (queue, lane, k) > (?1, ?2, ?3) "
                                 "ORDER BY queue, lane, k LIMIT ?4"
                               : "SELECT wake, k, 0 FROM flight INDEXED BY flight_wake WHERE wake IS NOT NULL AND (wake, k) > (?1, ?2) ORDER BY wake, k LIMIT ?4");
  Statement row(db_, is_queue ? "SELECT 1 FROM flight NOT INDEXED WHERE k = ?3 AND queue = ?1 AND lane = ?2" : "SELECT 1 FROM flight NOT INDEXED WHERE k = ?2 AND wake = ?1");
  const auto unreadable = [this] { return fail("an index of table flight cannot be read: " + error_of(db_)); };
  if (!page.ready() || !row.ready()) return unreadable();
  page.bind(1, index_at_[0]).bind(2, index_at_[1]).bind(4, static_cast<std::int64_t>(limit));
  if (is_queue) page.bind(3, index_at_[2]);
  std::size_t found = 0;
  for (;; ++found) {
    const Statement::Step step = page.step();
    if (step == Statement::Step::error) return unreadable();
    if (step == Statement::Step::end) break;
    index_at_ = {page.integer(0), page.integer(1), page.integer(2)};
    row.bind(1, index_at_[0]).bind(2, index_at_[1]);
    if (is_queue) row.bind(3, index_at_[2]);
    const Statement::Step fits = row.step();
    row.reset();
    if (fits == Statement::Step::error) return unreadable();
    if (fits == Statement::Step::end) return fail("an index of table flight names a row that is not so");
  }
  if (found < limit) {
    phase_ = is_queue ? Phase::wake_index : Phase::whole;
    index_at_ = {INT64_MIN, INT64_MIN, INT64_MIN};
  }
  return {};
}

// SQLite's own check of everything that holds together, as far as it is quick: of the whole file while it is small; then of the two
// tables whose indexes the walk does not see, and which are bounded (100,000 parked receipts, 65,535 names). What is left out for a
// large file is the map that compaction uses, and compaction fails where that is wrong.
Status Recounter::check_whole() {
  constexpr std::int64_t kQuickPages = 8192;
  Statement pages(db_, "PRAGMA page_count");
  const bool known = pages.ready() && pages.step() == Statement::Step::row;
  const bool small = known && pages.integer(0) <= kQuickPages;
  pages.reset();
  for (const char* what : {"", "(parked)", "(name)"}) {
    if (small != (*what == '\0')) continue;
    Statement check(db_, std::string("PRAGMA integrity_check") + what);
    const Statement::Step step = check.ready() ? check.step() : Statement::Step::error;
    if (step == Statement::Step::row && check.text(0) == "ok") continue;
    return fail("the store does not hold together: " + (step == Statement::Step::row ? check.text(0) : error_of(db_)));
  }
  return {};
}

}  // namespace postern::store
