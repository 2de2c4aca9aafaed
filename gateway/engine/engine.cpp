// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/engine.hpp"

#include <algorithm>
#include <bit>

namespace postern::engine {
namespace {

constexpr std::uint32_t kLongestRetry = 10 * 60 * 1000;
constexpr std::string_view kWithoutReceipt = "sent-without-receipt", kPutBack = "put-back";

bool awaits_news(const Attempt& a) {
  return a.state == AttemptState::unknown || a.state == AttemptState::handed ||
         (a.receipts && (a.state == AttemptState::sent || a.state == AttemptState::delivered || a.state == AttemptState::read));
}

bool customer_has_it(const Attempt& a) {
  return a.state == AttemptState::delivered || a.state == AttemptState::read || a.state == AttemptState::replied;
}

// One call of advance(): the flight under work and what it says.
class Turn {
 public:
  Turn(Flight& flight, TimeMs now, const Rules& rules, const Route& route) : f_(flight), now_(now), rules_(rules), route_(route) {}

  Outcome take() { return std::move(out_); }

  void on(const Begin&) {
    if (is_final(f_.state) || !f_.attempts.empty() || f_.step != 0 || f_.step_end_ms != 0) return ignore();
    if (now_ >= f_.deadline_ms) return finish(MessageState::expired, "deadline");
    if (f_.send_at_ms > now_) {
      f_.state = MessageState::scheduled;
      return;
    }
    f_.state = MessageState::active;
    begin_step(0);
  }

  void on(const Due&) {
    if (is_final(f_.state)) return ignore();
    if (now_ >= f_.deadline_ms) return expire();
    if (f_.state == MessageState::scheduled) {
      if (f_.send_at_ms > now_) return ignore();
      f_.state = MessageState::active;
      return begin_step(0);
    }
    // After a pause of the whole gateway both may be past: a step that is over tries no more.
    if (f_.step_end_ms != 0 && now_ >= f_.step_end_ms) return step_over();
    if (f_.retry_ms != 0 && now_ >= f_.retry_ms) {
      f_.retry_ms = 0;
      return attempt_step();
    }
    ignore();
  }

  void on(const Cancel&) {
    const bool out = std::ranges::any_of(f_.attempts, [](const Attempt& a) {
      return a.state != AttemptState::ready && a.state != AttemptState::refused && a.state != AttemptState::withdrawn;
    });
    if (is_final(f_.state) || out) {
      out_.too_late = true;
      return;
    }
    finish(MessageState::cancelled, "client");
  }

  void on(const Handed& handed) {
    const int at = current();
    if (is_final(f_.state) || at < 0 || attempt(at).state != AttemptState::ready) return ignore();
    // Nothing is sent after the deadline, ever.
    if (now_ >= f_.deadline_ms) return expire();
    Attempt& a = attempt(at);
    change(a, AttemptState::handed);
    a.handed_ms = now_;
    a.instance = handed.instance;
    say(EventType::handed, at);
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
    const bool was_unknown = a.state == AttemptState::unknown;
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
        if (!is_final(f_.state) && f_.step >= f_.plan.size()) return exhausted(r.reason);
        if (is_final(f_.state) || a.step != f_.step || (was_unknown && at != current())) return;
        if (r.kind == Result::Kind::refused) return next_step(r.reason);
        return again(r);
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
    // What is handed is in doubt by itself, for its connector is another process now; what waits for its time was not sent before it.
    const bool waits = f_.state == MessageState::scheduled && f_.send_at_ms > now_;
    if (is_final(f_.state) || waits || rules_.in_doubt == InDoubt::rather_twice) return ignore();
    const int at = current();
    if (at >= 0 && attempt(at).state == AttemptState::ready) return doubt(at, std::string(kPutBack));
    f_.step = static_cast<std::uint8_t>(f_.plan.size());
    f_.step_end_ms = f_.retry_ms = 0;
    if (std::ranges::none_of(f_.attempts, awaits_news)) finish(MessageState::failed, std::string(kPutBack));
  }

 private:
  Attempt& attempt(int at) { return f_.attempts[static_cast<std::size_t>(at)]; }

  // The newest attempt of the current step, or -1.
  int current() const {
    return !f_.attempts.empty() && f_.attempts.back().step == f_.step ? static_cast<int>(f_.attempts.size()) - 1 : -1;
  }

  void ignore() { out_.ignored = true; }
  void say(EventType type, int at = -1, std::string reason = {}) { out_.happened.push_back({type, at, std::move(reason)}); }
  void change(Attempt& a, AttemptState state) {
    a.state = state;
    a.changed_ms = now_;
  }

  void begin_step(std::size_t index) {
    for (; index < f_.plan.size(); ++index) {
      f_.step = static_cast<std::uint8_t>(index);
      f_.retry_ms = 0;
      const std::uint32_t wait = f_.plan[index].wait_ms;
      f_.step_end_ms = wait == 0 ? 0 : now_ + wait;
      if (route_(f_, f_.plan[index]) != 0 && f_.attempts.size() < kMaxAttempts) return attempt_step();
      say(EventType::step_skipped, -1, std::string(name_of(f_.plan[index].channel)) + "-no-route");
    }
    exhausted("no-route");
  }

  void attempt_step() {
    const ConnectorId connector = route_(f_, f_.plan[f_.step]);
    if (connector == 0 || f_.attempts.size() >= kMaxAttempts) return next_step("no-route");
    Attempt a;
    a.step = f_.step;
    a.connector = connector;
    a.changed_ms = now_;
    f_.attempts.push_back(std::move(a));
  }

  void next_step(const std::string& reason) {
    if (f_.step + 1U < f_.plan.size()) return begin_step(f_.step + 1U);
    exhausted(reason);
  }

