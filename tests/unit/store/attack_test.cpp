// SPDX-License-Identifier: Apache-2.0
// A page attack tool: what somebody who can change the closed store's files may try, and what the store must notice: when it is opened,
// when something is read, or at the latest in one scrub. A page that is put back and changes nothing that anybody could read is no
// alteration; then SQLite's own check must hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>

#include "gateway/store/embedded.hpp"
#include "gateway/store/sqlite.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::store {
namespace {

constexpr std::size_t kPage = 4096;

class Attack : public testing::Test {
 protected:
  // Two closed copies of one store, the second some hundred commits later.
  Attack() {
    std::unique_ptr<Store> store = opened();
    for (MessageKey k = 1; k <= 120; ++k) accept(*store, k);
    store.reset();
    older = read_all(path);
    store = opened();
    for (MessageKey k = 121; k <= 200; ++k) accept(*store, k);
    for (MessageKey k = 1; k <= 200; ++k) end(*store, k);
    Batch purge;
    for (MessageKey k = 1; k <= 60; ++k) purge.purged.push_back(k);
    commit(*store, purge);
    // A page that is free says nothing, whatever stands in it: here none is.
    while (store->compact(1 << 20)->left > 0) {
    }
    store.reset();
    newer = read_all(path);
  }
  std::unique_ptr<Store> opened() {
    Result<std::unique_ptr<Store>> store = open_embedded(path, Suite::of(Profile::modern), key, sum_key);
    EXPECT_TRUE(store.has_value()) << store.what();
    return std::move(*store);
  }
  static void commit(Store& store, const Batch& batch) {
    const Status done = store.commit(batch);
    ASSERT_TRUE(done.has_value()) << done.what();
  }
  void accept(Store& store, MessageKey k) {
    Batch batch;
    const auto n = static_cast<std::uint8_t>(k);
    batch.contents.push_back({k, Bytes(k % 7 == 0 ? 9000 : 700, n)});
    batch.content_keys.push_back({k, Bytes(60, n)});
    batch.persons.push_back({static_cast<std::uint64_t>(k) * 0x9e3779b97f4a7c15ULL, Bytes(60, n)});
    batch.inserts.push_back({k, {static_cast<ConnectorId>(k % 3 + 1), false}, n % 5U == 0 ? std::uint8_t{0} : std::uint8_t{1}, k * 10, Bytes(150, n)});
    batch.idempotency.push_back({1, {n, static_cast<std::uint8_t>(k >> 8)}, k, 5, {n}});
    batch.providers.push_back({1, "smsc-" + std::to_string(k), k, 0, 0, true});
    batch.parked.push_back({2, "early-" + std::to_string(k), k, Bytes(80, n)});
    batch.conversations.emplace_back(static_cast<std::uint64_t>(k) * 77, k);
    batch.branches.push_back({static_cast<std::uint64_t>(k), Bytes(500, n)});
    batch.recipients.push_back({static_cast<std::uint64_t>(k), Bytes(90, n)});
    batch.sightings.push_back({static_cast<std::uint64_t>(k), k, k, Category::service, 1, 1, Bytes(8, n)});
    batch.kept = {{Kept::halts, Bytes(20, n)}};
    batch.names.emplace_back(static_cast<std::uint16_t>(k), "connector:" + std::to_string(k));
    batch.cursors.emplace_back(ConnectorId{1}, static_cast<std::uint64_t>(k));
    write_leaf(batch);
    commit(store, batch);
  }
  void end(Store& store, MessageKey k) {
    Batch batch;
    batch.updates.push_back({k, {}, 0, 0, Bytes(200, static_cast<std::uint8_t>(k + 1))});
    if (k % 2 == 0) batch.unparked.emplace_back(ConnectorId{2}, "early-" + std::to_string(k));
    write_leaf(batch);
    commit(store, batch);
  }
  void write_leaf(Batch& batch) {
    const std::uint64_t sequence = leaves.size();
    leaves.push_back(Bytes(300, static_cast<std::uint8_t>(sequence)));
    batch.leaves.push_back({sequence, &leaves.back()});
    batch.events.emplace_back(ClientId{1}, sequence + 1);
    batch.audit_mark = Bytes(40, static_cast<std::uint8_t>(sequence));
  }

  static Batch with_a_large_content(MessageKey k) {
    Batch batch;
    batch.contents.push_back({k + 100'000, Bytes(60'000, 1)});
    return batch;
  }

