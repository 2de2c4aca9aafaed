// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/world.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <queue>
#include <set>

#include "gateway/rehearsal/process.hpp"
#include "gateway/rehearsal/witness.hpp"

namespace postern::rehearsal {
namespace {

constexpr std::uint32_t kWindow = 200;
constexpr std::size_t kPurgedAtOnce = 500;
constexpr TimeMs kAtMost = 400 * kDay;   // after the last message was sent

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
        chance_(mixed(plan.seed, 200 + world)),
        progress_(progress),
        disk_(std::make_shared<store::Disk>()),
        now_(plan.begin - kHour) {
    disk_->forget_leaves();
    disk_->watch([this](const store::Batch& batch) { witness_.committed(batch); });
  }

  Result<Tally> play() {
    make_processes();
    start_gateway();
    for (std::size_t i = 0; i < processes_.size(); ++i) connect(i);
    if (const Status tried = try_kinds(); !tried) return fail(tried.what());
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

 private:
  void add(Event event) {
    event.at = std::max(event.at, now_);
    event.order = ++order_;
    if (event.key != 0)
      if (Letter* letter = witness_.find(event.key)) ++letter->expected;
    events_.push(event);
  }
  TimeMs wall() const { return now_ + skew_; }

  // ---- before it begins ----

  void make_processes() {
    std::set<std::string> names;
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
  Status try_kinds() {
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

  // The same in every world, so that one crash is one crash.
  void draw_faults() {
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

  // ---- time ----

  void next_day() {
    today_.clear();
    place_ = 0;
    while (today_.empty() && day_ < plan_.days) today_ = traffic_.day(day_++);
    if (today_.empty()) return;
    add({.at = today_.front().first, .what = What::submit});
  }

  // Everything of this instant, then one turn, or the next instant. False when nothing is left to happen.
  bool step() {
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
    return true;
  }

  void turn() {
    ++turns_;
    poke_ = false;
    if (now_ < full_until_) disk_->fail_next(store::DiskFault::full);
    witness_.at(now_, wall());
    const Gateway::Cut cut = std::exchange(cut_, Gateway::Cut::none);
    if (!gateway_->turn(wall(), now_, {}, cut)) {
      if (cut != Gateway::Cut::none || !gateway_->store().usable()) return gateway_gone();
      hold_off_ = now_ + kSecond;
      poke_ = true;
      return part_from_all();
    }
    follow_fresh();
    hand_out();
    if (witness_.over().size() >= kPurgedAtOnce) purge();
  }

  // ---- the gateway ----

  void start_gateway() {
    gateway_ = std::make_unique<Gateway>(plan_.config, numbers_, ground_, disk_, Gateway::Route(), engine::Gate());
    witness_.opens_with([this](const audit::Leaf& leaf) { return gateway_->body_of(leaf); });
    poke_ = true;
  }

  void crash_gateway(std::uint64_t how) {
    if (!gateway_) return;
    switch (how % 5) {
      case 0: return gateway_gone();
      case 1: cut_ = Gateway::Cut::before_commit; break;
      case 2: cut_ = Gateway::Cut::after_commit; break;
      case 3: disk_->fail_next(store::DiskFault::unsynced_lost); break;
      default: disk_->fail_next(store::DiskFault::unsynced_kept); break;
    }
  }

  void gateway_gone() {
    gateway_.reset();
    cut_ = Gateway::Cut::none;
    part_from_all();
    add({.at = now_ + 2 * kSecond + chance_.delay(kMinute), .what = What::start_gateway});
  }

  void part_from_all() {
    for (std::size_t i = 0; i < processes_.size(); ++i)
      if (processes_[i].peer != 0) cut_off(i, 10 + chance_.delay(5 * kSecond));
  }

  // Messages of which nothing is heard any more go: their kind has been counted. In a turn of its own, as the vault's upkeep has it.
  void purge() {
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

  void close() {
    if (!gateway_) start_gateway();
    purge();
    if (witness_.broken().empty()) witness_.at_end(gateway_->log().mark().tree.root(), gateway_->store());
  }

  // ---- connections ----

  void connect(std::size_t i) {
    Process& p = processes_[i];
    if (p.peer != 0) return;
    if (now_ < p.away_until) return add({.at = p.away_until, .what = What::connect, .who = static_cast<std::uint16_t>(i)});
    if (!gateway_) return add({.at = now_ + kSecond + chance_.delay(2 * kSecond), .what = What::connect, .who = static_cast<std::uint16_t>(i)});
    p.peer = gateway_->join(p.name, p.instance, p.channel ? kWindow : 0);
    p.first = 2;
    p.unanswered.clear();
    for (std::size_t n = 0; n < p.said.size(); ++n) send(i, n);
  }

  void cut_off(std::size_t i, TimeMs away) {
    Process& p = processes_[i];
    if (p.peer == 0) return;
    if (gateway_) gateway_->leave(p.peer);
    p.peer = 0;
    add({.at = now_ + away, .what = What::connect, .who = static_cast<std::uint16_t>(i)});
  }

  void crash(std::size_t i, TimeMs away) {
    Process& p = processes_[i];
    p.away_until = std::max(p.away_until, now_ + away);
    cut_off(i, away);
    p.said.clear();
    p.answered.clear();
    p.instance = chance_.next() >> 8;
  }

  void say(std::size_t i, wire::ToVault frame) {
    Process& p = processes_[i];
    for (const wire::Result& result : frame.result()) {
      p.unanswered.erase({result.attempt().message(), result.attempt().number()});
      p.answered.emplace(result.attempt().message(), result.attempt().number());
    }
    p.said.push_back(std::move(frame));
    if (p.peer != 0) send(i, p.said.size() - 1);
  }

  void send(std::size_t i, std::size_t n) {
    Process& p = processes_[i];
    wire::ToVault frame = p.said[n];
    frame.set_frame(p.first + n);
    gateway_->frame(p.peer, std::move(frame));
  }

  // What the turn said, after its commit.
  void hand_out() {
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
        p.said.pop_front();
      }
      for (const wire::Verdict& verdict : told.verdict()) hear(verdict);
      for (const wire::Answer& answer : told.answer())
        if (const auto asked = cancels_.find(answer.tag()); asked != cancels_.end()) {
          if (answer.outcome() == wire::Answer::OK) witness_.told_cancelled(asked->second);
          cancels_.erase(asked);
        }
      if (p.channel) witness_.window(p.name, p.unanswered.size(), kWindow);
    }
  }

  // ---- clients ----

  void submit_next() {
    const std::uint64_t number = today_[place_].second;
    order_now(number);
    if (++place_ < today_.size()) return add({.at = today_[place_].first, .what = What::submit});
    next_day();
    progress_(number);
  }

  void order_now(std::uint64_t number) {
    const Order order = traffic_.order(number);
    wire::ToVault frame;
    *frame.add_submit() = traffic_.submit(number, order);
    say(places_.at(order.kind->source), std::move(frame));
  }

  void hear(const wire::Verdict& verdict) {
    std::string word = verdict_word(verdict.outcome());
    for (const wire::Problem& problem : verdict.problem()) word += fmt::format("{}{} {}", &problem == &verdict.problem(0) ? ": " : ", ", problem.pointer(), problem.code());
    if (asking_) {
      if (verdict.outcome() == wire::Verdict::VALID) return;
      traffic_.weigh(verdict.tag(), 0);
      if (first_world_) tally_.submits[fmt::format("never sent: {}: {}", traffic_.kinds()[verdict.tag()].name(), word)] = 1;
      return;
    }
    const std::uint64_t number = verdict.tag() - 1;
    ++tally_.submits[word];
    if (verdict.outcome() == wire::Verdict::STORED || verdict.outcome() == wire::Verdict::REPLAYED) return witness_.told_stored(number, verdict.id());
    if (verdict.outcome() != wire::Verdict::BUSY && verdict.outcome() != wire::Verdict::UNAVAILABLE) return;
    add({.at = now_ + std::max<TimeMs>(verdict.retry_after_ms(), kSecond), .what = What::again, .number = number});
  }

  // What is known of a message once it is accepted: what its client does next.
  void follow_fresh() {
    for (const MessageKey key : witness_.take_fresh()) {
      Letter& letter = *witness_.find(key);
      const Order& order = letter.order;
      if (order.twice) add({.at = now_ + chance_.delay(kMinute), .what = What::again, .key = key, .number = letter.number});
      if (order.takes_back) add({.at = now_ + chance_.delay(5 * kMinute), .what = What::cancel, .key = key});
      if (order.moves) add({.at = now_ + chance_.delay(5 * kMinute), .what = What::move, .key = key});
      if (!letter.stop_on.empty() && chance_.percent(60))
        add({.at = now_ + chance_.from_to(0, std::max<TimeMs>(letter.deadline - wall(), 1)), .what = What::signal, .key = key, .number = chance_.next()});
    }
  }

  void ask(const Event& event) {
    const Letter* letter = witness_.find(event.key);
    if (letter == nullptr) return;
    const Kind& asks = event.what == What::app ? *app_ : *letter->order.kind;
    wire::ToVault frame;
    wire::Query& query = *frame.add_query();
    query.set_tag(++tag_);
    query.set_identity(asks.identity);
    const std::string id = letter->id.text();
    if (event.what == What::cancel) {
      query.set_cancel(id);
      cancels_.emplace(tag_, event.key);
    } else if (event.what == What::move) {
      query.mutable_move()->set_id(id);
      query.mutable_move()->set_send_at_ms(static_cast<std::uint64_t>(wall() + kHour));
    } else if (event.what == What::signal) {
      query.mutable_signal()->set_event(letter->stop_on[event.number % letter->stop_on.size()]);
      query.mutable_signal()->set_id(id);
    } else {
      query.mutable_app_receipt()->set_id(id);
      query.mutable_app_receipt()->set_progress(static_cast<wire::Progress>(event.detail));
    }
    say(places_.at(asks.source), std::move(frame));
  }

  // ---- connectors and providers ----

  void take(std::size_t i, const wire::Deliver& deliver) {
    Process& p = processes_[i];
    const auto key = static_cast<MessageKey>(deliver.attempt().message());
    Letter* letter = witness_.find(key);
    if (letter == nullptr) return witness_.break_promise(fmt::format("connector {} was given message key {}, which nobody knows", p.name, key));
    const Customer customer = customers_.at(letter->order.customer);
    const std::pair attempt(deliver.attempt().message(), deliver.attempt().number());
    // Whoever has answered for what it is given again has room for another.
    if (!p.answered.contains(attempt)) p.unanswered.insert(attempt);
    if (witness_.delivered(deliver, p.instance, customer)) return;   // repeated after its connection was gone
    const std::optional<Channel> channel = channel_named(deliver.channel());
    if (!channel) return witness_.break_promise(fmt::format("connector {} was given message {} for a channel without a name", p.name, letter->id.text()));
    const bool asked = letter->escalate || std::ranges::any_of(letter->plan, [&](const Step& s) { return s.channel == *channel && s.until == Until::replied; });
    const Fate fate = fate_of(*channel, customer, level_, asked, chance_);
    if (fate.kind != wire::Result::SENT) ++tally_.faults[fmt::format("{} answers: {}", deliver.channel(), fate.reason)];
    const std::uint64_t number = ++last_id_;
    const auto who = static_cast<std::uint16_t>(i);
    Event answer{.at = now_ + fate.after, .what = What::answer, .detail = static_cast<std::uint8_t>(fate.kind), .who = who, .attempt = deliver.attempt().number(),
                 .retry = fate.retry_after_ms, .key = key, .number = fate.taken ? number : 0, .instance = p.instance, .reason = fate.reason};
    add(answer);
    // Its own late answer to a doubt, most times.
    if (fate.kind == wire::Result::UNKNOWN && chance_.percent(70)) {
      answer.at += chance_.delay(10 * kMinute);
      answer.detail = static_cast<std::uint8_t>(fate.taken ? wire::Result::SENT : wire::Result::REFUSED);
      add(answer);
    }
    if (chance_.below(100'000) < level_.lies) {
      ++tally_.faults["a provider tells what is not so"];
      add({.at = now_ + chance_.delay(kHour), .what = What::receipt, .detail = static_cast<std::uint8_t>(chance_.one_of({wire::SENT, wire::DELIVERED, wire::READ, wire::REFUSED})),
           .who = who, .attempt = static_cast<std::uint32_t>(chance_.below(4)), .key = key});
    }
    if (!fate.taken) return;
    Row& row = *letter->row;
    ++row.sent_by[static_cast<std::size_t>(*channel)];
    row.cost[static_cast<std::size_t>(*channel)] += price_of(*channel, p.name, deliver.network(), letter->category);
    plan_receipts(who, *channel, deliver, fate, number);
  }

  std::int64_t price_of(Channel channel, const std::string& connector, const std::string& network, Category category) const {
    for (const config::Route& route : config_.routes)
      if (route.connector == connector && route.carries(channel, network, category)) return route.price;
    return 0;
  }

  void plan_receipts(std::uint16_t who, Channel channel, const wire::Deliver& deliver, const Fate& fate, std::uint64_t number) {
    const std::string& name = processes_[who].name;
    const auto speaker = speaker_.find(name);
    const TimeMs answered = now_ + fate.after;
    Event event{.who = speaker == speaker_.end() ? who : static_cast<std::uint16_t>(speaker->second), .attempt = deliver.attempt().number(),
                .key = static_cast<MessageKey>(deliver.attempt().message()), .number = number, .instance = who};
    const auto progress = [&](TimeMs when, wire::Progress what) {
      event.at = when;
      event.detail = static_cast<std::uint8_t>(what);
      add(event);
    };
    if (channel == Channel::push) {
      event.what = What::app;
      if (app_ == nullptr || fate.fails) return;
      if (chance_.below(100'000) < level_.lost) return lost();
      if (fate.delivered != 0) progress(answered + fate.delivered, wire::DELIVERED);
      if (fate.read != 0) progress(answered + fate.read, wire::READ);
      return;
    }
    if (!fate.receipts) return;
    event.what = What::receipt;
    TimeMs delivered = answered + fate.delivered;
    const auto falls = [this](unsigned share) { return chance_.below(100'000) < share; };
    if (falls(level_.early)) delivered = now_ + 1, ++tally_.faults["a receipt comes before the answer"];
    if (falls(level_.late)) delivered += chance_.from_to(kMinute, 6 * kHour), ++tally_.faults["a receipt comes late"];
    // The provider gives up when the message is not to be sent any more.
    const auto expires = static_cast<TimeMs>(deliver.expires_ms()) - skew_;
    const bool expired = delivered >= expires;
    if (fate.fails) ++tally_.faults["a provider tells that it could not deliver"];
    if (falls(level_.lost)) {
      lost();
    } else {
      progress(expired ? expires : delivered, fate.fails || expired ? wire::REFUSED : wire::DELIVERED);
      if (falls(level_.doubled)) progress(delivered + chance_.delay(kMinute), fate.fails || expired ? wire::REFUSED : wire::DELIVERED), ++tally_.faults["a receipt comes twice"];
    }
    if (expired || fate.fails) return;
    if (fate.read != 0) progress(falls(level_.early) ? answered + 1 : answered + fate.read, wire::READ);
    if (fate.replied == 0) return;
    event.what = What::reply;
    progress(answered + fate.replied, wire::REPLIED);
  }

  void lost() { ++tally_.faults["a receipt is lost"]; }

  std::string id_of(std::uint16_t who, std::uint64_t number) const { return fmt::format("{}-{}", processes_[who].name, number); }

  void answer(const Event& event) {
    Process& p = processes_[event.who];
    if (p.instance != event.instance) return;   // whoever was given it is gone
    wire::ToVault frame;
    wire::Result& result = *frame.add_result();
    result.mutable_attempt()->set_message(static_cast<std::uint64_t>(event.key));
    result.mutable_attempt()->set_number(event.attempt);
    result.set_kind(static_cast<wire::Result::Kind>(event.detail));
    result.set_reason(std::string(event.reason));
    result.set_retry_after_ms(event.retry);
    if (result.kind() == wire::Result::SENT) {
      result.add_provider_id(id_of(event.who, event.number));
      const config::Connector& own = config_.connectors.find(p.name)->second;
      result.set_receipts(own.channel != Channel::email && (own.channel != Channel::push || app_ != nullptr));
    }
    say(event.who, std::move(frame));
  }

  void receipt(const Event& event) {
    wire::ToVault frame;
    const auto about = [&](wire::Attempt& attempt) {
      attempt.set_message(static_cast<std::uint64_t>(event.key));
      attempt.set_number(event.attempt);
    };
    const auto channel = static_cast<std::uint16_t>(event.instance);   // of whose message it speaks
    if (event.what == What::reply) {
      wire::Reply& reply = *frame.add_reply();
      if (channel != event.who) reply.set_connector(processes_[channel].name);
      reply.set_provider_id(fmt::format("in-{}", event.number));
      about(*reply.mutable_attempt());
      reply.set_text("yes");
    } else {
      wire::Receipt& receipt = *frame.add_receipt();
      // A lie has no id.
      if (event.number == 0 || event.number % 2 == 0) about(*receipt.mutable_attempt());
      else receipt.set_provider_id(id_of(channel, event.number));
      if (event.number != 0 && channel != event.who) receipt.set_connector(processes_[channel].name);
      receipt.set_progress(static_cast<wire::Progress>(event.detail));
    }
    say(event.who, std::move(frame));
  }

  void happen(const Event& event) {
    switch (event.what) {
      case What::submit: return submit_next();
      case What::again: return order_now(event.number);
      case What::cancel:
      case What::move:
      case What::signal:
      case What::app: return ask(event);
      case What::answer: return answer(event);
      case What::receipt:
      case What::reply: return receipt(event);
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
  std::uint64_t order_ = 0, last_id_ = 0, tag_ = 0, turns_ = 0;
  bool poke_ = false, asking_ = false;
  Gateway::Cut cut_ = Gateway::Cut::none;
};

}  // namespace

Result<Tally> play(const Plan& plan, unsigned world, const Ground& ground, const std::function<void(std::uint64_t)>& progress) {
  const Customers customers(mixed(plan.seed, 300 + world), plan.customers / plan.worlds, *plan.config);
  Result<std::shared_ptr<const numbers::PortabilityIndex>> networks = customers.networks();
  if (!networks) return fail(networks.what());
  return World(plan, world, ground, std::move(*networks), customers, progress).play();
}

}  // namespace postern::rehearsal
