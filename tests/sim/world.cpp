// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <queue>

#include "tests/sim/drawn.hpp"
#include "tests/sim/judge.hpp"
#include "tests/sim/policy.hpp"
#include "tests/sim/process.hpp"

namespace postern::sim {
namespace {

constexpr TimeMs kBegin = 1'800'000'000'000;

class World {
 public:
  World(std::uint64_t seed, const Ground& ground, bool trace)
      : chance_(seed),
        ground_(ground),
        trace_(trace),
        disk_(std::make_shared<store::Disk>()),
        judge_([this](Category category) { return config_->rules(category).in_doubt; }, 3,
               [this](const Flight& flight, const Step& step, TimeMs at) { return policy_.decide(flight, step, at); }) {}

  Verdict play() {
    draw();
    disk_->watch([this](const store::Batch& batch) { judge_.committed(batch); });
    start_gateway();
    while (judge_.violation().empty() && step()) {
    }
    if (judge_.violation().empty() && !all_ended()) judge_.violated("the world stands still, and not every message has ended");
    if (judge_.violation().empty()) judge_.at_end(gateway_->store());
    verdict_.violation = judge_.violation();
    verdict_.digest = judge_.digest();
    verdict_.simulated_ms = now_ - kBegin;
    return std::move(verdict_);
  }

 private:
  using Do = std::function<void()>;
  struct Event {
    TimeMs at;
    std::uint64_t order;
    Do what;
    bool operator<(const Event& other) const { return std::tie(other.at, other.order) < std::tie(at, order); }
  };

  void at(TimeMs when, Do what) { events_.push({std::max(when, now_), ++order_, std::move(what)}); }
  void after(TimeMs delay, Do what) { at(now_ + delay, std::move(what)); }
  TimeMs wall() const { return now_ + skew_; }
  bool calm() const { return now_ >= calm_at_; }

  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    if (trace_) verdict_.trace += fmt::format("{:>9} ", now_ - kBegin) + fmt::vformat(text, fmt::make_format_args(args...)) + "\n";
  }

  engine::Gate gate() {
    return [this](const Flight& flight, const Step& step) { return policy_.decide(flight, step, wall()); };
  }

  // ---- what is drawn ----

