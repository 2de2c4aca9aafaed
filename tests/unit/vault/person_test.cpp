// SPDX-License-Identifier: Apache-2.0
// Persons: erased for good, while the others stay; one-time codes: unreadable once they have arrived.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

constexpr const char *kAnna = "380671111111", *kBoris = "380672222222";

class Person : public testing::Test {
 protected:
  House house;
  PeerId api = house.join("api"), sms = house.join("sms");

  std::string stored(const std::string& phone, wire::Category category = wire::SERVICE, const std::string& reference = {}) {
    wire::Submit submit = House::submit("sms", phone, category);
    submit.mutable_recipient()->set_reference(reference);
    return house.send(api, submit).id();
  }

  template <class Work>
  void in_turn(const Work& work) { ASSERT_TRUE(house.vault().turn(work).has_value()); }
  bool readable(const std::string& id) {
    bool some = false;
    in_turn([&](Turn& turn) {
      const Flight* flight = turn.find(MessageId::parse(id)->key);
      some = flight != nullptr && turn.content(*flight) != nullptr;
    });
    return some;
  }
  std::uint64_t person(const std::string& phone) { return person_of(house.vault().context().keys, "", phone); }
  std::uint64_t erase(const std::string& phone) {
    const Result<std::uint64_t> leaf = house.vault().erase(person(phone), "admin");
    EXPECT_TRUE(leaf.has_value()) << (leaf ? "" : leaf.what());
    return leaf.value_or(0);
  }
  void settle() {
    for (int i = 0; i < 1000 && house.vault().more(); ++i) house.turn();
    house.turn();
    ASSERT_FALSE(house.vault().more());
  }
  void restart() {
    house.reopen();
    api = house.join("api");
    sms = house.join("sms");
  }
  // Deliveries are not repeated: contents are not kept in memory between turns.
  std::vector<std::string> reasons(const std::string& id) {
    std::vector<std::string> all;
    in_turn([&](Turn& turn) {
      for (const audit::Leaf& leaf : house.leaves())
        if (leaf.message == *MessageId::parse(id))
          for (const auto& [field, text] : turn.body_of(leaf).value_or(audit::Body{})) all.push_back(text);
    });
    return all;
  }
};

TEST_F(Person, IsErasedAndTheOthersStay) {
  const std::string anna = stored(kAnna), boris = stored(kBoris);
  EXPECT_TRUE(readable(anna));
  EXPECT_FALSE(reasons(anna).empty());
  const std::uint64_t leaf = erase(kAnna);
  EXPECT_FALSE(readable(anna));
  settle();
  EXPECT_FALSE(readable(anna));
  EXPECT_TRUE(reasons(anna).empty()) << "what the log knows of the person is lost with the key";
  EXPECT_TRUE(readable(boris));
  EXPECT_FALSE(reasons(boris).empty());
  const std::optional<std::string> certificate = house.vault().erasure_certificate(person(kAnna), leaf);
  ASSERT_TRUE(certificate.has_value());
  EXPECT_NE(certificate->find("key destroyed by leaf " + std::to_string(leaf)), std::string::npos) << *certificate;
}

TEST_F(Person, IsTheSameByReferenceWhateverTheNumber) {
  const std::string first = stored(kAnna, wire::SERVICE, "C-1"), second = stored(kBoris, wire::SERVICE, "C-1"), other = stored(kAnna);
  ASSERT_TRUE(house.vault().erase(person_of(house.vault().context().keys, "C-1", ""), "admin").has_value());
  settle();
  EXPECT_FALSE(readable(first));
  EXPECT_FALSE(readable(second));
  EXPECT_TRUE(readable(other)) << "without the reference it is somebody else";
}

TEST_F(Person, WhoWasErasedMayBeWrittenToAgain) {
  const std::string before = stored(kAnna);
  erase(kAnna);
  settle();
  const std::string after = stored(kAnna);
  EXPECT_TRUE(readable(after));
  EXPECT_FALSE(readable(before));
}

TEST_F(Person, ErasedLeavesNoTraceInTheFlight) {
  const std::string id = stored(kAnna);
  erase(kAnna);
  settle();
  in_turn([&](Turn& turn) {
    const Flight* flight = turn.find(MessageId::parse(id)->key);
    ASSERT_NE(flight, nullptr);
    EXPECT_EQ(flight->recipient, 0U);
    EXPECT_EQ(flight->person, 0U);
    EXPECT_TRUE(flight->reference.empty());
  });
}

TEST_F(Person, ErasedBeforeItsMessageIsHandedGetsNothing) {
  House quiet;
  const PeerId source = quiet.join("api");
  const std::string id = quiet.send(source, House::submit("sms", kAnna)).id();
  ASSERT_TRUE(quiet.vault().erase(person_of(quiet.vault().context().keys, "", kAnna), "admin").has_value());
  while (quiet.vault().more()) quiet.turn();
  const PeerId channel = quiet.join("sms");
  EXPECT_TRUE(quiet.deliveries(channel).empty());
  EXPECT_EQ(quiet.view(source, id).state(), wire::CANCELLED);
}

