// SPDX-License-Identifier: Apache-2.0
// Answers of the WhatsApp Cloud API. The first byte picks the HTTP status.
#include <array>
#include <cstdlib>

#include "connectors/channels/messenger/whatsapp_answer.hpp"
#include "crypto/bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array<int, 12> statuses{200, 201, 302, 400, 401, 403, 404, 408, 429, 500, 503, 504};
  const int status = statuses[data[0] % statuses.size()];
  const std::string_view body = postern::as_text({data + 1, size - 1});
  const postern::http_client::Verdict verdict = postern::messenger::read_whatsapp_answer(status, body, std::nullopt);
  if (verdict.kind == postern::wire::Result::SENT && (status != 200 || verdict.provider_id.empty())) std::abort();
  if (verdict.kind != postern::wire::Result::SENT && !verdict.reason.starts_with("wa-")) std::abort();
  // A success that cannot be read may have been sent: it must never be tried again.
  if (status == 200 && verdict.kind == postern::wire::Result::RETRY) std::abort();
  (void)postern::messenger::read_whatsapp_health(status, body);
  return 0;
}
