// SPDX-License-Identifier: Apache-2.0
// Purpose: packs every PDU that we send. libsmpp34 packs what it can; own_encoder.hpp packs the rest.
// pdu.cpp is the only file that includes that library. Used by: postern-smpp.
// Threads: one; the library keeps its state in globals, which also hold the fields of the last PDU, so
// they are wiped after each call and never logged.
// Ownership: PDUs are appended to the caller's bytes; nothing is kept.
// Errors and limits: every length is checked before packing; a field that does not fit the standard is an
// error and nothing is appended. Received bytes never come here: the library is not hardened for
// hostile input (see frame.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "connectors/channels/smpp/encoding.hpp"
#include "connectors/channels/smpp/frame.hpp"
#include "crypto/bytes.hpp"
#include "crypto/result.hpp"

namespace postern::smpp {

struct Bind {
  std::uint32_t command = command::kBindTransceiver;
  std::string_view system_id;    // at most 15 octets
  std::string_view password;     // secret; at most 64: providers exceed the standard's 8
  std::string_view system_type;  // at most 12
  std::uint8_t interface_version = 0x34;
  std::uint8_t addr_ton = 0, addr_npi = 0;
  std::string_view address_range;  // at most 40
};

struct SubmitSm {
  std::string_view service_type;  // at most 5
  Address source, destination;    // at most 20
  std::uint8_t esm_class = 0, protocol_id = 0, priority = 0;
  std::string_view schedule, validity;  // empty or 16
  std::uint8_t registered_delivery = 0, replace = 0, data_coding = 0, default_message = 0;
  ByteView short_message;  // at most 254; empty when `payload` is used
  std::optional<std::uint16_t> user_message_reference;
  std::optional<Concatenation> sar;
  ByteView payload;  // message_payload, at most 64,000
};

// Which encoder packs: a seam for tests and measurement. Both give the same octets.
enum class Encoder { library, own };

Status pack_bind(const Bind& bind, std::uint32_t sequence, Bytes& out, Encoder encoder = Encoder::library);
Status pack_submit(const SubmitSm& submit, std::uint32_t sequence, Bytes& out, Encoder encoder = Encoder::library);

// enquire_link, enquire_link_resp, unbind, unbind_resp and generic_nack: a header alone.
Status pack_header(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& out,
                   Encoder encoder = Encoder::library);

// deliver_sm_resp and data_sm_resp, whose message_id stays empty (SMPP 3.4 section 4.6.2).
Status pack_inbound_response(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& out,
                             Encoder encoder = Encoder::library);

}  // namespace postern::smpp
