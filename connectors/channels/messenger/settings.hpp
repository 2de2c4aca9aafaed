// SPDX-License-Identifier: Apache-2.0
// Purpose: the settings of postern-messenger; README.md explains each key. Used by: MessengerChannel.
// Threads: one. Errors: noted in the Section.
#pragma once

#include <string>

#include "connectors/channels/http_client/client_settings.hpp"
#include "connectors/channels/messenger/whatsapp_message.hpp"

namespace postern::messenger {

// The messengers that are served; another is a word here, a carrier and its files.
enum class Provider { whatsapp };

struct MessengerSettings {
  Provider provider = Provider::whatsapp;
  http_client::ChannelSettings channel;
  std::string base_url;
  std::string phone_number_id;
  Secret token;
  WhatsappOptions message;
};

MessengerSettings read_messenger_settings(Section& root);

}  // namespace postern::messenger
