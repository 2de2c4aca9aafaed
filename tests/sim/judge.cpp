// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/judge.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace postern::sim {
namespace {

bool has_it(AttemptState state) { return state == AttemptState::delivered || state == AttemptState::read || state == AttemptState::replied; }
bool sent_or_more(AttemptState state) { return state == AttemptState::sent || has_it(state); }

// How far an attempt has come, for "only forward".
int progress(AttemptState state) {
  switch (state) {
    case AttemptState::ready: return 0;
    case AttemptState::handed: return 1;
    case AttemptState::unknown: return 2;
    case AttemptState::refused:
    case AttemptState::withdrawn:
    case AttemptState::sent: return 3;
    case AttemptState::delivered: return 4;
    case AttemptState::read: return 5;
    case AttemptState::replied: return 6;
  }
  return -1;
}

std::size_t stage_of(const Flight& flight, std::size_t step) {
  while (step > 0 && flight.plan[step].together) --step;
  return step;
}

bool awaits_news(const Flight& f, const Attempt& a) {
  if (a.state == AttemptState::unknown || a.state == AttemptState::handed) return true;
  const bool out = a.state == AttemptState::sent || a.state == AttemptState::delivered || a.state == AttemptState::read;
  return out && (a.receipts || f.plan[a.step].until == Until::replied);
}

int newest(const Flight& f, std::size_t step) {
  for (std::size_t i = f.attempts.size(); i-- > 0;)
    if (f.attempts[i].step == step) return static_cast<int>(i);
  return -1;
}

}  // namespace

void Judge::mix(std::uint64_t value) {
  for (int i = 0; i < 8; ++i) digest_ = (digest_ ^ (value >> (8 * i) & 0xff)) * 0x100000001b3ULL;
}

void Judge::check(bool good, const Story& story, const std::string& promise) {
  if (good || !violation_.empty()) return;
  const Flight& f = story.flight;
  std::string attempts;
  for (const Attempt& a : f.attempts) attempts += fmt::format(" [step {} connector {} {}{} {}]", a.step, a.connector, name_of(a.state), a.in_doubt ? " was-in-doubt" : "", a.reason);
  std::string plan;
  for (const Step& s : f.plan)
    plan += fmt::format(" {}{}{}/{}ms{}", s.together ? "+" : "", s.pause ? "pause" : name_of(s.channel), "", s.wait_ms, s.pause ? "" : fmt::format("/{}", name_of(s.until)));
  violation_ = fmt::format("message {}: {} (at {}; {} {} '{}', step {} of{}, deadline {}, step end {};{})", f.id.key, promise, now_, name_of(f.category), name_of(f.state), f.reason,
                           f.step, plan, f.deadline_ms, f.step_end_ms, attempts);
}

Told& Judge::of(Story& story, std::size_t attempt) {
  if (story.attempts.size() <= attempt) story.attempts.resize(attempt + 1);
  return story.attempts[attempt];
}

bool Judge::same_stage(const Flight& flight, std::size_t a, std::size_t b) const {
  return stage_of(flight, flight.attempts[a].step) == stage_of(flight, flight.attempts[b].step);
}

// ---- what it is told ----

void Judge::told_result(MessageKey key, std::size_t attempt, const wire::Result& result) {
  Told& told = of(stories_[key], attempt);
  if (result.kind() == wire::Result::SENT && told.heard < AttemptState::sent) told.heard = AttemptState::sent;
  const bool again = result.kind() == wire::Result::RETRY || result.kind() == wire::Result::THROTTLED;
  const std::int64_t pause = !again ? -1 : result.retry_after_ms() == 0 ? 1000 : static_cast<std::int64_t>(result.retry_after_ms());
  const auto [at, fresh] = pauses_.emplace(std::pair(key, attempt), pause);
  if (!fresh) at->second = std::min(at->second, pause);
}

void Judge::told_progress(MessageKey key, std::size_t attempt, AttemptState progress, bool certain) {
  Story& story = stories_[key];
  Told& told = of(story, attempt);
  if (progress >= AttemptState::sent && progress <= AttemptState::replied && told.heard < progress) told.heard = progress;
  if (!certain || !story.known || is_final(story.flight.state) || attempt >= story.flight.attempts.size()) return;
  // Rule 21: news that fulfils the `until` of its own step ends the message. What was never handed has no news.
  const Attempt& a = story.flight.attempts[attempt];
  const Until until = story.flight.plan[a.step].until;
  const bool forward = told.handed && progress <= AttemptState::replied && static_cast<int>(progress) > static_cast<int>(a.state == AttemptState::refused ? AttemptState::sent : a.state);
  const bool new_to_it = forward || a.state == AttemptState::unknown;
  if (until != Until::event && progress <= AttemptState::replied && told.handed && new_to_it && static_cast<int>(progress) >= static_cast<int>(until)) must_end_.push_back(key);
}

