// SPDX-License-Identifier: Apache-2.0
// Two ways for SMS: when the first is slow or fails, what is new goes by the second, and the first comes back in steps.
#include <gtest/gtest.h>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

constexpr TimeMs kSecond = 1000, kMinute = 60 * kSecond;
constexpr const char* kSecondRoute = "[[routes]]\nchannel = \"sms\"\nconnector = \"sms2\"\n";

class RoutesOfTheBank : public testing::Test {
 protected:
  void open(const std::string& extra = kSecondRoute) {
    house = std::make_unique<House>(extra);
    api = house->join("api");
    first = house->join("sms");
    second = house->join("sms2");
  }
  // One message; its connector answers at once, and its receipt comes after so long. Whether the first connector had it.
  bool one(TimeMs first_ms, TimeMs second_ms) {
    EXPECT_EQ(house->send(api, House::submit("sms", "38067" + std::to_string(1'000'000 + ++sent))).outcome(), wire::Verdict::STORED);
    const bool by_first = take(first, first_ms);
    EXPECT_NE(by_first, take(second, second_ms)) << "one of them has it";
    return by_first;
  }
  bool take(PeerId connector, TimeMs receipt_ms) {
    const std::vector<wire::Deliver> deliveries = house->deliveries(connector);
    for (const wire::Deliver& deliver : deliveries) {
      const std::string id = "id-" + std::to_string(++ids);
      house->result(connector, deliver.attempt(), wire::Result::SENT, {id});
      due.emplace(house->now + receipt_ms, std::pair(connector, id));
    }
    return !deliveries.empty();
  }
  // Receipts come at their times.
  void pass(TimeMs ms) {
    const TimeMs end = house->now + ms;
    while (!due.empty() && due.begin()->first <= end) {
      house->pass(std::max<TimeMs>(due.begin()->first - house->now, 0));
      house->receipt(due.begin()->second.first, due.begin()->second.second, wire::DELIVERED);
      due.erase(due.begin());
    }
    house->pass(end - house->now);
  }
  // A message each two seconds; how many of them the first connector had.
  int traffic(int minutes, TimeMs first_ms, TimeMs second_ms) {
    int by_first = 0;
    for (int i = 0; i < minutes * 30; ++i) {
      by_first += one(first_ms, second_ms);
      pass(2 * kSecond);
    }
    return by_first;
  }
  std::uint16_t share(PeerId connector) { return house->vault().routes().share(house->vault().peers().at(connector).connector); }

  std::unique_ptr<House> house;
  PeerId api = 0, first = 0, second = 0;
  int sent = 0, ids = 0;
  std::multimap<TimeMs, std::pair<PeerId, std::string>> due;
};

TEST_F(RoutesOfTheBank, ASlowRouteLosesItsTrafficAndComesBackInSteps) {
  open();
  EXPECT_EQ(traffic(3, 3 * kSecond, 3 * kSecond), 90) << "in order while all is well";
  traffic(5, 90 * kSecond, 3 * kSecond);
  EXPECT_EQ(share(first), 10);
  EXPECT_EQ(share(second), 1000);
  EXPECT_LE(traffic(5, 90 * kSecond, 3 * kSecond), 10) << "some probes of 150";
  // It is well again: the share rises in steps, each held for a while.
  std::vector<std::uint16_t> steps{share(first)};
  int hours = 0;
  for (; hours < 6 && share(first) != 1000; ++hours)
    for (int i = 0; i < 60; ++i) {
      traffic(1, 3 * kSecond, 3 * kSecond);
      if (share(first) != steps.back()) steps.push_back(share(first));
    }
  EXPECT_EQ(steps, (std::vector<std::uint16_t>{10, 100, 500, 1000})) << "no step is left out and none comes twice";
  EXPECT_EQ(traffic(1, 3 * kSecond, 3 * kSecond), 30);
}

