// SPDX-License-Identifier: Apache-2.0
// Halt and resume: what an administrator stops waits where it stands, in queues, in retries and in steps to come, and goes on when let go.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

class Halting : public testing::Test {
 protected:
  Halting() { connect(1); }
  void connect(std::uint64_t instance) {
    api = house.join("api");
    sms = house.join("sms", instance, 2);
    push = house.join("push", instance);
  }
  std::string stored(wire::Category category = wire::SERVICE, const std::string& scenario = "sms", const char* identity = kBankUri) {
    wire::Submit submit = House::submit(scenario, "380671234567", category);
    submit.set_identity(identity);
    const wire::Verdict verdict = house.send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED);
    return verdict.id();
  }
  std::string coded() {
    wire::Submit submit = House::submit("sms");
    submit.set_template_("code");
    submit.clear_text();
    for (const auto& [name, value] : {std::pair("code", "123456"), std::pair("who", "Anna")}) {
      wire::Variable& variable = *submit.add_variable();
      variable.set_name(name);
      variable.set_value(value);
    }
    const wire::Verdict verdict = house.send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED);
    return verdict.id();
  }
  Result<std::size_t> halt(Halt::Kind kind, const std::string& name) {
    const std::optional<std::uint16_t> number = house.vault().number_of(kind, name);
    if (!number) return fail("there is none of that name");
    return house.vault().halt({kind, *number, name, "root", "wrong amount in it", house.now});
  }
  void resume(Halt::Kind kind, const std::string& name) {
    const Status done = house.vault().resume(kind, *house.vault().number_of(kind, name), "root");
    EXPECT_TRUE(done.has_value()) << done.what();
    house.turn();
  }
  std::vector<wire::Deliver> delivered() { return house.deliveries(sms); }
  std::size_t leaves(EventType type) {
    std::size_t count = 0;
    for (const audit::Leaf& leaf : house.leaves()) count += leaf.type == type;
    return count;
  }

  House house;
  PeerId api = 0, sms = 0, push = 0;
};

TEST_F(Halting, FreezesTheQueueAndLetsItGoOn) {
  for (int i = 0; i < 5; ++i) stored();
  const std::vector<wire::Deliver> first = delivered();
  ASSERT_EQ(first.size(), 2U) << "the window";
  const Result<std::size_t> called_back = halt(Halt::Kind::category, "service");
  ASSERT_TRUE(called_back.has_value());
  EXPECT_EQ(*called_back, 2U);
  house.turn();
  EXPECT_EQ(house.take(sms).cancel_size(), 2) << "what the connector has not sent yet";
  house.result(sms, first[0].attempt(), wire::Result::SENT, {"a"});
  // The second was stopped in time.
  wire::ToVault frame = House::result_frame(first[1].attempt(), wire::Result::REFUSED);
  frame.mutable_result(0)->set_reason("cancelled");
  house.say(sms, std::move(frame));
  house.turn();
  house.pass(30'000);
  EXPECT_EQ(delivered().size(), 0U);
  EXPECT_EQ(leaves(EventType::halted), 1U);
  stored(wire::TRANSACTION);
  EXPECT_EQ(delivered().size(), 1U) << "another category goes";
  resume(Halt::Kind::category, "service");
  EXPECT_EQ(delivered().size(), 1U) << "the window has room for one";
  EXPECT_EQ(leaves(EventType::resumed), 1U);
}

TEST_F(Halting, ACalledBackMessageIsNotLost) {
  const std::string id = stored();
  const std::vector<wire::Deliver> first = delivered();
  ASSERT_TRUE(halt(Halt::Kind::category, "service").has_value());
  wire::ToVault frame = House::result_frame(first[0].attempt(), wire::Result::REFUSED);
  frame.mutable_result(0)->set_reason("cancelled");
  house.say(sms, std::move(frame));
  house.turn();
  house.pass(10'000);
  EXPECT_EQ(house.view(api, id).state(), wire::ACCEPTED);
  resume(Halt::Kind::category, "service");
  const std::vector<wire::Deliver> again = delivered();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].id(), id);
}

