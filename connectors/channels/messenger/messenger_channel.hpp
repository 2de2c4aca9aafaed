// SPDX-License-Identifier: Apache-2.0
// Purpose: the messenger channel as a connector: settings, link, dispatcher and carrier put together.
// Used by: main() of postern-messenger. Threads: one loop. Ownership: owns all its parts.
#pragma once

#include <memory>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/http_client/dispatcher.hpp"
#include "connectors/channels/messenger/settings.hpp"
#include "connectors/channels/messenger/whatsapp_carrier.hpp"
#include "connectors/protocol/program.hpp"

namespace postern::messenger {

class MessengerChannel final : public Connector {
 public:
  explicit MessengerChannel(MessengerSettings settings) : settings_(std::move(settings)) {}

  LinkOptions link_options() const override;
  LinkHandlers link_handlers() override;
  Status start(Loop& loop, Link& link) override;
  void drain(std::function<void()> done) override;

 private:
  MessengerSettings settings_;
  std::unique_ptr<http_client::Client> client_;
  std::unique_ptr<WhatsappCarrier> carrier_;
  std::unique_ptr<http_client::Dispatcher> dispatcher_;
};

Result<std::unique_ptr<Connector>> build_messenger_channel(Section root);

}  // namespace postern::messenger
