// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/loop.hpp"

#include <event2/event.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "crypto/secret.hpp"

namespace postern {
namespace {

constexpr timeval kTidyAfter{0, 250'000};
constexpr std::int64_t kRestMs = 200;   // less than the time between two wakes of a process that rests

[[noreturn]] void no_loop() {
  std::fputs("postern: the event loop could not be created\n", stderr);
  std::abort();
}

EventHandle made(event* e) {
  if (e == nullptr) no_loop();
  return EventHandle(e);
}

// Callbacks are held by shared_ptr and copied for the call, so that a callback may destroy its owner.
void call(void* slot) {
  const std::shared_ptr<std::function<void()>> work = *static_cast<std::shared_ptr<std::function<void()>>*>(slot);
  if (*work) (*work)();
}

void on_event(evutil_socket_t, short, void* slot) { call(slot); }

event_base* base_with(Loop::Timers timers) {
  if (timers == Loop::Timers::ticks) return event_base_new();
  event_config* config = event_config_new();
  if (config == nullptr) return nullptr;
  event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  return base;
}

}  // namespace

void EventFree::operator()(event* e) const { event_free(e); }

Loop::Loop(Timers timers) : base_(base_with(timers)) {
  if (base_ == nullptr) no_loop();
  wake_ = made(event_new(base_, -1, 0, [](evutil_socket_t, short, void* self) { static_cast<Loop*>(self)->run_deferred(); }, this));
  tidy_ = made(event_new(base_, -1, 0, [](evutil_socket_t, short, void* self) { static_cast<Loop*>(self)->tidy_due_ = true; }, this));
}

Loop::~Loop() {
  wake_.reset();
  tidy_.reset();
  event_base_free(base_);
}

void Loop::run() {
  for (stopped_ = false; !stopped_;) {
    event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
    // Not in the event itself: here every callback has returned, and what they left lies below this frame. What comes after a rest is wiped
    // at once, so that a process that only looks at the clock now and then is not woken twice for it.
    const std::int64_t now = steady_ms(), rested = now - std::exchange(last_ms_, now);
    if (std::exchange(tidy_due_, false) || (!tidy_armed_ && rested >= kRestMs)) {
      wipe_residue();
      tidy_armed_ = false;
    } else if (!std::exchange(tidy_armed_, true)) {
      event_add(tidy_.get(), &kTidyAfter);
    }
  }
}
void Loop::run_once() { event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY); }
void Loop::poll() { event_base_loop(base_, EVLOOP_NONBLOCK); }
void Loop::stop() {
  stopped_ = true;
  event_base_loopbreak(base_);
}

void Loop::defer(std::function<void()> work) {
  // By a timer of no time, not event_active(): work that defers itself must let sockets and signals be served.
  constexpr timeval kNow{0, 0};
  if (deferred_.empty()) event_add(wake_.get(), &kNow);
  deferred_.push_back(std::move(work));
}

void Loop::run_deferred() {
  std::vector<std::function<void()>> works;
  works.swap(deferred_);
  for (const auto& work : works) work();
}

Timer::Timer(Loop& loop, std::function<void()> fire)
    : fire_(std::make_shared<std::function<void()>>(std::move(fire))),
      event_(made(event_new(loop.base(), -1, 0, on_event, &fire_))) {}

void Timer::start(std::chrono::microseconds after) {
  if (after.count() < 0) after = std::chrono::microseconds(0);
  const timeval span{static_cast<time_t>(after.count() / 1'000'000), static_cast<suseconds_t>(after.count() % 1'000'000)};
  event_add(event_.get(), &span);
}

void Timer::stop() { event_del(event_.get()); }

Watch::Watch(Loop& loop, int fd, For what, std::function<void()> ready)
    : ready_(std::make_shared<std::function<void()>>(std::move(ready))),
      event_(made(event_new(loop.base(), fd, static_cast<short>((what == For::read ? EV_READ : EV_WRITE) | EV_PERSIST),
                            on_event, &ready_))) {}

void Watch::start() { event_add(event_.get(), nullptr); }
void Watch::stop() { event_del(event_.get()); }

Signal::Signal(Loop& loop, int number, std::function<void()> caught)
    : caught_(std::make_shared<std::function<void()>>(std::move(caught))),
      event_(made(event_new(loop.base(), number, EV_SIGNAL | EV_PERSIST, on_event, &caught_))) {
  event_add(event_.get(), nullptr);
}

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace postern
