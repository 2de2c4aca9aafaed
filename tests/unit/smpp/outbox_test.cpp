// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/outbox.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

namespace postern::smpp {
namespace {

using Outcome = Action::Outcome;
using wire::Result;

class SmppOutbox : public testing::Test {
 protected:
  SmppOutbox() { settings.sender = "MyBank"; }

  Settings settings;
  std::vector<Result> results;
  std::vector<wire::Receipt> receipts;
  Outbox::Now now{5'000, 1'795'350'000'000};
  std::uint64_t next_message = 1;
  Outbox outbox{settings,
                100,
                {[this](Result&& r) { results.push_back(std::move(r)); },
                 [this](wire::Receipt&& r) { receipts.push_back(std::move(r)); }}};

  wire::Deliver deliver(std::string text, wire::Category category = wire::TRANSACTION) {
    wire::Deliver made;
    made.mutable_attempt()->set_message(next_message++);
    made.mutable_attempt()->set_number(1);
    made.set_category(category);
    made.set_expires_ms(static_cast<std::uint64_t>(now.wall + 600'000));
    made.set_address("48500100200");
    made.set_text(std::move(text));
    return made;
  }
  wire::Attempt add(std::string text, wire::Category category = wire::TRANSACTION) {
    wire::Deliver made = deliver(std::move(text), category);
    const wire::Attempt attempt = made.attempt();
    outbox.add(std::move(made), now);
    return attempt;
  }
  static std::string parts_of(int count) {
    std::string text;
    for (int i = 0; i < count * 67; ++i) text += "Ж";
    return text;
  }
  // Takes the next message and every part that can be sent of it.
  std::vector<std::uint64_t> send_all() {
    std::vector<std::uint64_t> tickets;
    while (const auto message = outbox.next_message(now)) {
      while (const auto part = outbox.next_part(*message, now)) tickets.push_back(part->ticket);
      outbox.release(*message, now);
    }
    return tickets;
  }
  Outbox::Advice answer(std::uint64_t ticket, Outcome outcome, std::uint32_t status = 0, std::string id = {}) {
    Action action;
    action.kind = Action::Kind::answered;
    action.ticket = ticket;
    action.outcome = outcome;
    action.status = status;
    action.message_id = std::move(id);
    return outbox.answered(action, now);
  }
  Result only_result() {
    EXPECT_EQ(results.size(), 1U);
    Result one = results.empty() ? Result() : results.front();
    results.clear();
    EXPECT_TRUE(outbox.empty());
    return one;
  }
};

TEST_F(SmppOutbox, SendsATextWithEverythingTheSmsCentreNeeds) {
  add("Kod 123456", wire::OTP);
  const auto message = outbox.next_message(now);
  ASSERT_TRUE(message);
  const auto part = outbox.next_part(*message, now);
  ASSERT_TRUE(part);
  const SubmitSm& submit = part->submit;
  EXPECT_EQ(submit.source.value, "MyBank");
  EXPECT_EQ(submit.source.ton, 5);
  EXPECT_EQ(submit.destination.value, "48500100200");
  EXPECT_EQ(submit.destination.ton, 1);
  EXPECT_EQ(submit.destination.npi, 1);
  EXPECT_EQ(submit.validity, "000000001000000R");
  EXPECT_EQ(submit.registered_delivery, 1);
  EXPECT_EQ(submit.data_coding, 0);
  EXPECT_EQ(as_text(submit.short_message), "Kod 123456");
  EXPECT_TRUE(submit.user_message_reference);
  EXPECT_FALSE(outbox.next_part(*message, now));
  answer(part->ticket, Outcome::accepted, 0, "0A1B");
  const Result result = only_result();
  EXPECT_EQ(result.kind(), Result::SENT);
  EXPECT_EQ(result.provider_id(0), "0A1B");
  EXPECT_TRUE(result.receipts());
}

TEST_F(SmppOutbox, PromisesNoReceiptsWithoutAnId) {
  add("x");
  answer(send_all().at(0), Outcome::accepted);
  EXPECT_FALSE(only_result().receipts());
}

TEST_F(SmppOutbox, ServesUrgentCategoriesFirst) {
  add("a", wire::MARKETING);
  add("b", wire::SERVICE);
  add("c", wire::OTP);
  std::string order;
  while (const auto message = outbox.next_message(now))
    order += as_text(outbox.next_part(*message, now)->submit.short_message);
  EXPECT_EQ(order, "cba");
}

TEST_F(SmppOutbox, AnswersOnceForAllPartsWithTheirIdsInOrder) {
  add(parts_of(3));
  const std::vector<std::uint64_t> tickets = send_all();
  ASSERT_EQ(tickets.size(), 3U);
  answer(tickets[2], Outcome::accepted, 0, "3");
  answer(tickets[0], Outcome::accepted, 0, "1");
  EXPECT_TRUE(results.empty());
  answer(tickets[1], Outcome::accepted, 0, "2");
  const Result result = only_result();
  EXPECT_EQ(result.kind(), Result::SENT);
  ASSERT_EQ(result.provider_id_size(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(result.provider_id(i), std::to_string(i + 1));
}

TEST_F(SmppOutbox, MapsStatusClassesToResults) {
  struct Case {
    std::uint32_t status;
    Result::Kind kind;
    Outbox::Advice advice;
  };
  for (const Case& c : {Case{0x58, Result::THROTTLED, Outbox::Advice::slow_down},
                        {0x14, Result::THROTTLED, Outbox::Advice::slow_down},
                        {0x08, Result::RETRY, Outbox::Advice::none},
                        {0x04, Result::RETRY, Outbox::Advice::reconnect},
                        {0x0b, Result::REFUSED, Outbox::Advice::none},
                        {0x0a, Result::REFUSED, Outbox::Advice::none},
                        {0x01, Result::REFUSED, Outbox::Advice::none},
                        {0x411, Result::RETRY, Outbox::Advice::none}}) {
    add("x");
    EXPECT_EQ(answer(send_all().at(0), Outcome::refused, c.status), c.advice) << c.status;
    const Result result = only_result();
    EXPECT_EQ(result.kind(), c.kind) << c.status;
    EXPECT_EQ(result.reason(), reason_word(c.status));
    EXPECT_EQ(result.address_dead(), c.status == 0x0b);
    EXPECT_EQ(result.retry_after_ms() > 0, c.kind != Result::REFUSED);
  }
}

TEST_F(SmppOutbox, SendsNoFurtherPartOnceOneIsRefused) {
  add(parts_of(3));
  const auto message = outbox.next_message(now);
  const auto first = outbox.next_part(*message, now);
  answer(first->ticket, Outcome::accepted, 0, "1");
  const auto second = outbox.next_part(*message, now);
  const std::uint64_t ticket = second->ticket;
  answer(ticket, Outcome::refused, 0x0b);
  EXPECT_FALSE(outbox.next_part(*message, now));
  const Result result = only_result();
  EXPECT_EQ(result.kind(), Result::REFUSED);
  EXPECT_EQ(result.reason(), "smsc-0x0000000b part 2 of 3");
}

TEST_F(SmppOutbox, RepeatsAPartAloneWhenOthersAreAccepted) {
  add(parts_of(2));
  std::vector<std::uint64_t> tickets = send_all();
  answer(tickets[0], Outcome::accepted, 0, "1");
  answer(tickets[1], Outcome::refused, 0x58);
  EXPECT_TRUE(results.empty());
  EXPECT_FALSE(outbox.next_message(now));
  now.steady = outbox.next_retry();
  tickets = send_all();
  ASSERT_EQ(tickets.size(), 1U);
  answer(tickets[0], Outcome::accepted, 0, "2");
  EXPECT_EQ(only_result().provider_id_size(), 2);
}

TEST_F(SmppOutbox, RefusesAPartThatIsRepeatedInVain) {
  add(parts_of(2));
  std::vector<std::uint64_t> tickets = send_all();
  answer(tickets[0], Outcome::accepted, 0, "1");
  answer(tickets[1], Outcome::refused, 0x08);
  int tries = 1;
  for (; results.empty() && tries < 20; ++tries) {
    now.steady = outbox.next_retry();
    answer(send_all().at(0), Outcome::refused, 0x08);
  }
  EXPECT_EQ(tries, Outbox::kPartTries);
  EXPECT_EQ(only_result().reason(), "smsc-0x00000008 part 2 of 2");
}

TEST_F(SmppOutbox, GivesTheWholeBackWhenNothingWasAccepted) {
  add(parts_of(2));
  const std::vector<std::uint64_t> tickets = send_all();
  answer(tickets[0], Outcome::refused, 0x58);
  EXPECT_TRUE(results.empty());  // the second one is still out
  answer(tickets[1], Outcome::refused, 0x58);
  EXPECT_EQ(only_result().kind(), Result::THROTTLED);
}

TEST_F(SmppOutbox, IsUnknownWhenAPartHasNoAnswer) {
  add(parts_of(2));
  const std::vector<std::uint64_t> tickets = send_all();
  answer(tickets[0], Outcome::accepted, 0, "1");
  answer(tickets[1], Outcome::lost);
  const Result result = only_result();
  EXPECT_EQ(result.kind(), Result::UNKNOWN);
  EXPECT_EQ(result.reason(), "smsc-no-answer part 2 of 2");
  EXPECT_EQ(result.provider_id_size(), 1);
}

TEST_F(SmppOutbox, SettlesTheDoubtByALateAnswer) {
  const wire::Attempt attempt = add("x");
  const std::uint64_t ticket = send_all().at(0);
  answer(ticket, Outcome::timed_out);
  EXPECT_EQ(only_result().kind(), Result::UNKNOWN);
  Action late;
  late.kind = Action::Kind::late_answer;
  late.ticket = ticket;
  late.outcome = Outcome::accepted;
  late.message_id = "77";
  outbox.answered(late, now);
  outbox.answered(late, now);
  ASSERT_EQ(receipts.size(), 1U);
  EXPECT_EQ(receipts[0].attempt().message(), attempt.message());
  EXPECT_EQ(receipts[0].provider_id(), "77");
  EXPECT_EQ(receipts[0].progress(), wire::SENT);
}

TEST_F(SmppOutbox, SendsOverAnotherSessionWhatNeverLeft) {
  add(parts_of(2));
  const auto message = outbox.next_message(now);
  const std::uint64_t first = outbox.next_part(*message, now)->ticket, second = outbox.next_part(*message, now)->ticket;
  outbox.release(*message, now);
  answer(first, Outcome::not_sent);
  answer(second, Outcome::not_sent);
  EXPECT_TRUE(results.empty());
  const std::vector<std::uint64_t> again = send_all();
  ASSERT_EQ(again, (std::vector{first, second}));
  answer(first, Outcome::accepted, 0, "1");
  answer(second, Outcome::accepted, 0, "2");
  EXPECT_EQ(only_result().kind(), Result::SENT);
}

TEST_F(SmppOutbox, KeepsAMessageWithItsSessionUntilReleased) {
  add(parts_of(2));
  const auto message = outbox.next_message(now);
  const auto part = outbox.next_part(*message, now);
  answer(part->ticket, Outcome::accepted, 0, "1");
  EXPECT_FALSE(outbox.next_message(now));  // the session still has a part to send
  outbox.release(*message, now);           // the session is gone
  EXPECT_EQ(outbox.next_message(now), message);
}

TEST_F(SmppOutbox, NeverSendsAfterTheDeadline) {
  wire::Deliver late = deliver("x");
  late.set_expires_ms(static_cast<std::uint64_t>(now.wall));
  outbox.add(std::move(late), now);
  EXPECT_EQ(only_result().reason(), "expired");

  add("y");
  now.wall += 600'000;
  const auto message = outbox.next_message(now);
  ASSERT_TRUE(message);
  EXPECT_FALSE(outbox.next_part(*message, now));
  const Result result = only_result();
  EXPECT_EQ(result.kind(), Result::REFUSED);
  EXPECT_EQ(result.reason(), "expired");
}

TEST_F(SmppOutbox, StopsAHalfSentMessageAtItsDeadline) {
  add(parts_of(2));
  const auto message = outbox.next_message(now);
  const auto part = outbox.next_part(*message, now);
  answer(part->ticket, Outcome::accepted, 0, "1");
  now.wall += 600'000;
  EXPECT_FALSE(outbox.next_part(*message, now));
  EXPECT_EQ(only_result().reason(), "expired part 2 of 2");
}

TEST_F(SmppOutbox, CancelsOnlyWhatHasNotLeft) {
  const wire::Attempt waiting = add("x");
  outbox.cancel(waiting);
  EXPECT_EQ(only_result().reason(), "cancelled");
  EXPECT_TRUE(send_all().empty());

  const wire::Attempt sent = add("y");
  const std::uint64_t ticket = send_all().at(0);
  outbox.cancel(sent);
  EXPECT_TRUE(results.empty());
  answer(ticket, Outcome::accepted, 0, "1");
  EXPECT_EQ(only_result().kind(), Result::SENT);
  outbox.cancel(sent);
  EXPECT_TRUE(results.empty());
}

TEST_F(SmppOutbox, RefusesWhatNoSmsCentreCouldTake) {
  const auto reason = [&](const std::function<void(wire::Deliver&)>& change) {
    wire::Deliver made = deliver("x");
    change(made);
    outbox.add(std::move(made), now);
    return only_result().reason();
  };
  for (const char* address : {"", "123456", "1234567890123456", "+48500100200", "48500a00200"})
    EXPECT_EQ(reason([&](wire::Deliver& d) { d.set_address(address); }), "address-invalid") << address;
  for (const char* sender : {"TwelveLetter", "Bank!", "Банк", "1234567890123456"})
    EXPECT_EQ(reason([&](wire::Deliver& d) { d.set_sender(sender); }), "sender-invalid") << sender;
  EXPECT_EQ(reason([](wire::Deliver& d) { d.set_text(""); }), "text-empty");
  EXPECT_EQ(reason([](wire::Deliver& d) { d.set_text(parts_of(7)); }), "text-too-long");
}

TEST_F(SmppOutbox, TellsTheKindOfASender) {
  const auto kind = [&](std::string_view sender) {
    const auto found = sender_kind(sender, settings);
    return found ? std::pair<int, int>{found->ton, found->npi} : std::pair{-1, -1};
  };
  EXPECT_EQ(kind("MyBank"), (std::pair{5, 0}));
  EXPECT_EQ(kind("7300"), (std::pair{3, 0}));
  EXPECT_EQ(kind("48500100200"), (std::pair{1, 1}));
  EXPECT_EQ(kind(""), (std::pair{0, 0}));
  EXPECT_EQ(kind("Bank-24"), (std::pair{5, 0}));
}

TEST_F(SmppOutbox, WritesTheRemainingLifeInEachForm) {
  EXPECT_EQ(validity_text(settings, 90'061'999, 0), "000001010101000R");
  EXPECT_EQ(validity_text(settings, 500, 0), "000000000001000R");
  EXPECT_EQ(validity_text(settings, 365LL * 86'400'000, 0), "000003000000000R");  // capped at max_validity
  settings.validity = Validity::absolute;
  EXPECT_EQ(validity_text(settings, 1'795'350'600'000, 1'795'350'000'000), "261122123000000+");
  settings.validity = Validity::none;
  EXPECT_EQ(validity_text(settings, 600'000, 0), "");
}

TEST_F(SmppOutbox, GivesBackWhatWaitsTooLongForASession) {
  add("x");
  outbox.sweep(now, 3'000, 9'000);
  EXPECT_TRUE(results.empty());
  now.steady += 3'000;
  outbox.sweep(now, 3'000, 9'000);
  const Result result = only_result();
  EXPECT_EQ(result.kind(), Result::RETRY);
  EXPECT_EQ(result.reason(), "smsc-unbound");
  EXPECT_EQ(result.retry_after_ms(), 9'000U);
}

TEST_F(SmppOutbox, SendsNothingMoreWhileDraining) {
  add("waiting");
  add("under way");
  add(parts_of(2));
  const auto first = outbox.next_message(now);  // "waiting" is taken by a session but not sent
  const auto second = outbox.next_message(now);
  const std::uint64_t under_way = outbox.next_part(*second, now)->ticket;
  const auto third = outbox.next_message(now);
  const std::uint64_t half = outbox.next_part(*third, now)->ticket;
  outbox.drain(now);
  EXPECT_EQ(results.size(), 1U);
  answer(under_way, Outcome::accepted, 0, "1");
  answer(half, Outcome::accepted, 0, "2");
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].kind(), Result::RETRY);
  EXPECT_EQ(results[1].kind(), Result::SENT);
  EXPECT_EQ(results[2].kind(), Result::UNKNOWN);
  EXPECT_EQ(results[2].reason(), "drain-half-sent");
  EXPECT_FALSE(outbox.next_part(*first, now));
  results.clear();
  add("late");
  EXPECT_EQ(only_result().kind(), Result::RETRY);
}

TEST_F(SmppOutbox, GivesExactlyOneResultWhateverThePeerDoes) {
  std::minstd_rand random(11);
  for (int round = 0; round < 300; ++round) {
    const std::size_t before = results.size();
    std::vector<std::uint64_t> tickets;
    for (int i = 0; i < 5; ++i) add(parts_of(1 + static_cast<int>(random() % 4)));
    for (int step = 0; step < 500 && results.size() < before + 5; ++step) {
      now.steady += 500;
      for (const std::uint64_t ticket : send_all()) tickets.push_back(ticket);
      std::shuffle(tickets.begin(), tickets.end(), random);
      if (tickets.empty()) continue;
      const std::uint64_t ticket = tickets.back();
      tickets.pop_back();
      const auto outcome = static_cast<Outcome>(random() % 5);
      constexpr std::uint32_t kStatuses[] = {0x58, 0x08, 0x0b, 0x04};
      answer(ticket, outcome, outcome == Outcome::refused ? kStatuses[random() % 4] : 0, "id");
      if (random() % 4 == 0) answer(ticket, Outcome::accepted, 0, "twice");
    }
    EXPECT_EQ(results.size(), before + 5);
    EXPECT_TRUE(outbox.empty());
  }
}

}  // namespace
}  // namespace postern::smpp
