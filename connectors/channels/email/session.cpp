// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/session.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "connectors/channels/email/lines.hpp"
#include "crypto/bytes.hpp"

namespace postern::email {
namespace {

using namespace std::chrono_literals;

Outcome local(Fate fate, std::string reason, RelayFault relay = RelayFault::none) {
  Outcome outcome;
  outcome.fate = fate;
  outcome.reason = std::move(reason);
  outcome.relay = relay;
  if (fate == Fate::retry) outcome.retry_after = 30s;
  return outcome;
}

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
           return upper(x) == upper(y);
         });
}

std::string_view take_word(std::string_view& text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

std::string base64_line(std::string_view secret) {
  std::string line = to_base64(as_bytes(secret));
  line += "\r\n";
  return line;
}

// RFC 4616: NUL user NUL password.
std::string plain_response(const std::string& user, const Secret& password) {
  std::string joined;
  joined.reserve(user.size() + password.size() + 2);
  joined += '\0';
  joined += user;
  joined += '\0';
  joined += password.text();
  std::string line = base64_line(joined);
  wipe_text(joined);
  return line;
}

}  // namespace

Session::Session(SessionOptions options) : options_(std::move(options)) {}

Action Session::connected() {
  Action action;
  state_ = State::greeting;
  if (options_.tls == TlsMode::implicit) {
    state_ = State::handshake;
    action.start_tls = true;
  }
  return action;
}

Action Session::tls_ready() {
  Action action;
  secure_ = true;
  reader_ = {};
  offers_ = {};  // RFC 3207 section 4.2: what was learnt in plaintext is forgotten
  if (options_.tls == TlsMode::implicit)
    state_ = State::greeting;
  else
    say_hello(action);
  return action;
}

Action Session::received(std::string_view bytes, std::int64_t now_ms) {
  Action action;
  if (state_ == State::ended) return action;
  reader_.feed(bytes);
  while (state_ != State::ended && state_ != State::handshake) {
    const std::optional<Reply> reply = reader_.next();
    if (!reply) break;
    on_reply(*reply, now_ms, action);
  }
  if (state_ != State::ended && reader_.spoilt())
    end(local(Fate::retry, "smtp-protocol-" + reader_.fault(), RelayFault::closing), action);
  return action;
}

void Session::on_reply(const Reply& reply, std::int64_t now_ms, Action& action) {
  switch (state_) {
    case State::greeting:
      return on_greeting(reply, action);
    case State::hello:
      return on_hello(reply, action);
    case State::starttls:
      return on_starttls(reply, action);
    case State::auth:
      return on_auth(reply, action);
    case State::transaction:
      return on_transaction(reply, now_ms, action);
    case State::quitting: {
      state_ = State::ended;
      action.close = true;
      return;
    }
    case State::idle: {
      // Only a farewell may come unasked (RFC 5321 section 3.8).
      if (reply.code == 421) return end(classify(reply, Stage::mail), action);
      return end(local(Fate::retry, "smtp-protocol-unasked", RelayFault::closing), action);
    }
    case State::connecting:
    case State::handshake:
    case State::ended:
      return end(local(Fate::retry, "smtp-protocol-unasked", RelayFault::closing), action);
  }
}

void Session::on_greeting(const Reply& reply, Action& action) {
  if (reply.code != 220) return end(classify(reply, Stage::connect), action);
  say_hello(action);
}

void Session::say_hello(Action& action) {
  state_ = State::hello;
  action.write += "EHLO " + options_.hello + "\r\n";
}

