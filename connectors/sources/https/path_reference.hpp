// SPDX-License-Identifier: Apache-2.0
// Purpose: the bank's own name for a customer as one percent-encoded segment of a path, "customer%2F7" for customer/7. Used by: the routes.
// Threads: pure functions. Errors: a sentence that says what is refused: a second '/' written plainly, a '%' without two hexadecimal digits, what
// is not UTF-8, control characters, nothing at all, more than 128 bytes.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace postern::https {

inline constexpr std::size_t kMaxReference = 128;

std::expected<std::string, std::string_view> reference_of(std::string_view segment);
// The one spelling of it: everything but what RFC 3986 leaves unreserved is encoded, with capital digits.
std::string segment_of(std::string_view reference);

}  // namespace postern::https
