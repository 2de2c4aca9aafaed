// SPDX-License-Identifier: Apache-2.0
// Purpose: what an SMTP reply means for an attempt: the table of reply codes (RFC 5321 section 4.2.3,
// RFC 3463, RFC 5248, RFC 7372) as one pure function. Used by: the SMTP session of postern-email.
// Threads: pure functions. Errors: none; every reply has a meaning.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "connectors/channels/email/reply.hpp"

namespace postern::email {

// What became of one attempt; the words of wire::Result.
enum class Fate { sent, retry, refused, unknown, throttled };

// What the reply says about the relay itself, beyond this message.
enum class RelayFault {
  none,
  closing,    // 421: the server ends the connection
  slow_down,  // we are too fast for it
  alarm,      // policy, sender or our own commands: a person must look, other messages may pass
  down,       // credentials or the greeting refused: nothing passes until a person acts
};

struct Outcome {
  Fate fate = Fate::refused;
  std::string reason;         // "smtp-5.1.1", "smtp-550"; empty when sent
  std::string provider_id;    // the server's queue id, when it names one
  bool address_dead = false;  // the mailbox or its domain does not exist
  std::chrono::milliseconds retry_after{0};
  RelayFault relay = RelayFault::none;
};

// Which command was answered. A code about an address kills the recipient's address only where the
// recipient was what the server looked at.
enum class Stage { connect, ehlo, starttls, auth, mail, rcpt, data, body };

// "smtp-5.1.1", or "smtp-550" without an enhanced code.
std::string reason_of(const Reply& reply);

// The meaning of a final reply (not 3xx) at `stage`.
Outcome classify(const Reply& reply, Stage stage);

// The queue id in the reply to the final dot, as Postfix, Exim, OpenSMTPD and Sendmail write it;
// empty when none is recognised. At most 64 characters.
std::string queue_id(const Reply& reply);

}  // namespace postern::email
