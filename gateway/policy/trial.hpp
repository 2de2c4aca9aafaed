// SPDX-License-Identifier: Apache-2.0
// Purpose: what would have happened under a candidate policy: takes what was decided, in the order of time, asks the candidate the same,
// lets what it holds go later and counts what it lets go in its caps, and tells the difference for each message. Used by: the rehearsal
// of a policy. Threads: one. Ownership: values; borrows the candidate and the zones. Errors: none; what it judges on less than all, for
// the bound of its memory, is counted.
// Turns of speed rules are the recorded ones, and same words are known as far as they were asked for.
// What it takes as given: that customers, providers and routes behave as they did; that what the candidate lets go is sent at once;
// that a later step of a message which the candidate sends at another time is taken as it was, and that a step which the record left out
// would have reached the customer.
#pragma once

#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/domain/message_id.hpp"
#include "gateway/policy/decided.hpp"

namespace postern::policy {

// One step of a message's plan.
struct Way {
  bool sends = true;             // false: a pause
  bool alone = true;             // no other step begins with it
  std::string address;           // empty: not kept any more
  std::int64_t price = 0;        // of the route that it would take, millionths
};

// A message as far as the trial must know it.
struct Subject {
  MessageId id;
  std::uint64_t person = 0;
  Category category = Category::service;
  ClientId client = 0;
  std::uint32_t weight = 1;
  TimeMs deadline_ms = 0;
  const Zone* zone = nullptr;    // the recipient's own; null: the bank's
  std::vector<Way> ways;         // by step
};

// What was decided of one step of it, and what came of that.
struct Recorded {
  enum class What : std::uint8_t { handed, held, left_out };
  What what = What::handed;
  Decided facts;
  std::int64_t price = 0;        // of the route that took it
};

class Trial {
 public:
  struct Limits {
    std::size_t messages = 50'000, sightings = 500'000;
  };
  enum class Change : std::uint8_t { unchanged, delayed, sooner, dropped, no_longer_dropped, other_way };

  // Times to the nearest fiftieth, in little memory.
  class Spread {
   public:
    void add(std::int64_t ms);
    std::int64_t at(unsigned percent) const;   // 0 for none

   private:
    std::map<int, std::uint64_t> buckets_;
    std::uint64_t count_ = 0;
  };
  struct Row {
    std::map<Change, std::uint64_t> messages;
    Spread delays, gains;
    std::int64_t cost = 0;       // more than it was, millionths
  };
  struct Example {
    MessageId id;
    Category category;
    Change change;
    std::string rule;
    TimeMs was_ms, would_ms;     // first handed over; 0: never
  };
  static constexpr std::size_t kExamplesOfEach = 4;

  Trial(const Policy& candidate, Limits limits);

  bool knows(MessageKey message) const { return courses_.contains(message); }
  const Subject* subject(MessageKey message) const;
  // Everything from here on in the order of time.
  void begin(Subject subject);
  void take(MessageKey message, const Recorded& recorded);
  void ended(MessageKey message, TimeMs at);
  // After the last: lets what still waits go in its time and judges what is left, at most so many at a call; true when done.
  bool finish(std::size_t at_most);

  const std::map<std::pair<Category, std::string>, Row>& rows() const { return rows_; }   // by category and rule
  const std::vector<Example>& examples() const { return examples_; }
  std::uint64_t messages() const { return messages_; }
  std::uint64_t cut() const { return cut_; }

 private:
  enum class State : std::uint8_t {
    follows,   // the candidate says what was said: what comes next is in the record
    waits,     // it holds the message, which was not held, or otherwise
    sent,
    gone,      // it leaves every step out
  };
  struct Course {
    Subject subject;
    State state = State::follows;
    std::size_t step = 0;        // that waits
    TimeMs until_ms = 0;
    TimeMs was_ms = 0, would_ms = 0;
    std::uint32_t was_steps = 0, would_steps = 0;   // bit n: step n was handed over
    std::int64_t cost_was = 0, cost_would = 0;
    bool ended = false;
    bool own_way = false;        // sent by a step that the record left out
    std::string was_rule, would_rule;
    ConsentState consent = ConsentState::none;      // as the record last had it
    std::optional<TimeMs> same_ms;
  };
  struct Seen {
    MessageKey key;              // 0: of a message before
    Sighting sighting;
  };
  using Due = std::pair<TimeMs, MessageKey>;

  // `facts`: what was recorded at this very moment; null: nothing was.
  Answer asked(const Course& course, std::size_t step, TimeMs now, const Decided* facts = nullptr);
  void decide(Course& course, const Recorded& recorded);
  void act(Course& course, std::size_t step, TimeMs now, const Answer& answer, bool fits, std::int64_t price);
  void leave_out(Course& course, std::size_t step, TimeMs now);
  void send(Course& course, std::size_t step, TimeMs at, std::int64_t price);
  void meet(const Course& course, const Decided& facts);
  std::size_t run_until(TimeMs now, std::size_t at_most);
  void judge(MessageKey message);
  void make_room();
  void forget(TimeMs now);

  const Policy& candidate_;
  const Limits limits_;
  std::int64_t memory_ms_ = 0;   // the longest of any category
  std::unordered_map<MessageKey, Course> courses_;
  std::priority_queue<MessageKey, std::vector<MessageKey>, std::greater<>> oldest_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::unordered_map<std::uint64_t, std::vector<Seen>> seen_;   // by person, what the candidate has let go
  std::size_t sightings_ = 0;    // and customers
  std::deque<std::pair<TimeMs, std::uint64_t>> met_;            // when which customer had something
  std::map<std::pair<Category, std::string>, Row> rows_;
  std::vector<Example> examples_;
  std::map<Change, std::size_t> shown_;
  std::uint64_t messages_ = 0, cut_ = 0;
};

std::string_view name_of(Trial::Change change);

}  // namespace postern::policy
