// SPDX-License-Identifier: Apache-2.0
// Purpose: the store on one machine: one SQLCipher file, one connection that alone writes and alone checkpoints, and a redo log beside
// it that makes each commit durable until the tables are written. Used by: posternd. Threads: one. Contract and errors: store.hpp.
#pragma once

#include <memory>
#include <string>

#include "crypto/secret.hpp"
#include "crypto/suite.hpp"
#include "gateway/store/store.hpp"

namespace postern::store {

// Opens `path` and brings its schema up to date. The key is 32 bytes and a salt of 16; the sum key is 32 bytes and is that of
// State::sum. The suite seals the redo log. Errors, beside those of the disk and the keys: file, write-ahead log and redo log that do not
// belong together.
Result<std::unique_ptr<Store>> open_embedded(const std::string& path, const Suite& suite, const Secret& key_and_salt, const Secret& sum_key);

// The redo log of the store at `path`; empty, or not there, when the store was closed in order.
inline std::string redo_path(const std::string& path) { return path + "-redo"; }

}  // namespace postern::store
