// SPDX-License-Identifier: Apache-2.0
// Purpose: files of the sandbox bank: written whole or not at all, read whole. Used by: the sandbox only.
// Threads: any. Errors: the path and the system's reason.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "crypto/result.hpp"

namespace postern::sandbox {

// Replaces the file at once: a reader sees the old content or the new one, never half of it.
Status write_file(const std::string& path, std::string_view content, mode_t mode);

Result<std::string> read_file(const std::string& path);

// Makes the folder (and those above it) with this mode; one that exists stays as it is.
Status make_folder(const std::string& path, mode_t mode);

// The last `lines` lines of a log, each indented; empty when there is none.
std::string last_lines(const std::string& path, int lines);

}  // namespace postern::sandbox
