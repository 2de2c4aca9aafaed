// SPDX-License-Identifier: Apache-2.0
// Purpose: what the key verbs read from people and say to them. Used by: keys*.cpp. Threads: one.
// Nothing secret comes from the command line or the environment: passphrases and PINs are typed without echo, or are the first line
// of standard input when it is not a terminal, or stand in a file.
#pragma once

#include <string>
#include <utility>

#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"
#include "crypto/secret.hpp"

namespace postern::cli {

inline constexpr std::size_t kMaxKeyFile = 4096;

Result<Secret> read_passphrase(const std::string& prompt);
// Asks twice on a terminal.
Result<Secret> new_passphrase(const std::string& prompt);
// From the file, else typed.
Result<Secret> read_pin(const std::string& file, const std::string& token);

// Copies into a request's field; wipe it after the request was sent.
void put(std::string& field, const Secret& secret);

// "NAME=KEY" of --custodian.
Status add_custodians(const std::vector<std::string>& given, unsigned needed, control::Quorum& quorum);

// Prints `done`, or {"done": true}; gives the exit code.
int report(const Common& common, const Result<control::Reply>& reply, const std::string& done);

}  // namespace postern::cli
