// SPDX-License-Identifier: Apache-2.0
// Purpose: the settings of postern-https. Used by: its start. Threads: one. Ownership: plain values.
// Errors: noted in the settings file and reported by finish(). README.md explains every key.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/protocol/settings.hpp"
#include "connectors/sources/http/server.hpp"

namespace postern::https {

struct HttpsSettings {
  http::ServerOptions server;
  std::string port_file;       // empty: none
  std::string default_region;  // empty: numbers must be international
  bool allow_fixed_lines = false;
  std::size_t body_limit = 256 * 1024;               // one message, one line of a batch
  std::size_t batch_limit = 4 * 1024 * 1024;         // a whole batch
  std::uint32_t batches = 16;                        // batches being worked on at the same time
  std::chrono::milliseconds answer_timeout{10'000};  // for the vault's verdict
};

HttpsSettings read_settings(Section& root);

}  // namespace postern::https
