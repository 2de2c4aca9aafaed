// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/fcm_message.hpp"

#include <gtest/gtest.h>

namespace postern::push {
namespace {

constexpr std::int64_t kNow = 1'795'356'000'000;

wire::Deliver otp() {
  wire::Deliver deliver;
  deliver.set_id("0192f3a4-0000-7000-8000-000000000001");
  deliver.set_category(wire::OTP);
  deliver.set_address("token:1");
  deliver.set_subject("Вхід");
  deliver.set_text("Code \"123456\"");
  deliver.set_expires_ms(static_cast<std::uint64_t>(kNow + 120'999));
  return deliver;
}

TEST(FcmMessageTest, a_one_time_code_is_written_exactly_so) {
  EXPECT_EQ(make_fcm_message(otp(), {}, kNow).body,
            R"({"message":{"token":"token:1","notification":{"title":"Вхід","body":"Code \"123456\""},)"
            R"("data":{"mid":"0192f3a4-0000-7000-8000-000000000001"},)"
            R"("android":{"priority":"HIGH","ttl":"120s","collapse_key":"otp",)"
            R"("notification":{"tag":"otp","visibility":"PRIVATE"}},)"
            R"("apns":{"headers":{"apns-priority":"10","apns-expiration":"1795356120","apns-collapse-id":"otp"}}}})");
}

TEST(FcmMessageTest, marketing_is_written_exactly_so) {
  wire::Deliver deliver = otp();
  deliver.set_category(wire::MARKETING);
  deliver.clear_subject();
  deliver.set_text("Hi");
  deliver.clear_expires_ms();
  FcmOptions options;
  options.android_channel = "news";
  options.restricted_package = "pl.bank.app";
  EXPECT_EQ(
      make_fcm_message(deliver, options, kNow).body,
      R"({"message":{"token":"token:1","notification":{"body":"Hi"},)"
      R"("data":{"mid":"0192f3a4-0000-7000-8000-000000000001"},)"
      R"("android":{"priority":"NORMAL","restricted_package_name":"pl.bank.app","notification":{"channel_id":"news"}},)"
      R"("apns":{"headers":{"apns-priority":"5"}}}})");
}

TEST(FcmMessageTest, the_life_is_never_below_zero_and_never_over_28_days) {
  wire::Deliver deliver = otp();
  deliver.set_expires_ms(static_cast<std::uint64_t>(kNow - 5'000));
  EXPECT_NE(make_fcm_message(deliver, {}, kNow).body.find(R"("ttl":"0s")"), std::string::npos);
  deliver.set_expires_ms(static_cast<std::uint64_t>(kNow) + 100ULL * 86'400'000);
  EXPECT_NE(make_fcm_message(deliver, {}, kNow).body.find(R"("ttl":"2419200s")"), std::string::npos);
}

TEST(FcmMessageTest, a_payload_of_4096_bytes_goes_and_one_more_does_not) {
  wire::Deliver deliver = otp();
  deliver.clear_subject();
  deliver.set_text("");
  const std::string empty = R"({"notification":{"body":""},"data":{"mid":"0192f3a4-0000-7000-8000-000000000001"}})";
  deliver.set_text(std::string(4096 - empty.size(), 'x'));
  EXPECT_EQ(make_fcm_message(deliver, {}, kNow).refused, "");
  deliver.mutable_text()->push_back('x');
  EXPECT_EQ(make_fcm_message(deliver, {}, kNow).refused, "fcm-payload-too-large");
}

TEST(FcmMessageTest, an_address_that_is_no_token_is_refused) {
  for (const char* address : {"", "two words", "line\nbreak"}) {
    wire::Deliver deliver = otp();
    deliver.set_address(address);
    EXPECT_EQ(make_fcm_message(deliver, {}, kNow).refused, "fcm-token-malformed") << address;
  }
}

}  // namespace
}  // namespace postern::push
