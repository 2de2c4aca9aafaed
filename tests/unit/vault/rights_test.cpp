// SPDX-License-Identifier: Apache-2.0
// What one client may use, and what one sender may carry.
#include <gtest/gtest.h>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

constexpr const char* kLoansUri = "spiffe://bank.example/loans";
constexpr const char* kLoans = "[clients.loans]\nidentities = [\"spiffe://bank.example/loans\"]\ncategories = [\"otp\", \"service\", \"marketing\"]\n";

const std::map<std::string, std::string> kScenarios{
    {"own", "name = \"own\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"sms\"\nsender = \"MyBank\"\n"},
    {"offers", "name = \"offers\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"sms\"\nsender = \"MyBankOffers\"\n"},
};
const std::map<std::string, std::string> kTemplates{
    {"loan", "name = \"loan-due\"\ncategories = [\"service\"]\ndefault_locale = \"en\"\n[locales.en]\ntext = \"A payment is due\"\n"},
};

class RightsOfTheBank : public testing::Test {
 protected:
  void open(const std::string& rights, const std::string& extra = {}) {
    house = std::make_unique<House>(kLoans + rights + extra, kScenarios, kTemplates);
    api = house->join("api");
    sms = house->join("sms");
  }
  wire::Verdict send(const std::string& template_name, const std::string& scenario = "sms", wire::Category category = wire::SERVICE, const char* uri = kLoansUri) {
    wire::Submit submit = House::submit(scenario, "380671234567", category);
    submit.set_identity(uri);
    if (!template_name.empty()) {
      submit.clear_text();
      submit.set_template_(template_name);
    }
    return house->send(api, std::move(submit));
  }
  static void expect(const wire::Verdict& verdict, wire::Verdict::Outcome outcome, const std::string& pointer, const std::string& code) {
    EXPECT_EQ(verdict.outcome(), outcome);
    ASSERT_EQ(verdict.problem_size(), 1);
    EXPECT_EQ(verdict.problem(0).pointer(), pointer);
    EXPECT_EQ(verdict.problem(0).code(), code);
  }

  std::unique_ptr<House> house;
  PeerId api = 0, sms = 0;
};

TEST_F(RightsOfTheBank, AForeignTemplateIsForbiddenWhetherThereIsOneOrNot) {
  open("templates = [\"loan-*\"]\n");
  EXPECT_EQ(send("loan-due").outcome(), wire::Verdict::STORED);
  expect(send("code"), wire::Verdict::FORBIDDEN, "/template", "template-forbidden");
  expect(send("no-such"), wire::Verdict::FORBIDDEN, "/template", "template-forbidden");
  expect(send("loan-other"), wire::Verdict::INVALID, "/template", "unknown-template");
  EXPECT_EQ(send("").outcome(), wire::Verdict::STORED) << "a text of its own it may send";
  EXPECT_EQ(send("loan-due", "sms", wire::SERVICE, kBankUri).outcome(), wire::Verdict::STORED) << "others may use all";
}

TEST_F(RightsOfTheBank, WhoMaySendNoTextOfItsOwnSendsTemplates) {
  open("free_text = false\n");
  expect(send(""), wire::Verdict::FORBIDDEN, "/template", "template-required");
  EXPECT_EQ(send("loan-due").outcome(), wire::Verdict::STORED);
  EXPECT_EQ(house->deliveries(sms).size(), 1U);
}

TEST_F(RightsOfTheBank, AClientGoesOutByItsSendersAlone) {
  open("senders = [\"MyBank\"]\n");
  EXPECT_EQ(send("", "own").outcome(), wire::Verdict::STORED);
  expect(send("", "offers"), wire::Verdict::FORBIDDEN, "/scenario", "sender-forbidden");
  EXPECT_EQ(send("", "sms").outcome(), wire::Verdict::STORED) << "by the connector's own";
  EXPECT_EQ(send("", "offers", wire::SERVICE, kBankUri).outcome(), wire::Verdict::STORED);
}

TEST_F(RightsOfTheBank, AFinancialSenderNeverCarriesMarketing) {
  open("", "[[senders]]\nname = \"MyBank\"\ncategories = [\"otp\", \"security\", \"transaction\", \"service\"]\n");
  expect(send("", "own", wire::MARKETING), wire::Verdict::INVALID, "/scenario", "sender-not-for-category");
  EXPECT_EQ(send("", "own", wire::OTP).outcome(), wire::Verdict::STORED);
  EXPECT_EQ(send("", "offers", wire::MARKETING).outcome(), wire::Verdict::STORED);
  for (const wire::Deliver& deliver : house->deliveries(sms)) EXPECT_EQ(deliver.sender(), deliver.category() == wire::MARKETING ? "MyBankOffers" : "MyBank");
}

}  // namespace
}  // namespace postern::vault
