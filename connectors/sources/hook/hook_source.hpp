// SPDX-License-Identifier: Apache-2.0
// Purpose: takes providers' webhooks and hands what they tell to the vault. A request is answered 200
// only when every fact in it is durable; otherwise the provider must come again (the vault's states only
// move forward, so a second time does no harm). Used by: main() of postern-hook. Threads: one loop.
// Ownership: owns its server, which ends before the routes. Errors: HTTP statuses; README.md lists them.
// Limits: kMaxPending facts wait for the vault; what is over is answered 503.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/program.hpp"
#include "connectors/sources/hook/observations.hpp"
#include "connectors/sources/hook/settings.hpp"

namespace postern::hook {

class HookSource final : public Connector {
 public:
  static constexpr std::size_t kMaxPending = 50'000;

  explicit HookSource(HookSettings settings) : settings_(std::move(settings)) {}

  LinkOptions link_options() const override { return {}; }
  LinkHandlers link_handlers() override { return {}; }
  Status start(Loop& loop, Link& link) override;
  void drain(std::function<void()> done) override;

 private:
  struct Waiting;

  const HookRoute* route_of(std::string_view path) const;
  http::Admission admit(const http::Request& head);
  void serve(const http::Request& request, http::Answer answer);
  void take(const HookRoute& route, const http::Request& request, http::Answer answer);
  void hand_on(const HookRoute& route, HookFacts&& facts, http::Answer answer);
  bool vault_takes() const;

  HookSettings settings_;
  Loop* loop_ = nullptr;
  Link* link_ = nullptr;
  std::unique_ptr<Observations> observations_;
  std::size_t pending_ = 0;  // facts handed to the link, not yet durable
  log::LogLimit forged_line_, unreadable_line_, unknown_line_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<http::Server> server_;

 public:
  ~HookSource() override { *alive_ = false; }
};

Result<std::unique_ptr<Connector>> build_hook_source(Section root);

}  // namespace postern::hook
