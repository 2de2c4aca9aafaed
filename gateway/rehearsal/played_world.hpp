// SPDX-License-Identifier: Apache-2.0
// Purpose: one played world from within: its clock and its queue of what is to happen, the gateway, and all that is around it. Used by: world.cpp (the
// clock, the gateway and its connections) and outside.cpp (clients, connectors and providers) alone. Threads: one.
// Ownership: borrows plan, ground and customers. Errors: in the tally: a broken promise ends the world.
#pragma once

#include <fmt/core.h>

#include <map>
#include <queue>

#include "gateway/rehearsal/levers.hpp"
#include "gateway/rehearsal/process.hpp"
#include "gateway/rehearsal/world.hpp"

namespace postern::rehearsal {

class World {
 public:
  World(const Plan& plan, unsigned world, const Ground& ground, std::shared_ptr<const numbers::PortabilityIndex> numbers, const Customers& customers,
        const std::function<void(std::uint64_t)>& progress)
      : plan_(plan),
        first_world_(world == 0),
        config_(*plan.config),
        level_(level_of(plan.faults)),
        ground_(ground),
        numbers_(std::move(numbers)),
        customers_(customers),
        traffic_(mixed(plan.seed, 100 + world), config_, customers, plan.begin, plan.days, plan.messages * (world + 1) / plan.worlds - plan.messages * world / plan.worlds),
        witness_(config_, traffic_, customers, tally_),
        levers_(plan, world, traffic_, customers, witness_),
        chance_(mixed(plan.seed, 200 + world)),
        progress_(progress),
        disk_(std::make_shared<store::Disk>()),
        now_(plan.begin - kHour) {
    disk_->forget_leaves();
    disk_->watch([this](const store::Batch& batch) { witness_.committed(batch); });
  }

  Result<Tally> play();

 private:
  void add(Event event);
  TimeMs wall() const { return now_ + skew_; }

  // ---- before it begins ----
  void make_processes();
  Status try_kinds();
  void say_what_is_known();
  void tell(std::size_t statement);
  void lever(std::size_t stop, bool halted);
  void draw_faults();

  // ---- time ----
  void next_day();
  bool step();
  void turn();

  // ---- the gateway ----
  void start_gateway();
  void crash_gateway(std::uint64_t how);
  void gateway_gone();
  void part_from_all();
  void purge();
  void close();

  // ---- connections ----
  void connect(std::size_t i);
  void cut_off(std::size_t i, TimeMs away);
  void crash(std::size_t i, TimeMs away);
  void say(std::size_t i, wire::ToVault frame);
  void send(std::size_t i, std::size_t n);
  void hand_out();

  // ---- clients ----
  void submit_next();
  void order_now(std::uint64_t number);
  void hear(const wire::Verdict& verdict);
  void follow_fresh();
  void ask(const Event& event);

  // ---- connectors and providers ----
  void take(std::size_t i, const wire::Deliver& deliver);
  std::int64_t price_of(Channel channel, const std::string& connector, const std::string& network, Category category) const;
  void plan_receipts(std::uint16_t who, Channel channel, Category category, const wire::Deliver& deliver, const Fate& fate, std::uint64_t number);
  void lost() { ++tally_.faults["a receipt is lost"]; }
  std::string id_of(std::uint16_t who, std::uint64_t number) const { return fmt::format("{}-{}", processes_[who].name, number); }
  void answer(const Event& event);
  void receipt(const Event& event);

  void happen(const Event& event);

  const Plan& plan_;
  bool first_world_;
  const config::Config& config_;
  const Level& level_;
  const Ground& ground_;
  std::shared_ptr<const numbers::PortabilityIndex> numbers_;
  const Customers& customers_;
  Tally tally_;
  Traffic traffic_;
  Witness witness_;
  Levers levers_;
  Chance chance_;
  const std::function<void(std::uint64_t)>& progress_;
  std::shared_ptr<store::Disk> disk_;
  std::unique_ptr<Gateway> gateway_;
  std::vector<Process> processes_;
  std::map<std::string, std::size_t, std::less<>> places_, speaker_;   // of processes; by whom a channel's receipts come
  const Kind* app_ = nullptr;                                         // of the client that confirms push messages
  std::priority_queue<Event> events_;
  std::vector<std::pair<TimeMs, std::uint64_t>> today_;
  std::size_t place_ = 0;
  unsigned day_ = 0;
  std::map<std::uint64_t, MessageKey> cancels_;                       // questions that wait for their answer
  TimeMs now_, skew_ = 0, full_until_ = 0, hold_off_ = 0;
  std::uint64_t order_ = 0, last_id_ = 0, tag_ = 0, turns_ = 0, turns_before_ = 0;   // until this instant
  bool poke_ = false, asking_ = false;
  Gateway::Cut cut_ = Gateway::Cut::none;
};

}  // namespace postern::rehearsal
