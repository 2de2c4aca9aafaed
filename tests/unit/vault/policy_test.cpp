// SPDX-License-Identifier: Apache-2.0
// The bank's policy on whole messages: quiet hours where the customer is, caps over all departments, lists, what may not leave the bank.
#include <gtest/gtest.h>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

// kMorning is 2027-01-15 08:00 UTC, a Friday: 10:00 in Kyiv, 13:45 in Kathmandu, 05:00 in Sao Paulo.
constexpr TimeMs kHour = 3'600'000;

const std::map<std::string, std::string> kScenarios{
    {"offer", "name = \"offer\"\ndeadline = \"2d\"\n[[steps]]\nchannel = \"push\"\nwait = \"1h\"\n[[steps]]\nchannel = \"sms\"\n"},
    {"long", "name = \"long\"\ndeadline = \"10d\"\n[[steps]]\nchannel = \"sms\"\n"},
};

class PolicyOfTheBank : public testing::Test {
 protected:
  void open(const std::string& policy, const std::string& extra = {}) {
    house = std::make_unique<House>(extra, kScenarios, std::map<std::string, std::string>{}, std::nullopt, false, policy);
    api = house->join("api");
    sms = house->join("sms");
  }
  std::string stored(wire::Category category, const std::string& zone = {}, const std::string& phone = "380671234567", const std::string& scenario = "long") {
    wire::Submit submit = House::submit(scenario, phone, category);
    submit.mutable_recipient()->set_time_zone(zone);
    const wire::Verdict verdict = house->send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED) << (verdict.problem_size() > 0 ? verdict.problem(0).detail() : "");
    return verdict.id();
  }
  std::size_t delivered() { return house->deliveries(sms).size(); }
  std::size_t leaves(EventType type) {
    std::size_t count = 0;
    for (const audit::Leaf& leaf : house->leaves()) count += leaf.type == type;
    return count;
  }

  std::unique_ptr<House> house;
  PeerId api = 0, sms = 0;
};

constexpr const char* kQuiet = "time_zone = \"Europe/Kyiv\"\n[quiet_hours]\nspans = [\"12:00-16:00\"]\n";

TEST_F(PolicyOfTheBank, QuietHoursAreThoseOfTheRecipient) {
  open(kQuiet);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U) << "ten in the morning in Kyiv";
  stored(wire::MARKETING, "Asia/Kathmandu");
  EXPECT_EQ(delivered(), 0U) << "a quarter to two in Kathmandu";
  house->pass(2 * kHour + 14 * 60'000);
  EXPECT_EQ(delivered(), 0U);
  house->pass(60'000);
  EXPECT_EQ(delivered(), 1U) << "at four o'clock there";
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U) << "now it is quiet in Kyiv";
}

TEST_F(PolicyOfTheBank, CodesAndWarningsPassQuietHoursAndEachTimeIsAudited) {
  open(kQuiet);
  stored(wire::OTP, "Asia/Kathmandu");
  stored(wire::SECURITY, "Asia/Kathmandu");
  stored(wire::SERVICE, "Asia/Kathmandu");
  EXPECT_EQ(delivered(), 2U);
  EXPECT_EQ(leaves(EventType::bypassed), 2U);
  EXPECT_EQ(leaves(EventType::held), 1U);
}

TEST_F(PolicyOfTheBank, AHoldOutlivesARestart) {
  open(kQuiet);
  stored(wire::MARKETING, "Asia/Kathmandu");
  house->reopen();
  sms = house->join("sms", 2);
  EXPECT_EQ(delivered(), 0U);
  house->pass(3 * kHour);
  EXPECT_EQ(delivered(), 1U);
}

TEST_F(PolicyOfTheBank, ACapIsOverAllDepartmentsAndCountsAMessageOnce) {
  open("time_zone = \"Europe/Kyiv\"\n[[caps]]\nname = \"all\"\nlimit = 2\nperiod = \"24h\"\ncategories = [\"service\", \"marketing\"]\n");
  stored(wire::MARKETING);
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 2U);
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 0U);
  stored(wire::MARKETING, {}, "380671234568");
  EXPECT_EQ(delivered(), 1U) << "another customer";
  stored(wire::OTP);
  EXPECT_EQ(delivered(), 1U) << "a code counts in no cap";
  house->pass(24 * kHour);
  EXPECT_EQ(delivered(), 1U) << "a day after the first the third may go";
}

TEST_F(PolicyOfTheBank, AnotherWayOfTheSameMessageIsNoSecondMessage) {
  open("time_zone = \"Europe/Kyiv\"\n[[caps]]\nname = \"one\"\nlimit = 1\nperiod = \"24h\"\ncategories = [\"marketing\"]\n");
  const PeerId push = house->join("push");
  const std::string id = stored(wire::MARKETING, {}, "380671234567", "offer");
  const std::vector<wire::Deliver> first = house->deliveries(push);
  ASSERT_EQ(first.size(), 1U);
  house->result(push, first[0].attempt(), wire::Result::REFUSED);
  EXPECT_EQ(delivered(), 1U) << "its SMS is within the same one";
}

