// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/http_client/dispatcher.hpp"

#include <algorithm>

#include "crypto/secret.hpp"

namespace postern::http_client {
namespace {

using std::chrono::milliseconds;

// A pause longer than this is the vault's to wait: it may know another way for the message.
constexpr milliseconds kLongestHold{1'000};
constexpr milliseconds kAfterNotSent{2'000};

constexpr const char* kExpired = "expired";
constexpr const char* kCancelled = "cancelled";

bool expired(const wire::Deliver& deliver) {
  return deliver.expires_ms() != 0 && wall_ms() >= static_cast<std::int64_t>(deliver.expires_ms());
}

void forget(wire::Deliver& deliver) {
  wipe_text(*deliver.mutable_text());
  wipe_text(*deliver.mutable_subject());
  wipe_text(*deliver.mutable_html());
  for (wire::Variable& variable : *deliver.mutable_parameter()) wipe_text(*variable.mutable_value());
}

Verdict verdict(wire::Result::Kind kind, std::string reason, milliseconds retry_after = milliseconds(0)) {
  Verdict made;
  made.kind = kind;
  made.reason = std::move(reason);
  made.retry_after = retry_after;
  return made;
}

}  // namespace

Verdict unanswered(const Outcome& outcome, std::string_view provider) {
  if (outcome.why == "late") return verdict(wire::Result::REFUSED, kExpired);
  Verdict made = outcome.kind == Outcome::Kind::in_doubt
                     ? verdict(wire::Result::UNKNOWN, std::string(provider) + "-no-answer")
                     : verdict(wire::Result::RETRY, std::string(provider) + "-connect", kAfterNotSent);
  made.detail = outcome.why;
  made.way = Way::failing;
  return made;
}

Dispatcher::Dispatcher(Loop& loop, DispatcherSettings settings, Carrier& carrier, Out out)
    : settings_(settings),
      carrier_(carrier),
      out_(std::move(out)),
      pace_(settings.rate),
      breaker_(settings.breaker_failures, settings.probe_pause),
      turn_(loop, [this] { pump(); }),
      probe_(loop, [this] { probe(); }),
      alive_(std::make_shared<bool>(true)) {}

Dispatcher::~Dispatcher() {
  *alive_ = false;
  for (wire::Deliver& deliver : waiting_) forget(deliver);
  for (auto& [key, deliver] : sent_) forget(*deliver);
}

void Dispatcher::start() {
  breaker_.broken();  // down until the provider has said otherwise
  set_health(false, "asking the provider");
  probe();
}

void Dispatcher::set_health(bool up, std::string detail) {
  up_ = up;
  detail_ = std::move(detail);
  tell_health();
}

void Dispatcher::tell_health() { out_.health(up_, detail_); }

void Dispatcher::deliver(wire::Deliver&& deliver) {
  if (draining_) {
    answer(deliver, verdict(wire::Result::RETRY, "draining"));
  } else if (expired(deliver)) {
    answer(deliver, verdict(wire::Result::REFUSED, kExpired));
  } else if (breaker_.open()) {
    answer(deliver, verdict(wire::Result::RETRY, "provider-down", breaker_.pause()));
  } else if (const milliseconds pause = pace_.pause_left(steady_ms()); pause > kLongestHold) {
    answer(deliver, verdict(wire::Result::THROTTLED, "provider-pause", pause));
  } else {
    waiting_.push_back(std::move(deliver));
    return pump();
  }
  forget(deliver);
}

void Dispatcher::pump() {
  if (std::exchange(pumping_, true)) return;  // a carrier may answer, and so come back here, while it is asked
  while (!waiting_.empty()) {
    if (expired(waiting_.front())) {
      answer(waiting_.front(), verdict(wire::Result::REFUSED, kExpired));
      forget(waiting_.front());
      waiting_.pop_front();
      continue;
    }
    const std::int64_t now = steady_ms();
    if (!pace_.take(now)) {
      turn_.start(pace_.wait(now));
      break;
    }
    wire::Deliver next = std::move(waiting_.front());
    waiting_.pop_front();
    send(std::move(next));
  }
  pumping_ = false;
  look_if_drained();
}

void Dispatcher::send(wire::Deliver&& deliver) {
  const Key key{deliver.attempt().message(), deliver.attempt().number()};
  auto& slot = sent_[key];
  slot = std::make_unique<wire::Deliver>(std::move(deliver));
  carrier_.send(*slot, [this, alive = alive_, key](Verdict&& said) {
    if (*alive) ended(key, std::move(said));
  });
}

void Dispatcher::ended(Key key, Verdict&& said) {
  const auto found = sent_.find(key);
  if (found == sent_.end()) return;
  const std::unique_ptr<wire::Deliver> deliver = std::move(found->second);
  sent_.erase(found);
  learn(said);
  answer(*deliver, std::move(said));
  forget(*deliver);
  look_if_drained();
}

void Dispatcher::learn(const Verdict& said) {
  switch (said.way) {
    case Way::fine:
      breaker_.fine();
      break;
    case Way::too_fast: {
      breaker_.fine();
      pace_.slow_down(steady_ms(), said.retry_after);
      if (too_fast_line_.pass())
        log::warning("provider.too-fast", "the provider says we are too fast ({}); {:.0f} a second after {} ms",
                     said.reason, pace_.rate(), said.retry_after.count());
      if (said.retry_after > kLongestHold) give_back_queue(wire::Result::THROTTLED, "provider-pause", said.retry_after);
      break;
    }
    case Way::failing:
      if (failing_line_.pass())
        log::warning("provider.failing", "{} {} ({} more like it)", said.reason, said.detail, failing_line_.dropped());
      if (breaker_.failing()) close_way("no usable answer several times in a row, at last " + said.reason);
      break;
    case Way::broken:
      if (breaker_.broken()) close_way("the provider refuses us: " + said.reason);
      break;
  }
}

void Dispatcher::close_way(const std::string& why) {
  log::error("provider.down", "{}; asking again in {} ms", why, breaker_.pause().count());
  set_health(false, why);
  probe_.start(breaker_.pause());
  give_back_queue(wire::Result::RETRY, "provider-down", breaker_.pause());
}

void Dispatcher::probe() {
  carrier_.probe([this, alive = alive_](std::optional<std::string> fault) {
    if (!*alive) return;
    breaker_.probed(!fault.has_value());
    if (!fault) {
      log::info("provider.up", "the provider takes our messages");
      return set_health(true, "the provider answers");
    }
    log::warning("provider.down", "the provider does not take our messages ({}); asking again in {} ms", *fault,
                 breaker_.pause().count());
    set_health(false, *fault);
    probe_.start(breaker_.pause());
  });
}

void Dispatcher::give_back_queue(wire::Result::Kind kind, const std::string& reason, milliseconds retry_after) {
  Queue back;
  back.swap(waiting_);
  for (wire::Deliver& deliver : back) {
    answer(deliver, verdict(kind, reason, retry_after));
    forget(deliver);
  }
}

void Dispatcher::cancel(const wire::Attempt& attempt) {
  const auto same = [&](const wire::Deliver& deliver) {
    return deliver.attempt().message() == attempt.message() && deliver.attempt().number() == attempt.number();
  };
  if (const auto found = std::ranges::find_if(waiting_, same); found != waiting_.end()) {
    answer(*found, verdict(wire::Result::REFUSED, kCancelled));
    forget(*found);
    waiting_.erase(found);
  } else if (const auto under_way = sent_.find({attempt.message(), attempt.number()});
             under_way != sent_.end() && carrier_.withdraw(*under_way->second)) {
    answer(*under_way->second, verdict(wire::Result::REFUSED, kCancelled));
    forget(*under_way->second);
    sent_.erase(under_way);
  }
  look_if_drained();
}

void Dispatcher::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  probe_.stop();
  give_back_queue(wire::Result::RETRY, "draining", milliseconds(0));
  look_if_drained();
}

void Dispatcher::look_if_drained() {
  if (!draining_ || pumping_ || !waiting_.empty() || !sent_.empty()) return;
  if (const auto done = std::exchange(drained_, nullptr)) done();
}

void Dispatcher::answer(const wire::Deliver& deliver, Verdict&& said) {
  wire::Result result;
  *result.mutable_attempt() = deliver.attempt();
  result.set_kind(said.kind);
  if (!said.provider_id.empty()) result.add_provider_id(std::move(said.provider_id));
  result.set_receipts(said.receipts);
  result.set_retry_after_ms(static_cast<std::uint32_t>(said.retry_after.count()));
  result.set_reason(std::move(said.reason));
  result.set_address_dead(said.address_dead);
  out_.result(std::move(result));
}

}  // namespace postern::http_client
