// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/settings.hpp"

#include <algorithm>

namespace postern::messenger {
namespace {

constexpr std::int64_t kRate = 80;  // a second: what the Cloud API grants a new number

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_token(std::string_view token) {
  return std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

MessengerSettings read_messenger_settings(Section& root) {
  MessengerSettings settings;
  settings.provider = root.choice<Provider>("provider", Provider::whatsapp, {{"whatsapp", Provider::whatsapp}});
  settings.channel = http_client::read_channel_settings(root, kRate);
  settings.base_url = http_client::read_https_url(root, "base_url", "https://graph.facebook.com/v24.0");
  settings.phone_number_id = root.text("phone_number_id");
  if (!settings.phone_number_id.empty() && !is_digits(settings.phone_number_id))
    root.fault("phone_number_id", "'phone_number_id' must be the number's id, digits only (not the phone number)");
  settings.token = root.credential("token");
  if (!is_token(settings.token.text()))
    root.fault("token", "'token': the file must hold the access token alone, in one line without spaces");
  settings.message.named_parameters =
      root.choice<bool>("template_parameters", false, {{"positional", false}, {"named", true}});
  settings.message.free_text = root.boolean("free_text", false);
  settings.message.otp_button = root.boolean("otp_button", true);
  return settings;
}

}  // namespace postern::messenger
