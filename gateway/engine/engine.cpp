// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/engine.hpp"

#include <algorithm>
#include <bit>

namespace postern::engine {
namespace {

constexpr std::uint32_t kLongestRetry = 10 * 60 * 1000;
constexpr std::string_view kWithoutReceipt = "sent-without-receipt", kPutBack = "put-back", kNoRoute = "no-route", kNotWanted = "condition";

bool customer_has_it(const Attempt& a) {
  return a.state == AttemptState::delivered || a.state == AttemptState::read || a.state == AttemptState::replied;
}

// One call of advance(): the flight under work and what it says.
class Turn {
 public:
  Turn(Flight& flight, TimeMs now, const Rules& rules, const Route& route, const Gate& gate) : f_(flight), now_(now), rules_(rules), route_(route), gate_(gate) {}

  Outcome take() { return std::move(out_); }

  // ---- what can happen ----

  void on(const Begin&) {
    if (is_final(f_.state) || !f_.attempts.empty() || f_.step != 0 || f_.step_end_ms != 0 || stage_waits()) return ignore();
    if (now_ >= f_.deadline_ms) return finish(MessageState::expired, "deadline");
    if (f_.send_at_ms > now_) {
      f_.state = MessageState::scheduled;
      return;
    }
    f_.state = MessageState::active;
    begin_stage(0, {});
  }

  void on(const Due&) {
    if (is_final(f_.state)) return ignore();
    if (now_ >= f_.deadline_ms) return expire();
    if (f_.state == MessageState::scheduled) {
      if (f_.send_at_ms > now_) return ignore();
      f_.state = MessageState::active;
      return begin_stage(0, {});
    }
    // After a pause of the whole gateway both may be past: a stage that is over tries no more.
    if (f_.step_end_ms != 0 && now_ >= f_.step_end_ms) return stage_over();
    if (!try_again([this](const Step& s) { return s.again_ms <= now_; })) ignore();
  }

  void on(const Resume&) {
    if (is_final(f_.state) || now_ >= f_.deadline_ms || f_.state == MessageState::scheduled || !try_again([this](const Step& s) { return s.held && !holds_still(s); })) ignore();
  }

  void on(const Cancel& cancel) {
    if (is_final(f_.state) || is_out()) {
      out_.too_late = true;
      return;
    }
    finish(MessageState::cancelled, cancel.by);
  }

  void on(const Move& move) {
    if (f_.state != MessageState::scheduled) {
      out_.too_late = true;
      return;
    }
    f_.send_at_ms = move.send_at_ms;
    f_.deadline_ms = move.deadline_ms;
    say(EventType::moved);
    if (now_ >= f_.deadline_ms) return expire();
    if (f_.send_at_ms > now_) return;
    f_.state = MessageState::active;
    begin_stage(0, {});
  }

  void on(const Signal& signal) {
    const auto names = [&signal](const std::vector<std::string>& events) { return std::ranges::find(events, signal.event) != events.end(); };
    const bool begins = f_.state == MessageState::scheduled && now_ < f_.deadline_ms && names(f_.start_on);
    if (is_final(f_.state) || (!begins && !names(f_.stop_on))) return ignore();
    say(EventType::signalled, -1, signal.event);
    if (names(f_.stop_on)) return stopped_by(signal.event);
    f_.state = MessageState::active;
    begin_stage(0, {});
  }

  void stopped_by(const std::string& event) {
    finish(std::ranges::any_of(f_.attempts, customer_has_it) ? MessageState::reached : MessageState::cancelled, "event-" + event);
  }

  void on(const Handed& handed) {
    if (is_final(f_.state) || handed.attempt >= f_.attempts.size() || f_.attempts[handed.attempt].state != AttemptState::ready) return ignore();
    // Nothing is sent after the deadline, ever.
    if (now_ >= f_.deadline_ms) return expire();
    const int at = static_cast<int>(handed.attempt);
    Attempt& a = attempt(at);
    const std::size_t s = a.step;
    const Decision decision = gate_(f_, f_.plan[s]);
    if (decision.kind != Decision::Kind::go) {
      change(a, AttemptState::withdrawn);
      say(EventType::withdrawn, at, decision.reason);
      if (stopped(s, decision) == Begun::nothing && !stage_alive()) next_stage(decision.reason);
      return;
    }
    for (const std::string& rule : decision.passed) say(EventType::bypassed, at, rule);
    change(a, AttemptState::handed);
    a.handed_ms = now_;
    a.instance = handed.instance;
    say(EventType::handed, at);
    out_.happened.back().basis = decision.basis;
    out_.happened.back().facts = decision.facts;
  }

