// SPDX-License-Identifier: Apache-2.0
// Purpose: a delivery as the WhatsApp Cloud API wants it. Used by: WhatsappCarrier. Threads: pure
// functions. Errors: a stable reason word instead of a body, for what WhatsApp would refuse anyway.
// Limits: 4,096 characters of free text, 1,024 of a parameter, 15 of a one-time code.
#pragma once

#include <string>

#include "connectors/protocol/wire.pb.h"

namespace postern::messenger {

struct WhatsappOptions {
  bool named_parameters = false;  // templates with {{name}} instead of {{1}}
  bool free_text = false;         // messages without a template are sent as text
  bool otp_button = true;         // templates of category otp carry the code in their button, too
};

struct WhatsappMessage {
  std::string refused;  // not empty: the reason; then there is no body
  std::string body;     // holds the message's content: wipe it
};

WhatsappMessage make_whatsapp_message(const wire::Deliver& deliver, const WhatsappOptions& options);

// The attempt as the provider echoes it in its statuses: "%016x-%u".
std::string echo_of(const wire::Attempt& attempt);

}  // namespace postern::messenger
