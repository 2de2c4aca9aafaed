// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/inbox.hpp"

#include <gtest/gtest.h>

namespace postern::smpp {
namespace {

class SmppInbox : public testing::Test {
 protected:
  Settings settings;
  std::vector<wire::Receipt> receipts;
  std::vector<wire::Reply> replies;
  std::vector<std::function<void()>> durable;
  std::vector<std::uint32_t> answered;  // sequence numbers
  std::vector<std::string> dropped;
  bool connection_stands = true;
  Inbox::Now now{10'000, 1'795'350'000'000};
  std::uint32_t sequence = 1;
  Inbox inbox{settings,
              {[this](wire::Receipt&& r, std::function<void()> done) {
                 receipts.push_back(std::move(r));
                 durable.push_back(std::move(done));
               },
               [this](wire::Reply&& r, std::function<void()> done) {
                 replies.push_back(std::move(r));
                 durable.push_back(std::move(done));
               },
               [this](const Inbox::Origin& origin) {
                 if (connection_stands) answered.push_back(origin.sequence);
                 return connection_stands;
               },
               [this](std::string_view reason) { dropped.emplace_back(reason); }}};

  void take(std::uint8_t esm_class, std::string_view content, std::uint8_t data_coding = 0,
            std::string_view source = "48500100200", Tlvs tlvs = {}) {
    Pdu pdu;
    pdu.header = {16, command::kDeliverSm, 0, sequence};
    pdu.source.value = source;
    pdu.destination.value = "7300";
    pdu.esm_class = esm_class;
    pdu.data_coding = data_coding;
    pdu.short_message = as_bytes(content);
    pdu.tlvs = tlvs;
    inbox.take(pdu, {0, 1, command::kDeliverSm, sequence++}, now);
  }
  void commit() {
    std::vector<std::function<void()>> done;
    done.swap(durable);
    for (const auto& call : done) call();
  }
};

using namespace std::string_literals;

TEST_F(SmppInbox, AnswersAReceiptOnlyWhenItIsDurable) {
  take(esm::kReceipt, "id:77 stat:DELIVRD err:000 done date:2611221315");
  ASSERT_EQ(receipts.size(), 1U);
  EXPECT_EQ(receipts[0].provider_id(), "77");
  EXPECT_EQ(receipts[0].progress(), wire::DELIVERED);
  EXPECT_EQ(receipts[0].at_ms(), 1'795'353'300'000U);
  EXPECT_TRUE(answered.empty());
  commit();
  EXPECT_EQ(answered, (std::vector<std::uint32_t>{1}));
}

TEST_F(SmppInbox, SaysWhatAReceiptMeans) {
  struct Case {
    const char* text;
    wire::Progress progress;
    const char* reason;
  };
  for (const Case& c : {Case{"id:1 stat:UNDELIV err:027", wire::REFUSED, "dlr-undeliverable-27"},
                        {"id:1 stat:EXPIRED err:000", wire::REFUSED, "dlr-expired"},
                        {"id:1 stat:REJECTD err:0x1B", wire::REFUSED, "dlr-rejected-0x1b"},
                        {"id:1 stat:UNKNOWN err:0FF", wire::SENT, "dlr-unknown-ff"},
                        {"id:1 stat:ACCEPTD", wire::SENT, "dlr-accepted"}}) {
    take(esm::kReceipt, c.text);
    EXPECT_EQ(receipts.back().progress(), c.progress) << c.text;
    EXPECT_EQ(receipts.back().reason(), c.reason);
  }
}

TEST_F(SmppInbox, AnswersAndDropsWhatNobodyCanUse) {
  take(esm::kReceipt, "no receipt at all");
  take(0, "\x01\x02", 4);
  take(esm::kUdhi, "\x06\x05\x04\x0b\x84\x23\xf0push"s);
  EXPECT_EQ(dropped, (std::vector<std::string>{"receipt-without-id", "binary", "port"}));
  EXPECT_EQ(answered.size(), 3U);
  EXPECT_TRUE(receipts.empty());
  EXPECT_TRUE(replies.empty());
}

TEST_F(SmppInbox, MakesAReplyOfACustomersMessage) {
  take(0, "STOP", 0, "+48500100200");
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].from(), "48500100200");
  EXPECT_EQ(replies[0].text(), "STOP");
  EXPECT_EQ(replies[0].channel(), "sms");
  EXPECT_EQ(replies[0].provider_id().size(), 32U);
  EXPECT_TRUE(answered.empty());
  commit();
  EXPECT_EQ(answered.size(), 1U);
}

TEST_F(SmppInbox, HearsACustomerWhoWritesTheSameTwice) {
  take(0, "YES");
  commit();
  now.wall += 5'000;
  take(0, "YES");
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_NE(replies[0].provider_id(), replies[1].provider_id());
}

TEST_F(SmppInbox, KnowsAMessageAgainWhoseAnswerWasLost) {
  take(0, "YES");
  connection_stands = false;
  commit();
  connection_stands = true;
  now.wall += 60'000;
  now.steady += 60'000;
  take(0, "YES");
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].provider_id(), replies[1].provider_id());
  take(0, "YES", 0, "48500100201");
  EXPECT_NE(replies[2].provider_id(), replies[0].provider_id());
}

