// SPDX-License-Identifier: Apache-2.0
// The check of every page, beyond what a test can fill.
#include "gateway/store/pages.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_folder.hpp"

namespace postern::store {
namespace {

// A scrub called the store altered, and locked the gateway, as soon as its file was larger than 1 GiB.
TEST(Pages, ThePageOfSQLitesLocksHoldsNothing) {
  TempFolder folder;
  const std::string path = folder / "postern.db";
  const Secret key = Secret::random(48);
  Result<Connection> db = open_encrypted(path, key);
  ASSERT_TRUE(db.has_value()) << db.what();
  ASSERT_TRUE(run(db->get(), "CREATE TABLE t(a)").has_value());
  ASSERT_TRUE(run(db->get(), "PRAGMA wal_checkpoint(TRUNCATE)").has_value());
  const Pages pages(db->get(), key);
  const Result<std::uint64_t> all = pages.check(0, 1000);
  ASSERT_TRUE(all.has_value()) << all.what();
  EXPECT_GT(*all, 1U);
  std::filesystem::resize_file(path, (kLockPage + 1) * kPageSize);   // a hole: zeros
  EXPECT_FALSE(pages.check(kLockPage - 2, 1).has_value());
  EXPECT_TRUE(pages.check(kLockPage - 1, 1).has_value());
  EXPECT_FALSE(pages.check(kLockPage, 1).has_value());
}

}  // namespace
}  // namespace postern::store