void Judge::told_signal(MessageKey key, const std::string& event) {
  Story& story = stories_[key];
  if (!story.known) return;
  const Flight& f = story.flight;
  // Rule 4: what waits for this event begins with it.
  if (f.state == MessageState::scheduled && now_ < f.deadline_ms && std::ranges::find(f.start_on, event) != f.start_on.end()) must_begin_.push_back(key);
  if (std::ranges::find(f.stop_on, event) == f.stop_on.end()) return;
  story.signal_told = true;
  if (!is_final(story.flight.state)) must_end_.push_back(key);
}

// ---- what it did ----

void Judge::committed(const store::Batch& batch) {
  ++commit_;
  std::map<MessageKey, Flight> after;
  const auto decoded = [&](const store::FlightRow& row) {
    std::optional<Flight> flight = decode_flight(row.key, row.data);
    if (!flight) return violated(fmt::format("message {}: its row cannot be decoded", row.key));
    after.insert_or_assign(row.key, std::move(*flight));
  };
  for (const store::FlightRow& row : batch.inserts) decoded(row);
  for (const store::FlightRow& row : batch.updates) decoded(row);
  if (!violation_.empty()) return;
  // What the leaves say happened first, then whether the rows tell the same.
  for (const store::Batch::LeafRow& row : batch.leaves) {
    const std::optional<audit::Leaf> decoded_leaf = audit::decode_leaf(*row.data);
    if (!decoded_leaf || row.sequence != leaves_) return violated(fmt::format("leaf {} cannot be decoded or is out of order", row.sequence));
    ++leaves_;
    leaf(*decoded_leaf, after);
  }
  for (const store::Batch::Place& place : batch.dropped_places) stories_[place.key].places.erase({place.queue.connector, place.queue.handed});
  for (const store::Batch::Place& place : batch.places) stories_[place.key].places.insert({place.queue.connector, place.queue.handed});
  const auto take = [&](const store::FlightRow& row, bool fresh) {
    Story& story = stories_[row.key];
    const Flight& now = after.at(row.key);
    check(fresh != story.known, story, "a row is inserted once and updated afterwards");
    if (story.known) change(story, now);
    const bool other_stage = !story.known || story.flight.step != now.step;
    story.flight = now;
    story.known = true;
    if (other_stage) story.stage_began = 0;
    // The queue and the wake time by which the store finds it are those of the message.
    check(row.queue == now.queue() && row.wake_ms == now.wake_ms() && row.lane == lane_of(now.category), story, "the row stands where its message stands");
    standing(story);
  };
  for (const store::FlightRow& row : batch.inserts) take(row, true);
  for (const store::FlightRow& row : batch.updates) take(row, false);
}

