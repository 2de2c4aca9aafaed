// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/session.hpp"

#include <gtest/gtest.h>

namespace postern::email {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kNow = 1'795'349'647'000;

Mail mail(std::string to = "anna@customers.test") {
  Mail one;
  one.envelope_id = "00000000000000ff-1";
  one.from = "bounces@bank.test";
  one.to = std::move(to);
  one.content = "Subject: s\r\n\r\n.dot\r\ntext\r\n";
  one.expires_ms = kNow + 60'000;
  return one;
}

class SessionTest : public testing::Test {
 protected:
  SessionOptions options() {
    SessionOptions o;
    o.hello = "gw.bank.test";
    o.timeouts.data_end = 10min;
    return o;
  }

  // A session that has come through TLS and the second EHLO with these offers.
  Session ready(std::string_view offers, SessionOptions o) {
    Session session(std::move(o));
    session.connected();
    session.received("220 relay\r\n", kNow);
    session.received("250-relay\r\n250 STARTTLS\r\n", kNow);
    EXPECT_TRUE(session.received("220 go\r\n", kNow).start_tls);
    EXPECT_EQ(session.tls_ready().write, "EHLO gw.bank.test\r\n");
    last_ = session.received("250-relay\r\n250 " + std::string(offers) + "\r\n", kNow);
    return session;
  }
  Session ready(std::string_view offers = "PIPELINING") { return ready(offers, options()); }

