// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/fcm_message.hpp"

#include <algorithm>

#include "connectors/sources/json/writer.hpp"
#include "crypto/secret.hpp"

namespace postern::push {
namespace {

constexpr std::size_t kMaxPayload = 4096, kMaxToken = 4096;
constexpr std::int64_t kMostLifeS = 2'419'200;

bool wakes_the_device(wire::Category category) {
  return category == wire::OTP || category == wire::SECURITY || category == wire::TRANSACTION;
}

bool is_token(std::string_view token) {
  return !token.empty() && token.size() <= kMaxToken &&
         std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

// What FCM counts as the payload.
std::string payload_of(const wire::Deliver& deliver) {
  std::string out;
  out.reserve(kMaxPayload + 256);
  json::Writer w(out);
  w.object().key("notification").object();
  if (!deliver.subject().empty()) w.key("title").text(deliver.subject());
  w.key("body").text(deliver.text()).end_object();
  w.key("data").object().key("mid").text(deliver.id()).end_object().end_object();
  return out;
}

}  // namespace

FcmMessage make_fcm_message(const wire::Deliver& deliver, const FcmOptions& options, std::int64_t now_ms) {
  FcmMessage message;
  if (!is_token(deliver.address())) {
    message.refused = "fcm-token-malformed";
    return message;
  }
  std::string payload = payload_of(deliver);
  if (payload.size() > kMaxPayload) {
    wipe_text(payload);
    message.refused = "fcm-payload-too-large";
    return message;
  }
  const bool urgent = wakes_the_device(deliver.category());
  const bool otp = deliver.category() == wire::OTP;
  const auto expires_ms = static_cast<std::int64_t>(deliver.expires_ms());

  message.body.reserve(kMaxPayload * 2 + deliver.address().size());  // never moves: no copy is left behind
  json::Writer w(message.body);
  w.object().key("message").object();
  w.key("token").text(deliver.address());
  const std::string_view members(payload);
  message.body.append(",").append(members.substr(1, members.size() - 2));
  wipe_text(payload);

  w.key("android").object().key("priority").text(urgent ? "HIGH" : "NORMAL");
  if (expires_ms != 0) {
    const std::int64_t life = std::clamp<std::int64_t>((expires_ms - now_ms) / 1000, 0, kMostLifeS);
    w.key("ttl").text(std::to_string(life) + "s");
  }
  // A new code replaces an old one that the handset has not shown yet, and the one that it shows.
  if (otp) w.key("collapse_key").text("otp");
  if (!options.restricted_package.empty()) w.key("restricted_package_name").text(options.restricted_package);
  if (otp || !options.android_channel.empty()) {
    w.key("notification").object();
    if (!options.android_channel.empty()) w.key("channel_id").text(options.android_channel);
    if (otp) w.key("tag").text("otp").key("visibility").text("PRIVATE");
    w.end_object();
  }
  w.end_object();

  // For tokens of Apple devices: FCM does not carry the Android part over, and without an end APNs would
  // deliver after the deadline.
  w.key("apns").object().key("headers").object().key("apns-priority").text(urgent ? "10" : "5");
  if (expires_ms != 0) w.key("apns-expiration").text(std::to_string(expires_ms / 1000));
  if (otp) w.key("apns-collapse-id").text("otp");
  w.end_object().end_object();

  w.end_object().end_object();
  return message;
}

std::string make_fcm_probe() {
  return R"({"validate_only":true,"message":{"token":"postern-probe","data":{"mid":"probe"}}})";
}

}  // namespace postern::push
