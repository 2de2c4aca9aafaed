// SPDX-License-Identifier: Apache-2.0
// Purpose: the keys of postern-email's file; README.md explains each. Used by: postern-email, at start
// and with --check. Threads: one. Ownership: owns the password and the DKIM keys.
// Errors: faults are noted in the file's list with their place; read_settings() fails only where a
// value could not be built at all (a TLS context, a DKIM key).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "connectors/channels/email/address.hpp"
#include "connectors/channels/email/dkim.hpp"
#include "connectors/channels/email/session.hpp"
#include "connectors/protocol/settings.hpp"
#include "crypto/tls.hpp"

namespace postern::email {

struct Settings {
  std::vector<std::string> hosts;
  std::uint16_t port = 0;
  std::string server_name;  // that the certificate must prove; empty: the host
  SslContext tls;
  SessionOptions session;  // `password` points at the one below
  Secret password;

  Sender sender;
  std::string return_path;        // envelope sender; empty: the sender's address
  std::string message_id_domain;  // empty: the sender's domain
  std::string unsubscribe_url;    // with {id}; empty: no List-Unsubscribe
  std::vector<std::unique_ptr<DkimSigner>> signers;

  std::uint32_t window = 0;
  std::size_t connections = 0;
  std::uint32_t messages_per_connection = 0;
  std::chrono::milliseconds idle{0}, probe{0};
};

Result<std::unique_ptr<Settings>> read_settings(Section root);

}  // namespace postern::email
