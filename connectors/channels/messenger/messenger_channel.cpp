// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/messenger_channel.hpp"

namespace postern::messenger {

LinkOptions MessengerChannel::link_options() const {
  LinkOptions options;
  options.window = settings_.channel.dispatcher.window;
  return options;
}

LinkHandlers MessengerChannel::link_handlers() {
  LinkHandlers handlers;
  handlers.welcome = [this](const wire::Welcome&) { dispatcher_->tell_health(); };
  handlers.deliver = [this](wire::Deliver&& deliver) { dispatcher_->deliver(std::move(deliver)); };
  handlers.cancel = [this](const wire::Attempt& attempt) { dispatcher_->cancel(attempt); };
  return handlers;
}

Status MessengerChannel::start(Loop& loop, Link& link) {
  Result<std::unique_ptr<http_client::Client>> client = http_client::Client::make(loop, settings_.channel.client);
  if (!client) return fail(client.what());
  client_ = std::move(*client);
  carrier_ = std::make_unique<WhatsappCarrier>(
      *client_, WhatsappCarrier::Options{settings_.base_url + "/" + settings_.phone_number_id,
                                         std::move(settings_.token), settings_.message, settings_.channel.timeout});
  const std::uint32_t window = settings_.channel.dispatcher.window;
  dispatcher_ = std::make_unique<http_client::Dispatcher>(
      loop, settings_.channel.dispatcher, *carrier_,
      http_client::Dispatcher::Out{
          [&link](wire::Result&& result) { link.result(std::move(result)); },
          [&link, window](bool up, const std::string& detail) { link.health(up, detail, window); }});
  dispatcher_->start();
  return {};
}

void MessengerChannel::drain(std::function<void()> done) { dispatcher_->drain(std::move(done)); }

Result<std::unique_ptr<Connector>> build_messenger_channel(Section root) {
  return std::make_unique<MessengerChannel>(read_messenger_settings(root));
}

}  // namespace postern::messenger
