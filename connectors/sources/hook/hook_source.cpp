// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/hook_source.hpp"

#include <algorithm>

namespace postern::hook {
namespace {

constexpr unsigned kComeAgainSeconds = 5;

http::Response away() {
  http::Response response = http::problem(503, "unavailable", "What you tell cannot be kept now; come again later.");
  response.retry_after(kComeAgainSeconds);
  return response;
}

}  // namespace

// One request whose facts are on their way into the vault.
struct HookSource::Waiting {
  Waiting(Loop& loop, http::Answer a, std::size_t facts)
      : answer(std::move(a)), left(facts), late(loop, [this] { answer.send(away()); }) {}
  http::Answer answer;
  std::size_t left;
  Timer late;  // the provider gives up after a while; the facts are kept in any case
};

Status HookSource::start(Loop& loop, Link& link) {
  loop_ = &loop;
  link_ = &link;
  observations_ = std::make_unique<Observations>(
      loop, [&link](wire::Observation&& observation) { link.observe(std::move(observation)); });
  http::ServerHandlers handlers;
  handlers.admit = [this](const http::Request& head) { return admit(head); };
  handlers.serve = [this](const http::Request& request, http::Answer answer) { serve(request, std::move(answer)); };
  handlers.tls_refused = [this](const HandshakeFailure& failure, const std::string&) {
    observations_->saw(wire::Observation::TLS_REFUSED, failure.reason, failure.fingerprint);
  };
  Result<std::unique_ptr<http::Server>> server = http::Server::open(loop, settings_.server, std::move(handlers));
  if (!server) return fail(server.what());
  server_ = std::move(*server);
  log::info("hook.listening", "port {} for {} webhooks", server_->port(), settings_.routes.size());
  link.health(true, "listening on port " + std::to_string(server_->port()), /*window=*/0);
  return {};
}

void HookSource::drain(std::function<void()> done) {
  observations_->flush();
  server_->drain(std::move(done));
}

bool HookSource::vault_takes() const { return link_->up() && pending_ < kMaxPending; }

const HookRoute* HookSource::route_of(std::string_view path) const {
  const auto found = std::ranges::find(settings_.routes, path, &HookRoute::path);
  return found == settings_.routes.end() ? nullptr : &*found;
}

http::Admission HookSource::admit(const http::Request& head) {
  http::Admission admission;
  if (route_of(head.path) == nullptr) {
    admission.refusal = http::problem(404, "no-such-hook", "No webhook is configured under this path.");
  } else if (head.method == "POST") {
    admission.body_limit = settings_.body_limit;
    if (!vault_takes()) admission.refusal = away();
  } else if (head.method != "GET") {
    admission.refusal = http::problem(405, "method", "A webhook takes GET and POST.");
    admission.refusal->add("Allow", "GET, POST");
  }
  return admission;
}

void HookSource::serve(const http::Request& request, http::Answer answer) {
  const HookRoute& route = *route_of(request.path);  // admit() knew it
  if (request.method == "POST") return take(route, request, std::move(answer));
  http::Response response = route.kind->challenge(request);
  if (response.status == 200)
    log::info("hook.verified", "the provider of {} has verified {}", route.connector, route.path);
  answer.send(std::move(response));
}

void HookSource::take(const HookRoute& route, const http::Request& request, http::Answer answer) {
  const Proof proof = route.kind->proof(request);
  if (proof != Proof::good) {
    const char* reason = proof == Proof::missing ? "signature-missing" : "signature-bad";
    observations_->saw(wire::Observation::WEBHOOK_FORGED, reason, route.connector);
    if (forged_line_.pass())
      log::warning("hook.forged", "a request to {} from {} was refused: {} ({} more like it)", route.path,
                   request.peer != nullptr ? request.peer->address : "?", reason, forged_line_.dropped());
    return answer.send(http::problem(401, reason, "The body is not signed with the secret that was agreed."));
  }
  Result<HookFacts> facts = route.kind->read(request.body);
  if (!facts) {
    if (unreadable_line_.pass())
      log::error("hook.unreadable", "a signed body of {} cannot be used: {} ({} more like it)", route.path,
                 facts.what(), unreadable_line_.dropped());
    return answer.send(http::problem(400, "unreadable", "The body cannot be read."));
  }
  if (facts->unknown > 0 && unknown_line_.pass())
    log::info("hook.unknown", "{} items of {} are of a kind that is not used ({} more bodies like it)", facts->unknown,
              route.path, unknown_line_.dropped());
  if (!vault_takes()) return answer.send(away());
  hand_on(route, std::move(*facts), std::move(answer));
}

void HookSource::hand_on(const HookRoute& route, HookFacts&& facts, http::Answer answer) {
  const std::size_t count = facts.receipts.size() + facts.replies.size();
  if (count == 0) return answer.send(http::Response{});
  pending_ += count;
  const auto waiting = std::make_shared<Waiting>(*loop_, std::move(answer), count);
  waiting->late.start(settings_.answer_within);
  const auto durable = [this, alive = alive_, waiting] {
    if (*alive) --pending_;
    if (--waiting->left > 0) return;
    waiting->late.stop();
    waiting->answer.send(http::Response{});
  };
  for (wire::Receipt& receipt : facts.receipts) {
    receipt.set_connector(route.connector);
    link_->receipt(std::move(receipt), durable);
  }
  for (wire::Reply& reply : facts.replies) {
    reply.set_connector(route.connector);
    link_->reply(std::move(reply), durable);
  }
}

Result<std::unique_ptr<Connector>> build_hook_source(Section root) {
  return std::make_unique<HookSource>(read_hook_settings(root));
}

}  // namespace postern::hook
