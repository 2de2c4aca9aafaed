// SPDX-License-Identifier: Apache-2.0
// Purpose: the store on one machine: one SQLCipher file, one connection that alone writes and alone
// checkpoints. Used by: posternd. Threads: one. Contract and errors: store.hpp.
#pragma once

#include <memory>
#include <string>

#include "crypto/secret.hpp"
#include "gateway/store/store.hpp"

namespace postern::store {

// Opens `path` and brings its schema up to date. The key is 32 bytes and a salt of 16; the sum key is 32 bytes and is that of
// State::sum. Errors, beside those of the disk and the keys: a file and a write-ahead log that do not belong together.
Result<std::unique_ptr<Store>> open_embedded(const std::string& path, const Secret& key_and_salt, const Secret& sum_key);

}  // namespace postern::store
