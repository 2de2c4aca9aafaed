// SPDX-License-Identifier: Apache-2.0
// The redo log by itself: what it gives back after a crash at any byte, and what it refuses. And what of it the store makes.
#include "gateway/store/redo_log.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <map>

#include "gateway/store/batch_record.hpp"
#include "gateway/store/embedded.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::store {
namespace {

using Records = std::map<std::uint64_t, Bytes>;

class Redo : public testing::TestWithParam<Profile> {
 protected:
  Result<RedoLog> open() { return RedoLog::open(path, Suite::of(GetParam()), key); }
  static Bytes record(std::uint64_t generation, std::size_t size = 300) { return Bytes(size, static_cast<std::uint8_t>(generation)); }
  void written(std::uint64_t from, std::uint64_t to) {
    Result<RedoLog> log = open();
    ASSERT_TRUE(log.has_value()) << log.what();
    for (std::uint64_t g = from; g <= to; ++g) {
      ends.push_back(log->bytes());
      ASSERT_EQ(log->write(g, record(g)), RedoLog::Written::durable);
    }
    ends.push_back(log->bytes());
  }
  Status read_after(std::uint64_t after, Records& found) {
    Result<RedoLog> log = open();
    if (!log) return fail(log.what());
    return log->read(after, [&found](std::uint64_t generation, ByteView bytes) -> Status {
      found[generation] = Bytes(bytes.begin(), bytes.end());
      return {};
    });
  }
  static Records expected(std::uint64_t from, std::uint64_t to) {
    Records records;
    for (std::uint64_t g = from; g <= to; ++g) records[g] = record(g);
    return records;
  }
  TempFolder folder;
  std::string path = folder / "store-redo";
  Secret key = Secret::random(48);
  std::vector<std::size_t> ends;     // where each record begins, and the end
};
INSTANTIATE_TEST_SUITE_P(Profiles, Redo, testing::Values(Profile::modern, Profile::fips), [](const auto& one) { return std::string(name_of(one.param)); });

TEST_P(Redo, GivesBackWhatIsNewerThanTheFile) {
  written(5, 9);
  for (std::uint64_t after = 4; after <= 12; ++after) {
    Records found;
    ASSERT_TRUE(read_after(after, found).has_value());
    EXPECT_EQ(found, expected(after + 1, 9));
  }
}

TEST_P(Redo, NothingWasWritten) {
  Records found;
  EXPECT_TRUE(read_after(7, found).has_value());
  EXPECT_TRUE(found.empty());
}

TEST_P(Redo, ARecordThatIsNotWholeWasNotCommitted) {
  written(1, 3);
  const Bytes whole = read_all(path);
  for (std::size_t at = ends[2]; at < ends[3]; at += 13) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at));
    for (const bool padded : {false, true}) {
      if (padded) cut.resize(whole.size());
      write_all(path, cut);
      Records found;
      ASSERT_TRUE(read_after(0, found).has_value());
      EXPECT_EQ(found, expected(1, 2)) << "cut at " << at;
    }
    Bytes flipped = whole;
    flipped[at] ^= 1;
    write_all(path, flipped);
    Records found;
    ASSERT_TRUE(read_after(0, found).has_value());
    EXPECT_EQ(found, expected(1, 2)) << "flipped at " << at;
  }
}

TEST_P(Redo, DamageBeforeTheLastRecordIsNotTakenForTheEnd) {
  written(1, 3);
  const Bytes whole = read_all(path);
  for (std::size_t at = 0; at < ends[2]; at += 7) {
    Bytes flipped = whole;
    flipped[at] ^= 0x80;
    write_all(path, flipped);
    Records found;
    const Status read = read_after(0, found);
    ASSERT_FALSE(read.has_value()) << "flipped at " << at;
    EXPECT_NE(read.what().find("is damaged: commit " + std::to_string(at < ends[1] ? 1 : 2)), std::string::npos) << read.what();
  }
}

