// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/embedded.hpp"

#include "gateway/store/sqlite.hpp"

namespace postern::store {
namespace {

// The WAL is folded into the file when it has grown this many commits' worth; between commits, so no
// reader waits for it.
constexpr int kCommitsPerCheckpoint = 64;

constexpr std::int64_t kSchema = 1;

// `queue` is connector * 2 + (1 when handed); NULL in no queue. `wake` is NULL when nothing is due.
// Both indexes hold only flights on their way, so a long history costs them nothing.
constexpr const char* kSchemaSql = R"(
CREATE TABLE content(k INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE content_key(k INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE person(id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE flight(k INTEGER PRIMARY KEY, queue INTEGER, lane INTEGER NOT NULL, wake INTEGER, data BLOB NOT NULL) STRICT;
CREATE INDEX flight_queue ON flight(queue, lane, k) WHERE queue IS NOT NULL;
CREATE INDEX flight_wake ON flight(wake, k) WHERE wake IS NOT NULL;
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
CREATE TABLE mark(id INTEGER PRIMARY KEY CHECK (id = 1), audit BLOB NOT NULL) STRICT;
PRAGMA user_version=1;
)";

constexpr std::uint8_t kAllParts = 255;

class Embedded final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& path, const Secret& key) {
    Result<Connection> db = open_encrypted(path, key);
    if (!db) return fail(db.what());
    std::unique_ptr<Embedded> store(new Embedded(std::move(*db)));
    if (const Status ready = store->prepare(); !ready) return fail("store " + path + ": " + ready.what());
    return store;
  }

  Status commit(const Batch& b) override {
    if (!broken_.empty()) return fail(broken_);
    if (const Status begun = begin_.done(); !begun) return fail(begun.what());
    const Status written = write(b);
    if (written) {
      if (const Status committed = commit_.done(); committed) {
        if (++since_checkpoint_ >= kCommitsPerCheckpoint) checkpoint();
        return {};
      } else {
        // A sync that failed may have lost pages that the kernel now calls clean: what this connection
        // believes about the file is worth nothing any more. A full disk is an ordinary refusal.
        if (is_full(db_.get())) {
          (void)rollback_.done();
          return fail("the disk is full (" + committed.what() + "); free space: nothing is accepted until then");
        }
        broken_ = "the store could not commit (" + committed.what() + "); restart posternd after mending the disk";
        leave_as_it_is(db_.get());
      }
    }
    (void)rollback_.done();
    return fail(written ? broken_ : "the store could not write: " + written.what());
  }

  bool usable() const override { return broken_.empty(); }

  Result<std::optional<FlightRow>> load(MessageKey key) override {
    load_.bind(1, key);
    return one<FlightRow>(load_, [](Statement& s) { return flight_of(s); });
  }

  Result<std::optional<Bytes>> content(MessageKey key) override {
    content_.bind(1, key);
    return one<Bytes>(content_, [](Statement& s) { return s.blob(0); });
  }

  Result<std::optional<Bytes>> content_key(MessageKey key) override {
    content_key_.bind(1, key);
    return one<Bytes>(content_key_, [](Statement& s) { return s.blob(0); });
  }

  Result<std::optional<Bytes>> person(std::uint64_t person) override {
    person_.bind(1, static_cast<std::int64_t>(person));
    return one<Bytes>(person_, [](Statement& s) { return s.blob(0); });
  }

  Result<std::vector<PersonRow>> persons(std::optional<std::uint64_t> after, std::size_t limit) override {
    // As signed numbers, which is how the table is ordered.
    if (after && static_cast<std::int64_t>(*after) == INT64_MAX) return std::vector<PersonRow>();
    persons_.bind(1, after ? static_cast<std::int64_t>(*after) + 1 : INT64_MIN).bind(2, static_cast<std::int64_t>(limit));
    return all<PersonRow>(persons_, [](Statement& s) { return PersonRow{static_cast<std::uint64_t>(s.integer(0)), s.blob(1)}; });
  }

  Status fold() override {
    if (!broken_.empty()) return fail(broken_);
    const Statement::Step step = fold_.step();
    const bool blocked = step == Statement::Step::row && fold_.integer(0) != 0;
    fold_.reset();
    if (step == Statement::Step::error || blocked) return fail("the store's journal could not be folded: " + error_of(db_.get()));
    return {};
  }

  Result<std::optional<IdempotencyRow>> idempotency(ClientId client, const std::array<std::uint8_t, 16>& hash) override {
    idempotency_.bind(1, client).bind(2, ByteView(hash));
    return one<IdempotencyRow>(idempotency_, [&](Statement& s) {
      IdempotencyRow row{client, hash, s.integer(0), static_cast<std::uint64_t>(s.integer(1)), {}};
      const Bytes fingerprint = s.blob(2);
      if (fingerprint.size() == row.fingerprint.size()) std::copy(fingerprint.begin(), fingerprint.end(), row.fingerprint.begin());
      return row;
    });
  }

  Result<std::optional<ProviderRow>> provider(ConnectorId connector, const std::string& id) override {
    provider_.bind(1, connector).bind(2, std::string_view(id));
    return one<ProviderRow>(provider_, [&](Statement& s) {
      const auto part = static_cast<std::uint8_t>(s.integer(2));
      return ProviderRow{connector, id, s.integer(0), static_cast<std::uint8_t>(s.integer(1)), part, part == kAllParts};
    });
  }

  Result<std::uint64_t> parked_count() override { return number(parked_count_); }

  Result<std::vector<ParkedRow>> parked(ConnectorId connector, const std::string& id) override {
    parked_.bind(1, connector).bind(2, std::string_view(id));
    return all<ParkedRow>(parked_, [&](Statement& s) { return ParkedRow{connector, id, s.integer(0), s.blob(1)}; });
  }

  Result<std::optional<MessageKey>> conversation(std::uint64_t pseudonym) override {
    conversation_.bind(1, static_cast<std::int64_t>(pseudonym));
    return one<MessageKey>(conversation_, [](Statement& s) { return s.integer(0); });
  }

  Result<std::vector<FlightRow>> due(TimeMs now, std::size_t limit) override {
    due_.bind(1, now).bind(2, static_cast<std::int64_t>(limit));
    return all<FlightRow>(due_, flight_of);
  }

  Result<std::optional<TimeMs>> next_due() override {
    return one<TimeMs>(next_due_, [](Statement& s) { return s.integer(0); });
  }

  Result<std::vector<FlightRow>> queued(Queue queue, std::uint8_t lane, MessageKey after, std::size_t limit) override {
    queued_.bind(1, word_of(queue)).bind(2, lane).bind(3, after).bind(4, static_cast<std::int64_t>(limit));
    return all<FlightRow>(queued_, flight_of);
  }

  Result<std::vector<Bytes>> leaves(std::uint64_t from, std::size_t count) override {
    leaves_.bind(1, static_cast<std::int64_t>(from)).bind(2, static_cast<std::int64_t>(from + count));
    return all<Bytes>(leaves_, [](Statement& s) { return s.blob(0); });
  }

  Result<Bytes> audit_mark() override {
    Result<std::optional<Bytes>> mark = one<Bytes>(mark_, [](Statement& s) { return s.blob(0); });
    if (!mark) return fail(mark.what());
    return mark->value_or(Bytes{});
  }

  Result<std::vector<std::uint64_t>> events(ClientId client, std::uint64_t after, std::size_t limit) override {
    events_.bind(1, client).bind(2, static_cast<std::int64_t>(after)).bind(3, static_cast<std::int64_t>(limit));
    return all<std::uint64_t>(events_, [](Statement& s) { return static_cast<std::uint64_t>(s.integer(0)); });
  }

  Result<std::uint64_t> cursor(ConnectorId connector) override {
    cursor_.bind(1, connector);
    return number(cursor_);
  }

  Result<std::vector<std::pair<std::uint16_t, std::string>>> names() override {
    return all<std::pair<std::uint16_t, std::string>>(
        names_, [](Statement& s) { return std::pair(static_cast<std::uint16_t>(s.integer(0)), s.text(1)); });
  }

  Result<MessageKey> newest_key() override {
    const auto found = one<MessageKey>(newest_, [](Statement& s) { return s.integer(0); });
    if (!found) return fail(found.what());
    return found->value_or(0);
  }

  Result<std::uint64_t> waiting() override { return number(waiting_); }

  Result<std::vector<FlightRow>> scan(MessageKey after, std::size_t limit) override {
    scan_.bind(1, after).bind(2, static_cast<std::int64_t>(limit));
    return all<FlightRow>(scan_, flight_of);
  }

 private:
  explicit Embedded(Connection db) : db_(std::move(db)) {}

  Status prepare() {
    Statement version(db_.get(), "PRAGMA user_version");
    if (!version.ready() || version.step() != Statement::Step::row) return fail("its schema version cannot be read");
    const std::int64_t found = version.integer(0);
    version.reset();
    if (found > kSchema)
      return fail("was written by a newer Postern (schema " + std::to_string(found) + "); install that version or a newer one");
    if (found == 0) {
      const std::string sql = std::string("BEGIN IMMEDIATE;") + kSchemaSql + "COMMIT;";
      if (const Status made = run(db_.get(), sql.c_str()); !made) return fail("its tables could not be made: " + made.what());
    }
    const auto prepare_one = [this](Statement& statement, std::string_view sql) {
      statement = Statement(db_.get(), sql);
      return statement.ready();
    };
    const bool ready =
        prepare_one(begin_, "BEGIN IMMEDIATE") && prepare_one(commit_, "COMMIT") && prepare_one(rollback_, "ROLLBACK") &&
        prepare_one(add_content_, "INSERT INTO content(k, sealed) VALUES(?1, ?2)") &&
        prepare_one(add_content_key_, "INSERT INTO content_key(k, wrapped) VALUES(?1, ?2)") &&
        prepare_one(drop_content_, "DELETE FROM content WHERE k = ?1") &&
        prepare_one(drop_content_key_, "DELETE FROM content_key WHERE k = ?1") &&
        prepare_one(set_person_, "INSERT OR REPLACE INTO person(id, wrapped) VALUES(?1, ?2)") &&
        prepare_one(drop_person_, "DELETE FROM person WHERE id = ?1") &&
        prepare_one(content_key_, "SELECT wrapped FROM content_key WHERE k = ?1") &&
        prepare_one(person_, "SELECT wrapped FROM person WHERE id = ?1") &&
        prepare_one(persons_, "SELECT id, wrapped FROM person WHERE id >= ?1 ORDER BY id LIMIT ?2") &&
        prepare_one(fold_, "PRAGMA wal_checkpoint(TRUNCATE)") &&
        prepare_one(add_flight_, "INSERT INTO flight(k, queue, lane, wake, data) VALUES(?1, ?2, ?3, ?4, ?5)") &&
        prepare_one(set_flight_, "UPDATE OR FAIL flight SET queue = ?2, lane = ?3, wake = ?4, data = ?5 WHERE k = ?1") &&
        prepare_one(add_idempotency_, "INSERT INTO idempotency(client, hash, k, random, fingerprint) VALUES(?1, ?2, ?3, ?4, ?5)") &&
        prepare_one(add_provider_, "INSERT OR REPLACE INTO provider(connector, id, k, attempt, part) VALUES(?1, ?2, ?3, ?4, ?5)") &&
        prepare_one(add_parked_, "INSERT INTO parked(connector, id, at, data) VALUES(?1, ?2, ?3, ?4)") &&
        prepare_one(drop_parked_, "DELETE FROM parked WHERE connector = ?1 AND id = ?2") &&
        prepare_one(drop_old_parked_, "DELETE FROM parked WHERE at < ?1") &&
        prepare_one(parked_count_, "SELECT count(*) FROM parked") &&
        prepare_one(add_leaf_, "INSERT INTO leaf(seq, data) VALUES(?1, ?2)") &&
        prepare_one(add_event_, "INSERT INTO event(client, seq) VALUES(?1, ?2)") &&
        prepare_one(set_cursor_, "INSERT OR REPLACE INTO cursor(connector, seq) VALUES(?1, ?2)") &&
        prepare_one(set_conversation_, "INSERT OR REPLACE INTO conversation(who, k) VALUES(?1, ?2)") &&
        prepare_one(add_name_, "INSERT INTO name(id, name) VALUES(?1, ?2)") &&
        prepare_one(set_mark_, "INSERT OR REPLACE INTO mark(id, audit) VALUES(1, ?1)") &&
        prepare_one(load_, "SELECT k, queue, lane, wake, data FROM flight WHERE k = ?1") &&
        prepare_one(content_, "SELECT sealed FROM content WHERE k = ?1") &&
        prepare_one(idempotency_, "SELECT k, random, fingerprint FROM idempotency WHERE client = ?1 AND hash = ?2") &&
        prepare_one(provider_, "SELECT k, attempt, part FROM provider WHERE connector = ?1 AND id = ?2") &&
        prepare_one(parked_, "SELECT at, data FROM parked WHERE connector = ?1 AND id = ?2 ORDER BY n") &&
        prepare_one(conversation_, "SELECT k FROM conversation WHERE who = ?1") &&
        prepare_one(due_, "SELECT k, queue, lane, wake, data FROM flight INDEXED BY flight_wake WHERE wake <= ?1 ORDER BY wake, k LIMIT ?2") &&
        prepare_one(next_due_, "SELECT wake FROM flight INDEXED BY flight_wake WHERE wake IS NOT NULL ORDER BY wake LIMIT 1") &&
        prepare_one(queued_,
                    "SELECT k, queue, lane, wake, data FROM flight INDEXED BY flight_queue "
                    "WHERE queue = ?1 AND lane = ?2 AND k > ?3 ORDER BY k LIMIT ?4") &&
        prepare_one(leaves_, "SELECT data FROM leaf WHERE seq >= ?1 AND seq < ?2 ORDER BY seq") &&
        prepare_one(mark_, "SELECT audit FROM mark WHERE id = 1") &&
        prepare_one(events_, "SELECT seq FROM event WHERE client = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3") &&
        prepare_one(cursor_, "SELECT seq FROM cursor WHERE connector = ?1") &&
        prepare_one(names_, "SELECT id, name FROM name ORDER BY id") &&
        prepare_one(newest_, "SELECT k FROM flight ORDER BY k DESC LIMIT 1") &&
        prepare_one(waiting_, "SELECT count(*) FROM flight INDEXED BY flight_wake WHERE wake IS NOT NULL") &&
        prepare_one(scan_, "SELECT k, queue, lane, wake, data FROM flight WHERE k > ?1 ORDER BY k LIMIT ?2") &&
        prepare_one(checkpoint_, "PRAGMA wal_checkpoint(PASSIVE)");
    return ready ? Status() : fail("a statement does not fit its schema: " + error_of(db_.get()));
  }

  static std::int64_t word_of(Queue queue) { return queue.connector * 2 + (queue.handed ? 1 : 0); }

  static FlightRow flight_of(Statement& s) {
    FlightRow row;
    row.key = s.integer(0);
    if (!s.is_null(1)) row.queue = {static_cast<ConnectorId>(s.integer(1) / 2), s.integer(1) % 2 == 1};
    row.lane = static_cast<std::uint8_t>(s.integer(2));
    row.wake_ms = s.is_null(3) ? 0 : s.integer(3);
    row.data = s.blob(4);
    return row;
  }

  template <class Row, class Read>
  Result<std::optional<Row>> one(Statement& statement, const Read& read) {
    const Statement::Step step = statement.step();
    if (step == Statement::Step::end) return std::optional<Row>();
    if (step == Statement::Step::error) return broken_read(statement);
    std::optional<Row> row = read(statement);
    statement.reset();
    return row;
  }

  template <class Row, class Read>
  Result<std::vector<Row>> all(Statement& statement, const Read& read) {
    std::vector<Row> rows;
    for (;;) {
      const Statement::Step step = statement.step();
      if (step == Statement::Step::end) return rows;
      if (step == Statement::Step::error) return broken_read(statement);
      rows.push_back(read(statement));
    }
  }

  // The one number of a statement; 0 when it gives no row.
  Result<std::uint64_t> number(Statement& statement) {
    const auto found = one<std::uint64_t>(statement, [](Statement& s) { return static_cast<std::uint64_t>(s.integer(0)); });
    if (!found) return fail(found.what());
    return found->value_or(0);
  }

  std::unexpected<Error> broken_read(Statement& statement) {
    std::string why = "the store could not be read: " + error_of(db_.get());
    statement.reset();
    return fail(std::move(why));
  }

  static void bind_flight(Statement& s, const FlightRow& row) {
    s.bind(1, row.key).bind(3, row.lane).bind(5, ByteView(row.data));
    if (row.queue.connector == 0) s.bind_null(2);
    else s.bind(2, word_of(row.queue));
    if (row.wake_ms == 0) s.bind_null(4);
    else s.bind(4, row.wake_ms);
  }

  // Each write stops the batch at the first fault.
  Status write(const Batch& b) {
    Status ok;
    const auto each = [&ok](const auto& rows, const auto& write_row) {
      for (const auto& row : rows) {
        if (!ok) return;
        ok = write_row(row);
      }
    };
    each(b.names, [this](const auto& n) { return add_name_.bind(1, n.first).bind(2, std::string_view(n.second)).done(); });
    each(b.contents, [this](const auto& c) { return add_content_.bind(1, c.key).bind(2, ByteView(c.sealed)).done(); });
    each(b.content_keys, [this](const auto& c) { return add_content_key_.bind(1, c.key).bind(2, ByteView(c.sealed)).done(); });
    each(b.persons, [this](const PersonRow& row) {
      return set_person_.bind(1, static_cast<std::int64_t>(row.person)).bind(2, ByteView(row.wrapped)).done();
    });
    each(b.erased_persons, [this](std::uint64_t person) { return drop_person_.bind(1, static_cast<std::int64_t>(person)).done(); });
    each(b.dropped_contents, [this](MessageKey key) {
      const Status dropped = drop_content_.bind(1, key).done();
      return dropped ? drop_content_key_.bind(1, key).done() : dropped;
    });
    each(b.inserts, [this](const FlightRow& row) {
      bind_flight(add_flight_, row);
      return add_flight_.done();
    });
    each(b.updates, [this](const FlightRow& row) {
      bind_flight(set_flight_, row);
      return set_flight_.done();
    });
    each(b.idempotency, [this](const IdempotencyRow& row) {
      return add_idempotency_.bind(1, row.client).bind(2, ByteView(row.hash)).bind(3, row.key)
          .bind(4, static_cast<std::int64_t>(row.random)).bind(5, ByteView(row.fingerprint)).done();
    });
    each(b.providers, [this](const ProviderRow& row) {
      return add_provider_.bind(1, row.connector).bind(2, std::string_view(row.id)).bind(3, row.key).bind(4, row.attempt)
          .bind(5, row.all_parts ? kAllParts : row.part).done();
    });
    each(b.parked, [this](const ParkedRow& row) {
      return add_parked_.bind(1, row.connector).bind(2, std::string_view(row.id)).bind(3, row.at_ms).bind(4, ByteView(row.data)).done();
    });
    each(b.unparked, [this](const auto& row) { return drop_parked_.bind(1, row.first).bind(2, std::string_view(row.second)).done(); });
    if (ok && b.drop_parked_before != 0) ok = drop_old_parked_.bind(1, b.drop_parked_before).done();
    each(b.leaves, [this](const Batch::LeafRow& row) {
      return add_leaf_.bind(1, static_cast<std::int64_t>(row.sequence)).bind(2, ByteView(*row.data)).done();
    });
    each(b.events, [this](const auto& e) { return add_event_.bind(1, e.first).bind(2, static_cast<std::int64_t>(e.second)).done(); });
    each(b.cursors, [this](const auto& c) { return set_cursor_.bind(1, c.first).bind(2, static_cast<std::int64_t>(c.second)).done(); });
    each(b.conversations, [this](const auto& c) {
      return set_conversation_.bind(1, static_cast<std::int64_t>(c.first)).bind(2, c.second).done();
    });
    if (ok && !b.audit_mark.empty()) ok = set_mark_.bind(1, ByteView(b.audit_mark)).done();
    return ok;
  }

  void checkpoint() {
    since_checkpoint_ = 0;
    while (checkpoint_.step() == Statement::Step::row) {
    }
    checkpoint_.reset();
  }

  Connection db_;
  std::string broken_;
  int since_checkpoint_ = 0;
  Statement begin_, commit_, rollback_, checkpoint_;
  Statement add_content_, add_content_key_, drop_content_, drop_content_key_, set_person_, drop_person_, add_flight_, set_flight_, add_idempotency_, add_provider_, add_parked_, drop_parked_, drop_old_parked_,
      add_leaf_, add_event_, set_cursor_, set_conversation_, add_name_, set_mark_;
  Statement fold_, content_key_, person_, persons_;
  Statement load_, content_, idempotency_, provider_, parked_, parked_count_, conversation_, due_, next_due_, queued_, leaves_, mark_, events_,
      cursor_, names_, newest_, waiting_, scan_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_embedded(const std::string& path, const Secret& key_and_salt) {
  return Embedded::open(path, key_and_salt);
}

}  // namespace postern::store