  void draw() {
    const std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
    for (const Category category : kCategories) {
      config::CategoryRules rules;
      rules.in_doubt = chance_.percent(category == Category::otp || category == Category::security ? 80 : 25) ? InDoubt::rather_twice : InDoubt::rather_never_twice;
      config->categories.emplace(category, std::move(rules));
    }
    const std::int64_t connectors = chance_.from_to(2, 4);
    for (std::int64_t i = 0; i < connectors; ++i) {
      Process process;
      process.name = "c" + std::to_string(i + 1);
      for (const Channel channel : {Channel::push, Channel::sms, Channel::whatsapp, Channel::email})
        if (chance_.percent(45)) process.channels.push_back(channel);
      process.window = static_cast<std::uint32_t>(chance_.percent(30) ? chance_.from_to(1, 2) : chance_.from_to(3, 20));
      process.instance = chance_.next() >> 8;
      process.manners = draw_manners(chance_);
      config::Connector connector;
      connector.name = process.name;
      config->connectors.emplace(process.name, std::move(connector));
      processes_.push_back(std::move(process));
    }
    config_ = config;
    span_ = chance_.one_of<TimeMs>({kMinute, 5 * kMinute, 20 * kMinute});
    policy_ = Policy(chance_, kBegin, span_ + chance_.delay(20 * kMinute));
    calm_at_ = kBegin + span_ + chance_.delay(kHour);
    const std::int64_t messages = chance_.percent(15) ? chance_.from_to(10, 40) : chance_.from_to(1, 8);
    for (std::int64_t i = 0; i < messages; ++i) draw_message(static_cast<std::uint64_t>(i + 1));
    verdict_.messages = static_cast<std::uint64_t>(messages);
    draw_faults();
    for (std::size_t i = 0; i < processes_.size(); ++i) after(chance_.percent(25) ? chance_.from_to(0, span_) : chance_.delay(20'000), [this, i] { connect(i); });
    for (const PolicyRule& rule : policy_.rules())
      if (rule.endless) at(std::max(rule.until, kBegin), [this] { resume(); });
  }

  void draw_message(std::uint64_t number) {
    Submission s = draw_submission(chance_, number);
    const Flight& f = s.flight;
    const TimeMs when = kBegin + chance_.from_to(0, span_);
    at(when, [this, number] { submit(number); });
    const TimeMs life = f.deadline_ms;
    if (chance_.percent(12)) at(when + chance_.delay(5 * kMinute), [this, number] { cancel(number); });
    if (f.send_at_ms != 0 && chance_.percent(40)) at(when + chance_.delay(f.send_at_ms), [this, number] { move(number); });
    if (!f.stop_on.empty() && chance_.percent(50)) at(when + chance_.delay(life), [this, number] { signal(number, chance_.percent(80) ? "upload" : "other"); });
    if (!f.start_on.empty() && chance_.percent(70)) at(when + chance_.delay(life), [this, number] { signal(number, "transaction"); });
    submissions_.emplace(number, std::move(s));
  }

  void draw_faults() {
    const auto times = [this](unsigned percent, std::int64_t most, const std::function<void()>& fault) {
      if (!chance_.percent(percent)) return;
      for (std::int64_t i = chance_.from_to(1, most); i > 0; --i) at(chance_.from_to(kBegin, calm_at_), fault);
    };
    times(50, 4, [this] { crash_gateway(); });
    times(40, 4, [this] { crash_connector(chance_.below(processes_.size())); });
    times(30, 4, [this] { cut_off(chance_.below(processes_.size())); });
    times(25, 2, [this] { fill_disk(); });
    times(25, 3, [this] {
      const TimeMs jump = chance_.delay(kHour) * (chance_.percent(50) ? 1 : -1);
      note("the clock jumps by {} ms", jump);
      skew_ += jump;
      poke_ = true;
    });
    times(40, 10, [this] { lie(chance_.below(processes_.size())); });
  }

  // ---- the gateway ----

  void start_gateway() {
    note("the gateway starts");
    gateway_ = std::make_unique<Gateway>(
        config_, nullptr, ground_, disk_,
        [this](Gateway& gateway, const Flight&, const Step& step) -> ConnectorId {
          ConnectorId first = 0;
          for (const Process& process : processes_) {
            if (std::ranges::find(process.channels, step.channel) == process.channels.end()) continue;
            const ConnectorId number = gateway.number_of(process.name);
            if (gateway.dispatcher().reachable(number)) return number;
            if (first == 0) first = number;
          }
          return first;
        },
        gate());
    poke_ = true;
  }

  void crash_gateway() {
    if (!gateway_) return;
    const auto how = chance_.below(5);
    if (how == 0) return gateway_gone();
    // Within the next turn.
    if (how == 1) cut_ = Gateway::Cut::before_commit;
    if (how == 2) cut_ = Gateway::Cut::after_commit;
    if (how == 3) disk_->fail_next(store::DiskFault::unsynced_lost);
    if (how == 4) disk_->fail_next(store::DiskFault::unsynced_kept);
  }

  void gateway_gone() {
    note("the gateway crashes");
    ++verdict_.crashes;
    gateway_.reset();
    cut_ = Gateway::Cut::none;
    part_from_all();
    after(chance_.delay(2 * kMinute), [this] { start_gateway(); });
  }

  void part_from_all() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      if (processes_[i].peer == 0) continue;
      if (gateway_) gateway_->leave(processes_[i].peer);
      processes_[i].peer = 0;
      after(10 + chance_.delay(20'000), [this, i] { connect(i); });
    }
  }

  void fill_disk() {
    note("the disk is full");
    full_until_ = std::max(full_until_, now_ + chance_.delay(5 * kMinute));
  }

  // Everything of this instant, then one turn, or the next instant. False when nothing is left to happen.
  bool step() {
    while (!events_.empty() && events_.top().at <= now_) {
      const Do what = events_.top().what;
      events_.pop();
      what();
      if (!judge_.violation().empty()) return false;
    }
    if (gateway_ && now_ >= hold_off_) {
      const TimeMs wake = gateway_->next_wake();
      if (poke_ || gateway_->more() || gateway_->has_news() || !work_.empty() || (wake != 0 && wake <= wall())) {
        turn();
        return true;
      }
    }
    TimeMs next = events_.empty() ? 0 : events_.top().at;
    if (gateway_) {
      const TimeMs wake = gateway_->next_wake();
      if (wake != 0) next = next == 0 ? std::max(wake - skew_, now_) : std::min(next, std::max(wake - skew_, now_));
      if (now_ < hold_off_) next = next == 0 ? hold_off_ : std::min(std::max(next, now_ + 1), hold_off_);
    }
    if (next == 0) return false;
    if (next - kBegin > 100 * kHour) {
      judge_.violated("the world goes on for ever");
      return false;
    }
    now_ = std::max(now_, next);
    return true;
  }

  void turn() {
    if (++verdict_.turns > 200'000) return judge_.violated("the gateway has turns for ever");
    poke_ = false;
    if (!calm() && now_ < full_until_) disk_->fail_next(store::DiskFault::full);
    judge_.opens(wall(), now_);
    for (const auto& expect : std::exchange(expected_, {})) expect();
    std::vector<std::function<void(vault::Turn&)>> work = std::exchange(work_, {});
    done_.clear();
    const Gateway::Cut cut = std::exchange(cut_, Gateway::Cut::none);
    const bool good = gateway_->turn(wall(), now_, [&work](vault::Turn& turn) { for (const auto& one : work) one(turn); }, cut);
    if (!judge_.violation().empty()) return;
    if (!good) {
      // Clients had no answer: they ask again.
      for (auto& one : work) after(500 + chance_.delay(5000), [this, one] { work_.push_back(one); });
      note("a turn fails: {}", cut != Gateway::Cut::none ? "the process ends in it" : gateway_->why());
      if (cut != Gateway::Cut::none || !gateway_->store().usable()) return gateway_gone();
      hold_off_ = now_ + 500;
      poke_ = true;
      return part_from_all();
    }
    for (const Do& one : done_) one();
    if (!gateway_->more()) judge_.turn_over(gateway_->store());
    hand_out();
  }

  // What the turn said to connectors, after its commit.
  void hand_out() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      Process& p = processes_[i];
      const auto peer = gateway_->peers().find(p.peer);
      if (peer == gateway_->peers().end()) continue;
      wire::ToConnector out;
      out.Swap(&peer->second.out);
      p.confirmed(out.committed());
      for (const wire::Deliver& deliver : out.deliver()) {
        const auto key = static_cast<MessageKey>(deliver.attempt().message());
        const bool called_back = std::ranges::any_of(out.cancel(), [&deliver](const wire::Attempt& one) {
          return one.message() == deliver.attempt().message() && one.number() == deliver.attempt().number();
        });
        judge_.delivered(key, deliver.attempt().number() - 1, p.instance, deliver.expires_ms(), called_back);
        note("{} is given {}/{}", p.name, key, deliver.attempt().number());
        ++verdict_.hand_overs;
        take(i, deliver);
      }
      // Counted within one connection: what was given up as in doubt before it is not known to the gateway any more.
      if (p.window_used.size() > p.window) judge_.violated(fmt::format("connector {} holds {} attempts, and its window is {}", p.name, p.window_used.size(), p.window));
      for (const wire::Attempt& attempt : out.cancel()) call_back(i, attempt);
      p.answered_now.clear();
    }
  }

  // ---- connectors ----

  void connect(std::size_t i) {
    Process& p = processes_[i];
    if (!p.alive || p.peer != 0) return;
    if (!gateway_) return after(500 + chance_.delay(5000), [this, i] { connect(i); });
    note("{} connects, instance {}", p.name, p.instance);
    p.peer = gateway_->join(p.name, p.instance, p.window);
    p.first = 2;
    p.window_used.clear();
    for (std::size_t n = 0; n < p.said.size(); ++n) send(i, n);
  }

  void cut_off(std::size_t i) {
    Process& p = processes_[i];
    if (p.peer == 0) return;
    note("the connection of {} breaks", p.name);
    gateway_->leave(p.peer);
    p.peer = 0;
    after(chance_.percent(30) ? chance_.from_to(0, 5 * kMinute) : chance_.delay(kMinute), [this, i] { connect(i); });
  }

  void crash_connector(std::size_t i) {
    Process& p = processes_[i];
    if (!p.alive) return;
    note("{} crashes", p.name);
    if (p.peer != 0) gateway_->leave(p.peer);
    p.peer = 0;
    p.alive = false;
    p.said.clear();
    p.held.clear();
    after(chance_.delay(2 * kMinute), [this, i] {
      Process& again = processes_[i];
      again.alive = true;
      again.instance = chance_.next() >> 8;
      connect(i);
    });
  }

  void say(std::size_t i, wire::ToVault frame) {
    Process& p = processes_[i];
    for (const wire::Result& result : frame.result()) {
      const std::pair attempt(static_cast<MessageKey>(result.attempt().message()), result.attempt().number());
      p.window_used.erase(attempt);
      if (const auto held = p.held.find(attempt); held != p.held.end()) held->second = true;
    }
    p.said.push_back(std::move(frame));
    if (p.peer != 0) send(i, p.said.size() - 1);
  }

  void send(std::size_t i, std::size_t n) {
    Process& p = processes_[i];
    wire::ToVault frame = p.said[n];
    frame.set_frame(p.first + n);
    const ConnectorId number = gateway_->number_of(p.name);
    // The judge learns what the coming turn is told, once the turn begins.
    expected_.push_back([this, i, frame, number] {
      const auto own = [&](const wire::Attempt& attempt) {
        const Flight* flight = judge_.flight(static_cast<MessageKey>(attempt.message()));
        return flight != nullptr && attempt.number() >= 1 && attempt.number() <= flight->attempts.size() && flight->attempts[attempt.number() - 1].connector == number;
      };
      // Whoever answers, truly or not, for what it is given again in this very turn has room for another.
      for (const wire::Result& result : frame.result())
        processes_[i].answered_now.emplace(static_cast<MessageKey>(result.attempt().message()), result.attempt().number());
      for (const wire::Result& result : frame.result())
        if (own(result.attempt())) judge_.told_result(static_cast<MessageKey>(result.attempt().message()), result.attempt().number() - 1, result);
      for (const wire::Receipt& receipt : frame.receipt()) {
        if (receipt.has_attempt() && own(receipt.attempt()))
          judge_.told_progress(static_cast<MessageKey>(receipt.attempt().message()), receipt.attempt().number() - 1, state_of(receipt.progress()), true);
        // An id that this connector gave for one of its attempts, whatever order they come in.
        if (const auto known = ids_.find({number, receipt.provider_id()}); known != ids_.end())
          judge_.told_progress(known->second.first, known->second.second, state_of(receipt.progress()), false);
      }
      for (const wire::Reply& reply : frame.reply())
        if (reply.has_attempt() && own(reply.attempt())) judge_.told_progress(static_cast<MessageKey>(reply.attempt().message()), reply.attempt().number() - 1, AttemptState::replied, false);
    });
    gateway_->frame(p.peer, std::move(frame));
  }

  // A connector is given an attempt: what will come of it is drawn now and happens later.
  void take(std::size_t i, const wire::Deliver& deliver) {
    Process& p = processes_[i];
    const auto key = static_cast<MessageKey>(deliver.attempt().message());
    const std::pair attempt(key, deliver.attempt().number());
    const auto [held, fresh] = p.held.emplace(attempt, false);
    if (!held->second && !p.answered_now.contains(attempt)) p.window_used.insert(attempt);
    if (!fresh) return;   // repeated after its connection was gone
    const Manners& m = p.manners;
    const TimeMs latency = 1 + chance_.delay(m.latency);
    const std::optional<Fate> fate = draw_fate(chance_, m, calm());
    if (!fate) return;
    wire::Result result;
    *result.mutable_attempt() = deliver.attempt();
    result.set_reason("sim");
    result.set_kind(fate->kind);
    result.set_retry_after_ms(fate->retry_after_ms);
    const bool taken = fate->taken;
    std::vector<std::string> ids;
    if (taken) {
      const ConnectorId number = gateway_->number_of(p.name);
      for (std::int64_t part = 0; part < fate->parts; ++part) {
        ids.push_back(fmt::format("{}-{}", p.name, ++last_id_));
        ids_.emplace(std::pair(number, ids.back()), std::pair(key, deliver.attempt().number() - 1U));
      }
      plan_receipts(i, deliver.attempt(), ids, latency);
    }
    if (result.kind() == wire::Result::SENT) {
      for (const std::string& id : ids) result.add_provider_id(id);
      result.set_receipts(m.receipts);
    }
    const std::uint64_t instance = p.instance;
    after(latency, [this, i, instance, attempt, result] { answer(i, instance, attempt, result); });
    // Its own late answer to a doubt.
    if (result.kind() == wire::Result::UNKNOWN && chance_.percent(40)) {
      wire::Result late = result;
      late.set_kind(taken ? wire::Result::SENT : wire::Result::REFUSED);
      if (taken) for (const std::string& id : ids) late.add_provider_id(id);
      late.set_receipts(taken && m.receipts);
      after(latency + chance_.delay(5 * kMinute), [this, i, instance, attempt, late] { answer(i, instance, attempt, late); });
    }
  }

  void answer(std::size_t i, std::uint64_t instance, const std::pair<MessageKey, std::uint32_t>& attempt, const wire::Result& result) {
    Process& p = processes_[i];
    if (!p.alive || p.instance != instance) return;
    note("{} answers {}/{}: {}", p.name, attempt.first, attempt.second, static_cast<int>(result.kind()));
    wire::ToVault frame;
    *frame.add_result() = result;
    if (chance_.percent(p.manners.doubles)) *frame.add_result() = result;
    say(i, std::move(frame));
  }

  void call_back(std::size_t i, const wire::Attempt& attempt) {
    // It had no time yet to send it, now and then: then it says that it did not.
    const auto held = processes_[i].held.find({static_cast<MessageKey>(attempt.message()), attempt.number()});
    if (held == processes_[i].held.end() || held->second || !chance_.percent(30)) return;
    wire::Result result;
    *result.mutable_attempt() = attempt;
    result.set_kind(wire::Result::REFUSED);
    result.set_reason("called-back");
    const std::uint64_t instance = processes_[i].instance;
    after(1, [this, i, instance, key = held->first, result] { answer(i, instance, key, result); });
  }

  // ---- providers and customers ----

  void plan_receipts(std::size_t i, const wire::Attempt& attempt, const std::vector<std::string>& ids, TimeMs latency) {
    const Manners& m = processes_[i].manners;
    if (!m.receipts && !chance_.percent(5)) return;
    const TimeMs base = chance_.percent(m.early) ? 0 : latency;
    TimeMs when = base + chance_.delay(m.delivery);
    const bool fails = !calm() && chance_.percent(m.fails);
    for (const std::string& id : ids) receipt(i, attempt, id, fails ? wire::REFUSED : wire::DELIVERED, when + (ids.size() > 1 ? chance_.delay(m.delivery) : 0), ids.size() == 1);
    if (fails && chance_.percent(20)) receipt(i, attempt, ids.front(), wire::DELIVERED, when + chance_.delay(kMinute), ids.size() == 1);
    if (chance_.percent(10)) receipt(i, attempt, ids.front(), wire::SENT, base + chance_.delay(m.delivery), ids.size() == 1);
    if (fails) return;
    // Read and answered after it arrived; yet the news of it may overtake.
    if (chance_.percent(m.reads)) receipt(i, attempt, ids.front(), wire::READ, when + chance_.delay(m.delivery), ids.size() == 1);
    if (chance_.percent(m.answers)) after(when + chance_.delay(5 * kMinute), [this, i, attempt] { reply(i, attempt); });
  }

  void receipt(std::size_t i, const wire::Attempt& attempt, const std::string& id, wire::Progress progress, TimeMs delay, bool whole) {
    const Manners& m = processes_[i].manners;
    if (!calm() && chance_.percent(m.loses)) return;
    wire::Receipt r;
    if (m.echoes && whole) *r.mutable_attempt() = attempt;
    else r.set_provider_id(id);
    r.set_progress(progress);
    r.set_reason("sim");
    for (int times = chance_.percent(m.doubles) ? 2 : 1; times > 0; --times) after(delay + (times > 1 ? chance_.delay(kMinute) : 0), [this, i, r] { pass_on(i, r, 20); });
  }

  // A provider whose connector is away tries again for a while.
  void pass_on(std::size_t i, const wire::Receipt& r, int tries) {
    if (!processes_[i].alive) {
      if (tries > 0) after(5000, [this, i, r, tries] { pass_on(i, r, tries - 1); });
      return;
    }
    note("{} tells of {}/{} {}: {}", processes_[i].name, r.attempt().message(), r.attempt().number(), r.provider_id(), static_cast<int>(r.progress()));
    wire::ToVault frame;
    *frame.add_receipt() = r;
    say(i, std::move(frame));
  }

  void reply(std::size_t i, const wire::Attempt& attempt) {
    if (!processes_[i].alive) return;
    wire::ToVault frame;
    wire::Reply& reply = *frame.add_reply();
    reply.set_provider_id(fmt::format("in-{}", ++last_id_));
    *reply.mutable_attempt() = attempt;
    reply.set_text("yes");
    note("the customer answers {}/{}", attempt.message(), attempt.number());
    say(i, std::move(frame));
  }

  // News of messages that it never had, or of which it knows nothing; a second answer that contradicts the first.
  void lie(std::size_t i) {
    Process& p = processes_[i];
    if (!p.alive || judge_.stories().empty()) return;
    auto any = judge_.stories().begin();
    std::advance(any, static_cast<std::ptrdiff_t>(chance_.below(judge_.stories().size())));
    note("{} lies about {}", p.name, any->first);
    say(i, draw_lie(chance_, any->first));
  }

  // ---- clients and administrators ----

  void submit(std::uint64_t number) {
    work_.push_back([this, number](vault::Turn& turn) {
      Submission& s = submissions_.at(number);
      const std::string client = "core" + std::to_string(number % 2);
      store::IdempotencyRow row;
      row.client = turn.number_of_client(client);
      row.hash = ground_hash(number);
      // A client that had no answer asks again under the same key.
      const auto known = gateway_->store().idempotency(row.client, row.hash);
      if (known && *known) {
        done_.push_back([this, number, key = (*known)->key] { learn(number, key); });
        return;
      }
      Flight flight = s.flight;
      flight.id = {next_key(turn.now()), 1};
      flight.client = row.client;
      flight.accepted_ms = turn.now();
      flight.deadline_ms += turn.now();
      if (flight.send_at_ms != 0) flight.send_at_ms += turn.now();
      row.key = flight.id.key;
      row.random = flight.id.random;
      turn.batch().idempotency.push_back(row);
      Content content = content_for(flight.plan);
      const MessageKey key = flight.id.key;
      turn.accept(std::move(flight), std::move(content), {});
      note("message {} is submitted as {}", number, key);
      done_.push_back([this, number, key] { learn(number, key); });
    });
  }

  // Keys as the vault's source gives them: growing, whatever the clock does.
  MessageKey next_key(TimeMs now) {
    KeySource source(*gateway_->store().newest_key());
    MessageKey key = source.next(now);
    if (key <= last_key_) key = last_key_ + 1;
    return last_key_ = key;
  }

  static std::array<std::uint8_t, 16> ground_hash(std::uint64_t number) { return {static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number >> 8)}; }