TEST_F(SmppInbox, JoinsPartsInAnyOrderAndAnswersThemTogether) {
  take(esm::kUdhi, "\x05\0\x03\x11\x02\x02lo"s);
  EXPECT_TRUE(replies.empty());
  EXPECT_TRUE(answered.empty());
  take(esm::kUdhi, "\x05\0\x03\x11\x02\x01Hel"s);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].text(), "Hello");
  commit();
  EXPECT_EQ(answered, (std::vector<std::uint32_t>{1, 2}));
}

TEST_F(SmppInbox, JoinsPartsByParametersAndAcrossACutCharacter) {
  const Bytes one = {0x02, 0x0c, 0, 2, 0, 9, 0x02, 0x0e, 0, 1, 2, 0x02, 0x0f, 0, 1, 1};
  const Bytes two = {0x02, 0x0c, 0, 2, 0, 9, 0x02, 0x0e, 0, 1, 2, 0x02, 0x0f, 0, 1, 2};
  take(0, "\xd8\x3d"s, 8, "48500100200", Tlvs(one));
  take(0, "\xde\0"s, 8, "48500100200", Tlvs(two));
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].text(), "😀");
}

TEST_F(SmppInbox, AcknowledgesAPartThatWaitsTooLongForTheNext) {
  take(esm::kUdhi, "\x05\0\x03\x11\x02\x01Hel"s);
  now.steady += Inbox::kHoldMs;
  inbox.tick(now);
  EXPECT_EQ(answered.size(), 1U);
  take(esm::kUdhi, "\x05\0\x03\x11\x02\x02lo"s);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].text(), "Hello");
  commit();
  EXPECT_EQ(answered, (std::vector<std::uint32_t>{1, 2}));
}

TEST_F(SmppInbox, GivesOutWhatCameWhenTheRestDoesNot) {
  take(esm::kUdhi,
       "\x05\0\x03\x11\x03\x03"
       "end"s);
  now.steady += settings.join_timeout.count();
  inbox.tick(now);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].text(), "end");
  EXPECT_TRUE(inbox.idle());

  take(esm::kUdhi,
       "\x05\0\x03\x12\x03\x01"
       "begin"s);
  inbox.flush(now);
  EXPECT_EQ(replies.back().text(), "begin");
}

TEST(SmppJoiner, HoldsABoundedNumberOfUnfinishedMessages) {
  Joiner joiner(60'000);
  std::vector<Joiner::Joined> out;
  for (std::uint16_t i = 0; i < 20; ++i)
    joiner.add({.source = "a", .destination = "b", .place = {i, 2, 1}, .octets = {1}}, i, out);
  EXPECT_EQ(joiner.waiting(), Joiner::kMaxPerSource);
  ASSERT_EQ(out.size(), 20 - Joiner::kMaxPerSource);
  EXPECT_EQ(out[0].parts, 1U);
  EXPECT_EQ(out[0].total, 2U);
  for (int i = 0; i < 3000; ++i)
    joiner.add({.source = std::to_string(i), .destination = "b", .place = {1, 2, 1}, .octets = {1}}, 100 + i, out);
  EXPECT_LE(joiner.waiting(), Joiner::kMaxMessages);
}

TEST(SmppJoiner, KeepsMessagesOfOneReferenceApart) {
  Joiner joiner(60'000);
  std::vector<Joiner::Joined> out;
  joiner.add({.source = "a", .destination = "b", .place = {7, 2, 1}, .octets = {'1'}}, 0, out);
  joiner.add({.source = "a", .destination = "b", .place = {7, 3, 2}, .octets = {'2'}}, 0, out);
  joiner.add({.source = "c", .destination = "b", .place = {7, 2, 2}, .octets = {'3'}}, 0, out);
  EXPECT_TRUE(out.empty());
  joiner.add({.source = "a", .destination = "b", .place = {7, 2, 2}, .octets = {'4'}}, 0, out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(as_text(out[0].octets), "14");
}

}  // namespace
}  // namespace postern::smpp
