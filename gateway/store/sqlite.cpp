// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/sqlite.hpp"

#define SQLITE_HAS_CODEC 1
#include <fcntl.h>
#include <sodium.h>
#include <sqlcipher/sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "gateway/store/log_file.hpp"
#include "gateway/store/page_cache.hpp"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // SQLITE_STATIC

namespace postern::store {
namespace {

constexpr std::string_view kPlaintextHeader{"SQLite format 3\0", 16};

Result<std::string> answer_of(sqlite3* db, const std::string& pragma) {
  Statement statement(db, pragma);
  if (!statement.ready()) return fail(pragma + ": " + error_of(db));
  if (statement.step() != Statement::Step::row) return fail(pragma + " gave no answer");
  return statement.text(0);
}

// Sets and reads back: an unknown pragma is silently ignored, and then protects nothing.
Status set_pragma(sqlite3* db, const std::string& name, const std::string& value, const std::string& expected) {
  if (const Status set = run(db, ("PRAGMA " + name + "=" + value).c_str()); !set) return set;
  const Result<std::string> got = answer_of(db, "PRAGMA " + name);
  if (!got) return fail(got.what());
  if (*got != expected) return fail("PRAGMA " + name + " is '" + *got + "' instead of '" + expected + "'");
  return {};
}

Status version_floor(sqlite3* db) {
  const Result<std::string> version = answer_of(db, "PRAGMA cipher_version");
  if (!version) return fail("this is not SQLCipher: " + version.what());
  int major = 0, minor = 0;
  const char* end = version->data() + version->size();
  const auto dot = std::from_chars(version->data(), end, major).ptr;
  if (dot != end) std::from_chars(dot + 1, end, minor);
  if (major < 4 || (major == 4 && minor < 6)) return fail("SQLCipher " + *version + " is too old; 4.6 or newer is needed");
  return {};
}

// Writes the log of an earlier run again, byte for byte, and syncs it. When a sync fails, the kernel calls pages clean that
// never reached the disk, and goes on showing them: a new process would read commits there, add its own behind them, sync
// without an error, and lose all of it with the power. Written again, every page is really on its way.
Status write_log_again(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT ? Status() : fail(std::string("its log cannot be opened: ") + std::strerror(errno));
  Bytes piece(1024 * 1024);
  bool good = true;
  for (off_t at = 0; good;) {
    const ssize_t got = pread(fd, piece.data(), piece.size(), at);
    if (got == 0) break;
    good = got > 0 && pwrite(fd, piece.data(), static_cast<std::size_t>(got), at) == got;
    at += got;
  }
  good = good && fdatasync(fd) == 0;
  const int error = errno;
  close(fd);
  return good ? Status() : fail(std::string("its log could not be made durable: ") + std::strerror(error) + "; check the disk and start again");
}

int authorize(void*, int action, const char* first, const char* second, const char*, const char*) {
  static constexpr std::array<std::string_view, 6> kPragmas{"wal_checkpoint", "user_version", "integrity_check", "cipher_integrity_check", "quick_check",
                                                        "incremental_vacuum"};
  static constexpr std::array<std::string_view, 4> kReadOnly{"freelist_count", "page_count", "auto_vacuum", "cipher_hmac_algorithm"};
  switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE: return SQLITE_DENY;
    case SQLITE_PRAGMA: {
      const std::string_view name = first == nullptr ? "" : first;
      return std::ranges::find(kPragmas, name) != kPragmas.end() || (second == nullptr && std::ranges::find(kReadOnly, name) != kReadOnly.end()) ? SQLITE_OK
                                                                                                                                                : SQLITE_DENY;
    }
    default: return SQLITE_OK;
  }
}

}  // namespace

Status sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  return synced ? Status() : fail(std::string("its folder could not be synced: ") + std::strerror(error) + "; check the disk and start again");
}

Result<Secret> key_spec(const Secret& key_and_salt) {
  if (key_and_salt.size() != 48) return fail("the store's key has a wrong length");
  // x'<64 hex key><32 hex salt>': anything of another length would silently be taken as a passphrase.
  Secret spec(kKeySpec + 1);
  char* text = reinterpret_cast<char*>(spec.writable().data());
  text[0] = 'x';
  text[1] = '\'';
  sodium_bin2hex(text + 2, 97, key_and_salt.bytes().data(), key_and_salt.size());
  text[98] = '\'';
  return spec;
}

Result<Connection> connect(const std::string& name, int flags) {
  spare_page_cache();
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(name.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, log_file_system());
  Connection db(raw);
  if (opened != SQLITE_OK) return fail(raw == nullptr ? "no memory" : error_of(raw));
  return db;
}

// A store that an older build made has other codes on its pages, and keeps them until it is written anew.
Status give_key(sqlite3* db, const Secret& key_and_salt) {
  const Result<Secret> spec = key_spec(key_and_salt);
  if (!spec) return fail(spec.what());
  (void)run(db, "PRAGMA cipher_log_level = NONE");   // what fails is told by its error, not on the standard error of the process
  Status read;
  for (const char* codes : {kPageCodes, kOlderPageCodes}) {
    if (sqlite3_key(db, spec->text().data(), kKeySpec) != SQLITE_OK) return fail("the store's key was not accepted");
    if (const Status set = set_pragma(db, "cipher_hmac_algorithm", codes, codes); !set) return set;
    read = run(db, "SELECT count(*) FROM sqlite_master");
    if (read) break;
  }
  return read;
}

Result<std::string> page_codes(sqlite3* db) { return answer_of(db, "PRAGMA cipher_hmac_algorithm"); }

