// SPDX-License-Identifier: Apache-2.0
// Purpose: what an answer of FCM HTTP v1 means for the attempt and for the way. Used by: FcmCarrier.
// Threads: pure function. Errors: none; bytes that cannot be read are judged by the HTTP status.
// Limits: 256 KiB of answer. The answer's own texts never reach a result or a log: they may quote the
// registration token.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "connectors/channels/http_client/dispatcher.hpp"

namespace postern::push {

enum class FcmClass {
  token_dead,  // REFUSED, the address is gone
  permanent,   // REFUSED
  throttle,    // THROTTLED
  retry,       // RETRY
  config,      // REFUSED; the project or account is not set up: breaker
  auth,        // renew the access token once, then as config
};

// The error table of the v1 API, by details[].errorCode and error.status.
struct FcmError {
  std::string_view word;
  FcmClass class_;
};
inline constexpr int kFcmErrorsVersion = 1;
std::span<const FcmError> fcm_errors();

struct FcmAnswer {
  http_client::Verdict verdict;
  bool renew_token = false;  // the access token was refused; the message was not taken
};

FcmAnswer read_fcm_answer(int status, std::string_view body, std::optional<std::chrono::seconds> retry_after);

}  // namespace postern::push
