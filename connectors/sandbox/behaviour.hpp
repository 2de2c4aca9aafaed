// SPDX-License-Identifier: Apache-2.0
// Purpose: what the simulated world does with a message, chosen by its recipient like a test card
// number, so that every outcome can be had on purpose. Used by: the sandbox only.
// Threads: pure functions. The table below is the documentation; `postern sandbox help` prints it.
#pragma once

#include <string_view>

namespace postern::sandbox {

// Phone numbers are told apart by their last two digits:
//   10  WhatsApp is not on this number (131026); SMS is delivered
//   11  delivered late: the receipt comes after kLateSeconds
//   12  accepted, but no receipt ever comes
//   13  throttled: the first two tries are refused as too fast, then delivered
//   14  permanent error: the number does not exist
//   15  read: delivered and then read where the channel can tell
//   16  delivered, read, and the customer answers: YES, or what DIR/answers.json has for the number
//   17  handset off: accepted, then a receipt says undelivered
//   any other ending: delivered
// Push tokens by their first word up to '-':
//   dead  the app was removed (UNREGISTERED)      throttled  first two tries 429, then delivered
//   broken  refused as an invalid argument        silent  accepted, the app never acknowledges
//   late  the app acknowledges after kLateSeconds read  acknowledged as delivered, then read
//   anything else: the app acknowledges at once
// E-mail addresses by their local part:
//   dead  550 5.1.1      busy  451 4.2.0, twice, then accepted      any other: accepted
enum class Behaviour { delivered, not_on_whatsapp, late, no_receipt, throttled, permanent_error, read, replies, handset_off };

inline constexpr int kLateSeconds = 4;

Behaviour behaviour_of_number(std::string_view digits);
Behaviour behaviour_of_token(std::string_view token);
Behaviour behaviour_of_email(std::string_view address);

// The table above as text for people.
std::string_view behaviour_table();

}  // namespace postern::sandbox
