// SPDX-License-Identifier: Apache-2.0
// Purpose: listening sockets that systemd opened and passed in (sd_listen_fds(3)), so that a process
// needs no right to open any itself. Used by: posternd, the sources over HTTP. Threads: at start.
// Ownership: the caller closes what it gets; ask for each socket once.
// Errors: descriptors that are no listening sockets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"

namespace postern {

struct PassedSocket {
  std::string name;   // what follows the prefix in its FileDescriptorName=
  int fd = -1;        // non-blocking, close-on-exec
};

// Those whose FileDescriptorName= begins with the prefix; an empty prefix gives all. Empty when systemd
// passed none of them.
Result<std::vector<PassedSocket>> passed_sockets(std::string_view prefix);

}  // namespace postern
