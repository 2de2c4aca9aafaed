// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/embedded.hpp"

#include <algorithm>

#include "gateway/store/account.hpp"
#include "gateway/store/batch_record.hpp"
#include "gateway/store/log_file.hpp"
#include "gateway/store/orphans.hpp"
#include "gateway/store/pages.hpp"
#include "gateway/store/recount.hpp"
#include "gateway/store/redo_log.hpp"
#include "gateway/store/schema.hpp"
#include "gateway/store/sqlite.hpp"
#include "gateway/store/writer.hpp"

namespace postern::store {
namespace {

// A round: what is committed until the tables are written to their file. So short that few pages have changed and no turn waits long
// for them; longer where turns are large, which costs less on the whole; and so long at most that a start has it done again at once.
#ifndef POSTERN_SHORT_ROUNDS   // tests/fault has many rounds in a short life
constexpr std::size_t kRoundBytes = 64 * 1024, kMostRoundBytes = 8 * 1024 * 1024;   // of the redo log
constexpr unsigned kRoundCommits = 32;
#else
constexpr std::size_t kRoundBytes = 1, kMostRoundBytes = 16 * 1024;
constexpr unsigned kRoundCommits = 3;
#endif

class Embedded final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& path, const Suite& suite, const Secret& key, const Secret& sum_key) {
    const std::optional<std::uint64_t> in_file = generation_in_file(path, key);
    Result<Connection> db = open_encrypted(path, key);
    if (!db) return fail(db.what());
    Result<RedoLog> redo = RedoLog::open(redo_path(path), suite, key);
    if (!redo) return fail("store " + path + ": " + redo.what());
    if (const Status named = sync_folder_of(path); !named) return fail("store " + path + ": " + named.what());
    std::unique_ptr<Embedded> store(new Embedded(std::move(*db), std::move(*redo), key, sum_key));
    const auto refused = [&](const Status& why) {
      (void)store->broken(why.what());   // its files stay as they are
      return fail("store " + path + ": " + why.what());
    };
    if (const Status ready = store->prepare(sum_key); !ready) return refused(ready);
    if (const Status whole = store->belong_together(in_file); !whole) return refused(whole);
    if (const Status done = store->redo(); !done) return refused(done);
    if (const Status settled = store->settle(); !settled) return refused(settled);
    return store;
  }

  // What is in the file alone needs no redo log.
  ~Embedded() override {
    if (!broken_.empty() || !settle()) return;
    if (sync_log(db_.get())) (void)redo_.empty();
    else leave_as_it_is(db_.get());
  }

  Status commit(const Batch& b) override {
    if (!broken_.empty()) return fail(broken_);
    if (const Status synced = file_sync(db_.get()); !synced) return broken(synced.what());
    full_ = false;
    if (round_is_over())
      if (const Status settled = settle(); !settled) return settled;
    if (const Status begun = begin(); !begun) return begun;
    account_.begin();
    if (const Status written = writer_.write(b); !written) return back("the store could not write: " + written.what());
    const State next = account_.next(b);
    if (next.generation != account_.state().generation + 1) {
      // It goes on above what an anchor knows of: no record follows on the one before.
      settle_account(next, b.audit_mark);
      return settle();
    }
    switch (record(next, b)) {
      case RedoLog::Written::durable:
        settle_account(next, b.audit_mark);
        ++commits_;
        return {};
      case RedoLog::Written::full: full_ = true; return back("the disk is full; free space: nothing is accepted until then");
      case RedoLog::Written::failed: break;
    }
    // A sync that failed may have lost pages that the kernel now calls clean: what this process believes about the file is worth
    // nothing any more.
    return broken("the store's redo log could not be written");
  }

  bool usable() const override { return broken_.empty(); }
  bool full() const override { return full_; }
  State state() const override { return account_.state(); }

