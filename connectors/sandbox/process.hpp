// SPDX-License-Identifier: Apache-2.0
// Purpose: starting the sandbox bank's programs and knowing them again without doubt. Used by: the
// sandbox only. Threads: one; children are started from a single-threaded process.
// Ownership: a Child is a value; nothing ends with it. Errors: what could not be started and why.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "crypto/result.hpp"

namespace postern::sandbox {

// A process id alone may belong to somebody else tomorrow; with the time at which the process started,
// and the boot during which it did, it is one process and no other.
struct Identity {
  pid_t pid = 0;
  std::uint64_t started = 0;  // clock ticks since the boot
  bool operator==(const Identity&) const = default;
};

// Nothing running under this id: started is 0.
Identity identity_of(pid_t pid);
bool is_running(const Identity& process);
// The kernel's name of this boot; identities of another boot are nobody's.
std::string boot_id();

struct Command {
  std::vector<std::string> words;  // program first, with its path
  std::string log;                 // standard output and error are appended here; empty: stay as they are
  int end_with_parent = 0;         // the signal it gets when this process ends without having stopped it; 0: none
};

// Starts it in a process group of its own, with the environment of this process less what a service
// manager put there (credentials and notifications are not the children's).
Result<Identity> start(const Command& command);

struct Finished {
  int status = 0;     // exit code, or 128 + signal; 127 when it could not be started
  std::string out;    // standard output, at most 1 MiB
  std::string error;  // standard error, at most 16 KiB
};
// Runs it to its end. A command that takes longer than `limit` is killed and ends with status 124.
Finished run(const std::vector<std::string>& words, std::chrono::milliseconds limit);

// Where a program of this product lies: beside this one in the build tree or the package, or in PATH.
// `folder` is its place in the tree: "gateway", "connectors/channels/smpp".
Result<std::string> find_program(const std::string& folder, const std::string& name);

}  // namespace postern::sandbox
