// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/status.hpp"

#include <fmt/core.h>

namespace postern::smpp {

StatusClass StatusTable::of(std::uint32_t value) const {
  if (const auto own = own_.find(value); own != own_.end()) return own->second;
  switch (value) {
    case status::kOk:
      return StatusClass::accepted;
    case status::kInvalidDestination:
    case 0xfe:  // RDELIVERYFAILURE
      return StatusClass::number;
    case status::kWrongState:
    case status::kAlreadyBound:
    case status::kBindFailed:
    case status::kInvalidPassword:
    case status::kInvalidSystemId:
      return StatusClass::reconnect;
    case status::kQueueFull:
    case status::kThrottled:
      return StatusClass::throttle;
    case 0x0a:  // RINVSRCADR: the sender is not registered
    case 0x15:  // RINVSERTYP
    case 0x48:
    case 0x49:  // source TON, NPI
    case 0x50:
    case 0x51:  // destination TON, NPI
    case status::kInvalidSystemType:
    case 0xc1:
    case 0xc3:  // optional parameter not allowed, missing
    case 0x100:
    case 0x103:  // 5.0: service type unauthorised, denied
      return StatusClass::config;
    case status::kSystemError:
    case 0x45:  // RSUBMITFAIL: often the vendor's "other"
    case status::kReceiverTemporary:
    case 0xff:   // RUNKNOWNERR
    case 0x102:  // 5.0: service type unavailable
      return StatusClass::retry;
    default:
      break;
  }
  // Vendor values without an entry in the provider's map: the text says nothing, so try once more.
  return value >= 0x400 && value <= 0x4ff ? StatusClass::retry : StatusClass::permanent;
}

std::string reason_word(std::uint32_t value) { return fmt::format("smsc-0x{:08x}", value); }

std::string_view status_name(std::uint32_t value) {
  switch (value) {
    case 0x00:
      return "ESME_ROK";
    case 0x01:
      return "ESME_RINVMSGLEN";
    case 0x02:
      return "ESME_RINVCMDLEN";
    case 0x03:
      return "ESME_RINVCMDID";
    case 0x04:
      return "ESME_RINVBNDSTS";
    case 0x05:
      return "ESME_RALYBND";
    case 0x06:
      return "ESME_RINVPRTFLG";
    case 0x07:
      return "ESME_RINVREGDLVFLG";
    case 0x08:
      return "ESME_RSYSERR";
    case 0x0a:
      return "ESME_RINVSRCADR";
    case 0x0b:
      return "ESME_RINVDSTADR";
    case 0x0c:
      return "ESME_RINVMSGID";
    case 0x0d:
      return "ESME_RBINDFAIL";
    case 0x0e:
      return "ESME_RINVPASWD";
    case 0x0f:
      return "ESME_RINVSYSID";
    case 0x11:
      return "ESME_RCANCELFAIL";
    case 0x13:
      return "ESME_RREPLACEFAIL";
    case 0x14:
      return "ESME_RMSGQFUL";
    case 0x15:
      return "ESME_RINVSERTYP";
    case 0x33:
      return "ESME_RINVNUMDESTS";
    case 0x34:
      return "ESME_RINVDLNAME";
    case 0x40:
      return "ESME_RINVDESTFLAG";
    case 0x42:
      return "ESME_RINVSUBREP";
    case 0x43:
      return "ESME_RINVESMCLASS";
    case 0x44:
      return "ESME_RCNTSUBDL";
    case 0x45:
      return "ESME_RSUBMITFAIL";
    case 0x48:
      return "ESME_RINVSRCTON";
    case 0x49:
      return "ESME_RINVSRCNPI";
    case 0x50:
      return "ESME_RINVDSTTON";
    case 0x51:
      return "ESME_RINVDSTNPI";
    case 0x53:
      return "ESME_RINVSYSTYP";
    case 0x54:
      return "ESME_RINVREPFLAG";
    case 0x55:
      return "ESME_RINVNUMMSGS";
    case 0x58:
      return "ESME_RTHROTTLED";
    case 0x61:
      return "ESME_RINVSCHED";
    case 0x62:
      return "ESME_RINVEXPIRY";
    case 0x63:
      return "ESME_RINVDFTMSGID";
    case 0x64:
      return "ESME_RX_T_APPN";
    case 0x65:
      return "ESME_RX_P_APPN";
    case 0x66:
      return "ESME_RX_R_APPN";
    case 0x67:
      return "ESME_RQUERYFAIL";
    case 0xc0:
      return "ESME_RINVOPTPARSTREAM";
    case 0xc1:
      return "ESME_ROPTPARNOTALLWD";
    case 0xc2:
      return "ESME_RINVPARLEN";
    case 0xc3:
      return "ESME_RMISSINGOPTPARAM";
    case 0xc4:
      return "ESME_RINVOPTPARAMVAL";
    case 0xfe:
      return "ESME_RDELIVERYFAILURE";
    case 0xff:
      return "ESME_RUNKNOWNERR";
    default:
      return "";
  }
}

BindFailure bind_failure_of(std::uint32_t value) {
  switch (value) {
    case status::kOk:
      return BindFailure::none;
    case status::kBindFailed:
    case status::kInvalidPassword:
    case status::kInvalidSystemId:
    case status::kInvalidSystemType:
      return BindFailure::credentials;
    case status::kAlreadyBound:
      return BindFailure::busy;
    case status::kQueueFull:
    case status::kThrottled:
      return BindFailure::throttled;
    default:
      return BindFailure::transient;
  }
}

}  // namespace postern::smpp
