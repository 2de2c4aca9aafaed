// SPDX-License-Identifier: Apache-2.0
// What clients ask: their messages, cancels, events by poll and by push, confirmations, metrics.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

class Query : public testing::Test {
 protected:
  House house;
  PeerId api = house.join("api");

  std::string stored(wire::Submit submit = House::submit()) { return house.send(api, std::move(submit)).id(); }
  wire::Answer get(const std::string& id, const std::string& identity = kBankUri) {
    wire::Query query;
    query.set_identity(identity);
    query.set_get(id);
    return house.ask(api, query);
  }
  wire::Answer cancel(const std::string& id, const std::string& identity = kBankUri) {
    wire::Query query;
    query.set_identity(identity);
    query.set_cancel(id);
    return house.ask(api, query);
  }
  wire::Query poll(std::uint64_t after, std::uint32_t wait_ms, std::uint32_t limit = 100, std::uint64_t tag = 999) {
    wire::Query query;
    query.set_identity(kBankUri);
    query.set_tag(tag);
    query.mutable_events()->set_after(after);
    query.mutable_events()->set_limit(limit);
    query.mutable_events()->set_wait_ms(wait_ms);
    return query;
  }
  void say(PeerId peer, const wire::Query& query) {
    wire::ToVault frame;
    *frame.add_query() = query;
    house.say(peer, std::move(frame));
    house.turn();
  }
  std::vector<wire::Answer> answers(PeerId peer) {
    const wire::ToConnector all = house.take(peer);
    return {all.answer().begin(), all.answer().end()};
  }
};

TEST_F(Query, AClientSeesItsOwnMessagesOnly) {
  const std::string id = stored();
  EXPECT_EQ(get(id).outcome(), wire::Answer::OK);
  EXPECT_EQ(get(id).message().id(), id);
  EXPECT_EQ(get(id, kOtherUri).outcome(), wire::Answer::NOT_FOUND);
  EXPECT_EQ(get(id, "spiffe://elsewhere/x").outcome(), wire::Answer::CLIENT_UNKNOWN);
}

TEST_F(Query, AnIdIsNotGuessedFromAnother) {
  const std::string id = stored();
  for (std::size_t i = 20; i < id.size(); ++i) {
    if (id[i] == '-') continue;
    std::string other = id;
    other[i] = id[i] == '0' ? '1' : '0';
    EXPECT_EQ(get(other).outcome(), wire::Answer::NOT_FOUND) << other;
  }
  for (const std::string text : {"", "x", "00000000-0000-0000-0000-000000000000"}) EXPECT_EQ(get(text).outcome(), wire::Answer::NOT_FOUND);
}

TEST_F(Query, CancelBeforeTheHandingEndsTheMessageAndAfterItIsTooLate) {
  const std::string id = stored();
  const wire::Answer done = cancel(id);
  EXPECT_EQ(done.outcome(), wire::Answer::OK);
  EXPECT_EQ(done.message().state(), wire::CANCELLED);
  EXPECT_EQ(cancel(id).outcome(), wire::Answer::TOO_LATE);
  const PeerId sms = house.join("sms");
  EXPECT_TRUE(house.deliveries(sms).empty());

  const std::string second = stored();
  ASSERT_EQ(house.deliveries(sms).size(), 1U);
  EXPECT_EQ(cancel(second).outcome(), wire::Answer::TOO_LATE);
  EXPECT_EQ(cancel(second, kOtherUri).outcome(), wire::Answer::NOT_FOUND);
}

TEST_F(Query, ACancelledMessageTellsItsClient) {
  cancel(stored());
  const std::vector<wire::Event> events = house.events(api);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].progress(), wire::CANCELLED);
  EXPECT_EQ(events[0].reason(), "client");
}

// ---- events ----

