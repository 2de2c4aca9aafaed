// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/fcm_carrier.hpp"

#include "connectors/channels/push/fcm_answer.hpp"
#include "connectors/protocol/log.hpp"

namespace postern::push {
namespace {

using http_client::Outcome;
using http_client::Verdict;
using http_client::Way;

constexpr const char* kContentType = "Content-Type: application/json; charset=UTF-8";
constexpr std::chrono::milliseconds kTokenPause{2'000};

Verdict refused(std::string reason) {
  Verdict verdict;
  verdict.kind = wire::Result::REFUSED;
  verdict.reason = std::move(reason);
  return verdict;
}

Verdict without_token(const TokenAnswer& answer) {
  Verdict verdict;
  if (answer.kind == TokenAnswer::Kind::refused) {
    verdict = refused("fcm-token-refused");
    verdict.way = Way::broken;
  } else {
    verdict.kind = wire::Result::RETRY;
    verdict.reason = "fcm-token-unreachable";
    verdict.retry_after = kTokenPause;
    verdict.way = Way::failing;
  }
  return verdict;
}

std::pair<std::uint64_t, std::uint32_t> key_of(const wire::Deliver& deliver) {
  return {deliver.attempt().message(), deliver.attempt().number()};
}

}  // namespace

FcmCarrier::FcmCarrier(Loop& loop, http_client::Client& client, const ServiceAccount& account, Options options)
    : client_(client),
      options_(std::move(options)),
      token_(loop, client, account, options_.token_url),
      alive_(std::make_shared<bool>(true)) {}

FcmCarrier::~FcmCarrier() { *alive_ = false; }

void FcmCarrier::send(const wire::Deliver& deliver, Done done) {
  if (!deliver.platform().empty() && deliver.platform() != "fcm") return done(refused("platform-not-served"));
  const Key key = key_of(deliver);
  flights_.insert_or_assign(key, Flight{&deliver, std::move(done)});
  go(key);
}

bool FcmCarrier::withdraw(const wire::Deliver& deliver) {
  const auto found = flights_.find(key_of(deliver));
  if (found == flights_.end()) return false;
  if (found->second.ticket != 0 && !client_.withdraw(found->second.ticket)) return false;
  flights_.erase(found);
  return true;
}

void FcmCarrier::go(Key key) {
  token_.get([this, alive = alive_, key](const TokenAnswer& token) {
    if (*alive) post(key, token);
  });
}

void FcmCarrier::post(Key key, const TokenAnswer& token) {
  const auto found = flights_.find(key);
  if (found == flights_.end() || found->second.ticket != 0) return;  // taken back while it waited
  if (token.kind != TokenAnswer::Kind::token) return finish(key, without_token(token));
  const wire::Deliver& deliver = *found->second.deliver;
  FcmMessage message = make_fcm_message(deliver, options_.message, wall_ms());
  if (!message.refused.empty()) return finish(key, refused(std::move(message.refused)));
  http_client::Request request;
  request.url = options_.send_url;
  request.headers = {kContentType};
  request.bearer = token.token;
  request.body = std::move(message.body);
  request.timeout = options_.timeout;
  request.not_after_ms = static_cast<std::int64_t>(deliver.expires_ms());
  found->second.ticket =
      client_.send(std::move(request), [this, alive = alive_, key, generation = token.generation](Outcome&& outcome) {
        if (*alive) answered(key, generation, std::move(outcome));
      });
}

void FcmCarrier::answered(Key key, std::uint64_t generation, Outcome&& outcome) {
  const auto found = flights_.find(key);
  if (found == flights_.end()) return;
  if (outcome.kind != Outcome::Kind::answered) return finish(key, http_client::unanswered(outcome, "fcm"));
  FcmAnswer answer = read_fcm_answer(outcome.status, outcome.body, outcome.retry_after);
  if (answer.renew_token) {
    token_.refused(generation);
    if (!std::exchange(found->second.renewed, true)) {
      found->second.ticket = 0;
      return go(key);
    }
  }
  finish(key, std::move(answer.verdict));
}

void FcmCarrier::finish(Key key, Verdict&& verdict) {
  const auto found = flights_.find(key);
  const Done done = std::move(found->second.done);
  flights_.erase(found);
  done(std::move(verdict));
}

void FcmCarrier::probe(std::function<void(std::optional<std::string>)> done) {
  token_.get([this, alive = alive_, done = std::move(done)](const TokenAnswer& token) {
    if (*alive) probe_with(token, /*renewed=*/false, done);
  });
}

// A message that is only checked and names no handset. FCM looks at the credentials and the project
// before the token, so "this token is invalid" says that everything else is in order.
void FcmCarrier::probe_with(const TokenAnswer& token, bool renewed,
                            std::function<void(std::optional<std::string>)> done) {
  if (token.kind != TokenAnswer::Kind::token) return done(token.why);
  http_client::Request request;
  request.url = options_.send_url;
  request.headers = {kContentType};
  request.bearer = token.token;
  request.body = make_fcm_probe();
  request.timeout = options_.timeout;
  client_.send(std::move(request), [this, alive = alive_, renewed, generation = token.generation,
                                    done = std::move(done)](Outcome&& outcome) {
    if (!*alive) return;
    if (outcome.kind != Outcome::Kind::answered) return done("no answer of FCM: " + outcome.why);
    const FcmAnswer answer = read_fcm_answer(outcome.status, outcome.body, outcome.retry_after);
    if (answer.renew_token && !renewed) {
      token_.refused(generation);
      return token_.get([this, alive, done](const TokenAnswer& next) {
        if (*alive) probe_with(next, /*renewed=*/true, done);
      });
    }
    if (answer.verdict.way == Way::broken || answer.verdict.way == Way::failing) return done(answer.verdict.reason);
    done(std::nullopt);
  });
}

}  // namespace postern::push
