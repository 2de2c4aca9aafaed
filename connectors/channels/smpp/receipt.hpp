// SPDX-License-Identifier: Apache-2.0
// Purpose: reads delivery receipts, from optional parameters or from the text of SMPP 3.4 Appendix B and
// its many dialects, and brings message ids into one form. Used by: postern-smpp.
// Threads: pure functions. Ownership: values; views point into the text given.
// Errors: what is not a receipt gives nothing; an odd field of a receipt is left out.
// Security: the text echoes what somebody wrote to a customer, so nothing behind `text:` is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "connectors/channels/smpp/frame.hpp"

namespace postern::smpp {

// message_state, SMPP 3.4 section 5.2.28 and 5.0 section 4.7.15.
enum class MessageState : std::uint8_t {
  scheduled = 0,
  enroute = 1,
  delivered = 2,
  expired = 3,
  deleted = 4,
  undeliverable = 5,
  accepted = 6,
  unknown = 7,
  rejected = 8,
  skipped = 9,
};
bool is_final(MessageState state);
std::string_view state_word(MessageState state);  // "delivered", "undeliverable"

// The fields of a receipt text.
struct ReceiptText {
  std::string_view id;
  std::optional<MessageState> state;
  std::string_view error;              // as written: "000", "0x1b"
  std::optional<std::int64_t> done_s;  // Unix seconds, when the text has a date
};

// `offset_s` is what the SMS centre's clock is ahead of UTC. Fields in any order and case.
ReceiptText read_receipt_text(std::string_view text, int offset_s);

// How an id is written in submit_sm_resp and in receipts (the settings id_in_response, id_in_receipt).
enum class IdFormat { as_is, hex, dec };

// One form for ids that a provider writes in two: all-digit ids of up to 16 digits become decimal without
// leading zeros; everything else, and every id under `as_is`, stays as it is.
std::string canonical_id(std::string_view id, IdFormat format);

struct DeliveryReceipt {
  std::string id;  // canonical
  MessageState state = MessageState::unknown;
  std::string error;         // "" or "0" forms mean none
  std::int64_t done_ms = 0;  // Unix milliseconds; 0: not told
};

struct ReceiptOptions {
  IdFormat id_format = IdFormat::as_is;
  int offset_s = 0;
  bool accept_plain = false;  // receipts that come with esm_class 0
};

// What a deliver_sm or data_sm is.
enum class Inbound { message, receipt, broken_receipt };

// `receipt` fills `out`. A PDU that says it is a receipt but names no id or no state is `broken_receipt`:
// answer it and count it, nobody can match it. Parameters win over text (they are not echoed input).
Inbound read_inbound(const Pdu& pdu, const ReceiptOptions& options, DeliveryReceipt& out);

}  // namespace postern::smpp