TEST_F(Person, ACrashAtAnyMomentOfAnErasureEndsItAtTheNextStart) {
  for (int turns = 0; turns < 6; ++turns) {
    House home;
    const PeerId source = home.join("api");
    std::vector<std::string> ids;
    for (int i = 0; i < 30; ++i) ids.push_back(home.send(source, House::submit("sms", "3806700000" + std::to_string(10 + i))).id());
    const std::uint64_t who = person_of(home.vault().context().keys, "", "380670000010");
    ASSERT_TRUE(home.vault().erase(who, "admin").has_value());
    for (int i = 0; i < turns; ++i) home.turn();
    home.reopen();
    while (home.vault().more()) home.turn();
    home.turn();
    const auto readable_at = [&](const std::string& id) {
      bool some = false;
      EXPECT_TRUE(home.vault().turn([&](Turn& t) {
        const Flight* flight = t.find(MessageId::parse(id)->key);
        some = flight != nullptr && t.content(*flight) != nullptr;
      }).has_value());
      return some;
    };
    EXPECT_FALSE(readable_at(ids[0])) << "crash after " << turns;
    for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_TRUE(readable_at(ids[i])) << "crash after " << turns;
    Keys keys(home.ring());
    const Result<Ring> ring = Ring::open(home.state() + "/ring", keys);
    ASSERT_TRUE(ring.has_value());
    EXPECT_FALSE(ring->has_older()) << "crash after " << turns;
  }
}

// The store of before the erasure, put beside the ring of after it: nothing of the person opens.
TEST_F(Person, CannotComeBackFromAnOldCopyOfTheStore) {
  const std::string id = stored(kAnna);
  const MessageKey key = MessageId::parse(id)->key;
  store::Store& store = house.vault().context().store;
  const Bytes old_root = **store.branch(Branch::kRoot), old_content = **store.content(key);
  EXPECT_FALSE(store.person(person(kAnna))->has_value()) << "nobody needs a row of their own";
  erase(kAnna);
  settle();
  Keys keys(house.ring());
  const Result<Ring> ring = Ring::open(house.state() + "/ring", keys);
  ASSERT_TRUE(ring.has_value());
  EXPECT_FALSE(ring->unwrap_branch(keys, Branch::kRoot, old_root).has_value());
  EXPECT_EQ(FieldKey::holder_of(keys, old_content), person(kAnna));
  // The tree as it is now has no key for her.
  const std::vector<store::BranchRow> branches = *store.branches(0, 100);
  for (const store::BranchRow& row : branches) {
    const std::optional<Branch> branch = ring->unwrap_branch(keys, row.id, row.wrapped);
    ASSERT_TRUE(branch.has_value()) << row.id;
    EXPECT_FALSE(branch->holds(person(kAnna))) << row.id;
  }
  EXPECT_EQ(branches.size(), Branch::kLevels);
}

TEST_F(Person, ManyAreErasedAndNobodyElse) {
  std::vector<std::string> ids, phones;
  for (int i = 0; i < 24; ++i) {
    phones.push_back("3806700000" + std::to_string(10 + i));
    ids.push_back(stored(phones.back()));
  }
  for (std::size_t i = 0; i < ids.size(); i += 3) erase(phones[i]);
  settle();
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(readable(ids[i]), i % 3 != 0) << i;
  restart();
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(readable(ids[i]), i % 3 != 0) << i;
  const std::string again = stored(phones[0]);
  restart();
  EXPECT_TRUE(readable(again));
  EXPECT_FALSE(readable(ids[0]));
  erase(phones[0]);
  settle();
  EXPECT_FALSE(readable(again)) << "the second time as the first";
}

// A version before the tree gave each person a row; who has one keeps its key.
TEST_F(Person, WhoHasAKeyInARowKeepsIt) {
  const Keys keys(house.ring());
  Ring ring = *Ring::open(house.state() + "/ring", keys);
  const FieldKey old = FieldKey::create(keys, person(kAnna));
  in_turn([&](Turn& turn) { turn.batch().persons.push_back({person(kAnna), ring.wrap(keys, old)}); });
  restart();
  const std::string anna = stored(kAnna), boris = stored(kBoris);
  in_turn([&](Turn&) {
    const FieldKey* now = house.vault().context().persons.find(person(kAnna));
    ASSERT_NE(now, nullptr);
    EXPECT_TRUE(now->key().equals(old.key().bytes()));
  });
  house.now += 25 * 3600 * 1000;
  house.turn();
  settle();
  restart();
  EXPECT_TRUE(readable(anna)) << "wrapped anew with the others";
  EXPECT_TRUE(readable(boris));
  erase(kAnna);
  settle();
  restart();
  EXPECT_FALSE(readable(anna));
  EXPECT_TRUE(readable(boris));
}

