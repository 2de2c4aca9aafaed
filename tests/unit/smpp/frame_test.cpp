// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/frame.hpp"

#include <gtest/gtest.h>

#include <random>

#include "connectors/channels/smpp/encoding.hpp"
#include "connectors/channels/smpp/receipt.hpp"
#include "library.hpp"
#include "vectors.hpp"

namespace postern::smpp {
namespace {

using nlohmann::json;
using test::octets_of;
using test::read_vectors;

std::string text_of(const Pdu& pdu) {
  ByteView octets = pdu.content();
  DecodeOptions options{.data_coding = pdu.data_coding};
  if ((pdu.esm_class & esm::kUdhi) != 0) {
    if (const auto header = read_header(octets)) {
      octets = octets.subspan(header->size);
      options.single_shift = header->single_shift;
      options.locking_shift = header->locking_shift;
    }
  }
  return decode_text(octets, options).value_or("(binary)");
}

void check_header_elements(const Pdu& pdu, const json& wanted) {
  const auto header = read_header(pdu.content());
  ASSERT_TRUE(header);
  if (wanted.contains("ref")) {
    ASSERT_TRUE(header->concatenation);
    EXPECT_EQ(header->concatenation->reference, wanted.at("ref"));
    EXPECT_EQ(header->concatenation->total, wanted.at("total"));
    EXPECT_EQ(header->concatenation->part, wanted.at("part"));
  }
  if (wanted.contains("single_shift")) {
    EXPECT_EQ(header->single_shift, wanted.at("single_shift"));
  }
  if (wanted.contains("dst_port")) {
    EXPECT_EQ(header->destination_port, wanted.at("dst_port").get<std::uint16_t>());
  }
  if (wanted.contains("src_port")) {
    EXPECT_EQ(header->source_port, wanted.at("src_port").get<std::uint16_t>());
  }
}

void check_receipt(const Pdu& pdu, const json& wanted) {
  DeliveryReceipt receipt;
  ASSERT_EQ(read_inbound(pdu, {}, receipt), Inbound::receipt);
  EXPECT_EQ(receipt.id, wanted.at("id"));
  if (wanted.contains("state")) {
    EXPECT_EQ(static_cast<int>(receipt.state), wanted.at("state"));
  }
  if (wanted.value("stat", "") == "DELIVRD") {
    EXPECT_EQ(receipt.state, MessageState::delivered);
  }
  if (wanted.value("stat", "") == "ENROUTE") {
    EXPECT_EQ(receipt.state, MessageState::enroute);
  }
  if (wanted.contains("final")) {
    EXPECT_EQ(is_final(receipt.state), wanted.at("final"));
  }
  if (wanted.contains("network_error")) {
    EXPECT_EQ(receipt.error, std::to_string(wanted.at("network_error").get<int>()));
  }
}

TEST(SmppFrame, DecodesEveryGoodVectorAsExpected) {
  const json vectors = read_vectors("smpp-pdus.json");
  ASSERT_GT(vectors.at("ok").size(), 40U);
  for (const json& entry : vectors.at("ok")) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const Bytes octets = octets_of(entry);
    ASSERT_EQ(cut_frame(octets).kind, Cut::Kind::frame);
    const auto pdu = decode(octets);
    ASSERT_TRUE(pdu) << pdu.error().what;
    const json& expect = entry.at("expect");
    if (expect.contains("command")) {
      EXPECT_EQ(command_name(pdu->header.command), expect.at("command"));
    }
    if (expect.contains("seq")) {
      EXPECT_EQ(pdu->header.sequence, expect.at("seq"));
    }
    if (expect.contains("status")) {
      EXPECT_EQ(pdu->header.status, expect.at("status"));
    }
    if (expect.contains("system_id")) {
      EXPECT_EQ(pdu->system_id, expect.at("system_id"));
    }
    if (expect.contains("password")) {
      EXPECT_EQ(pdu->password, expect.at("password"));
    }
    if (expect.contains("interface_version")) {
      EXPECT_EQ(pdu->interface_version, expect.at("interface_version"));
    }
    if (expect.contains("sc_interface_version")) {
      EXPECT_EQ(pdu->tlvs.number(tag::kScInterfaceVersion), expect.at("sc_interface_version").get<std::uint64_t>());
    }
    if (expect.contains("message_id")) {
      EXPECT_EQ(pdu->message_id, expect.at("message_id"));
    }
    if (expect.contains("data_coding")) {
      EXPECT_EQ(pdu->data_coding, expect.at("data_coding"));
    }
    if (expect.contains("registered_delivery")) {
      EXPECT_EQ(pdu->registered_delivery, expect.at("registered_delivery"));
    }
    if (expect.contains("message_state")) {
      EXPECT_EQ(pdu->message_state, expect.at("message_state"));
    }
    if (expect.contains("user_message_reference")) {
      EXPECT_EQ(pdu->tlvs.number(tag::kUserMessageReference), expect.at("user_message_reference").get<std::uint64_t>());
    }
    if (expect.contains("ms_availability_status")) {
      EXPECT_EQ(pdu->tlvs.number(tag::kMsAvailability), expect.at("ms_availability_status").get<std::uint64_t>());
    }
    if (expect.value("validity", "") == "10 minutes") {
      EXPECT_EQ(pdu->validity, "000000001000000R");
    }
    if (expect.contains("schedule")) {
      EXPECT_EQ(pdu->schedule, "261122143000004+");
    }
    if (expect.contains("text")) {
      EXPECT_EQ(text_of(*pdu), expect.at("text"));
    }
    if (expect.contains("mo")) {
      EXPECT_EQ(text_of(*pdu), expect.at("mo"));
    }
    if (expect.contains("sar")) {
      EXPECT_EQ(pdu->tlvs.number(tag::kSarReference), expect.at("sar").at("ref").get<std::uint64_t>());
      EXPECT_EQ(pdu->tlvs.number(tag::kSarTotal), expect.at("sar").at("total").get<std::uint64_t>());
      EXPECT_EQ(pdu->tlvs.number(tag::kSarPart), expect.at("sar").at("part").get<std::uint64_t>());
    }
    if (expect.contains("udh")) check_header_elements(*pdu, expect.at("udh"));
    if (expect.contains("receipt")) check_receipt(*pdu, expect.at("receipt"));
  }
}

// The reaction that smpp-pdus.json asks for, vector by vector.
TEST(SmppFrame, MeetsEveryBadVectorWithTheWantedReaction) {
  std::map<std::string, Bytes> bad;
  const json vectors = read_vectors("smpp-pdus.json");
  for (const json& entry : vectors.at("bad")) bad[entry.at("name")] = octets_of(entry);
  ASSERT_EQ(bad.size(), 11U);

  EXPECT_EQ(cut_frame(bad.at("length_below_16")).kind, Cut::Kind::lost);
  EXPECT_EQ(cut_frame(bad.at("length_huge")).kind, Cut::Kind::lost);

  const auto fault = [&](const std::string& name) {
    const auto pdu = decode(bad.at(name));
    EXPECT_FALSE(pdu) << name;
    return pdu ? Fault{} : pdu.error();
  };
  const Fault endless = fault("unterminated_c_octet");
  EXPECT_EQ(endless.answer, Fault::Answer::generic_nack);
  EXPECT_EQ(endless.status, 0x02U);
  const Fault text = fault("sm_length_beyond_pdu");
  EXPECT_EQ(text.answer, Fault::Answer::response);
  EXPECT_EQ(text.status, 0x01U);
  const Fault parameter = fault("tlv_length_beyond_pdu");
  EXPECT_EQ(parameter.answer, Fault::Answer::response);
  EXPECT_EQ(parameter.status, 0xc0U);
  const Fault unknown = fault("unknown_command");
  EXPECT_EQ(unknown.answer, Fault::Answer::generic_nack);
  EXPECT_EQ(unknown.status, 0x03U);
  EXPECT_EQ(unknown.header.sequence, 9U);

  const auto trailing = decode(bad.at("tlv_trailing_1_octet"));
  ASSERT_TRUE(trailing);
  EXPECT_FALSE(trailing->odd.empty());
  const auto header_too_long = decode(bad.at("udh_length_beyond_message"));
  ASSERT_TRUE(header_too_long);
  EXPECT_FALSE(read_header(header_too_long->content()));
  const auto part_zero = decode(bad.at("udh_concat_part_0"));
  ASSERT_TRUE(part_zero);
  ASSERT_TRUE(read_header(part_zero->content()));
  EXPECT_FALSE(read_header(part_zero->content())->concatenation);
  EXPECT_EQ(text_of(*part_zero), "hi");
  EXPECT_TRUE(decode(bad.at("many_tlvs_40")));
  const auto state = decode(bad.at("message_state_length_2"));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->tlvs.number(tag::kMessageState), 2U);
  EXPECT_EQ(state->tlvs.text(tag::kReceiptedMessageId), "7");
}

