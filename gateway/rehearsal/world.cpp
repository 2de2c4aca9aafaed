// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/played_world.hpp"

#include <algorithm>
#include <set>

namespace postern::rehearsal {
namespace {

constexpr std::uint32_t kWindow = 200;
constexpr std::size_t kPurgedAtOnce = 500, kToldAtOnce = 200;
constexpr std::uint64_t kTurnsOfAnInstant = 100'000;
constexpr TimeMs kAtMost = 400 * kDay;   // after the last message was sent

}  // namespace

Result<Tally> World::play() {
  make_processes();
  start_gateway();
  for (std::size_t i = 0; i < processes_.size(); ++i) connect(i);
  if (const Status tried = try_kinds(); !tried) return fail(tried.what());
  say_what_is_known();
  draw_faults();
  next_day();
  while (witness_.broken().empty() && step()) {
  }
  if (witness_.broken().empty()) close();
  if (!witness_.broken().empty()) tally_.broken.push_back(witness_.broken());
  tally_.facts["turns"] = turns_;
  tally_.facts["audit leaves"] = gateway_ ? gateway_->log().size() : 0;
  return std::move(tally_);
}

void World::add(Event event) {
  event.at = std::max(event.at, now_);
  event.order = ++order_;
  if (event.key != 0)
    if (Letter* letter = witness_.find(event.key)) ++letter->expected;
  events_.push(event);
}

void World::make_processes() {
  std::set<std::string> names{levers_.source()};
  for (const Kind& kind : traffic_.kinds()) names.insert(kind.source);
  for (const auto& [name, connector] : config_.connectors) {
    if (!connector.channel && connector.speaks_for.empty() && !names.contains(name)) continue;
    Process process;
    process.name = name;
    process.channel = connector.channel.has_value();
    process.instance = chance_.next() >> 8;
    places_[name] = processes_.size();
    for (const std::string& channel : connector.speaks_for) speaker_[channel] = processes_.size();
    processes_.push_back(std::move(process));
  }
  for (const auto& [name, client] : config_.clients)
    if (client.may_confirm)
      for (const Kind& kind : traffic_.kinds())
        if (kind.client == &client) app_ = &kind;
}

// Asks the gateway of each kind whether it can be sent at all; what cannot is told, and not sent.
Status World::try_kinds() {
  for (std::size_t i = 0; i < traffic_.kinds().size(); ++i) {
    wire::Submit submit = traffic_.example(traffic_.kinds()[i]);
    submit.set_tag(i);
    now_ += kSecond;   // within every client's rate
    wire::ToVault frame;
    *frame.add_submit() = std::move(submit);
    asking_ = true;
    say(places_.at(traffic_.kinds()[i].source), std::move(frame));
    turn();
    if (!witness_.broken().empty()) return {};
  }
  asking_ = false;
  if (std::ranges::none_of(traffic_.kinds(), [](const Kind& kind) { return kind.weight > 0; }))
    return fail("no client of this configuration can send anything: see 'clients', 'templates' and 'scenarios'");
  return {};
}

// What customers agreed to before the first day; what they say later happens in its time, and so do halts.
void World::say_what_is_known() {
  wire::ToVault frame;
  const auto flush = [&] {
    if (frame.query_size() == 0 || !witness_.broken().empty()) return;
    say(places_.find(levers_.source())->second, std::exchange(frame, {}));
    turn();
  };
  for (std::size_t i = 0; i < levers_.statements().size(); ++i) {
    const TimeMs at = levers_.statements()[i].at;
    if (at >= plan_.begin) add({.at = at, .what = What::statement, .number = i});
    else if (*frame.add_query() = levers_.told(i, ++tag_, wall()); frame.query_size() == kToldAtOnce) flush();
  }
  flush();
  if (first_world_ && levers_.nobody_may_tell()) tally_.said["clients may tell of consents, and the policy asks for them: see 'recipients' of the clients"] = 0;
  for (std::size_t i = 0; i < levers_.stops().size(); ++i) {
    const Levers::Stop& stop = levers_.stops()[i];
    add({.at = stop.at, .what = What::halt, .number = i});
    add({.at = stop.until, .what = What::resume, .number = i});
    // A halt outlives the gateway.
    add({.at = stop.at + (stop.until - stop.at) / 3, .what = What::crash_gateway, .number = i});
    if (first_world_) ++tally_.faults["the gateway crashes"];
    if (first_world_) ++tally_.faults[fmt::format("{} {} is halted for {} minutes", vault::name_of(stop.kind), stop.name, (stop.until - stop.at) / kMinute)];
  }
}

void World::lever(std::size_t stop, bool halted) {
  levers_.want(stop, halted);
  poke_ = true;
}

// The same in every world, so that one crash is one crash.
void World::draw_faults() {
  Chance chance(mixed(plan_.seed, 3));
  const auto times = [&](unsigned in_thirty_days, Event event, const char* name) {
    for (unsigned i = (in_thirty_days * plan_.days + 29) / 30; i > 0; --i) {
      event.at = plan_.begin + chance.from_to(0, plan_.days * kDay - 1);
      event.number = chance.next();
      add(event);
      if (first_world_) ++tally_.faults[name];
    }
  };
  times(level_.gateway_crashes, {.what = What::crash_gateway}, "the gateway crashes");
  times(level_.full_disks, {.what = What::full_disk}, "the disk is full for minutes");
  times(level_.clock_jumps, {.what = What::jump}, "the clock jumps");
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].channel) times(level_.crashes, {.what = What::crash, .who = static_cast<std::uint16_t>(i)}, "a connector crashes");
    if (processes_[i].channel) times(level_.outages, {.what = What::outage, .who = static_cast<std::uint16_t>(i)}, "a connector is away for an hour");
    times(level_.cuts, {.what = What::cut, .who = static_cast<std::uint16_t>(i)}, "a connection breaks");
  }
}

