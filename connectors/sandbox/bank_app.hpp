// SPDX-License-Identifier: Apache-2.0
// Purpose: the app server of the sandbox bank: tells the gateway what the customers' apps have shown
// (POST /v1/receipts), and says it again until it is taken. Used by: the simulated world.
// Threads: one loop. Ownership: the BankApp outlives no loop.
// Errors: an acknowledgement that is refused kTries times is dropped with a log line.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/sandbox/bank.hpp"

namespace postern::sandbox {

class BankApp {
 public:
  static constexpr int kTries = 30;

  static Result<std::unique_ptr<BankApp>> make(Loop& loop, const Bank& bank, std::uint16_t https_port);
  ~BankApp();

  // `status` is "delivered" or "read".
  void acknowledge(const std::string& message_id, const std::string& status);

 private:
  BankApp(Loop& loop, std::unique_ptr<http_client::Client> client, std::string url);
  struct Waiting {
    std::int64_t due_ms = 0;
    std::string body;
    int tries = 0;
  };
  void send(std::string body, int tries);
  void send_waiting();

  std::unique_ptr<http_client::Client> client_;
  std::string url_;
  std::deque<Waiting> waiting_;  // in the order in which they are due
  Timer again_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::sandbox