TEST_P(Redo, ANewRoundIsWrittenOverTheOldOne) {
  Result<RedoLog> log = open();
  ASSERT_TRUE(log.has_value());
  for (std::uint64_t g = 1; g <= 20; ++g) ASSERT_EQ(log->write(g, record(g)), RedoLog::Written::durable);
  log->begin_round();
  for (std::uint64_t g = 21; g <= 23; ++g) ASSERT_EQ(log->write(g, record(g, 100)), RedoLog::Written::durable);
  Records found;
  ASSERT_TRUE(read_after(20, found).has_value());
  EXPECT_EQ(found.size(), 3U);
  EXPECT_EQ(found.begin()->first, 21U);
  // The round is there and the file is not: an older file was put under it.
  const Status gap = read_after(18, found);
  ASSERT_FALSE(gap.has_value());
  EXPECT_TRUE(gap.what().starts_with(kRolledBack)) << gap.what();
}

TEST_P(Redo, AnotherKeyReadsNothing) {
  written(1, 3);
  key = Secret::random(48);
  Records found;
  EXPECT_TRUE(read_after(0, found).has_value());
  EXPECT_TRUE(found.empty());
}

TEST_P(Redo, EmptiedNothingOfItIsLeft) {
  written(1, 3);
  Result<RedoLog> log = open();
  ASSERT_TRUE(log->empty().has_value());
  EXPECT_EQ(std::filesystem::file_size(path), 0U);
  EXPECT_EQ(log->write(9, record(9)), RedoLog::Written::durable);
  Records found;
  ASSERT_TRUE(read_after(8, found).has_value());
  EXPECT_EQ(found, expected(9, 9));
}