TEST_F(Query, EventsGoOnFromTheirCursorWithoutLossOrRepetition) {
  for (int i = 0; i < 25; ++i) cancel(stored());
  std::vector<std::uint64_t> seen;
  std::uint64_t cursor = 0;
  for (int page = 0; page < 10; ++page) {
    say(api, poll(cursor, 0, 7));
    const std::vector<wire::Answer> all = answers(api);
    ASSERT_EQ(all.size(), 1U);
    for (const wire::Event& event : all[0].event()) seen.push_back(event.sequence());
    if (all[0].event_size() == 0) {
      EXPECT_EQ(all[0].cursor(), cursor);
      break;
    }
    EXPECT_LE(all[0].event_size(), 7);
    EXPECT_EQ(all[0].cursor(), all[0].event(all[0].event_size() - 1).sequence());
    cursor = all[0].cursor();
  }
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
}

TEST_F(Query, ALongPollWaitsForNewsAndIsAnsweredByIt) {
  const std::string id = stored();
  say(api, poll(0, 30'000));
  EXPECT_TRUE(answers(api).empty());
  house.now += 5000;
  wire::Query other;
  other.set_identity(kBankUri);
  other.set_tag(1);
  other.set_cancel(id);
  say(api, other);
  const std::vector<wire::Answer> all = answers(api);
  const auto found = std::ranges::find(all, 999U, &wire::Answer::tag);
  ASSERT_NE(found, all.end());
  ASSERT_EQ(found->event_size(), 1);
  EXPECT_EQ(found->event(0).progress(), wire::CANCELLED);
}

TEST_F(Query, ALongPollWithoutNewsIsAnsweredEmptyAtItsTime) {
  say(api, poll(5, 30'000));
  EXPECT_EQ(house.vault().next_wake(), house.now + 30'000);
  house.pass(29'999);
  EXPECT_TRUE(answers(api).empty());
  house.pass(1);
  const std::vector<wire::Answer> all = answers(api);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].event_size(), 0);
  EXPECT_EQ(all[0].cursor(), 5U);
  EXPECT_EQ(house.vault().next_wake(), 0);
}

TEST_F(Query, ALongPollWaitsNoLongerThanAMinute) {
  say(api, poll(0, 4'000'000'000U));
  EXPECT_EQ(house.vault().next_wake(), house.now + 60'000);
}

TEST_F(Query, ALongPollIsNotAnsweredByAnotherClientsNews) {
  say(api, poll(0, 30'000));
  wire::Submit submit = House::submit();
  submit.set_identity(kOtherUri);
  const std::string id = house.send(api, submit).id();
  cancel(id, kOtherUri);
  EXPECT_TRUE(answers(api).empty());
}

TEST_F(Query, ALongPollOfAConnectionThatWentIsForgotten) {
  say(api, poll(0, 30'000));
  house.leave(api);
  EXPECT_EQ(house.vault().next_wake(), 0);
}

TEST_F(Query, APullSourceIsToldItsClientsEventsAndGoesOnWhereItAcknowledged) {
  const PeerId pull = house.join("pull", 1, 0, /*wants_events=*/true);
  for (int i = 0; i < 3; ++i) cancel(stored());
  wire::ToConnector heard = house.take(pull);
  ASSERT_EQ(heard.event_size(), 3);
  wire::ToVault frame;
  frame.set_event_cursor(heard.event(1).sequence());
  house.say(pull, frame);
  house.turn();
  house.leave(pull);
  const PeerId again = house.join("pull", 2, 0, true);
  const wire::ToConnector repeated = house.take(again);
  ASSERT_EQ(repeated.event_size(), 1);
  EXPECT_EQ(repeated.event(0).sequence(), heard.event(2).sequence());
}

TEST_F(Query, APullSourceThatLagsGetsAllEventsAsItAcknowledgesThem) {
  constexpr int kCount = 6000;
  for (int round = 0; round < kCount / 1000; ++round) {
    wire::ToVault submits, cancels;
    for (int i = 0; i < 1000; ++i) *submits.add_submit() = House::submit();
    house.say(api, std::move(submits));
    house.turn();
    for (const wire::Verdict& verdict : house.verdicts(api)) {
      wire::Query& query = *cancels.add_query();
      query.set_identity(kBankUri);
      query.set_cancel(verdict.id());
    }
    house.say(api, std::move(cancels));
    house.turn();
    house.take(api);
  }
  const PeerId pull = house.join("pull", 1, 0, true);
  std::size_t got = 0, most = 0;
  std::uint64_t cursor = 0;
  for (int guard = 0; guard < 100 && got < kCount; ++guard) {
    const wire::ToConnector heard = house.take(pull);
    most = std::max(most, static_cast<std::size_t>(heard.event_size()));
    for (const wire::Event& event : heard.event()) {
      EXPECT_GT(event.sequence(), cursor);
      cursor = event.sequence();
      ++got;
    }
    wire::ToVault frame;
    frame.set_event_cursor(cursor);
    house.say(pull, frame);
    house.turn();
  }
  EXPECT_EQ(got, static_cast<std::size_t>(kCount));
  EXPECT_LT(most, static_cast<std::size_t>(kCount)) << "what is not acknowledged must stay bounded";
}

// ---- confirmations and metrics ----

class Confirm : public Query {
 protected:
  wire::Answer confirm(const std::string& id, const std::string& identity, wire::Progress progress = wire::DELIVERED) {
    wire::Query query;
    query.set_identity(identity);
    query.mutable_app_receipt()->set_id(id);
    query.mutable_app_receipt()->set_progress(progress);
    return house.ask(api, query);
  }
};

TEST_F(Confirm, TheBanksAppConfirmsEveryClientsPush) {
  const PeerId push = house.join("push");
  const std::string id = stored(House::submit("push-sms", "380671234567", wire::OTP));
  EXPECT_EQ(confirm(id, "spiffe://bank.example/app").outcome(), wire::Answer::OK);
  EXPECT_EQ(house.view(api, id).state(), wire::REACHED);
  EXPECT_EQ(house.deliveries(push).size(), 1U);
}

TEST_F(Confirm, AClientConfirmsItsOwnAndNoOthers) {
  house.join("push");
  const std::string id = stored(House::submit("push-sms", "380671234567", wire::OTP));
  EXPECT_EQ(confirm(id, kOtherUri).outcome(), wire::Answer::NOT_FOUND);
  EXPECT_EQ(confirm(id, kBankUri).outcome(), wire::Answer::OK);
}

TEST_F(Confirm, SaysNothingOfWhatWasNotHandedOrIsNoPush) {
  const std::string waiting = stored(House::submit("push-sms", "380671234567", wire::OTP));
  EXPECT_EQ(confirm(waiting, kBankUri).outcome(), wire::Answer::TOO_LATE);
  house.join("sms");
  EXPECT_EQ(confirm(stored(), kBankUri).outcome(), wire::Answer::TOO_LATE);
  EXPECT_EQ(confirm(waiting, kBankUri, wire::SENT).outcome(), wire::Answer::BAD_REQUEST);
  EXPECT_EQ(confirm("nonsense", kBankUri).outcome(), wire::Answer::NOT_FOUND);
}

TEST_F(Query, MetricsAreForThoseWhoMayReadThem) {
  stored();
  wire::Query query;
  query.set_metrics(true);
  query.set_identity(kOtherUri);
  EXPECT_EQ(house.ask(api, query).outcome(), wire::Answer::FORBIDDEN);
  query.set_identity(kBankUri);
  const std::string text = house.ask(api, query).metrics();
  EXPECT_NE(text.find("postern_messages_accepted_total{category=\"service\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("postern_submits_total{client=\"core\",verdict=\"stored\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("postern_messages_waiting 1\n"), std::string::npos);
  EXPECT_NE(text.find("postern_connector_up{connector=\"api\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("postern_connector_up{connector=\"sms\"} 0\n"), std::string::npos);
}

TEST_F(Query, AnEmptyQuestionIsABadOne) {
  wire::Query query;
  query.set_identity(kBankUri);
  EXPECT_EQ(house.ask(api, query).outcome(), wire::Answer::BAD_REQUEST);
}

}  // namespace
}  // namespace postern::vault
