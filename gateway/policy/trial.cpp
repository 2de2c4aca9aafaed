// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/trial.hpp"

#include <algorithm>
#include <cmath>

namespace postern::policy {
namespace {

constexpr std::int64_t kSame = 1000;   // what differs by less is the same to a customer
constexpr double kFiftieth = 1.02;
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

}  // namespace

std::string_view name_of(Trial::Change change) {
  switch (change) {
    case Trial::Change::unchanged: return "unchanged";
    case Trial::Change::delayed: return "delayed";
    case Trial::Change::sooner: return "sooner";
    case Trial::Change::dropped: return "dropped";
    case Trial::Change::no_longer_dropped: return "no-longer-dropped";
    case Trial::Change::other_way: return "other-way";
  }
  return "?";
}

void Trial::Spread::add(std::int64_t ms) {
  ++buckets_[static_cast<int>(std::lround(std::log(static_cast<double>(std::max<std::int64_t>(ms, 1))) / std::log(kFiftieth)))];
  ++count_;
}

std::int64_t Trial::Spread::at(unsigned percent) const {
  std::uint64_t below = 0;
  for (const auto& [bucket, count] : buckets_) {
    below += count;
    if (below * 100 >= count_ * percent) return std::llround(std::pow(kFiftieth, bucket));
  }
  return 0;
}

Trial::Trial(const Policy& candidate, Limits limits) : candidate_(candidate), limits_(limits) {
  for (const Category category : kCategories) memory_ms_ = std::max(memory_ms_, candidate.memory_ms(category));
}

const Subject* Trial::subject(MessageKey message) const {
  const auto found = courses_.find(message);
  return found == courses_.end() ? nullptr : &found->second.subject;
}

void Trial::begin(Subject subject) {
  make_room();
  const MessageKey key = subject.id.key;
  oldest_.push(key);
  courses_[key].subject = std::move(subject);
}

void Trial::take(MessageKey message, const Recorded& recorded) {
  run_until(recorded.facts.now, kAll);
  const auto found = courses_.find(message);
  if (found == courses_.end()) return;
  Course& course = found->second;
  const Decided& facts = recorded.facts;
  const std::size_t step = facts.step;
  if (step >= course.subject.ways.size()) return;
  const std::uint32_t bit = 1U << step;
  const bool handed = recorded.what == Recorded::What::handed;
  meet(course, facts);
  course.consent = facts.consent;
  course.same_ms = facts.same_ms;
  if (handed && (course.was_steps & bit) == 0) course.was_steps |= bit, course.cost_was += recorded.price;
  if (handed && course.was_ms == 0) course.was_ms = facts.now;
  if (!handed) course.was_rule = facts.answer.rule;
  switch (course.state) {
    case State::follows: return decide(course, recorded);
    case State::gone: return;
    case State::waits:
    case State::sent: {
      if (!handed || course.own_way || (course.would_steps & bit) != 0 || (course.state == State::waits && step == course.step)) return;
      const Answer answer = course.state == State::sent ? asked(course, step, facts.now) : Answer();
      if (answer.kind == Answer::Kind::go) course.would_steps |= bit, course.cost_would += recorded.price;
      else course.would_rule = answer.rule;
      return;
    }
  }
}

// The candidate and the record go together so far.
void Trial::decide(Course& course, const Recorded& recorded) {
  const Decided& facts = recorded.facts;
  const Answer answer = asked(course, facts.step, facts.now, &facts);
  const bool same = answer.kind != Answer::Kind::go && answer.kind == facts.answer.kind && answer.until_ms == facts.answer.until_ms;
  if (same) {
    course.would_rule = answer.rule;
    return;
  }
  // What was handed over had begun its stage, which it would not have while it waits.
  const bool handed = recorded.what == Recorded::What::handed;
  course.own_way = recorded.what == Recorded::What::left_out && answer.kind == Answer::Kind::go;
  const bool fits = handed ? answer.until_ms == 0 || answer.until_ms < course.subject.deadline_ms : facts.fits(answer);
  act(course, facts.step, facts.now, answer, fits, handed ? recorded.price : course.subject.ways[facts.step].price);
}

void Trial::act(Course& course, std::size_t step, TimeMs now, const Answer& answer, bool fits, std::int64_t price) {
  if (answer.kind == Answer::Kind::go) return send(course, step, now, price);
  course.would_rule = answer.rule;
  if (answer.kind == Answer::Kind::skip || !fits) return leave_out(course, step, now);
  course.state = State::waits;
  course.step = step;
  course.until_ms = answer.until_ms == 0 ? course.subject.deadline_ms : answer.until_ms;
  due_.emplace(course.until_ms, course.subject.id.key);
}

// The next step that the candidate lets go, or holds; none is a message that is not sent.
void Trial::leave_out(Course& course, std::size_t step, TimeMs now) {
  // Those that begin together with it have their own decisions in the record.
  if (!course.subject.ways[step].alone) {
    course.state = State::follows;
    return;
  }
  course.state = State::gone;
  for (std::size_t next = step + 1; next < course.subject.ways.size() && course.state == State::gone; ++next) {
    const Way& way = course.subject.ways[next];
    if (!way.sends) continue;
    const Answer answer = asked(course, next, now);
    const bool fits = answer.until_ms == 0 || answer.until_ms < course.subject.deadline_ms;
    if (answer.kind == Answer::Kind::go || (answer.kind == Answer::Kind::hold && fits)) act(course, next, now, answer, fits, way.price);
  }
}

void Trial::send(Course& course, std::size_t step, TimeMs at, std::int64_t price) {
  course.state = State::sent;
  if (course.would_ms == 0) course.would_ms = at;
  course.would_steps |= 1U << step;
  course.cost_would += price;
  const Subject& subject = course.subject;
  const std::int64_t memory = candidate_.memory_ms(subject.category);
  if (memory == 0) return;
  const auto [place, fresh] = seen_.try_emplace(subject.person);
  sightings_ += fresh;
  std::vector<Seen>& seen = place->second;
  if (std::ranges::find(seen, subject.id.key, &Seen::key) != seen.end()) return;
  seen.push_back({subject.id.key, {at, subject.category, subject.client, subject.weight}});
  ++sightings_;
  met_.emplace_back(at, subject.person);
  forget(at);
}

Answer Trial::asked(const Course& course, std::size_t step, TimeMs now, const Decided* facts) {
  const Subject& subject = course.subject;
  Question question;
  std::vector<Sighting> sent;
  if (const auto seen = seen_.find(subject.person); seen != seen_.end())
    for (const Seen& one : seen->second) {
      if (one.key == subject.id.key) question.counted = true;
      else if (one.sighting.at_ms <= now) sent.push_back(one.sighting);
    }
  question.category = subject.category;
  question.address = subject.ways[step].address;
  question.address_known = !question.address.empty();
  question.now = now;
  question.zone = subject.zone;
  question.sent = sent;
  question.weight = subject.weight;
  question.consent = course.consent;
  question.same_ms = course.same_ms;
  if (facts != nullptr && std::ranges::find(candidate_.speeds, facts->speed, &SpeedRule::name) != candidate_.speeds.end()) {
    question.speed = facts->speed;
    question.turn_ms = facts->turn_ms;
  }
  return ask(candidate_, question);
}

// What the customer had before the first decision that is seen is what the record says of it.
void Trial::meet(const Course& course, const Decided& facts) {
  if (candidate_.memory_ms(course.subject.category) == 0) return;
  const auto [place, fresh] = seen_.try_emplace(course.subject.person);
  if (!fresh) return;
  for (const Sighting& one : facts.sent) place->second.push_back({0, one});
  if (facts.counted) place->second.push_back({course.subject.id.key, {facts.now, facts.category, course.subject.client, facts.weight}});
  sightings_ += place->second.size() + 1;
  met_.emplace_back(facts.now, course.subject.person);
}

// What the candidate holds is asked about again when its time comes.
std::size_t Trial::run_until(TimeMs now, std::size_t at_most) {
  std::size_t count = 0;
  for (; count < at_most && !due_.empty() && due_.top().first <= now; ++count) {
    const auto [at, key] = due_.top();
    due_.pop();
    const auto found = courses_.find(key);
    if (found == courses_.end() || found->second.state != State::waits || found->second.until_ms != at) continue;
    Course& course = found->second;
    if (at >= course.subject.deadline_ms) {
      course.state = State::gone;
    } else {
      const Answer answer = asked(course, course.step, at);
      const bool fits = answer.until_ms == 0 || (answer.until_ms < course.subject.deadline_ms && answer.until_ms > at);
      act(course, course.step, at, answer, fits, course.subject.ways[course.step].price);
    }
    if (course.ended && course.state != State::waits) judge(key);
  }
  return count;
}

void Trial::ended(MessageKey message, TimeMs at) {
  run_until(at, kAll);
  const auto found = courses_.find(message);
  if (found == courses_.end()) return;
  found->second.ended = true;
  if (found->second.state != State::waits) judge(message);
}

bool Trial::finish(std::size_t at_most) {
  if (run_until(kLastMs, at_most) == at_most) return false;
  for (std::size_t i = 0; i < at_most && !courses_.empty(); ++i) judge(courses_.begin()->first);
  return courses_.empty();
}

void Trial::judge(MessageKey message) {
  const auto found = courses_.find(message);
  const Course course = std::move(found->second);
  courses_.erase(found);
  if (course.was_ms == 0 && course.would_ms == 0 && course.was_rule.empty() && course.would_rule.empty()) return;
  Change change = Change::unchanged;
  const std::int64_t later = course.would_ms - course.was_ms;
  if (course.would_ms == 0 && course.was_ms != 0) change = Change::dropped;
  // What the record still held when it ended is not dropped.
  else if (course.was_ms == 0 && course.would_ms != 0) change = course.ended ? Change::no_longer_dropped : Change::sooner;
  else if (course.was_steps != course.would_steps) change = Change::other_way;
  else if (later >= kSame) change = Change::delayed;
  else if (later <= -kSame) change = Change::sooner;
  const bool was_stopped = change == Change::sooner || change == Change::no_longer_dropped;
  const std::string& first = was_stopped ? course.was_rule : course.would_rule;
  const std::string rule = first.empty() ? (was_stopped ? course.would_rule : course.was_rule) : first;
  Row& row = rows_[{course.subject.category, rule}];
  ++messages_;
  ++row.messages[change];
  row.cost += course.cost_would - course.cost_was;
  if (change == Change::delayed) row.delays.add(later);
  if (change == Change::sooner && course.was_ms != 0) row.gains.add(-later);
  if (change != Change::unchanged && shown_[change] < kExamplesOfEach) {
    ++shown_[change];
    examples_.push_back({course.subject.id, course.subject.category, change, rule, course.was_ms, course.would_ms});
  }
}

// The oldest message under way is judged on what is known of it.
void Trial::make_room() {
  while (courses_.size() >= limits_.messages && !oldest_.empty()) {
    const MessageKey key = oldest_.top();
    oldest_.pop();
    const auto found = courses_.find(key);
    if (found == courses_.end()) continue;
    if (found->second.state == State::waits) {
      found->second.would_ms = found->second.until_ms;
      found->second.would_steps |= 1U << found->second.step;
    }
    ++cut_;
    judge(key);
  }
  // Numbers of those that were judged in their time.
  if (oldest_.size() > 2 * limits_.messages) {
    std::vector<MessageKey> alive;
    for (const auto& [key, course] : courses_) alive.push_back(key);
    oldest_ = decltype(oldest_)(std::greater<>(), std::move(alive));
  }
}

// What counts no more goes; where that is not enough, those who had something longest ago: their past is then the recorded one again.
void Trial::forget(TimeMs now) {
  const auto is_old = [&](const Seen& one) { return one.sighting.at_ms < now - memory_ms_; };
  while (!met_.empty() && (met_.front().first < now - memory_ms_ || sightings_ > limits_.sightings)) {
    const std::uint64_t person = met_.front().second;
    met_.pop_front();
    const auto found = seen_.find(person);
    if (found == seen_.end()) continue;
    sightings_ -= std::erase_if(found->second, is_old);
    const bool over = sightings_ > limits_.sightings;
    if (!found->second.empty() && !over) continue;
    cut_ += !found->second.empty();
    sightings_ -= found->second.size() + 1;
    seen_.erase(found);
  }
}

}  // namespace postern::policy
