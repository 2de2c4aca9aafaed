// SPDX-License-Identifier: Apache-2.0
// Purpose: the simulated world of push and messengers: a token service and FCM HTTP v1, the WhatsApp Cloud
// API, the bank's app that acknowledges, and the customers who answer. What becomes of a message is chosen
// by its recipient (behaviour.hpp). All of them stand behind one HTTP/2 port, told apart by path:
//   POST /token                                     the OAuth token service (RFC 7523)
//   POST /v1/projects/<project>/messages:send       FCM
//   POST /<version>/<phone number id>/messages      WhatsApp
//   GET  /<version>/<phone number id>?fields=...    WhatsApp: the number's health
// Used by: the sandbox only. Threads: one loop. Ownership: handsets outlive it.
// Errors: open() says what is wrong. Everything is deterministic: ids are counted, not drawn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/handsets.hpp"
#include "crypto/secret.hpp"

namespace postern::sandbox {

struct ProviderOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;   // 0: any free one
  std::string certificate;  // PEM files of this server
  std::string key;

  std::string service_account;  // JSON; assertions must be signed with its key
  std::string whatsapp_token;   // the bearer token that WhatsApp expects
  std::string phone_number_id;

  std::string hook_url;          // where WhatsApp posts its webhooks; empty: nowhere
  std::string hook_ca;           // PEM: the roots that the webhook's certificate chains to
  std::string hook_certificate;  // a client certificate, where the webhook demands one
  std::string hook_key;
  std::string app_secret;  // signs the webhooks

  // The bank's app on a handset acknowledges: "delivered", then perhaps "read".
  std::function<void(const std::string& message_id, const std::string& status)> app_acknowledges;
};

struct ProviderCounts {
  std::uint64_t tokens = 0;  // access tokens given
  std::uint64_t token_refusals = 0;
  std::uint64_t push_accepted = 0;
  std::uint64_t push_refused = 0;  // any answer but 200, probes left out
  std::uint64_t acknowledged = 0;  // calls of app_acknowledges
  std::uint64_t whatsapp_accepted = 0;
  std::uint64_t whatsapp_refused = 0;
  std::uint64_t webhook_facts = 0;     // statuses and messages that the webhook answered 200 for
  std::uint64_t webhook_failures = 0;  // posts that were not answered 200; they are repeated
};

class Providers {
 public:
  static Result<std::unique_ptr<Providers>> open(Loop& loop, ProviderOptions options, Handsets& handsets);
  ~Providers();
  Providers(const Providers&) = delete;
  Providers& operator=(const Providers&) = delete;

  std::uint16_t port() const;
  const ProviderCounts& counts() const;
  // Nothing is waiting to be acknowledged or posted.
  bool idle() const;

 private:
  Providers();
  class World;
  std::unique_ptr<World> world_;
};

// A service account for the sandbox's bank, as Google would issue it, with a new RSA key.
Result<std::string> make_service_account(const std::string& project_id, const std::string& token_uri);

}  // namespace postern::sandbox