TEST_F(Person, AnErasureThatIsNotCommittedTookNothing) {
  const std::string anna = stored(kAnna);
  EXPECT_FALSE(house.vault().turn([&](Turn& turn) {
    house.vault().context().persons.erase(person(kAnna), turn.batch());
    turn.fail_with("on purpose");
  }).has_value());
  EXPECT_TRUE(readable(anna));
}

// More than there is locked memory for. Whoever has a key that nothing but the turn knows yet keeps it.
TEST_F(Person, OneTurnMaySpeakToAnyNumber) {
  stored(kAnna);
  erase(kAnna);
  const std::uint64_t anna = person(kAnna);
  in_turn([&](Turn& turn) {
    Persons& persons = house.vault().context().persons;
    const auto code = [&](std::uint64_t number) {
      const FieldKey* key = persons.find_or_make(number, turn.batch());
      return key == nullptr ? Bytes{} : Bytes(key->key().bytes().begin(), key->key().bytes().end());
    };
    const Bytes hers = code(anna), first = code(1);
    for (std::uint64_t number = 1; number <= 40'000; ++number) ASSERT_FALSE(code(number).empty()) << number;
    EXPECT_EQ(code(anna), hers);
    EXPECT_EQ(code(1), first);
    EXPECT_NE(hers, first);
  });
}

TEST_F(Person, TheRingIsRenewedEveryDayAndLosesNobody) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(stored("3806700000" + std::to_string(10 + i)));
  Keys keys(house.ring());
  EXPECT_EQ(Ring::open(house.state() + "/ring", keys)->newest(), 1U);
  house.now += 25 * 3600 * 1000;
  house.turn();
  settle();
  const Result<Ring> ring = Ring::open(house.state() + "/ring", keys);
  EXPECT_EQ(ring->newest(), 2U);
  EXPECT_FALSE(ring->has_older());
  for (const std::string& id : ids) EXPECT_TRUE(readable(id));
  house.reopen();
  for (const std::string& id : ids) EXPECT_TRUE(readable(id));
}

TEST_F(Person, AOneTimeCodeIsUnreadableOnceItHasArrived) {
  const std::string code = stored(kAnna, wire::OTP), other = stored(kAnna, wire::SERVICE);
  const std::vector<wire::Deliver> deliveries = house.deliveries(sms);
  ASSERT_EQ(deliveries.size(), 2U);
  EXPECT_TRUE(readable(code)) << "it may have to go another way";
  for (const wire::Deliver& delivery : deliveries) {
    house.result(sms, delivery.attempt(), wire::Result::SENT, {delivery.id()});
    house.receipt(sms, delivery.id(), wire::DELIVERED);
  }
  EXPECT_EQ(house.view(api, code).state(), wire::REACHED);
  EXPECT_FALSE(readable(code));
  EXPECT_TRUE(readable(other));
  const MessageKey key = MessageId::parse(code)->key;
  EXPECT_FALSE(house.vault().context().store.content(key)->has_value());
  EXPECT_FALSE(house.vault().context().store.content_key(key)->has_value());
}

TEST_F(Person, AOneTimeCodeThatExpiresIsUnreadable) {
  House quiet;
  const PeerId source = quiet.join("api");
  const std::string id = quiet.send(source, House::submit("sms", kAnna, wire::OTP)).id();
  const MessageKey key = MessageId::parse(id)->key;
  EXPECT_TRUE(quiet.vault().context().store.content_key(key)->has_value());
  quiet.pass(2 * 3600 * 1000);
  EXPECT_EQ(quiet.view(source, id).state(), wire::EXPIRED);
  EXPECT_FALSE(quiet.vault().context().store.content_key(key)->has_value());
}

TEST_F(Person, AOneTimeCodeOutlivesARestartWhileItTravels) {
  const std::string id = stored(kAnna, wire::OTP);
  house.reopen();
  EXPECT_TRUE(readable(id));
}

TEST_F(Person, TheTextOfAOneTimeCodeIsCommittedTo) {
  wire::Submit submit = House::submit("sms", kAnna, wire::OTP);
  submit.set_text("Your code is 123456");
  const MessageId id = *MessageId::parse(house.send(api, submit).id());
  const Keys& keys = house.vault().context().keys;
  const std::vector<std::string> told = reasons(id.text());
  EXPECT_NE(std::ranges::find(told, commitments_of(keys, id, "Your code is 123456").front()), told.end());
  EXPECT_EQ(std::ranges::find(told, commitments_of(keys, id, "Your code is 123457").front()), told.end());
}

}  // namespace
}  // namespace postern::vault