  // What finds this file out; empty: nothing does.
  std::string found_out(const Bytes& file) {
    std::filesystem::remove(path + "-wal");
    std::filesystem::remove(redo_path(path));
    write_all(path, file);
    Result<std::unique_ptr<Store>> store = open_embedded(path, Suite::of(Profile::modern), key, sum_key);
    if (!store) return "open: " + store.what();
    for (;;) {
      const Result<Store::MediaCheck> media = (*store)->check_media(64 * kPage);
      if (!media) return "media: " + media.what();
      if (media->done) break;
    }
    for (;;) {
      const Result<Store::Recount> counted = (*store)->recount(50);
      if (!counted) return "walk: " + counted.what();
      if (!counted->done) continue;
      if (counted->sum != (*store)->state().sum) return "sum";
      break;
    }
    // The audit tree covers leaves and mark.
    const Result<std::vector<Bytes>> found = (*store)->leaves(0, leaves.size() + 1);
    if (!found) return "leaves: " + found.what();
    if (!std::ranges::equal(*found, leaves)) return "tree";
    if (*(*store)->audit_mark() != Bytes(40, static_cast<std::uint8_t>(leaves.size() - 1))) return "mark";
    return {};
  }
  // With the store's own key, behind the store's back.
  void meddle(const std::string& sql) {
    Result<Connection> db = open_encrypted(path, key);
    ASSERT_TRUE(db.has_value()) << db.what();
    const Status done = run(db->get(), sql.c_str());
    ASSERT_TRUE(done.has_value()) << sql << ": " << done.what();
  }

  TempFolder folder;
  std::string path = folder / "postern.db";
  Secret key = Secret::random(48), sum_key = Secret::random(32);
  std::deque<Bytes> leaves;
  Bytes older, newer;
};

Bytes with_page(Bytes file, std::size_t page, ByteView content) {
  std::ranges::copy(content, file.begin() + static_cast<std::ptrdiff_t>(page * kPage));
  return file;
}
ByteView page_of(const Bytes& file, std::size_t page) { return ByteView(file).subspan(page * kPage, kPage); }

TEST_F(Attack, NothingIsFoundInTheUntouchedStore) { EXPECT_EQ(found_out(newer), ""); }

TEST_F(Attack, EveryStalePagePutBackIsFoundOut) {
  std::map<std::string, int> by;
  std::size_t changed = 0;
  for (std::size_t page = 0; page < std::min(older.size(), newer.size()) / kPage; ++page) {
    if (std::ranges::equal(page_of(older, page), page_of(newer, page))) continue;
    ++changed;
    const std::string how = found_out(with_page(newer, page, page_of(older, page)));
    ++by[how.substr(0, how.find(':'))];
    EXPECT_NE(how, "") << "page " << page + 1;
  }
  EXPECT_GT(changed, 30U);
  for (const auto& [how, count] : by) std::printf("  %d stale pages found out by: %s\n", count, how.c_str());
}

TEST_F(Attack, EveryZeroedPageIsFoundOut) {
  for (std::size_t page = 0; page < newer.size() / kPage; ++page) EXPECT_NE(found_out(with_page(newer, page, Bytes(kPage))), "") << "page " << page + 1;
}

TEST_F(Attack, SwappedPagesAreFoundOut) {
  const std::size_t pages = newer.size() / kPage;
  for (std::size_t page = 1; page < pages; page += 3) {
    const std::size_t other = 1 + (page * 7 + 5) % (pages - 1);
    if (other == page) continue;
    const Bytes swapped = with_page(with_page(newer, page, page_of(newer, other)), other, page_of(newer, page));
    EXPECT_NE(found_out(swapped), "") << "pages " << page + 1 << " and " << other + 1;
  }
}

TEST_F(Attack, AnOlderEndOfTheFileIsFoundOut) {
  for (std::size_t pages = 1; pages < newer.size() / kPage; pages += 11) {
    Bytes file = newer;
    file.resize(pages * kPage);
    EXPECT_NE(found_out(file), "") << pages << " pages left";
  }
}

// Whoever has the store's key as well can write pages with right codes.
TEST_F(Attack, RowsChangedWithTheStoresOwnKeyAreFoundOut) {
  const std::vector<std::string> meddlings{
      "UPDATE flight SET data = (SELECT data FROM flight WHERE k = 101) WHERE k = 100",
      "UPDATE flight SET lane = 3 WHERE k = 150",
      "UPDATE flight SET wake = 7 WHERE k = 150",
      "UPDATE flight SET queue = 5 WHERE k = 150",
      "CREATE TEMP TABLE s AS SELECT k, sealed FROM content; UPDATE content SET sealed = (SELECT sealed FROM s WHERE s.k = content.k + 1) WHERE k = 100;",
      "DELETE FROM content WHERE k = 100",
      "DELETE FROM flight WHERE k = 100",
      "INSERT INTO content VALUES(100000, x'00')",
      "UPDATE content_key SET wrapped = x'01' WHERE k = 100",
      "DELETE FROM person",
      "UPDATE idempotency SET k = 3 WHERE k = 4",
      "UPDATE idempotency SET random = 3 WHERE k = 4",
      "UPDATE idempotency SET fingerprint = x'00112233445566778899aabbccddeeff' WHERE k = 4",
      "UPDATE provider SET id = 'smsc-1000' WHERE id = 'smsc-100'",
      "UPDATE provider SET part = 1 WHERE id = 'smsc-100'",
      "DELETE FROM parked WHERE n = 7",
      "UPDATE parked SET at = 1 WHERE n = 9",
      "UPDATE parked SET id = 'early-2' WHERE n = 9",
      "DELETE FROM event WHERE seq = 5",
      "UPDATE event SET client = 2 WHERE seq = 5",
      "UPDATE conversation SET k = 1 WHERE who = 770",
      "UPDATE cursor SET seq = 1",
      "UPDATE recipient SET sealed = x'00' WHERE person = 7",
      "DELETE FROM recipient WHERE person = 7",
      "UPDATE sighting SET digest = x'00' WHERE person = 7",
      "UPDATE kept SET data = x'00'",
      "UPDATE name SET name = 'connector:x' WHERE id = 5",
      "UPDATE mark SET sum = x'00112233445566778899aabbccddeeff'",
      "UPDATE leaf SET data = x'00' WHERE seq = 5",
      "DELETE FROM leaf WHERE seq = 5",
  };
  for (const std::string& sql : meddlings) {
    std::filesystem::remove(path + "-wal");
    write_all(path, newer);
    meddle(sql);
    EXPECT_NE(found_out(read_all(path)), "") << sql;
  }
}

