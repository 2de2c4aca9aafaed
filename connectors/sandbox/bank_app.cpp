// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/bank_app.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "connectors/protocol/log.hpp"
#include "connectors/sources/json/writer.hpp"

namespace postern::sandbox {
namespace {

constexpr std::chrono::milliseconds kPause{300};

}  // namespace

BankApp::BankApp(Loop& loop, std::unique_ptr<http_client::Client> client, std::string url)
    : client_(std::move(client)),
      url_(std::move(url)),
      again_(loop, [this] { send_waiting(); }),
      alive_(std::make_shared<bool>(true)) {}
BankApp::~BankApp() { *alive_ = false; }

Result<std::unique_ptr<BankApp>> BankApp::make(Loop& loop, const Bank& bank, std::uint16_t https_port) {
  http_client::ClientSettings settings;
  settings.ca = bank.path("pki/ca.pem");
  settings.certificate = bank.path("pki/mobile-app.pem");
  settings.key = bank.path("pki/mobile-app.key");
  Result<std::unique_ptr<http_client::Client>> client = http_client::Client::make(loop, std::move(settings));
  if (!client) return fail("the bank's app: " + client.what());
  return std::unique_ptr<BankApp>(
      new BankApp(loop, std::move(*client), fmt::format("https://127.0.0.1:{}/v1/receipts", https_port)));
}

void BankApp::acknowledge(const std::string& message_id, const std::string& status) {
  std::string body;
  json::Writer(body).object().key("id").text(message_id).key("status").text(status).end_object();
  send(std::move(body), 1);
}

void BankApp::send(std::string body, int tries) {
  http_client::Request request;
  request.url = url_;
  request.headers = {"Content-Type: application/json"};
  request.body = body;
  client_->send(std::move(request),
                [this, alive = alive_, body = std::move(body), tries](http_client::Outcome&& outcome) {
                  if (!*alive) return;
                  const bool answered = outcome.kind == http_client::Outcome::Kind::answered;
                  if (answered && outcome.status / 100 == 2) return;
                  // The gateway may be starting, and an app may be quicker than the provider's answer (409). A message
                  // that it does not know, or an acknowledgement that it cannot read, will not become better.
                  if (tries >= kTries || (answered && outcome.status != 409 && outcome.status < 500))
                    return log::warning("sandbox.app", "an acknowledgement was not taken: {}",
                                        answered ? std::to_string(outcome.status) : outcome.why);
                  if (waiting_.empty()) again_.start(kPause);
                  waiting_.push_back({steady_ms() + kPause.count(), body, tries + 1});
                });
}

void BankApp::send_waiting() {
  while (!waiting_.empty() && waiting_.front().due_ms <= steady_ms()) {
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    send(next.body, next.tries);
  }
  if (!waiting_.empty())
    again_.start(std::chrono::milliseconds(std::max<std::int64_t>(1, waiting_.front().due_ms - steady_ms())));
}

}  // namespace postern::sandbox
