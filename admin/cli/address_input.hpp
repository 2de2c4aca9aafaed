// SPDX-License-Identifier: Apache-2.0
// Purpose: a customer's number, address or token, as an administrator gives it: on standard input, never in an argument, which
// every user of the machine can read in /proc while the program runs. Used by: the verbs find, recipient erase, numbers show.
// Threads: one. Limits: one line of at most 4,096 bytes.
#pragma once

#include <string>

#include "crypto/result.hpp"

namespace postern::cli {

// One line; on a terminal `prompt` asks for it. Errors: nothing was given; the line is too long.
Result<std::string> read_address(const std::string& prompt);

}  // namespace postern::cli
