// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/whatsapp_answer.hpp"

#include <algorithm>

#include "connectors/channels/messenger/whatsapp_errors.hpp"
#include "connectors/sources/json/document.hpp"

namespace postern::messenger {
namespace {

using http_client::Verdict;
using http_client::Way;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxAnswer = 256 * 1024, kMaxId = 512;
constexpr seconds kTroublePause{10}, kMaintenancePause{60}, kThroughputPause{1}, kLimitPause{60}, kPairPause{6},
    kLongestPause{3'600};
constexpr std::int64_t kThroughput = 130429, kMaintenance = 131057;

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxId && std::ranges::all_of(id, [](char c) { return c > 0x20 && c < 0x7f; });
}

Verdict in_doubt(std::string reason) {
  Verdict verdict;
  verdict.kind = wire::Result::UNKNOWN;
  verdict.reason = std::move(reason);
  verdict.receipts = true;  // its statuses carry our echo and will settle it
  return verdict;
}

Verdict sent(std::string_view body) {
  json::Document document;
  std::string_view id;
  if (!document.parse(body, kMaxAnswer)) id = document.root().find("messages").first().find("id").text();
  if (!is_id(id)) return in_doubt("wa-answer-unreadable");
  Verdict verdict;
  verdict.kind = wire::Result::SENT;
  verdict.provider_id = id;
  verdict.receipts = true;
  return verdict;
}

seconds pause_of(const WhatsappError& error) {
  if (error.class_ == WhatsappClass::retry) return error.code == kMaintenance ? kMaintenancePause : kTroublePause;
  if (error.scope == WhatsappScope::message) return kPairPause;
  return error.code == kThroughput ? kThroughputPause : kLimitPause;
}

void apply(Verdict& verdict, const WhatsappError& error, std::optional<seconds> retry_after) {
  const bool sender = error.scope == WhatsappScope::sender;
  switch (error.class_) {
    case WhatsappClass::retry:
      verdict.kind = wire::Result::RETRY;
      verdict.way = sender ? Way::failing : Way::fine;
      break;
    case WhatsappClass::throttle:
      verdict.kind = wire::Result::THROTTLED;
      verdict.way = sender ? Way::too_fast : Way::fine;
      break;
    case WhatsappClass::failover:
    case WhatsappClass::permanent:
    case WhatsappClass::unknown:
      verdict.kind = wire::Result::REFUSED;
      return;
    case WhatsappClass::config:
    case WhatsappClass::auth:
      verdict.kind = wire::Result::REFUSED;
      verdict.way = sender ? Way::broken : Way::fine;
      return;
  }
  verdict.retry_after = milliseconds(std::min(retry_after.value_or(pause_of(error)), kLongestPause));
}

// No error of the Graph API in the body: a proxy's page, or an answer cut short.
Verdict by_status(int status, std::optional<seconds> retry_after) {
  Verdict verdict;
  verdict.reason = "wa-http-" + std::to_string(status);
  if (status == 401 || status == 403 || status == 407) {
    apply(verdict, {0, WhatsappClass::auth, WhatsappScope::sender}, retry_after);
  } else if (status == 429) {
    apply(verdict, {0, WhatsappClass::throttle, WhatsappScope::sender}, retry_after);
  } else if (status == 503 || (status >= 300 && status < 400)) {
    apply(verdict, {0, WhatsappClass::retry, WhatsappScope::sender}, retry_after);
  } else if (status >= 500 || status < 300 || status == 408) {
    verdict = in_doubt(std::move(verdict.reason));
    verdict.way = Way::failing;
  } else {
    apply(verdict, {0, WhatsappClass::permanent, WhatsappScope::message}, retry_after);
  }
  return verdict;
}

}  // namespace

Verdict read_whatsapp_answer(int status, std::string_view body, std::optional<seconds> retry_after) {
  if (status == 200) return sent(body);
  json::Document document;
  (void)document.parse(body, kMaxAnswer);  // unreadable: an empty document, in which nothing is found
  const std::optional<std::int64_t> code = document.root().find("error").find("code").integer();
  if (!code || *code < 0) return by_status(status, retry_after);
  Verdict verdict;
  verdict.reason = "wa-" + std::to_string(*code);
  apply(verdict, whatsapp_error(*code), retry_after);
  return verdict;
}

std::optional<std::string> read_whatsapp_health(int status, std::string_view body) {
  json::Document document;
  (void)document.parse(body, kMaxAnswer);
  if (status != 200) {
    const std::optional<std::int64_t> code = document.root().find("error").find("code").integer();
    return code ? "wa-" + std::to_string(*code) : "wa-http-" + std::to_string(status);
  }
  if (!document.root().is(json::Kind::object)) return "wa-answer-unreadable";
  // A word that we do not know yet must not stop the sending.
  const std::string_view state = document.root().find("status").text();
  for (const std::string_view bad : {"BANNED", "RESTRICTED", "DISCONNECTED"})
    if (state == bad) return "the number's status is " + std::string(bad);
  if (document.root().find("health_status").find("can_send_message").text() == "BLOCKED")
    return "the number's health status is BLOCKED";
  return std::nullopt;
}

}  // namespace postern::messenger