  Action last_;
};

constexpr const char* kBody = "Subject: s\r\n\r\n..dot\r\ntext\r\n.\r\n";

TEST_F(SessionTest, SaysNothingButEhloAndStarttlsBeforeTls) {
  Session session(options());
  EXPECT_EQ(session.connected().write, "");
  EXPECT_EQ(session.received("220 relay\r\n", kNow).write, "EHLO gw.bank.test\r\n");
  EXPECT_EQ(session.received("250-relay\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", kNow).write, "STARTTLS\r\n");
  const Action action = session.received("220 go\r\n", kNow);
  EXPECT_TRUE(action.start_tls);
  EXPECT_EQ(action.write, "");
  EXPECT_FALSE(session.secure());
}

TEST_F(SessionTest, RefusesARelayWithoutStarttls) {
  Session session(options());
  session.connected();
  session.received("220 relay\r\n", kNow);
  const Action action = session.received("250-relay\r\n250 AUTH PLAIN\r\n", kNow);
  EXPECT_TRUE(action.close);
  EXPECT_EQ(action.write, "");
  ASSERT_TRUE(action.failure.has_value());
  EXPECT_EQ(action.failure->reason, "smtp-no-starttls");
  EXPECT_EQ(action.failure->relay, RelayFault::down);
}

TEST_F(SessionTest, DoesNotFallBackToHelo) {
  Session session(options());
  session.connected();
  session.received("220 relay\r\n", kNow);
  const Action action = session.received("502 5.5.1 what is EHLO\r\n", kNow);
  EXPECT_TRUE(action.close);
  EXPECT_EQ(action.write, "");
}

TEST_F(SessionTest, RefusesWhenStarttlsIsRefused) {
  Session session(options());
  session.connected();
  session.received("220 relay\r\n", kNow);
  session.received("250-relay\r\n250 STARTTLS\r\n", kNow);
  EXPECT_EQ(session.received("502 no\r\n", kNow).failure->reason, "smtp-starttls-refused");
}

TEST_F(SessionTest, TakesBytesBehindTheStarttlsReplyForAnAttack) {
  for (const char* injected : {"220 go\r\n250 AUTH PLAIN\r\n", "220 go\r\n2"}) {
    Session session(options());
    session.connected();
    session.received("220 relay\r\n", kNow);
    session.received("250-relay\r\n250 STARTTLS\r\n", kNow);
    const Action action = session.received(injected, kNow);
    EXPECT_TRUE(action.close);
    EXPECT_FALSE(action.start_tls);
    EXPECT_EQ(action.failure->reason, "smtp-starttls-injection");
  }
}

TEST_F(SessionTest, ForgetsWhatWasOfferedBeforeTls) {
  Session session(options());
  session.connected();
  session.received("220 relay\r\n", kNow);
  session.received("250-relay\r\n250-PIPELINING\r\n250 STARTTLS\r\n", kNow);
  session.received("220 go\r\n", kNow);
  session.tls_ready();
  session.received("250 relay\r\n", kNow);
  EXPECT_EQ(session.send(mail(), kNow).write, "MAIL FROM:<bounces@bank.test>\r\n");
}

TEST_F(SessionTest, StartsWithTlsInImplicitMode) {
  SessionOptions o = options();
  o.tls = TlsMode::implicit;
  Session session(std::move(o));
  EXPECT_TRUE(session.connected().start_tls);
  EXPECT_EQ(session.tls_ready().write, "");
  EXPECT_EQ(session.received("220 relay\r\n", kNow).write, "EHLO gw.bank.test\r\n");
  session.received("250 relay\r\n", kNow);
  EXPECT_TRUE(session.ready());
}

TEST_F(SessionTest, LogsInOnlyInsideTls) {
  const Secret password(std::string_view("pass"));
  SessionOptions o = options();
  o.user = "gw";
  o.password = &password;
  Session session = ready("AUTH LOGIN PLAIN", std::move(o));
  EXPECT_EQ(last_.write, "AUTH PLAIN AGd3AHBhc3M=\r\n");
  EXPECT_FALSE(session.ready());
  session.received("235 2.7.0 ok\r\n", kNow);
  EXPECT_TRUE(session.ready());
}

TEST_F(SessionTest, LogsInStepByStepWithLogin) {
  const Secret password(std::string_view("pass"));
  SessionOptions o = options();
  o.user = "gw";
  o.password = &password;
  Session session = ready("AUTH LOGIN", std::move(o));
  EXPECT_EQ(last_.write, "AUTH LOGIN\r\n");
  EXPECT_EQ(session.received("334 VXNlcm5hbWU6\r\n", kNow).write, "Z3c=\r\n");
  EXPECT_EQ(session.received("334 UGFzc3dvcmQ6\r\n", kNow).write, "cGFzcw==\r\n");
  EXPECT_EQ(session.received("334 again\r\n", kNow).failure->reason, "smtp-auth-endless");
}

TEST_F(SessionTest, RefusesARelayThatOffersNoWayToLogIn) {
  const Secret password(std::string_view("pass"));
  SessionOptions o = options();
  o.user = "gw";
  o.password = &password;
  ready("AUTH GSSAPI", std::move(o));
  EXPECT_EQ(last_.failure->reason, "smtp-no-auth");
}

TEST_F(SessionTest, PipelinesTheEnvelopeAndStuffsDots) {
  Session session = ready();
  EXPECT_EQ(session.send(mail(), kNow).write,
            "MAIL FROM:<bounces@bank.test>\r\nRCPT TO:<anna@customers.test>\r\nDATA\r\n");
  EXPECT_EQ(session.received("250 ok\r\n250 ok\r\n", kNow).write, "");
  EXPECT_EQ(session.received("354 go\r\n", kNow).write, kBody);
  EXPECT_FALSE(session.in_doubt());
  session.written();
  EXPECT_TRUE(session.in_doubt());
  const Action action = session.received("250 2.0.0 Ok: queued as Q1\r\n", kNow);
  ASSERT_TRUE(action.outcome.has_value());
  EXPECT_EQ(action.outcome->fate, Fate::sent);
  EXPECT_EQ(action.outcome->provider_id, "Q1");
  EXPECT_TRUE(session.ready());
}

TEST_F(SessionTest, WaitsForEachAnswerWithoutPipelining) {
  Session session = ready("8BITMIME");
  EXPECT_EQ(session.send(mail(), kNow).write, "MAIL FROM:<bounces@bank.test>\r\n");
  EXPECT_EQ(session.received("250 ok\r\n", kNow).write, "RCPT TO:<anna@customers.test>\r\n");
  EXPECT_EQ(session.received("250 ok\r\n", kNow).write, "DATA\r\n");
  EXPECT_EQ(session.received("354 go\r\n", kNow).write, kBody);
}

TEST_F(SessionTest, StopsAtTheFirstRefusalWithoutPipeliningAndResetsBeforeTheNext) {
  Session session = ready("8BITMIME");
  session.send(mail(), kNow);
  session.received("250 ok\r\n", kNow);
  const Action action = session.received("550 5.1.1 nobody\r\n", kNow);
  EXPECT_EQ(action.write, "");
  EXPECT_TRUE(action.outcome->address_dead);
  EXPECT_EQ(session.send(mail(), kNow).write, "RSET\r\n");
  EXPECT_EQ(session.received("250 ok\r\n", kNow).write, "MAIL FROM:<bounces@bank.test>\r\n");
}

TEST_F(SessionTest, ReadsEveryAnswerOfAGroupInWhichTheRecipientIsRefused) {
  Session session = ready();
  session.send(mail(), kNow);
  EXPECT_FALSE(session.received("250 ok\r\n550 5.1.1 nobody\r\n", kNow).outcome.has_value());
  const Action action = session.received("503 5.5.1 no recipients\r\n", kNow);
  ASSERT_TRUE(action.outcome.has_value());
  EXPECT_EQ(action.outcome->reason, "smtp-5.1.1");
  EXPECT_EQ(session.send(mail(), kNow).write.substr(0, 11), "RSET\r\nMAIL ");
}

TEST_F(SessionTest, KeepsTheFirstRefusalOfAGroup) {
  Session session = ready();
  session.send(mail(), kNow);
  const Action action = session.received("451 4.3.0 later\r\n503 5.5.1 sequence\r\n503 5.5.1 sequence\r\n", kNow);
  EXPECT_EQ(action.outcome->reason, "smtp-4.3.0");
  EXPECT_EQ(action.outcome->fate, Fate::retry);
}

TEST_F(SessionTest, SendsALoneDotWhenDataIsTakenAfterARefusal) {
  Session session = ready();
  session.send(mail(), kNow);
  EXPECT_EQ(session.received("250 ok\r\n550 5.1.1 nobody\r\n354 go\r\n", kNow).write, ".\r\n");
  const Action action = session.received("250 2.0.0 taken all the same\r\n", kNow);
  EXPECT_EQ(action.outcome->fate, Fate::refused) << "nothing was delivered to anybody";
  EXPECT_TRUE(session.ready());
}

TEST_F(SessionTest, DoesNotSendAfterTheDeadline) {
  Session session = ready();
  const Action early = session.send(mail(), kNow + 60'000);
  EXPECT_EQ(early.outcome->reason, "expired");
  EXPECT_EQ(early.write, "");
  session.send(mail(), kNow);
  const Action late = session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow + 60'000);
  EXPECT_EQ(late.outcome->reason, "expired");
  EXPECT_EQ(late.outcome->fate, Fate::refused);
  EXPECT_EQ(late.write, "");
  EXPECT_TRUE(late.close) << "the server waits for content that must not come";
}

TEST_F(SessionTest, CanBeCancelledUntilTheServerAsksForTheContent) {
  Session session = ready();
  session.send(mail(), kNow);
  session.cancel();
  const Action action = session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
  EXPECT_EQ(action.outcome->reason, "cancelled");
  EXPECT_EQ(action.write, "");

  Session other = ready();
  other.send(mail(), kNow);
  EXPECT_EQ(other.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow).write, kBody);
  other.cancel();
  other.written();
  EXPECT_EQ(other.received("250 ok\r\n", kNow).outcome->fate, Fate::sent);
}

TEST_F(SessionTest, IsInDoubtOnlyBetweenTheFinalDotAndItsAnswer) {
  for (const bool dot_left : {false, true}) {
    Session session = ready();
    session.send(mail(), kNow);
    session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
    if (dot_left) session.written();
    const Action action = session.lost("closed");
    EXPECT_EQ(action.outcome->fate, dot_left ? Fate::unknown : Fate::retry);
    EXPECT_EQ(action.outcome->reason, "smtp-closed");
    EXPECT_TRUE(session.ended());
  }
}

TEST_F(SessionTest, IsInDoubtWhenNoAnswerComesInTime) {
  Session session = ready();
  session.send(mail(), kNow);
  session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
  EXPECT_EQ(session.timeout(), Timeouts().data_block);
  session.written();
  EXPECT_EQ(session.timeout(), Timeouts().data_end);
  EXPECT_EQ(session.timed_out().outcome->fate, Fate::unknown);
}

TEST_F(SessionTest, IsInDoubtWhenTheAnswerToTheDotIsGarbage) {
  Session session = ready();
  session.send(mail(), kNow);
  session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
  session.written();
  EXPECT_EQ(session.received("\x01\x02\r\n", kNow).outcome->fate, Fate::unknown);
}

TEST_F(SessionTest, TakesA421AfterTheDotForAPlainNo) {
  Session session = ready();
  session.send(mail(), kNow);
  session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
  session.written();
  const Action action = session.received("421 4.3.2 closing\r\n", kNow);
  EXPECT_EQ(action.outcome->fate, Fate::retry);
  EXPECT_TRUE(action.close);
}

TEST_F(SessionTest, ClosesWhenTheAnswerComesBeforeTheMailHasLeft) {
  Session session = ready();
  session.send(mail(), kNow);
  session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
  const Action refused = session.received("552 5.3.4 too much\r\n", kNow);
  EXPECT_EQ(refused.outcome->reason, "smtp-5.3.4");
  EXPECT_TRUE(refused.close);

  Session other = ready();
  other.send(mail(), kNow);
  other.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
  EXPECT_EQ(other.received("250 ok\r\n", kNow).outcome->fate, Fate::unknown)
      << "it may have taken a part for the whole";
}

TEST_F(SessionTest, EndsOnAnAnswerThatNobodyAskedFor) {
  Session session = ready();
  const Action action = session.received("250 surprise\r\n", kNow);
  EXPECT_TRUE(action.close);
  EXPECT_EQ(action.failure->reason, "smtp-protocol-unasked");
}

TEST_F(SessionTest, TakesAFarewellWhileIdle) {
  Session session = ready();
  const Action action = session.received("421 4.4.2 idle too long\r\n", kNow);
  EXPECT_TRUE(action.close);
  EXPECT_EQ(action.failure->relay, RelayFault::closing);
}

TEST_F(SessionTest, SaysSizeOnlyWhenOfferedAndKeepsTheLimit) {
  Session session = ready("SIZE 26");
  EXPECT_NE(session.send(mail(), kNow).write.find(" SIZE=26\r\n"), std::string::npos);
  Session small = ready("SIZE 25");
  const Action action = small.send(mail(), kNow);
  EXPECT_EQ(action.outcome->reason, "smtp-5.3.4");
  EXPECT_EQ(action.write, "");
  EXPECT_TRUE(small.ready());
}

TEST_F(SessionTest, AsksForReportsOnlyWhereTheServerKnowsThem) {
  SessionOptions o = options();
  o.notify = {"SUCCESS", "FAILURE"};
  Session session = ready("DSN", std::move(o));
  EXPECT_EQ(session.send(mail(), kNow).write, "MAIL FROM:<bounces@bank.test> RET=HDRS ENVID=00000000000000ff-1\r\n");
  EXPECT_EQ(session.received("250 ok\r\n", kNow).write,
            "RCPT TO:<anna@customers.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;anna@customers.test\r\n");
  EXPECT_TRUE(session.offers_dsn());
  EXPECT_FALSE(ready("SIZE").offers_dsn());
}

TEST_F(SessionTest, UsesSmtputf8OnlyWhereNeededAndOffered) {
  Mail one = mail("анна@customers.test");
  one.utf8 = true;
  Session without = ready("8BITMIME");
  EXPECT_EQ(without.send(one, kNow).outcome->reason, "smtp-5.6.7");
  Session session(options());
  session.connected();
  session.received("220 x\r\n", kNow);
  session.received("250-x\r\n250 STARTTLS\r\n", kNow);
  session.received("220 go\r\n", kNow);
  session.tls_ready();
  session.received("250-x\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n", kNow);
  EXPECT_EQ(session.send(one, kNow).write, "MAIL FROM:<bounces@bank.test> SMTPUTF8 BODY=8BITMIME\r\n");
  session.lost("closed");
}

TEST_F(SessionTest, QuitsPolitelyWhenIdleAndNotInTheMiddle) {
  Session session = ready();
  session.send(mail(), kNow);
  EXPECT_EQ(session.quit().write, "");
  session.received("250 ok\r\n250 ok\r\n354 go\r\n", kNow);
  session.written();
  session.received("250 ok\r\n", kNow);
  EXPECT_EQ(session.quit().write, "QUIT\r\n");
  const Action action = session.received("221 bye\r\n", kNow);
  EXPECT_TRUE(action.close);
  EXPECT_FALSE(action.failure.has_value());
}

TEST_F(SessionTest, NamesABadCertificateAsTheReason) {
  Session session(options());
  session.connected();
  session.received("220 x\r\n", kNow);
  session.received("250-x\r\n250 STARTTLS\r\n", kNow);
  session.received("220 go\r\n", kNow);
  const Action action = session.lost("tls-host-mismatch");
  EXPECT_EQ(action.failure->reason, "smtp-tls-host-mismatch");
  EXPECT_EQ(action.failure->fate, Fate::refused);
  EXPECT_EQ(action.failure->relay, RelayFault::down);
}

}  // namespace
}  // namespace postern::email