void World::next_day() {
  today_.clear();
  place_ = 0;
  while (today_.empty() && day_ < plan_.days) today_ = traffic_.day(day_++);
  if (today_.empty()) return;
  add({.at = today_.front().first, .what = What::submit});
}

// Everything of this instant, then one turn, or the next instant. False when nothing is left to happen.
bool World::step() {
  while (!events_.empty() && events_.top().at <= now_) {
    const Event event = events_.top();
    events_.pop();
    happen(event);
    if (event.key != 0)
      if (Letter* letter = witness_.find(event.key)) witness_.less(*letter);
  }
  const TimeMs wake = gateway_ ? gateway_->next_wake() : 0;
  if (gateway_ && now_ >= hold_off_ && (poke_ || gateway_->more() || gateway_->has_news() || (wake != 0 && wake <= wall()))) {
    turn();
    return true;
  }
  TimeMs next = events_.empty() ? 0 : events_.top().at;
  if (wake != 0) next = next == 0 ? std::max(wake - skew_, now_) : std::min(next, std::max(wake - skew_, now_));
  if (gateway_ && now_ < hold_off_) next = next == 0 ? hold_off_ : std::min(std::max(next, now_ + 1), hold_off_);
  if (next == 0) return false;
  if (next > plan_.begin + plan_.days * kDay + kAtMost) {
    witness_.break_promise("a year after the last message something is still to happen");
    return false;
  }
  now_ = std::max(now_, next);
  turns_before_ = turns_;
  return true;
}

void World::turn() {
  if (++turns_ - turns_before_ > kTurnsOfAnInstant) return witness_.break_promise("the gateway turns for ever, and nothing changes");
  poke_ = false;
  if (now_ < full_until_) disk_->fail_next(store::DiskFault::full);
  witness_.at(now_, wall());
  const Gateway::Cut cut = std::exchange(cut_, Gateway::Cut::none);
  const bool done = gateway_->turn(wall(), now_, [this](vault::Turn& turn) { levers_.work(*gateway_, turn); }, cut);
  levers_.turn_over(done);
  if (!done) {
    if (cut != Gateway::Cut::none || !gateway_->store().usable()) return gateway_gone();
    hold_off_ = now_ + kSecond;
    poke_ = true;
    return part_from_all();
  }
  follow_fresh();
  hand_out();
  if (witness_.over().size() >= kPurgedAtOnce) purge();
}

