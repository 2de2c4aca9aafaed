// SPDX-License-Identifier: Apache-2.0
// Purpose: the push channel as a connector: settings, link, dispatcher and carrier put together.
// Used by: main() of postern-push. Threads: one loop. Ownership: owns all its parts.
#pragma once

#include <memory>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/http_client/dispatcher.hpp"
#include "connectors/channels/push/fcm_carrier.hpp"
#include "connectors/channels/push/settings.hpp"
#include "connectors/protocol/program.hpp"

namespace postern::push {

class PushChannel final : public Connector {
 public:
  explicit PushChannel(PushSettings settings) : settings_(std::move(settings)) {}

  LinkOptions link_options() const override;
  LinkHandlers link_handlers() override;
  Status start(Loop& loop, Link& link) override;
  void drain(std::function<void()> done) override;

 private:
  PushSettings settings_;
  std::unique_ptr<http_client::Client> client_;
  std::unique_ptr<FcmCarrier> carrier_;
  std::unique_ptr<http_client::Dispatcher> dispatcher_;
};

Result<std::unique_ptr<Connector>> build_push_channel(Section root);

}  // namespace postern::push