  void on(const Result& r) {
    if (r.attempt >= f_.attempts.size()) return ignore();
    Attempt& a = f_.attempts[r.attempt];
    const int at = static_cast<int>(r.attempt);
    // A receipt was quicker than the result: only what the result alone tells is still news.
    if (r.kind == Result::Kind::sent && a.parts == 0 && (a.state == AttemptState::sent || customer_has_it(a))) {
      a.receipts = a.receipts || r.receipts;
      a.parts = std::max<std::uint8_t>(r.parts, 1);
      return;
    }
    // An attempt in doubt may still be settled by its late answer; anything else has its one result.
    if (a.state != AttemptState::handed && a.state != AttemptState::unknown) return ignore();
    if (a.state == AttemptState::unknown && r.kind == Result::Kind::unknown) return ignore();
    switch (r.kind) {
      case Result::Kind::sent:
        a.receipts = r.receipts;
        a.parts = std::max<std::uint8_t>(r.parts, 1);
        return moved(at, AttemptState::sent, EventType::sent, r.reason);
      case Result::Kind::unknown:
        return doubt(at, r.reason);
      case Result::Kind::retry:
      case Result::Kind::refused:
      case Result::Kind::throttled:
        change(a, AttemptState::refused);
        a.reason = r.reason;
        a.throttled = r.kind == Result::Kind::throttled;
        say(is_final(f_.state) ? EventType::late : EventType::refused, at, r.reason);
        if (is_final(f_.state)) return;
        settled();
        if (f_.step >= f_.plan.size()) return exhausted(r.reason);
        // A late answer changes nothing where something newer was started.
        if (!in_stage(a.step) || at != current(a.step)) return;
        if (r.kind == Result::Kind::refused) return failed(r.reason);
        return again(a.step, r);
    }
  }

  void on(const Receipt& r) {
    if (r.attempt >= f_.attempts.size()) return ignore();
    const int at = static_cast<int>(r.attempt);
    Attempt& a = attempt(at);
    if (a.state == AttemptState::ready || a.state == AttemptState::withdrawn) return ignore();
    // Quicker than the result: a receipt proves that this route gives them.
    if (a.state == AttemptState::handed || a.state == AttemptState::unknown) a.receipts = true;
    if (r.progress == AttemptState::refused) return failed_receipt(at, r.reason);
    if (r.progress == AttemptState::delivered && !r.all_parts && a.parts > 1) {
      if (r.part >= kMaxParts) return ignore();
      a.parts_done |= 1ULL << r.part;
      if (std::popcount(a.parts_done) < a.parts) return;
    }
    switch (r.progress) {
      case AttemptState::sent: return moved(at, AttemptState::sent, EventType::sent, r.reason);
      case AttemptState::delivered: return moved(at, AttemptState::delivered, EventType::delivered, r.reason);
      case AttemptState::read: return moved(at, AttemptState::read, EventType::read, r.reason);
      case AttemptState::replied: return moved(at, AttemptState::replied, EventType::replied, r.reason);
      case AttemptState::ready:
      case AttemptState::handed:
      case AttemptState::refused:
      case AttemptState::unknown:
      case AttemptState::withdrawn: return ignore();
    }
  }

  void on(const Lost& lost) {
    if (lost.attempt >= f_.attempts.size() || f_.attempts[lost.attempt].state != AttemptState::handed) return ignore();
    doubt(static_cast<int>(lost.attempt), "connector-lost");
  }

  void on(const Damaged&) {
    if (is_final(f_.state)) return ignore();
    finish(MessageState::failed, "content-damaged");
  }

  void on(const PutBack&) {
    // What is handed is in doubt by itself, for its connector is another process now; what waits for a time that has not come was not
    // sent before it.
    const bool waits = f_.state == MessageState::scheduled && f_.send_at_ms > now_;
    if (is_final(f_.state) || waits || rules_.in_doubt == InDoubt::rather_twice) return ignore();
    f_.put_back = true;
    f_.step_end_ms = 0;
    for (std::size_t s = f_.step; s < stage_end(); ++s) {
      Step& step = f_.plan[s];
      if (!step.held || step.again_ms <= now_) step.again_ms = 0, step.held = false;
      if (const int at = current(s); at >= 0 && attempt(at).state == AttemptState::ready) mark_unknown(at, std::string(kPutBack));
    }
    if (!stage_alive() && std::ranges::none_of(f_.attempts, [this](const Attempt& a) { return awaits_news(a); })) finish(MessageState::failed, std::string(kPutBack));
  }

