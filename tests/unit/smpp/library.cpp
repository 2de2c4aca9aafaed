// SPDX-License-Identifier: Apache-2.0
#include "library.hpp"

#include <algorithm>
#include <cstring>

// The parameters need the structs in front of them.
// clang-format off
extern "C" {
#include <libsmpp34/smpp34.h>
#include <libsmpp34/smpp34_structs.h>
#include <libsmpp34/smpp34_params.h>
}
// clang-format on
#undef Reserved

namespace postern::smpp::test {
namespace {

// c C-octet string, 1 octet, s sm_length and octets, T optional parameters to the end.
const char* layout_of(std::uint32_t command) {
  switch (command) {
    case 0x01:
    case 0x02:
    case 0x09:
      return "ccc111c";
    case 0x80000001:
    case 0x80000002:
    case 0x80000009:
      return "cT";
    case 0x0b:
      return "cc";
    case 0x04:
    case 0x05:
      return "c11c11c111cc1111sT";
    case 0x80000004:
    case 0x80000005:
    case 0x80000103:
      return "c";
    case 0x103:
      return "c11c11c111T";
    case 0x03:
      return "c11c";
    case 0x80000003:
      return "cc11";
    case 0x08:
      return "cc11c11c";
    case 0x102:
      return "11c11cT";
    case 0x06:
    case 0x15:
    case 0x80000006:
    case 0x80000008:
    case 0x80000015:
      return "";
    default:
      return nullptr;
  }
}

constexpr std::size_t kMostParameters = 12;

template <std::size_t N>
std::string text(const std::uint8_t (&field)[N]) {
  const auto* chars = reinterpret_cast<const char*>(field);
  return std::string(chars, strnlen(chars, N));
}

template <class Struct>
bool unpack(Struct& pdu, ByteView bytes) {
  std::memset(&pdu, 0, sizeof pdu);
  return smpp34_unpack2(&pdu, bytes.data(), static_cast<int>(bytes.size())) == 0;
}

void read_parameters(tlv_t* list, LibraryPdu& out) {
  for (const tlv_t* item = list; item != nullptr; item = item->next) {
    switch (item->tag) {
      case 0x0427:
      case 0x020e:
      case 0x020f:
      case 0x0422:
      case 0x0210:
        out.numbers[item->tag] = item->value.val08;
        break;
      case 0x0204:
      case 0x020c:
        out.numbers[item->tag] = item->value.val16;
        break;
      case 0x001e: {
        const auto* chars = reinterpret_cast<const char*>(item->value.octet);
        out.receipted_id.assign(chars, strnlen(chars, item->length));
        break;
      }
      default:
        break;
    }
  }
  destroy_tlv(list);
}

// submit_sm_t and deliver_sm_t have the same members.
template <class Struct>
bool read_message(ByteView bytes, LibraryPdu& out) {
  Struct pdu;
  const bool good = unpack(pdu, bytes);
  out.service_type = text(pdu.service_type);
  out.source = text(pdu.source_addr);
  out.destination = text(pdu.destination_addr);
  out.schedule = text(pdu.schedule_delivery_time);
  out.validity = text(pdu.validity_period);
  out.esm_class = pdu.esm_class;
  out.priority = pdu.priority_flag;
  out.registered_delivery = pdu.registered_delivery;
  out.data_coding = pdu.data_coding;
  out.short_message.assign(pdu.short_message, pdu.short_message + pdu.sm_length);
  read_parameters(pdu.tlv, out);
  return good;
}

template <class Struct>
bool read_bind(ByteView bytes, LibraryPdu& out) {
  Struct pdu;
  const bool good = unpack(pdu, bytes);
  out.system_id = text(pdu.system_id);
  out.password = text(pdu.password);
  return good;
}

}  // namespace

bool library_takes(ByteView pdu) {
  if (pdu.size() < 16 || pdu.size() > 4096) return false;
  ByteReader in(pdu);
  const std::uint32_t length = in.u32(), command = in.u32(), status = in.u32(), sequence = in.u32();
  const char* layout = layout_of(command);
  if (length != pdu.size() || layout == nullptr || sequence == 0) return false;
  if ((command & 0x80000000) != 0 && status != 0) return false;
  std::size_t parameters = 0;
  for (; *layout != '\0'; ++layout) {
    switch (*layout) {
      case 'c':
        for (std::size_t size = 0; in.u8() != 0; ++size) {
          if (!in.ok() || size > 64) return false;
        }
        break;
      case '1':
        in.u8();
        break;
      case 's':
        in.view8();
        break;
      case 'T':
        for (; in.left() > 0 && in.ok(); ++parameters) {
          in.u16();
          in.view16(1024);
        }
        break;
      default:
        return false;
    }
  }
  return in.finish() && parameters <= kMostParameters;
}

std::optional<LibraryPdu> library_unpack(ByteView bytes) {
  LibraryPdu out;
  ByteReader in(bytes);
  in.u32();
  out.command = in.u32();
  out.status = in.u32();
  out.sequence = in.u32();
  bool good = false;
  switch (out.command) {
    case SUBMIT_SM:
      good = read_message<submit_sm_t>(bytes, out);
      break;
    case DELIVER_SM:
      good = read_message<deliver_sm_t>(bytes, out);
      break;
    case BIND_TRANSCEIVER:
      good = read_bind<bind_transceiver_t>(bytes, out);
      break;
    case BIND_TRANSMITTER:
      good = read_bind<bind_transmitter_t>(bytes, out);
      break;
    case BIND_RECEIVER:
      good = read_bind<bind_receiver_t>(bytes, out);
      break;
    case SUBMIT_SM_RESP: {
      submit_sm_resp_t pdu;
      good = unpack(pdu, bytes);
      out.message_id = text(pdu.message_id);
      break;
    }
    case QUERY_SM_RESP: {
      query_sm_resp_t pdu;
      good = unpack(pdu, bytes);
      out.message_id = text(pdu.message_id);
      break;
    }
    case ENQUIRE_LINK: {
      enquire_link_t pdu;
      good = unpack(pdu, bytes);
      break;
    }
    case UNBIND: {
      unbind_t pdu;
      good = unpack(pdu, bytes);
      break;
    }
    default:
      return std::nullopt;
  }
  return good ? std::optional(out) : std::nullopt;
}

bool library_text_is_blank() {
  return std::all_of(std::begin(smpp34_strerror), std::end(smpp34_strerror), [](char c) { return c == 0; });
}

}  // namespace postern::smpp::test
