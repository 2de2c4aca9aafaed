// SPDX-License-Identifier: Apache-2.0
// Purpose: a small secret kept in a file of its own: sealed, replaced whole and durably, and its former
// content overwritten. Used by: the ring of wrapping keys, the epoch's signing key. Threads: one.
// Limits: overwriting reaches the file's blocks, not copies that a file system or a disk keeps of them;
// what protects those is the seal.
#pragma once

#include <string>

#include "crypto/seal.hpp"

namespace postern {

// Written to a new file, synced and put in the old one's place, mode 0600; when it returns without an
// error the change survives a power cut. `purpose` is ring or epoch.
Status save_sealed(const std::string& path, const Keys& keys, Purpose purpose, const Secret& content);

// Errors: missing, larger than 64 KiB, damaged, or sealed under other keys.
Result<Secret> load_sealed(const std::string& path, const Keys& keys, Purpose purpose);

}  // namespace postern