TEST_F(PolicyOfTheBank, ACapOutlivesARestartAndADepartmentMayWeighMore) {
  open("time_zone = \"Europe/Kyiv\"\n[[caps]]\nname = \"three\"\nlimit = 3\nperiod = \"24h\"\ncategories = [\"service\"]\n");
  stored(wire::SERVICE);
  stored(wire::SERVICE);
  house->reopen();
  api = house->join("api");
  sms = house->join("sms", 2);
  house->deliveries(sms);
  wire::Submit heavy = House::submit("long");
  heavy.set_identity(kOtherUri);   // weighs 2: [clients.cards]
  EXPECT_EQ(house->send(api, heavy).outcome(), wire::Verdict::STORED);
  EXPECT_EQ(delivered(), 0U) << "2 and 2 are more than 3";
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 1U);
}

constexpr const char* kOnce = "[[duplicates]]\nwindow = \"6h\"\n";

TEST_F(PolicyOfTheBank, TheSameWordsWaitUntilTheFirstAreOldEnough) {
  open(kOnce);
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 1U);
  stored(wire::SERVICE);
  stored(wire::MARKETING, {}, "380671234568");
  EXPECT_EQ(delivered(), 1U) << "to another customer they may go";
  wire::Submit other = House::submit("long");
  other.set_text("Another card was used");
  EXPECT_EQ(house->send(api, std::move(other)).outcome(), wire::Verdict::STORED);
  EXPECT_EQ(delivered(), 1U) << "and other words";
  house->pass(6 * kHour - 1);
  EXPECT_EQ(delivered(), 0U);
  house->pass(1);
  EXPECT_EQ(delivered(), 1U);
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 0U) << "what waited counts from when it went";
}

TEST_F(PolicyOfTheBank, TheSameWordsPastTheirDeadlineAreSuppressedAsDuplicate) {
  open(kOnce);
  stored(wire::SERVICE);
  const std::string id = stored(wire::SERVICE, {}, "380671234567", "sms");   // an hour to live
  EXPECT_EQ(delivered(), 1U);
  EXPECT_EQ(house->view(api, id).state(), wire::SUPPRESSED);
  EXPECT_EQ(house->view(api, id).reason(), "duplicate");
}

TEST_F(PolicyOfTheBank, TwoOfTheSameWordsInOneTurnAreOneAndAnother) {
  open(kOnce);
  wire::ToVault frame;
  for (int i = 0; i < 2; ++i) *frame.add_submit() = House::submit("long");
  house->say(api, std::move(frame));
  house->turn();
  EXPECT_EQ(delivered(), 1U);
  house->pass(6 * kHour);
  EXPECT_EQ(delivered(), 1U);
}

TEST_F(PolicyOfTheBank, ASecondCodeIsNoDuplicateAndARestartForgetsNothing) {
  open(kOnce);
  stored(wire::OTP);
  stored(wire::OTP);
  EXPECT_EQ(delivered(), 2U);
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 1U);
  house->reopen();
  api = house->join("api");
  sms = house->join("sms", 2);
  house->deliveries(sms);
  stored(wire::SERVICE);
  EXPECT_EQ(delivered(), 0U);
}

TEST_F(PolicyOfTheBank, AnotherWayOfTheSameMessageIsNoDuplicateOfItself) {
  open(kOnce);
  const PeerId push = house->join("push");
  stored(wire::MARKETING, {}, "380671234567", "offer");
  const std::vector<wire::Deliver> first = house->deliveries(push);
  ASSERT_EQ(first.size(), 1U);
  house->result(push, first[0].attempt(), wire::Result::REFUSED);
  EXPECT_EQ(delivered(), 1U);
}

TEST_F(PolicyOfTheBank, WhatIsKeptOfWordsIsAnotherForEachPerson) {
  open(kOnce);
  stored(wire::SERVICE);
  stored(wire::SERVICE, {}, "380671234568");
  std::vector<Bytes> digests;
  Context& context = house->vault().context();
  for (const char* phone : {"380671234567", "380671234568"}) {
    const Result<std::vector<store::SightingRow>> rows = context.store.sightings(person_of(context.keys, {}, phone));
    ASSERT_TRUE(rows.has_value());
    for (const store::SightingRow& row : *rows) digests.push_back(row.digest);
  }
  ASSERT_EQ(digests.size(), 2U);
  EXPECT_FALSE(digests[0].empty());
  EXPECT_NE(digests[0], digests[1]);
}

constexpr const char* kTenASecond = "[[speeds]]\nname = \"spring\"\nrate = \"10/s\"\n";

TEST_F(PolicyOfTheBank, ACampaignGoesAtItsSpeedAndEachMessageWaitsOnce) {
  open(kTenASecond);
  wire::ToVault frame;
  for (int i = 0; i < 200; ++i) *frame.add_submit() = House::submit("long", "38067" + std::to_string(1'000'000 + i), wire::MARKETING);
  house->say(api, std::move(frame));
  house->turn();
  EXPECT_EQ(delivered(), 1U);
  for (int second = 0; second < 19; ++second) {
    stored(wire::TRANSACTION);
    house->pass(1000);
    EXPECT_EQ(delivered(), 11U) << "ten offers, and what is no offer at once";
  }
  house->pass(1000);
  EXPECT_EQ(delivered(), 9U);
  EXPECT_EQ(leaves(EventType::held), 199U) << "each was asked once before its turn";
}

