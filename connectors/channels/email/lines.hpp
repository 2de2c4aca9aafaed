// SPDX-License-Identifier: Apache-2.0
// Purpose: what SMTP asks of the bytes of a mail and of a parameter. Used by: postern-email.
// Threads: pure functions. Errors: none but the answers themselves.
#pragma once

#include <string>
#include <string_view>

namespace postern::email {

// RFC 5321 section 4.5.2: doubles a dot at the start of a line and ends with CRLF "." CRLF. The
// content must have passed lines_are_clean().
std::string dot_stuffed(std::string_view content);

// Every line ends in CRLF, holds no other CR, LF or NUL, and has at most 998 bytes: what keeps one
// message from being read as two (SMTP smuggling).
bool lines_are_clean(std::string_view content);

// RFC 3461 section 4.
std::string xtext(std::string_view text);

}  // namespace postern::email
