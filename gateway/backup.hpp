// SPDX-License-Identifier: Apache-2.0
// Purpose: one backup that is being made: the store as it was at one instant, with the keyring, the ring and what of the audit log cannot
// be made again, as the bytes of two files (crypto/backup_file.hpp). Used by: posternd, which gives an administrator's tool one
// portion after the other between its turns. Threads: one.
// Ownership: holds a snapshot of the store, which ends with it and before the vault; while it lives nothing is folded, and so no
// erasure becomes final. Errors: a file that cannot be read; the backup is then worth nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crypto/backup_file.hpp"
#include "gateway/vault/vault.hpp"

namespace postern {

class Backup {
 public:
  // Errors: recipients that cannot be.
  static Result<std::unique_ptr<Backup>> prepare(vault::Vault& vault, Profile profile, unsigned needed, const std::vector<NamedPublicKey>& recipients);
  // The instant of the backup. Errors: another one is being made; a file that cannot be read.
  Status begin(const std::string& state_folder);

  // The next bytes of the file of this kind, about a mebibyte; nothing after the last.
  Result<Bytes> next(backup::Kind kind);
  bool ended(backup::Kind kind) const { return part(kind).ended; }

  std::string number() const { return to_hex(number_); }
  std::uint64_t size() const { return size_; }          // plain bytes of the state file
  const Hash& hash(backup::Kind kind) const { return part(kind).writer->hash(); }

 private:
  struct Item {
    std::string name;
    std::string path;       // empty: `content`, or the store's snapshot
    Bytes content;
    bool is_store = false;
  };
  struct Part {
    std::vector<Item> items;
    std::optional<backup::Writer> writer;
    Bytes pending;          // plain bytes that do not fill a piece yet
    std::size_t item = 0;
    std::uint64_t at = 0;   // in the store
    bool begun = false, ended = false;
  };
  explicit Backup(vault::Vault& vault) : vault_(vault) {}
  Part& part(backup::Kind kind) { return kind == backup::Kind::state ? state_ : keys_; }
  const Part& part(backup::Kind kind) const { return kind == backup::Kind::state ? state_ : keys_; }
  Status gather(const std::string& folder);
  Status fill(Part& part);
  std::string note(backup::Kind kind) const;

  vault::Vault& vault_;
  backup::Number number_{};
  std::unique_ptr<store::Snapshot> snapshot_;
  std::string origin_;
  std::uint64_t generation_ = 0, leaves_ = 0, size_ = 0;
  Hash root_{};
  Part state_, keys_;
};

}  // namespace postern