void Session::read_offers(const Reply& reply) {
  for (std::size_t i = 1; i < reply.lines.size(); ++i) {
    std::string_view rest = reply.lines[i];
    const std::string_view keyword = take_word(rest);
    if (same_word(keyword, "STARTTLS"))
      offers_.starttls = true;
    else if (same_word(keyword, "PIPELINING"))
      offers_.pipelining = true;
    else if (same_word(keyword, "8BITMIME"))
      offers_.eight_bit = true;
    else if (same_word(keyword, "DSN"))
      offers_.dsn = true;
    else if (same_word(keyword, "SMTPUTF8"))
      offers_.utf8 = true;
    else if (same_word(keyword, "SIZE")) {
      offers_.size = true;
      const std::string_view limit = take_word(rest);
      std::from_chars(limit.data(), limit.data() + limit.size(), offers_.size_limit);
    } else if (same_word(keyword, "AUTH")) {
      for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
        if (same_word(word, "PLAIN")) offers_.auth_plain = true;
        if (same_word(word, "LOGIN")) offers_.auth_login = true;
      }
    }
  }
}

void Session::on_hello(const Reply& reply, Action& action) {
  if (reply.code != 250) return end(classify(reply, Stage::ehlo), action);
  read_offers(reply);
  if (secure_) return begin_auth(action);
  if (!offers_.starttls) return end(local(Fate::refused, "smtp-no-starttls", RelayFault::down), action);
  state_ = State::starttls;
  action.write += "STARTTLS\r\n";
}

void Session::on_starttls(const Reply& reply, Action& action) {
  if (reply.code / 100 == 4) return end(classify(reply, Stage::starttls), action);
  if (reply.code != 220) return end(local(Fate::refused, "smtp-starttls-refused", RelayFault::down), action);
  // Bytes behind the 220 came from somebody who could not encrypt them.
  if (reader_.holds_bytes()) return end(local(Fate::refused, "smtp-starttls-injection", RelayFault::down), action);
  state_ = State::handshake;
  action.start_tls = true;
}

void Session::begin_auth(Action& action) {
  if (options_.user.empty() || options_.password == nullptr) {
    state_ = State::idle;
    return;
  }
  state_ = State::auth;
  auth_step_ = 0;
  if (offers_.auth_plain) {
    std::string response = plain_response(options_.user, *options_.password);
    action.write += "AUTH PLAIN " + response;
    wipe_text(response);
  } else if (offers_.auth_login) {
    action.write += "AUTH LOGIN\r\n";
  } else {
    end(local(Fate::refused, "smtp-no-auth", RelayFault::down), action);
  }
}

void Session::on_auth(const Reply& reply, Action& action) {
  if (reply.code == 235) {
    state_ = State::idle;
    return;
  }
  if (reply.code != 334)
    return end(reply.code / 100 == 2 || reply.code / 100 == 3
                   ? local(Fate::retry, "smtp-protocol-auth", RelayFault::closing)
                   : classify(reply, Stage::auth),
               action);
  const int step = auth_step_++;
  std::string line;
  if (offers_.auth_plain && step == 0)
    line = plain_response(options_.user, *options_.password);
  else if (!offers_.auth_plain && step == 0)
    line = base64_line(options_.user);
  else if (!offers_.auth_plain && step == 1)
    line = base64_line(options_.password->text());
  else
    return end(local(Fate::refused, "smtp-auth-endless", RelayFault::down), action);
  action.write += line;
  wipe_text(line);
}

Action Session::send(Mail mail, std::int64_t now_ms) {
  Action action;
  if (now_ms >= mail.expires_ms) {
    action.outcome = local(Fate::refused, "expired");
    return action;
  }
  if (mail.utf8 && !(offers_.utf8 && offers_.eight_bit)) {
    action.outcome = local(Fate::refused, "smtp-5.6.7");
    return action;
  }
  if (offers_.size_limit != 0 && mail.content.size() > offers_.size_limit) {
    action.outcome = local(Fate::refused, "smtp-5.3.4");
    return action;
  }
  state_ = State::transaction;
  mail_ = std::move(mail);
  failed_.reset();
  cancelled_ = dot_written_ = false;
  plan_.clear();
  expected_.clear();
  if (std::exchange(must_reset_, false)) plan_.push_back(Expect::rset);
  plan_.insert(plan_.end(), {Expect::mail, Expect::rcpt, Expect::data});
  next_commands(action);
  return action;
}

