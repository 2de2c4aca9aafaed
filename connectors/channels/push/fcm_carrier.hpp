// SPDX-License-Identifier: Apache-2.0
// Purpose: sends deliveries to FCM HTTP v1 and reads its answers. Used by: PushChannel. Threads: one
// loop. Ownership: views the account and the client, which outlive it. Errors: every one is a Verdict.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/http_client/dispatcher.hpp"
#include "connectors/channels/push/access_token.hpp"
#include "connectors/channels/push/fcm_message.hpp"

namespace postern::push {

class FcmCarrier final : public http_client::Carrier {
 public:
  struct Options {
    std::string send_url;  // ".../v1/projects/<id>/messages:send"
    std::string token_url;
    FcmOptions message;
    std::chrono::milliseconds timeout{15'000};
  };
  FcmCarrier(Loop& loop, http_client::Client& client, const ServiceAccount& account, Options options);
  ~FcmCarrier() override;

  void send(const wire::Deliver& deliver, Done done) override;
  bool withdraw(const wire::Deliver& deliver) override;
  void probe(std::function<void(std::optional<std::string>)> done) override;

 private:
  using Key = std::pair<std::uint64_t, std::uint32_t>;
  struct Flight {
    const wire::Deliver* deliver = nullptr;
    Done done;
    http_client::Client::Ticket ticket = 0;  // 0: waits for a token
    bool renewed = false;                    // has been sent again with a new token
  };

  void go(Key key);
  void post(Key key, const TokenAnswer& token);
  void answered(Key key, std::uint64_t generation, http_client::Outcome&& outcome);
  void finish(Key key, http_client::Verdict&& verdict);
  void probe_with(const TokenAnswer& token, bool renewed, std::function<void(std::optional<std::string>)> done);

  http_client::Client& client_;
  Options options_;
  AccessToken token_;
  std::map<Key, Flight> flights_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::push
