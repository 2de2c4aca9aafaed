// SPDX-License-Identifier: Apache-2.0
// Purpose: how a gateway is asked to send messages, and which of them its answer accepts: ours over its API, Kannel over its own.
// Used by: the load client. Threads: one. Ownership: a Target views its options. Errors: an answer that is not understood accepts nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace postern::bench {

struct TargetOptions {
  std::string gateway = "postern";  // or "kannel", or "null": ours, answered by a null peer
  std::string category = "otp", scenario, prefix = "3805";
  std::string run;           // makes idempotency keys of this process its own
  std::uint64_t people = 0;  // how many different customers; 0: each message has its own
  bool keys = false;
  std::string user, password;   // Kannel's account
  std::string call_back;        // http://127.0.0.1:PORT: where Kannel brings its receipts; empty: none are asked for
};

class Target {
 public:
  using Taken = std::function<void(std::uint64_t n, std::string_view id)>;
  virtual ~Target() = default;
  // Appends the request for messages first..first+count-1.
  virtual void ask(std::string& out, std::uint64_t first, std::uint64_t count) const = 0;
  // Calls `taken` for each message that the answer accepts.
  virtual void answered(int status, std::string_view body, std::uint64_t first, std::uint64_t count, const Taken& taken) const = 0;
};

std::unique_ptr<Target> make_target(const TargetOptions& options);

}  // namespace postern::bench
