// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/access_token.hpp"

#include <algorithm>

#include "connectors/protocol/log.hpp"
#include "connectors/sources/json/document.hpp"

namespace postern::push {
namespace {

using http_client::Outcome;

constexpr std::size_t kMaxAnswer = 64 * 1024, kMaxToken = 4096;
constexpr std::int64_t kLeastLife = 60, kMostLife = 86'400;
constexpr std::int64_t kRenewPercent = 85;
constexpr std::chrono::seconds kRenewAgain{30}, kTimeout{10};

// The token becomes a header line: anything but visible ASCII could add lines of the service's choice.
bool is_header_safe(std::string_view token) {
  return !token.empty() && token.size() <= kMaxToken &&
         std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

TokenReading trouble(TokenAnswer::Kind kind, std::string why) {
  TokenReading reading;
  reading.kind = kind;
  reading.why = std::move(why);
  return reading;
}

}  // namespace

TokenReading read_token_answer(int status, std::string_view body) {
  if (status == 429 || status >= 500)
    return trouble(TokenAnswer::Kind::unreachable, "the token service answered " + std::to_string(status));
  // RFC 6749 section 5.2: 400 or 401 with an error word; any other status is no less a refusal.
  if (status != 200)
    return trouble(TokenAnswer::Kind::refused, "the token service answered " + std::to_string(status) +
                                                   "; check the service account, its key and the clock");
  json::Document document;
  if (document.parse(body, kMaxAnswer))
    return trouble(TokenAnswer::Kind::unreachable, "the token service's answer cannot be read");
  const std::string_view token = document.root().find("access_token").text();
  const std::int64_t life = document.root().find("expires_in").integer().value_or(0);
  if (!is_header_safe(token) || life < kLeastLife || life > kMostLife)
    return trouble(TokenAnswer::Kind::unreachable, "the token service's answer holds no usable token");
  TokenReading reading;
  reading.kind = TokenAnswer::Kind::token;
  reading.token = Secret(token);
  reading.life_s = life;
  return reading;
}

AccessToken::AccessToken(Loop& loop, http_client::Client& client, const ServiceAccount& account, std::string url)
    : client_(client),
      account_(account),
      url_(std::move(url)),
      renew_(loop, [this] { fetch(); }),
      alive_(std::make_shared<bool>(true)) {}

AccessToken::~AccessToken() { *alive_ = false; }

void AccessToken::get(Ready ready) {
  if (!token_.empty() && steady_ms() < ends_ms_) {
    TokenAnswer answer;
    answer.kind = TokenAnswer::Kind::token;
    answer.token = &token_;
    answer.generation = generation_;
    return ready(answer);
  }
  waiting_.push_back(std::move(ready));
  fetch();
}

void AccessToken::refused(std::uint64_t generation) {
  if (generation != generation_ || token_.empty()) return;  // a newer one is already there or on its way
  log::warning("push.token-refused", "the provider refused the access token; fetching a new one");
  token_.wipe();
  renew_.stop();
}

void AccessToken::fetch() {
  if (std::exchange(fetching_, true)) return;
  Result<Secret> assertion = make_assertion(account_, wall_ms() / 1000);
  if (!assertion) {
    fetching_ = false;
    TokenAnswer answer;
    answer.kind = TokenAnswer::Kind::refused;
    answer.why = assertion.what();
    return tell(answer);
  }
  http_client::Request request;
  request.url = url_;
  request.headers = {"Content-Type: application/x-www-form-urlencoded", "Accept: application/json"};
  request.timeout = kTimeout;
  constexpr std::string_view form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
  request.body.reserve(form.size() + assertion->size());
  request.body.append(form).append(assertion->text());  // base64url and dots need no form encoding
  client_.send(std::move(request), [this, alive = alive_](Outcome&& outcome) {
    if (*alive) fetched(std::move(outcome));
    wipe_text(outcome.body);
  });
}

void AccessToken::fetched(Outcome&& outcome) {
  fetching_ = false;
  TokenReading reading =
      outcome.kind == Outcome::Kind::answered
          ? read_token_answer(outcome.status, outcome.body)
          : trouble(TokenAnswer::Kind::unreachable, "no answer of the token service: " + outcome.why);
  TokenAnswer answer;
  answer.kind = reading.kind;
  answer.why = std::move(reading.why);
  if (reading.kind == TokenAnswer::Kind::token) {
    token_ = std::move(reading.token);
    answer.token = &token_;
    answer.generation = ++generation_;
    // A token is not used in its last moments: the request could arrive after its end.
    ends_ms_ = steady_ms() + (reading.life_s - 10) * 1000;
    renew_.start(std::chrono::milliseconds(reading.life_s * 10 * kRenewPercent));
  } else {
    log::warning("push.token", "{}", answer.why);
    if (!token_.empty()) renew_.start(kRenewAgain);  // the old one is good for a while
  }
  tell(answer);
}

void AccessToken::tell(const TokenAnswer& answer) {
  const std::shared_ptr<bool> alive = alive_;
  std::vector<Ready> waiting;
  waiting.swap(waiting_);
  for (const Ready& ready : waiting) {
    if (!*alive) return;
    ready(answer);
  }
}

}  // namespace postern::push