void Judge::leaf(const audit::Leaf& leaf, const std::map<MessageKey, Flight>& after) {
  mix(leaf.sequence);
  mix(static_cast<std::uint64_t>(leaf.type) << 32 | static_cast<std::uint64_t>(leaf.state) << 16 | leaf.attempt);
  mix(static_cast<std::uint64_t>(leaf.message.key));
  mix(static_cast<std::uint64_t>(leaf.utc_us));
  if (leaf.message.key == 0) return;
  Story& story = stories_[leaf.message.key];
  const auto row = after.find(leaf.message.key);
  if (row == after.end()) return violated(fmt::format("leaf {} speaks of message {}, whose row was not written with it", leaf.sequence, leaf.message.key));
  const Flight& now = row->second;
  if (!story.known && story.flight.id.key == 0) {
    story.flight.id = now.id;
    if (leaf.type != EventType::accepted) violated(fmt::format("message {}: its first leaf is not `accepted`", now.id.key));
  }
  if (leaf.attempt != 0 && leaf.attempt <= now.attempts.size()) {
    const std::size_t at = leaf.attempt - 1U;
    Told& told = of(story, at);
    told.after_the_end = story.ended;
    const auto came = [&](AttemptState state) {
      told.answered = true;
      told.doubt = false;
      if (told.best < state) told.best = state;
    };
    if (leaf.type == EventType::handed) hand(story, at, now);
    else if (leaf.type == EventType::sent) came(AttemptState::sent);
    else if (leaf.type == EventType::delivered) came(AttemptState::delivered);
    else if (leaf.type == EventType::read) came(AttemptState::read);
    else if (leaf.type == EventType::replied) came(AttemptState::replied);
    else if (leaf.type == EventType::refused || leaf.type == EventType::undelivered || leaf.type == EventType::late) came(AttemptState::ready);
    else if (leaf.type == EventType::in_doubt) told.doubt = told.ever_doubt = true, told.answered = false;
    else if (leaf.type == EventType::bypassed) ++told.bypassed;
    else if (leaf.type == EventType::double_contact) story.double_contact = true;
    if (leaf.type == EventType::refused) {
      told.refused_ms = now_;
      told.refused_steady_ms = steady_;
      told.refused_in = commit_;
      const auto pause = pauses_.find({leaf.message.key, at});
      told.pause_ms = pause == pauses_.end() ? -1 : pause->second;
    }
    if (leaf.type == EventType::withdrawn) {
      check(!told.handed, story, "an attempt that was handed is not withdrawn");
      told.given_up = true;
    }
  }
  if (leaf.type == EventType::held || leaf.type == EventType::step_skipped || leaf.type == EventType::withdrawn) story.stopped_by_gate = true;
  if (is_final(leaf.state)) {
    check(!story.ended, story, "a message ends once");
    check(leaf.state == now.state, story, "the leaf of the end and the row tell the same end");
    story.ended = true;
  }
}

// Each hand-over, in the order of the leaves.
void Judge::hand(Story& story, std::size_t attempt, const Flight& now) {
  Told& told = of(story, attempt);
  const Attempt& a = now.attempts[attempt];
  if (!story.known) story.flight = now;
  check(!story.ended, story, "nothing is handed after the end");
  check(!told.handed, story, "an attempt is handed once");
  check(!told.given_up, story, "what was withdrawn is not handed");
  check(now_ < now.deadline_ms, story, "nothing is handed at or after the deadline");
  const engine::Decision decision = policy_(now, now.plan[a.step], now_);
  check(decision.kind == engine::Decision::Kind::go, story, fmt::format("nothing is handed that the policy does not let go (attempt {})", attempt + 1));
  check(told.bypassed == decision.passed.size(), story, "a rule that an urgent message passes is named by a leaf");
  told.handed = true;
  if (told.begun_in == 0) told.begun_in = commit_, told.begun_ms = now_, told.begun_steady_ms = steady_;
  int of_the_step = 0, doubts_of_the_step = 0;
  int before = -1;
  for (std::size_t i = 0; i < now.attempts.size(); ++i) {
    const Told& other = of(story, i);
    const bool same_step = now.attempts[i].step == a.step;
    if (same_step && other.handed && !now.attempts[i].throttled) {
      of_the_step += !other.ever_doubt && other.best < AttemptState::sent;   // one that a later receipt corrects is no failed try
      doubts_of_the_step += other.ever_doubt;
    }
    if (i == attempt || !other.handed) continue;
    if (same_step && i < attempt) before = static_cast<int>(i);
    if (same_stage(now, i, attempt) && !same_step) continue;   // meant to run beside it
    // Rule 14: a further contact needs an answer about the one before, or a recorded doubt where twice is the lesser evil.
    const bool twice = in_doubt_(now.category) == InDoubt::rather_twice;
    check(other.answered || (other.doubt && twice), story,
          fmt::format("attempt {} is handed while attempt {} is {}", attempt + 1, i + 1, other.doubt ? "in doubt, and twice is worse than never" : "under way"));
  }
  check(of_the_step <= tries_, story, "a step is tried no oftener than its category says");
  check(doubts_of_the_step <= 2, story, "a step in doubt is tried once more, and no oftener");
  check(now.attempts.size() <= kMaxAttempts, story, "there are never more than 64 attempts");
  if (before < 0) return;
  const Told& last = of(story, static_cast<std::size_t>(before));
  // What was begun before the late refusal of another is no retry.
  if (last.pause_ms >= 0 && newest(now, a.step) == static_cast<int>(attempt) && told.begun_in > last.refused_in)
    check(told.begun_ms >= last.refused_ms + last.pause_ms || told.begun_steady_ms >= last.refused_steady_ms + last.pause_ms, story,
          "a retry waits for as long as the provider asked");
}

