// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/whatsapp.hpp"

#include <gtest/gtest.h>

namespace postern::hook {
namespace {

std::string body_of(const std::string& value, std::string_view field = "messages") {
  return R"({"object":"whatsapp_business_account","entry":[{"id":"WABA","changes":[{"field":")" + std::string(field) +
         R"(","value":{"messaging_product":"whatsapp",)" + value + "}}]}]}";
}

HookFacts facts_of(const std::string& body) {
  Result<HookFacts> facts = read_whatsapp_webhook(body);
  EXPECT_TRUE(facts);
  return facts ? std::move(*facts) : HookFacts{};
}

TEST(WhatsappWebhookTest, the_documented_sample_is_read_whole) {
  const HookFacts facts = facts_of(body_of(
      R"("metadata":{"display_phone_number":"4822","phone_number_id":"1"},)"
      R"("contacts":[{"profile":{"name":"A"},"wa_id":"48500100200","user_id":"PL.1349"}],)"
      R"("messages":[{"from":"48500100200","id":"wamid.in","timestamp":"1795356000",)"
      R"("type":"text","text":{"body":"STOP"}}],)"
      R"("statuses":[{"id":"wamid.out","status":"failed","timestamp":"1795356001","recipient_id":"48500100200",)"
      R"("biz_opaque_callback_data":"0192f3a4b5c6d7e8-3","pricing":{"billable":true},)"
      R"("errors":[{"code":131026,"title":"Message undeliverable"}]}])"));
  ASSERT_EQ(facts.receipts.size(), 1u);
  const wire::Receipt& receipt = facts.receipts[0];
  EXPECT_EQ(receipt.provider_id(), "wamid.out");
  EXPECT_EQ(receipt.progress(), wire::REFUSED);
  EXPECT_EQ(receipt.reason(), "wa-131026");
  EXPECT_EQ(receipt.at_ms(), 1'795'356'001'000u);
  EXPECT_EQ(receipt.attempt().message(), 0x0192f3a4b5c6d7e8u);
  EXPECT_EQ(receipt.attempt().number(), 3u);
  ASSERT_EQ(facts.replies.size(), 1u);
  EXPECT_EQ(facts.replies[0].text(), "STOP");
  EXPECT_EQ(facts.replies[0].from(), "48500100200");
  EXPECT_EQ(facts.replies[0].channel(), "whatsapp");
  EXPECT_EQ(facts.unknown, 0u);
}

TEST(WhatsappWebhookTest, statuses_keep_their_order_and_their_doubles) {
  const HookFacts facts = facts_of(body_of(
      R"("statuses":[{"id":"w","status":"read"},{"id":"w","status":"delivered"},{"id":"w","status":"delivered"},)"
      R"({"id":"w","status":"sent"},{"id":"w","status":"played"}])"));
  std::vector<wire::Progress> seen;
  for (const wire::Receipt& receipt : facts.receipts) seen.push_back(receipt.progress());
  EXPECT_EQ(seen, (std::vector<wire::Progress>{wire::READ, wire::DELIVERED, wire::DELIVERED, wire::SENT, wire::READ}));
}

TEST(WhatsappWebhookTest, what_is_unknown_is_counted_and_fails_nothing) {
  const HookFacts facts = facts_of(body_of(R"("statuses":[{"id":"w","status":"teleported"},{"status":"sent"},7,null,)"
                                           R"({"id":"good","status":"sent","new":{"a":[1]}}],)"
                                           R"("messages":[{"id":"m","from":"1","type":"hologram","hologram":{}},)"
                                           R"({"id":"m","type":"text","text":{"body":"x"}}])"));
  ASSERT_EQ(facts.receipts.size(), 1u);
  EXPECT_EQ(facts.receipts[0].provider_id(), "good");
  EXPECT_TRUE(facts.replies.empty());
  EXPECT_EQ(facts.unknown, 6u);
  EXPECT_EQ(facts_of(body_of(R"("statuses":{"id":"w"})")).unknown, 1u);
  EXPECT_EQ(facts_of(body_of(R"("x":1)", "account_alerts")).unknown, 1u);
  EXPECT_EQ(facts_of("{}").unknown, 0u);
}