TEST_F(PolicyOfTheBank, WhatQuietHoursHoldTakesNoTurnAndGoesAtTheSpeedAfterThem) {
  open(std::string("time_zone = \"Europe/Kyiv\"\n") + kTenASecond + "[quiet_hours]\nspans = [\"09:00-11:00\"]\n");
  for (int i = 0; i < 50; ++i) stored(wire::MARKETING, {}, "38067" + std::to_string(1'000'000 + i));
  house->pass(kHour - 1);
  EXPECT_EQ(delivered(), 0U);
  house->pass(1);
  EXPECT_EQ(delivered(), 1U) << "at eleven in Kyiv";
  house->pass(1000);
  EXPECT_EQ(delivered(), 10U);
  house->pass(4000);
  EXPECT_EQ(delivered(), 39U);
}

TEST_F(PolicyOfTheBank, ARestartMakesACampaignNoFaster) {
  open(kTenASecond);
  for (int i = 0; i < 40; ++i) stored(wire::MARKETING, {}, "38067" + std::to_string(1'000'000 + i));
  delivered();
  house->reopen();
  api = house->join("api");
  sms = house->join("sms", 2);
  house->deliveries(sms);
  for (int i = 0; i < 40; ++i) stored(wire::MARKETING, {}, "38067" + std::to_string(2'000'000 + i));
  std::size_t all = delivered();
  for (int second = 0; second < 9; ++second) {
    house->pass(1000);
    const std::size_t now = delivered();
    EXPECT_LE(now, 10U);
    all += now;
  }
  EXPECT_EQ(all, 79U) << "one had gone before";
}

TEST_F(PolicyOfTheBank, AnOfferWhoseTurnComesTooLateIsLeftOut) {
  open("[[speeds]]\nname = \"spring\"\nrate = \"1/h\"\n");
  stored(wire::MARKETING, {}, "380671234567", "sms");
  const std::string id = stored(wire::MARKETING, {}, "380671234568", "sms");   // an hour to live, from eight o'clock
  EXPECT_EQ(house->view(api, id).state(), wire::SUPPRESSED);
  EXPECT_EQ(house->view(api, id).reason(), "speed-spring");
  stored(wire::MARKETING, {}, "380671234569");
  delivered();
  house->pass(kHour);
  EXPECT_EQ(delivered(), 1U) << "the turn of the one that was left out is another's";
}

TEST_F(PolicyOfTheBank, AnotherWayOfTheSameOfferTakesNoSecondTurn) {
  open("[[speeds]]\nname = \"spring\"\nrate = \"1/h\"\n");
  const PeerId push = house->join("push");
  stored(wire::MARKETING, {}, "380671234567", "offer");
  const std::vector<wire::Deliver> first = house->deliveries(push);
  ASSERT_EQ(first.size(), 1U);
  house->result(push, first[0].attempt(), wire::Result::REFUSED);
  EXPECT_EQ(delivered(), 1U);
}

TEST_F(PolicyOfTheBank, WhoIsOnTheListIsNeverWrittenTo) {
  open("[[lists]]\nname = \"objected\"\nkind = \"never\"\nfile = \"never.txt\"\n");
  const std::string id = stored(wire::MARKETING, {}, "380670000001");
  EXPECT_EQ(delivered(), 0U);
  EXPECT_EQ(house->view(api, id).state(), wire::SUPPRESSED);
  EXPECT_EQ(house->view(api, id).reason(), "list-objected");
  stored(wire::MARKETING);
  EXPECT_EQ(delivered(), 1U);
}

TEST_F(PolicyOfTheBank, WhatMayNotLeaveTheBankIsRefusedWithoutBeingRepeated) {
  open("[content]\ndomains = [\"bank.example\"]\n");
  wire::Submit submit = House::submit("long");
  submit.set_text("Your card 4111 1111 1111 1111 was used");
  wire::Verdict verdict = house->send(api, submit);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID);
  EXPECT_EQ(verdict.problem(0).pointer(), "/text");
  EXPECT_EQ(verdict.problem(0).code(), "content-card");
  EXPECT_EQ(verdict.problem(0).detail().find("4111"), std::string::npos);
  submit.set_text("See https://bank.example.evil/");
  verdict = house->send(api, submit);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID);
  submit.set_text("See https://bank.example/");
  EXPECT_EQ(house->send(api, submit).outcome(), wire::Verdict::STORED);
}

TEST_F(PolicyOfTheBank, AZoneThatDoesNotExistIsRefused) {
  open("");
  wire::Submit submit = House::submit("long");
  submit.mutable_recipient()->set_time_zone("Europe/Atlantis");
  const wire::Verdict verdict = house->send(api, submit);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID);
  EXPECT_EQ(verdict.problem(0).pointer(), "/recipient/time_zone");
}

}  // namespace
}  // namespace postern::vault
