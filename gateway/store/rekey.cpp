// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/rekey.hpp"

#include <fcntl.h>
#define SQLITE_HAS_CODEC 1
#include <sqlcipher/sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>

#include "gateway/store/sqlite.hpp"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // SQLITE_STATIC

namespace postern::store {
namespace {

namespace fs = std::filesystem;

std::string copy_path(const std::string& path) { return path + ".rekey"; }

void remove_with_companions(const std::string& path) {
  for (const char* end : {"", "-wal", "-shm", "-journal"}) unlink((path + end).c_str());
}

bool has_log(const std::string& path, const char* end) {
  std::error_code ignored;
  const auto size = fs::file_size(path + end, ignored);
  return !ignored && size > 0;
}

Result<Connection> open_with(const std::string& path, const Secret& key) {
  Result<Connection> db = connect(path, SQLITE_OPEN_READWRITE);
  if (!db) return db;
  sqlite3* raw = db->get();
  sqlite3_enable_load_extension(raw, 0);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (const Status keyed = give_key(raw, key); !keyed) return fail(keyed.what());
  return db;
}

Result<std::int64_t> number(sqlite3* db, const std::string& sql) {
  Statement statement(db, sql);
  if (!statement.ready() || statement.step() != Statement::Step::row) return fail(error_of(db));
  return statement.integer(0);
}

// Rows of every table and index, and the schema's version: what a copy must have in common with its original.
Result<std::map<std::string, std::int64_t>> inventory(sqlite3* db) {
  std::map<std::string, std::int64_t> found;
  const Result<std::int64_t> version = number(db, "PRAGMA user_version");
  if (!version) return fail(version.what());
  found["user_version"] = *version;
  Statement objects(db, "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name");
  if (!objects.ready()) return fail(error_of(db));
  Statement::Step step = Statement::Step::end;
  while ((step = objects.step()) == Statement::Step::row) {
    const std::string name = objects.text(0) + " " + objects.text(1) + " " + objects.text(3);
    std::int64_t rows = 0;
    if (objects.text(0) == "table") {
      const Result<std::int64_t> counted = number(db, "SELECT count(*) FROM \"" + objects.text(1) + "\"");
      if (!counted) return fail(counted.what());
      rows = *counted;
    }
    found[name] = rows;
  }
  if (step == Statement::Step::error) return fail(error_of(db));
  return found;
}

Status write_copy(const std::string& path, const std::string& copy, const Secret& old_key, const Secret& new_key) {
  Result<Connection> db = open_with(path, old_key);
  if (!db) return fail(db.what());
  if (const Status folded = run(db->get(), "PRAGMA locking_mode=EXCLUSIVE; PRAGMA wal_checkpoint(TRUNCATE)"); !folded) return folded;
  const Result<std::int64_t> version = number(db->get(), "PRAGMA user_version");
  if (!version) return fail(version.what());
  const Result<Secret> spec = key_spec(new_key);
  if (!spec) return fail(spec.what());
  {
    // Bound, never in the text of a statement.
    Statement attach(db->get(), "ATTACH DATABASE ?1 AS fresh KEY ?2");
    if (!attach.ready()) return fail(error_of(db->get()));
    attach.bind(1, std::string_view(copy)).bind(2, spec->text().substr(0, kKeySpec));
    if (const Status attached = attach.done(); !attached) return attached;
  }
  const std::string sql = std::string("PRAGMA fresh.cipher_hmac_algorithm=") + kPageCodes +
                          "; PRAGMA fresh.synchronous=FULL; PRAGMA fresh.secure_delete=ON; SELECT sqlcipher_export('fresh'); PRAGMA fresh.user_version=" +
                          std::to_string(*version) + "; DETACH DATABASE fresh";
  return run(db->get(), sql.c_str());
}

// Reads every page and row of the copy and compares it with the original.
Status prove_copy(const std::string& path, const std::string& copy, const Secret& old_key, const Secret& new_key) {
  Result<Connection> old_db = open_with(path, old_key), new_db = open_with(copy, new_key);
  if (!old_db || !new_db) return fail(!old_db ? old_db.what() : new_db.what());
  Statement pages(new_db->get(), "PRAGMA cipher_integrity_check");
  if (!pages.ready() || pages.step() != Statement::Step::end) return fail("the copy has a page that does not authenticate");
  Statement whole(new_db->get(), "PRAGMA integrity_check");
  if (!whole.ready() || whole.step() != Statement::Step::row || whole.text(0) != "ok") return fail("the copy is not sound");
  const Result<std::map<std::string, std::int64_t>> before = inventory(old_db->get()), after = inventory(new_db->get());
  if (!before || !after) return fail(!before ? before.what() : after.what());
  return *before == *after ? Status() : fail("the copy holds other rows than the original");
}

bool synced(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  const bool done = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return done;
}

}  // namespace

Result<bool> opens_with(const std::string& path, const Secret& key_and_salt) {
  if (!fs::exists(path)) return fail("store " + path + ": is missing beside its keyring; restore it from a backup");
  return open_with(path, key_and_salt).has_value();
}

Status reencrypt(const std::string& path, const Secret& old_key, const Secret& new_key) {
  const std::string copy = copy_path(path);
  const auto refused = [&](const std::string& why) {
    remove_with_companions(copy);
    return fail("store " + path + ": could not be written anew under its next key: " + why + "; it stays under the one it has");
  };
  remove_with_companions(copy);
  if (has_log(path, "-redo")) return refused("it was not closed in order, and its redo log has what its file has not");
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error), log = has_log(path, "-wal") ? fs::file_size(path + "-wal", error) : 0;
  const std::uintmax_t room = fs::space(fs::path(path).parent_path(), error).available;
  if (error || room < (size + log) + (size + log) / 8) return refused("it needs " + std::to_string((size + log) / 1'000'000 + 1) + " MB of free disk");
  const int made = open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (made < 0) return refused(std::strerror(errno));
  close(made);
  if (const Status written = write_copy(path, copy, old_key, new_key); !written) return refused(written.what());
  if (const Status same = prove_copy(path, copy, old_key, new_key); !same) return refused(same.what());
  // A log that was left would be taken for the new file's.
  if (has_log(path, "-wal") || has_log(copy, "-wal")) return refused("its write-ahead log could not be folded in");
  if (!synced(copy, O_RDONLY)) return refused(std::strerror(errno));
  if (std::rename(copy.c_str(), path.c_str()) != 0) return refused(std::strerror(errno));
  // The keyring keeps both keys until its own save, so that a name that a power cut takes back still opens.
  const Status named = sync_folder_of(path);
  return named ? named : fail("store " + path + ": " + named.what());
}

}  // namespace postern::store