std::string Session::mail_command() const {
  std::string line = "MAIL FROM:<" + mail_->from + ">";
  if (offers_.size) line += " SIZE=" + std::to_string(mail_->content.size());
  if (mail_->utf8) line += " SMTPUTF8";
  if (mail_->utf8) line += " BODY=8BITMIME";
  // RET=HDRS always: a bounce must not carry the bank's text back through other people's servers.
  if (offers_.dsn) line += " RET=HDRS ENVID=" + xtext(mail_->envelope_id);
  return line + "\r\n";
}

std::string Session::rcpt_command() const {
  std::string line = "RCPT TO:<" + mail_->to + ">";
  if (offers_.dsn && !options_.notify.empty()) {
    line += " NOTIFY=";
    for (std::size_t i = 0; i < options_.notify.size(); ++i) line += (i > 0 ? "," : "") + options_.notify[i];
    if (!mail_->utf8) line += " ORCPT=rfc822;" + xtext(mail_->to);
  }
  return line + "\r\n";
}

// RFC 2920: with PIPELINING the whole group goes out in one write, else one command at a time.
void Session::next_commands(Action& action) {
  while (!plan_.empty() && (expected_.empty() || offers_.pipelining)) {
    const Expect command = plan_.front();
    plan_.pop_front();
    expected_.push_back(command);
    switch (command) {
      case Expect::rset:
        action.write += "RSET\r\n";
        break;
      case Expect::mail:
        action.write += mail_command();
        break;
      case Expect::rcpt:
        action.write += rcpt_command();
        break;
      case Expect::data:
        action.write += "DATA\r\n";
        break;
      case Expect::body:
      case Expect::empty_body:
        break;
    }
  }
}

void Session::note_failure(const Reply& reply, Stage stage) {
  if (failed_) return;
  if (reply.code / 100 == 3)
    failed_ = local(Fate::retry, "smtp-protocol-unasked", RelayFault::closing);
  else
    failed_ = classify(reply, stage);
}

void Session::on_transaction(const Reply& reply, std::int64_t now_ms, Action& action) {
  if (expected_.empty()) return end(local(Fate::retry, "smtp-protocol-unasked", RelayFault::closing), action);
  const Expect answered = expected_.front();
  // 421: the server closes and no other reply of this group will come. An answer to the message before
  // its last byte has left: the two sides no longer agree on what is command and what is content.
  const bool early = answered == Expect::body && !dot_written_;
  if (reply.code == 421 || early) {
    note_failure(reply, answered == Expect::body ? Stage::body : Stage::data);
    if (failed_->fate == Fate::sent) failed_ = local(Fate::unknown, "smtp-protocol-early", RelayFault::closing);
    expected_.clear();
    return end(local(Fate::retry, failed_->reason, RelayFault::closing), action);
  }
  if (answered == Expect::data) return on_data(reply, now_ms, action);
  if (answered == Expect::body) {
    if (reply.code / 100 == 3) return end(local(Fate::retry, "smtp-protocol-unasked", RelayFault::closing), action);
    return finish(classify(reply, Stage::body), action);
  }
  expected_.pop_front();
  const bool good = reply.code / 100 == 2;
  switch (answered) {
    case Expect::rset: {
      if (!good) return end(local(Fate::retry, "smtp-protocol-reset", RelayFault::closing), action);
      break;
    }
    case Expect::mail: {
      if (!good) note_failure(reply, Stage::mail);
      break;
    }
    case Expect::rcpt: {
      if (!good) note_failure(reply, Stage::rcpt);
      break;
    }
    case Expect::empty_body:
    case Expect::data:
    case Expect::body:
      break;
  }
  if (failed_ && expected_.empty()) return finish(*failed_, action);
  next_commands(action);
}

