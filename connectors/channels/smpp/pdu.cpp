// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/pdu.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "connectors/channels/smpp/own_encoder.hpp"
#include "crypto/secret.hpp"

extern "C" {
#include <smpp34.h>
#include <smpp34_structs.h>
}
#undef Reserved

namespace postern::smpp {
namespace {

// A PDU without optional parameters and with at most 253 octets of text is far below this.
constexpr std::size_t kLibraryBuffer = 1024;
constexpr std::size_t kLibraryText = 253;
constexpr std::size_t kMaxPayload = 64'000;
constexpr std::size_t kTime = 16;

bool is_text(std::string_view value, std::size_t limit) {
  return value.size() <= limit && value.find('\0') == std::string_view::npos;
}

bool is_time(std::string_view value) { return value.empty() || (value.size() == kTime && is_text(value, kTime)); }

bool knows_ton(std::uint8_t ton) { return ton <= 6; }

bool knows_npi(std::uint8_t npi) {
  static constexpr std::array<std::uint8_t, 10> kKnown = {0, 1, 3, 4, 6, 8, 9, 10, 14, 18};
  return std::find(kKnown.begin(), kKnown.end(), npi) != kKnown.end();
}

// The caller has checked that the text fits with its NUL; the array was zeroed.
template <std::size_t N>
void put(std::uint8_t (&field)[N], std::string_view text) {
  static_assert(N > 0);
  std::copy_n(text.begin(), std::min(text.size(), N - 1), field);
}

// Packs one of the library's structs, whose first four members are the header, and appends the octets.
template <class Struct>
Status pack(Struct& pdu, std::uint32_t command, std::uint32_t status, std::uint32_t sequence, std::size_t expected,
            Bytes& out) {
  pdu.command_id = command;
  pdu.command_status = status;
  pdu.sequence_number = sequence;
  std::array<std::uint8_t, kLibraryBuffer> buffer{};
  int length = 0;
  const int refused = smpp34_pack2(buffer.data(), static_cast<int>(buffer.size()), &length, &pdu);
  // The library keeps every field of what it packed in this text: numbers, passwords, contents.
  wipe(smpp34_strerror, sizeof smpp34_strerror);
  wipe(&pdu, sizeof pdu);
  const bool whole = refused == 0 && length >= 0 && static_cast<std::size_t>(length) == expected;
  if (whole) out.insert(out.end(), buffer.begin(), buffer.begin() + length);
  wipe(buffer.data(), expected);
  if (!whole) return fail("libsmpp34 did not pack a " + std::string(command_name(command)));
  return {};
}

Status check(const Bind& bind, std::uint32_t sequence) {
  if (sequence == 0) return fail("a bind needs a sequence number");
  if (!is_text(bind.system_id, 15)) return fail("system_id is longer than 15 characters");
  if (!is_text(bind.password, 64)) return fail("the password is longer than 64 characters");
  if (!is_text(bind.system_type, 12)) return fail("system_type is longer than 12 characters");
  if (!is_text(bind.address_range, 40)) return fail("address_range is longer than 40 characters");
  return {};
}

Status check(const SubmitSm& submit, std::uint32_t sequence) {
  if (sequence == 0) return fail("a submit needs a sequence number");
  if (!is_text(submit.service_type, 5)) return fail("service_type is longer than 5 characters");
  if (!is_text(submit.source.value, 20)) return fail("the sender is longer than 20 characters");
  if (!is_text(submit.destination.value, 20)) return fail("the recipient is longer than 20 characters");
  if (!is_time(submit.schedule) || !is_time(submit.validity)) return fail("a time has not 16 characters");
  if (submit.short_message.size() > 254) return fail("short_message is longer than 254 octets");
  if (submit.payload.size() > kMaxPayload) return fail("message_payload is longer than 64000 octets");
  if (!submit.payload.empty() && !submit.short_message.empty()) return fail("text in two places");
  return {};
}

template <class Struct>
Status bind_with_library(const Bind& bind, std::uint32_t sequence, Bytes& out) {
  Struct pdu;
  std::memset(&pdu, 0, sizeof pdu);
  put(pdu.system_id, bind.system_id);
  put(pdu.password, bind.password);
  put(pdu.system_type, bind.system_type);
  pdu.interface_version = bind.interface_version;
  pdu.addr_ton = bind.addr_ton;
  pdu.addr_npi = bind.addr_npi;
  put(pdu.address_range, bind.address_range);
  const std::size_t size = kHeaderSize + bind.system_id.size() + bind.password.size() + bind.system_type.size() +
                           bind.address_range.size() + 4 + 3;
  return pack(pdu, bind.command, 0, sequence, size, out);
}

Status submit_with_library(const SubmitSm& submit, std::uint32_t sequence, Bytes& out) {
  submit_sm_t pdu;
  std::memset(&pdu, 0, sizeof pdu);
  put(pdu.service_type, submit.service_type);
  pdu.source_addr_ton = submit.source.ton;
  pdu.source_addr_npi = submit.source.npi;
  put(pdu.source_addr, submit.source.value);
  pdu.dest_addr_ton = submit.destination.ton;
  pdu.dest_addr_npi = submit.destination.npi;
  put(pdu.destination_addr, submit.destination.value);
  pdu.esm_class = submit.esm_class;
  pdu.protocol_id = submit.protocol_id;
  pdu.priority_flag = submit.priority;
  put(pdu.schedule_delivery_time, submit.schedule);
  put(pdu.validity_period, submit.validity);
  pdu.registered_delivery = submit.registered_delivery;
  pdu.replace_if_present_flag = submit.replace;
  pdu.data_coding = submit.data_coding;
  pdu.sm_default_msg_id = submit.default_message;
  pdu.sm_length = static_cast<std::uint8_t>(submit.short_message.size());
  std::copy(submit.short_message.begin(), submit.short_message.end(), pdu.short_message);
  const std::size_t size = kHeaderSize + submit.service_type.size() + submit.source.value.size() +
                           submit.destination.value.size() + submit.schedule.size() + submit.validity.size() + 5 + 4 +
                           8 + submit.short_message.size();
  return pack(pdu, command::kSubmitSm, 0, sequence, size, out);
}

template <class Struct>
Status header_with_library(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, std::size_t size,
                           Bytes& out) {
  Struct pdu;
  std::memset(&pdu, 0, sizeof pdu);
  return pack(pdu, command, status, sequence, size, out);
}

}  // namespace

Status pack_bind(const Bind& bind, std::uint32_t sequence, Bytes& out, Encoder encoder) {
  if (Status good = check(bind, sequence); !good) return good;
  const bool fits = bind.password.size() <= 8 && bind.interface_version == 0x34 && knows_ton(bind.addr_ton) &&
                    knows_npi(bind.addr_npi);
  if (encoder == Encoder::own || !fits) {
    own::bind(bind, sequence, out);
    return {};
  }
  switch (bind.command) {
    case command::kBindTransmitter:
      return bind_with_library<bind_transmitter_t>(bind, sequence, out);
    case command::kBindReceiver:
      return bind_with_library<bind_receiver_t>(bind, sequence, out);
    case command::kBindTransceiver:
      return bind_with_library<bind_transceiver_t>(bind, sequence, out);
    default:
      return fail("not a bind command");
  }
}

Status pack_submit(const SubmitSm& submit, std::uint32_t sequence, Bytes& out, Encoder encoder) {
  if (Status good = check(submit, sequence); !good) return good;
  const bool fits = submit.short_message.size() <= kLibraryText && knows_ton(submit.source.ton) &&
                    knows_npi(submit.source.npi) && knows_ton(submit.destination.ton) &&
                    knows_npi(submit.destination.npi);
  if (encoder == Encoder::own || !fits) {
    own::submit(submit, sequence, out);
    return {};
  }
  const std::size_t start = out.size();
  Status packed = submit_with_library(submit, sequence, out);
  if (packed) own::append_parameters(submit, start, out);
  return packed;
}

Status pack_header(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& out, Encoder encoder) {
  if (encoder == Encoder::own || sequence == 0) {
    own::header(command, status, sequence, out);
    return {};
  }
  switch (command) {
    case command::kEnquireLink:
      return header_with_library<enquire_link_t>(command, status, sequence, kHeaderSize, out);
    case command::kEnquireLink | command::kResponse:
      return header_with_library<enquire_link_resp_t>(command, status, sequence, kHeaderSize, out);
    case command::kUnbind:
      return header_with_library<unbind_t>(command, status, sequence, kHeaderSize, out);
    case command::kUnbind | command::kResponse:
      return header_with_library<unbind_resp_t>(command, status, sequence, kHeaderSize, out);
    case command::kGenericNack:
      return header_with_library<generic_nack_t>(command, status, sequence, kHeaderSize, out);
    default:
      return fail("not a command without a body");
  }
}

Status pack_inbound_response(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& out,
                             Encoder encoder) {
  if (encoder == Encoder::own || sequence == 0) {
    own::inbound_response(command, status, sequence, out);
    return {};
  }
  switch (command) {
    case command::kDeliverSm | command::kResponse:
      return header_with_library<deliver_sm_resp_t>(command, status, sequence, kHeaderSize + 1, out);
    case command::kDataSm | command::kResponse:
      return header_with_library<data_sm_resp_t>(command, status, sequence, kHeaderSize + 1, out);
    default:
      return fail("not a response to an inbound message");
  }
}

}  // namespace postern::smpp