 private:
  enum class Begun : std::uint8_t { under_way, nothing, ended };

  Attempt& attempt(int at) { return f_.attempts[static_cast<std::size_t>(at)]; }
  std::size_t stage_end() const { return f_.step >= f_.plan.size() ? f_.plan.size() : f_.stage_end(f_.step); }
  bool in_stage(std::size_t s) const { return s >= f_.step && s < stage_end(); }
  bool stage_waits() const {
    return std::ranges::any_of(f_.plan, [](const Step& s) { return s.again_ms != 0; });
  }

  // The newest attempt of a step, or -1.
  int current(std::size_t s) const {
    for (std::size_t i = f_.attempts.size(); i-- > 0;)
      if (f_.attempts[i].step == s) return static_cast<int>(i);
    return -1;
  }

  // It may yet come to something without anything being started.
  bool awaits_news(const Attempt& a) const {
    if (a.state == AttemptState::unknown || a.state == AttemptState::handed) return true;
    const bool out = a.state == AttemptState::sent || a.state == AttemptState::delivered || a.state == AttemptState::read;
    // An answer comes whether or not the route gives receipts.
    return out && (a.receipts || f_.plan[a.step].until == Until::replied);
  }

  // Something of the current stage is under way: its failure has to come before the next one begins.
  bool stage_alive() const {
    for (std::size_t s = f_.step; s < stage_end(); ++s) {
      if (f_.plan[s].again_ms != 0) return true;
      const int at = current(s);
      if (at < 0) continue;
      const Attempt& a = f_.attempts[static_cast<std::size_t>(at)];
      if (a.state == AttemptState::ready || (a.state == AttemptState::unknown ? f_.no_more : awaits_news(a))) return true;
      // No more is to come of it, yet the event that it reminds of may.
      if ((a.state == AttemptState::sent || customer_has_it(a)) && f_.plan[s].until == Until::event) return true;
    }
    return false;
  }

  bool is_out() const {
    return std::ranges::any_of(f_.attempts, [](const Attempt& a) {
      return a.state != AttemptState::ready && a.state != AttemptState::refused && a.state != AttemptState::withdrawn;
    });
  }

  void ignore() { out_.ignored = true; }
  void say(EventType type, int at = -1, std::string reason = {}) { out_.happened.push_back({type, at, std::move(reason)}); }
  void change(Attempt& a, AttemptState state) {
    a.state = state;
    a.changed_ms = now_;
  }

  // ---- stages ----

  // Begins the first stage from here on of which anything can be done.
  void begin_stage(std::size_t first, std::string why) {
    for (; first < f_.plan.size(); first = f_.stage_end(first)) {
      f_.step = static_cast<std::uint8_t>(first);
      f_.step_end_ms = 0;
      for (std::size_t s = first; s < stage_end(); ++s) f_.plan[s].again_ms = 0, f_.plan[s].held = false;
      if (f_.plan[first].pause) return start_wait();
      bool any = false;
      for (std::size_t s = first; s < f_.stage_end(first); ++s) {
        const Begun begun = begin_step(s, why);
        if (begun == Begun::ended) return;
        any = any || begun == Begun::under_way;
      }
      if (any) return;
    }
    exhausted(why);
  }

  // The stage's wait begins with the first thing that it does; while a policy holds all of it, it does not run.
  void start_wait() {
    const std::uint32_t wait = f_.plan[f_.step].wait_ms;
    if (f_.step_end_ms == 0 && wait != 0 && !f_.no_more) f_.step_end_ms = now_ + wait;
  }

  Begun begin_step(std::size_t s, std::string& why) {
    if (const std::uint32_t news = f_.news(); (f_.plan[s].only_if != 0 && (f_.plan[s].only_if & news) == 0) || (f_.plan[s].unless & news) != 0) {
      f_.plan[s].again_ms = 0;
      f_.plan[s].held = false;
      say(EventType::step_skipped, -1, word_of(s, kNotWanted));
      why = kNotWanted;
      return Begun::nothing;
    }
    const Decision decision = gate_(f_, f_.plan[s]);
    f_.plan[s].again_ms = 0;
    f_.plan[s].held = false;
    if (decision.kind != Decision::Kind::go) {
      why = decision.reason;
      return stopped(s, decision);
    }
    if (start_attempt(s)) return Begun::under_way;
    say(EventType::step_skipped, -1, word_of(s, kNoRoute));
    why = kNoRoute;
    return Begun::nothing;
  }