void World::start_gateway() {
  gateway_ = std::make_unique<Gateway>(plan_.config, numbers_, ground_, disk_, Gateway::Route(), engine::Gate());
  witness_.opens_with([this](const audit::Leaf& leaf) { return gateway_->body_of(leaf); });
  poke_ = true;
}

void World::crash_gateway(std::uint64_t how) {
  if (!gateway_) return;
  switch (how % 5) {
    case 0: return gateway_gone();
    case 1: cut_ = Gateway::Cut::before_commit; break;
    case 2: cut_ = Gateway::Cut::after_commit; break;
    case 3: disk_->fail_next(store::DiskFault::unsynced_lost); break;
    default: disk_->fail_next(store::DiskFault::unsynced_kept); break;
  }
}

void World::gateway_gone() {
  gateway_.reset();
  cut_ = Gateway::Cut::none;
  part_from_all();
  add({.at = now_ + 2 * kSecond + chance_.delay(kMinute), .what = What::start_gateway});
}

void World::part_from_all() {
  for (std::size_t i = 0; i < processes_.size(); ++i)
    if (processes_[i].peer != 0) cut_off(i, 10 + chance_.delay(5 * kSecond));
}

// Messages of which nothing is heard any more go: their kind has been counted. In a turn of its own, as the vault's upkeep has it.
void World::purge() {
  if (gateway_->has_news() || now_ < full_until_ || std::ranges::any_of(processes_, [](const Process& p) { return !p.said.empty(); })) return;
  std::vector<MessageKey> gone, kept;
  std::ranges::sort(witness_.over());
  const auto twice = std::ranges::unique(witness_.over());
  witness_.over().erase(twice.begin(), twice.end());
  for (const MessageKey key : witness_.over()) {
    const Letter* letter = witness_.find(key);
    if (letter == nullptr || letter->expected > 0) continue;
    // The newest stays: a gateway that starts anew counts on from it.
    (key == witness_.newest() ? kept : gone).push_back(key);
  }
  witness_.at(now_, wall());
  const bool done = gateway_->turn(wall(), now_, [&](vault::Turn& turn) {
    for (const MessageKey key : gone) {
      const Letter& letter = *witness_.find(key);
      turn.purge(key);
      for (const std::uint64_t cursor : letter.events) turn.batch().purged_events.emplace_back(letter.client, cursor);
      for (const auto& [connector, id] : letter.ids) turn.batch().purged_orphans.providers.push_back({connector, id, key});
      for (const auto& hash : letter.hashes) turn.batch().purged_orphans.idempotency.push_back({letter.client, hash, key});
    }
  }, Gateway::Cut::none);
  if (!done) return gateway_gone();
  follow_fresh();
  hand_out();
  for (const MessageKey key : gone) witness_.forget(key);
  witness_.over() = std::move(kept);
  tally_.facts["messages purged after their end"] += gone.size();
}

void World::close() {
  if (!gateway_) start_gateway();
  purge();
  if (witness_.broken().empty()) witness_.at_end(gateway_->log().mark().tree.root(), gateway_->store());
}

void World::connect(std::size_t i) {
  Process& p = processes_[i];
  if (p.peer != 0) return;
  if (now_ < p.away_until) return add({.at = p.away_until, .what = What::connect, .who = static_cast<std::uint16_t>(i)});
  if (!gateway_) return add({.at = now_ + kSecond + chance_.delay(2 * kSecond), .what = What::connect, .who = static_cast<std::uint16_t>(i)});
  p.peer = gateway_->join(p.name, p.instance, p.channel ? kWindow : 0);
  p.first = 2;
  p.unanswered.clear();
  for (std::size_t n = 0; n < p.said.size(); ++n) send(i, n);
}

void World::cut_off(std::size_t i, TimeMs away) {
  Process& p = processes_[i];
  if (p.peer == 0) return;
  if (gateway_) gateway_->leave(p.peer);
  p.peer = 0;
  add({.at = now_ + away, .what = What::connect, .who = static_cast<std::uint16_t>(i)});
}