TEST_F(Halting, CallsBackWhatAConnectorHeldThatWasAwayWhenItBegan) {
  stored();
  stored(wire::TRANSACTION);
  ASSERT_EQ(delivered().size(), 2U);
  house.leave(sms);
  house.turn();
  const Result<std::size_t> called_back = halt(Halt::Kind::category, "service");
  ASSERT_TRUE(called_back.has_value());
  EXPECT_EQ(*called_back, 0U) << "there is nobody to call";
  sms = house.join("sms", 1, 2);
  const wire::ToConnector told = house.take(sms);
  EXPECT_EQ(told.deliver_size(), 2) << "repeated, since it may never have heard of them";
  ASSERT_EQ(told.cancel_size(), 1) << "and what is halted is called back";
  const auto halted = std::ranges::find_if(told.deliver(), [](const wire::Deliver& d) { return d.category() == wire::SERVICE; });
  ASSERT_NE(halted, told.deliver().end());
  EXPECT_EQ(told.cancel(0).message(), halted->attempt().message());
}

TEST_F(Halting, StopsOneTemplateAndNoOther) {
  coded();
  EXPECT_EQ(delivered().size(), 1U);
  ASSERT_TRUE(halt(Halt::Kind::template_, "code").has_value());
  house.turn();
  coded();
  EXPECT_EQ(delivered().size(), 0U);
  stored();
  EXPECT_EQ(delivered().size(), 1U);
}

TEST_F(Halting, StopsOneClientAndNoOther) {
  stored(wire::SERVICE, "sms", kOtherUri);
  EXPECT_EQ(delivered().size(), 1U);
  ASSERT_TRUE(halt(Halt::Kind::client, "cards").has_value());
  stored(wire::SERVICE, "sms", kOtherUri);
  EXPECT_EQ(delivered().size(), 0U);
  stored();
  EXPECT_EQ(delivered().size(), 1U);
}

TEST_F(Halting, StopsStepsToCome) {
  const std::string id = stored(wire::SERVICE, "push-sms");
  const std::vector<wire::Deliver> first = house.deliveries(push);
  ASSERT_EQ(first.size(), 1U);
  house.result(push, first[0].attempt(), wire::Result::SENT, {"p"});
  ASSERT_TRUE(halt(Halt::Kind::category, "service").has_value());
  house.pass(20'000);
  EXPECT_EQ(delivered().size(), 0U);
  resume(Halt::Kind::category, "service");
  EXPECT_EQ(delivered().size(), 1U);
}

TEST_F(Halting, OutlivesARestartAlsoInTheMiddleOfLettingGo) {
  for (int i = 0; i < 3; ++i) stored();
  ASSERT_EQ(delivered().size(), 2U);
  ASSERT_TRUE(halt(Halt::Kind::category, "service").has_value());
  house.turn();
  house.reopen();
  connect(2);
  house.turn();
  stored();
  EXPECT_EQ(delivered().size(), 0U);
  ASSERT_TRUE(house.vault().resume(Halt::Kind::category, static_cast<std::uint16_t>(Category::service), "root").has_value());
  house.reopen();   // before any message was looked at
  connect(3);
  house.turn();
  EXPECT_EQ(delivered().size(), 2U) << "the two that were not in the connector's hands";
}

TEST_F(Halting, NothingIsHandedAfterItsDeadlineHoweverLongItWasHalted) {
  stored();   // so that the client has a number
  delivered();
  ASSERT_TRUE(halt(Halt::Kind::category, "service").has_value());
  const std::string id = stored();
  house.pass(2 * 3'600'000);
  EXPECT_EQ(house.view(api, id).state(), wire::EXPIRED);
  resume(Halt::Kind::category, "service");
  EXPECT_EQ(delivered().size(), 0U);
}

TEST_F(Halting, OnlyWhatTheGatewayKnowsHasANumber) {
  EXPECT_FALSE(house.vault().number_of(Halt::Kind::category, "letters").has_value());
  EXPECT_FALSE(house.vault().number_of(Halt::Kind::template_, "code").has_value()) << "no message of it was ever accepted";
  coded();
  EXPECT_TRUE(house.vault().number_of(Halt::Kind::template_, "code").has_value());
}

TEST_F(Halting, ResumeAndAnotherPolicyLookAtWhatIsHeldWithoutTellingWhatStaysTheSame) {
  stored();
  delivered();
  ASSERT_TRUE(halt(Halt::Kind::category, "service").has_value());
  ASSERT_TRUE(halt(Halt::Kind::client, "core").has_value());
  stored();
  const std::size_t held = leaves(EventType::held);
  resume(Halt::Kind::category, "service");
  EXPECT_EQ(leaves(EventType::held), held) << "the client is halted still";
  resume(Halt::Kind::client, "core");
  EXPECT_EQ(delivered().size(), 1U);
}

}  // namespace
}  // namespace postern::vault