// From the last commit to this one.
void Judge::change(const Story& story, const Flight& now) {
  const Flight& old = story.flight;
  if (is_final(old.state)) {
    check(now.state == old.state && now.reason == old.reason && now.ended_ms == old.ended_ms, story, "an end is never left");
    check(now.attempts.size() == old.attempts.size(), story, "nothing begins after the end");
  }
  check(now.attempts.size() >= old.attempts.size() && now.step >= old.step, story, "stages are taken in order, and no attempt is forgotten");
  for (std::size_t i = 0; i < old.attempts.size() && i < now.attempts.size(); ++i) {
    const Attempt &was = old.attempts[i], &is = now.attempts[i];
    const bool failed_after_sent = was.state == AttemptState::sent && is.state == AttemptState::refused;
    check(progress(is.state) >= progress(was.state) || failed_after_sent, story, fmt::format("attempt {} only moves forward ({} -> {})", i + 1, name_of(was.state), name_of(is.state)));
    check(was.state != AttemptState::withdrawn || is.state == AttemptState::withdrawn, story, "what was withdrawn stays so");
    check(is.step == was.step && is.connector == was.connector, story, "an attempt keeps its step and its connector");
  }
}

// The message as it stands now.
void Judge::standing(Story& story) {
  const Flight& f = story.flight;
  std::set<std::pair<ConnectorId, bool>> places;
  for (const Queue& queue : f.other_queues()) places.insert({queue.connector, queue.handed});
  check(places == story.places, story, "its further places in the store are those of the message");
  const bool twice = in_doubt_(f.category) == InDoubt::rather_twice;
  bool doubtful = false;
  std::map<std::uint8_t, int> under_way;
  for (std::size_t i = 0; i < f.attempts.size(); ++i) {
    const Attempt& a = f.attempts[i];
    Told& told = of(story, i);
    if (told.begun_in == 0) told.begun_in = commit_, told.begun_ms = now_, told.begun_steady_ms = steady_;
    doubtful = doubtful || a.state == AttemptState::unknown;
    // Leaves tell the same as the states.
    const bool never_handed = a.state == AttemptState::ready || a.state == AttemptState::withdrawn;
    check(told.handed == !never_handed, story, fmt::format("attempt {} is {} and has {} leaf of a hand-over", i + 1, name_of(a.state), told.handed ? "a" : "no"));
    check((a.state == AttemptState::unknown) == told.doubt, story, fmt::format("doubt about attempt {} is in the state and in the leaves", i + 1));
    if (a.state == AttemptState::handed) check(!told.answered, story, "an answered attempt is not under way");
    if (sent_or_more(a.state) && !is_final(f.state)) check(told.best >= a.state, story, "how far an attempt came has its leaf");
    if (sent_or_more(a.state)) check(told.heard >= a.state, story, fmt::format("nobody ever said that attempt {} was {}", i + 1, name_of(a.state)));
    if (a.state == AttemptState::ready || a.state == AttemptState::handed) ++under_way[a.step];
  }
  for (const auto& [step, count] : under_way) check(count == 1, story, "at most one attempt of a step waits or is under way");
  check(is_final(f.state) == story.ended, story, "an end has its leaf");
  if (!f.escalate) {
    // Rule 22: a second one that reached the customer is told, where it was not meant.
    for (std::size_t i = 0; i < f.attempts.size(); ++i)
      for (std::size_t k = 0; k < i; ++k)
        if (has_it(f.attempts[i].state) && has_it(f.attempts[k].state) && (!same_stage(f, i, k) || f.attempts[i].step == f.attempts[k].step) &&
            f.plan[f.attempts[i].step].until != Until::event && f.plan[f.attempts[k].step].until != Until::event)
          check(story.double_contact, story, "a double contact has its leaf");
  }
  if (is_final(f.state)) return end(story);

  check(now_ < f.deadline_ms, story, "nothing is on its way at or after its deadline");
  check(f.wake_ms() > 0 && f.wake_ms() <= f.deadline_ms, story, "it has a time at which it is looked at, at the latest its deadline");
  check(!f.no_more || doubtful, story, "it waits for a doubt that was settled");
  check(twice || f.no_more || !doubtful || std::ranges::all_of(f.attempts, [](const Attempt& a) { return a.state != AttemptState::ready; }) || f.attempts.size() > 1, story,
        "in doubt nothing waits to be handed");
  if (f.state != MessageState::active) return;
  if (f.step >= f.plan.size()) {
    check(std::ranges::any_of(f.attempts, [&f](const Attempt& a) { return awaits_news(f, a); }), story, "no step is left, no news is to come, and it has not ended");
    return;
  }
  const Step& first = f.plan[f.step];
  bool alive = false, waits_for_more = false, any = false, doubt_here = false;
  for (std::size_t s = f.step; s < f.stage_end(f.step); ++s) {
    alive = alive || f.plan[s].again_ms != 0;
    // Rule 29. What is held without a time waits for `resume`, at the latest until the deadline.
    if (f.plan[s].held && f.plan[s].again_ms != f.deadline_ms)
      check(policy_(f, f.plan[s], f.plan[s].again_ms - 1).kind != engine::Decision::Kind::go, story, "a hold outlasts the rule that it is of");
    for (const Attempt& a : f.attempts) {
      if (a.step != s) continue;
      any = true;
      doubt_here = doubt_here || a.in_doubt;
    }
    const int at = newest(f, s);
    if (at < 0) continue;
    const Attempt& a = f.attempts[static_cast<std::size_t>(at)];
    alive = alive || a.state == AttemptState::ready || (a.state == AttemptState::unknown ? f.no_more : awaits_news(f, a));
    alive = alive || (sent_or_more(a.state) && f.plan[s].until == Until::event);
    waits_for_more = waits_for_more || sent_or_more(a.state);
  }
  if (first.pause) check(f.step_end_ms != 0 || first.wait_ms == 0, story, "a pause has an end");
  else check(alive || (f.step_end_ms != 0 && waits_for_more), story, "nothing of its stage is under way, and no other begins");
  // Rule 6: the wait begins when the step begins; what is tried once more in doubt has it anew, and so has what was sent after all (rule 15).
  if (any || first.pause)
    if (story.stage_began == 0 || (doubt_here && f.step_end_ms == now_ + first.wait_ms)) story.stage_began = now_;
  if (f.step_end_ms != 0) check(f.step_end_ms == story.stage_began + first.wait_ms, story, "a stage ends when its wait is over, counted from its beginning");
  else if (any && first.wait_ms != 0) check(f.no_more || doubt_here, story, "a stage with a wait has an end");
}

