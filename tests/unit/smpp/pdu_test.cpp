// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/pdu.hpp"

#include <gtest/gtest.h>

#include <random>

#include "library.hpp"
#include "vectors.hpp"

namespace postern::smpp {
namespace {

std::string hex(const Bytes& octets) { return to_hex(octets); }

SubmitSm example() {
  SubmitSm submit;
  submit.source = {5, 0, "MyBank"};
  submit.destination = {1, 1, "48500100200"};
  submit.validity = "000000001000000R";
  submit.registered_delivery = 1;
  submit.short_message = as_bytes("Kod: 123456 \x1b(\x1b\x65\x1b)");
  return submit;
}

TEST(SmppPdu, PacksASubmitAsTheVectorHasIt) {
  std::string wanted;
  const nlohmann::json vectors = test::read_vectors("smpp-pdus.json");
  for (const auto& entry : vectors.at("ok")) {
    if (entry.at("name") == "submit_sm_gsm7_alnum_sender") wanted = entry.at("hex");
  }
  ASSERT_FALSE(wanted.empty());
  for (const Encoder encoder : {Encoder::library, Encoder::own}) {
    Bytes octets;
    ASSERT_TRUE(pack_submit(example(), 2, octets, encoder));
    EXPECT_EQ(hex(octets), wanted);
  }
}

TEST(SmppPdu, PacksTheSameOctetsWithBothEncoders) {
  std::minstd_rand random(7);
  const auto text = [&](std::size_t most) {
    std::string made(random() % (most + 1), ' ');
    for (char& c : made) c = static_cast<char>('!' + random() % 90);
    return made;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string service = text(5), source = text(20), destination = text(20), content = text(253),
                      payload = text(900);
    SubmitSm submit;
    submit.service_type = service;
    submit.source = {static_cast<std::uint8_t>(random() % 7), 1, source};
    submit.destination = {1, 1, destination};
    submit.esm_class = static_cast<std::uint8_t>(random());
    submit.protocol_id = static_cast<std::uint8_t>(random());
    submit.priority = static_cast<std::uint8_t>(random() % 4);
    if (random() % 2 == 0) submit.validity = "000000001000000R";
    if (random() % 4 == 0) submit.schedule = "261122143000004+";
    submit.registered_delivery = 1;
    submit.data_coding = static_cast<std::uint8_t>(random());
    if (random() % 4 == 0)
      submit.payload = as_bytes(payload);
    else
      submit.short_message = as_bytes(content);
    if (random() % 2 == 0) submit.user_message_reference = static_cast<std::uint16_t>(random());
    if (random() % 3 == 0) submit.sar = Concatenation{static_cast<std::uint16_t>(random()), 3, 2};
    const auto sequence = static_cast<std::uint32_t>(1 + random() % 0x7ffffffe);
    Bytes theirs, ours;
    ASSERT_TRUE(pack_submit(submit, sequence, theirs, Encoder::library));
    ASSERT_TRUE(pack_submit(submit, sequence, ours, Encoder::own));
    ASSERT_EQ(hex(theirs), hex(ours));
    const auto read = decode(ours);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->source.value, source);
    EXPECT_EQ(as_text(read->content()), submit.payload.empty() ? content : payload);
  }
}

TEST(SmppPdu, PacksBindsTheSameWithBothEncoders) {
  for (const std::uint32_t id : {command::kBindTransceiver, command::kBindTransmitter, command::kBindReceiver}) {
    Bind bind;
    bind.command = id;
    bind.system_id = "bankgw";
    bind.password = "secret08";
    bind.system_type = "VMA";
    bind.address_range = "^7300";
    Bytes theirs, ours;
    ASSERT_TRUE(pack_bind(bind, 1, theirs, Encoder::library));
    ASSERT_TRUE(pack_bind(bind, 1, ours, Encoder::own));
    EXPECT_EQ(hex(theirs), hex(ours));
  }
}

TEST(SmppPdu, PacksHeadersAndAnswersTheSameWithBothEncoders) {
  const auto resp = command::kResponse;
  for (const std::uint32_t id : {command::kEnquireLink, command::kEnquireLink | resp, command::kUnbind,
                                 command::kUnbind | resp, command::kGenericNack}) {
    const std::uint32_t status = id == command::kGenericNack ? 3 : 0;
    Bytes theirs, ours;
    ASSERT_TRUE(pack_header(id, status, 77, theirs, Encoder::library)) << id;
    ASSERT_TRUE(pack_header(id, status, 77, ours, Encoder::own));
    EXPECT_EQ(hex(theirs), hex(ours));
  }
  for (const std::uint32_t id : {command::kDeliverSm | resp, command::kDataSm | resp}) {
    for (const std::uint32_t status : {0U, 0x01U, 0x64U, 0xc0U}) {
      Bytes theirs, ours;
      ASSERT_TRUE(pack_inbound_response(id, status, 100, theirs, Encoder::library)) << id << ' ' << status;
      ASSERT_TRUE(pack_inbound_response(id, status, 100, ours, Encoder::own));
      EXPECT_EQ(hex(theirs), hex(ours));
    }
  }
}

TEST(SmppPdu, PacksWhatTheLibraryCannot) {
  Bytes nack;
  ASSERT_TRUE(pack_header(command::kGenericNack, 2, 0, nack));
  EXPECT_EQ(hex(nack), "00000010800000000000000200000000");

  Bind bind;
  bind.system_id = "bankgw";
  bind.password = "a-password-of-more-than-eight";
  Bytes octets;
  ASSERT_TRUE(pack_bind(bind, 1, octets));
  ASSERT_TRUE(decode(octets));
  EXPECT_EQ(decode(octets)->password, bind.password);

  const std::string longest(254, 'x'), payload(4000, 'y');
  SubmitSm submit = example();
  submit.short_message = as_bytes(longest);
  octets.clear();
  ASSERT_TRUE(pack_submit(submit, 1, octets));
  EXPECT_EQ(as_text(decode(octets)->content()), longest);
  submit.short_message = {};
  submit.payload = as_bytes(payload);
  octets.clear();
  ASSERT_TRUE(pack_submit(submit, 1, octets));
  EXPECT_EQ(as_text(decode(octets)->content()), payload);
}

TEST(SmppPdu, RefusesFieldsThatDoNotFitAndAppendsNothing) {
  const std::string long_text(255, 'x');
  const auto refused = [](const SubmitSm& submit, std::uint32_t sequence = 1) {
    Bytes octets = {1, 2, 3};
    const bool packed = pack_submit(submit, sequence, octets).has_value();
    return !packed && octets.size() == 3;
  };
  SubmitSm submit = example();
  EXPECT_TRUE(refused(submit, 0));
  submit.source.value = "123456789012345678901";
  EXPECT_TRUE(refused(submit));
  submit = example();
  submit.destination.value = std::string_view(
      "48\0"
      "00",
      5);
  EXPECT_TRUE(refused(submit));
  submit = example();
  submit.short_message = as_bytes(long_text);
  EXPECT_TRUE(refused(submit));
  submit = example();
  submit.validity = "0000";
  EXPECT_TRUE(refused(submit));
  submit = example();
  submit.payload = as_bytes(long_text);
  EXPECT_TRUE(refused(submit));

  Bind bind;
  bind.system_id = "a-system-id-too-long";
  Bytes octets;
  EXPECT_FALSE(pack_bind(bind, 1, octets));
  bind.system_id = "x";
  bind.password = std::string_view(long_text).substr(0, 65);
  EXPECT_FALSE(pack_bind(bind, 1, octets));
  EXPECT_TRUE(octets.empty());
}

TEST(SmppPdu, LeavesNothingOfAMessageInTheLibrary) {
  Bytes octets;
  ASSERT_TRUE(pack_submit(example(), 1, octets, Encoder::library));
  EXPECT_TRUE(test::library_text_is_blank());
}

TEST(SmppPdu, IsReadByTheLibraryAsItWasMeant) {
  SubmitSm submit = example();
  submit.user_message_reference = 0x1234;
  submit.sar = Concatenation{42, 2, 1};
  Bytes octets;
  ASSERT_TRUE(pack_submit(submit, 9, octets, Encoder::own));
  ASSERT_TRUE(test::library_takes(octets));
  const auto read = test::library_unpack(octets);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->sequence, 9U);
  EXPECT_EQ(read->destination, "48500100200");
  EXPECT_EQ(read->numbers.at(tag::kUserMessageReference), 0x1234U);
  EXPECT_EQ(read->numbers.at(tag::kSarReference), 42U);
  EXPECT_EQ(read->numbers.at(tag::kSarPart), 1U);
}

}  // namespace
}  // namespace postern::smpp