TEST(WhatsappWebhookTest, every_kind_of_answer_has_its_text_and_payload) {
  const auto reply = [](const std::string& rest) {
    const HookFacts facts =
        facts_of(body_of(R"("messages":[{"id":"m","from":"48500100200","context":{"id":"wamid.out"},)" + rest + "}]"));
    EXPECT_EQ(facts.replies.size(), 1u) << rest;
    return facts.replies.empty() ? wire::Reply() : facts.replies[0];
  };
  EXPECT_EQ(reply(R"("type":"text","text":{"body":"YES"})").context_id(), "wamid.out");
  const wire::Reply button = reply(R"("type":"button","button":{"payload":"DISPUTE:1","text":"Not me"})");
  EXPECT_EQ(button.text() + "|" + button.payload(), "Not me|DISPUTE:1");
  const wire::Reply pressed =
      reply(R"("type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"b1","title":"Yes"}})");
  EXPECT_EQ(pressed.text() + "|" + pressed.payload(), "Yes|b1");
  const wire::Reply picked =
      reply(R"("type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"r2","title":"Block"}})");
  EXPECT_EQ(picked.text() + "|" + picked.payload(), "Block|r2");
  const wire::Reply form = reply(
      R"("type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"body":"Sent","response_json":"{}"}})");
  EXPECT_EQ(form.text() + "|" + form.payload(), "Sent|{}");
  const wire::Reply smile = reply(R"("type":"reaction","reaction":{"message_id":"wamid.other","emoji":"👍"})");
  EXPECT_EQ(smile.text() + "|" + smile.context_id(), "👍|wamid.other");
  EXPECT_EQ(reply(R"("type":"image","image":{"id":"1","caption":"receipt"})").text(), "receipt");
}

TEST(WhatsappWebhookTest, a_customer_who_hides_the_number_is_known_by_the_scoped_id) {
  const HookFacts facts =
      facts_of(body_of(R"("messages":[{"id":"m","from_user_id":"PL.1349","type":"text","text":{"body":"x"}}])"));
  ASSERT_EQ(facts.replies.size(), 1u);
  EXPECT_EQ(facts.replies[0].from(), "PL.1349");
}

TEST(WhatsappWebhookTest, a_time_that_is_none_is_zero) {
  for (const char* time : {R"("x")", R"("-1")", R"("99999999999999999999")", "{}", R"("")", R"("1795356000 ")"}) {
    const HookFacts facts =
        facts_of(body_of(std::string(R"("statuses":[{"id":"w","status":"sent","timestamp":)") + time + "}]"));
    ASSERT_EQ(facts.receipts.size(), 1u) << time;
    EXPECT_EQ(facts.receipts[0].at_ms(), 0u) << time;
  }
}

TEST(WhatsappWebhookTest, only_a_json_object_is_a_webhook) {
  for (const char* bad : {"", "[]", "7", "{", "{}{}", "{\"a\":1,\"a\":2}"})
    EXPECT_FALSE(read_whatsapp_webhook(bad)) << bad;
  EXPECT_FALSE(read_whatsapp_webhook(std::string(100'000, '[')));
}

TEST(EchoTest, an_attempt_as_the_protocol_writes_it_is_read) {
  for (const std::uint32_t number : {0u, 1u, 9u, 10u, 4'294'967'295u}) {
    wire::Attempt back;
    ASSERT_TRUE(read_echo("fedcba9876543210-" + std::to_string(number), back));
    EXPECT_EQ(back.message(), 0xfedcba9876543210u);
    EXPECT_EQ(back.number(), number);
  }
}

TEST(EchoTest, any_other_writing_is_not_ours) {
  wire::Attempt attempt;
  for (const char* bad : {"", "0192f3a4b5c6d7e8", "0192f3a4b5c6d7e8-", "0192F3A4B5C6D7E8-1", "0192f3a4b5c6d7e8-01",
                          "0192f3a4b5c6d7e8-+1", "0192f3a4b5c6d7e8-4294967296", "0192f3a4b5c6d7e8-1 ",
                          "g192f3a4b5c6d7e8-1", "192f3a4b5c6d7e8-1", "0192f3a4b5c6d7e8_1"})
    EXPECT_FALSE(read_echo(bad, attempt)) << bad;
}

}  // namespace
}  // namespace postern::hook
