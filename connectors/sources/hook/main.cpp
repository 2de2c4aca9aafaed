// SPDX-License-Identifier: Apache-2.0
// postern-hook: providers' webhooks. SECURITY: the one program that anybody on the internet may talk to. A
// body is looked into only after its signature was found good. It holds the webhooks' secrets and the
// server key. A takeover can invent receipts and replies of the configured connectors; it sees no message
// that the bank sends, no key of the vault, no stored message.
#include "connectors/sources/hook/hook_source.hpp"

int main(int argc, char** argv) {
  return postern::run_connector(argc, argv, {"postern-hook", postern::hook::build_hook_source});
}