// What was swapped back and forth is the same store again: the sum is of what is there, not of what happened.
TEST_F(Attack, RowsPutBackAsTheyWereAreNoAlteration) {
  meddle("UPDATE flight SET lane = lane + 1; UPDATE flight SET lane = lane - 1;");
  EXPECT_EQ(found_out(read_all(path)), "");
}

// ---- file, write-ahead log and redo log of different times ----

struct Crashed {
  Bytes file, wal, redo;
  std::uint64_t generation;
};

TEST_F(Attack, FilesAndLogsOfDifferentTimesAreRefusedOrFoundOut) {
  // Copies of the running store: what a crash at that time would have left.
  std::vector<Crashed> times;
  std::unique_ptr<Store> store = opened();
  for (MessageKey k = 1000; k < 1440; ++k) {
    accept(*store, k);
    if (k % 7 == 0) commit(*store, with_a_large_content(k));
    if (k % 73 == 0) times.push_back({read_all(path), read_all(path + "-wal"), read_all(redo_path(path)), store->state().generation});
  }
  store.reset();
  ASSERT_GT(times.size(), 4U);
  int refused = 0, whole = 0;
  for (std::size_t f = 0; f < times.size(); ++f) {
    for (std::size_t w = 0; w < times.size(); ++w) {
      for (std::size_t r = 0; r < times.size(); ++r) {
        write_all(path, times[f].file);
        write_all(path + "-wal", times[w].wal);
        write_all(redo_path(path), times[r].redo);
        const std::uint64_t newest = std::max({times[f].generation, times[w].generation, times[r].generation});
        Result<std::unique_ptr<Store>> mixed = open_embedded(path, Suite::of(Profile::modern), key, sum_key);
        if (f == w && w == r) {
          ASSERT_TRUE(mixed.has_value()) << mixed.what();
          EXPECT_EQ((*mixed)->state().generation, newest) << "a crash loses no commit";
          continue;
        }
        if (!mixed) {
          EXPECT_NE(mixed.what().find(kRolledBack), std::string::npos) << mixed.what();
          ++refused;
          continue;
        }
        // Where what differs stands in the other files as well, the mix is exactly the store of some time, which an anchor must tell from now.
        EXPECT_LE((*mixed)->state().generation, newest);
        Result<Store::Recount> counted = (*mixed)->recount(1000);
        while (counted.has_value() && !counted->done) counted = (*mixed)->recount(1000);
        ASSERT_TRUE(counted.has_value()) << counted.what();
        EXPECT_EQ(counted->sum, (*mixed)->state().sum) << "file of " << f << ", log of " << w << ", redo log of " << r;
        ++whole;
      }
    }
  }
  std::printf("  %d mixes refused, %d are a whole store of some time\n", refused, whole);
  EXPECT_GT(refused, 50);
  EXPECT_GT(whole, 10);
}

// Whoever has the store's key and puts another redo log behind its file: the sums tell.
TEST_F(Attack, ARedoLogOfAnotherHistoryIsRefused) {
  write_all(path, newer);
  std::unique_ptr<Store> store = opened();
  accept(*store, 2000);
  const Bytes one = read_all(redo_path(path));
  store.reset();
  // The same generation on another file.
  write_all(path, newer);
  std::filesystem::remove(path + "-wal");
  meddle("UPDATE flight SET lane = 3 WHERE k = 150; UPDATE mark SET sum = x'00112233445566778899aabbccddeeff'");
  write_all(redo_path(path), one);
  const Result<std::unique_ptr<Store>> mixed = open_embedded(path, Suite::of(Profile::modern), key, sum_key);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_NE(mixed.what().find(kRolledBack), std::string::npos) << mixed.what();
}

}  // namespace
}  // namespace postern::store
