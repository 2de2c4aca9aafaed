// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/whatsapp_carrier.hpp"

#include "connectors/channels/messenger/whatsapp_answer.hpp"

namespace postern::messenger {
namespace {

using http_client::Outcome;
using http_client::Verdict;

}  // namespace

void WhatsappCarrier::send(const wire::Deliver& deliver, Done done) {
  WhatsappMessage message = make_whatsapp_message(deliver, options_.message);
  if (!message.refused.empty()) {
    Verdict verdict;
    verdict.kind = wire::Result::REFUSED;
    verdict.reason = std::move(message.refused);
    return done(std::move(verdict));
  }
  http_client::Request request;
  request.url = options_.number_url + "/messages";
  request.headers = {"Content-Type: application/json"};
  request.bearer = &options_.token;
  request.body = std::move(message.body);
  request.timeout = options_.timeout;
  request.not_after_ms = static_cast<std::int64_t>(deliver.expires_ms());
  const Key key{deliver.attempt().message(), deliver.attempt().number()};
  flights_[key] =
      client_.send(std::move(request), [this, alive = alive_, key, done = std::move(done)](Outcome&& outcome) {
        if (!*alive) return;
        flights_.erase(key);
        if (outcome.kind == Outcome::Kind::answered)
          return done(read_whatsapp_answer(outcome.status, outcome.body, outcome.retry_after));
        Verdict verdict = http_client::unanswered(outcome, "wa");
        verdict.receipts = verdict.kind == wire::Result::UNKNOWN;  // a status with our echo may still come
        done(std::move(verdict));
      });
}

bool WhatsappCarrier::withdraw(const wire::Deliver& deliver) {
  const auto found = flights_.find({deliver.attempt().message(), deliver.attempt().number()});
  if (found == flights_.end() || !client_.withdraw(found->second)) return false;
  flights_.erase(found);
  return true;
}

void WhatsappCarrier::probe(std::function<void(std::optional<std::string>)> done) {
  http_client::Request request;
  request.method = http_client::Method::get;
  request.url = options_.number_url + "?fields=status,quality_rating,health_status";
  request.bearer = &options_.token;
  request.timeout = options_.timeout;
  client_.send(std::move(request), [alive = alive_, done = std::move(done)](Outcome&& outcome) {
    if (!*alive) return;
    if (outcome.kind != Outcome::Kind::answered) return done("no answer of WhatsApp: " + outcome.why);
    done(read_whatsapp_health(outcome.status, outcome.body));
  });
}

}  // namespace postern::messenger
