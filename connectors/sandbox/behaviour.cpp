// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/behaviour.hpp"

namespace postern::sandbox {

Behaviour behaviour_of_number(std::string_view digits) {
  const std::string_view ending = digits.size() >= 2 ? digits.substr(digits.size() - 2) : digits;
  if (ending == "10") return Behaviour::not_on_whatsapp;
  if (ending == "11") return Behaviour::late;
  if (ending == "12") return Behaviour::no_receipt;
  if (ending == "13") return Behaviour::throttled;
  if (ending == "14") return Behaviour::permanent_error;
  if (ending == "15") return Behaviour::read;
  if (ending == "16") return Behaviour::replies;
  if (ending == "17") return Behaviour::handset_off;
  return Behaviour::delivered;
}

Behaviour behaviour_of_token(std::string_view token) {
  const std::string_view word = token.substr(0, token.find('-'));
  if (word == "dead") return Behaviour::handset_off;
  if (word == "throttled") return Behaviour::throttled;
  if (word == "broken") return Behaviour::permanent_error;
  if (word == "silent") return Behaviour::no_receipt;
  if (word == "late") return Behaviour::late;
  if (word == "read") return Behaviour::read;
  return Behaviour::delivered;
}

Behaviour behaviour_of_email(std::string_view address) {
  const std::string_view local = address.substr(0, address.find('@'));
  if (local == "dead") return Behaviour::permanent_error;
  if (local == "busy") return Behaviour::throttled;
  return Behaviour::delivered;
}

std::string_view behaviour_table() {
  return R"(Phone numbers, by their last two digits
  10  WhatsApp is not on this number; SMS is delivered
  11  delivered late: the receipt comes after 4 seconds
  12  accepted, but no receipt ever comes
  13  throttled: the first two tries are refused as too fast, then delivered
  14  permanent error: the number does not exist
  15  read: delivered and then read, where the channel can tell
  16  delivered, read, and the customer answers: YES, or what answers.json has for the number
  17  handset off: accepted, then a receipt says undelivered
  any other ending: delivered
Push tokens, by their first word up to '-'
  dead       the app was removed            throttled  two tries refused as too fast
  broken     refused as invalid             silent     the app never acknowledges
  late       acknowledged after 4 seconds   read       acknowledged, then read
  any other: the app acknowledges at once
E-mail addresses, by their local part
  dead  mailbox does not exist              busy       two tries deferred, then accepted
  any other: accepted
)";
}

}  // namespace postern::sandbox
