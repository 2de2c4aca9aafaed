// SPDX-License-Identifier: Apache-2.0
// Purpose: a delivery as FCM HTTP v1 wants it. Used by: FcmCarrier. Threads: pure function.
// Errors: a stable reason word instead of a body, for what FCM would refuse anyway.
// Limits: a payload (notification and data) of 4,096 bytes, a life of 28 days.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/protocol/wire.pb.h"

namespace postern::push {

struct FcmOptions {
  std::string android_channel;     // notification channel of the app; empty: the app's default
  std::string restricted_package;  // only this app may receive; empty: any of the project
};

struct FcmMessage {
  std::string refused;  // not empty: the reason; then there is no body
  std::string body;     // holds the message's text: wipe it
};

// `now_ms`: Unix milliseconds, decides the time to live.
FcmMessage make_fcm_message(const wire::Deliver& deliver, const FcmOptions& options, std::int64_t now_ms);

// A message that is checked like any other and never sent: what the probe asks.
std::string make_fcm_probe();

}  // namespace postern::push