TEST_F(RoutesOfTheBank, ARouteThatRefusesForNowIsLeftAndWhatItRefusesThenGoesTheOtherWay) {
  open();
  // The first refuses everything for now, the second takes everything.
  const auto one_refused = [this] {
    const std::string id = house->send(api, House::submit("sms", "38067" + std::to_string(1'000'000 + ++sent))).id();
    for (const wire::Deliver& deliver : house->deliveries(first)) house->result(first, deliver.attempt(), wire::Result::RETRY);
    for (const wire::Deliver& deliver : house->deliveries(second)) house->result(second, deliver.attempt(), wire::Result::SENT, {"ok-" + std::to_string(++ids)}, /*receipts=*/false);
    house->pass(2 * kSecond);
    return id;
  };
  for (int i = 0; i < 60 && share(first) == 1000; ++i) one_refused();
  ASSERT_EQ(share(first), 10);
  std::vector<std::string> after;
  for (int i = 0; i < 300; ++i) after.push_back(one_refused());
  std::size_t probes = 0;
  for (const std::string& id : after) {
    const wire::MessageView view = house->view(api, id);
    EXPECT_NE(view.state(), wire::FAILED);
    probes += view.attempt_size() > 1;
  }
  EXPECT_GE(probes, 1U) << "what the first was given to try went the other way then";
  EXPECT_LE(probes, 30U);
}

TEST_F(RoutesOfTheBank, WhereBothAreBadATryThatFailedGoesByTheOther) {
  open();
  traffic(8, 90 * kSecond, 3 * kSecond);
  traffic(8, 90 * kSecond, 90 * kSecond);
  ASSERT_EQ(share(first), 10);
  ASSERT_EQ(share(second), 10);
  house->send(api, House::submit("sms", "380671999999"));
  const std::vector<wire::Deliver> by_first = house->deliveries(first), by_second = house->deliveries(second);
  ASSERT_EQ(by_first.size() + by_second.size(), 1U);
  const PeerId had = by_first.empty() ? second : first;
  house->result(had, (by_first.empty() ? by_second : by_first)[0].attempt(), wire::Result::RETRY);
  house->pass(2 * kSecond);
  EXPECT_EQ(house->deliveries(had == first ? second : first).size(), 1U);
}

TEST_F(RoutesOfTheBank, AFinalRefusalIsTheMessagesFault) {
  open();
  for (int i = 0; i < 60; ++i) {
    house->send(api, House::submit("sms", "38067" + std::to_string(1'000'000 + i)));
    for (const wire::Deliver& deliver : house->deliveries(first)) house->result(first, deliver.attempt(), wire::Result::REFUSED);
    house->pass(2 * kSecond);
  }
  EXPECT_EQ(share(first), 1000);
}

TEST_F(RoutesOfTheBank, WhereNoOtherIsLeftABadRouteTakesEverything) {
  open("");   // the second is for another network alone
  traffic(8, 90 * kSecond, 0);
  EXPECT_EQ(share(first), 10);
  EXPECT_EQ(traffic(1, 90 * kSecond, 0), 30);
}

TEST_F(RoutesOfTheBank, TheOtherOfTwoTakesAllWhenTheSecondIsAway) {
  open();
  traffic(8, 90 * kSecond, 3 * kSecond);
  ASSERT_EQ(share(first), 10);
  house->leave(second);
  due.clear();
  house->turn();
  house->send(api, House::submit("sms", "380671999999"));
  EXPECT_EQ(house->deliveries(first).size(), 1U);
}

TEST_F(RoutesOfTheBank, ReceiptsThatNeverComeAreFailures) {
  open();
  traffic(8, 1000 * kMinute, 3 * kSecond);
  EXPECT_EQ(share(first), 10);
}

TEST_F(RoutesOfTheBank, NothingMovesWhereNobodyMeasures) {
  open(std::string("[routes_health]\nmeasured = false\n") + kSecondRoute);
  EXPECT_EQ(traffic(8, 90 * kSecond, 3 * kSecond), 240);
}

TEST_F(RoutesOfTheBank, TheShareIsAMetric) {
  open();
  traffic(8, 90 * kSecond, 3 * kSecond);
  EXPECT_NE(house->vault().queries().metrics_text().find("postern_connector_share{connector=\"sms\"} 10\n"), std::string::npos);
}

}  // namespace
}  // namespace postern::vault