TEST_P(Redo, AFullDiskIsToldApartAndHarmsNothing) {
  std::signal(SIGXFSZ, SIG_IGN);
  Result<RedoLog> log = open();
  ASSERT_EQ(log->write(1, record(1)), RedoLog::Written::durable);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = std::filesystem::file_size(path) + 5000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const RedoLog::Written large = log->write(2, record(2, 200'000)), fits = log->write(2, record(2));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(large, RedoLog::Written::full);
  EXPECT_EQ(fits, RedoLog::Written::durable);
  EXPECT_EQ(log->write(3, record(3)), RedoLog::Written::durable);
  Records found;
  ASSERT_TRUE(read_after(0, found).has_value());
  EXPECT_EQ(found, expected(1, 3));
}

TEST_P(Redo, ALinkOrAFolderInItsPlaceIsRefused) {
  std::filesystem::create_symlink(folder / "elsewhere", path);
  EXPECT_FALSE(open().has_value());
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_FALSE(open().has_value());
}

// ---- a batch as bytes ----

Batch every_kind(Bytes& leaf) {
  Batch b;
  b.contents = {{1, Bytes(50, 1)}, {2, {}}};
  b.content_keys = {{1, Bytes(60, 2)}};
  b.dropped_contents = {3, 4};
  b.persons = {{0xffffffffffffffffULL, Bytes(70, 3)}};
  b.erased_persons = {5};
  b.recipients = {{6, Bytes(80, 4)}};
  b.dropped_recipients = {7};
  b.kept = {{Kept::velocity, Bytes(9, 5)}, {Kept::halts, {}}};
  b.inserts = {{8, {3, true}, 2, 123456789, Bytes(200, 6)}};
  b.updates = {{9, {}, 0, 0, Bytes(210, 7)}};
  b.places = {{10, {4, false}, 1}};
  b.dropped_places = {{11, {5, true}, 3}};
  b.journeys = {{12, 13}};
  b.dropped_journeys = {{14, 15}};
  b.sightings = {{16, 17, -18, Category::marketing, 19, 20, Bytes(8, 8)}};
  b.dropped_sightings = {{21, 22, 23, Category::otp, 24, 25, {}}};
  b.idempotency = {{26, {1, 2, 3}, 27, 28, {4, 5}}};
  b.providers = {{29, "smsc-1", 30, 31, 32, true}};
  b.parked = {{33, "early", 34, Bytes(30, 9)}};
  b.unparked = {{35, "late"}};
  b.drop_parked_before = 36;
  leaf = Bytes(300, 10);
  b.leaves = {{37, &leaf}, {38, &leaf}};
  b.audit_mark = Bytes(40, 11);
  b.events = {{39, 40}};
  b.cursors = {{41, 42}};
  b.conversations = {{43, 44}};
  b.names = {{45, "connector:sms"}};
  b.purged = {46};
  b.purged_events = {{47, 48}};
  b.purged_orphans.idempotency = {{49, {6, 7}, 50}};
  b.purged_orphans.providers = {{51, "gone", 52}};
  b.purged_orphans.conversations = {{53, 54}};
  b.generation_above = 55;
  b.suspect = true;
  b.sum_before = StateSum{56, 57};
  b.branches = {{58, Bytes(90, 12)}};
  return b;
}

TEST(BatchRecord, OfEveryKindComesBackAsItWas) {
  Bytes leaf, bytes, again;
  const Batch batch = every_kind(leaf);
  encode(batch, bytes);
  const std::optional<ReadBatch> read = decode_batch(bytes);
  ASSERT_TRUE(read.has_value());
  encode(read->batch, again);
  EXPECT_EQ(again, bytes);
  // One of each shape, so that a field that is in neither direction shows.
  EXPECT_EQ(read->batch.inserts.front().queue, (Queue{3, true}));
  EXPECT_EQ(read->batch.inserts.front().wake_ms, 123456789);
  EXPECT_EQ(read->batch.sightings.front().weight, 20U);
  EXPECT_EQ(read->batch.sightings.front().digest, Bytes(8, 8));
  EXPECT_EQ(read->batch.idempotency.front().fingerprint, batch.idempotency.front().fingerprint);
  EXPECT_TRUE(read->batch.providers.front().all_parts);
  EXPECT_EQ(read->batch.parked.front().data, Bytes(30, 9));
  EXPECT_EQ(*read->batch.leaves.back().data, leaf);
  EXPECT_EQ(read->batch.purged_orphans.providers.front().connector, 51);
  EXPECT_EQ(*read->batch.sum_before, (StateSum{56, 57}));
  EXPECT_EQ(read->batch.branches.front().wrapped, Bytes(90, 12));
}

TEST(BatchRecord, NoPartOfItAndNothingMoreIsABatch) {
  Bytes leaf, bytes;
  encode(every_kind(leaf), bytes);
  std::size_t shorter = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size)
    if (const std::optional<ReadBatch> read = decode_batch(ByteView(bytes).first(size))) {
      Bytes again;
      encode(read->batch, again);
      EXPECT_EQ(again.size(), size) << "what ends with a part is a batch of fewer parts";
      ++shorter;
    }
  EXPECT_EQ(shorter, 36U);
  bytes.push_back(0);
  EXPECT_FALSE(decode_batch(bytes).has_value());
}

// ---- the store over it ----

class Rounds : public testing::Test {
 protected:
  std::unique_ptr<Store> opened(const std::string& at) {
    Result<std::unique_ptr<Store>> store = open_embedded(at, Suite::of(Profile::modern), key, sum_key);
    EXPECT_TRUE(store.has_value()) << store.what();
    return store ? std::move(*store) : nullptr;
  }
  static Batch message(MessageKey key, std::size_t bytes = 3000) {
    Batch b;
    b.contents.push_back({key, Bytes(bytes, 0x41)});
    b.inserts.push_back({key, {1, false}, 0, 1, Bytes(100, 0x42)});
    b.audit_mark = Bytes(20, static_cast<std::uint8_t>(key));
    return b;
  }
  // What the disk holds while the store is open: what a crash leaves.
  void crash(const std::string& to) {
    for (const char* end : {"", "-wal", "-redo"})
      if (std::filesystem::exists(path + end)) std::filesystem::copy_file(path + end, to + end, std::filesystem::copy_options::overwrite_existing);
  }
  static bool whole(Store& store) {
    Result<Store::Recount> counted = store.recount(10'000);
    while (counted && !counted->done) counted = store.recount(10'000);
    return counted && counted->sum == store.state().sum;
  }
  TempFolder folder;
  std::string path = folder / "postern.db";
  Secret key = Secret::random(48), sum_key = Secret::random(32);
};

TEST_F(Rounds, ACrashAfterAnyCommitLosesNone) {
  std::unique_ptr<Store> store = opened(path);
  for (MessageKey k = 1; k <= 600; ++k) {
    Batch batch = message(k);
    if (k > 3) batch.updates.push_back({k - 3, {}, 0, 0, Bytes(200, 0x43)}), batch.dropped_contents.push_back(k - 3);
    ASSERT_TRUE(store->commit(batch).has_value());
    if (k % 19 != 0) continue;
    const std::string copy = folder / ("crashed-" + std::to_string(k));
    crash(copy);
    const std::unique_ptr<Store> after = opened(copy);
    ASSERT_NE(after, nullptr);
    EXPECT_EQ(after->state().generation, store->state().generation);
    EXPECT_EQ(after->state().sum, store->state().sum);
    EXPECT_EQ(after->audit_mark().value_or(Bytes{}), batch.audit_mark);
    EXPECT_EQ(after->newest_key().value_or(0), k);
    EXPECT_TRUE(whole(*after));
  }
}

TEST_F(Rounds, ACommitThatFailsInTheMidstOfOneTakesBackNothingElse) {
  std::unique_ptr<Store> store = opened(path);
  for (MessageKey k = 1; k <= 50; ++k) ASSERT_TRUE(store->commit(message(k)).has_value());
  const State before = store->state();
  Batch bad = message(51);
  bad.inserts.push_back(bad.inserts.front());
  ASSERT_FALSE(store->commit(bad).has_value());
  EXPECT_TRUE(store->usable());
  EXPECT_EQ(store->state().generation, before.generation);
  EXPECT_EQ(store->state().sum, before.sum);
  EXPECT_EQ(store->newest_key().value_or(0), 50);
  EXPECT_EQ(store->audit_mark().value_or(Bytes{}), Bytes(20, 50));
  ASSERT_TRUE(store->commit(message(51)).has_value());
  EXPECT_TRUE(whole(*store));
  crash(folder / "crashed");
  EXPECT_EQ(opened(folder / "crashed")->newest_key().value_or(0), 51);
}

// The tables cannot be written when a round ends; what was committed stands in the redo log. (A file that may not grow is an error to
// SQLite, not a full disk; tests/fault has both.)
TEST_F(Rounds, WhereTheTablesCannotBeWrittenNothingIsLost) {
  std::signal(SIGXFSZ, SIG_IGN);
  std::unique_ptr<Store> store = opened(path);
  ASSERT_TRUE(store->commit(message(1)).has_value());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 2'500'000;   // the redo log has room for a round, the write-ahead log has none for the eighth
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  MessageKey last = 1;
  Status refused;
  while (last < 2000 && (refused = store->commit(message(last + 1, 20'000))).has_value()) ++last;
  const State committed = store->state();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(refused.has_value());
  EXPECT_GT(last, 50);
  if (!store->usable()) {
    store.reset();
    store = opened(path);
  }
  EXPECT_EQ(store->state().generation, committed.generation);
  EXPECT_EQ(store->state().sum, committed.sum);
  EXPECT_EQ(store->newest_key().value_or(0), last);
  ASSERT_TRUE(store->commit(message(last + 1)).has_value());
  EXPECT_TRUE(whole(*store));
}

TEST_F(Rounds, FoldedNothingOlderStandsInTheLogs) {
  const std::unique_ptr<Store> store = opened(path);
  for (MessageKey k = 1; k <= 5; ++k) ASSERT_TRUE(store->commit(message(k)).has_value());
  EXPECT_GT(std::filesystem::file_size(redo_path(path)), 0U);
  ASSERT_TRUE(store->fold().has_value());
  EXPECT_EQ(std::filesystem::file_size(redo_path(path)), 0U);
  EXPECT_EQ(std::filesystem::file_size(path + "-wal"), 0U);
}

TEST_F(Rounds, ClosedInOrderTheFileAloneIsTheStore) {
  {
    const std::unique_ptr<Store> store = opened(path);
    for (MessageKey k = 1; k <= 5; ++k) ASSERT_TRUE(store->commit(message(k)).has_value());
  }
  EXPECT_EQ(std::filesystem::file_size(redo_path(path)), 0U);
  std::filesystem::remove(redo_path(path));
  EXPECT_EQ(opened(path)->newest_key().value_or(0), 5);
}

TEST_F(Rounds, ARedoLogThatIsAheadOfItsFileIsRefused) {
  std::unique_ptr<Store> store = opened(path);
  const Bytes young = read_all(path);
  for (MessageKey k = 1; k <= 2000; ++k) ASSERT_TRUE(store->commit(message(k)).has_value());
  crash(folder / "crashed");
  write_all(folder / "crashed", young);
  std::filesystem::remove(folder / "crashed-wal");
  const Result<std::unique_ptr<Store>> mixed = open_embedded(folder / "crashed", Suite::of(Profile::modern), key, sum_key);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_NE(mixed.what().find(kRolledBack), std::string::npos) << mixed.what();
}

}  // namespace
}  // namespace postern::store
