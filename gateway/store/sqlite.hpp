// SPDX-License-Identifier: Apache-2.0
// Purpose: SQLCipher as values that end by themselves: connection and prepared statements.
// Used by: the embedded store only. Threads: one. Errors: Result with SQLite's own words, which never
// hold bound values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace postern::store {

struct ConnectionClose { void operator()(sqlite3* db) const; };
using Connection = std::unique_ptr<sqlite3, ConnectionClose>;

// Opens or creates the encrypted database by the rules of crypto/DESIGN.md, "Store file": raw key and
// salt, cipher version, every hardening pragma read back, the key proved before any write.
// Errors: another key or a damaged first page; a plaintext database; a pragma that did not take.
// cipher_memory_security stays off: it wipes every freed page at nearly twice the CPU of an accept (29
// to 53 us a message), and the pages hold sealed fields; SQLCipher wipes its own keys in any case.
Result<Connection> open_encrypted(const std::string& path, const Secret& key_and_salt);

// A connection without a key; `flags` are SQLite's.
Result<Connection> connect(const std::string& name, int flags);

// The key as SQLCipher takes it, 99 characters (and a NUL behind them), in locked memory; and giving it to an open connection, which
// is proved by a first read.
inline constexpr int kKeySpec = 99;
Result<Secret> key_spec(const Secret& key_and_salt);
Status give_key(sqlite3* db, const Secret& key_and_salt);

// The codes that the pages are authenticated with, in SQLCipher's words. A processor with instructions for SHA-256 makes one in
// less than half the time of SHA-512, and it is written with every page that a commit touches.
inline constexpr const char *kPageCodes = "HMAC_SHA256", *kOlderPageCodes = "HMAC_SHA512";
Result<std::string> page_codes(sqlite3* db);

// The generation that stands in the file alone, as if there were no write-ahead log: what the last fold left there. Nothing when
// the file does not exist, or cannot be read alone, as after a power cut in the midst of a fold.
std::optional<std::uint64_t> generation_in_file(const std::string& path, const Secret& key_and_salt);

// Makes the names of the store's files durable. SQLite syncs the folder for a new log too, and says nothing when that fails: after a
// power cut the log of an earlier run could stand there instead.
Status sync_folder_of(const std::string& path);

Status run(sqlite3* db, const char* sql);

// A prepared statement. Bind by position from 1, then step() for rows or done() for writes; both leave it ready to bind
// again when the last row was taken.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept;

  bool ready() const { return statement_ != nullptr; }
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, ByteView bytes);            // not copied: must live until the statement is stepped
  Statement& bind(int at, std::string_view text);     // not copied
  Statement& bind_null(int at);

  enum class Step { row, end, error };
  Step step();
  Status done();                                      // runs a statement that gives no rows

  std::int64_t integer(int column) const;
  ByteView view(int column) const;                    // of a text or blob; until the next step
  Bytes blob(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;
  void reset();

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// Forgets every page that is not being used.
void drop_cache(sqlite3* db);
// Rows that the last write changed.
std::int64_t changed(sqlite3* db);
std::string error_of(sqlite3* db);
bool is_full(sqlite3* db);   // the last error was a full disk
// From now on closing it writes and syncs nothing: after a failed sync nothing may be tried again on these files.
void leave_as_it_is(sqlite3* db);

}  // namespace postern::store
