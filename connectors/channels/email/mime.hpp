// SPDX-License-Identifier: Apache-2.0
// Purpose: composes the message (RFC 5322, 2045-2049) that carries a text to a mailbox; GMime behind
// one .cpp. Used by: EmailChannel. Threads: one. Ownership: plain values.
// Errors and limits: a value that does not belong into a header (CR, LF, NUL or another control
// character), a broken address or text that is not UTF-8 refuses the whole mail: nothing is repaired
// by guessing. The result has CRLF lines of at most 998 bytes.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/channels/email/address.hpp"
#include "crypto/result.hpp"

namespace postern::email {

struct Letter {
  Sender from;
  std::string to;               // address
  std::string subject;          // UTF-8, one line
  std::string text;             // UTF-8; CR LF, LF or CR end a line
  std::string html;             // UTF-8; empty: the mail has the text alone
  std::string message_id;       // without angle brackets: "0198c0de-...@bank.example"
  std::int64_t date_ms = 0;     // Unix milliseconds
  std::string unsubscribe_url;  // https; empty: none (RFC 8058)
};

// Headers and body. `error.what` is a short stable word, safe for logs and results: "mail-to",
// "mail-from", "mail-subject", "mail-text", "mail-header".
Result<std::string> compose(const Letter& letter);

}  // namespace postern::email