  void learn(std::uint64_t number, MessageKey key) {
    submissions_.at(number).stored = key;
    judge_.accepted(key);
  }

  void on_message(std::uint64_t number, std::function<void(vault::Turn&, Flight&)> what) {
    const MessageKey key = submissions_.at(number).stored;
    if (key == 0) return;
    work_.push_back([key, what = std::move(what)](vault::Turn& turn) {
      if (Flight* flight = turn.find(key)) what(turn, *flight);
    });
  }

  void cancel(std::uint64_t number) {
    on_message(number, [this](vault::Turn& turn, Flight& flight) {
      judge_.told_cancel(flight.id.key);
      const bool too_late = turn.advance(flight, engine::Cancel{}).too_late;
      note("the client takes {} back{}", flight.id.key, too_late ? ": too late" : "");
      done_.push_back([this, key = flight.id.key, too_late, handed = judge_.was_handed(flight.id.key)] { judge_.cancelled(key, too_late, handed); });
    });
  }

  void move(std::uint64_t number) {
    const TimeMs send_at = chance_.delay(10 * kMinute), deadline = send_at + chance_.from_to(1, kHour);
    on_message(number, [this, send_at, deadline](vault::Turn& turn, Flight& flight) {
      note("the client moves {}", flight.id.key);
      turn.advance(flight, engine::Move{turn.now() + send_at, turn.now() + deadline});
    });
  }

