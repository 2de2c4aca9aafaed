// SPDX-License-Identifier: Apache-2.0
// What is particular to the embedded store: its file, its key, its hardening. The contract itself is tested in
// tests/contract/.
#include "gateway/store/embedded.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "gateway/store/rekey.hpp"
#include "gateway/store/sqlite.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::store {
namespace {

class EmbeddedStore : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> open() { return open_embedded(path, Suite::of(Profile::modern), key, sum_key); }
  static Batch batch(MessageKey key, std::size_t bytes = 100) {
    Batch b;
    b.contents.push_back({key, Bytes(bytes, 0x41)});
    b.inserts.push_back({key, {1, false}, 0, 1, Bytes(100, 0x42)});
    return b;
  }
  void filled(int messages) {
    Result<std::unique_ptr<Store>> store = open();
    ASSERT_TRUE(store.has_value()) << store.what();
    for (MessageKey k = 1; k <= messages; ++k) ASSERT_TRUE((*store)->commit(batch(k, 5000)).has_value());
  }
  // Pages that no query has read: SQLCipher's own check must see them.
  bool check_finds_it() {
    Result<Connection> db = open_encrypted(path, key);
    if (!db) return true;
    Statement check(db->get(), "PRAGMA cipher_integrity_check");
    return check.step() == Statement::Step::row;
  }
  TempFolder folder;
  std::string path = folder / "postern.db";
  Secret key = Secret::random(48), sum_key = Secret::random(32);
};

TEST_F(EmbeddedStore, AnotherKeyIsRefusedAndHarmsNothing) {
  filled(3);
  const Secret other = Secret::random(48);
  const Result<std::unique_ptr<Store>> opened = open_embedded(path, Suite::of(Profile::modern), other, sum_key);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("another keyring"), std::string::npos) << opened.what();
  EXPECT_TRUE(open().has_value());
}

TEST_F(EmbeddedStore, AKeyOfAnotherLengthIsNotTakenAsAPassphrase) {
  for (const std::size_t size : {0U, 32U, 47U, 49U, 64U}) EXPECT_FALSE(open_embedded(folder / ("k" + std::to_string(size)), Suite::of(Profile::modern), Secret::random(size == 0 ? 1 : size), sum_key).has_value());
}

TEST_F(EmbeddedStore, APlaintextDatabaseIsRefused) {
  ASSERT_EQ(std::system(("python3 -c \"import sqlite3; c=sqlite3.connect('" + path + "'); c.execute('create table t(a)'); c.commit()\"").c_str()), 0);
  const Result<std::unique_ptr<Store>> opened = open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("plaintext"), std::string::npos) << opened.what();
}

TEST_F(EmbeddedStore, NoFileHoldsWhatWasWrittenInTheClear) {
  {
    Result<std::unique_ptr<Store>> store = open();
    ASSERT_TRUE(store.has_value());
    Batch b = batch(1);
    b.names.emplace_back(std::uint16_t{1}, "connector:canary-in-a-name");
    b.providers.push_back({1, "canary-in-an-id", 1, 0, 0, true});
    ASSERT_TRUE((*store)->commit(b).has_value());
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      const Bytes bytes = read_all(entry.path().string());
      EXPECT_EQ(as_text(bytes).find("canary"), std::string_view::npos) << entry.path();
      EXPECT_EQ(as_text(bytes).find("SQLite format"), std::string_view::npos) << entry.path();
      EXPECT_EQ(as_text(bytes).find(std::string(50, 'A')), std::string_view::npos) << entry.path();
    }
  }
}

