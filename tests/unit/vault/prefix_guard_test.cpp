// SPDX-License-Identifier: Apache-2.0
// Codes that somebody lets the bank send to a range of numbers that pays him: the range is closed, and nobody else notices.
#include <gtest/gtest.h>

#include "gateway/vault/prefix_guard.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

constexpr TimeMs kMinute = 60'000;
const std::map<std::string, std::string> kScenarios{
    {"both-ways", "name = \"both-ways\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"whatsapp\"\nwait = \"10s\"\n[[steps]]\nchannel = \"sms\"\n"},
};
constexpr const char* kGuard = "[[velocity]]\nlimit = 5\ncool_down = \"30m\"\n";

class PrefixGuardOfTheBank : public testing::Test {
 protected:
  void open(const std::string& policy = kGuard) {
    house = std::make_unique<House>("", kScenarios, std::map<std::string, std::string>{}, std::nullopt, false, policy);
    api = house->join("api");
  }
  wire::Verdict code(const std::string& phone, wire::Category category = wire::OTP, bool only_asked = false) {
    wire::Submit submit = House::submit("sms", phone, category);
    submit.set_validate_only(only_asked);
    return house->send(api, std::move(submit));
  }
  wire::Verdict attack(int number) { return code("992918" + std::to_string(100'000 + number)); }
  std::size_t count(EventType type) {
    std::size_t found = 0;
    for (const audit::Leaf& leaf : house->leaves()) found += leaf.type == type;
    return found;
  }
  std::string reason_of(EventType type) {
    for (const audit::Leaf& leaf : house->leaves())
      if (leaf.type == type)
        for (const auto& [field, text] : house->vault().context().log.open(leaf).value_or(audit::Body{}))
          if (field == audit::Field::reason) return text;
    return {};
  }

  std::unique_ptr<House> house;
  PeerId api = 0;
};

TEST_F(PrefixGuardOfTheBank, AFloodOfCodesToOnePrefixIsStoppedAndOthersGoOn) {
  open();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(attack(i).outcome(), wire::Verdict::STORED);
  const std::uint64_t waiting = house->vault().context().metrics.waiting;
  for (int i = 5; i < 50; ++i) {
    const wire::Verdict verdict = attack(i);
    ASSERT_EQ(verdict.outcome(), wire::Verdict::CLOSED);
    EXPECT_EQ(verdict.problem(0).pointer(), "/recipient/phone");
    EXPECT_EQ(verdict.problem(0).code(), "prefix-closed");
    EXPECT_EQ(verdict.problem(0).detail().find("992918"), std::string::npos);
    EXPECT_EQ(verdict.retry_after_ms(), 30U * kMinute);
    EXPECT_TRUE(verdict.id().empty());
  }
  EXPECT_EQ(house->vault().context().metrics.waiting, waiting) << "nothing is stored";
  EXPECT_EQ(count(EventType::prefix_closed), 1U);
  EXPECT_EQ(count(EventType::rejected), 0U) << "a flood is no flood of leaves";
  EXPECT_EQ(reason_of(EventType::prefix_closed), "992918");
  EXPECT_EQ(code("380671234567").outcome(), wire::Verdict::STORED);
  EXPECT_EQ(code("992919000001").outcome(), wire::Verdict::STORED) << "the prefix beside it";
  EXPECT_EQ(code("992918000001", wire::SERVICE).outcome(), wire::Verdict::STORED) << "only codes are guarded";
}

TEST_F(PrefixGuardOfTheBank, APrefixOpensByItselfAfterItsCoolDown) {
  open();
  for (int i = 0; i < 6; ++i) attack(i);
  house->pass(30 * kMinute - 1);
  EXPECT_EQ(count(EventType::prefix_opened), 0U);
  EXPECT_EQ(attack(6).outcome(), wire::Verdict::CLOSED);
  EXPECT_EQ(attack(6).retry_after_ms(), 1U);
  house->pass(1);
  EXPECT_EQ(count(EventType::prefix_opened), 1U) << "nobody has to ask for it";
  EXPECT_EQ(reason_of(EventType::prefix_opened), "992918");
  EXPECT_EQ(attack(7).outcome(), wire::Verdict::STORED);
}

TEST_F(PrefixGuardOfTheBank, AnAttackThatGoesOnKeepsItClosedAndIsToldOnce) {
  open();
  for (int minute = 0; minute < 90; ++minute) {
    for (int i = 0; i < 3; ++i) attack(minute * 3 + i);
    house->pass(kMinute);
  }
  EXPECT_EQ(count(EventType::prefix_closed), 1U);
  EXPECT_EQ(count(EventType::prefix_opened), 0U);
  EXPECT_EQ(count(EventType::accepted), 5U) << "of 270 that were asked for";
}

TEST_F(PrefixGuardOfTheBank, AQuestionCountsNothingAndIsToldTheTruth) {
  open();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(code("992918000001", wire::OTP, true).outcome(), wire::Verdict::VALID);
  for (int i = 0; i < 6; ++i) attack(i);
  EXPECT_EQ(code("992918000001", wire::OTP, true).outcome(), wire::Verdict::CLOSED);
}

TEST_F(PrefixGuardOfTheBank, WhatGoesToNoNumberIsNotCounted) {
  open();
  for (int i = 0; i < 20; ++i) {
    wire::Submit submit = House::submit("mail", "992918000001", wire::OTP);
    submit.mutable_recipient()->set_email("anna@bank.example");
    EXPECT_EQ(house->send(api, std::move(submit)).outcome(), wire::Verdict::STORED);
  }
  EXPECT_EQ(attack(0).outcome(), wire::Verdict::STORED);
}

TEST_F(PrefixGuardOfTheBank, CountsTheNumberOfAMessengerToo) {
  open();
  const auto asked = [this](const std::string& phone, const std::string& whatsapp) {
    wire::Submit submit = House::submit("ask", phone, wire::OTP);
    submit.mutable_recipient()->set_whatsapp(whatsapp);
    return house->send(api, std::move(submit));
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(asked("", "99291800000" + std::to_string(i)).outcome(), wire::Verdict::STORED) << "customers who have no other number";
  wire::Verdict verdict = asked("", "992918000005");
  ASSERT_EQ(verdict.outcome(), wire::Verdict::CLOSED);
  EXPECT_EQ(verdict.problem(0).pointer(), "/recipient/whatsapp");
  EXPECT_EQ(attack(0).outcome(), wire::Verdict::CLOSED) << "the prefix is the same by SMS";
  EXPECT_EQ(asked("380671234567", "992918000006").outcome(), wire::Verdict::CLOSED) << "it goes to the messenger's number";
  EXPECT_EQ(asked("992918000007", "380671234567").outcome(), wire::Verdict::STORED) << "and not to this phone";
  verdict = asked("992918000008", "");
  ASSERT_EQ(verdict.outcome(), wire::Verdict::CLOSED);
  EXPECT_EQ(verdict.problem(0).pointer(), "/recipient/phone") << "where the messenger has the phone's";
}

TEST_F(PrefixGuardOfTheBank, AMessageToTwoNumbersOfOnePrefixCountsOnce) {
  open();
  for (int i = 0; i < 5; ++i) {
    wire::Submit submit = House::submit("both-ways", "99291800000" + std::to_string(i), wire::OTP);
    submit.mutable_recipient()->set_whatsapp("99291810000" + std::to_string(i));
    EXPECT_EQ(house->send(api, std::move(submit)).outcome(), wire::Verdict::STORED);
  }
  EXPECT_EQ(attack(6).outcome(), wire::Verdict::CLOSED);
}

TEST_F(PrefixGuardOfTheBank, AClosedPrefixAndWhatIsUsualOutliveARestart) {
  open();
  for (int i = 0; i < 6; ++i) attack(i);
  house->pass(10 * kMinute);
  house->reopen();
  api = house->join("api");
  const wire::Verdict verdict = attack(6);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::CLOSED);
  EXPECT_EQ(verdict.retry_after_ms(), 20U * kMinute);
  EXPECT_EQ(count(EventType::prefix_closed), 1U) << "told before the restart";
  house->pass(20 * kMinute);
  EXPECT_EQ(count(EventType::prefix_opened), 1U);
}

TEST_F(PrefixGuardOfTheBank, CodesThatNobodyUsesCloseThePrefixThoughTheyAreFew) {
  open("[[velocity]]\nlimit = 1000\nsamples = 10\nconfirmed = 200\nconfirmed_by = \"code-used\"\nanswer = \"1m\"\n");
  const auto use = [this](const std::string& id) {
    wire::Query query;
    query.mutable_signal()->set_event("code-used");
    query.mutable_signal()->set_id(id);
    house->ask(api, std::move(query));
  };
  for (int i = 0; i < 20; ++i) {
    const std::string good = code("3806712345" + std::to_string(10 + i)).id();
    if (i % 3 == 0) use(good);
    attack(i);
  }
  house->pass(3 * kMinute);
  EXPECT_EQ(attack(20).outcome(), wire::Verdict::CLOSED);
  EXPECT_EQ(code("380671234599").outcome(), wire::Verdict::STORED) << "a third of its codes were used";
}

TEST_F(PrefixGuardOfTheBank, TwoGuardsSeeARangeThatIsSpreadThin) {
  open("[[velocity]]\nlimit = 5\n[[velocity]]\ndigits = 0\nlimit = 20\n");
  int stored = 0;
  for (int i = 0; i < 100; ++i) stored += code("992" + std::to_string(100 + i) + "000001").outcome() == wire::Verdict::STORED;
  EXPECT_EQ(stored, 20) << "a prefix each, one country";
  EXPECT_EQ(reason_of(EventType::prefix_closed), "992");
}

TEST_F(PrefixGuardOfTheBank, WhatIsKeptIsReadWholeOrNotAtAll) {
  const std::vector<KeptGuard> guards{{3, false, {{"992918", 1500, 17, policy::Velocity::Why::too_many}, {"38067", 9}}}, {2, true, {}}};
  const Bytes bytes = encode(guards);
  const auto read = decode_kept_guards(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(encode(*read), bytes);
  EXPECT_EQ((*read)[0].usual[0].closed_until, 17);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_kept_guards(ByteView(bytes).first(size)).has_value());
  EXPECT_FALSE(decode_kept_guards(encode(std::vector<KeptGuard>{{3, false, {{"99x918", 0}}}})).has_value());
}

}  // namespace
}  // namespace postern::vault
