// SPDX-License-Identifier: Apache-2.0
// postern-push: the push channel. SECURITY: reads answers of Google's push and token services, over
// verified TLS; holds the service account's key. A takeover yields that key, and the messages passing
// through at that time; no key of the vault, no stored message.
#include "connectors/channels/push/push_channel.hpp"

int main(int argc, char** argv) {
  return postern::run_connector(argc, argv, {"postern-push", postern::push::build_push_channel});
}
