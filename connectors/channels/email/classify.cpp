// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/classify.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>

namespace postern::email {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kRetrySoon = 60s;
// Greylisting servers want the same sender back after some minutes.
constexpr std::chrono::milliseconds kRetryGreylisted = 5min;
constexpr std::chrono::milliseconds kRetryThrottled = 30s;

std::string lower_text(const Reply& reply) {
  std::string all;
  for (const std::string& line : reply.lines) all += line + ' ';
  std::transform(all.begin(), all.end(), all.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return all;
}

bool holds_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

bool speaks_of_rate(const std::string& text) {
  return holds_any(text, {"rate limit", "rate exceeded", "rate-limit", "sending rate", "too many messages",
                          "too many connections", "too fast", "throttl"});
}

bool speaks_of_policy(const std::string& text) {
  return holds_any(
      text, {"spf", "dkim", "dmarc", "blocklist", "blacklist", "block list", "spamhaus", "policy", "reputation"});
}

Outcome transient(const Reply& reply) {
  Outcome outcome{.fate = Fate::retry,
                  .reason = reason_of(reply),
                  .provider_id = {},
                  .address_dead = false,
                  .retry_after = kRetrySoon,
                  .relay = RelayFault::none};
  const std::optional<EnhancedCode> code = reply.enhanced();
  const std::string text = lower_text(reply);
  if (reply.code == 421) outcome.relay = RelayFault::closing;
  if (code == EnhancedCode{4, 7, 28} || code == EnhancedCode{4, 7, 0} || speaks_of_rate(text)) {
    outcome.fate = Fate::throttled;
    outcome.retry_after = kRetryThrottled;
    if (outcome.relay == RelayFault::none) outcome.relay = RelayFault::slow_down;
    return outcome;
  }
  // A full mailbox stays full for hours: another way now serves the customer better.
  if (code == EnhancedCode{4, 2, 2}) outcome.fate = Fate::refused;
  if (code == EnhancedCode{4, 7, 1} || code == EnhancedCode{4, 2, 0} ||
      holds_any(text, {"greylist", "graylist", "grey-list"}))
    outcome.retry_after = kRetryGreylisted;
  return outcome;
}

bool about_the_address(const EnhancedCode& code) {
  constexpr std::array<EnhancedCode, 6> kDead = {{{5, 1, 1}, {5, 1, 2}, {5, 1, 3}, {5, 1, 6}, {5, 1, 10}, {5, 2, 1}}};
  return std::find(kDead.begin(), kDead.end(), code) != kDead.end();
}

// Authentication wanted or refused (RFC 4954 section 6): nothing goes out until a person acts.
bool about_auth(const Reply& reply) {
  if (reply.code == 530 || reply.code == 534 || reply.code == 535 || reply.code == 538) return true;
  const std::optional<EnhancedCode> code = reply.enhanced();
  return code == EnhancedCode{5, 7, 8} || code == EnhancedCode{5, 7, 9} || code == EnhancedCode{5, 7, 11};
}

Outcome permanent(const Reply& reply, Stage stage) {
  Outcome outcome{.fate = Fate::refused,
                  .reason = reason_of(reply),
                  .provider_id = {},
                  .address_dead = false,
                  .retry_after = 0ms,
                  .relay = RelayFault::none};
  const bool setting_up =
      stage == Stage::connect || stage == Stage::ehlo || stage == Stage::starttls || stage == Stage::auth;
  if (setting_up || about_auth(reply)) {
    outcome.relay = RelayFault::down;
    return outcome;
  }
  const std::optional<EnhancedCode> code = reply.enhanced();
  const bool recipient_stage = stage == Stage::rcpt || stage == Stage::data || stage == Stage::body;
  if (code) {
    outcome.address_dead = recipient_stage && about_the_address(*code);
    // 5.7.x is policy (7.1, 7.20 to 7.27: SPF, DKIM, DMARC, reverse DNS), 5.1.7 and 5.1.8 the sender.
    const bool sender = *code == EnhancedCode{5, 1, 7} || *code == EnhancedCode{5, 1, 8};
    if (code->subject == 7 || code->subject == 5 || sender) outcome.relay = RelayFault::alarm;
  } else if (!recipient_stage || speaks_of_policy(lower_text(reply)) || (reply.code == 554 && stage != Stage::rcpt)) {
    outcome.relay = RelayFault::alarm;
  }
  return outcome;
}

}  // namespace

std::string reason_of(const Reply& reply) {
  const std::optional<EnhancedCode> code = reply.enhanced();
  return "smtp-" + (code ? code->text() : std::to_string(reply.code));
}

Outcome classify(const Reply& reply, Stage stage) {
  if (reply.code / 100 == 2)
    return Outcome{.fate = Fate::sent,
                   .reason = {},
                   .provider_id = queue_id(reply),
                   .address_dead = false,
                   .retry_after = 0ms,
                   .relay = RelayFault::none};
  if (reply.code / 100 == 4) return transient(reply);
  return permanent(reply, stage);
}

std::string queue_id(const Reply& reply) {
  const std::string_view text = reply.text();
  const auto token_at = [&](std::size_t at) -> std::string {
    const std::size_t end = std::min(text.find_first_of(" \t;,)", at), text.size());
    const std::string_view token = text.substr(at, end - at);
    const auto plain = [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '+' || c == '/' || c == '=';
    };
    if (token.empty() || token.size() > 64 || !std::all_of(token.begin(), token.end(), plain)) return {};
    return std::string(token);
  };
  if (const std::size_t at = text.find("queued as "); at != std::string_view::npos)
    return token_at(at + 10);                                                                          // Postfix
  if (const std::size_t at = text.find("id="); at != std::string_view::npos) return token_at(at + 3);  // Exim
  if (text.find("essage accepted for delivery") != std::string_view::npos) return token_at(0);  // OpenSMTPD, Sendmail
  return {};
}

}  // namespace postern::email