TEST(SmppFrame, AgreesWithLibsmpp34OnEveryVectorThatItTakes) {
  const json vectors = read_vectors("smpp-pdus.json");
  int compared = 0;
  for (const json& entry : vectors.at("ok")) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const Bytes octets = octets_of(entry);
    if (entry.at("library") != "accept" || !test::library_takes(octets)) continue;
    const auto theirs = test::library_unpack(octets);
    if (!theirs) continue;  // a command that the comparison does not cover
    const auto ours = decode(octets);
    ASSERT_TRUE(ours);
    ++compared;
    EXPECT_EQ(ours->header.sequence, theirs->sequence);
    EXPECT_EQ(ours->service_type, theirs->service_type);
    EXPECT_EQ(ours->source.value, theirs->source);
    EXPECT_EQ(ours->destination.value, theirs->destination);
    EXPECT_EQ(ours->schedule, theirs->schedule);
    if (ours->header.command == command::kSubmitSm) {
      EXPECT_EQ(ours->validity, theirs->validity);
    }
    EXPECT_EQ(ours->esm_class, theirs->esm_class);
    EXPECT_EQ(ours->data_coding, theirs->data_coding);
    EXPECT_EQ(ours->registered_delivery, theirs->registered_delivery);
    EXPECT_EQ(Bytes(ours->short_message.begin(), ours->short_message.end()), theirs->short_message);
    EXPECT_EQ(ours->message_id, theirs->message_id);
    EXPECT_EQ(ours->password, theirs->password);
    for (const auto& [number, value] : theirs->numbers) EXPECT_EQ(ours->tlvs.number(number), value);
    if (!theirs->receipted_id.empty()) {
      EXPECT_EQ(ours->tlvs.text(tag::kReceiptedMessageId), theirs->receipted_id);
    }
  }
  EXPECT_GE(compared, 25);
}