TEST_F(EmbeddedStore, ATruncatedFileIsRefused) {
  filled(20);
  const Bytes good = read_all(path);
  ASSERT_GT(good.size(), 50'000U);
  for (const std::size_t size : {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{100}, std::size_t{4095}, std::size_t{4096}, std::size_t{5000},
                                 good.size() / 2 / 4096 * 4096, good.size() - 4096, good.size() - 1}) {
    write_all(path, ByteView(good).first(size));
    Result<std::unique_ptr<Store>> store = open();
    // At the latest when the page that is gone is read.
    bool noticed = !store.has_value();
    if (store)
      for (MessageKey k = 1; k <= 20 && !noticed; ++k) noticed = !(*store)->content(k).has_value() || !(*store)->content(k)->has_value();
    if (store) store->reset();
    EXPECT_TRUE(noticed || check_finds_it()) << size << " of " << good.size();
  }
}

TEST_F(EmbeddedStore, AFlippedByteIsNoticedWhereverItStands) {
  filled(10);
  const Bytes good = read_all(path);
  // The first 16 bytes are a salt that Postern does not use: it gives key and salt itself.
  for (std::size_t at = 16; at < good.size(); at += 997) {
    Bytes bad = good;
    bad[at] ^= 0x10;
    write_all(path, ByteView(bad));
    Result<std::unique_ptr<Store>> store = open();
    bool noticed = !store.has_value();
    if (store) {
      for (MessageKey k = 1; k <= 10 && !noticed; ++k) noticed = !(*store)->content(k).has_value() || !(*store)->load(k).has_value();
      noticed = noticed || !(*store)->scan(0, 100).has_value() || !(*store)->due(10, 100).has_value() || !(*store)->queued({1, false}, 0, 0, 100).has_value();
      store->reset();
    }
    EXPECT_TRUE(noticed || check_finds_it()) << "byte " << at;
  }
}

// What the first builds wrote has longer codes on its pages.
TEST_F(EmbeddedStore, AStoreWithOlderPageCodesGoesOnAndIsWrittenAnewWithItsNextKey) {
  {
    Result<Connection> db = connect(path, /*SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE*/ 6);
    ASSERT_TRUE(db.has_value());
    const Result<Secret> spec = key_spec(key);
    ASSERT_TRUE(spec.has_value());
    ASSERT_TRUE(run(db->get(), ("PRAGMA key = \"" + std::string(spec->text().substr(0, kKeySpec)) + "\"").c_str()).has_value());
    ASSERT_TRUE(run(db->get(), "PRAGMA auto_vacuum = INCREMENTAL; CREATE TABLE t(a); DROP TABLE t").has_value());
    ASSERT_EQ(page_codes(db->get()).value_or(""), kOlderPageCodes);
  }
  const auto codes = [](const std::string& file, const Secret& with) {
    const Result<Connection> db = open_encrypted(file, with);
    return db ? page_codes(db->get()).value_or("") : db.what();
  };
  filled(3);
  EXPECT_EQ(codes(path, key), kOlderPageCodes) << "it keeps what it has";
  {
    Result<std::unique_ptr<Store>> store = open();
    ASSERT_TRUE(store.has_value()) << store.what();
    ASSERT_TRUE((*store)->fold().has_value());
    const Result<Store::MediaCheck> checked = (*store)->check_media(1 << 20);
    EXPECT_TRUE(checked.has_value()) << checked.what();
  }
  const Secret next = Secret::random(48);
  const Status written = reencrypt(path, key, next);
  ASSERT_TRUE(written.has_value()) << written.what();
  EXPECT_EQ(codes(path, next), kPageCodes);
  Result<std::unique_ptr<Store>> store = open_embedded(path, Suite::of(Profile::modern), next, sum_key);
  ASSERT_TRUE(store.has_value()) << store.what();
  EXPECT_EQ((*store)->content(2).value_or(std::nullopt).value_or(Bytes{}), Bytes(5000, 0x41));
  EXPECT_TRUE((*store)->check_media(1 << 20).has_value());
}

TEST_F(EmbeddedStore, ANewerSchemaIsRefused) {
  filled(1);
  {
    Result<Connection> db = open_encrypted(path, key);
    ASSERT_TRUE(db.has_value());
    ASSERT_TRUE(run(db->get(), "PRAGMA user_version=99").has_value());
  }
  const Result<std::unique_ptr<Store>> opened = open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("newer Postern"), std::string::npos) << opened.what();
}

TEST_F(EmbeddedStore, IsOpenOnce) {
  Result<std::unique_ptr<Store>> first = open();
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE((*first)->commit(batch(1)).has_value());
  EXPECT_FALSE(open().has_value()) << "a second writer would checkpoint under the first";
}

