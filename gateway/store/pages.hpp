// SPDX-License-Identifier: Apache-2.0
// Purpose: the embedded store's file as bytes, read through the descriptor that SQLite holds: another one, once closed, would
// end SQLite's locks on the file (POSIX advisory locks belong to the process). Checks the code of every page, also of pages that
// no query reads. Used by: the embedded store. Threads: one. Ownership: borrows the connection.
// Errors: the disk's; a page whose code is not right, by its number.
#pragma once

#include <cstdint>
#include <span>

#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"
#include "gateway/store/sqlite.hpp"

namespace postern::store {

inline constexpr std::size_t kPageSize = 4096;
// The page at 1 GiB, by its number from 1, is where SQLite has its locks: it holds nothing and has no code (sqlite.org/fileformat.html, 1.4).
inline constexpr std::uint64_t kLockPage = 0x40000000 / kPageSize + 1;

class Pages {
 public:
  Pages(sqlite3* db, const Secret& key_and_salt);

  Result<std::uint64_t> size() const;
  Status read(std::uint64_t offset, std::span<std::uint8_t> out) const;

  // Checks up to `count` pages from page `first` (0 is the first); gives how many there were.
  Result<std::uint64_t> check(std::uint64_t first, std::uint64_t count) const;

 private:
  bool holds(std::uint64_t number, ByteView page) const;   // number from 1, as SQLCipher counts

  sqlite3* db_;
  bool older_codes_;
  Secret mac_key_;
};

}  // namespace postern::store