// Why it ended is borne out by what happened.
void Judge::end(const Story& story) {
  const Flight& f = story.flight;
  check(!f.reason.empty() && f.wake_ms() == 0 && f.ended_ms >= f.accepted_ms - 24 * 3600 * 1000, story, "an end has its reason and is not looked at again");
  check(std::ranges::none_of(f.attempts, [](const Attempt& a) { return a.state == AttemptState::ready; }), story, "an ended message waits in no queue");
  if (f.ended_ms != now_) return;
  const auto heard = [&story](AttemptState least) { return std::ranges::any_of(story.attempts, [least](const Told& told) { return told.heard >= least; }); };
  switch (f.state) {
    case MessageState::reached:
      if (f.reason == "delivered") check(heard(AttemptState::delivered), story, "it is reached, and nobody said so");
      else if (f.reason == "read") check(heard(AttemptState::read), story, "it is reached, and nobody said so");
      else if (f.reason == "replied") check(heard(AttemptState::replied), story, "it is reached, and nobody said so");
      else if (f.reason.starts_with("event-")) check(story.signal_told, story, "it is reached by an event that nobody told");
      else check(heard(AttemptState::sent), story, "it is reached, and nobody said so");
      if (f.escalate && !f.reason.starts_with("event-")) check(heard(AttemptState::replied), story, "an escalation ends with an answer");
      break;
    case MessageState::failed:
      for (std::size_t i = 0; i < f.attempts.size(); ++i)
        check(!awaits_news(f, f.attempts[i]) || story.attempts[i].after_the_end, story, "it has failed while news may come");
      break;
    case MessageState::expired: check(now_ >= f.deadline_ms, story, "it expires at its deadline, not before"); break;
    case MessageState::cancelled:
      check(f.reason == "client" ? story.cancel_told : story.signal_told, story, "it is cancelled, and nobody asked for it");
      // Rule 3.
      if (f.reason == "client")
        check(std::ranges::all_of(f.attempts, [](const Attempt& a) { return a.state == AttemptState::withdrawn || a.state == AttemptState::refused; }), story,
              "it is cancelled while something of it is out");
      break;
    case MessageState::suppressed: check(f.held_back, story, "it is suppressed, and no policy stopped it"); break;
    case MessageState::scheduled:
    case MessageState::active: break;
  }
}