void World::crash(std::size_t i, TimeMs away) {
  Process& p = processes_[i];
  p.away_until = std::max(p.away_until, now_ + away);
  cut_off(i, away);
  p.said.clear();
  p.answered.clear();
  p.instance = chance_.next() >> 8;
}

void World::say(std::size_t i, wire::ToVault frame) {
  Process& p = processes_[i];
  for (const wire::Result& result : frame.result()) {
    p.unanswered.erase({result.attempt().message(), result.attempt().number()});
    p.answered.emplace(result.attempt().message(), result.attempt().number());
  }
  p.said.push_back(std::move(frame));
  if (p.peer != 0) send(i, p.said.size() - 1);
}

void World::send(std::size_t i, std::size_t n) {
  Process& p = processes_[i];
  wire::ToVault frame = p.said[n];
  frame.set_frame(p.first + n);
  gateway_->frame(p.peer, std::move(frame));
}

// What the turn said, after its commit.
void World::hand_out() {
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    Process& p = processes_[i];
    const auto peer = gateway_->peers().find(p.peer);
    if (peer == gateway_->peers().end()) continue;
    wire::ToConnector& out = peer->second.out;
    if (out.committed() == 0 && out.deliver_size() == 0 && out.verdict_size() == 0 && out.answer_size() == 0 && out.cancel_size() == 0) continue;
    wire::ToConnector told;
    told.Swap(&out);
    for (const wire::Deliver& deliver : told.deliver()) take(i, deliver);
    for (; p.first <= told.committed() && !p.said.empty(); ++p.first) {
      for (const wire::Result& result : p.said.front().result()) p.answered.erase({result.attempt().message(), result.attempt().number()});
      for (const wire::Reply& reply : p.said.front().reply()) levers_.took(reply);
      p.said.pop_front();
    }
    for (const wire::Verdict& verdict : told.verdict()) hear(verdict);
    for (const wire::Answer& answer : told.answer())
      if (const auto asked = cancels_.find(answer.tag()); asked != cancels_.end()) {
        if (answer.outcome() == wire::Answer::OK) witness_.told_cancelled(asked->second);
        cancels_.erase(asked);
      } else {
        levers_.answered(answer);
      }
    if (p.channel) witness_.window(p.name, p.unanswered.size(), kWindow);
  }
}

void World::happen(const Event& event) {
  switch (event.what) {
    case What::submit: return submit_next();
    case What::again: return order_now(event.number);
    case What::cancel:
    case What::move:
    case What::signal:
    case What::app: return ask(event);
    case What::answer: return answer(event);
    case What::receipt:
    case What::stop_word:
    case What::reply: return receipt(event);
    case What::statement: return tell(event.number);
    case What::halt: return lever(event.number, true);
    case What::resume: return lever(event.number, false);
    case What::connect: return connect(event.who);
    case What::start_gateway: return start_gateway();
    case What::crash_gateway: return crash_gateway(event.number);
    case What::full_disk: full_until_ = now_ + kMinute + static_cast<TimeMs>(event.number % (5 * kMinute)); return;
    case What::jump: {
      const auto far = static_cast<TimeMs>(event.number % static_cast<std::uint64_t>(level_.jump)) + 1;
      skew_ += event.number >> 63 != 0 ? far : -far;
      poke_ = true;
      return;
    }
    case What::crash: return crash(event.who, kSecond + static_cast<TimeMs>(event.number % kMinute));
    case What::cut: return cut_off(event.who, static_cast<TimeMs>(event.number % (20 * kSecond)) + 1);
    case What::outage:
      processes_[event.who].away_until = std::max(processes_[event.who].away_until, now_ + kHour);
      return cut_off(event.who, kHour);
  }
}

Result<Tally> play(const Plan& plan, unsigned world, const Ground& ground, const std::function<void(std::uint64_t)>& progress) {
  const Customers customers(mixed(plan.seed, 300 + world), plan.customers / plan.worlds, *plan.config);
  Result<std::shared_ptr<const numbers::PortabilityIndex>> networks = customers.networks();
  if (!networks) return fail(networks.what());
  return World(plan, world, ground, std::move(*networks), customers, progress).play();
}

}  // namespace postern::rehearsal
