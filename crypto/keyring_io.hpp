// SPDX-License-Identifier: Apache-2.0
// Purpose: puts a small file in place so that a crash leaves the old one or the new one, whole. Used by: the keyring, custodians' key
// files, the roll-back anchor. Threads: plain functions.
// Errors: each names the file; after one the old file is what it was.
#pragma once

#include <string>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

namespace postern {

// Writes zeros over a plain file, syncs, and unlinks it; a missing one is no error. File systems and flash may keep the old bytes.
void erase_file(const std::string& path);

// Mode 0600, written to `path`.new, synced, put in place by renameat2, folder synced. `replace`: a file must stand there, and its
// old content is erased; otherwise none may. A crash may leave `path`.new behind, which the next call erases.
Status put_file(const std::string& path, ByteView content, bool replace);

// The same for content that is no secret, over whatever stands there; works on any file system that renames.
Status put_open_file(const std::string& path, ByteView content);

}  // namespace postern
