// SPDX-License-Identifier: Apache-2.0
// What an SMS centre may send: a stream of octets, cut into PDUs, decoded, and taken through everything
// that reads a decoded PDU: headers, texts, receipts, the session.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "connectors/channels/smpp/encoding.hpp"
#include "connectors/channels/smpp/frame.hpp"
#include "connectors/channels/smpp/own_encoder.hpp"
#include "connectors/channels/smpp/receipt.hpp"
#include "connectors/channels/smpp/session.hpp"

namespace {

using namespace postern;
using namespace postern::smpp;

void require(bool held) {
  if (!held) std::abort();
}

// What we pack from a decoded submit_sm must read as the same message.
void check_round_trip(const Pdu& pdu) {
  SubmitSm submit;
  submit.service_type = pdu.service_type;
  submit.source = pdu.source;
  submit.destination = pdu.destination;
  submit.esm_class = pdu.esm_class;
  submit.validity = pdu.validity;
  submit.data_coding = pdu.data_coding;
  submit.short_message = pdu.short_message;
  Bytes packed;
  own::submit(submit, 1, packed);
  const auto again = decode(packed);
  require(again.has_value());
  require(again->source.value == pdu.source.value && again->destination.value == pdu.destination.value);
  require(as_text(again->short_message) == as_text(pdu.short_message) && again->esm_class == pdu.esm_class);
}

void read_everything(const Pdu& pdu) {
  ByteView content = pdu.content();
  DecodeOptions options;
  options.data_coding = pdu.data_coding;
  if (const auto header = read_header(content)) {
    require(header->size <= content.size());
    if (header->concatenation)
      require(header->concatenation->part >= 1 && header->concatenation->part <= header->concatenation->total);
    content = content.subspan(header->size);
    options.single_shift = header->single_shift;
    options.locking_shift = header->locking_shift;
  }
  decode_text(content, options);
  for (const bool plain : {false, true}) {
    DeliveryReceipt receipt;
    ReceiptOptions receipts;
    receipts.accept_plain = plain;
    receipts.id_format = IdFormat::hex;
    if (read_inbound(pdu, receipts, receipt) == Inbound::receipt)
      require(!receipt.id.empty() && receipt.id.size() <= 64);
  }
  if (pdu.header.command == command::kSubmitSm) check_round_trip(pdu);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteView stream(data, size);
  Session session(SessionSettings{}, 1);
  std::vector<Action> actions;
  std::int64_t now = 0;
  session.start(now);
  session.connected(now);
  for (;;) {
    const Cut cut = cut_frame(stream);
    if (cut.kind != Cut::Kind::frame) break;
    require(cut.length >= kHeaderSize && cut.length <= stream.size());
    const auto pdu = decode(stream.first(cut.length), {.max_tlvs = 32});
    stream = stream.subspan(cut.length);
    if (!pdu) continue;
    read_everything(*pdu);
    session.received(*pdu, ++now);
    if (session.can_submit(now)) session.submit(static_cast<std::uint64_t>(now), now, 0);
    session.take_actions(actions);
  }
  session.lost(now, 0);
  require(session.outstanding() == 0);
  return 0;
}
