// SPDX-License-Identifier: Apache-2.0
// Purpose: a provider's profile as data: everything in which SMS centres differ is a key of the file.
// README.md tells every key. Used by: postern-smpp. Threads: read once at start.
// Ownership: values; the password is a Secret. Errors: faults are noted in the Section with their place
// and reported by SettingsFile::finish(); the returned settings are of no use then.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "connectors/channels/smpp/encoding.hpp"
#include "connectors/channels/smpp/receipt.hpp"
#include "connectors/channels/smpp/status.hpp"
#include "connectors/protocol/settings.hpp"
#include "crypto/secret.hpp"
#include "crypto/tls.hpp"

namespace postern::smpp {

// What a session is bound as.
enum class BindKind { transceiver, transmitter, receiver };

// How a message's remaining life is told (the setting `validity`).
enum class Validity { relative, absolute, none };

struct TonNpi {
  std::uint8_t ton = 0, npi = 0;
};

struct Settings {
  using Millis = std::chrono::milliseconds;

  // Connection
  std::vector<std::string> hosts;
  std::uint16_t port = 0;
  bool tls = true;
  TlsFiles tls_files;
  std::string server_name;  // empty: the host
  std::string system_id, system_type, address_range;
  Secret password;
  std::uint8_t interface_version = 0x34;
  std::vector<BindKind> binds;  // one entry a session; session i goes to hosts[i % hosts]

  // Pace
  std::size_t window = 10;   // submits without an answer, for each session
  std::uint32_t rate = 100;  // submits a second, over all sessions
  Millis enquire_link{30'000}, response_timeout{30'000}, bind_timeout{10'000}, connect_timeout{10'000};

  // Messages
  std::string service_type, sender;
  TonNpi short_code{3, 0};
  DefaultAlphabet default_alphabet = DefaultAlphabet::gsm7;
  std::uint8_t ucs2_data_coding = 8;
  LongMessages long_messages = LongMessages::udh8;
  std::size_t max_parts = 6;
  Validity validity = Validity::relative;
  std::chrono::seconds max_validity{72 * 3600};
  std::array<std::uint8_t, 6> priority{};  // by wire::Category
  StatusTable statuses;

  // Inbound
  IdFormat id_in_response = IdFormat::as_is;
  ReceiptOptions receipts;
  std::size_t inbound_window = 500;  // inbound messages of a session that wait for the vault
  Millis join_timeout{300'000};
  std::size_t max_parameters = 128;

  // Sessions that can submit.
  std::size_t submitting() const;
};

// Reads and cross-checks every key of postern-smpp.
Settings read_settings(Section root);

// True for "localhost", 127.0.0.0/8 and ::1.
bool is_loopback(const std::string& host);

}  // namespace postern::smpp
