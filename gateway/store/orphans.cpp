// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/orphans.hpp"

#include <algorithm>

#include "gateway/store/rows.hpp"
#include "gateway/store/sqlite.hpp"

namespace postern::store {

Result<Orphans> find_orphans(sqlite3* db, OrphanPlace& place, MessageKey before, std::size_t limit) {
  static constexpr std::array tables{Table::idempotency, Table::provider, Table::conversation};
  Orphans found;
  const Table table = tables[static_cast<std::size_t>(place.table)];
  const std::string key = key_of(table), name = name_of(table);
  const bool two = table != Table::conversation;
  Statement page(db, "SELECT " + std::string(columns_of(table)) + ", (SELECT 1 FROM flight WHERE flight.k = " + name + ".k) FROM " + name + " WHERE (" + key +
                                ") > " + (two ? "(?1, ?2)" : "?1") + " ORDER BY " + key + " LIMIT ?3");
  if (!page.ready()) return fail("the store could not be read: " + error_of(db));
  const Bytes from = place.tail;   // bound while the page is read
  page.bind(1, place.number).bind(3, static_cast<std::int64_t>(limit));
  if (table == Table::provider) page.bind(2, as_text(from));
  else if (two) page.bind(2, ByteView(from));
  std::size_t seen = 0;
  for (;; ++seen) {
    const Statement::Step step = page.step();
    if (step == Statement::Step::error) return fail("the store could not be read: " + error_of(db));
    if (step == Statement::Step::end) break;
    const Row row = row_of(table, page);
    place.number = row.number;
    place.tail.assign(row.tail.begin(), row.tail.end());
    const MessageKey message = row.values[0];
    const bool has_message = !page.is_null(table == Table::conversation ? 2 : 5);
    if (has_message || message >= before) continue;
    if (table == Table::conversation) found.conversations.push_back({static_cast<std::uint64_t>(row.number), message});
    if (table == Table::provider) found.providers.push_back({static_cast<ConnectorId>(row.number), std::string(as_text(row.tail)), message});
    if (table == Table::idempotency && row.tail.size() == 16) {
      found.idempotency.push_back({static_cast<ClientId>(row.number), {}, message});
      std::ranges::copy(row.tail, found.idempotency.back().hash.begin());
    }
  }
  if (seen < limit) {
    const int next = place.table + 1;
    place = {next, INT64_MIN, {}, next == static_cast<int>(tables.size())};
  }
  return found;
}

}  // namespace postern::store
