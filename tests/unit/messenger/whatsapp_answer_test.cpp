// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/whatsapp_answer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "connectors/channels/messenger/whatsapp_errors.hpp"
#include "connectors/sources/json/document.hpp"

namespace postern::messenger {
namespace {

using http_client::Verdict;
using http_client::Way;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string error_body(std::int64_t code) {
  return R"({"error":{"message":"(#1) secret text","type":"OAuthException","code":)" + std::to_string(code) + "}}";
}
Verdict verdict_of(std::int64_t code) { return read_whatsapp_answer(400, error_body(code), std::nullopt); }

std::string word_of(WhatsappClass class_) {
  switch (class_) {
    case WhatsappClass::retry:
      return "retry";
    case WhatsappClass::throttle:
      return "throttle";
    case WhatsappClass::failover:
      return "failover";
    case WhatsappClass::permanent:
      return "permanent";
    case WhatsappClass::config:
      return "config";
    case WhatsappClass::auth:
      return "auth";
    case WhatsappClass::unknown:
      return "unknown";
  }
  return "";
}

TEST(WhatsappAnswerTest, the_error_table_is_the_one_of_the_vectors) {
  std::ifstream in(POSTERN_VECTORS "/providers/provider-errors.json");
  std::stringstream text;
  text << in.rdbuf();
  json::Document document;
  const std::string all = text.str();
  ASSERT_FALSE(document.parse(all, 1 << 20));
  std::map<std::string, std::string> wanted, ours;
  for (json::Value v = document.root().find("whatsapp_cloud").first(); v; v = v.next())
    wanted[std::string(v.key())] = v.find("class").text();
  for (const WhatsappError& error : whatsapp_errors()) ours[std::to_string(error.code)] = word_of(error.class_);
  ASSERT_FALSE(wanted.empty());
  EXPECT_EQ(ours, wanted);
}

TEST(WhatsappAnswerTest, each_class_becomes_its_result) {
  for (const WhatsappError& error : whatsapp_errors()) {
    const Verdict verdict = verdict_of(error.code);
    const bool sender = error.scope == WhatsappScope::sender;
    EXPECT_EQ(verdict.reason, "wa-" + std::to_string(error.code));
    switch (error.class_) {
      case WhatsappClass::retry:
        EXPECT_EQ(verdict.kind, wire::Result::RETRY) << error.code;
        EXPECT_GT(verdict.retry_after, milliseconds(0));
        EXPECT_EQ(verdict.way, sender ? Way::failing : Way::fine);
        break;
      case WhatsappClass::throttle:
        EXPECT_EQ(verdict.kind, wire::Result::THROTTLED) << error.code;
        EXPECT_GT(verdict.retry_after, milliseconds(0));
        EXPECT_EQ(verdict.way, sender ? Way::too_fast : Way::fine);
        break;
      case WhatsappClass::failover:
      case WhatsappClass::permanent:
        EXPECT_EQ(verdict.kind, wire::Result::REFUSED) << error.code;
        EXPECT_EQ(verdict.way, Way::fine) << error.code;
        break;
      case WhatsappClass::config:
      case WhatsappClass::auth:
        EXPECT_EQ(verdict.kind, wire::Result::REFUSED) << error.code;
        EXPECT_EQ(verdict.way, sender ? Way::broken : Way::fine) << error.code;
        break;
      case WhatsappClass::unknown:
        ADD_FAILURE() << "unknown stands for what is not in the table";
        break;
    }
  }
}

TEST(WhatsappAnswerTest, what_the_whole_account_suffers_closes_the_way_and_what_one_template_suffers_does_not) {
  for (const std::int64_t code : {0, 190, 10, 131042, 133010}) EXPECT_EQ(verdict_of(code).way, Way::broken) << code;
  for (const std::int64_t code : {132015, 132016, 130497, 131026}) EXPECT_EQ(verdict_of(code).way, Way::fine) << code;
}

TEST(WhatsappAnswerTest, a_limit_of_one_customer_does_not_slow_the_others) {
  EXPECT_EQ(verdict_of(131056).kind, wire::Result::THROTTLED);
  EXPECT_EQ(verdict_of(131056).way, Way::fine);
  EXPECT_EQ(verdict_of(130429).way, Way::too_fast);
}

TEST(WhatsappAnswerTest, every_code_from_200_to_299_is_a_missing_permission) {
  for (const std::int64_t code : {200, 201, 250, 299}) EXPECT_EQ(verdict_of(code).way, Way::broken) << code;
  EXPECT_EQ(verdict_of(300).way, Way::fine);
}

TEST(WhatsappAnswerTest, an_unknown_code_is_final_for_the_message_and_says_nothing_of_the_sender) {
  const Verdict verdict = verdict_of(987654);
  EXPECT_EQ(verdict.kind, wire::Result::REFUSED);
  EXPECT_EQ(verdict.reason, "wa-987654");
  EXPECT_EQ(verdict.way, Way::fine);
}

TEST(WhatsappAnswerTest, retry_after_is_honoured_and_capped) {
  EXPECT_EQ(read_whatsapp_answer(429, error_body(130429), seconds(7)).retry_after, seconds(7));
  EXPECT_EQ(read_whatsapp_answer(429, error_body(130429), std::nullopt).retry_after, seconds(1));
  EXPECT_EQ(read_whatsapp_answer(429, "", seconds(1'000'000)).retry_after, seconds(3'600));
}

TEST(WhatsappAnswerTest, an_accepted_message_has_its_wamid) {
  const Verdict verdict =
      read_whatsapp_answer(200,
                           R"({"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],)"
                           R"("messages":[{"id":"wamid.HBg","message_status":"held_for_quality_assessment"}]})",
                           std::nullopt);
  EXPECT_EQ(verdict.kind, wire::Result::SENT);
  EXPECT_EQ(verdict.provider_id, "wamid.HBg");
  EXPECT_TRUE(verdict.receipts);
}

TEST(WhatsappAnswerTest, what_may_have_been_taken_is_in_doubt_and_never_a_retry) {
  for (const char* body : {"", "{}", R"({"messages":[]})", R"({"messages":[{"id":""}]})",
                           R"({"messages":[{"id":"two words"}]})", "<html>"})
    EXPECT_EQ(read_whatsapp_answer(200, body, std::nullopt).kind, wire::Result::UNKNOWN) << body;
  for (const int status : {202, 408, 500, 502, 504})
    EXPECT_EQ(read_whatsapp_answer(status, "<html>", std::nullopt).kind, wire::Result::UNKNOWN) << status;
}

TEST(WhatsappAnswerTest, what_surely_was_not_taken_may_be_tried_again) {
  EXPECT_EQ(read_whatsapp_answer(503, "<html>", std::nullopt).kind, wire::Result::RETRY);
  EXPECT_EQ(read_whatsapp_answer(302, "", std::nullopt).kind, wire::Result::RETRY);
  EXPECT_EQ(read_whatsapp_answer(429, "", std::nullopt).kind, wire::Result::THROTTLED);
  EXPECT_EQ(read_whatsapp_answer(401, "", std::nullopt).way, Way::broken);
  EXPECT_EQ(read_whatsapp_answer(404, "", std::nullopt).kind, wire::Result::REFUSED);
}

TEST(WhatsappAnswerTest, the_health_answer_says_whether_the_number_may_send) {
  EXPECT_FALSE(read_whatsapp_health(200, R"({"status":"CONNECTED","health_status":{"can_send_message":"AVAILABLE"}})"));
  EXPECT_FALSE(read_whatsapp_health(200, R"({"status":"A_WORD_OF_NEXT_YEAR"})"));
  EXPECT_TRUE(read_whatsapp_health(200, R"({"status":"BANNED"})"));
  EXPECT_TRUE(read_whatsapp_health(200, R"({"status":"CONNECTED","health_status":{"can_send_message":"BLOCKED"}})"));
  EXPECT_TRUE(read_whatsapp_health(200, "<html>"));
  EXPECT_EQ(read_whatsapp_health(401, error_body(190)), "wa-190");
  EXPECT_EQ(read_whatsapp_health(502, ""), "wa-http-502");
}

}  // namespace
}  // namespace postern::messenger
