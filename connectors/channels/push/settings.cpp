// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/settings.hpp"

namespace postern::push {
namespace {

constexpr std::int64_t kRate = 5'000;  // a second; half of what FCM grants a project by default

}  // namespace

PushSettings read_push_settings(Section& root) {
  PushSettings settings;
  settings.channel = http_client::read_channel_settings(root, kRate);
  settings.base_url = http_client::read_https_url(root, "base_url", "https://fcm.googleapis.com");
  const Secret account = root.credential("service_account");
  if (!account.empty()) {
    Result<ServiceAccount> read = ServiceAccount::read(account);
    if (read)
      settings.account = std::move(*read);
    else
      root.fault("service_account", "'service_account': " + read.what());
  }
  settings.token_url =
      root.has("token_url") ? http_client::read_https_url(root, "token_url", "") : settings.account.token_uri;
  settings.message.android_channel = root.text("android_channel", "");
  settings.message.restricted_package = root.text("restricted_package", "");
  return settings;
}

}  // namespace postern::push
