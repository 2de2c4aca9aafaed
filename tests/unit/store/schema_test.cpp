// SPDX-License-Identifier: Apache-2.0
// Stores of older schemas: brought to the newest one, or after a kill at any instant of any step still whole at the one or the other.
#include "gateway/store/schema.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "gateway/store/embedded.hpp"
#include "gateway/store/rows.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::store {
namespace {

class Schema : public testing::Test {
 protected:
  // A store as version 0.1 left it, with some rows.
  void make_old() {
    Result<Connection> db = open_encrypted(path, key);
    ASSERT_TRUE(db.has_value()) << db.what();
    const Bytes sql = read_all(POSTERN_VECTORS "/store/schema-1.sql");
    ASSERT_TRUE(run(db->get(), std::string(as_text(sql)).c_str()).has_value()) << error_of(db->get());
    ASSERT_TRUE(run(db->get(), "BEGIN").has_value());
    for (int k = 1; k <= 50; ++k) {
      const std::string n = std::to_string(k);
      const std::string rows = "INSERT INTO content VALUES(" + n + ", x'0102');INSERT INTO flight VALUES(" + n + ", 3, 1, 5, x'0304');INSERT INTO idempotency VALUES(1, x'" +
                               std::string(k < 10 ? "0" : "") + n + "', " + n + ", 5, x'07');INSERT INTO provider VALUES(1, 'p" + n + "', " + n +
                               ", 0, 255);INSERT INTO parked VALUES(" + n + ", 1, 'q', 5, x'08');INSERT INTO event VALUES(1, " + n +
                               ");INSERT INTO cursor VALUES(" + n + ", 1);INSERT INTO conversation VALUES(" + n + ", 1);INSERT INTO name VALUES(" + n + ", 'n" + n +
                               "');INSERT INTO leaf VALUES(" + n + ", x'09');";
      ASSERT_TRUE(run(db->get(), rows.c_str()).has_value()) << error_of(db->get());
    }
    ASSERT_TRUE(run(db->get(), "INSERT INTO mark VALUES(1, x'0a0b'); COMMIT").has_value());
  }
  std::int64_t version() {
    Result<Connection> db = open_encrypted(path, key);
    EXPECT_TRUE(db.has_value()) << db.what();
    Statement found(db->get(), "PRAGMA user_version");
    return found.step() == Statement::Step::row ? found.integer(0) : -1;
  }
  // Opens it as the store does and looks at everything.
  void is_whole() {
    Result<std::unique_ptr<Store>> store = open_embedded(path, Suite::of(Profile::modern), key, sum_key);
    ASSERT_TRUE(store.has_value()) << store.what();
    EXPECT_EQ((*store)->scan(0, 100)->size(), 50U);
    EXPECT_EQ(*(*store)->audit_mark(), (Bytes{0x0a, 0x0b}));
    Result<Store::Recount> counted = (*store)->recount(1000);
    while (counted.has_value() && !counted->done) counted = (*store)->recount(1000);
    ASSERT_TRUE(counted.has_value()) << counted.what();
    EXPECT_EQ(counted->sum, (*store)->state().sum);
    EXPECT_NE(counted->sum, StateSum{});
    Batch batch;
    batch.inserts.push_back({51, {}, 0, 0, Bytes{1}});
    EXPECT_TRUE((*store)->commit(batch).has_value());
  }
  // Migrates in a process of its own, which is killed at one instant.
  void killed_at(std::span<const SchemaStep> steps, std::int64_t to, const std::string& instant) {
    const pid_t child = fork();
    if (child == 0) {
      Result<Connection> db = open_encrypted(path, key);
      if (!db) _exit(1);
      (void)migrate(db->get(), sum_key, steps, [&](std::int64_t step, const char* at) {
        if (step == to && instant == at) kill(getpid(), SIGKILL);
      });
      _exit(2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "step " << to << " never was '" << instant << "'";
  }

  TempFolder folder;
  std::string path = folder / "postern.db";
  Secret key = Secret::random(48), sum_key = Secret::random(32);
};

constexpr const char* kInstants[] = {"begun", "changed", "marked", "committed"};

TEST_F(Schema, OfVersionOneComesToTheNewest) {
  make_old();
  ASSERT_EQ(version(), 1);
  is_whole();
  EXPECT_EQ(version(), kSchema);
}

TEST_F(Schema, AKillAtAnyInstantLeavesTheOldOneOrTheNewOne) {
  for (const char* instant : kInstants) {
    for (const char* side : {"", "-wal", "-journal"}) std::filesystem::remove(path + side);
    make_old();
    killed_at(schema_steps(), 2, instant);
    EXPECT_EQ(version(), std::string(instant) == "committed" ? 2 : 1) << instant;
    is_whole();
    EXPECT_EQ(version(), kSchema);
  }
}

TEST_F(Schema, AKillInARowOfStepsLeavesOneOfThem) {
  // Steps that change what the one before left.
  std::vector<SchemaStep> steps;
  for (std::int64_t to = 2; to <= 5; ++to)
    steps.push_back({to, [to](const Migration& m) {
                       const std::string n = std::to_string(to), before = std::to_string(to - 1);
                       return run(m.db, (to == 2 ? "CREATE TABLE step_2(a INTEGER); INSERT INTO step_2 VALUES(2)"
                                                 : "ALTER TABLE step_" + before + " RENAME TO step_" + n + "; UPDATE step_" + n + " SET a = a * 10 + " + n)
                                            .c_str());
                     }});
  for (std::int64_t to = 2; to <= 5; ++to) {
    for (const char* instant : kInstants) {
      for (const char* side : {"", "-wal", "-journal"}) std::filesystem::remove(path + side);
      make_old();
      killed_at(steps, to, instant);
      const std::int64_t now = version();
      EXPECT_EQ(now, std::string(instant) == "committed" ? to : to - 1) << to << instant;
      Result<Connection> db = open_encrypted(path, key);
      ASSERT_TRUE(db.has_value()) << db.what();
      ASSERT_TRUE(migrate(db->get(), sum_key, steps).has_value());
      Statement left(db->get(), "SELECT a FROM step_5");
      ASSERT_TRUE(left.ready() && left.step() == Statement::Step::row);
      EXPECT_EQ(left.integer(0), 2345) << "each step once";
    }
  }
}

TEST_F(Schema, AStepThatFailsLeavesTheStoreAsItWas) {
  make_old();
  Result<Connection> db = open_encrypted(path, key);
  ASSERT_TRUE(db.has_value()) << db.what();
  const std::vector<SchemaStep> steps{{2, [](const Migration& m) { return run(m.db, "DROP TABLE parked; CREATE TABLE content(a)"); }}};
  const Status failed = migrate(db->get(), sum_key, steps);
  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.what().find("as it was"), std::string::npos) << failed.what();
  Statement parked(db->get(), "SELECT count(*) FROM parked");
  ASSERT_TRUE(parked.ready() && parked.step() == Statement::Step::row);
  EXPECT_EQ(parked.integer(0), 50);
}

TEST_F(Schema, AStoreFromWhichNoStepLeadsOnIsRefused) {
  make_old();
  Result<Connection> db = open_encrypted(path, key);
  ASSERT_TRUE(db.has_value()) << db.what();
  const std::vector<SchemaStep> steps{{3, [](const Migration&) { return Status(); }}};
  EXPECT_FALSE(migrate(db->get(), sum_key, steps).has_value());
}

// A value of a row is part of what is on disk: it never changes.
TEST_F(Schema, ValuesOfRowsAreFrozen) {
  Bytes bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  const Secret fixed{std::span<const std::uint8_t>(bytes)};
  const auto hex = [&](const Row& row) {
    Bytes out;
    encode(value_of(fixed, row), out);
    return to_hex(out);
  };
  const FlightRow flight{7, {3, true}, 2, 500, Bytes{1, 2, 3}};
  EXPECT_EQ(hex(row_of(flight)), "c557778c384d582ddd3de95b37125671");
  EXPECT_EQ(hex(row_of(ProviderRow{1, "abc", 5, 0, 0, true})), "090d998c203a529f719ed159cd96e221");
  EXPECT_NE(hex(row_of(ProviderRow{1, "abc", 5, 0, 1, false})), hex(row_of(ProviderRow{1, "abc", 5, 0, 2, false})));
  Row one{Table::parked, 1, 0, {}, {1, 5, 0}, as_bytes("ab"), {}};
  const Bytes c{'c'}, bc{'b', 'c'};
  one.data = c;
  Row other = one;
  other.text = as_bytes("a");
  other.data = bc;
  EXPECT_NE(hex(one), hex(other)) << "no two rows have the same bytes";
}

}  // namespace
}  // namespace postern::store
