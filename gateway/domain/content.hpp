// SPDX-License-Identifier: Apache-2.0
// Purpose: what a message says and to whom: written once at acceptance, sealed, never changed. The
// texts are rendered before acceptance, so what is sent is exactly what was accepted.
// Threads: plain values. Secrecy: everything here is personal data; it lives in memory for one turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/bytes.hpp"
#include "gateway/domain/words.hpp"

namespace postern {

// What one step sends.
struct Payload {
  Channel channel = Channel::sms;
  std::string address;            // number digits, token, e-mail address
  std::string platform;           // of a push token
  std::string sender;             // empty: the connector's default
  std::string subject, text, html;
  std::string provider_template, provider_language;
  std::vector<std::pair<std::string, std::string>> parameters;
};

struct Content {
  std::string recipient;          // the bank's reference
  std::string template_name;
  std::string time_zone;          // of the recipient, IANA; empty: not known
  std::vector<Payload> payloads;
};

Bytes encode(const Content& content);
std::optional<Content> decode_content(ByteView bytes);

}  // namespace postern
