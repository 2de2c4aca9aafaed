// SPDX-License-Identifier: Apache-2.0
// postern-email: carries messages to the bank's SMTP relay.
// SECURITY: reads bytes of the relay only, through the bounded reader of reply.hpp and OpenSSL; holds
// the relay's password and the DKIM keys. A takeover sees the mails that pass at that moment and can
// send mail in the bank's name until the keys are changed.
#include "connectors/channels/email/email_channel.hpp"

int main(int argc, char** argv) {
  using namespace postern;
  ConnectorProgram program;
  program.name = "postern-email";
  program.build = [](Section root) -> Result<std::unique_ptr<Connector>> {
    Result<std::unique_ptr<email::Settings>> settings = email::read_settings(root);
    if (!settings) return std::unexpected(settings.error());
    return std::make_unique<email::EmailChannel>(std::move(*settings));
  };
  return run_connector(argc, argv, program);
}
