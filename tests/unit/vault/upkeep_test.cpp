// SPDX-License-Identifier: Apache-2.0
// What the store needs now and then: deleting what is not kept any longer, and reading everything again.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "admin/audit/verify.hpp"
#include "gateway/store/sqlite.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

constexpr TimeMs kDay = 24 * 3'600'000;
constexpr const char* kKeep = R"(
[categories.otp]
scenario = "sms"
keep = "1d"
[categories.security]
scenario = "sms"
[categories.transaction]
scenario = "sms"
keep = "4d"
[categories.service]
scenario = "sms"
keep = "2d"
[categories.marketing]
scenario = "sms"
)";

// All of what was begun; the error that an altered store ends it with.
Status keep_up(House& house) {
  Upkeep& upkeep = house.vault().upkeep();
  while (upkeep.busy()) {
    const Status kept = upkeep.step(house.vault().now(), [&](const std::function<void(Turn&)>& work) { return house.vault().turn(work); });
    if (!kept) return kept;
  }
  return {};
}

std::uint64_t scrubbed(House& house) {
  house.vault().upkeep().scrub_now();
  const Status kept = keep_up(house);
  EXPECT_TRUE(kept.has_value()) << kept.what();
  return house.vault().upkeep().facts().rows;
}

class Keeping : public testing::Test {
 protected:
  House house{kKeep, {}, {}, {}, /*own_categories=*/true};
  PeerId api = house.join("api"), sms = house.join("sms");

  std::string reached(wire::Category category, const std::string& key = {}) {
    wire::Submit submit = House::submit("sms", "380671234567", category);
    submit.set_idempotency_key(key);
    if (!key.empty()) submit.set_fingerprint(std::string(32, 'f'));
    const std::string id = house.send(api, submit).id();
    for (const wire::Deliver& delivery : house.deliveries(sms)) {
      house.result(sms, delivery.attempt(), wire::Result::SENT, {delivery.id()});
      house.receipt(sms, delivery.id(), wire::DELIVERED);
    }
    EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
    return id;
  }
  void purge() {
    house.vault().upkeep().purge_now(house.vault().now());
    const Status kept = keep_up(house);
    ASSERT_TRUE(kept.has_value()) << kept.what();
  }
  bool there(const std::string& id) { return !house.view(api, id).id().empty(); }
};

TEST_F(Keeping, EachCategoryForItsOwnTime) {
  const std::string code = reached(wire::OTP), service = reached(wire::SERVICE), payment = reached(wire::TRANSACTION);
  purge();
  EXPECT_TRUE(there(code) && there(service) && there(payment));
  house.now += kDay + 1000;
  purge();
  EXPECT_FALSE(there(code));
  EXPECT_TRUE(there(service) && there(payment));
  house.now += kDay;
  purge();
  EXPECT_FALSE(there(service));
  EXPECT_TRUE(there(payment));
  house.now += 2 * kDay;
  purge();
  EXPECT_FALSE(there(payment));
  const std::vector<audit::Leaf> leaves = house.leaves();
  EXPECT_EQ(std::ranges::count(leaves, EventType::purged, &audit::Leaf::type), 3);
}

TEST_F(Keeping, WhatIsDeletedLeavesNothingBehindButItsLeaves) {
  const std::string code = reached(wire::OTP, "key-1");
  const MessageKey key = MessageId::parse(code)->key;
  store::Store& store = house.vault().context().store;
  EXPECT_FALSE(house.events(api).empty());
  const std::size_t leaves = house.leaves().size();
  house.now += 2 * kDay;
  purge();
  EXPECT_FALSE(store.load(key)->has_value());
  EXPECT_FALSE(store.content(key)->has_value());
  EXPECT_TRUE(house.events(api).empty());
  EXPECT_GT(house.leaves().size(), leaves);
  // The key may be used anew.
  EXPECT_NE(reached(wire::OTP, "key-1"), code);
  EXPECT_GT(scrubbed(house), 0U);
  house.reopen();
}

TEST_F(Keeping, WhatHasNotEndedIsKeptHoweverOld) {
  house.leave(sms);
  house.turn();
  wire::Submit submit = House::submit("sms", "380671234567", wire::OTP);
  submit.set_send_at_ms(static_cast<std::uint64_t>(house.now + 9 * kDay));
  const std::string id = house.send(api, submit).id();
  house.now += 5 * kDay;
  house.turn();
  purge();
  EXPECT_TRUE(there(id));
}

TEST_F(Keeping, ARepliesIdIsNotForgottenBeforeAMessageIs) {
  const PeerId hook = house.join("hook");
  const auto reply = [&] {
    wire::ToVault frame;
    wire::Reply& r = *frame.add_reply();
    r.set_connector("wa");
    r.set_provider_id("wamid-1");
    r.set_from("380671234567");
    r.set_text("yes");
    house.say(hook, std::move(frame));
    house.turn();
    return std::ranges::count(house.leaves(), EventType::replied, &audit::Leaf::type);
  };
  EXPECT_EQ(reply(), 1);
  house.now += kDay / 2;
  purge();
  EXPECT_EQ(reply(), 1) << "told again, it is the same";
  house.now += kDay;
  purge();
  EXPECT_EQ(reply(), 2);
}

TEST_F(Keeping, AFailedTurnBeginsThePassAnew) {
  const std::string code = reached(wire::OTP);
  house.now += 2 * kDay;
  Upkeep& upkeep = house.vault().upkeep();
  upkeep.purge_now(house.vault().now());
  EXPECT_TRUE(upkeep.step(house.now, [&](const std::function<void(Turn&)>& work) {
    return house.vault().turn([&](Turn& turn) {
      work(turn);
      turn.fail_with("as on a full disk");
    });
  }).has_value());
  EXPECT_TRUE(there(code));
  ASSERT_TRUE(keep_up(house).has_value());
  EXPECT_FALSE(there(code));
}