TEST_F(EmbeddedStore, ItsFilesAreTheOwnersAlone) {
  Result<std::unique_ptr<Store>> store = open();
  ASSERT_TRUE(store.has_value());
  ASSERT_TRUE((*store)->commit(batch(1)).has_value());
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    EXPECT_EQ(entry.status().permissions() & (std::filesystem::perms::group_all | std::filesystem::perms::others_all), std::filesystem::perms::none) << entry.path();
}

TEST_F(EmbeddedStore, HardeningTakesAndCannotBeUndone) {
  Result<Connection> db = open_encrypted(path, key);
  ASSERT_TRUE(db.has_value()) << db.what();
  for (const char* sql : {"ATTACH 'x.db' AS x", "PRAGMA synchronous=OFF", "PRAGMA writable_schema=ON", "PRAGMA journal_mode=DELETE", "PRAGMA key='x'",
                          "PRAGMA cipher_use_hmac=OFF", "CREATE VIRTUAL TABLE f USING fts5(a)", "SELECT load_extension('x')"})
    EXPECT_FALSE(run(db->get(), sql).has_value()) << sql;
}

TEST_F(EmbeddedStore, WhatWasCommittedOutlivesAKill) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    Result<std::unique_ptr<Store>> store = open();
    bool good = store.has_value();
    for (MessageKey k = 1; good && k <= 200; ++k) good = (*store)->commit(batch(k)).has_value();
    (void)!write(ready[1], good ? "y" : "n", 1);
    for (MessageKey k = 201; good; ++k) (void)(*store)->commit(batch(k));
    _exit(1);
  }
  char told = 0;
  ASSERT_EQ(read(ready[0], &told, 1), 1);
  ASSERT_EQ(told, 'y');
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  close(ready[0]);
  close(ready[1]);
  Result<std::unique_ptr<Store>> store = open();
  ASSERT_TRUE(store.has_value()) << store.what();
  for (MessageKey k = 1; k <= 200; ++k) EXPECT_TRUE((*store)->load(k)->has_value()) << k;
  const Result<std::vector<FlightRow>> rows = (*store)->scan(0, 1'000'000);
  for (const FlightRow& row : *rows) EXPECT_TRUE((*store)->content(row.key)->has_value()) << "a row without its content";
}

TEST_F(EmbeddedStore, AFullDiskFailsTheCommitAndNotTheStore) {
  std::signal(SIGXFSZ, SIG_IGN);
  Result<std::unique_ptr<Store>> store = open();
  ASSERT_TRUE(store.has_value());
  ASSERT_TRUE((*store)->commit(batch(1)).has_value());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = std::filesystem::file_size(path + "-wal") + 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status full = (*store)->commit(batch(2, 100'000));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(full.has_value());
  // Either the store goes on at once, or it says that it must be opened anew; both without loss.
  if (!(*store)->usable()) {
    store->reset();
    store = open();
    ASSERT_TRUE(store.has_value()) << store.what();
  }
  EXPECT_TRUE((*store)->load(1)->has_value());
  EXPECT_FALSE((*store)->load(2)->has_value());
  EXPECT_TRUE((*store)->commit(batch(2, 100'000)).has_value());
  EXPECT_TRUE((*store)->load(2)->has_value());
}

TEST_F(EmbeddedStore, TheWalDoesNotGrowWithoutEnd) {
  Result<std::unique_ptr<Store>> store = open();
  ASSERT_TRUE(store.has_value());
  std::uintmax_t largest = 0;
  for (MessageKey k = 1; k <= 2000; ++k) {
    ASSERT_TRUE((*store)->commit(batch(k, 2000)).has_value());
    largest = std::max(largest, std::filesystem::file_size(path + "-wal"));
  }
  EXPECT_LT(largest, 16U * 1024 * 1024);
}

TEST_F(EmbeddedStore, AMissingFolderIsAnErrorThatSaysWhereToLook) {
  const Result<std::unique_ptr<Store>> opened = open_embedded(folder / "none/postern.db", Suite::of(Profile::modern), key, sum_key);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("check the folder"), std::string::npos) << opened.what();
}

}  // namespace
}  // namespace postern::store
