// SPDX-License-Identifier: Apache-2.0
// Purpose: the error codes of the WhatsApp Cloud API and what each means for us; the same table for
// answers and for the statuses that come later. Used by: messenger.
// Threads: constant data. Errors: a code that is not listed is `unknown`, which is treated as final
// for the message and says nothing about the sender.
#pragma once

#include <cstdint>
#include <span>

namespace postern::messenger {

enum class WhatsappClass {
  retry,      // RETRY
  throttle,   // THROTTLED
  failover,   // REFUSED: this recipient cannot be reached here
  permanent,  // REFUSED: the request or the template is wrong
  config,     // REFUSED: the account, number or template is not in order
  auth,       // REFUSED: the access token is not accepted
  unknown,    // REFUSED
};

// Whom an error concerns: a message alone, or every message of this sender.
enum class WhatsappScope { message, sender };

struct WhatsappError {
  std::int64_t code;
  WhatsappClass class_;
  WhatsappScope scope;
};

inline constexpr int kWhatsappErrorsVersion = 1;
std::span<const WhatsappError> whatsapp_errors();
WhatsappError whatsapp_error(std::int64_t code);

}  // namespace postern::messenger
