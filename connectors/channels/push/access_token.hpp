// SPDX-License-Identifier: Apache-2.0
// Purpose: the access token that each send needs: fetched once for all who wait, kept, renewed before
// it ends. Used by: FcmCarrier. Threads: one loop. Ownership: it holds the token; callers get a view
// for the time of the call.
// Errors: TokenAnswer tells whether the service could not be reached or refused us. Limits: an answer of
// 64 KiB, a token of 4 KiB, a life of one minute to one day.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/push/service_account.hpp"

namespace postern::push {

struct TokenAnswer {
  enum class Kind {
    token,
    unreachable,  // no answer, or the service is in trouble: later may work
    refused,      // the account or its key is not accepted
  };
  Kind kind = Kind::unreachable;
  const Secret* token = nullptr;  // Kind::token; ends with the call
  std::uint64_t generation = 0;   // of the token, for refused()
  std::string why;                // otherwise: a short text for people
};

// What the token service's answer says, with the token's life in seconds.
struct TokenReading {
  TokenAnswer::Kind kind = TokenAnswer::Kind::unreachable;
  Secret token;
  std::int64_t life_s = 0;
  std::string why;
};
TokenReading read_token_answer(int status, std::string_view body);

class AccessToken {
 public:
  using Ready = std::function<void(const TokenAnswer&)>;

  // `url`: where assertions are exchanged.
  AccessToken(Loop& loop, http_client::Client& client, const ServiceAccount& account, std::string url);
  ~AccessToken();

  // Calls `ready` once: at once when a token is held, else when the one request under way has ended.
  void get(Ready ready);

  // The provider answered 401 to this token: the next get() fetches a new one.
  void refused(std::uint64_t generation);

 private:
  void fetch();
  void fetched(http_client::Outcome&& outcome);
  void tell(const TokenAnswer& answer);

  http_client::Client& client_;
  const ServiceAccount& account_;
  std::string url_;
  Secret token_;
  std::uint64_t generation_ = 0;
  std::int64_t ends_ms_ = 0;  // of the monotonic clock: a set-back wall clock must not prolong it
  bool fetching_ = false;
  std::vector<Ready> waiting_;
  Timer renew_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::push