  // The policy says of a held step what it said before.
  bool holds_still(const Step& step) const {
    const Decision decision = gate_(f_, step);
    return decision.kind == Decision::Kind::hold && (decision.until_ms == 0 ? f_.deadline_ms : decision.until_ms) == step.again_ms;
  }

  std::string word_of(std::size_t s, std::string_view reason) const { return std::string(name_of(f_.plan[s].channel)) + "-" + std::string(reason); }

  // The policy does not let this step go now.
  Begun stopped(std::size_t s, const Decision& decision) {
    Step& step = f_.plan[s];
    f_.held_back = true;
    if (decision.kind == Decision::Kind::suppress) {
      finish(MessageState::suppressed, decision.reason);
      out_.happened.back().facts = decision.facts;
      return Begun::ended;
    }
    const TimeMs until = decision.until_ms == 0 ? f_.deadline_ms : decision.until_ms;
    const bool fits = decision.until_ms == 0 || (until < f_.deadline_ms && (f_.step_end_ms == 0 || until < f_.step_end_ms));
    if (decision.kind == Decision::Kind::skip || !fits) {
      say(EventType::step_skipped, -1, word_of(s, decision.reason));
      out_.happened.back().facts = decision.facts;
      return Begun::nothing;
    }
    step.again_ms = until;
    step.held = true;
    say(EventType::held, -1, word_of(s, decision.reason));
    out_.happened.back().facts = decision.facts;
    return Begun::under_way;
  }

  bool start_attempt(std::size_t s) {
    const ConnectorId connector = f_.attempts.size() >= kMaxAttempts ? ConnectorId{0} : route_(f_, f_.plan[s]);
    if (connector == 0) return false;
    Attempt a;
    a.step = static_cast<std::uint8_t>(s);
    a.connector = connector;
    a.changed_ms = now_;
    f_.attempts.push_back(std::move(a));
    start_wait();
    return true;
  }

  // Looks again at the steps of this stage that wait and that `chosen` picks; false when there is none.
  template <class Chosen>
  bool try_again(const Chosen& chosen) {
    bool any = false;
    std::string why;
    const std::size_t first = f_.step;
    for (std::size_t s = first; s < stage_end(); ++s) {
      Step& step = f_.plan[s];
      if (step.again_ms == 0 || !chosen(step)) continue;
      any = true;
      if (begin_step(s, why) == Begun::ended) return true;
    }
    if (any && !stage_alive()) next_stage(why);
    return any;
  }

  void next_stage(const std::string& reason) {
    if (f_.no_more || f_.put_back) return exhausted(reason);
    begin_stage(stage_end(), reason);
  }

  // A step of this stage came to nothing.
  void failed(const std::string& reason) {
    if (!stage_alive()) next_stage(reason);
  }

  // No stage is left. What is still under way may yet arrive until the deadline.
  void exhausted(const std::string& reason) {
    f_.step = static_cast<std::uint8_t>(f_.plan.size());
    f_.step_end_ms = 0;
    for (Step& s : f_.plan) s.again_ms = 0, s.held = false;
    const bool reminded = !f_.plan.empty() && f_.plan.back().until == Until::event && std::ranges::any_of(f_.attempts, customer_has_it);
    if (reminded) return finish(MessageState::reached, std::string(name_of(AttemptState::delivered)));
    if (std::ranges::any_of(f_.attempts, [this](const Attempt& a) { return awaits_news(a); })) return;
    // A route that gives no receipts has told all it can when it said `sent`.
    if (std::ranges::any_of(f_.attempts, [](const Attempt& a) { return a.state == AttemptState::sent; })) return finish(MessageState::reached, std::string(kWithoutReceipt));
    const bool tried = std::ranges::any_of(f_.attempts, [](const Attempt& a) { return a.handed_ms != 0; });
    finish(f_.held_back && !tried ? MessageState::suppressed : MessageState::failed, reason);
  }

