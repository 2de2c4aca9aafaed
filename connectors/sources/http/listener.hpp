// SPDX-License-Identifier: Apache-2.0
// Purpose: opens the listening socket. Used by: the server. Threads: at start. Ownership: the caller
// closes what it gets. Errors: sentences for the operator. Limits: none.
#pragma once

#include <cstdint>
#include <string>

#include "crypto/result.hpp"

namespace postern::http {

// Listens on "address:port" with TCP_NODELAY, which accepted sockets inherit: an answer leaves at once
// instead of waiting for the peer's acknowledgement (RFC 896). "systemd": takes the one descriptor that
// systemd passed (sd_listen_fds), which the unit's socket opened.
Result<int> open_listener(const std::string& listen);

Result<std::uint16_t> bound_port(int fd);

// "address:port" or "[v6]:port" taken apart; errors name the mistake.
struct ListenAddress {
  std::string host;
  std::string port;
};
Result<ListenAddress> parse_listen(const std::string& listen);

}  // namespace postern::http
