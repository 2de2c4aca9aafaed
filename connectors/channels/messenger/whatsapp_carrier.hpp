// SPDX-License-Identifier: Apache-2.0
// Purpose: sends deliveries to the WhatsApp Cloud API and reads its answers. Used by: MessengerChannel.
// Threads: one loop. Ownership: views the client, which outlives it; owns the access token.
// Errors: every one is a Verdict.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/http_client/dispatcher.hpp"
#include "connectors/channels/messenger/whatsapp_message.hpp"

namespace postern::messenger {

class WhatsappCarrier final : public http_client::Carrier {
 public:
  struct Options {
    std::string number_url;  // ".../v24.0/<phone_number_id>"
    Secret token;
    WhatsappOptions message;
    std::chrono::milliseconds timeout{15'000};
  };
  WhatsappCarrier(http_client::Client& client, Options options)
      : client_(client), options_(std::move(options)), alive_(std::make_shared<bool>(true)) {}
  ~WhatsappCarrier() override { *alive_ = false; }

  void send(const wire::Deliver& deliver, Done done) override;
  bool withdraw(const wire::Deliver& deliver) override;
  void probe(std::function<void(std::optional<std::string>)> done) override;

 private:
  using Key = std::pair<std::uint64_t, std::uint32_t>;

  http_client::Client& client_;
  Options options_;
  std::map<Key, http_client::Client::Ticket> flights_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::messenger