  void signal(std::uint64_t number, const std::string& event) {
    on_message(number, [this, event](vault::Turn& turn, Flight& flight) {
      note("{} happened to {}", event, flight.id.key);
      judge_.told_signal(flight.id.key, event);
      turn.advance(flight, engine::Signal{event});
    });
  }

  void resume() {
    work_.push_back([this](vault::Turn& turn) {
      note("what is held may go on");
      for (const auto& [number, s] : submissions_)
        if (s.stored != 0)
          if (Flight* flight = turn.find(s.stored)) turn.advance(*flight, engine::Resume{});
    });
  }

  bool all_ended() const {
    return std::ranges::all_of(submissions_, [this](const auto& one) {
      const Flight* flight = judge_.flight(one.second.stored);
      return flight != nullptr && is_final(flight->state);
    });
  }

  Chance chance_;
  const Ground& ground_;
  bool trace_;
  TimeMs now_ = kBegin, skew_ = 0, calm_at_ = 0, span_ = 0, full_until_ = 0, hold_off_ = 0;
  Policy policy_;
  std::shared_ptr<const config::Config> config_;
  std::shared_ptr<store::Disk> disk_;
  Judge judge_;
  std::unique_ptr<Gateway> gateway_;
  std::vector<Process> processes_;
  std::map<std::uint64_t, Submission> submissions_;
  std::priority_queue<Event> events_;
  std::uint64_t order_ = 0, last_id_ = 0;
  MessageKey last_key_ = 0;
  bool poke_ = false;
  Gateway::Cut cut_ = Gateway::Cut::none;
  std::vector<std::function<void(vault::Turn&)>> work_;
  std::vector<Do> done_, expected_;                // after the turn's commit; before the turn
  std::map<std::pair<ConnectorId, std::string>, std::pair<MessageKey, std::size_t>> ids_;
  Verdict verdict_;
};

}  // namespace

Verdict play(std::uint64_t seed, const Ground& ground, bool trace) { return World(seed, ground, trace).play(); }

}  // namespace postern::sim
