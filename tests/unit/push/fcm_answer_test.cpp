// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/fcm_answer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "connectors/sources/json/document.hpp"

namespace postern::push {
namespace {

using http_client::Way;
using std::chrono::seconds;

std::string error_body(std::string_view status, std::string_view code, std::string_view message = "no",
                       std::string_view extra = "") {
  std::string body = R"({"error":{"code":400,"status":")" + std::string(status) + R"(","message":")" +
                     std::string(message) + R"(","details":[)" + std::string(extra);
  if (!code.empty())
    body +=
        R"({"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":")" + std::string(code) + R"("})";
  return body + "]}}";
}

// The class words of provider-errors.json and ours.
std::string word_of(FcmClass class_) {
  switch (class_) {
    case FcmClass::token_dead:
      return "permanent-token";
    case FcmClass::permanent:
      return "permanent";
    case FcmClass::throttle:
      return "throttle";
    case FcmClass::retry:
      return "retry";
    case FcmClass::config:
      return "config";
    case FcmClass::auth:
      return "auth";
  }
  return "";
}

std::string vectors() {
  std::ifstream in(POSTERN_VECTORS "/providers/provider-errors.json");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(FcmAnswerTest, the_error_table_is_the_one_of_the_vectors) {
  json::Document document;
  const std::string text = vectors();
  ASSERT_FALSE(document.parse(text, 1 << 20));
  std::map<std::string, std::string> wanted, ours;
  for (json::Value v = document.root().find("fcm_v1").first(); v; v = v.next())
    wanted[std::string(v.key())] = v.find("class").text();
  for (const FcmError& error : fcm_errors()) ours[std::string(error.word)] = word_of(error.class_);
  ASSERT_FALSE(wanted.empty());
  EXPECT_EQ(ours, wanted);
}

TEST(FcmAnswerTest, each_class_becomes_its_result) {
  for (const FcmError& error : fcm_errors()) {
    const FcmAnswer answer = read_fcm_answer(400, error_body("WHATEVER", error.word), std::nullopt);
    const wire::Result::Kind kind = answer.verdict.kind;
    switch (error.class_) {
      case FcmClass::token_dead:
        EXPECT_EQ(kind, wire::Result::REFUSED);
        EXPECT_TRUE(answer.verdict.address_dead);
        break;
      case FcmClass::permanent:
        EXPECT_EQ(kind, wire::Result::REFUSED);
        EXPECT_FALSE(answer.verdict.address_dead);
        EXPECT_EQ(answer.verdict.way, Way::fine);
        break;
      case FcmClass::throttle:
        EXPECT_EQ(kind, wire::Result::THROTTLED);
        EXPECT_EQ(answer.verdict.retry_after, seconds(60));
        EXPECT_EQ(answer.verdict.way, Way::too_fast);
        break;
      case FcmClass::retry:
        EXPECT_EQ(kind, wire::Result::RETRY);
        EXPECT_EQ(answer.verdict.retry_after, seconds(10));
        EXPECT_EQ(answer.verdict.way, Way::failing);
        break;
      case FcmClass::config:
        EXPECT_EQ(kind, wire::Result::REFUSED);
        EXPECT_EQ(answer.verdict.way, error.word == "THIRD_PARTY_AUTH_ERROR" ? Way::fine : Way::broken);
        EXPECT_FALSE(answer.renew_token);
        break;
      case FcmClass::auth:
        EXPECT_EQ(kind, wire::Result::REFUSED);
        EXPECT_TRUE(answer.renew_token);
        break;
    }
  }
}

TEST(FcmAnswerTest, the_detail_counts_before_the_status_and_the_status_before_the_code) {
  EXPECT_EQ(read_fcm_answer(404, error_body("NOT_FOUND", "UNREGISTERED"), std::nullopt).verdict.reason,
            "fcm-unregistered");
  EXPECT_EQ(read_fcm_answer(403, error_body("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), std::nullopt).verdict.reason,
            "fcm-sender-id-mismatch");
  EXPECT_EQ(read_fcm_answer(500, error_body("UNAVAILABLE", ""), std::nullopt).verdict.reason, "fcm-unavailable");
  EXPECT_EQ(read_fcm_answer(503, "<html>", std::nullopt).verdict.reason, "fcm-http-503");
}

TEST(FcmAnswerTest, a_code_of_next_year_is_judged_by_the_http_status) {
  const auto verdict = read_fcm_answer(400, error_body("NEW_STATUS", "NEW_CODE"), std::nullopt).verdict;
  EXPECT_EQ(verdict.kind, wire::Result::REFUSED);
  EXPECT_EQ(verdict.reason, "fcm-http-400");
}

TEST(FcmAnswerTest, an_invalid_argument_kills_the_token_only_when_it_is_about_the_token) {
  const auto dead = [](const std::string& body) {
    return read_fcm_answer(400, body, std::nullopt).verdict.address_dead;
  };
  EXPECT_TRUE(dead(error_body("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                              "The registration token is not a valid FCM registration token")));
  EXPECT_FALSE(dead(error_body("INVALID_ARGUMENT", "INVALID_ARGUMENT", "Invalid ttl")));
  EXPECT_FALSE(dead(error_body("INVALID_ARGUMENT", "", "The registration token is not valid")));
  EXPECT_FALSE(dead(error_body("INVALID_ARGUMENT", "INVALID_ARGUMENT", "registration token",
                               R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[]},)")));
}

TEST(FcmAnswerTest, retry_after_is_honoured_and_capped) {
  EXPECT_EQ(read_fcm_answer(503, error_body("UNAVAILABLE", "UNAVAILABLE"), seconds(7)).verdict.retry_after, seconds(7));
  EXPECT_EQ(read_fcm_answer(429, "", seconds(1'000'000)).verdict.retry_after, seconds(3'600));
}

TEST(FcmAnswerTest, an_accepted_message_has_its_names_tail) {
  const auto verdict = read_fcm_answer(200, R"({"name":"projects/p/messages/0:1500%31bd"})", std::nullopt).verdict;
  EXPECT_EQ(verdict.kind, wire::Result::SENT);
  EXPECT_EQ(verdict.provider_id, "0:1500%31bd");
  EXPECT_TRUE(verdict.receipts);
}

TEST(FcmAnswerTest, two_hundred_without_a_name_is_in_doubt) {
  for (const char* body : {"", "{}", R"({"name":""})", R"({"name":"projects/p/messages/"})", R"({"name":7})", "[[[["})
    EXPECT_EQ(read_fcm_answer(200, body, std::nullopt).verdict.kind, wire::Result::UNKNOWN) << body;
}

TEST(FcmAnswerTest, a_proxys_gateway_time_out_is_in_doubt) {
  EXPECT_EQ(read_fcm_answer(504, "<html>", std::nullopt).verdict.kind, wire::Result::UNKNOWN);
}

TEST(FcmAnswerTest, no_text_of_the_answer_reaches_the_reason) {
  const auto verdict =
      read_fcm_answer(400, error_body("INVALID_ARGUMENT", "", "token abc-secret"), std::nullopt).verdict;
  EXPECT_EQ(verdict.reason, "fcm-invalid-argument");
}

}  // namespace
}  // namespace postern::push
