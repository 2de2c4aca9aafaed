// SPDX-License-Identifier: Apache-2.0
// Customers who were reached twice, with cause and cost; attempts that nobody could answer for, and how they were settled.
#include <gtest/gtest.h>

#include "gateway/control/reports.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

// The dearer of two ways for SMS is the one that is up.
constexpr const char* kDear = "[[routes]]\nchannel = \"sms\"\nconnector = \"sms2\"\nprice = \"0.045\"\n";

class ReportsOfTheBank : public testing::Test {
 protected:
  ReportsOfTheBank() : house(kDear) {
    api = house.join("api");
    push = house.join("push");
    sms = house.join("sms2");
    house.turn();
  }
  std::vector<control::ReportRow> report(control::ReportAsk::Kind kind, TimeMs since = 0) {
    std::vector<control::ReportRow> rows;
    control::ReportAsk ask;
    ask.set_kind(kind);
    ask.set_since_ms(since);
    do {
      control::Reply reply;
      const Status done = house.vault().turn([&](Turn& turn) { reports::report(turn, house.vault().context(), ask, "anna", reply); });
      EXPECT_TRUE(done.has_value());
      EXPECT_EQ(reply.error(), "");
      rows.insert(rows.end(), reply.report().row().begin(), reply.report().row().end());
      ask.set_after(reply.report().after());
    } while (ask.after() != 0);
    return rows;
  }
  // Push first; its receipt is late, so the SMS goes out too.
  std::string late_receipt(const std::string& tag) {
    const std::string id = house.send(api, House::submit("push-sms-wait")).id();
    house.result(push, house.deliveries(push).at(0).attempt(), wire::Result::SENT, {"p-" + tag});
    house.pass(10'000);
    house.result(sms, house.deliveries(sms).at(0).attempt(), wire::Result::SENT, {"s-" + tag});
    house.receipt(sms, "s-" + tag, wire::DELIVERED);
    house.receipt(push, "p-" + tag, wire::DELIVERED);
    return id;
  }
  std::string metrics() { return house.vault().queries().metrics_text(); }

  House house;
  PeerId api = 0, push = 0, sms = 0;
};

TEST_F(ReportsOfTheBank, EveryDoubleContactHasItsCauseAndItsCost) {
  const std::string id = late_receipt("1");
  const std::vector<control::ReportRow> rows = report(control::ReportAsk::DOUBLE_CONTACTS);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].id(), id);
  EXPECT_EQ(rows[0].client(), "core");
  EXPECT_EQ(rows[0].category(), "service");
  EXPECT_EQ(rows[0].cause(), "late-receipt");
  EXPECT_EQ(rows[0].cost(), "0.045") << "what the SMS cost, though it was there first";
  late_receipt("2");
  EXPECT_EQ(report(control::ReportAsk::DOUBLE_CONTACTS).size(), 2U);
  EXPECT_NE(metrics().find("postern_double_contact_cost_total{category=\"service\"} 0.09\n"), std::string::npos);
  EXPECT_NE(metrics().find("postern_double_contacts_by_category_total{category=\"service\"} 2\n"), std::string::npos);
}

