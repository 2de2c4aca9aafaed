// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/receipt.hpp"

#include <gtest/gtest.h>

#include <map>

#include "vectors.hpp"

namespace postern::smpp {
namespace {

using nlohmann::json;

std::int64_t unix_of(int year, int month, int day, int hour, int minute, int second = 0) {
  std::tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  parts.tm_sec = second;
  return timegm(&parts);
}

TEST(SmppReceipt, ReadsEveryDialectOfTheVectors) {
  const std::map<std::string, MessageState> states = {
      {"DELIVERED", MessageState::delivered}, {"UNDELIVERABLE", MessageState::undeliverable},
      {"EXPIRED", MessageState::expired},     {"REJECTED", MessageState::rejected},
      {"ENROUTE", MessageState::enroute},     {"ACCEPTED", MessageState::accepted},
      {"UNKNOWN", MessageState::unknown},     {"DELETED", MessageState::deleted}};
  const json vectors = test::read_vectors("dlr-texts.json");
  ASSERT_EQ(vectors.size(), 20U);
  for (const json& entry : vectors) {
    const std::string text = entry.at("text");
    SCOPED_TRACE(text);
    const ReceiptText read = read_receipt_text(text, 0);
    if (entry.at("state").is_null()) {
      EXPECT_FALSE(read.state);
      continue;
    }
    EXPECT_EQ(read.id, entry.at("id"));
    ASSERT_TRUE(read.state);
    EXPECT_EQ(*read.state, states.at(entry.at("state")));
    EXPECT_EQ(is_final(*read.state), entry.at("final"));
    if (entry.contains("err")) {
      EXPECT_EQ(read.error, entry.at("err"));
    }
    if (entry.contains("done") && entry.at("done").is_null()) {
      EXPECT_FALSE(read.done_s);
    }
    if (entry.contains("done") && entry.at("done").is_string()) {
      const std::string done = entry.at("done");
      const auto number = [&](std::size_t at, std::size_t count) { return std::stoi(done.substr(at, count)); };
      EXPECT_EQ(read.done_s, unix_of(number(0, 4), number(5, 2), number(8, 2), number(11, 2), number(14, 2),
                                     done.size() > 16 ? number(17, 2) : 0));
    }
  }
}

TEST(SmppReceipt, ReadsNothingBehindTheEchoedText) {
  const ReceiptText read = read_receipt_text("id:1 stat:UNDELIV text:id:2 stat:DELIVRD err:000", 0);
  EXPECT_EQ(read.id, "1");
  EXPECT_EQ(read.state, MessageState::undeliverable);
  EXPECT_EQ(read.error, "");
}

TEST(SmppReceipt, LeavesOutFieldsThatCannotBe) {
  EXPECT_EQ(read_receipt_text("id:a/b stat:DELIVRD", 0).id, "");
  EXPECT_EQ(read_receipt_text("id:" + std::string(65, '1') + " stat:DELIVRD", 0).id, "");
  EXPECT_FALSE(read_receipt_text("id:1 stat:WHATEVER", 0).state);
  EXPECT_EQ(read_receipt_text("id:1 stat:DELIVRD err:'OR1=1", 0).error, "");
  for (const char* date : {"2613221314", "2611321314", "2611222514", "26112213", "2611221361", "26x1221314"})
    EXPECT_FALSE(read_receipt_text(std::string("id:1 stat:DELIVRD done date:") + date, 0).done_s) << date;
}

TEST(SmppReceipt, TakesTheSmsCentresClockIntoAccount) {
  const auto done = [](int offset) { return read_receipt_text("done date:2611221315", offset).done_s; };
  EXPECT_EQ(done(0), unix_of(2026, 11, 22, 13, 15));
  EXPECT_EQ(done(7200), unix_of(2026, 11, 22, 11, 15));
  EXPECT_EQ(done(-3600), unix_of(2026, 11, 22, 14, 15));
}

TEST(SmppReceipt, BringsIdsIntoOneForm) {
  EXPECT_EQ(canonical_id("0A1B2C3D", IdFormat::hex), "169552957");
  EXPECT_EQ(canonical_id("0a1b2c3d", IdFormat::hex), canonical_id("0169552957", IdFormat::dec));
  EXPECT_EQ(canonical_id("0A1B2C3D", IdFormat::as_is), "0A1B2C3D");
  EXPECT_EQ(canonical_id("5f0c1e7a-3a55", IdFormat::hex), "5f0c1e7a-3a55");
  EXPECT_EQ(canonical_id("12ab", IdFormat::dec), "12ab");
  EXPECT_EQ(canonical_id("00000000000000001", IdFormat::dec), "00000000000000001");
  EXPECT_EQ(canonical_id("ffffffffffffffff", IdFormat::hex), "18446744073709551615");
  EXPECT_EQ(canonical_id("", IdFormat::hex), "");
}

// A deliver_sm with this content and these parameters.
struct Made {
  Bytes parameters;
  std::string text;
  Pdu pdu;
  Made(std::uint8_t esm_class, std::string content, const std::vector<std::pair<std::uint16_t, std::string>>& list)
      : text(std::move(content)) {
    ByteWriter out(parameters);
    for (const auto& [tag, value] : list) {
      out.u16(tag);
      out.text16(value);
    }
    pdu.header.command = command::kDeliverSm;
    pdu.esm_class = esm_class;
    pdu.short_message = as_bytes(text);
    pdu.tlvs = Tlvs(parameters);
  }
};

Inbound kind_of(const Made& made, DeliveryReceipt& receipt, ReceiptOptions options = {}) {
  return read_inbound(made.pdu, options, receipt);
}

TEST(SmppReceipt, TrustsParametersMoreThanText) {
  DeliveryReceipt receipt;
  const Made made(0x04, "id:99 stat:DELIVRD err:001", {{tag::kReceiptedMessageId, "77"}, {tag::kMessageState, "\x05"}});
  ASSERT_EQ(kind_of(made, receipt), Inbound::receipt);
  EXPECT_EQ(receipt.id, "77");
  EXPECT_EQ(receipt.state, MessageState::undeliverable);
}

TEST(SmppReceipt, IsAMessageWithoutItsFlagUnlessTheProfileSaysOtherwise) {
  DeliveryReceipt receipt;
  const Made plain(0, "id:77 stat:DELIVRD err:000", {});
  EXPECT_EQ(kind_of(plain, receipt), Inbound::message);
  EXPECT_EQ(kind_of(plain, receipt, {.accept_plain = true}), Inbound::receipt);
  const Made chat(0, "Dziekuje, id:77 prosze", {});
  EXPECT_EQ(kind_of(chat, receipt, {.accept_plain = true}), Inbound::message);
}

TEST(SmppReceipt, IsBrokenWithoutAnIdOrAState) {
  DeliveryReceipt receipt;
  EXPECT_EQ(kind_of(Made(0x04, "hello", {}), receipt), Inbound::broken_receipt);
  EXPECT_EQ(kind_of(Made(0x04, "stat:DELIVRD", {}), receipt), Inbound::broken_receipt);
  EXPECT_EQ(kind_of(Made(0x04, "id:7", {}), receipt), Inbound::broken_receipt);
  EXPECT_EQ(kind_of(Made(0x04, "", {{tag::kReceiptedMessageId, "a b"}, {tag::kMessageState, "\x02"}}), receipt),
            Inbound::broken_receipt);
  // A state outside the standard says nothing; the text may still.
  const Made odd(0x04, "id:7 stat:EXPIRED", {{tag::kMessageState, "\x63"}});
  ASSERT_EQ(kind_of(odd, receipt), Inbound::receipt);
  EXPECT_EQ(receipt.state, MessageState::expired);
}

TEST(SmppReceipt, TakesIdsWithoutTheirNulAndLongNetworkErrors) {
  DeliveryReceipt receipt;
  using namespace std::string_literals;
  const Made made(
      0x04, "",
      {{tag::kReceiptedMessageId, "77"}, {tag::kMessageState, "\x05"}, {tag::kNetworkError, "\x03\0\0\x06"s}});
  ASSERT_EQ(kind_of(made, receipt), Inbound::receipt);
  EXPECT_EQ(receipt.error, "6");
}

TEST(SmppReceipt, ReadsUcs2Texts) {
  std::string wide;
  for (const char c : std::string("id:77 stat:DELIVRD")) {
    wide.push_back('\0');
    wide.push_back(c);
  }
  Made made(0x04, wide, {});
  made.pdu.data_coding = 8;
  DeliveryReceipt receipt;
  ASSERT_EQ(kind_of(made, receipt), Inbound::receipt);
  EXPECT_EQ(receipt.id, "77");
}

}  // namespace
}  // namespace postern::smpp