void Judge::delivered(MessageKey key, std::size_t attempt, std::uint64_t instance, std::uint64_t expires_ms, bool called_back) {
  Story& story = stories_[key];
  Told& told = of(story, attempt);
  mix(static_cast<std::uint64_t>(key));
  mix(attempt << 32 | (instance & 0xffffffff));
  if (!story.known || attempt >= story.flight.attempts.size()) return violated(fmt::format("message {}: a connector is given an attempt that is not in the store", key));
  // Invariant 2: no effect without its audit leaf. Invariant 3: nothing after the end or the deadline, nor twice within one attempt.
  check(told.handed, story, "a connector is given an attempt whose leaf is not in the store");
  // Repeated to a process whose answer (or a lie about what it never had) comes in the same turn, or called back with the same
  // words, it does no harm.
  const bool stands = story.flight.attempts[attempt].state == AttemptState::handed && !is_final(story.flight.state);
  check(stands || told.instance == instance || told.answered || told.doubt || called_back, story, "a connector is given what is not handed to it");
  check(now_ < story.flight.deadline_ms, story, "a connector is given something at or after the deadline");
  check(static_cast<TimeMs>(expires_ms) <= story.flight.deadline_ms, story, "a connector may send after the deadline");
  check(told.instance == 0 || told.instance == instance, story, "two processes are given the same attempt");
  told.instance = instance;
}

void Judge::turn_over(store::Store& store) {
  for (const MessageKey key : must_end_) check(is_final(stories_[key].flight.state), stories_[key], "it was told what ends it, and has not ended");
  for (const MessageKey key : must_begin_) check(stories_[key].flight.state != MessageState::scheduled, stories_[key], "it was told what begins it, and waits on");
  const Result<std::optional<TimeMs>> due = store.next_due();
  if (due && *due && **due <= now_) {
    for (auto& [key, story] : stories_)
      if (story.known && story.flight.wake_ms() == **due) check(false, story, "its time came and was not dealt with");
    violated("a time came that was not dealt with");
  }
}

bool Judge::was_handed(MessageKey key) const {
  const auto at = stories_.find(key);
  return at != stories_.end() && std::ranges::any_of(at->second.attempts, [](const Told& told) { return told.handed; });
}

void Judge::cancelled(MessageKey key, bool too_late, bool was_handed) {
  const Story& story = stories_[key];
  // Rule 3: until the first attempt is handed a client may cancel.
  if (story.known && !is_final(story.flight.state)) check(!too_late || was_handed, story, "it is too late to cancel what was never handed");
}

void Judge::at_end(store::Store& store) {
  // Invariant 4: whose end a client is told of.
  std::set<std::pair<ClientId, MessageKey>> learned;
  std::set<ClientId> clients;
  for (const MessageKey key : accepted_) clients.insert(stories_[key].flight.client);
  const Result<std::vector<Bytes>> leaves = store.leaves(0, leaves_);
  if (!leaves || leaves->size() != leaves_) return violated("the audit log is shorter than what was committed");
  for (const ClientId client : clients) {
    const Result<std::vector<std::uint64_t>> events = store.events(client, 0, 1'000'000);
    if (!events) return violated(events.what());
    for (const std::uint64_t cursor : *events) {
      const std::optional<audit::Leaf> found = cursor == 0 || cursor > leaves->size() ? std::nullopt : audit::decode_leaf((*leaves)[cursor - 1]);
      if (!found) return violated("an event of a client has no leaf");
      if (is_final(found->state)) learned.emplace(client, found->message.key);
    }
  }
  for (const MessageKey key : accepted_) {
    Story& story = stories_[key];
    const Result<std::optional<store::FlightRow>> row = store.load(key);
    if (!row || !*row) return violated(fmt::format("message {} was accepted and is not in the store", key));
    check(story.known && encode(story.flight) == (*row)->data, story, "the store holds what was committed");
    check(is_final(story.flight.state), story, "it has no end although its deadline has passed");
    check(learned.contains({story.flight.client, key}), story, "its client is not told of its end");
    if (!violation_.empty()) return;
    mix(static_cast<std::uint64_t>(story.flight.state));
  }
}

}  // namespace postern::sim