void Session::on_data(const Reply& reply, std::int64_t now_ms, Action& action) {
  expected_.pop_front();
  if (reply.code != 354) {
    if (reply.code / 100 == 2) return end(local(Fate::retry, "smtp-protocol-data", RelayFault::closing), action);
    note_failure(reply, Stage::data);
    return finish(*failed_, action);
  }
  if (failed_) {
    // RFC 2920 section 3.1: nobody is left to send to, but the server wants its dot.
    expected_.push_back(Expect::empty_body);
    action.write += ".\r\n";
    return;
  }
  if (cancelled_ || now_ms >= mail_->expires_ms) {
    // The last moment at which the mail can be held back: closing now leaves the server without the
    // final dot, and a mail without it is never delivered (RFC 5321 section 4.1.1.4).
    failed_ = local(Fate::refused, cancelled_ ? "cancelled" : "expired");
    return end(local(Fate::retry, "smtp-abandoned"), action);
  }
  expected_.push_back(Expect::body);
  action.write += dot_stuffed(mail_->content);
}

void Session::finish(Outcome outcome, Action& action) {
  must_reset_ = outcome.fate != Fate::sent;
  if (cancelled_ && outcome.fate != Fate::sent) outcome = local(Fate::refused, "cancelled");
  action.outcome = std::move(outcome);
  mail_.reset();
  failed_.reset();
  plan_.clear();
  expected_.clear();
  state_ = State::idle;
}

void Session::end(Outcome failure, Action& action) {
  if (mail_) {
    Outcome outcome = failed_ ? *failed_ : failure;
    if (in_doubt()) outcome = local(Fate::unknown, failure.reason);
    // The relay's trouble is told by `failure`; to the mail it is a transient fault.
    else if (!failed_ && outcome.fate == Fate::refused)
      outcome.fate = Fate::retry;
    action.outcome = std::move(outcome);
    mail_.reset();
  }
  state_ = State::ended;
  action.start_tls = false;
  action.close = true;
  action.failure = std::move(failure);
}

Action Session::lost(std::string_view reason) {
  Action action;
  if (state_ == State::ended) return action;
  if (state_ == State::quitting) {
    state_ = State::ended;
    action.close = true;
    return action;
  }
  const bool trust = reason.starts_with("tls-");
  end(local(trust ? Fate::refused : Fate::retry, "smtp-" + std::string(reason),
            trust ? RelayFault::down : RelayFault::closing),
      action);
  return action;
}

Action Session::timed_out() { return lost("timeout"); }

void Session::written() {
  if (state_ == State::transaction && !expected_.empty() && expected_.front() == Expect::body) dot_written_ = true;
}

bool Session::in_doubt() const {
  return state_ == State::transaction && dot_written_ && !expected_.empty() && expected_.front() == Expect::body;
}

void Session::cancel() {
  if (state_ != State::transaction || (!expected_.empty() && expected_.front() == Expect::body)) return;
  cancelled_ = true;
}

Action Session::quit() {
  Action action;
  if (state_ == State::ended || state_ == State::quitting) return action;
  if (state_ == State::idle) {
    state_ = State::quitting;
    action.write = "QUIT\r\n";
    return action;
  }
  if (state_ == State::transaction) return action;
  state_ = State::ended;
  action.close = true;
  return action;
}

std::optional<std::chrono::milliseconds> Session::timeout() const {
  const Timeouts& t = options_.timeouts;
  switch (state_) {
    case State::connecting:
    case State::handshake:
      return t.connect;
    case State::greeting:
      return t.greeting;
    case State::hello:
    case State::starttls:
    case State::auth:
      return t.command;
    case State::quitting:
      return 5s;
    case State::idle:
    case State::ended:
      return std::nullopt;
    case State::transaction:
      break;
  }
  if (expected_.empty()) return t.command;
  switch (expected_.front()) {
    case Expect::data:
      return t.data_start;
    case Expect::body:
      return dot_written_ ? t.data_end : t.data_block;
    case Expect::empty_body:
      return t.data_end;
    case Expect::rset:
    case Expect::mail:
    case Expect::rcpt:
      break;
  }
  return t.command;
}

}  // namespace postern::email
