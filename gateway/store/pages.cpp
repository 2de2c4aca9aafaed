// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/pages.hpp"

#include <sodium.h>
#include <sqlcipher/sqlite3.h>

#include <algorithm>
#include <array>

namespace postern::store {
namespace {

// SQLCipher 4: 4,096 bytes a page, the last of them IV (16) and HMAC-SHA256 (32, or HMAC-SHA512, 64) over the rest, the IV and the page's
// number (32 bits, little-endian). Page 1 begins with the salt, which is not covered.
constexpr std::size_t kSalt = 16, kMac = 32, kOlderMac = 64, kKey = 32;
constexpr std::uint8_t kSaltMask = 0x3a;

sqlite3_file* file_of(sqlite3* db) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || file == nullptr || file->pMethods == nullptr) return nullptr;
  return file;
}

}  // namespace

// The key of the page codes: PBKDF2-HMAC-SHA512 of the raw key over the masked salt, two rounds (RFC 8018 section 5.2).
Pages::Pages(sqlite3* db, const Secret& key_and_salt) : db_(db), older_codes_(page_codes(db).value_or("") == kOlderPageCodes), mac_key_(kKey) {
  const std::span<const std::uint8_t> raw = key_and_salt.bytes().first(kKey), salt = key_and_salt.bytes().subspan(kKey, kSalt);
  std::array<std::uint8_t, kSalt + 4> block{};
  for (std::size_t i = 0; i < kSalt; ++i) block[i] = static_cast<std::uint8_t>(salt[i] ^ kSaltMask);
  block[kSalt + 3] = 1;
  Secret first(kOlderMac), second(kOlderMac);
  crypto_auth_hmacsha512_state state;
  crypto_auth_hmacsha512_init(&state, raw.data(), raw.size());
  crypto_auth_hmacsha512_update(&state, block.data(), block.size());
  crypto_auth_hmacsha512_final(&state, first.writable().data());
  crypto_auth_hmacsha512_init(&state, raw.data(), raw.size());
  crypto_auth_hmacsha512_update(&state, first.bytes().data(), kOlderMac);
  crypto_auth_hmacsha512_final(&state, second.writable().data());
  wipe(&state, sizeof state);
  for (std::size_t i = 0; i < kKey; ++i) mac_key_.writable()[i] = static_cast<std::uint8_t>(first.bytes()[i] ^ second.bytes()[i]);
}

Result<std::uint64_t> Pages::size() const {
  sqlite3_file* file = file_of(db_);
  sqlite3_int64 size = 0;
  if (file == nullptr || file->pMethods->xFileSize(file, &size) != SQLITE_OK) return fail("the store's file cannot be measured");
  return static_cast<std::uint64_t>(size);
}

Status Pages::read(std::uint64_t offset, std::span<std::uint8_t> out) const {
  sqlite3_file* file = file_of(db_);
  if (file == nullptr || file->pMethods->xRead(file, out.data(), static_cast<int>(out.size()), static_cast<sqlite3_int64>(offset)) != SQLITE_OK)
    return fail("the store's file cannot be read at byte " + std::to_string(offset));
  return {};
}

bool Pages::holds(std::uint64_t number, ByteView page) const {
  const std::size_t mac_size = older_codes_ ? kOlderMac : kMac;
  const ByteView covered = page.first(kPageSize - mac_size).subspan(number == 1 ? kSalt : 0), mac = page.last(mac_size);
  const auto n = static_cast<std::uint32_t>(number);
  const std::array<std::uint8_t, 4> little{static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n >> 16),
                                           static_cast<std::uint8_t>(n >> 24)};
  std::array<std::uint8_t, kOlderMac> right{};
  if (older_codes_) {
    crypto_auth_hmacsha512_state state;
    crypto_auth_hmacsha512_init(&state, mac_key_.bytes().data(), mac_key_.size());
    crypto_auth_hmacsha512_update(&state, covered.data(), covered.size());
    crypto_auth_hmacsha512_update(&state, little.data(), little.size());
    crypto_auth_hmacsha512_final(&state, right.data());
  } else {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, mac_key_.bytes().data(), mac_key_.size());
    crypto_auth_hmacsha256_update(&state, covered.data(), covered.size());
    crypto_auth_hmacsha256_update(&state, little.data(), little.size());
    crypto_auth_hmacsha256_final(&state, right.data());
  }
  return sodium_memcmp(right.data(), mac.data(), mac_size) == 0;
}

Result<std::uint64_t> Pages::check(std::uint64_t first, std::uint64_t count) const {
  const Result<std::uint64_t> bytes = size();
  if (!bytes) return fail(bytes.what());
  if (*bytes % kPageSize != 0) return fail("the store's file is cut inside a page");
  const std::uint64_t all = *bytes / kPageSize, many = first >= all ? 0 : std::min(count, all - first);
  Bytes buffer(static_cast<std::size_t>(many) * kPageSize);
  if (const Status got = many == 0 ? Status() : read(first * kPageSize, buffer); !got) return fail(got.what());
  for (std::uint64_t i = 0; i < many; ++i)
    if (first + i + 1 != kLockPage && !holds(first + i + 1, ByteView(buffer).subspan(static_cast<std::size_t>(i) * kPageSize, kPageSize)))
      return fail("page " + std::to_string(first + i + 1) + " of the store's file is not what was written there");
  return many;
}

}  // namespace postern::store