  // No step is left. What is still under way may yet arrive until the deadline.
  void exhausted(const std::string& reason) {
    f_.step = static_cast<std::uint8_t>(f_.plan.size());
    f_.step_end_ms = f_.retry_ms = 0;
    if (std::ranges::any_of(f_.attempts, awaits_news)) return;
    // A route that gives no receipts has told all it can when it said `sent`.
    const bool sent = std::ranges::any_of(f_.attempts, [](const Attempt& a) { return a.state == AttemptState::sent; });
    finish(sent ? MessageState::reached : MessageState::failed, sent ? std::string(kWithoutReceipt) : reason);
  }

  // The same step once more, later.
  void again(const Result& r) {
    std::uint8_t tries = 0;
    for (const Attempt& a : f_.attempts)
      if (a.step == f_.step && a.state == AttemptState::refused && !a.throttled) ++tries;
    if (tries >= rules_.tries) return next_step(r.reason);
    std::uint32_t pause = r.retry_after_ms;
    if (pause == 0) pause = std::min<std::uint32_t>(rules_.retry_floor_ms << std::min<int>(std::max<int>(tries, 1) - 1, 10), kLongestRetry);
    const TimeMs at = now_ + pause;
    // A retry that would come after the step's end is no retry.
    if (f_.step_end_ms != 0 && at >= f_.step_end_ms) return next_step(r.reason);
    if (at >= f_.deadline_ms) return next_step(r.reason);
    f_.retry_ms = at;
  }

  void doubt(int at, const std::string& reason) {
    Attempt& a = attempt(at);
    change(a, AttemptState::unknown);
    a.in_doubt = true;
    a.reason = reason;
    say(EventType::in_doubt, at, reason);
    if (is_final(f_.state) || at != current()) return;
    if (rules_.in_doubt == InDoubt::rather_never_twice) {
      // Only an answer or a receipt settles it; the deadline ends the wait. No later step starts.
      f_.step_end_ms = f_.retry_ms = 0;
      return;
    }
    if (f_.step + 1U < f_.plan.size()) return next_step(reason);
    const auto tries = std::ranges::count_if(f_.attempts, [&](const Attempt& other) { return other.step == a.step; });
    if (tries >= 2) return exhausted(reason);
    const std::uint32_t wait = f_.plan[f_.step].wait_ms;
    f_.step_end_ms = wait == 0 ? 0 : now_ + wait;
    attempt_step();
  }

  // The current step's wait is over.
  void step_over() {
    const int at = current();
    if (at >= 0 && attempt(at).state == AttemptState::handed) return doubt(at, "no-answer");
    if (at >= 0 && attempt(at).state == AttemptState::ready) {
      change(attempt(at), AttemptState::withdrawn);
      say(EventType::withdrawn, at, "step-wait");
    }
    say(EventType::step_over, at, std::string("not-") + std::string(name_of(f_.plan[f_.step].until)));
    next_step("step-wait");
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
    if (!had_it && customer_has_it(a) && std::ranges::count_if(f_.attempts, customer_has_it) > 1)
      say(EventType::double_contact, at);
    const Until until = f_.plan[a.step].until;
    // A route without receipts can never say more than `sent`.
    const bool enough = static_cast<int>(to) >= static_cast<int>(until) || (to == AttemptState::sent && !a.receipts);
    if (!late && enough) finish(MessageState::reached, std::string(name_of(to)));
    // A read or an answer may well follow the end; news that the customer was reached only now is late.
    // Said last: the last word of a step is the one that ends the message.
    if (late && !had_it && type != EventType::replied) say(EventType::late, at, std::string(name_of(to)));
    else say(type, at, reason);
  }

  void failed_receipt(int at, const std::string& reason) {
    Attempt& a = attempt(at);
    if (customer_has_it(a) || a.state == AttemptState::refused) return ignore();
    change(a, AttemptState::refused);
    a.reason = reason;
    const bool late = is_final(f_.state);
    say(late ? EventType::late : EventType::undelivered, at, reason);
    if (late) return;
    if (at == current()) return next_step(reason);
    if (f_.step >= f_.plan.size()) exhausted(reason);
  }

  void expire() {
    const bool told = std::ranges::any_of(f_.attempts, [](const Attempt& a) {
      return a.state == AttemptState::sent || customer_has_it(a);
    });
    const bool doubtful = std::ranges::any_of(f_.attempts, [](const Attempt& a) { return a.state == AttemptState::unknown; });
    finish(MessageState::expired, told ? "not-confirmed" : doubtful ? "in-doubt" : "deadline");
  }

  void finish(MessageState state, std::string reason) {
    for (std::size_t i = 0; i < f_.attempts.size(); ++i) {
      Attempt& a = f_.attempts[i];
      if (a.state == AttemptState::ready) {
        change(a, AttemptState::withdrawn);
        say(EventType::withdrawn, static_cast<int>(i), std::string(name_of(state)));
      }
      if (a.state == AttemptState::handed) out_.call_back = static_cast<int>(i);
    }
    f_.state = state;
    f_.reason = std::move(reason);
    f_.ended_ms = now_;
    f_.step_end_ms = f_.retry_ms = 0;
    out_.ended = true;
    // The receipt or answer that reached the customer is itself the word of the end; see moved().
    if (state != MessageState::reached || f_.reason == kWithoutReceipt) say(EventType::ended, -1, f_.reason);
  }

  Flight& f_;
  const TimeMs now_;
  const Rules& rules_;
  const Route& route_;
  Outcome out_;
};

}  // namespace

Outcome advance(Flight& flight, const Input& input, TimeMs now, const Rules& rules, const Route& route) {
  Turn turn(flight, now, rules, route);
  std::visit([&](const auto& what) { turn.on(what); }, input);
  return turn.take();
}

}  // namespace postern::engine