TEST(SmppFrame, CutsAStreamWhateverTheSegments) {
  const Bytes whole = {0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 50};
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(cut_frame(ByteView(whole).first(size)).kind, Cut::Kind::need_more) << size;
  Bytes two = whole;
  two.insert(two.end(), whole.begin(), whole.end());
  const Cut first = cut_frame(two);
  EXPECT_EQ(first.kind, Cut::Kind::frame);
  EXPECT_EQ(first.length, 16U);
}

TEST(SmppFrame, TakesALengthUpToItsLimitAndNoOther) {
  EXPECT_EQ(cut_frame(Bytes{0, 0, 0, 15}).kind, Cut::Kind::lost);
  EXPECT_EQ(cut_frame(Bytes{0, 0, 0, 16}).kind, Cut::Kind::need_more);
  EXPECT_EQ(cut_frame(Bytes{0, 1, 0, 0}).kind, Cut::Kind::need_more);
  EXPECT_EQ(cut_frame(Bytes{0, 1, 0, 1}).kind, Cut::Kind::lost);
  EXPECT_EQ(cut_frame(Bytes{0xff, 0xff, 0xff, 0xff}).kind, Cut::Kind::lost);
}

// A deliver_sm with `count` empty vendor parameters.
Bytes with_parameters(std::size_t count) {
  Bytes octets;
  ByteWriter out(octets);
  for (const std::uint32_t field : {0U, 5U, 0U, 1U}) out.u32(field);
  for (int i = 0; i < 17; ++i) out.u8(0);
  for (std::size_t i = 0; i < count; ++i) {
    out.u16(0x1401);
    out.u16(0);
  }
  octets[2] = static_cast<std::uint8_t>(octets.size() >> 8);
  octets[3] = static_cast<std::uint8_t>(octets.size() & 0xff);
  return octets;
}