TEST_F(ReportsOfTheBank, ADoubtThatTurnsOutToHaveArrivedIsTheCause) {
  house.send(api, House::submit("push-sms", "380671234567", wire::OTP));
  house.result(push, house.deliveries(push).at(0).attempt(), wire::Result::UNKNOWN);
  std::vector<control::ReportRow> doubts = report(control::ReportAsk::IN_DOUBT);
  ASSERT_EQ(doubts.size(), 1U);
  EXPECT_EQ(doubts[0].outcome(), "unknown");
  EXPECT_EQ(doubts[0].channel(), "push");
  EXPECT_EQ(doubts[0].cause(), "test-reason");
  const wire::Deliver second = house.deliveries(sms).at(0);
  house.result(sms, second.attempt(), wire::Result::SENT, {"s-1"});
  house.receipt(sms, "s-1", wire::DELIVERED);
  EXPECT_TRUE(report(control::ReportAsk::DOUBLE_CONTACTS).empty());
  // The late answer of the first, and its receipt.
  wire::Attempt first = second.attempt();
  first.set_number(1);
  house.result(push, first, wire::Result::SENT, {"p-1"});
  house.receipt(push, "p-1", wire::DELIVERED);
  const std::vector<control::ReportRow> twice = report(control::ReportAsk::DOUBLE_CONTACTS);
  ASSERT_EQ(twice.size(), 1U);
  EXPECT_EQ(twice[0].cause(), "in-doubt");
  EXPECT_EQ(twice[0].cost(), "0.045");
  doubts = report(control::ReportAsk::IN_DOUBT);
  ASSERT_EQ(doubts.size(), 1U);
  EXPECT_EQ(doubts[0].outcome(), "delivered");
  EXPECT_NE(metrics().find("postern_attempts_settled_total{category=\"otp\",how=\"sent\"} 1\n"), std::string::npos);
  EXPECT_NE(metrics().find("postern_attempts_in_doubt_total 1\n"), std::string::npos);
}

TEST_F(ReportsOfTheBank, OnlyWhatWasAcceptedSinceIsLookedAtAndLookingIsAudited) {
  late_receipt("1");
  house.pass(3'600'000);
  EXPECT_TRUE(report(control::ReportAsk::DOUBLE_CONTACTS, house.now - 60'000).empty());
  late_receipt("2");
  EXPECT_EQ(report(control::ReportAsk::DOUBLE_CONTACTS, house.now - 60'000).size(), 1U);
  std::size_t looks = 0;
  for (const audit::Leaf& leaf : house.leaves()) looks += leaf.type == EventType::admin_read;
  EXPECT_EQ(looks, 2U);
}

TEST_F(ReportsOfTheBank, HowManyAttemptsAreInDoubtNowIsKnownAtAnyTimeAndAfterARestart) {
  const auto now = [this] { return house.vault().context().doubts.count(); };
  std::vector<wire::Attempt> attempts;
  for (int i = 0; i < 1100; ++i) {
    house.send(api, House::submit("sms", "38067" + std::to_string(1'000'000 + i)));
    attempts.push_back(house.deliveries(sms).at(0).attempt());
    house.result(sms, attempts.back(), wire::Result::UNKNOWN);
  }
  EXPECT_EQ(now(), 1100U);
  house.result(sms, attempts[0], wire::Result::SENT, {"late-answer"});
  EXPECT_EQ(now(), 1099U) << "one is settled by a late answer";
  house.reopen();
  EXPECT_FALSE(house.vault().context().doubts.counted()) << "counted anew, between other work";
  ASSERT_TRUE(house.turn_once().has_value());
  EXPECT_EQ(now(), 99U) << "a page of them, with the one that was settled";
  // What changes meanwhile is counted once, before or behind the page.
  sms = house.join("sms2");
  house.result(sms, attempts[1], wire::Result::REFUSED);
  house.result(sms, attempts[1000], wire::Result::REFUSED);
  EXPECT_TRUE(house.vault().context().doubts.counted());
  EXPECT_EQ(now(), 1097U);
  house.pass(3'600'000);
  EXPECT_EQ(now(), 0U) << "their messages have ended";
}

TEST_F(ReportsOfTheBank, ALongReportComesInPages) {
  for (int i = 0; i < 510; ++i) {
    house.send(api, House::submit("sms", "38067" + std::to_string(1'000'000 + i)));
    house.result(sms, house.deliveries(sms).at(0).attempt(), wire::Result::UNKNOWN);
  }
  EXPECT_EQ(report(control::ReportAsk::IN_DOUBT).size(), 510U);
}

}  // namespace
}  // namespace postern::vault
