// SPDX-License-Identifier: Apache-2.0
// No text goes on a channel that is trusted less than the text asks for.
#include <gtest/gtest.h>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

constexpr const char* kTrust = "[confidentiality]\nsms = \"internal\"\npush = \"secret\"\nwhatsapp = \"confidential\"\nemail = \"public\"\n";
constexpr const char* kCategories = R"(
[categories.otp]
scenario = "push-sms"
[categories.security]
scenario = "sms"
[categories.transaction]
scenario = "push-sms"
label = "confidential"
[categories.service]
scenario = "sms"
[categories.marketing]
scenario = "sms"

)";
const std::map<std::string, std::string> kTemplates{
    {"paid", R"(name = "paid"
categories = ["transaction", "service"]
default_locale = "en"
[placeholders]
amount = "amount"
[locales.en]
text = "You paid {{amount}}"
label = "confidential"
[locales.en.brief]
text = "A payment on your card"
label = "internal"
[locales.en.plain]
text = "See the app"
label = "public"
[locales.en.push]
subject = "Payment"
text = "{{amount}} paid"
label = "secret"
[locales.uk]
text = "Ви сплатили {{amount}}"
label = "confidential"
)"},
};

class LabelsOfTheBank : public testing::Test {
 protected:
  LabelsOfTheBank() : house(std::string(kCategories) + kTrust, {}, kTemplates, std::nullopt, /*own_categories=*/true) {
    api = house.join("api");
    sms = house.join("sms");
    push = house.join("push");
    mail = house.join("mail");
  }
  wire::Verdict send(const std::string& scenario, wire::Category category, bool with_template, const std::string& locale = "en") {
    wire::Submit submit = House::submit(scenario, "380671234567", category);
    submit.mutable_recipient()->set_locale(locale);
    submit.mutable_recipient()->set_email("anna@bank.example");
    if (with_template) {
      submit.clear_text();
      submit.set_template_("paid");
      wire::Variable& amount = *submit.add_variable();
      amount.set_name("amount");
      amount.set_value("1 250,00 UAH");
    }
    return house.send(api, std::move(submit));
  }

  House house;
  PeerId api = 0, sms = 0, push = 0, mail = 0;
};

TEST_F(LabelsOfTheBank, EachStepTakesTheHighestTextThatItsChannelMayCarry) {
  ASSERT_EQ(send("push-sms", wire::TRANSACTION, true).outcome(), wire::Verdict::STORED);
  const std::vector<wire::Deliver> by_push = house.deliveries(push);
  ASSERT_EQ(by_push.size(), 1U);
  EXPECT_EQ(by_push[0].text(), "1 250,00 UAH paid") << "push is trusted with everything";
  house.result(push, by_push[0].attempt(), wire::Result::REFUSED);
  const std::vector<wire::Deliver> by_sms = house.deliveries(sms);
  ASSERT_EQ(by_sms.size(), 1U);
  EXPECT_EQ(by_sms[0].text(), "A payment on your card") << "the amount is above an SMS, and this above what is public";
  ASSERT_EQ(send("mail", wire::TRANSACTION, true).outcome(), wire::Verdict::STORED);
  EXPECT_EQ(house.deliveries(mail).at(0).text(), "See the app");
}

TEST_F(LabelsOfTheBank, RatherAnotherLanguageThanTooHighAText) {
  ASSERT_EQ(send("sms", wire::TRANSACTION, true, "uk-UA").outcome(), wire::Verdict::STORED);
  EXPECT_EQ(house.deliveries(sms).at(0).text(), "A payment on your card");
}

TEST_F(LabelsOfTheBank, APlainTextHasItsCategorysLabel) {
  EXPECT_EQ(send("sms", wire::SERVICE, false).outcome(), wire::Verdict::STORED) << "public unless said";
  const wire::Verdict verdict = send("sms", wire::TRANSACTION, false);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID);
  EXPECT_EQ(verdict.problem(0).code(), "no-usable-step");
  EXPECT_NE(verdict.problem(0).detail().find("sms: no text that is low enough"), std::string::npos);
  ASSERT_EQ(send("push-sms", wire::TRANSACTION, false).outcome(), wire::Verdict::STORED) << "by push alone";
  const std::vector<wire::Deliver> by_push = house.deliveries(push);
  house.deliveries(sms);
  house.result(push, by_push.at(0).attempt(), wire::Result::REFUSED);
  EXPECT_TRUE(house.deliveries(sms).empty());
}

TEST_F(LabelsOfTheBank, NothingOfAboveTheChannelIsEverHandedOver) {
  for (const char* scenario : {"sms", "push-sms", "mail", "ask"})
    for (const wire::Category category : {wire::TRANSACTION, wire::SERVICE})
      for (const char* locale : {"en", "uk", "fr", ""}) send(scenario, category, true, locale);
  for (const PeerId peer : {sms, mail})
    for (const wire::Deliver& deliver : house.deliveries(peer)) EXPECT_EQ(deliver.text().find("1 250"), std::string::npos) << deliver.text();
}

}  // namespace
}  // namespace postern::vault