  Result<std::optional<FlightRow>> load(MessageKey key) override {
    load_.bind(1, key);
    return one<FlightRow>(load_, [this](Statement& s) { return remembered(s); });
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

  Result<std::optional<Bytes>> branch(std::uint64_t id) override {
    branch_.bind(1, static_cast<std::int64_t>(id));
    return one<Bytes>(branch_, [](Statement& s) { return s.blob(0); });
  }

  Result<std::vector<BranchRow>> branches(std::uint64_t after, std::size_t limit) override {
    branches_.bind(1, static_cast<std::int64_t>(after)).bind(2, static_cast<std::int64_t>(limit));
    return all<BranchRow>(branches_, [](Statement& s) { return BranchRow{static_cast<std::uint64_t>(s.integer(0)), s.blob(1)}; });
  }

  Status fold() override {
    if (!broken_.empty()) return fail(broken_);
    if (snapshot_taken_) return fail("the store's journal cannot be folded while a backup is being made");
    if (const Status settled = settle(); !settled) return settled;
    fold(fold_whole_);
    if (folded_ != account_.state().generation) return fail("the store's journal could not be folded: " + error_of(db_.get()));
    begin_round();
    return redo_.empty();
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
    return all<FlightRow>(due_, [this](Statement& s) { return remembered(s); });
  }

  Result<std::optional<TimeMs>> next_due() override {
    return one<TimeMs>(next_due_, [](Statement& s) { return s.integer(0); });
  }

  Result<std::vector<SightingRow>> sightings(std::uint64_t person) override {
    sightings_.bind(1, static_cast<std::int64_t>(person));
    return all<SightingRow>(sightings_, [person](Statement& s) {
      return SightingRow{person, s.integer(0), s.integer(1), static_cast<Category>(s.integer(2) >> 16), static_cast<ClientId>(s.integer(2)),
                         static_cast<std::uint32_t>(s.integer(3)), s.blob(4)};
    });
  }

  Result<std::optional<Bytes>> recipient(std::uint64_t person) override {
    recipient_.bind(1, static_cast<std::int64_t>(person));
    return one<Bytes>(recipient_, [](Statement& s) { return s.blob(0); });
  }

  Result<bool> has_recipients() override {
    const Result<std::uint64_t> some = number("SELECT EXISTS(SELECT 1 FROM recipient)");
    return some ? Result<bool>(*some != 0) : fail(some.what());
  }

  Result<std::optional<Bytes>> kept(Kept what) override {
    kept_.bind(1, static_cast<std::int64_t>(what));
    return one<Bytes>(kept_, [](Statement& s) { return s.blob(0); });
  }

  Result<std::vector<MessageKey>> journeys(std::uint64_t person, std::size_t limit) override {
    journeys_.bind(1, static_cast<std::int64_t>(person)).bind(2, static_cast<std::int64_t>(limit));
    return all<MessageKey>(journeys_, [](Statement& s) { return s.integer(0); });
  }

  Result<std::vector<FlightRow>> queued(Queue queue, std::uint8_t lane, MessageKey after, std::size_t limit) override {
    queued_.bind(1, word_of(queue)).bind(2, lane).bind(3, after).bind(4, static_cast<std::int64_t>(limit));
    Result<std::vector<FlightRow>> rows = all<FlightRow>(queued_, [this](Statement& s) { return remembered(s); });
    placed_.bind(1, word_of(queue, lane)).bind(2, after).bind(3, static_cast<std::int64_t>(limit));
    Result<std::vector<FlightRow>> placed = rows ? all<FlightRow>(placed_, [this](Statement& s) { return remembered(s); }) : std::move(rows);
    if (!placed || placed->empty()) return placed ? std::move(rows) : std::move(placed);
    const auto middle = rows->insert(rows->end(), std::make_move_iterator(placed->begin()), std::make_move_iterator(placed->end()));
    std::ranges::inplace_merge(*rows, middle, {}, &FlightRow::key);
    if (rows->size() > limit) rows->resize(limit);
    return rows;
  }

  Result<std::vector<Bytes>> leaves(std::uint64_t from, std::size_t count) override {
    leaves_.bind(1, static_cast<std::int64_t>(from)).bind(2, static_cast<std::int64_t>(from + count));
    return all<Bytes>(leaves_, [](Statement& s) { return s.blob(0); });
  }

  Result<Bytes> audit_mark() override {
    return audit_mark_;
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

  Result<Orphans> orphans(OrphanPlace& place, MessageKey before, std::size_t limit) override { return find_orphans(db_.get(), place, before, limit); }

  Result<Recount> recount(std::size_t rows) override { return recounter_.step(rows); }

  Result<MediaCheck> check_media(std::size_t bytes) override {
    const std::uint64_t count = std::max<std::uint64_t>(bytes / kPageSize, 1);
    const Result<std::uint64_t> checked = pages_.check(media_at_, count);
    if (!checked) {
      media_at_ = 0;
      return fail(checked.what());
    }
    media_at_ += *checked;
    const MediaCheck result{*checked < count, media_at_ * kPageSize};
    if (result.done) media_at_ = 0;
    return result;
  }

  Result<Compaction> compact(std::size_t bytes) override {
    if (!broken_.empty()) return fail(broken_);
    if (const Status settled = settle(); !settled) return fail(settled.what());
    const Result<std::uint64_t> mode = number("PRAGMA auto_vacuum"), before = number("PRAGMA freelist_count");
    if (!mode || !before) return fail("the store could not be read: " + error_of(db_.get()));
    constexpr std::uint64_t kIncremental = 2;
    if (*mode != kIncremental) return fail("this store was made by a version that could not compact; its free pages are used again");
    if (*before == 0) return Compaction{};
    if (const Status begun = begin_.done(); !begun) return fail(begun.what());
    account_.begin();
    const State next = account_.next(Batch{});
    Status done = run(db_.get(), ("PRAGMA incremental_vacuum(" + std::to_string(std::max<std::size_t>(bytes / kPageSize, 1)) + ")").c_str());
    // With the mark: no write-ahead log is without a generation.
    if (done) done = set_mark(next);
    if (done) done = commit_.done();
    if (!done) {
      if (!is_full(db_.get())) return broken("the store could not be compacted (" + done.what() + ")");
      (void)rollback_.done();
      account_.begin();
      return fail("the store could not be compacted: " + done.what());
    }
    account_.settle(next);
    // Of this commit nothing stands in the redo log.
    if (const Status durable = make_durable(); !durable) return fail(durable.what());
    const Result<std::uint64_t> after = number("PRAGMA freelist_count");
    if (!after) return fail(after.what());
    return Compaction{(*before - *after) * kPageSize, *after * kPageSize};
  }

  // The file alone is the store once all of the log is in it, and it stays so as long as nothing more is folded.
  bool snapshot_taken() const override { return snapshot_taken_; }
  Result<std::unique_ptr<Snapshot>> snapshot() override {
    if (!broken_.empty()) return fail(broken_);
    if (snapshot_taken_) return fail("a backup is being made already");
    if (const Status folded = fold(); !folded) return fail(folded.what());
    const Result<std::uint64_t> size = pages_.size();
    if (!size) return fail(size.what());
    snapshot_taken_ = true;
    return std::unique_ptr<Snapshot>(new FileSnapshot(*this, *size));
  }

 private:
  class FileSnapshot final : public Snapshot {
   public:
    FileSnapshot(Embedded& store, std::uint64_t size) : store_(store), size_(size) {}
    ~FileSnapshot() override { store_.snapshot_taken_ = false; }
    std::uint64_t size() const override { return size_; }
    Status read(std::uint64_t offset, std::span<std::uint8_t> out) override {
      if (offset > size_ || out.size() > size_ - offset) return fail("a backup reads beyond the store's end");
      return store_.pages_.read(offset, out);
    }

   private:
    Embedded& store_;
    std::uint64_t size_;
  };

  Embedded(Connection db, RedoLog redo, const Secret& key, const Secret& sum_key)
      : db_(std::move(db)), redo_(std::move(redo)), account_(sum_key.clone()), writer_(db_.get(), account_), recounter_(db_.get(), account_), pages_(db_.get(), key) {}

  Status prepare(const Secret& sum_key) {
    if (const Status current = migrate(db_.get(), sum_key); !current) return current;
    const auto prepare_one = [this](Statement& statement, std::string_view sql) {
      statement = Statement(db_.get(), sql);
      return statement.ready();
    };
    const bool ready =
        prepare_one(begin_, "BEGIN IMMEDIATE") && prepare_one(commit_, "COMMIT") && prepare_one(rollback_, "ROLLBACK") &&
        prepare_one(parked_count_, "SELECT count(*) FROM parked") &&
        prepare_one(content_key_, "SELECT wrapped FROM content_key WHERE k = ?1") &&
        prepare_one(person_, "SELECT wrapped FROM person WHERE id = ?1") &&
        prepare_one(persons_, "SELECT id, wrapped FROM person WHERE id >= ?1 ORDER BY id LIMIT ?2") &&
        prepare_one(branch_, "SELECT wrapped FROM branch WHERE id = ?1") &&
        prepare_one(branches_, "SELECT id, wrapped FROM branch WHERE id > ?1 ORDER BY id LIMIT ?2") &&
        prepare_one(set_mark_, "UPDATE mark SET generation = ?1, sum = ?2, folded = ?3, suspect = ?4, audit = ?5 WHERE id = 1") &&
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
        prepare_one(sightings_, "SELECT k, at, who, weight, digest FROM sighting WHERE person = ?1 ORDER BY k") &&
        prepare_one(recipient_, "SELECT sealed FROM recipient WHERE person = ?1") &&
        prepare_one(kept_, "SELECT data FROM kept WHERE id = ?1") &&
        prepare_one(journeys_, "SELECT k FROM journey WHERE person = ?1 ORDER BY k LIMIT ?2") &&
        prepare_one(placed_,
                    "SELECT f.k, f.queue, f.lane, f.wake, f.data FROM place AS p JOIN flight AS f ON f.k = p.k "
                    "WHERE p.place = ?1 AND p.k > ?2 ORDER BY p.k LIMIT ?3") &&
        prepare_one(leaves_, "SELECT data FROM leaf WHERE seq >= ?1 AND seq < ?2 ORDER BY seq") &&
        prepare_one(events_, "SELECT seq FROM event WHERE client = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3") &&
        prepare_one(cursor_, "SELECT seq FROM cursor WHERE connector = ?1") &&
        prepare_one(names_, "SELECT id, name FROM name ORDER BY id") &&
        prepare_one(newest_, "SELECT k FROM flight ORDER BY k DESC LIMIT 1") &&
        prepare_one(waiting_, "SELECT count(*) FROM flight INDEXED BY flight_wake WHERE wake IS NOT NULL") &&
        prepare_one(scan_, "SELECT k, queue, lane, wake, data FROM flight WHERE k > ?1 ORDER BY k LIMIT ?2") &&
        prepare_one(fold_, "PRAGMA wal_checkpoint(PASSIVE)") && prepare_one(fold_whole_, "PRAGMA wal_checkpoint(TRUNCATE)") && writer_.prepare();
    if (!ready) return fail("a statement does not fit its schema: " + error_of(db_.get()));
    return read_state();
  }

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

  Result<std::uint64_t> number(const char* sql) {
    Statement statement(db_.get(), sql);
    if (!statement.ready()) return broken_read(statement);
    return number(statement);
  }

  std::unexpected<Error> broken_read(Statement& statement) {
    std::string why = "the store could not be read: " + error_of(db_.get());
    statement.reset();
    return fail(std::move(why));
  }

  // Reads a flight and keeps its value: whoever loads it may well change it.
  FlightRow remembered(Statement& s) {
    FlightRow row = flight_of(s);
    if (account_.memo().find(row.key) == nullptr) account_.memo().keep(row.key, account_.value(row_of(row)));
    return row;
  }

  // ---- a round of the redo log: one transaction of the tables ----

  Status begin() {
    if (in_round_) return {};
    if (const Status begun = begin_.done(); !begun) return begun;
    in_round_ = true;
    return {};
  }

  RedoLog::Written record(const State& next, const Batch& batch) {
    record_.clear();
    encode(next.sum, record_);
    encode(batch, record_);
    const RedoLog::Written written = redo_.write(next.generation, record_);
    wipe(record_.data(), record_.size());
    return written;
  }

  void settle_account(const State& next, const Bytes& audit_mark) {
    account_.settle(next);
    if (!audit_mark.empty()) audit_mark_ = audit_mark;
  }

  // Ends the round: the tables as they are now become durable in their own files.
  Status settle() {
    if (!in_round_) return {};
    Status done = set_mark(account_.state());
    {
      const Syncs none(db_.get(), Syncs::Do::log_unsynced);
      if (done) done = commit_.done();
    }
    if (!done) {
      full_ = is_full(db_.get());
      if (!full_) return broken("the store could not commit (" + done.what() + ")");
      return back("the disk is full (" + done.what() + "); free space: nothing is accepted until then");
    }
    in_round_ = false;
    return make_durable();
  }

  bool round_is_over() const { return redo_.bytes() >= kRoundBytes && (commits_ >= kRoundCommits || redo_.bytes() >= kMostRoundBytes); }

  // The store as it was before what could not be written: the tables as they were when the round began, and what was committed since.
  std::unexpected<Error> back(const std::string& why) {
    (void)rollback_.done();
    in_round_ = false;
    account_.begin();
    account_.end_walk();
    writer_.forget();
    Status again = read_state();
    if (again) again = redo();
    return again ? fail(why) : broken(why + "; and what was committed before could not be done again: " + again.what());
  }

  std::unexpected<Error> broken(const std::string& why) {
    broken_ = why + "; restart posternd after mending the disk";
    leave_as_it_is(db_.get());
    return fail(broken_);
  }

  // Does what the redo log has and the tables have not.
  Status redo() {
    return redo_.read(account_.state().generation, [this](std::uint64_t generation, ByteView record) -> Status {
      const auto refused = [generation](const std::string& why) { return fail("commit " + std::to_string(generation) + " of its redo log " + why); };
      const std::optional<StateSum> sum = record.size() < kSumBytes ? std::nullopt : decode_sum(record.first(kSumBytes));
      const std::optional<ReadBatch> read = sum ? decode_batch(record.subspan(kSumBytes)) : std::nullopt;
      if (!read) return refused("is of a form that this version does not know; start the version that wrote it, and stop it in order");
      if (const Status begun = begin(); !begun) return begun;
      account_.begin();
      if (const Status written = writer_.write(read->batch); !written) return refused("cannot be done again: " + written.what());
      const State next = account_.next(read->batch);
      if (next.generation != generation || next.sum != *sum)
        return fail(std::string(kRolledBack) + "commit " + std::to_string(generation) + " of its redo log does not follow on what its file has: an old copy was put back; restore both from the same backup");
      settle_account(next, read->batch.audit_mark);
      return {};
    });
  }

  Status set_mark(const State& state) {
    Bytes sum;
    encode(state.sum, sum);
    set_mark_.bind(1, static_cast<std::int64_t>(state.generation)).bind(2, ByteView(sum)).bind(3, static_cast<std::int64_t>(folded_)).bind(4, state.suspect ? 1 : 0);
    return set_mark_.bind(5, ByteView(audit_mark_)).done();
  }

  Status read_state() {
    Statement mark(db_.get(), "SELECT generation, sum, folded, suspect, audit FROM mark WHERE id = 1");
    if (!mark.ready() || mark.step() != Statement::Step::row) return fail("its mark cannot be read: " + error_of(db_.get()));
    const std::optional<StateSum> sum = decode_sum(mark.view(1));
    if (!sum) return fail("its mark is damaged; restore it from a backup");
    account_.open({static_cast<std::uint64_t>(mark.integer(0)), *sum, mark.integer(3) != 0});
    folded_ = static_cast<std::uint64_t>(mark.integer(2));
    audit_mark_ = mark.blob(4);
    return {};
  }

  // Each commit says up to where the file itself was complete, so a file from before that is an older one put under a newer log; and
  // a log never ends before the file does.
  Status belong_together(std::optional<std::uint64_t> in_file) const {
    if (!in_file) return {};
    if (*in_file < folded_)
      return fail(std::string(kRolledBack) + "its file is older than its write-ahead log: an old copy was put back; restore both from the same backup");
    if (*in_file > account_.state().generation)
      return fail(std::string(kRolledBack) + "its write-ahead log is older than its file: an old copy was put back; restore both from the same backup");
    return {};
  }

  // What is committed in the tables needs the redo log no longer when it is in the write-ahead log for good. Mostly that is folded into the
  // file at once, which syncs it first; it only grows while a backup reads the file, or where the file finds no room.
  Status make_durable() {
    if (!snapshot_taken_) {
      const Syncs at_leisure(db_.get(), Syncs::Do::file_later);
      fold(fold_);
      if (!broken_.empty()) return fail(broken_);
    }
    if (folded_ != account_.state().generation)
      if (const Status synced = sync_log(db_.get()); !synced) return broken("the store's write-ahead log could not be synced (" + synced.what() + ")");
    begin_round();
    return {};
  }

  void begin_round() {
    redo_.begin_round();
    commits_ = 0;
  }

  // Folds the write-ahead log into the file. A log that could not be folded stays and is folded later, unless the disk failed: then
  // what this connection believes about the file is worth nothing.
  void fold(Statement& checkpoint) {
    const Statement::Step step = checkpoint.step();
    if (step == Statement::Step::row && checkpoint.integer(0) == 0 && checkpoint.integer(1) == checkpoint.integer(2)) folded_ = account_.state().generation;
    if (step == Statement::Step::error && !is_full(db_.get()))
      (void)broken("the store's write-ahead log could not be folded into its file (" + error_of(db_.get()) + ")");
    checkpoint.reset();
  }

  Connection db_;
  RedoLog redo_;
  Account account_;
  Writer writer_;
  Recounter recounter_;
  Pages pages_;
  std::string broken_;
  unsigned commits_ = 0;              // of this round
  std::uint64_t folded_ = 0, media_at_ = 0;
  bool in_round_ = false, snapshot_taken_ = false, full_ = false;
  Bytes audit_mark_, record_;
  Statement begin_, commit_, rollback_, fold_, fold_whole_, set_mark_;
  Statement load_, content_, content_key_, person_, persons_, branch_, branches_, idempotency_, provider_, parked_, parked_count_, conversation_, due_, next_due_, queued_, placed_, journeys_, sightings_, recipient_, kept_, leaves_, events_,
      cursor_, names_, newest_, waiting_, scan_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_embedded(const std::string& path, const Suite& suite, const Secret& key_and_salt, const Secret& sum_key) {
  return Embedded::open(path, suite, key_and_salt, sum_key);
}

}  // namespace postern::store