  // The same step once more, later.
  void again(std::size_t s, const Result& r) {
    std::uint8_t tries = 0;
    for (const Attempt& a : f_.attempts)
      if (a.step == s && a.state == AttemptState::refused && !a.throttled) ++tries;
    if (tries >= rules_.tries || f_.put_back) return failed(r.reason);
    std::uint32_t pause = r.retry_after_ms;
    if (pause == 0) pause = std::min<std::uint32_t>(rules_.retry_floor_ms << std::min<int>(std::max<int>(tries, 1) - 1, 10), kLongestRetry);
    const TimeMs at = now_ + pause;
    // A retry that would come after the stage's end is no retry.
    if ((f_.step_end_ms != 0 && at >= f_.step_end_ms) || at >= f_.deadline_ms) return failed(r.reason);
    f_.plan[s].again_ms = at;
  }

  // ---- doubt ----

  void mark_unknown(int at, const std::string& reason) {
    Attempt& a = attempt(at);
    change(a, AttemptState::unknown);
    a.in_doubt = true;
    a.reason = reason;
    say(EventType::in_doubt, at, reason);
  }

  void doubt(int at, const std::string& reason) {
    mark_unknown(at, reason);
    const std::size_t s = attempt(at).step;
    if (is_final(f_.state) || !in_stage(s) || at != current(s)) return;
    if (rules_.in_doubt == InDoubt::rather_never_twice) return start_nothing_more();
    if (!stage_alive()) go_on_from_doubt(reason);
  }

  // Only an answer or a receipt settles it; the deadline ends the wait. What runs beside it goes on.
  void start_nothing_more() {
    f_.no_more = true;
    f_.step_end_ms = 0;
  }

  // What became of it is known now: without another doubt the way goes on, and the stage has its wait again.
  void settled() {
    if (!f_.no_more || std::ranges::any_of(f_.attempts, [](const Attempt& a) { return a.state == AttemptState::unknown; })) return;
    f_.no_more = false;
    if (f_.step < f_.plan.size() && !f_.put_back) start_wait();
  }

  // Rather twice than never: the next stage, or where there is none the steps in doubt once more.
  void go_on_from_doubt(const std::string& reason) {
    if (stage_end() < f_.plan.size()) return next_stage(reason);
    f_.step_end_ms = 0;
    bool any = false;
    const std::size_t end = stage_end();
    for (std::size_t s = f_.step; s < end; ++s) {
      const int at = current(s);
      const auto tries = std::ranges::count_if(f_.attempts, [s](const Attempt& other) { return other.step == s; });
      if (at < 0 || attempt(at).state != AttemptState::unknown || tries >= 2) continue;
      std::string why;
      const Begun begun = begin_step(s, why);
      if (begun == Begun::ended) return;
      any = any || begun == Begun::under_way;
    }
    if (!any) exhausted(reason);
  }

  // The current stage's wait is over.
  void stage_over() {
    if (f_.plan[f_.step].pause) {
      say(EventType::step_over, -1, "pause");
      return next_stage("pause");
    }
    bool in_doubt = false;
    for (std::size_t s = f_.step; s < stage_end(); ++s) {
      f_.plan[s].again_ms = 0;
      f_.plan[s].held = false;
      const int at = current(s);
      if (at < 0) continue;
      if (attempt(at).state == AttemptState::handed) {
        mark_unknown(at, "no-answer");
        in_doubt = true;
      } else if (attempt(at).state == AttemptState::ready) {
        change(attempt(at), AttemptState::withdrawn);
        say(EventType::withdrawn, at, "step-wait");
      }
    }
    if (in_doubt && rules_.in_doubt == InDoubt::rather_never_twice) return start_nothing_more();
    if (in_doubt) return go_on_from_doubt("no-answer");
    const int at = f_.stage_end(f_.step) == f_.step + 1U ? current(f_.step) : -1;
    say(EventType::step_over, at, std::string("not-") + std::string(name_of(f_.plan[f_.step].until)));
    next_stage("step-wait");
  }

  // ---- news ----

  // Whether news of this kind ends the message.
  bool is_enough(const Attempt& a, AttemptState to) const {
    const Until until = f_.plan[a.step].until;
    if (until == Until::event) return (f_.step >= f_.plan.size() || stage_end() == f_.plan.size()) && (customer_has_it(a) || (to == AttemptState::sent && !a.receipts));
    if (static_cast<int>(to) >= static_cast<int>(until)) return true;
    // A route without receipts can never say more than `sent`; but an answer comes another way.
    return to == AttemptState::sent && !a.receipts && until != Until::replied;
  }

