// SPDX-License-Identifier: Apache-2.0
// Purpose: the epochs of the audit log. Each has a signing key of its own that is random, derived from
// nothing, and destroyed once its last checkpoint is signed: whoever takes every key of a running
// gateway cannot sign what was before. Used by: the vault. Threads: one.
// Ownership: owns the present key and, while an epoch closes, the next one; wipes both.
// State: one sealed file (crypto/sealed_file.hpp), written before the leaf that speaks of it.
// An epoch closes in three steps, and a crash between any two is made good by open():
//   prepare()  the next key is in the file beside the present one
//   the vault commits the leaf `epoch_begun` with next_body(), and publishes the last checkpoint,
//   signed by the present key
//   close()    the present key is destroyed
#pragma once

#include <string>

#include "crypto/note.hpp"
#include "crypto/seal.hpp"
#include "gateway/audit/leaf.hpp"

namespace postern::audit {

// How long an epoch lasts. One that the gateway slept through may last up to a day.
inline constexpr std::int64_t kEpochUs = 15LL * 60 * 1'000'000, kLongestEpochUs = 24LL * 3600 * 1'000'000;

class Epochs {
 public:
  // Epoch 0 of a new log, written to `path`.
  static Result<Epochs> begin(const std::string& path, const std::string& origin, const Keys& keys, std::int64_t utc_us);
  // `log_epoch`: the epoch of the log's next leaf. Errors: the file is missing, damaged, or of another log.
  static Result<Epochs> open(const std::string& path, const std::string& origin, const Keys& keys, std::uint32_t log_epoch);

  std::uint32_t number() const { return now_.number; }
  bool over(std::int64_t utc_us) const { return utc_us >= now_.ends_us; }
  // The leaf that closes the present epoch is committed; its last checkpoint may not be signed yet.
  bool closing() const { return closing_; }

  Body first_body() const { return body_of(now_); }   // of the log's first leaf
  Status prepare(std::int64_t utc_us);
  Body next_body() const { return body_of(next_); }
  void committed() { closing_ = true; }
  Status close();

  Signer signer() const;

 private:
  struct Epoch {
    std::uint32_t number = 0;
    std::int64_t begins_us = 0, ends_us = 0;
    Secret signing_key;
  };
  Epochs(std::string path, std::string origin, const Keys& keys) : path_(std::move(path)), origin_(std::move(origin)), keys_(&keys) {}
  Body body_of(const Epoch& epoch) const;
  Status save(bool with_next) const;

  std::string path_, origin_;
  const Keys* keys_;
  Epoch now_, next_;
  bool closing_ = false;
};

}  // namespace postern::audit
