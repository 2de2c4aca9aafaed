// SPDX-License-Identifier: Apache-2.0
// Purpose: the settings of postern-push; README.md explains each key. Used by: PushChannel. Threads: one.
// Errors: noted in the Section.
#pragma once

#include <string>

#include "connectors/channels/http_client/client_settings.hpp"
#include "connectors/channels/push/fcm_message.hpp"
#include "connectors/channels/push/service_account.hpp"

namespace postern::push {

struct PushSettings {
  http_client::ChannelSettings channel;
  ServiceAccount account;
  std::string base_url;
  std::string token_url;
  FcmOptions message;
};

PushSettings read_push_settings(Section& root);

}  // namespace postern::push
