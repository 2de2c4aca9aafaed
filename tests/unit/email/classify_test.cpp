// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/classify.hpp"

#include <gtest/gtest.h>

namespace postern::email {
namespace {

struct Row {
  int code;
  const char* text;
  Stage stage;
  Fate fate;
  const char* reason;
  bool dead;
  RelayFault relay;
};

constexpr RelayFault kNone = RelayFault::none, kAlarm = RelayFault::alarm, kDown = RelayFault::down;

const Row kTable[] = {
    {250, "2.0.0 Ok: queued as 4F", Stage::body, Fate::sent, "", false, kNone},
    {451, "4.3.0 local error", Stage::rcpt, Fate::retry, "smtp-4.3.0", false, kNone},
    {450, "try later", Stage::rcpt, Fate::retry, "smtp-450", false, kNone},
    {421, "4.3.2 closing", Stage::mail, Fate::retry, "smtp-4.3.2", false, RelayFault::closing},
    {450, "4.7.1 greylisted", Stage::rcpt, Fate::retry, "smtp-4.7.1", false, kNone},
    {450, "4.7.28 over the rate", Stage::rcpt, Fate::throttled, "smtp-4.7.28", false, RelayFault::slow_down},
    {421, "4.7.0 too many connections", Stage::connect, Fate::throttled, "smtp-4.7.0", false, RelayFault::closing},
    {452, "message rate exceeded: rate limit", Stage::mail, Fate::throttled, "smtp-452", false, RelayFault::slow_down},
    {452, "4.2.2 mailbox full", Stage::rcpt, Fate::refused, "smtp-4.2.2", false, kNone},
    {552, "5.2.2 mailbox full", Stage::rcpt, Fate::refused, "smtp-5.2.2", false, kNone},
    {550, "5.1.1 no such user", Stage::rcpt, Fate::refused, "smtp-5.1.1", true, kNone},
    {550, "5.1.2 no such domain", Stage::rcpt, Fate::refused, "smtp-5.1.2", true, kNone},
    {501, "5.1.3 bad syntax", Stage::rcpt, Fate::refused, "smtp-5.1.3", true, kNone},
    {550, "5.1.6 moved", Stage::rcpt, Fate::refused, "smtp-5.1.6", true, kNone},
    {556, "5.1.10 null MX", Stage::rcpt, Fate::refused, "smtp-5.1.10", true, kNone},
    {550, "5.2.1 disabled", Stage::body, Fate::refused, "smtp-5.2.1", true, kNone},
    // The same code about the sender says nothing about the recipient.
    {550, "5.1.1 no such user", Stage::mail, Fate::refused, "smtp-5.1.1", false, kNone},
    {550, "5.1.8 bad sender", Stage::rcpt, Fate::refused, "smtp-5.1.8", false, kAlarm},
    {552, "5.3.4 too large", Stage::mail, Fate::refused, "smtp-5.3.4", false, kNone},
    {550, "5.4.4 no route", Stage::rcpt, Fate::refused, "smtp-5.4.4", false, kNone},
    {503, "5.5.1 bad sequence", Stage::data, Fate::refused, "smtp-5.5.1", false, kAlarm},
    {550, "5.6.7 needs SMTPUTF8", Stage::body, Fate::refused, "smtp-5.6.7", false, kNone},
    {550, "5.7.1 policy", Stage::rcpt, Fate::refused, "smtp-5.7.1", false, kAlarm},
    {550, "5.7.26 DMARC", Stage::body, Fate::refused, "smtp-5.7.26", false, kAlarm},
    {550, "rejected, see spamhaus", Stage::rcpt, Fate::refused, "smtp-550", false, kAlarm},
    {550, "no such user", Stage::rcpt, Fate::refused, "smtp-550", false, kNone},
    {554, "transaction failed", Stage::body, Fate::refused, "smtp-554", false, kAlarm},
    {554, "no such user", Stage::rcpt, Fate::refused, "smtp-554", false, kNone},
    {553, "address not allowed", Stage::rcpt, Fate::refused, "smtp-553", false, kNone},
    {535, "5.7.8 wrong", Stage::auth, Fate::refused, "smtp-5.7.8", false, kDown},
    {530, "5.7.0 authenticate first", Stage::mail, Fate::refused, "smtp-5.7.0", false, kDown},
    {554, "5.7.1 go away", Stage::connect, Fate::refused, "smtp-5.7.1", false, kDown},
    {454, "4.7.0 TLS not available", Stage::starttls, Fate::throttled, "smtp-4.7.0", false, RelayFault::slow_down},
    // An enhanced code of another class is none.
    {550, "2.1.1 confused", Stage::rcpt, Fate::refused, "smtp-550", false, kNone},
};

TEST(Classify, FollowsTheTable) {
  for (const Row& row : kTable) {
    const Outcome outcome = classify(Reply{row.code, {row.text}}, row.stage);
    EXPECT_EQ(outcome.fate, row.fate) << row.code << ' ' << row.text;
    EXPECT_EQ(outcome.reason, row.reason) << row.text;
    EXPECT_EQ(outcome.address_dead, row.dead) << row.code << ' ' << row.text;
    EXPECT_EQ(outcome.relay, row.relay) << row.code << ' ' << row.text;
    EXPECT_EQ(outcome.retry_after.count() > 0,
              row.fate == Fate::retry || row.fate == Fate::throttled || row.code == 452)
        << row.code << ' ' << row.text;
  }
}

TEST(Classify, KeepsGreylistedSendersWaitingLonger) {
  EXPECT_EQ(classify(Reply{450, {"4.2.0 greylisted"}}, Stage::rcpt).retry_after, std::chrono::minutes(5));
  EXPECT_EQ(classify(Reply{451, {"4.3.0 later"}}, Stage::rcpt).retry_after, std::chrono::minutes(1));
}

TEST(QueueId, IsReadFromTheUsualServers) {
  const auto id = [](std::string text) { return queue_id(Reply{250, {std::move(text)}}); };
  EXPECT_EQ(id("2.0.0 Ok: queued as 4QyX1234ab"), "4QyX1234ab");
  EXPECT_EQ(id("OK id=1rXyZ0-000abc-Qd"), "1rXyZ0-000abc-Qd");
  EXPECT_EQ(id("2.0.0 12ab34cd Message accepted for delivery"), "12ab34cd");
  EXPECT_EQ(id("2.0.0 fine"), "");
  EXPECT_EQ(id("2.0.0 Ok: queued as <script>"), "");
  EXPECT_EQ(id("queued as " + std::string(65, 'a')), "");
}

}  // namespace
}  // namespace postern::email