void ConnectionClose::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

void drop_cache(sqlite3* db) { sqlite3_db_release_memory(db); }

std::int64_t changed(sqlite3* db) { return sqlite3_changes64(db); }

std::string error_of(sqlite3* db) { return sqlite3_errmsg(db); }

void leave_as_it_is(sqlite3* db) { sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

bool is_full(sqlite3* db) { return (sqlite3_errcode(db) & 0xff) == SQLITE_FULL; }

Status run(sqlite3* db, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return fail(error_of(db));
}

Result<Connection> open_encrypted(const std::string& path, const Secret& key_and_salt) {
  const auto refused = [&](const std::string& why) { return fail("store " + path + ": " + why); };
  {
    std::array<char, 16> header{};
    std::ifstream file(path, std::ios::binary);
    if (file && file.read(header.data(), header.size()) && std::string_view(header.data(), header.size()) == kPlaintextHeader)
      return refused("is a plaintext database; it was not written by Postern and will not be opened");
    if (file.is_open() && file.gcount() > 0 && file.gcount() < 16) return refused("is truncated; restore it from a backup");
  }
  const mode_t before = umask(0077);
  Result<Connection> connected = connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  umask(before);
  if (!connected) return refused(connected.what() + "; check the folder and its owner");
  Connection db = std::move(*connected);
  sqlite3* raw = db.get();
  // SQLite opens for reading what it could not open for writing, and says so only when something is written.
  if (sqlite3_db_readonly(raw, "main") != 0) return refused("could not be opened for writing; check the disk, the file and its owner");

  sqlite3_enable_load_extension(raw, 0);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
  if (const Status floor = version_floor(raw); !floor) return refused(floor.what());
  if (const Status keyed = give_key(raw, key_and_salt); !keyed)
    return refused("cannot be read with this key (" + keyed.what() + "); it belongs to another keyring, or its first page is damaged");

  // Only a file without tables takes this one, and only before anything else is written. A store of schema 1 keeps what it has.
  const Result<std::string> pages = answer_of(raw, "PRAGMA page_count");
  if (!pages) return refused(pages.what());
  if (*pages == "0")
    if (const Status set = set_pragma(raw, "auto_vacuum", "INCREMENTAL", "2"); !set) return refused(set.what());

  for (const auto& [name, value, expected] : {
           std::array<const char*, 3>{"journal_mode", "WAL", "wal"},
           {"synchronous", "FULL", "2"},
           {"secure_delete", "ON", "1"},
           {"temp_store", "MEMORY", "2"},
           {"mmap_size", "0", "0"},
           {"cell_size_check", "ON", "1"},
           {"trusted_schema", "OFF", "0"},
           {"foreign_keys", "ON", "1"},
           {"locking_mode", "EXCLUSIVE", "exclusive"},
           {"wal_autocheckpoint", "0", "0"},
           {"cache_size", "-32768", "-32768"},
           {"journal_size_limit", "67108864", "67108864"},
       }) {
    if (const Status set = set_pragma(raw, name, value, expected); !set) return refused(set.what());
  }
  // Under the lock that keeps any other process out.
  if (const Status locked = run(raw, "BEGIN IMMEDIATE"); !locked) return refused(locked.what());
  if (const Status written = write_log_again(path + "-wal"); !written) return refused(written.what());
  if (const Status unlocked = run(raw, "COMMIT"); !unlocked) return refused(unlocked.what());
  sqlite3_set_authorizer(raw, authorize, nullptr);
  return db;
}

std::optional<std::uint64_t> generation_in_file(const std::string& path, const Secret& key_and_salt) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') uri += '%' + to_hex(ByteView(reinterpret_cast<const std::uint8_t*>(&c), 1));
    else uri += c;
  }
  // A file that cannot change has no write-ahead log, says SQLite, and looks for none.
  const Result<Connection> db = connect(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  if (!db || !give_key(db->get(), key_and_salt)) return std::nullopt;
  Statement mark(db->get(), "SELECT generation FROM mark WHERE id = 1");
  if (!mark.ready() || mark.step() != Statement::Step::row) return std::nullopt;
  return static_cast<std::uint64_t>(mark.integer(0));
}

Statement::Statement(sqlite3* db, std::string_view sql) : db_(db) {
  sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    db_ = other.db_;
    statement_ = std::exchange(other.statement_, nullptr);
  }
  return *this;
}

Statement& Statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(statement_, at, value);
  return *this;
}

Statement& Statement::bind(int at, ByteView bytes) {
  static constexpr std::uint8_t kNothing = 0;
  sqlite3_bind_blob64(statement_, at, bytes.empty() ? &kNothing : bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind(int at, std::string_view text) {
  sqlite3_bind_text(statement_, at, text.empty() ? "" : text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_null(int at) {
  sqlite3_bind_null(statement_, at);
  return *this;
}

Statement::Step Statement::step() {
  const int got = sqlite3_step(statement_);
  if (got == SQLITE_ROW) return Step::row;
  if (got == SQLITE_DONE) {
    reset();
    return Step::end;
  }
  return Step::error;
}

Status Statement::done() {
  const Step got = step();
  if (got == Step::end) return {};
  const std::string why = error_of(db_);
  reset();
  return fail(why);
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

ByteView Statement::view(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return data == nullptr ? ByteView() : ByteView(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Bytes Statement::blob(int column) const {
  const ByteView bytes = view(column);
  return Bytes(bytes.begin(), bytes.end());
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

void Statement::reset() { sqlite3_reset(statement_); }

}  // namespace postern::store
