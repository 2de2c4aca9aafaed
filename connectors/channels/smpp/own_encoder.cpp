// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/own_encoder.hpp"

namespace postern::smpp::own {
namespace {

void c_octets(ByteWriter& out, std::string_view text) {
  out.raw(text);
  out.u8(0);
}

void start_pdu(ByteWriter& out, std::uint32_t command, std::uint32_t status, std::uint32_t sequence) {
  out.u32(0);  // command_length, set by end_pdu()
  out.u32(command);
  out.u32(status);
  out.u32(sequence);
}

void end_pdu(Bytes& out, std::size_t start) {
  const auto length = static_cast<std::uint32_t>(out.size() - start);
  for (std::size_t i = 0; i < 4; ++i) out[start + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
}

void small_parameter(ByteWriter& out, std::uint16_t tag, std::uint8_t value) {
  out.u16(tag);
  out.u16(1);
  out.u8(value);
}

void parameter(ByteWriter& out, std::uint16_t tag, std::uint16_t value) {
  out.u16(tag);
  out.u16(2);
  out.u16(value);
}

}  // namespace

void bind(const Bind& bind, std::uint32_t sequence, Bytes& bytes) {
  const std::size_t start = bytes.size();
  ByteWriter out(bytes);
  start_pdu(out, bind.command, 0, sequence);
  c_octets(out, bind.system_id);
  c_octets(out, bind.password);
  c_octets(out, bind.system_type);
  out.u8(bind.interface_version);
  out.u8(bind.addr_ton);
  out.u8(bind.addr_npi);
  c_octets(out, bind.address_range);
  end_pdu(bytes, start);
}

void submit(const SubmitSm& submit, std::uint32_t sequence, Bytes& bytes) {
  const std::size_t start = bytes.size();
  ByteWriter out(bytes);
  start_pdu(out, command::kSubmitSm, 0, sequence);
  c_octets(out, submit.service_type);
  for (const Address* address : {&submit.source, &submit.destination}) {
    out.u8(address->ton);
    out.u8(address->npi);
    c_octets(out, address->value);
  }
  out.u8(submit.esm_class);
  out.u8(submit.protocol_id);
  out.u8(submit.priority);
  c_octets(out, submit.schedule);
  c_octets(out, submit.validity);
  out.u8(submit.registered_delivery);
  out.u8(submit.replace);
  out.u8(submit.data_coding);
  out.u8(submit.default_message);
  out.view8(submit.short_message);
  append_parameters(submit, start, bytes);
}

void header(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& bytes) {
  const std::size_t start = bytes.size();
  ByteWriter out(bytes);
  start_pdu(out, command, status, sequence);
  end_pdu(bytes, start);
}

void inbound_response(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& bytes) {
  const std::size_t start = bytes.size();
  ByteWriter out(bytes);
  start_pdu(out, command, status, sequence);
  out.u8(0);
  end_pdu(bytes, start);
}

void append_parameters(const SubmitSm& submit, std::size_t start, Bytes& bytes) {
  ByteWriter out(bytes);
  if (submit.user_message_reference) parameter(out, tag::kUserMessageReference, *submit.user_message_reference);
  if (submit.sar) {
    parameter(out, tag::kSarReference, submit.sar->reference);
    small_parameter(out, tag::kSarTotal, submit.sar->total);
    small_parameter(out, tag::kSarPart, submit.sar->part);
  }
  if (!submit.payload.empty()) {
    out.u16(tag::kMessagePayload);
    out.view16(submit.payload);
  }
  end_pdu(bytes, start);
}

}  // namespace postern::smpp::own
