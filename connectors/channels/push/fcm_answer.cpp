// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/fcm_answer.hpp"

#include <algorithm>
#include <array>

#include "connectors/sources/json/document.hpp"

namespace postern::push {
namespace {

using http_client::Verdict;
using http_client::Way;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxAnswer = 256 * 1024, kMaxName = 512;
constexpr seconds kQuotaPause{60}, kTroublePause{10}, kLongestPause{3'600};

constexpr std::array<FcmError, 11> kErrors{{
    {"UNREGISTERED", FcmClass::token_dead},
    {"INVALID_ARGUMENT", FcmClass::permanent},
    {"SENDER_ID_MISMATCH", FcmClass::token_dead},
    {"QUOTA_EXCEEDED", FcmClass::throttle},
    {"UNAVAILABLE", FcmClass::retry},
    {"INTERNAL", FcmClass::retry},
    {"THIRD_PARTY_AUTH_ERROR", FcmClass::config},
    {"UNAUTHENTICATED", FcmClass::auth},
    {"PERMISSION_DENIED", FcmClass::config},
    {"NOT_FOUND", FcmClass::token_dead},
    {"UNSPECIFIED_ERROR", FcmClass::retry},
}};

const FcmError* find_error(std::string_view word) {
  const auto found = std::ranges::find(kErrors, word, &FcmError::word);
  return found == kErrors.end() ? nullptr : &*found;
}

FcmClass class_of_status(int status) {
  if (status == 401) return FcmClass::auth;
  if (status == 403) return FcmClass::config;
  if (status == 429) return FcmClass::throttle;
  if (status == 408 || status >= 500 || status < 400) return FcmClass::retry;  // 3xx: something in between answers
  return FcmClass::permanent;
}

// "SENDER_ID_MISMATCH" -> "fcm-sender-id-mismatch"
std::string reason_of(std::string_view word) {
  std::string reason = "fcm-";
  for (const char c : word) reason.push_back(c == '_' ? '-' : static_cast<char>(c + ('a' - 'A')));
  return reason;
}

struct Details {
  std::string_view error_code;    // of the FcmError detail
  bool field_violations = false;  // a BadRequest detail is there
};

Details read_details(json::Value list) {
  Details details;
  if (!list.is(json::Kind::array)) return details;
  for (json::Value detail = list.first(); detail; detail = detail.next()) {
    const std::string_view type = detail.find("@type").text();
    if (type.ends_with("google.firebase.fcm.v1.FcmError")) details.error_code = detail.find("errorCode").text();
    if (detail.find("fieldViolations")) details.field_violations = true;
  }
  return details;
}

Verdict sent(std::string_view body) {
  Verdict verdict;
  json::Document document;
  std::string_view name;
  if (!document.parse(body, kMaxAnswer)) name = document.root().find("name").text();
  const std::size_t slash = name.rfind('/');
  if (name.empty() || name.size() > kMaxName || slash == std::string_view::npos || slash + 1 == name.size()) {
    verdict.kind = wire::Result::UNKNOWN;  // 200 without the message's name: nobody can tell what was taken
    verdict.reason = "fcm-answer-unreadable";
    return verdict;
  }
  verdict.kind = wire::Result::SENT;
  verdict.provider_id = name.substr(slash + 1);
  verdict.receipts = true;  // the bank's app acknowledges
  return verdict;
}

void apply(Verdict& verdict, FcmClass class_, std::optional<seconds> retry_after) {
  const auto wait = [&](seconds otherwise) {
    return milliseconds(std::min(retry_after.value_or(otherwise), kLongestPause));
  };
  switch (class_) {
    case FcmClass::token_dead:
      verdict.kind = wire::Result::REFUSED;
      verdict.address_dead = true;
      break;
    case FcmClass::permanent:
      verdict.kind = wire::Result::REFUSED;
      break;
    case FcmClass::throttle:
      verdict.kind = wire::Result::THROTTLED;
      verdict.retry_after = wait(kQuotaPause);
      verdict.way = Way::too_fast;
      break;
    case FcmClass::retry:
      verdict.kind = wire::Result::RETRY;
      verdict.retry_after = wait(kTroublePause);
      verdict.way = Way::failing;
      break;
    case FcmClass::config:
    case FcmClass::auth:
      verdict.kind = wire::Result::REFUSED;
      verdict.way = Way::broken;
      break;
  }
}

}  // namespace

std::span<const FcmError> fcm_errors() { return kErrors; }

FcmAnswer read_fcm_answer(int status, std::string_view body, std::optional<seconds> retry_after) {
  FcmAnswer answer;
  if (status == 200) {
    answer.verdict = sent(body);
    return answer;
  }
  json::Document document;
  (void)document.parse(body, kMaxAnswer);  // unreadable: an empty document, in which nothing is found
  const json::Value error = document.root().find("error");
  const Details details = read_details(error.find("details"));

  const FcmError* known = find_error(details.error_code);
  if (known == nullptr) known = find_error(error.find("status").text());
  const FcmClass class_ = known != nullptr ? known->class_ : class_of_status(status);
  answer.verdict.reason = known != nullptr ? reason_of(known->word) : "fcm-http-" + std::to_string(status);
  apply(answer.verdict, class_, retry_after);
  answer.renew_token = class_ == FcmClass::auth;

  if (known != nullptr && known->word == "INVALID_ARGUMENT") {
    // The token is to blame only where FCM's own detail and text say so; a violated field is our fault.
    answer.verdict.address_dead = !details.error_code.empty() && !details.field_violations &&
                                  error.find("message").text().find("registration token") != std::string_view::npos;
  }
  if (known != nullptr && known->word == "THIRD_PARTY_AUTH_ERROR") {
    // Apple's or the browsers' key of the project is bad: Android handsets can still be reached.
    answer.verdict.way = Way::fine;
  }
  if (known == nullptr && status == 504) {
    // A proxy gave up waiting: the message may have been taken.
    answer.verdict.kind = wire::Result::UNKNOWN;
    answer.verdict.retry_after = milliseconds(0);
  }
  return answer;
}

}  // namespace postern::push
