// SPDX-License-Identifier: Apache-2.0
// Purpose: libsmpp34's own reading of a PDU, to hold our decoder against. Used by: unit tests.
// Only PDUs that library_takes() may be given to it: well-formed ones of moderate size whose fields the
// library knows. It is not hardened for anything else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "crypto/bytes.hpp"

namespace postern::smpp::test {

// What the library read, for the commands that the tests compare.
struct LibraryPdu {
  std::uint32_t command = 0, status = 0, sequence = 0;
  std::string system_id, password, service_type, source, destination, schedule, validity, message_id;
  int esm_class = 0, data_coding = 0, registered_delivery = 0, priority = 0;
  Bytes short_message;
  std::map<std::uint16_t, std::uint64_t> numbers;  // message_state, sar_*, user_message_reference
  std::string receipted_id;
};

bool library_takes(ByteView pdu);

// Nothing when the library refuses the PDU. Precondition: library_takes(pdu).
std::optional<LibraryPdu> library_unpack(ByteView pdu);

// True when nothing of the last PDU is left in the library's global text.
bool library_text_is_blank();

}  // namespace postern::smpp::test
