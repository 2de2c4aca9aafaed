// SPDX-License-Identifier: Apache-2.0
// A signed webhook body, a signature header and a query. Bytes up to the first line feed are the header and
// the query; the rest is the body.
#include <cstdlib>

#include "connectors/sources/hook/query.hpp"
#include "connectors/sources/hook/signature.hpp"
#include "connectors/sources/hook/whatsapp.hpp"
#include "crypto/bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all = postern::as_text({data, size});
  const std::size_t line = all.find('\n');
  const std::string_view head = all.substr(0, line);
  const std::string_view body = line == std::string_view::npos ? std::string_view() : all.substr(line + 1);

  static const postern::Secret secret(std::string_view("app-secret"));
  if (postern::hook::hub_signature_good(secret, head, body)) {
    // Digits may be of either case; anything else must be the one true signature.
    if (head.size() != postern::hook::hub_signature(secret, body).size()) std::abort();
  }
  (void)postern::hook::query_value(head, "hub.challenge");

  const auto facts = postern::hook::read_whatsapp_webhook(body);
  if (!facts) return 0;
  for (const auto& receipt : facts->receipts) {
    if (receipt.provider_id().empty() || receipt.progress() == postern::wire::PROGRESS_UNSET) std::abort();
    if ((receipt.progress() == postern::wire::REFUSED) != !receipt.reason().empty()) std::abort();
  }
  for (const auto& reply : facts->replies)
    if (reply.provider_id().empty() || reply.from().empty() || reply.channel() != "whatsapp") std::abort();
  return 0;
}
