// SPDX-License-Identifier: Apache-2.0
// Answers of FCM and of the token service. The first byte picks the HTTP status.
#include <array>
#include <cstdlib>

#include "connectors/channels/push/access_token.hpp"
#include "connectors/channels/push/fcm_answer.hpp"
#include "crypto/bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array<int, 12> statuses{200, 201, 302, 400, 401, 403, 404, 408, 429, 500, 503, 504};
  const int status = statuses[data[0] % statuses.size()];
  const std::string_view body = postern::as_text({data + 1, size - 1});
  const postern::push::FcmAnswer answer = postern::push::read_fcm_answer(status, body, std::nullopt);
  const auto& verdict = answer.verdict;
  if (verdict.kind == postern::wire::Result::SENT && (status != 200 || verdict.provider_id.empty())) std::abort();
  if (verdict.kind != postern::wire::Result::SENT && !verdict.reason.starts_with("fcm-")) std::abort();
  const postern::push::TokenReading token = postern::push::read_token_answer(status, body);
  if (token.kind == postern::push::TokenAnswer::Kind::token)
    for (const char c : token.token.text())
      if (c <= 0x20 || c >= 0x7f) std::abort();
  return 0;
}