TEST_F(Keeping, ThePagesAreGivenBack) {
  wire::ToVault many;
  for (int i = 0; i < 300; ++i) {
    wire::Submit& submit = *many.add_submit();
    submit = House::submit("sms", "380671234567", wire::OTP);
    submit.set_text(std::string(8000, 'x'));
  }
  house.say(api, std::move(many));
  house.turn();
  wire::ToVault results;
  for (const wire::Deliver& delivery : house.deliveries(sms)) results.MergeFrom(House::result_frame(delivery.attempt(), wire::Result::REFUSED));
  house.say(sms, std::move(results));
  house.turn();
  house.now += 2 * kDay;
  house.turn();
  purge();
  EXPECT_EQ(house.vault().upkeep().facts().purged, 300U);
  EXPECT_GT(house.vault().upkeep().facts().given_back, 100'000U);
}

// ---- scrub ----

TEST(Scrub, FindsNothingInAnHonestStoreWhileItIsWorkedOn) {
  House house;
  const PeerId api = house.join("api"), sms = house.join("sms");
  wire::ToVault many;
  for (int i = 0; i < 600; ++i) *many.add_submit() = House::submit("sms", "38067" + std::to_string(1'000'000 + i));
  house.say(api, std::move(many));
  house.turn();
  house.vault().upkeep().scrub_now();
  int number = 0;
  while (house.vault().upkeep().busy()) {
    ASSERT_TRUE(house.vault().upkeep().step(house.now, [&](const std::function<void(Turn&)>& work) { return house.vault().turn(work); }).has_value());
    house.send(api, House::submit("sms", "38068" + std::to_string(1'000'000 + number++)));
    for (const wire::Deliver& delivery : house.deliveries(sms)) house.result(sms, delivery.attempt(), wire::Result::SENT, {delivery.id()});
  }
  const std::vector<audit::Leaf> leaves = house.leaves();
  EXPECT_EQ(std::ranges::count(leaves, EventType::scrubbed, &audit::Leaf::type), 1);
  EXPECT_GT(house.vault().upkeep().facts().rows, 200U);
}

class Altered : public testing::Test {
 protected:
  House house;
  PeerId api = house.join("api");
  std::string first = house.send(api, House::submit("sms", "380671111111", wire::OTP)).id();
  std::string second = house.send(api, House::submit("sms", "380672222222", wire::OTP)).id();

  // With the store's own key, behind the gateway's back; the generation stays what it was.
  void meddle(const std::string& sql) {
    ASSERT_TRUE(house.vault().publish().has_value());
    house.close();
    {
      const Keys keys(house.ring());
      Result<store::Connection> db = store::open_encrypted(house.state() + "/postern.db", keys.store_key());
      ASSERT_TRUE(db.has_value()) << db.what();
      const Status done = store::run(db->get(), sql.c_str());
      ASSERT_TRUE(done.has_value()) << done.what();
    }
    house.reopen();
    api = house.join("api");
  }
  std::string found() {
    house.vault().upkeep().scrub_now();
    const Status kept = keep_up(house);
    return kept ? "" : kept.what();
  }
};

TEST_F(Altered, ByAnybodyItIsFoundInOneScrubAndRefusedAtTheNextStart) {
  meddle("DELETE FROM content WHERE k = " + std::to_string(MessageId::parse(first)->key));
  EXPECT_NE(found().find("do not add up"), std::string::npos);
  const std::vector<audit::Leaf> leaves = house.leaves();
  EXPECT_EQ(leaves.back().type, EventType::store_altered);
  ASSERT_TRUE(house.vault().publish().has_value());
  const Status opened = house.try_open(Vault::Opening::existing);
  ASSERT_FALSE(opened.has_value());
  ASSERT_TRUE(opened.what().starts_with(store::kRolledBack)) << opened.what();
  // Two persons look at it, and let it go on as it is.
  const Consent consent{"anna, boris", opened.what().substr(store::kRolledBack.size())};
  const Status again = house.try_open(Vault::Opening::existing, &consent);
  ASSERT_TRUE(again.has_value()) << again.what();
  EXPECT_EQ(found(), "");
  house.reopen();
  EXPECT_EQ(found(), "");
}

TEST_F(Altered, TwoRowsExchangedAreFound) {
  const std::string a = std::to_string(MessageId::parse(first)->key), b = std::to_string(MessageId::parse(second)->key);
  meddle("UPDATE content SET k = -1 WHERE k = " + a + "; UPDATE content SET k = " + a + " WHERE k = " + b + "; UPDATE content SET k = " + b + " WHERE k = -1");
  EXPECT_NE(found(), "");
}

TEST_F(Altered, AnAuditLeafThatSaysSomethingElseIsFound) {
  meddle("UPDATE leaf SET data = (SELECT data FROM leaf WHERE seq = 1) WHERE seq = 2");
  EXPECT_NE(found().find("audit leaves"), std::string::npos);
}

TEST_F(Altered, OnTheDiskAPageIsFound) {
  ASSERT_TRUE(house.vault().context().store.fold().has_value());
  ASSERT_TRUE(house.vault().publish().has_value());
  const std::string path = house.state() + "/postern.db";
  const auto size = std::filesystem::file_size(path);
  house.close();
  // The last page of the file: one that opening does not read.
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(size - 2000));
    file.put('\x55');
  }
  const Status opened = house.try_open(Vault::Opening::existing);
  if (!opened) return;  // read at the start, and refused by its code
  EXPECT_NE(found().find("page"), std::string::npos);
}

}  // namespace
}  // namespace postern::vault
