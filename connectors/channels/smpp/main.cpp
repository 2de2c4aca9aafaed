// SPDX-License-Identifier: Apache-2.0
// postern-smpp: carries messages to SMS centres over SMPP 3.4, and receipts and answers back.
// SECURITY: reads octets from SMS centres (frame.cpp is that border); holds the account's password and
// the client key; sees the texts that pass through. A takeover yields those, and no stored message,
// no key of the vault and no other channel.
#include "connectors/channels/smpp/settings.hpp"
#include "connectors/channels/smpp/smpp_channel.hpp"
#include "connectors/protocol/program.hpp"

int main(int argc, char** argv) {
  return postern::run_connector(
      argc, argv, {"postern-smpp", [](postern::Section root) -> postern::Result<std::unique_ptr<postern::Connector>> {
                     return std::make_unique<postern::smpp::SmppChannel>(postern::smpp::read_settings(root));
                   }});
}
