// SPDX-License-Identifier: Apache-2.0
// Purpose: the store's redo log, `postern.db-redo`: each commit as one sealed record, durable before the commit is said to be. The
// tables are changed in memory at the same time and written to their file some thirty commits later or more, all at once; until then a
// crash is made good from here. So a row that changes six times in a second is written six times as what it is, in a row of the log,
// and once as a page.
// Used by: the embedded store. Threads: one. Ownership: owns the file and its key.
// Format of a record: magic 4 | length of the sealed bytes 4 | generation 8 | nonce | sealed bytes and tag. The head of 16 bytes is bound into the
// seal. Records of one round stand behind one another from the file's beginning, generation upon generation; a new round begins again at
// the beginning when everything before it is durable in the tables, so what follows the last record is of an older round.
// The file is written with zeros ahead, and a new round does not shorten it: a sync then has no size to write.
// Errors: a disk that is full is told apart, and nothing has happened then; after any other error nothing is known of the file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "crypto/secret.hpp"
#include "crypto/suite.hpp"

namespace postern::store {

class RedoLog {
 public:
  // Opens the log or makes it, 0600; whoever opens it syncs its folder. `key_and_salt` is the store's.
  static Result<RedoLog> open(const std::string& path, const Suite& suite, const Secret& key_and_salt);
  RedoLog(RedoLog&& other) noexcept;
  RedoLog& operator=(RedoLog&&) = delete;
  ~RedoLog();

  // Hands over what was recorded after commit `after`, in order. Errors: the log goes on from a later commit, or is damaged between
  // two records; or what `take` says.
  using Take = std::function<Status(std::uint64_t generation, ByteView record)>;
  Status read(std::uint64_t after, const Take& take) const;

  // Writes and syncs a record. Generations grow by one within a round.
  enum class Written { durable, full, failed };
  Written write(std::uint64_t generation, ByteView record);

  // Everything that was written is durable in the tables: the next record begins a new round.
  void begin_round() { end_ = 0; }
  // The same, and nothing of older rounds stays in the file.
  Status empty();

  std::size_t bytes() const { return end_; }   // of this round

 private:
  RedoLog(std::string path, int fd, std::size_t size, const Suite& suite, Secret key);
  int make_room(std::size_t size);   // 0, or errno
  bool open_record(ByteView bytes, std::uint64_t& generation, Bytes& plain) const;

  std::string path_;
  int fd_;
  std::size_t size_, end_ = 0;   // of the file; of this round's records
  const Suite* suite_;
  Secret key_;
  Bytes record_;                 // kept for its memory
};

}  // namespace postern::store
