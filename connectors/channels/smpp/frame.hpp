// SPDX-License-Identifier: Apache-2.0
// Purpose: the border to hostile bytes: cuts a TCP stream into SMPP 3.4 PDUs and decodes every PDU that
// a peer sent. Used by: postern-smpp and the simulated SMS centre. Threads: pure functions.
// Ownership: a Pdu views the frame it was decoded from, which must outlive it; nothing is allocated.
// Errors and limits: a length outside 16..kMaxPdu loses the framing (the connection must close);
// anything else that is wrong concerns one PDU and says how to answer it. At most `max_tlvs` optional
// parameters in a PDU. Nothing is read outside the frame, whatever the bytes say.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "crypto/bytes.hpp"

namespace postern::smpp {

inline constexpr std::size_t kHeaderSize = 16;
inline constexpr std::size_t kMaxPdu = 64 * 1024;

// Command ids, SMPP 3.4 section 5.1.2.1. Plain numbers: a peer may send any value.
namespace command {
inline constexpr std::uint32_t kResponse = 0x80000000;  // set in every response
inline constexpr std::uint32_t kGenericNack = 0x80000000;
inline constexpr std::uint32_t kBindReceiver = 0x01;
inline constexpr std::uint32_t kBindTransmitter = 0x02;
inline constexpr std::uint32_t kQuerySm = 0x03;
inline constexpr std::uint32_t kSubmitSm = 0x04;
inline constexpr std::uint32_t kDeliverSm = 0x05;
inline constexpr std::uint32_t kUnbind = 0x06;
inline constexpr std::uint32_t kReplaceSm = 0x07;
inline constexpr std::uint32_t kCancelSm = 0x08;
inline constexpr std::uint32_t kBindTransceiver = 0x09;
inline constexpr std::uint32_t kOutbind = 0x0b;
inline constexpr std::uint32_t kEnquireLink = 0x15;
inline constexpr std::uint32_t kAlertNotification = 0x102;
inline constexpr std::uint32_t kDataSm = 0x103;
}  // namespace command

// Optional parameters that this product reads or writes, SMPP 3.4 section 5.3.2.
namespace tag {
inline constexpr std::uint16_t kReceiptedMessageId = 0x001e;
inline constexpr std::uint16_t kUserMessageReference = 0x0204;
inline constexpr std::uint16_t kSarReference = 0x020c;
inline constexpr std::uint16_t kSarTotal = 0x020e;
inline constexpr std::uint16_t kSarPart = 0x020f;
inline constexpr std::uint16_t kScInterfaceVersion = 0x0210;
inline constexpr std::uint16_t kMsAvailability = 0x0422;
inline constexpr std::uint16_t kNetworkError = 0x0423;
inline constexpr std::uint16_t kMessagePayload = 0x0424;
inline constexpr std::uint16_t kMessageState = 0x0427;
inline constexpr std::uint16_t kCongestion = 0x0428;  // SMPP 5.0, seen from 3.4 peers too
}  // namespace tag

// esm_class, SMPP 3.4 section 5.2.12.
namespace esm {
inline constexpr std::uint8_t kTypeMask = 0x3c;
inline constexpr std::uint8_t kReceipt = 0x04;
inline constexpr std::uint8_t kDeliveryAck = 0x08;
inline constexpr std::uint8_t kUserAck = 0x10;
inline constexpr std::uint8_t kIntermediate = 0x20;
inline constexpr std::uint8_t kUdhi = 0x40;
}  // namespace esm

struct Address {
  std::uint8_t ton = 0, npi = 0;
  std::string_view value;
};

// The optional parameters of a PDU, already walked once by decode(): every one lies inside the frame.
class Tlvs {
 public:
  Tlvs() = default;
  explicit Tlvs(ByteView walked) : bytes_(walked) {}

  // The first parameter of that tag, as it is.
  std::optional<ByteView> find(std::uint16_t tag) const;
  // The same as a big-endian number, whatever its length says, when it has 1..8 octets: peers are known
  // to send known integers shorter or longer than the standard has them.
  std::optional<std::uint64_t> number(std::uint16_t tag) const;
  // The same as text up to its NUL, or its end where the peer left the NUL out.
  std::optional<std::string_view> text(std::uint16_t tag) const;
  ByteView bytes() const { return bytes_; }

 private:
  ByteView bytes_;
};

struct Header {
  std::uint32_t length = 0, command = 0, status = 0, sequence = 0;
};

// One decoded PDU. Only the members that its command has are set.
struct Pdu {
  Header header;
  std::string_view system_id, password, system_type, address_range;  // bind_*, bind_*_resp, outbind
  std::uint8_t interface_version = 0;                                // bind_*
  std::string_view service_type;
  Address source, destination;  // also the range of bind_*; esme of alert
  std::uint8_t esm_class = 0, protocol_id = 0, priority = 0, registered_delivery = 0, replace = 0;
  std::uint8_t data_coding = 0, default_message = 0, message_state = 0, error_code = 0;
  std::string_view schedule, validity;  // also final_date of query_sm_resp
  ByteView short_message;
  std::string_view message_id;
  Tlvs tlvs;
  // A tolerated oddity, for a log line: octets after the last whole parameter, an unreadable body of
  // an accepting response. Empty: none.
  std::string_view odd;

  bool is_response() const { return (header.command & command::kResponse) != 0; }
  // short_message, or message_payload where that one is used instead (section 5.3.2.32).
  ByteView content() const;
};

// What is wrong with one PDU and how the peer is to be told.
struct Fault {
  enum class Answer {
    response,      // the response to this command, with `status`
    generic_nack,  // generic_nack with `status` and the same sequence number
    none,          // a broken response or notification: nothing may be answered
  };
  Header header;
  Answer answer = Answer::none;
  std::uint32_t status = 0;
  std::string_view what;  // for the log; names the field, holds nothing of the peer's bytes
};

struct DecodeLimits {
  std::size_t max_tlvs = 128;
};

// What stands at the start of a stream buffer.
struct Cut {
  enum class Kind { need_more, frame, lost };
  Kind kind = Kind::need_more;
  std::size_t length = 0;  // of a frame: its octets, all present; of need_more: octets wanted in all
};

// Looks at the first octets of `stream`; allocates nothing from the length it reads.
Cut cut_frame(ByteView stream);

// Decodes one whole frame as cut_frame() found it.
std::expected<Pdu, Fault> decode(ByteView frame, const DecodeLimits& limits = {});

// "submit_sm_resp" for logs; "unknown" for other values.
std::string_view command_name(std::uint32_t command);

}  // namespace postern::smpp
