// SPDX-License-Identifier: Apache-2.0
// postern-messenger: the messenger channel. SECURITY: reads the provider's answers, over verified TLS;
// holds its access token. A takeover yields that token, and the messages passing through at that time;
// no key of the vault, no stored message. What the provider tells later comes to postern-hook.
#include "connectors/channels/messenger/messenger_channel.hpp"

int main(int argc, char** argv) {
  return postern::run_connector(argc, argv, {"postern-messenger", postern::messenger::build_messenger_channel});
}
