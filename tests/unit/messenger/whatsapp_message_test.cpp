// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/whatsapp_message.hpp"

#include <gtest/gtest.h>

namespace postern::messenger {
namespace {

wire::Deliver with_template(std::initializer_list<std::pair<const char*, std::string>> parameters) {
  wire::Deliver deliver;
  deliver.mutable_attempt()->set_message(0x0192f3a4b5c6d7e8);
  deliver.mutable_attempt()->set_number(2);
  deliver.set_category(wire::TRANSACTION);
  deliver.set_address("48500100200");
  deliver.set_template_("payment_pl");
  deliver.set_language("pl");
  for (const auto& [name, value] : parameters) {
    wire::Variable& variable = *deliver.add_parameter();
    variable.set_name(name);
    variable.set_value(value);
  }
  return deliver;
}

TEST(WhatsappMessageTest, positional_parameters_are_written_exactly_so) {
  EXPECT_EQ(make_whatsapp_message(with_template({{"amount", "12,50 zł"}, {"shop", "\"Żabka\""}}), {}).body,
            R"({"messaging_product":"whatsapp","recipient_type":"individual","to":"48500100200","type":"template",)"
            R"("template":{"name":"payment_pl","language":{"code":"pl"},"components":[{"type":"body","parameters":[)"
            R"({"type":"text","text":"12,50 zł"},{"type":"text","text":"\"Żabka\""}]}]},)"
            R"("biz_opaque_callback_data":"0192f3a4b5c6d7e8-2"})");
}

TEST(WhatsappMessageTest, named_parameters_are_written_exactly_so) {
  WhatsappOptions options;
  options.named_parameters = true;
  EXPECT_EQ(
      make_whatsapp_message(with_template({{"amount", "5"}}), options).body,
      R"({"messaging_product":"whatsapp","recipient_type":"individual","to":"48500100200","type":"template",)"
      R"("template":{"name":"payment_pl","language":{"code":"pl"},"components":[{"type":"body","parameters":[)"
      R"({"type":"text","parameter_name":"amount","text":"5"}]}]},"biz_opaque_callback_data":"0192f3a4b5c6d7e8-2"})");
}

TEST(WhatsappMessageTest, a_one_time_code_stands_in_the_button_too) {
  wire::Deliver deliver = with_template({{"code", "123456"}});
  deliver.set_category(wire::OTP);
  EXPECT_EQ(make_whatsapp_message(deliver, {}).body,
            R"({"messaging_product":"whatsapp","recipient_type":"individual","to":"48500100200","type":"template",)"
            R"("template":{"name":"payment_pl","language":{"code":"pl"},"components":[{"type":"body","parameters":[)"
            R"({"type":"text","text":"123456"}]},{"type":"button","sub_type":"url","index":"0","parameters":[)"
            R"({"type":"text","text":"123456"}]}]},"biz_opaque_callback_data":"0192f3a4b5c6d7e8-2"})");
}

TEST(WhatsappMessageTest, a_template_without_parameters_has_no_components) {
  EXPECT_EQ(
      make_whatsapp_message(with_template({}), {}).body,
      R"({"messaging_product":"whatsapp","recipient_type":"individual","to":"48500100200","type":"template",)"
      R"("template":{"name":"payment_pl","language":{"code":"pl"}},"biz_opaque_callback_data":"0192f3a4b5c6d7e8-2"})");
}

TEST(WhatsappMessageTest, free_text_is_written_exactly_so_where_it_is_allowed) {
  wire::Deliver deliver = with_template({});
  deliver.clear_template_();
  deliver.set_text("Dzień dobry");
  EXPECT_EQ(make_whatsapp_message(deliver, {}).refused, "wa-no-template");
  WhatsappOptions options;
  options.free_text = true;
  EXPECT_EQ(make_whatsapp_message(deliver, options).body,
            R"({"messaging_product":"whatsapp","recipient_type":"individual","to":"48500100200","type":"text",)"
            R"("text":{"preview_url":false,"body":"Dzień dobry"},"biz_opaque_callback_data":"0192f3a4b5c6d7e8-2"})");
}

TEST(WhatsappMessageTest, a_customer_who_hides_the_number_is_a_recipient) {
  wire::Deliver deliver = with_template({});
  deliver.set_address("PL.1349AbC");
  EXPECT_NE(make_whatsapp_message(deliver, {}).body.find(R"("recipient":"PL.1349AbC")"), std::string::npos);
}

TEST(WhatsappMessageTest, parameters_that_whatsapp_refuses_never_leave) {
  const std::pair<std::string, std::string> cases[] = {{"a\nb", "wa-parameter-line-break"},
                                                       {"a\rb", "wa-parameter-line-break"},
                                                       {"a\tb", "wa-parameter-line-break"},
                                                       {"a    b", "wa-parameter-spaces"},
                                                       {"", "wa-parameter-empty"},
                                                       {std::string(1025, 'x'), "wa-parameter-too-long"},
                                                       {"a   b", ""},
                                                       {std::string(1024, 'x'), ""}};
  for (const auto& [value, reason] : cases)
    EXPECT_EQ(make_whatsapp_message(with_template({{"p", value}}), {}).refused, reason) << value.substr(0, 10);
}

TEST(WhatsappMessageTest, a_code_has_at_most_fifteen_characters) {
  wire::Deliver deliver = with_template({{"code", std::string(15, '1')}});
  deliver.set_category(wire::OTP);
  EXPECT_EQ(make_whatsapp_message(deliver, {}).refused, "");
  deliver.mutable_parameter(0)->mutable_value()->push_back('1');
  EXPECT_EQ(make_whatsapp_message(deliver, {}).refused, "wa-code-too-long");
  deliver.clear_parameter();
  EXPECT_EQ(make_whatsapp_message(deliver, {}).refused, "wa-code-missing");
}

TEST(WhatsappMessageTest, addresses_are_digits_or_scoped_user_ids) {
  const auto refused = [](const char* address) {
    wire::Deliver deliver = with_template({});
    deliver.set_address(address);
    return make_whatsapp_message(deliver, {}).refused;
  };
  for (const char* bad : {"", "+48500100200", "123456", "1234567890123456", "pl.123", "PL.", "PL-12", "PL.a b"})
    EXPECT_EQ(refused(bad), "wa-address-malformed") << bad;
  for (const char* good : {"1234567", "123456789012345", "PL.1"}) EXPECT_EQ(refused(good), "") << good;
}

}  // namespace
}  // namespace postern::messenger
