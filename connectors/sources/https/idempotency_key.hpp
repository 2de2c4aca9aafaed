// SPDX-License-Identifier: Apache-2.0
// Purpose: reads the Idempotency-Key header. Used by: the API. Threads: pure function.
// Errors: nothing is returned for a value of another form. Limits: 1..128 bytes of key.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::https {

inline constexpr std::size_t kMaxKey = 128;

// The key of a header value: a structured-field string without parameters (RFC 9651 section 3.3.3:
// "8e03978e-40d5"), or the same characters without quotes, of which many clients send UUIDs.
std::optional<std::string> parse_idempotency_key(std::string_view value);

// True for 1..128 visible ASCII characters and spaces: what a key may be in either form.
bool good_idempotency_key(std::string_view key);

}  // namespace postern::https