TEST(SmppFrame, RefusesMoreParametersThanConfigured) {
  EXPECT_TRUE(decode(with_parameters(20), {.max_tlvs = 20}));
  const auto many = decode(with_parameters(21), {.max_tlvs = 20});
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().status, 0xc0U);
}

TEST(SmppFrame, KeepsAnAcceptanceWhoseBodyIsUnreadable) {
  const Bytes no_nul = {0, 0, 0, 18, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b'};
  const auto pdu = decode(no_nul);
  ASSERT_TRUE(pdu);
  EXPECT_EQ(pdu->header.status, 0U);
  EXPECT_TRUE(pdu->message_id.empty());
  EXPECT_FALSE(pdu->odd.empty());
}

TEST(SmppFrame, NeverAnswersABrokenResponseOrNotification) {
  for (const std::uint8_t first : {std::uint8_t{0x80}, std::uint8_t{0}}) {
    // An unknown response, and an alert_notification without a body.
    const Bytes octets = first == 0x80 ? Bytes{0, 0, 0, 16, 0x80, 0, 1, 0x12, 0, 0, 0, 0, 0, 0, 0, 1}
                                       : Bytes{0, 0, 0, 16, 0, 0, 1, 0x02, 0, 0, 0, 0, 0, 0, 0, 1};
    const auto pdu = decode(octets);
    ASSERT_FALSE(pdu);
    EXPECT_EQ(pdu.error().answer, Fault::Answer::none);
  }
}

// Whatever is changed in a good PDU, decoding ends and every view lies inside the frame.
TEST(SmppFrame, KeepsEveryViewInsideTheFrame) {
  std::minstd_rand random(20261122);
  const json vectors = read_vectors("smpp-pdus.json");
  for (const json& entry : vectors.at("ok")) {
    const Bytes good = octets_of(entry);
    for (int round = 0; round < 400; ++round) {
      Bytes octets = good;
      for (int change = 0; change < 3; ++change)
        octets[4 + random() % (octets.size() - 4)] = static_cast<std::uint8_t>(random());
      const auto pdu = decode(octets);
      if (!pdu) continue;
      const auto inside = [&](const void* data, std::size_t size) {
        const auto* at = static_cast<const std::uint8_t*>(data);
        return size == 0 || (at >= octets.data() && at + size <= octets.data() + octets.size());
      };
      for (const std::string_view view : {pdu->system_id, pdu->password, pdu->source.value, pdu->destination.value,
                                          pdu->schedule, pdu->validity, pdu->message_id, pdu->service_type})
        EXPECT_TRUE(inside(view.data(), view.size()));
      EXPECT_TRUE(inside(pdu->content().data(), pdu->content().size()));
      EXPECT_TRUE(inside(pdu->tlvs.bytes().data(), pdu->tlvs.bytes().size()));
      text_of(*pdu);
    }
  }
}

}  // namespace
}  // namespace postern::smpp
