// SPDX-License-Identifier: Apache-2.0
// Purpose: writes the store's file anew under another key. Used by: posternd, before the vault opens. Threads: one.
// A copy is made beside the file, read back whole, synced, and renamed over it: a crash at any point leaves the old file under the old
// key or the new one under the new key. Costs the file's size once more on disk, and some seconds a GiB.
#pragma once

#include <string>

#include "crypto/secret.hpp"

namespace postern::store {

// Whether the file can be read with this key. Errors: there is no file.
Result<bool> opens_with(const std::string& path, const Secret& key_and_salt);

// For a store that was closed in order. Errors: each leaves the file as it was: a redo log that is not empty, no room, a page that cannot be read, a copy that differs.
Status reencrypt(const std::string& path, const Secret& old_key, const Secret& new_key);

}  // namespace postern::store
