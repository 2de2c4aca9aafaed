// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/api.hpp"

#include <fmt/core.h>

#include "connectors/sources/https/idempotency_key.hpp"

namespace postern::https {
namespace {

constexpr std::chrono::milliseconds kTick{1000};

}  // namespace

Api::Api(Loop& loop, Link& link, const HttpsSettings& settings, std::function<void(std::string&)> extra_metrics)
    : link_(link),
      body_limit_(settings.body_limit),
      batch_limit_(settings.batch_limit),
      extra_metrics_(std::move(extra_metrics)),
      submissions_(loop, link, ReaderOptions{settings.default_region, settings.allow_fixed_lines, settings.body_limit},
                   SubmissionLimits{settings.batches, settings.answer_timeout}),
      queries_(link, settings.answer_timeout),
      tick_(loop, [this] { tick(); }) {
  tick_.start(kTick);
}

void Api::tick() {
  tick_.start(kTick);
  const std::int64_t now = steady_ms();
  submissions_.on_time(now);
  queries_.on_time(now);
}

http::Admission Api::admit(const http::Request& head) {
  auto target = find_target(head);
  if (!target) {
    ++unrouted_[target.error().status];
    return {0, std::move(target.error())};
  }
  switch (target->route) {
    case Route::submit:
    case Route::validate:
    case Route::move:
    case Route::signal:
    case Route::keep_recipient:
    case Route::consent:
    case Route::receipts:
      return {body_limit_, std::nullopt};
    case Route::batch:
      return {batch_limit_, std::nullopt};
    case Route::list:
    case Route::read:
    case Route::cancel:
    case Route::show_recipient:
    case Route::forget_recipient:
    case Route::events:
    case Route::metrics:
    case Route::openapi:
    case Route::health:
      return {0, std::nullopt};
  }
  return {0, std::nullopt};
}

void Api::serve(const http::Request& request, http::Answer answer) {
  auto target = find_target(request);
  if (!target) return answer.send(std::move(target.error()));
  Reply reply(std::move(answer), target->route, counts_);
  // The server has verified it: the first URI name of the certificate, or else its first DNS name.
  const std::string_view identity = request.peer->identity->names.front();

  if (target->route == Route::openapi) return reply.send(http::json_response(200, std::string(openapi_document())));
  if (target->route == Route::health) return reply.send(health());
  if (target->route == Route::metrics) return queries_.metrics(identity, own_metrics(), std::move(reply));
  if (!link_.up()) {
    const Outcome away = link_.locked()
                             ? unavailable("locked", "The vault is locked; its custodians must unlock it.", 10)
                             : unavailable("no-vault", "The vault is away; nothing was accepted. Try again.", 1);
    return reply.send(to_response(away));
  }

  std::string key;
  if (request.has_field("idempotency-key")) {
    const auto parsed = parse_idempotency_key(request.field("idempotency-key"));
    if (target->route == Route::batch)
      return reply.send(
          http::problem(400, "idempotency-key", "A batch carries a key in each line, as \"idempotency_key\"."));
    if (!parsed)
      return reply.send(http::problem(
          400, "idempotency-key",
          "Idempotency-Key must be a quoted string or a bare word of 1 to 128 visible ASCII characters."));
    key = *parsed;
  }

  switch (target->route) {
    case Route::submit:
      return submissions_.submit(identity, request.body, key, Submissions::Purpose::store, std::move(reply));
    case Route::validate:
      return submissions_.submit(identity, request.body, key, Submissions::Purpose::validate, std::move(reply));
    case Route::batch:
      return submissions_.submit_batch(identity, request.body, std::move(reply));
    case Route::read:
      return queries_.read(identity, target->id, std::move(reply));
    case Route::cancel:
      return queries_.cancel(identity, target->id, std::move(reply));
    case Route::move:
      return queries_.move(identity, target->id, request.body, body_limit_, std::move(reply));
    case Route::signal:
      return queries_.signal(identity, request.body, body_limit_, std::move(reply));
    case Route::show_recipient:
      return queries_.show_recipient(identity, target->reference, std::move(reply));
    case Route::forget_recipient:
      return queries_.forget_recipient(identity, target->reference, std::move(reply));
    case Route::keep_recipient: {
      wire::Recipient recipient;
      if (auto refusal = submissions_.read_recipient(request.body, recipient)) return reply.send(to_response(outcome_of(std::move(*refusal))));
      return queries_.keep_recipient(identity, target->reference, std::move(recipient), std::move(reply));
    }
    case Route::consent:
      return queries_.consent(identity, target->reference, request.body, body_limit_, std::move(reply));
    case Route::list: {
      auto asked = parse_list_query(request.query);
      if (!asked) return reply.send(std::move(asked.error()));
      return queries_.list(identity, *asked, std::move(reply));
    }
    case Route::receipts:
      return queries_.receipts(identity, request.body, body_limit_, std::move(reply));
    case Route::events: {
      auto asked = parse_events_query(request.query);
      if (!asked) return reply.send(std::move(asked.error()));
      return queries_.events(identity, *asked, std::move(reply));
    }
    case Route::metrics:
    case Route::openapi:
    case Route::health:
      return;  // answered above
  }
}

void Api::on_lost() {
  submissions_.on_lost();
  queries_.on_lost();
}

void Api::drain() {
  draining_ = true;
  queries_.drain();
}

http::Response Api::health() const {
  if (draining_) return http::json_response(503, R"({"status":"draining"})");
  if (link_.up()) return http::json_response(200, R"({"status":"up"})");
  return http::json_response(503, link_.locked() ? R"({"status":"locked"})" : R"({"status":"no-vault"})");
}

std::string Api::own_metrics() {
  std::string text =
      "# HELP postern_https_requests_total Requests answered, by route and status.\n"
      "# TYPE postern_https_requests_total counter\n";
  for (const auto& [kind, count] : counts_)
    text += fmt::format("postern_https_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", route_word(kind.first),
                        kind.second, count);
  for (const auto& [status, count] : unrouted_)
    text += fmt::format("postern_https_requests_total{{route=\"none\",status=\"{}\"}} {}\n", status, count);
  text += fmt::format(
      "# HELP postern_https_vault_up Whether the vault takes messages.\n# TYPE postern_https_vault_up gauge\n"
      "postern_https_vault_up {}\n"
      "# HELP postern_https_submits_waiting Messages that wait for the vault's verdict.\n"
      "# TYPE postern_https_submits_waiting gauge\npostern_https_submits_waiting {}\n"
      "# HELP postern_https_numbers_outside_plan_total Numbers taken although the number plan does not know them.\n"
      "# TYPE postern_https_numbers_outside_plan_total counter\npostern_https_numbers_outside_plan_total {}\n",
      link_.up() ? 1 : 0, submissions_.outstanding(), submissions_.outside_plan());
  extra_metrics_(text);
  return text;
}

}  // namespace postern::https
