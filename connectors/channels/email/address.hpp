// SPDX-License-Identifier: Apache-2.0
// Purpose: what may stand between '<' and '>' in MAIL and RCPT and in a header, decided strictly so
// that no address can carry a command or a header line. Used by: postern-email.
// Threads: pure functions. Errors: anything not plainly an address is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::email {

// local@domain, RFC 5321 section 4.1.2 without quoted local parts and address literals: dot-atom local
// part of at most 64 bytes, host name labels, at most 254 bytes in all; RFC 6531 characters (valid
// UTF-8 above U+009F) in either part.
bool is_mailbox(std::string_view address);

// True when the address needs SMTPUTF8 on its way.
bool needs_utf8(std::string_view address);

std::string_view domain_of(std::string_view address);

// Valid UTF-8 (shortest form, no surrogates), without control characters other than those allowed.
bool is_utf8(std::string_view text);
bool has_control(std::string_view text);

struct Sender {
  std::string name;  // display name, UTF-8, may be empty
  std::string address;
};
// "Bank <info@bank.example>" or "info@bank.example".
std::optional<Sender> parse_sender(std::string_view text);

}  // namespace postern::email