  void moved(int at, AttemptState to, EventType type, const std::string& reason) {
    Attempt& a = attempt(at);
    const bool was_failed = a.state == AttemptState::refused;
    // Only forward, whatever order receipts come in. `delivered` corrects an earlier "failed".
    if (a.state == AttemptState::unknown || a.state == AttemptState::handed || (was_failed && to != AttemptState::sent)) {
      // taken
    } else if (was_failed || static_cast<int>(to) <= static_cast<int>(a.state)) {
      return ignore();
    }
    const bool had_it = customer_has_it(a);
    change(a, to);
    a.reason = reason;
    const bool late = is_final(f_.state);
    if (!had_it && customer_has_it(a))
      if (const Attempt* first = other_contact(a)) say(EventType::double_contact, at, first->in_doubt ? "in-doubt" : "late-receipt");
    if (!late && is_enough(a, to)) finish(MessageState::reached, std::string(name_of(to)), Word::of_the_news);
    else if (!late) settled();
    // A read or an answer may well follow the end; news that the customer was reached only now is late.
    // Said last: the last word of a step is the one that ends the message.
    if (late && !had_it && type != EventType::replied) say(EventType::late, at, std::string(name_of(to)));
    else say(type, at, reason);
  }

  // The attempt without which the later one would not have been made: another one has reached the customer too, and that was not meant.
  // Steps that begin together, and an escalation, mean it. Null: there is none.
  const Attempt* other_contact(const Attempt& a) const {
    if (f_.escalate || f_.plan[a.step].until == Until::event) return nullptr;
    const auto stage_of = [this](std::size_t s) {
      while (s > 0 && f_.plan[s].together) --s;
      return s;
    };
    const auto other = std::ranges::find_if(f_.attempts, [&](const Attempt& o) {
      return &o != &a && customer_has_it(o) && (o.step == a.step || stage_of(o.step) != stage_of(a.step));
    });
    return other == f_.attempts.end() ? nullptr : std::min<const Attempt*>(&a, &*other);
  }

  void failed_receipt(int at, const std::string& reason) {
    Attempt& a = attempt(at);
    if (customer_has_it(a) || a.state == AttemptState::refused) return ignore();
    change(a, AttemptState::refused);
    a.reason = reason;
    const bool late = is_final(f_.state);
    say(late ? EventType::late : EventType::undelivered, at, reason);
    if (late) return;
    settled();
    if (f_.step >= f_.plan.size()) return exhausted(reason);
    if (in_stage(a.step) && at == current(a.step)) failed(reason);
  }

  void expire() {
    const bool told = std::ranges::any_of(f_.attempts, [](const Attempt& a) {
      return a.state == AttemptState::sent || customer_has_it(a);
    });
    const bool doubtful = std::ranges::any_of(f_.attempts, [](const Attempt& a) { return a.state == AttemptState::unknown; });
    finish(MessageState::expired, told ? "not-confirmed" : doubtful ? "in-doubt" : "deadline");
  }

  // The receipt or answer that reached the customer is itself the word of the end.
  enum class Word : std::uint8_t { own, of_the_news };
  void finish(MessageState state, std::string reason, Word word = Word::own) {
    for (std::size_t i = 0; i < f_.attempts.size(); ++i) {
      Attempt& a = f_.attempts[i];
      if (a.state == AttemptState::ready) {
        change(a, AttemptState::withdrawn);
        say(EventType::withdrawn, static_cast<int>(i), std::string(name_of(state)));
      }
      if (a.state == AttemptState::handed) out_.call_back.push_back(i);
    }
    f_.state = state;
    // A provider or a policy that gives no word for its no: an end has one.
    f_.reason = reason.empty() ? std::string(name_of(state)) : std::move(reason);
    f_.ended_ms = now_;
    f_.step_end_ms = 0;
    for (Step& s : f_.plan) s.again_ms = 0, s.held = false;
    out_.ended = true;
    if (word == Word::own) say(EventType::ended, -1, f_.reason);
  }

  Flight& f_;
  const TimeMs now_;
  const Rules& rules_;
  const Route& route_;
  const Gate& gate_;
  Outcome out_;
};

}  // namespace

Outcome advance(Flight& flight, const Input& input, TimeMs now, const Rules& rules, const Route& route, const Gate& gate) {
  Turn turn(flight, now, rules, route, gate);
  std::visit([&](const auto& what) { turn.on(what); }, input);
  return turn.take();
}

}  // namespace postern::engine
