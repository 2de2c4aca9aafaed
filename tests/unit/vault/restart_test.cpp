// SPDX-License-Identifier: Apache-2.0
// The vault ends without a word at every point of a message's life and goes on from what is on disk;
// commits that fail leave nothing behind; files that do not fit are refused.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "admin/audit/verify.hpp"
#include "gateway/store/embedded.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

namespace fs = std::filesystem;

// ---- restart at every point ----

// An OTP by push that nobody confirms, then by SMS, that is delivered. Before step `crash` the vault
// ends and is opened again; connectors come back as the same processes.
std::vector<std::string> story(int crash) {
  House house;
  PeerId api = house.join("api", 1), push = house.join("push", 2), sms = house.join("sms", 3);
  int point = 0;
  const auto perhaps_crash = [&] {
    if (point++ != crash) return;
    house.reopen();
    api = house.join("api", 1);
    push = house.join("push", 2);
    sms = house.join("sms", 3);
  };
  perhaps_crash();
  const std::string id = house.send(api, House::submit("push-sms", "380671234567", wire::OTP)).id();
  const auto attempt_of = [&](PeerId peer) {
    const std::vector<wire::Deliver> all = house.deliveries(peer);
    return all.empty() ? wire::Attempt() : all.back().attempt();
  };
  perhaps_crash();
  const wire::Attempt first = attempt_of(push);
  EXPECT_EQ(first.number(), 1U) << "crash at " << crash;
  perhaps_crash();
  house.result(push, first, wire::Result::SENT, {"p1"});
  perhaps_crash();
  house.pass(10'000);
  perhaps_crash();
  const wire::Attempt second = attempt_of(sms);
  EXPECT_EQ(second.number(), 2U) << "crash at " << crash;
  perhaps_crash();
  house.result(sms, second, wire::Result::SENT, {"s1", "s2"});
  perhaps_crash();
  house.receipt(sms, "s2", wire::DELIVERED);
  perhaps_crash();
  house.receipt(sms, "s1", wire::DELIVERED);
  perhaps_crash();
  house.receipt(push, "p1", wire::DELIVERED);
  perhaps_crash();

  std::vector<std::string> told;
  const wire::MessageView view = house.view(api, id);
  told.push_back("state " + std::to_string(view.state()) + " " + view.reason());
  for (const wire::AttemptView& attempt : view.attempt()) told.push_back(attempt.channel() + " " + std::to_string(attempt.progress()));
  for (const wire::Event& event : house.events(api)) told.push_back("event " + std::to_string(event.progress()) + " " + event.channel());
  for (const audit::Leaf& leaf : house.leaves())
    if (leaf.message.key != 0) told.push_back("leaf " + std::string(name_of(leaf.type)) + " " + std::to_string(leaf.attempt));
  EXPECT_TRUE(house.vault().publish().has_value());
  const Result<auditor::Trust> trust = auditor::read_trust({house.state() + "/audit/vkey"}, {});
  const Result<auditor::Verdict> verdict = auditor::verify({house.state() + "/audit", *trust, {}, {}});
  EXPECT_TRUE(verdict.has_value() && !verdict->bad) << (verdict && verdict->bad ? verdict->bad->what : "");
  return told;
}

TEST(Restart, AtEveryPointOfAMessagesLifeChangesNothingOfItsStory) {
  const std::vector<std::string> undisturbed = story(-1);
  ASSERT_GT(undisturbed.size(), 10U);
  for (int crash = 0; crash <= 10; ++crash) EXPECT_EQ(story(crash), undisturbed) << "crash at point " << crash;
}

TEST(Restart, TimersGoOnWhereTheyWere) {
  House house;
  PeerId api = house.join("api");
  wire::Submit later = House::submit();
  later.set_send_at_ms(static_cast<std::uint64_t>(house.now + 60'000));
  house.send(api, later);
  house.reopen();
  EXPECT_EQ(house.vault().next_wake(), house.now + 60'000);
  const PeerId sms = house.join("sms");
  house.pass(60'000);
  EXPECT_EQ(house.deliveries(sms).size(), 1U);
}

TEST(Restart, AfterALongAbsenceExpiresWhatIsOverAndSendsNothing) {
  House house;
  PeerId api = house.join("api");
  const std::string id = house.send(api, House::submit()).id();
  house.close();
  house.now += 24LL * 3600 * 1000;
  house.reopen();
  const PeerId sms = house.join("sms");
  api = house.join("api");
  house.turn();
  EXPECT_TRUE(house.deliveries(sms).empty());
  EXPECT_EQ(house.view(api, id).state(), wire::EXPIRED);
}

TEST(Restart, CountsWhatStillWaits) {
  House house;
  const PeerId api = house.join("api");
  for (int i = 0; i < 5; ++i) house.send(api, House::submit());
  house.reopen();
  EXPECT_EQ(house.vault().context().metrics.waiting, 5U);
}

TEST(Restart, KeepsTheSmallNumbersOfNames) {
  House house;
  const PeerId sms = house.join("sms");
  const ConnectorId before = house.vault().peers().at(sms).connector;
  house.reopen();
  house.join("mail");
  EXPECT_EQ(house.vault().peers().at(house.join("sms")).connector, before);
}

// ---- files that do not fit ----

TEST(Opening, WithAnotherKeyringIsRefused) {
  House one, two;
  one.send(one.join("api"), House::submit());
  one.close();
  two.close();
  fs::copy_file(one.state() + "/postern.db", two.state() + "/postern.db", fs::copy_options::overwrite_existing);
  fs::remove(two.state() + "/postern.db-wal");
  const Status opened = two.try_open(Vault::Opening::existing);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("another keyring"), std::string::npos) << opened.what();
}

TEST(Opening, AMissingStoreBesideAnOldKeyringIsRefused) {
  House house;
  house.send(house.join("api"), House::submit());
  house.close();
  fs::remove(house.state() + "/postern.db");
  fs::remove(house.state() + "/postern.db-wal");
  fs::remove_all(house.state() + "/audit");
  EXPECT_FALSE(house.try_open(Vault::Opening::existing).has_value());
}

void copy_state(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

TEST(Opening, AnOldCopyOfTheStoreIsRefused) {
  House house;
  PeerId api = house.join("api");
  house.send(api, House::submit());
  house.close();
  const std::string old = house.state() + ".old";
  copy_state(house.state(), old);
  house.reopen();
  api = house.join("api");
  house.send(api, House::submit());
  ASSERT_TRUE(house.vault().publish().has_value());
  house.close();
  for (const char* file : {"/postern.db", "/postern.db-wal", "/postern.db-redo"}) {
    fs::remove(house.state() + file);
    if (fs::exists(old + file)) fs::copy_file(old + file, house.state() + file);
  }
  const Status opened = house.try_open(Vault::Opening::existing);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("rolled back: the store's generation is at"), std::string::npos) << opened.what();
}

TEST(Opening, AStoreOfAnotherHistoryIsRefused) {
  House house;
  PeerId api = house.join("api");
  house.send(api, House::submit());
  ASSERT_TRUE(house.vault().publish().has_value());
  house.close();
  const std::string fork = house.state() + ".fork";
  copy_state(house.state(), fork);
  // This history is published ...
  house.reopen();
  house.send(house.join("api"), House::submit());
  ASSERT_TRUE(house.vault().publish().has_value());
  house.close();
  const std::string published = house.state() + ".published";
  copy_state(house.state(), published);
  // ... and the fork grows further than it.
  copy_state(fork, house.state());
  house.reopen();
  api = house.join("api");
  for (int i = 0; i < 5; ++i) house.send(api, House::submit());
  house.close();
  copy_state(published + "/audit", house.state() + "/audit");
  EXPECT_FALSE(house.try_open(Vault::Opening::existing).has_value());
}

TEST(Opening, ACutRedoLogOfWhatIsPublishedIsRefused) {
  House house;
  const PeerId api = house.join("api");
  for (int i = 0; i < 5; ++i) house.send(api, House::submit());
  ASSERT_TRUE(house.vault().publish().has_value());
  // A crash leaves a redo log; cutting its tail takes whole commits away without any other trace.
  const std::string redo = house.state() + "/postern.db-redo", copy = house.state() + ".crashed";
  copy_state(house.state(), copy);
  house.close();
  copy_state(copy, house.state());
  fs::resize_file(redo, 4000);
  EXPECT_FALSE(house.try_open(Vault::Opening::existing).has_value());
}

// ---- commits that fail ----

// A batch is made to fail by a row that is already there.
Status fail_a_turn(House& house, const std::function<void(Turn&)>& work) {
  return house.vault().turn([&](Turn& turn) {
    work(turn);
    turn.batch().names.emplace_back(1, "another name for a number that is taken");
  });
}

TEST(FailedCommit, LeavesNothingHalfDone) {
  House house;
  const PeerId api = house.join("api"), sms = house.join("sms");
  house.send(api, House::submit());
  house.take(sms);
  const std::size_t leaves = house.leaves().size();
  const std::uint64_t waiting = house.vault().context().metrics.waiting;

  wire::ToVault frame;
  wire::Submit keyed = House::submit();
  keyed.set_idempotency_key("k");
  keyed.set_fingerprint(std::string(32, 'f'));
  *frame.add_submit() = keyed;
  house.say(api, frame);
  ASSERT_FALSE(fail_a_turn(house, [&](Turn& turn) { turn.leaf(EventType::admin_change, {}); }).has_value());
  EXPECT_EQ(house.leaves().size(), leaves);
  EXPECT_EQ(house.vault().context().log.size(), leaves);
  EXPECT_EQ(house.vault().context().metrics.waiting, waiting);

  // The bus closes everybody; they come back, and all is as if the turn had not been.
  house.leave(api);
  house.leave(sms);
  const PeerId again = house.join("api"), sms_again = house.join("sms");
  EXPECT_EQ(house.deliveries(sms_again).size(), 1U) << "the attempt handed before is said again, the lost submit is not there";
  EXPECT_EQ(house.send(again, keyed).outcome(), wire::Verdict::STORED);
  EXPECT_EQ(house.deliveries(sms_again).size(), 1U);
}

TEST(FailedCommit, ForgetsMessagesThatWereAcceptedInIt) {
  House house;
  const PeerId api = house.join("api");
  std::string id;
  ASSERT_FALSE(fail_a_turn(house, [&](Turn& turn) {
    Flight flight;
    flight.id = {house.vault().context().ids.next(turn.now()), 5};
    flight.client = 1;
    flight.accepted_ms = turn.now();
    flight.deadline_ms = turn.now() + 1000;
    flight.plan.push_back({Channel::sms, Until::sent, 0, 0});
    id = flight.id.text();
    turn.accept(flight, Content{"", "", "", {Payload{}}}, {});
  }).has_value());
  EXPECT_TRUE(house.view(api, id).id().empty());
  EXPECT_EQ(house.vault().next_wake(), 0);
  EXPECT_EQ(house.vault().context().metrics.waiting, 0U);
}

TEST(FailedCommit, OfAFullDiskIsOverWhenThereIsSpaceAgain) {
  std::signal(SIGXFSZ, SIG_IGN);
  House house;
  const PeerId api = house.join("api");
  house.send(api, House::submit());
  const auto used = static_cast<rlim_t>(fs::file_size(house.state() + "/postern.db-redo"));
  rlimit before{}, small{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = used;  // the next commit does not fit
  wire::Submit big = House::submit();
  big.set_text(std::string(30'000, 'x'));
  wire::ToVault frame;
  for (int i = 0; i < 3; ++i) *frame.add_submit() = big;
  house.say(api, frame);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status failed = house.turn_once();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(failed.has_value());
  // Whether the vault goes on or asks for a new start, what is on disk is whole and takes messages again.
  if (!house.vault().usable()) house.reopen();
  const PeerId again = house.join("api");
  EXPECT_EQ(house.send(again, big).outcome(), wire::Verdict::STORED);
}

// ---- damaged rows ----

void damage(House& house, const std::string& id, bool content) {
  house.close();
  const Keys keys(house.ring());
  Result<std::unique_ptr<store::Store>> opened = store::open_embedded(house.state() + "/postern.db", keys.suite(), keys.store_key(), keys.sum_key());
  ASSERT_TRUE(opened.has_value());
  const MessageKey key = MessageId::parse(id)->key;
  store::Batch batch;
  if (content) {
    // The contract has no way to change a content, so the row is moved onto another one's key.
    const auto row = (*opened)->load(key);
    ASSERT_TRUE(row.has_value() && row->has_value());
    Flight flight = *decode_flight(key, (**row).data);
    flight.plan[0].payload = 7;  // a payload that the content does not have
    batch.updates.push_back({key, (**row).queue, (**row).lane, (**row).wake_ms, encode(flight)});
  } else {
    batch.updates.push_back({key, {}, 0, 0, Bytes{9, 9, 9}});
  }
  ASSERT_TRUE((*opened)->commit(batch).has_value());
  opened->reset();
  house.reopen();
}

TEST(Damage, OfOneContentDoesNotStopTheOthers) {
  House house;
  PeerId api = house.join("api");
  const std::string bad = house.send(api, House::submit()).id(), good = house.send(api, House::submit()).id();
  damage(house, bad, /*content=*/true);
  api = house.join("api");
  const PeerId sms = house.join("sms");
  const std::vector<wire::Deliver> all = house.deliveries(sms);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].id(), good);
  EXPECT_EQ(house.view(api, bad).state(), wire::FAILED);
}

TEST(Damage, OfARowMetWhileTellingEventsLeavesTheVaultAbleToCommit) {
  House house;
  PeerId api = house.join("api");
  const std::string bad = house.send(api, House::submit()).id();
  wire::Query query;
  query.set_cancel(bad);
  house.ask(api, query);
  damage(house, bad, /*content=*/false);
  // The pull source is told of its client's events after the commit; one of them cannot be read.
  wire::Hello hello;
  hello.set_connector("pull");
  hello.set_instance(1);
  hello.set_wants_events(true);
  house.vault().join("pull", hello, 1);
  (void)house.turn_once();
  const std::size_t leaves = house.leaves().size();
  EXPECT_EQ(house.vault().context().log.size(), leaves) << "the log's end must be where the store's is";
  const Status next = house.vault().turn([](Turn& turn) { turn.leaf(EventType::admin_change, {}); });
  EXPECT_EQ(house.leaves().size(), leaves + 1) << (next ? "" : next.what());
}

}  // namespace
}  // namespace postern::vault
