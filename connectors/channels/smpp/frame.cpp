// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/frame.hpp"

#include <algorithm>

namespace postern::smpp {
namespace {

// command_status values that a Fault carries, SMPP 3.4 section 5.1.3.
constexpr std::uint32_t kRinvMsgLen = 0x01, kRinvCmdLen = 0x02, kRinvCmdId = 0x03, kRinvOptParStream = 0xc0;

// The sizes of C-octet strings, section 5.2, without their NUL. Providers hand out longer passwords and
// message ids than the standard allows, so those two may be longer here.
constexpr std::size_t kSystemId = 15, kPassword = 64, kSystemType = 12, kRange = 40, kServiceType = 5, kAddress = 20,
                      kLongAddress = 64, kTime = 16, kMessageId = 255;

// Reads the mandatory part. The first fault is kept; every read after it gives zero or an empty view.
class Mandatory {
 public:
  explicit Mandatory(ByteView body) : rest_(body) {}

  std::string_view text(std::size_t limit, std::string_view name) {
    const ByteView window = rest_.first(std::min(rest_.size(), limit + 1));
    const auto end = std::find(window.begin(), window.end(), std::uint8_t{0});
    if (end == window.end()) {
      refuse(kRinvCmdLen, name);
      return {};
    }
    const auto size = static_cast<std::size_t>(end - window.begin());
    const std::string_view found = as_text(window.first(size));
    rest_ = rest_.subspan(size + 1);
    return found;
  }
  std::uint8_t u8(std::string_view name) {
    if (rest_.empty()) {
      refuse(kRinvCmdLen, name);
      return 0;
    }
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  Address address(std::size_t limit, std::string_view name) {
    Address read;
    read.ton = u8(name);
    read.npi = u8(name);
    read.value = text(limit, name);
    return read;
  }
  ByteView octets(std::size_t count, std::string_view name) {
    if (count > rest_.size()) {
      refuse(kRinvMsgLen, name);
      return {};
    }
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  bool ok() const { return status_ == 0; }
  std::uint32_t status() const { return status_; }
  std::string_view what() const { return what_; }
  ByteView rest() const { return rest_; }

 private:
  void refuse(std::uint32_t status, std::string_view what) {
    rest_ = {};
    if (status_ != 0) return;
    status_ = status;
    what_ = what;
  }
  ByteView rest_;
  std::uint32_t status_ = 0;
  std::string_view what_;
};

std::uint16_t be16(ByteView at) { return static_cast<std::uint16_t>((at[0] << 8) | at[1]); }

std::uint32_t be32(ByteView at) {
  return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) | at[3];
}

enum class Walk { good, odd_end, broken, too_many };

// Walks the optional parameters by their own lengths. Up to three octets after the last one cannot be a
// parameter; peers are known to leave such, and they carry no meaning.
Walk walk_tlvs(ByteView& bytes, std::size_t max_tlvs) {
  ByteView rest = bytes;
  for (std::size_t count = 0; rest.size() >= 4; ++count) {
    if (count == max_tlvs) return Walk::too_many;
    const std::size_t length = be16(rest.subspan(2));
    if (length > rest.size() - 4) return Walk::broken;
    rest = rest.subspan(4 + length);
  }
  bytes = bytes.first(bytes.size() - rest.size());
  return rest.empty() ? Walk::good : Walk::odd_end;
}

void read_bind(Mandatory& in, Pdu& pdu) {
  pdu.system_id = in.text(kSystemId, "system_id");
  pdu.password = in.text(kPassword, "password");
  pdu.system_type = in.text(kSystemType, "system_type");
  pdu.interface_version = in.u8("interface_version");
  pdu.source.ton = in.u8("addr_ton");
  pdu.source.npi = in.u8("addr_npi");
  pdu.address_range = in.text(kRange, "address_range");
}

// submit_sm and deliver_sm share one layout, sections 4.4.1 and 4.6.1.
void read_message(Mandatory& in, Pdu& pdu) {
  pdu.service_type = in.text(kServiceType, "service_type");
  pdu.source = in.address(kAddress, "source_addr");
  pdu.destination = in.address(kAddress, "destination_addr");
  pdu.esm_class = in.u8("esm_class");
  pdu.protocol_id = in.u8("protocol_id");
  pdu.priority = in.u8("priority_flag");
  pdu.schedule = in.text(kTime, "schedule_delivery_time");
  pdu.validity = in.text(kTime, "validity_period");
  pdu.registered_delivery = in.u8("registered_delivery");
  pdu.replace = in.u8("replace_if_present_flag");
  pdu.data_coding = in.u8("data_coding");
  pdu.default_message = in.u8("sm_default_msg_id");
  pdu.short_message = in.octets(in.u8("sm_length"), "short_message");
}

void read_data(Mandatory& in, Pdu& pdu) {
  pdu.service_type = in.text(kServiceType, "service_type");
  pdu.source = in.address(kLongAddress, "source_addr");
  pdu.destination = in.address(kLongAddress, "destination_addr");
  pdu.esm_class = in.u8("esm_class");
  pdu.registered_delivery = in.u8("registered_delivery");
  pdu.data_coding = in.u8("data_coding");
}

// False for a command that this decoder does not know.
bool read_body(Mandatory& in, Pdu& pdu) {
  switch (pdu.header.command) {
    case command::kBindReceiver:
    case command::kBindTransmitter:
    case command::kBindTransceiver:
      read_bind(in, pdu);
      return true;
    case command::kBindReceiver | command::kResponse:
    case command::kBindTransmitter | command::kResponse:
    case command::kBindTransceiver | command::kResponse:
      pdu.system_id = in.text(kSystemId, "system_id");
      return true;
    case command::kOutbind:
      pdu.system_id = in.text(kSystemId, "system_id");
      pdu.password = in.text(kPassword, "password");
      return true;
    case command::kSubmitSm:
    case command::kDeliverSm:
      read_message(in, pdu);
      return true;
    case command::kDataSm:
      read_data(in, pdu);
      return true;
    case command::kSubmitSm | command::kResponse:
    case command::kDeliverSm | command::kResponse:
    case command::kDataSm | command::kResponse:
      pdu.message_id = in.text(kMessageId, "message_id");
      return true;
    case command::kQuerySm:
      pdu.message_id = in.text(kMessageId, "message_id");
      pdu.source = in.address(kAddress, "source_addr");
      return true;
    case command::kQuerySm | command::kResponse:
      pdu.message_id = in.text(kMessageId, "message_id");
      pdu.validity = in.text(kTime, "final_date");
      pdu.message_state = in.u8("message_state");
      pdu.error_code = in.u8("error_code");
      return true;
    case command::kCancelSm:
      pdu.service_type = in.text(kServiceType, "service_type");
      pdu.message_id = in.text(kMessageId, "message_id");
      pdu.source = in.address(kAddress, "source_addr");
      pdu.destination = in.address(kAddress, "destination_addr");
      return true;
    case command::kAlertNotification:
      pdu.source = in.address(kLongAddress, "source_addr");
      pdu.destination = in.address(kLongAddress, "esme_addr");
      return true;
    case command::kUnbind:
    case command::kUnbind | command::kResponse:
    case command::kEnquireLink:
    case command::kEnquireLink | command::kResponse:
    case command::kGenericNack:
    case command::kCancelSm | command::kResponse:
      return true;
    default:
      return false;
  }
}

Fault fault(const Header& header, std::uint32_t status, std::string_view what) {
  const bool silent = (header.command & command::kResponse) != 0 || header.command == command::kOutbind ||
                      header.command == command::kAlertNotification;
  // A command whose start cannot be read gets a generic_nack (section 3.3 of SMPP 3.4); one whose body
  // is wrong further in gets its own response, so that the sender can pair it.
  const Fault::Answer answer = silent                                          ? Fault::Answer::none
                               : status == kRinvCmdId || status == kRinvCmdLen ? Fault::Answer::generic_nack
                                                                               : Fault::Answer::response;
  return Fault{header, answer, status, what};
}

}  // namespace

std::optional<ByteView> Tlvs::find(std::uint16_t wanted) const {
  ByteView rest = bytes_;
  while (rest.size() >= 4) {
    const std::size_t length = be16(rest.subspan(2));
    if (length > rest.size() - 4) return std::nullopt;
    if (be16(rest) == wanted) return rest.subspan(4, length);
    rest = rest.subspan(4 + length);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Tlvs::number(std::uint16_t wanted) const {
  const std::optional<ByteView> value = find(wanted);
  if (!value || value->empty() || value->size() > 8) return std::nullopt;
  std::uint64_t sum = 0;
  for (const std::uint8_t octet : *value) sum = (sum << 8) | octet;
  return sum;
}

std::optional<std::string_view> Tlvs::text(std::uint16_t wanted) const {
  const std::optional<ByteView> value = find(wanted);
  if (!value) return std::nullopt;
  const std::string_view all = as_text(*value);
  return all.substr(0, all.find('\0'));
}

ByteView Pdu::content() const {
  if (!short_message.empty()) return short_message;
  return tlvs.find(tag::kMessagePayload).value_or(ByteView{});
}

Cut cut_frame(ByteView stream) {
  if (stream.size() < 4) return {Cut::Kind::need_more, kHeaderSize};
  const std::size_t length = be32(stream);
  if (length < kHeaderSize || length > kMaxPdu) return {Cut::Kind::lost, 0};
  if (stream.size() < length) return {Cut::Kind::need_more, length};
  return {Cut::Kind::frame, length};
}

std::expected<Pdu, Fault> decode(ByteView frame, const DecodeLimits& limits) {
  Pdu pdu;
  if (frame.size() < kHeaderSize || frame.size() > kMaxPdu || be32(frame) != frame.size()) {
    Fault broken;
    broken.status = kRinvCmdLen;
    broken.what = "command_length";
    return std::unexpected(broken);
  }
  pdu.header = Header{be32(frame), be32(frame.subspan(4)), be32(frame.subspan(8)), be32(frame.subspan(12))};
  // An error response may come with no body, an empty one, or a full one (section 3.2): its status says
  // everything, so the body is left unread.
  if (pdu.is_response() && pdu.header.status != 0) return pdu;

  Mandatory in(frame.subspan(kHeaderSize));
  if (!read_body(in, pdu)) return std::unexpected(fault(pdu.header, kRinvCmdId, "unknown command"));
  if (!in.ok()) {
    // The peer has taken what was submitted, whatever it wrote behind that: the acceptance stands.
    if (pdu.is_response()) {
      const Header header = pdu.header;
      pdu = Pdu{};
      pdu.header = header;
      pdu.odd = in.what();
      return pdu;
    }
    return std::unexpected(fault(pdu.header, in.status(), in.what()));
  }
  ByteView optional = in.rest();
  switch (walk_tlvs(optional, limits.max_tlvs)) {
    case Walk::good:
      break;
    case Walk::odd_end:
      pdu.odd = "octets after the last parameter";
      break;
    case Walk::broken:
    case Walk::too_many:
      if (!pdu.is_response()) return std::unexpected(fault(pdu.header, kRinvOptParStream, "optional parameters"));
      optional = {};
      pdu.odd = "optional parameters";
      break;
  }
  pdu.tlvs = Tlvs(optional);
  return pdu;
}

std::string_view command_name(std::uint32_t id) {
  switch (id) {
    case command::kGenericNack:
      return "generic_nack";
    case command::kBindReceiver:
      return "bind_receiver";
    case command::kBindReceiver | command::kResponse:
      return "bind_receiver_resp";
    case command::kBindTransmitter:
      return "bind_transmitter";
    case command::kBindTransmitter | command::kResponse:
      return "bind_transmitter_resp";
    case command::kQuerySm:
      return "query_sm";
    case command::kQuerySm | command::kResponse:
      return "query_sm_resp";
    case command::kSubmitSm:
      return "submit_sm";
    case command::kSubmitSm | command::kResponse:
      return "submit_sm_resp";
    case command::kDeliverSm:
      return "deliver_sm";
    case command::kDeliverSm | command::kResponse:
      return "deliver_sm_resp";
    case command::kUnbind:
      return "unbind";
    case command::kUnbind | command::kResponse:
      return "unbind_resp";
    case command::kReplaceSm:
      return "replace_sm";
    case command::kReplaceSm | command::kResponse:
      return "replace_sm_resp";
    case command::kCancelSm:
      return "cancel_sm";
    case command::kCancelSm | command::kResponse:
      return "cancel_sm_resp";
    case command::kBindTransceiver:
      return "bind_transceiver";
    case command::kBindTransceiver | command::kResponse:
      return "bind_transceiver_resp";
    case command::kOutbind:
      return "outbind";
    case command::kEnquireLink:
      return "enquire_link";
    case command::kEnquireLink | command::kResponse:
      return "enquire_link_resp";
    case command::kAlertNotification:
      return "alert_notification";
    case command::kDataSm:
      return "data_sm";
    case command::kDataSm | command::kResponse:
      return "data_sm_resp";
    default:
      return "unknown";
  }
}

}  // namespace postern::smpp
