// SPDX-License-Identifier: Apache-2.0
// Purpose: the event loop of a process (libevent), with timers, descriptors and signals as values
// that end when their owner ends. Used by: every process. Threads: one loop, one thread.
// While the process works, what ended calls have left on the stack and in wide registers is wiped four times a second, once
// more when it comes to rest, and at once after what ends a rest (crypto/DESIGN.md section 12).
// Ownership: Watch, Timer and Signal end their registration in their destructor; the Loop outlives
// them. Callbacks may destroy the object that called them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

struct event;
struct event_base;

namespace postern {

struct EventFree { void operator()(event* e) const; };
using EventHandle = std::unique_ptr<event, EventFree>;

class Loop {
 public:
  // Timers fire with the kernel's ticks, up to 4 ms late; precise ones to the microsecond, which costs a system call more each round.
  enum class Timers { ticks, precise };
  explicit Loop(Timers timers = Timers::ticks);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();        // until stop()
  void run_once();   // waits for at least one event
  void poll();       // serves what is ready, waits for nothing
  void stop();

  // Runs `work` after the current callback, before the loop waits again.
  void defer(std::function<void()> work);

  event_base* base() const { return base_; }

 private:
  void run_deferred();
  event_base* base_;
  std::vector<std::function<void()>> deferred_;
  EventHandle wake_, tidy_;
  std::int64_t last_ms_ = 0;     // when the last round ended
  bool stopped_ = false, tidy_armed_ = false, tidy_due_ = false;
};

class Timer {
 public:
  Timer(Loop& loop, std::function<void()> fire);
  void start(std::chrono::microseconds after);  // replaces a running one
  void stop();

 private:
  std::shared_ptr<std::function<void()>> fire_;
  EventHandle event_;
};

// Calls `ready` whenever the descriptor can be read (or written); level-triggered. Does not own fd.
class Watch {
 public:
  enum class For { read, write };
  Watch(Loop& loop, int fd, For what, std::function<void()> ready);
  void start();
  void stop();

 private:
  std::shared_ptr<std::function<void()>> ready_;
  EventHandle event_;
};

class Signal {
 public:
  Signal(Loop& loop, int number, std::function<void()> caught);

 private:
  std::shared_ptr<std::function<void()>> caught_;
  EventHandle event_;
};

// Milliseconds since the Unix epoch, from the system clock.
std::int64_t wall_ms();
// Milliseconds of the monotonic clock.
std::int64_t steady_ms();

}  // namespace postern
