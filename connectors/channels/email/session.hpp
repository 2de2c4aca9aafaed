// SPDX-License-Identifier: Apache-2.0
// Purpose: one SMTP client session as a state machine (RFC 5321, 3207, 4954, 2920, 1870, 3461, 6531):
// what arrived goes in, what to send comes out. No socket, no clock, no TLS of its own, so that every
// dialogue can be tested byte by byte. Used by: Connection.
// Threads: one. Ownership: the session keeps the mail it sends until its outcome.
// Rule of TLS: nothing but EHLO and STARTTLS is ever sent before tls_ready(). A server that does not
// offer STARTTLS, refuses it, or has more plaintext in hand when TLS starts (an injection, RFC 3207
// section 6 and CVE-2011-0411) gets nothing at all.
// Rule of doubt: before the final dot has left this host a broken session means `retry`; after it, and
// until its reply, it means `unknown`.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/channels/email/classify.hpp"
#include "connectors/channels/email/reply.hpp"
#include "crypto/secret.hpp"

namespace postern::email {

enum class TlsMode { starttls, implicit };

// RFC 5321 section 4.5.3.2.
struct Timeouts {
  std::chrono::milliseconds connect{30'000};
  std::chrono::milliseconds greeting{300'000};
  std::chrono::milliseconds command{300'000};     // EHLO, STARTTLS, AUTH, MAIL, RCPT
  std::chrono::milliseconds data_start{120'000};  // DATA to 354
  std::chrono::milliseconds data_block{180'000};  // without progress in writing the message
  std::chrono::milliseconds data_end{600'000};    // final dot to its reply
};

struct SessionOptions {
  TlsMode tls = TlsMode::starttls;
  std::string hello;                 // our name in EHLO
  std::string user;                  // empty: no AUTH
  const Secret* password = nullptr;  // outlives the session
  std::vector<std::string> notify;   // RFC 3461 NOTIFY words, upper case; empty: none asked
  Timeouts timeouts;
};

// One message to one mailbox. A transaction has one recipient: every message is personal, and each
// attempt needs its own answer.
struct Mail {
  std::string envelope_id;      // ENVID; xtext-safe characters only
  std::string from, to;         // addresses, checked by is_mailbox
  std::string content;          // headers and body, CRLF lines, not dot-stuffed
  bool utf8 = false;            // needs SMTPUTF8
  std::int64_t expires_ms = 0;  // Unix milliseconds
};

// What the caller must do now, in this order: write, then handshake or close.
struct Action {
  std::string write;       // may hold a credential: wipe after use
  bool start_tls = false;  // handshake, then tls_ready()
  bool close = false;
  std::optional<Outcome> outcome;  // of the mail in hand
  // The session as such failed: whoever waits for a connection learns why.
  std::optional<Outcome> failure;
};

class Session {
 public:
  explicit Session(SessionOptions options);

  // The connection stands (for TlsMode::implicit: after the handshake, through tls_ready()).
  Action connected();
  Action tls_ready();

  Action received(std::string_view bytes, std::int64_t now_ms);

  // Everything handed out by Action::write has left this host.
  void written();

  // The connection is gone. `reason` is a short stable word: "closed", "reset", "tls-expired".
  Action lost(std::string_view reason);
  Action timed_out();

  // Sends one mail; only while ready().
  Action send(Mail mail, std::int64_t now_ms);

  // Stops the mail in hand if it can still be stopped, which is until the server asks for its content:
  // its outcome is then refused "cancelled".
  void cancel();

  // Says QUIT when nothing is under way.
  Action quit();

  bool ready() const { return state_ == State::idle; }
  bool ended() const { return state_ == State::ended; }
  bool secure() const { return secure_; }

  // How long the present state may last without progress; nothing while idle or ended.
  std::optional<std::chrono::milliseconds> timeout() const;

  // The server understands RFC 3461, so what was asked by NOTIFY will be told.
  bool offers_dsn() const { return offers_.dsn; }

  // Whether the final dot has left and its answer has not come.
  bool in_doubt() const;

 private:
  enum class State { connecting, greeting, hello, starttls, handshake, auth, idle, transaction, quitting, ended };
  enum class Expect { rset, mail, rcpt, data, body, empty_body };
  struct Offers {
    bool starttls = false, pipelining = false, size = false, eight_bit = false, dsn = false, utf8 = false;
    bool auth_plain = false, auth_login = false;
    std::uint64_t size_limit = 0;
  };

  void on_reply(const Reply& reply, std::int64_t now_ms, Action& action);
  void on_greeting(const Reply& reply, Action& action);
  void on_hello(const Reply& reply, Action& action);
  void on_starttls(const Reply& reply, Action& action);
  void on_auth(const Reply& reply, Action& action);
  void on_transaction(const Reply& reply, std::int64_t now_ms, Action& action);
  void on_data(const Reply& reply, std::int64_t now_ms, Action& action);
  void begin_auth(Action& action);
  void say_hello(Action& action);
  void read_offers(const Reply& reply);
  void next_commands(Action& action);
  std::string mail_command() const;
  std::string rcpt_command() const;
  void note_failure(const Reply& reply, Stage stage);
  void finish(Outcome outcome, Action& action);
  void end(Outcome failure, Action& action);  // of the session; the mail in hand gets its outcome too

  SessionOptions options_;
  ReplyReader reader_;
  State state_ = State::connecting;
  Offers offers_;
  bool secure_ = false, must_reset_ = false;
  int auth_step_ = 0;

  std::optional<Mail> mail_;
  std::deque<Expect> plan_;        // commands not yet said
  std::deque<Expect> expected_;    // commands said, replies due
  std::optional<Outcome> failed_;  // of the transaction: the first refusal
  bool cancelled_ = false, dot_written_ = false;
};

}  // namespace postern::email
