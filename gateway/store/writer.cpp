// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/writer.hpp"

namespace postern::store {
namespace {

void bind_flight(Statement& s, const FlightRow& row) {
  s.bind(1, row.key).bind(3, row.lane).bind(5, ByteView(row.data));
  if (row.queue.connector == 0) s.bind_null(2);
  else s.bind(2, word_of(row.queue));
  if (row.wake_ms == 0) s.bind_null(4);
  else s.bind(4, row.wake_ms);
}

}  // namespace

bool Writer::prepare() {
  const auto one = [this](Statement& statement, const std::string& sql) {
    statement = Statement(db_, sql);
    return statement.ready();
  };
  const auto columns = [](Table table) { return std::string(columns_of(table)); };
  return one(add_content_, "INSERT INTO content(k, sealed) VALUES(?1, ?2)") &&
         one(add_content_key_, "INSERT INTO content_key(k, wrapped) VALUES(?1, ?2)") &&
         one(add_person_, "INSERT INTO person(id, wrapped) VALUES(?1, ?2) ON CONFLICT DO NOTHING") &&
         one(set_person_, "UPDATE person SET wrapped = ?2 WHERE id = ?1") &&
         one(old_person_, "SELECT " + columns(Table::person) + " FROM person WHERE id = ?1") &&
         one(add_branch_, "INSERT INTO branch(id, wrapped) VALUES(?1, ?2) ON CONFLICT DO NOTHING") &&
         one(set_branch_, "UPDATE branch SET wrapped = ?2 WHERE id = ?1") &&
         one(old_branch_, "SELECT " + columns(Table::branch) + " FROM branch WHERE id = ?1") &&
         one(add_flight_, "INSERT INTO flight(k, queue, lane, wake, data) VALUES(?1, ?2, ?3, ?4, ?5)") &&
         one(set_flight_, "UPDATE OR FAIL flight SET queue = ?2, lane = ?3, wake = ?4, data = ?5 WHERE k = ?1") &&
         one(old_flight_, "SELECT " + columns(Table::flight) + " FROM flight WHERE k = ?1") &&
         one(add_idempotency_, "INSERT INTO idempotency(client, hash, k, random, fingerprint) VALUES(?1, ?2, ?3, ?4, ?5)") &&
         one(add_provider_, "INSERT INTO provider(connector, id, k, attempt, part) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING") &&
         one(set_provider_, "UPDATE provider SET k = ?3, attempt = ?4, part = ?5 WHERE connector = ?1 AND id = ?2") &&
         one(old_provider_, "SELECT " + columns(Table::provider) + " FROM provider WHERE connector = ?1 AND id = ?2") &&
         one(add_parked_, "INSERT INTO parked(connector, id, at, data) VALUES(?1, ?2, ?3, ?4) RETURNING n") &&
         one(drop_parked_, "DELETE FROM parked WHERE connector = ?1 AND id = ?2 RETURNING " + columns(Table::parked)) &&
         one(drop_old_parked_, "DELETE FROM parked WHERE at < ?1 RETURNING " + columns(Table::parked)) &&
         one(add_leaf_, "INSERT INTO leaf(seq, data) VALUES(?1, ?2)") && one(add_event_, "INSERT INTO event(client, seq) VALUES(?1, ?2)") &&
         one(add_cursor_, "INSERT INTO cursor(connector, seq) VALUES(?1, ?2) ON CONFLICT DO NOTHING") &&
         one(set_cursor_, "UPDATE cursor SET seq = ?2 WHERE connector = ?1") &&
         one(old_cursor_, "SELECT " + columns(Table::cursor) + " FROM cursor WHERE connector = ?1") &&
         one(add_conversation_, "INSERT INTO conversation(who, k) VALUES(?1, ?2) ON CONFLICT DO NOTHING") &&
         one(set_conversation_, "UPDATE conversation SET k = ?2 WHERE who = ?1") &&
         one(old_conversation_, "SELECT " + columns(Table::conversation) + " FROM conversation WHERE who = ?1") &&
         one(add_place_, "INSERT INTO place(place, k) VALUES(?1, ?2)") &&
         one(drop_place_, "DELETE FROM place WHERE place = ?1 AND k = ?2 RETURNING " + columns(Table::place)) &&
         one(add_journey_, "INSERT INTO journey(person, k) VALUES(?1, ?2)") &&
         one(drop_journey_, "DELETE FROM journey WHERE person = ?1 AND k = ?2 RETURNING " + columns(Table::journey)) &&
         one(add_sighting_, "INSERT INTO sighting(person, k, at, who, weight, digest) VALUES(?1, ?2, ?3, ?4, ?5, ?6)") &&
         one(drop_sighting_, "DELETE FROM sighting WHERE person = ?1 AND k = ?2 RETURNING " + columns(Table::sighting)) &&
         one(add_recipient_, "INSERT INTO recipient(person, sealed) VALUES(?1, ?2) ON CONFLICT DO NOTHING") &&
         one(set_recipient_, "UPDATE recipient SET sealed = ?2 WHERE person = ?1") &&
         one(old_recipient_, "SELECT " + columns(Table::recipient) + " FROM recipient WHERE person = ?1") &&
         one(add_kept_, "INSERT INTO kept(id, data) VALUES(?1, ?2) ON CONFLICT DO NOTHING") &&
         one(set_kept_, "UPDATE kept SET data = ?2 WHERE id = ?1") &&
         one(old_kept_, "SELECT " + columns(Table::kept) + " FROM kept WHERE id = ?1") &&
         one(add_name_, "INSERT INTO name(id, name) VALUES(?1, ?2)") &&
         one(purge_flight_, "DELETE FROM flight WHERE k = ?1 AND wake IS NULL AND queue IS NULL RETURNING " + columns(Table::flight)) &&
         one(purge_content_, "DELETE FROM content WHERE k = ?1") && one(purge_content_key_, "DELETE FROM content_key WHERE k = ?1") &&
         one(old_content_, "SELECT " + columns(Table::content) + " FROM content WHERE k = ?1") &&
         one(old_content_key_, "SELECT " + columns(Table::content_key) + " FROM content_key WHERE k = ?1") &&
         one(purge_person_, "DELETE FROM person WHERE id = ?1 RETURNING " + columns(Table::person)) &&
         one(purge_sightings_, "DELETE FROM sighting WHERE person = ?1 RETURNING " + columns(Table::sighting)) &&
         one(purge_journeys_, "DELETE FROM journey WHERE person = ?1 RETURNING " + columns(Table::journey)) &&
         one(purge_recipient_, "DELETE FROM recipient WHERE person = ?1 RETURNING " + columns(Table::recipient)) &&
         one(purge_event_, "DELETE FROM event WHERE client = ?1 AND seq = ?2 RETURNING " + columns(Table::event)) &&
         one(purge_idempotency_, "DELETE FROM idempotency WHERE client = ?1 AND hash = ?2 RETURNING " + columns(Table::idempotency)) &&
         one(purge_provider_, "DELETE FROM provider WHERE connector = ?1 AND id = ?2 RETURNING " + columns(Table::provider)) &&
         one(purge_conversation_, "DELETE FROM conversation WHERE who = ?1 RETURNING " + columns(Table::conversation));
}

Status Writer::write(const Batch& b) {
  Status ok;
  const auto each = [&ok](const auto& rows, const auto& write_row) {
    for (const auto& row : rows) {
      if (!ok) return;
      ok = write_row(row);
    }
  };
  // Done, and in the sum.
  const auto counted = [this](const Status& done, const Row& row) {
    if (done) account_.put(row);
    return done;
  };
  each(b.names, [&](const auto& n) { return counted(add_name_.bind(1, n.first).bind(2, std::string_view(n.second)).done(), name_row(n.first, n.second)); });
  each(b.contents, [&](const Batch::Content& c) { return counted(add_content_.bind(1, c.key).bind(2, ByteView(c.sealed)).done(), row_of(c)); });
  each(b.content_keys, [&](const Batch::Content& c) {
    return counted(add_content_key_.bind(1, c.key).bind(2, ByteView(c.sealed)).done(), row_of(c, Table::content_key));
  });
  each(b.persons, [this](const PersonRow& row) {
    const auto id = static_cast<std::int64_t>(row.person);
    for (Statement* s : {&add_person_, &set_person_}) s->bind(1, id).bind(2, ByteView(row.wrapped));
    return put(add_person_, set_person_, old_person_.bind(1, id), row_of(row));
  });
  each(b.branches, [this](const BranchRow& row) {
    const auto id = static_cast<std::int64_t>(row.id);
    for (Statement* s : {&add_branch_, &set_branch_}) s->bind(1, id).bind(2, ByteView(row.wrapped));
    return put(add_branch_, set_branch_, old_branch_.bind(1, id), row_of(row));
  });
  each(b.erased_persons, [this](std::uint64_t person) { return erase(static_cast<std::int64_t>(person)); });
  each(b.dropped_contents, [this](MessageKey key) { return drop_content(key); });
  each(b.inserts, [this](const FlightRow& row) { return insert(row); });
  each(b.updates, [this](const FlightRow& row) { return update(row); });
  each(b.dropped_places, [this](const Batch::Place& p) { return remove(Table::place, drop_place_.bind(1, word_of(p.queue, p.lane)).bind(2, p.key)); });
  each(b.places, [&](const Batch::Place& p) { return counted(add_place_.bind(1, word_of(p.queue, p.lane)).bind(2, p.key).done(), place_row(p)); });
  each(b.journeys, [&](const Batch::Journey& j) {
    return counted(add_journey_.bind(1, static_cast<std::int64_t>(j.person)).bind(2, j.key).done(), journey_row(j));
  });
  each(b.dropped_journeys, [this](const Batch::Journey& j) {
    return remove(Table::journey, drop_journey_.bind(1, static_cast<std::int64_t>(j.person)).bind(2, j.key));
  });
  each(b.sightings, [&](const SightingRow& s) {
    add_sighting_.bind(1, static_cast<std::int64_t>(s.person)).bind(2, s.key).bind(3, s.at_ms).bind(4, word_of(s)).bind(5, s.weight).bind(6, ByteView(s.digest));
    return counted(add_sighting_.done(), row_of(s));
  });
  each(b.dropped_sightings, [this](const SightingRow& s) {
    return remove(Table::sighting, drop_sighting_.bind(1, static_cast<std::int64_t>(s.person)).bind(2, s.key));
  });
  each(b.recipients, [this](const RecipientRow& row) {
    const auto person = static_cast<std::int64_t>(row.person);
    for (Statement* s : {&add_recipient_, &set_recipient_}) s->bind(1, person).bind(2, ByteView(row.sealed));
    return put(add_recipient_, set_recipient_, old_recipient_.bind(1, person), row_of(row));
  });
  each(b.dropped_recipients, [this](std::uint64_t person) { return remove(Table::recipient, purge_recipient_.bind(1, static_cast<std::int64_t>(person))); });
  each(b.kept, [this](const auto& kept) {
    const auto id = static_cast<std::int64_t>(kept.first);
    for (Statement* s : {&add_kept_, &set_kept_}) s->bind(1, id).bind(2, ByteView(kept.second));
    return put(add_kept_, set_kept_, old_kept_.bind(1, id), kept_row(kept.first, kept.second));
  });
  each(b.idempotency, [&](const IdempotencyRow& row) {
    add_idempotency_.bind(1, row.client).bind(2, ByteView(row.hash)).bind(3, row.key).bind(4, static_cast<std::int64_t>(row.random));
    return counted(add_idempotency_.bind(5, ByteView(row.fingerprint)).done(), row_of(row));
  });
  each(b.providers, [this](const ProviderRow& row) {
    for (Statement* s : {&add_provider_, &set_provider_})
      s->bind(1, row.connector).bind(2, std::string_view(row.id)).bind(3, row.key).bind(4, row.attempt).bind(5, row.all_parts ? kAllParts : row.part);
    old_provider_.bind(1, row.connector).bind(2, std::string_view(row.id));
    return put(add_provider_, set_provider_, old_provider_, row_of(row));
  });
  each(b.parked, [this](const ParkedRow& row) -> Status {
    add_parked_.bind(1, row.connector).bind(2, std::string_view(row.id)).bind(3, row.at_ms).bind(4, ByteView(row.data));
    if (add_parked_.step() != Statement::Step::row) return add_parked_.done();
    account_.put(row_of(add_parked_.integer(0), row));
    return add_parked_.done();
  });
  each(b.unparked, [this](const auto& row) { return remove(Table::parked, drop_parked_.bind(1, row.first).bind(2, std::string_view(row.second))); });
  if (ok && b.drop_parked_before != 0) ok = remove(Table::parked, drop_old_parked_.bind(1, b.drop_parked_before));
  each(b.leaves, [this](const Batch::LeafRow& row) {
    return add_leaf_.bind(1, static_cast<std::int64_t>(row.sequence)).bind(2, ByteView(*row.data)).done();
  });
  each(b.events, [&](const auto& e) {
    return counted(add_event_.bind(1, e.first).bind(2, static_cast<std::int64_t>(e.second)).done(), event_row(e.first, e.second));
  });
  each(b.cursors, [this](const auto& c) {
    for (Statement* s : {&add_cursor_, &set_cursor_}) s->bind(1, c.first).bind(2, static_cast<std::int64_t>(c.second));
    return put(add_cursor_, set_cursor_, old_cursor_.bind(1, c.first), cursor_row(c.first, c.second));
  });
  each(b.conversations, [this](const auto& c) {
    const auto who = static_cast<std::int64_t>(c.first);
    for (Statement* s : {&add_conversation_, &set_conversation_}) s->bind(1, who).bind(2, c.second);
    return put(add_conversation_, set_conversation_, old_conversation_.bind(1, who), conversation_row(c.first, c.second));
  });
  return ok ? purge(b) : ok;
}

Status Writer::insert(const FlightRow& row) {
  bind_flight(add_flight_, row);
  if (const Status done = add_flight_.done(); !done) return done;
  account_.memo().keep(row.key, account_.put(row_of(row)));
  return {};
}

// The old row leaves the sum. Its value is known when it was read or written lately, as it is when the vault has just loaded it.
Status Writer::update(const FlightRow& row) {
  const Row fresh = row_of(row);
  if (const StateSum* known = account_.memo().find(row.key)) {
    account_.take(fresh, *known);
  } else {
    const Statement::Step step = old_flight_.bind(1, row.key).step();
    if (step == Statement::Step::row) account_.take(row_of(Table::flight, old_flight_));
    old_flight_.reset();
    if (step == Statement::Step::error) return fail(error_of(db_));
  }
  bind_flight(set_flight_, row);
  if (const Status done = set_flight_.done(); !done) return done;
  if (changed(db_) != 1) return fail("a message that is to change is not there");
  account_.memo().keep(row.key, account_.put(fresh));
  return {};
}

// A row that may take the place of an older one of its key. Mostly there is none, and then there is nothing to read.
Status Writer::put(Statement& add, Statement& set, Statement& old, const Row& row) {
  if (const Status done = add.done(); !done) return done;
  if (changed(db_) == 0) {
    if (old.step() != Statement::Step::row) return old.done();
    account_.take(row_of(row.table, old));
    old.reset();
    if (const Status done = set.done(); !done) return done;
  }
  account_.put(row);
  return {};
}

// Runs a DELETE that returns what it deletes.
Status Writer::remove(Table table, Statement& statement, bool* any) {
  for (;;) {
    const Statement::Step step = statement.step();
    if (step == Statement::Step::end) return {};
    if (step == Statement::Step::error) {
      const std::string why = error_of(db_);
      statement.reset();
      return fail(why);
    }
    account_.take(row_of(table, statement));
    if (any != nullptr) *any = true;
  }
}

// The same for one row: reading it first costs a third of what DELETE ... RETURNING does, which keeps what it returns in a table of its own.
Status Writer::remove_one(Table table, Statement& old, Statement& drop) {
  if (old.step() != Statement::Step::row) return old.done();
  account_.take(row_of(table, old));
  old.reset();
  return drop.done();
}

Status Writer::erase(std::int64_t person) {
  if (const Status done = remove(Table::person, purge_person_.bind(1, person)); !done) return done;
  if (const Status done = remove(Table::recipient, purge_recipient_.bind(1, person)); !done) return done;
  if (const Status done = remove(Table::sighting, purge_sightings_.bind(1, person)); !done) return done;
  return remove(Table::journey, purge_journeys_.bind(1, person));
}

Status Writer::drop_content(MessageKey key) {
  const Status done = remove_one(Table::content, old_content_.bind(1, key), purge_content_.bind(1, key));
  return done ? remove_one(Table::content_key, old_content_key_.bind(1, key), purge_content_key_.bind(1, key)) : done;
}

Status Writer::purge(const Batch& b) {
  for (const MessageKey key : b.purged) {
    bool gone = false;
    if (const Status done = remove(Table::flight, purge_flight_.bind(1, key), &gone); !done) return done;
    if (!gone) continue;
    account_.memo().drop(key);
    if (const Status done = drop_content(key); !done) return done;
  }
  for (const auto& [client, sequence] : b.purged_events)
    if (const Status done = remove(Table::event, purge_event_.bind(1, client).bind(2, static_cast<std::int64_t>(sequence))); !done) return done;
  for (const Orphans::Idempotency& row : b.purged_orphans.idempotency)
    if (const Status done = remove(Table::idempotency, purge_idempotency_.bind(1, row.client).bind(2, ByteView(row.hash))); !done) return done;
  for (const Orphans::Provider& row : b.purged_orphans.providers)
    if (const Status done = remove(Table::provider, purge_provider_.bind(1, row.connector).bind(2, std::string_view(row.id))); !done) return done;
  for (const Orphans::Conversation& row : b.purged_orphans.conversations)
    if (const Status done = remove(Table::conversation, purge_conversation_.bind(1, static_cast<std::int64_t>(row.pseudonym))); !done) return done;
  return {};
}

}  // namespace postern::store
