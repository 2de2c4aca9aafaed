// SPDX-License-Identifier: Apache-2.0
// Purpose: the SMS channel: glue between the vault's link, the sessions with the SMS centres, the
// deliveries under way (Outbox) and what comes back (Inbox). Used by: postern-smpp.
// Threads: the loop's. Ownership: owns its sessions; loop and link outlive it.
// Errors: start() fails when TLS files cannot be used; everything later is told to the vault as health,
// results and observations.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "connectors/channels/smpp/breaker.hpp"
#include "connectors/channels/smpp/inbox.hpp"
#include "connectors/channels/smpp/line.hpp"
#include "connectors/channels/smpp/outbox.hpp"
#include "connectors/channels/smpp/pace.hpp"
#include "connectors/channels/smpp/settings.hpp"
#include "connectors/protocol/program.hpp"

namespace postern::smpp {

class SmppChannel final : public Connector {
 public:
  explicit SmppChannel(Settings settings);
  ~SmppChannel() override;

  LinkOptions link_options() const override;
  LinkHandlers link_handlers() override;
  Status start(Loop& loop, Link& link) override;
  void drain(std::function<void()> done) override;

 private:
  struct Slot {
    std::unique_ptr<Line> line;
    std::optional<std::uint64_t> message;  // whose parts this session is sending
  };

  std::unique_ptr<Line> make_line(std::size_t index);
  std::uint32_t window() const;
  void pump_soon();
  void pump();
  bool feed(Slot& slot, Outbox::Now now);
  void on_answered(Line& line, const Action& answer);
  void on_changed(Slot& slot);
  void note(Line::Seen seen, std::string_view reason, const std::string& object);
  void tell_health();
  void tick();
  void look_for_end();

  Settings settings_;
  Loop* loop_ = nullptr;
  Link* link_ = nullptr;
  SslContext tls_;
  Outbox outbox_;
  Inbox inbox_;
  Pace pace_;
  Breaker breaker_;
  std::vector<Slot> slots_;
  std::size_t turn_ = 0;  // the session that is served first
  std::unique_ptr<Timer> tick_timer_, pump_timer_;
  bool pump_due_ = false;
  std::map<std::tuple<Line::Seen, std::string, std::string>, std::uint32_t> seen_;
  std::string health_;          // as last told
  std::function<void()> done_;  // set while draining
  log::LogLimit dropped_log_, refused_log_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::smpp
