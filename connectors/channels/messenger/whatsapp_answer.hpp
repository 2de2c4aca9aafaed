// SPDX-License-Identifier: Apache-2.0
// Purpose: what an answer of the WhatsApp Cloud API means for the attempt and for the way. Used by:
// WhatsappCarrier. Threads: pure functions. Errors: none; an answer that cannot be read is judged so
// that a message is never sent a second time by guess, because this API knows no idempotency key.
// Limits: 256 KiB of answer. The answer's own texts never reach a result or a log.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "connectors/channels/http_client/dispatcher.hpp"

namespace postern::messenger {

http_client::Verdict read_whatsapp_answer(int status, std::string_view body,
                                          std::optional<std::chrono::seconds> retry_after);

// The answer to a question about our own number: nothing when it may send, else why not.
std::optional<std::string> read_whatsapp_health(int status, std::string_view body);

}  // namespace postern::messenger
