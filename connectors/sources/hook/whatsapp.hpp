// SPDX-License-Identifier: Apache-2.0
// Purpose: the webhook of the WhatsApp Cloud API: its verification, its signature, its statuses and
// inbound messages. Used by: kinds.cpp, tests. Threads: pure functions and a value with secrets.
// Errors: read_whatsapp_webhook fails only for bytes that are no JSON object within the limits.
// Limits: 1 MiB is the source's cap; a text of 64 KiB, an id of 512 bytes, else the item is unknown.
#pragma once

#include <memory>
#include <string_view>

#include "connectors/sources/hook/hook_kind.hpp"

namespace postern::hook {

// Keys: app_secret (credential), app_secret_previous (credential, optional: accepted too while the
// secret is being changed), verify_token (credential).
std::unique_ptr<HookKind> make_whatsapp_hook(Section& section);

Result<HookFacts> read_whatsapp_webhook(std::string_view body);

// "%016x-%u" back into an attempt; false for anything else, which then is not our echo.
bool read_echo(std::string_view text, wire::Attempt& attempt);

}  // namespace postern::hook
