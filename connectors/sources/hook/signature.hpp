// SPDX-License-Identifier: Apache-2.0
// Purpose: tells whether a provider signed exactly these bytes. Used by: the hook kinds.
// Threads: pure function. Errors: a header of any other form is a bad signature. Limits: none.
#pragma once

#include <string>
#include <string_view>

#include "crypto/secret.hpp"

namespace postern::hook {

// "sha256=<64 hex digits>" as X-Hub-Signature-256 writes it: HMAC-SHA256 over the body as it came,
// compared in constant time.
bool hub_signature_good(const Secret& app_secret, std::string_view header, std::string_view body);

// The header's value for a body; for the sandbox and tests.
std::string hub_signature(const Secret& app_secret, std::string_view body);

}  // namespace postern::hook
