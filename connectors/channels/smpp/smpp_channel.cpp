// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/smpp_channel.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

namespace postern::smpp {
namespace {

// A provider that refuses this many messages in a row for reasons of the account is given a pause.
constexpr int kBreakerLimit = 5;
constexpr std::int64_t kBreakerPauseMs = 30'000;
// How long a delivery waits for a session before it goes back to the vault.
constexpr std::int64_t kUnboundPatienceMs = 3'000;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
constexpr std::chrono::seconds kTick{1};

Outbox::Now outbox_now() { return {steady_ms(), wall_ms()}; }
Inbox::Now inbox_now() { return {steady_ms(), wall_ms()}; }

wire::Observation::Kind kind_of(Line::Seen seen) {
  switch (seen) {
    case Line::Seen::bound:
      return wire::Observation::BOUND;
    case Line::Seen::unbound:
      return wire::Observation::UNBOUND;
    case Line::Seen::tls_refused:
      return wire::Observation::TLS_REFUSED;
    case Line::Seen::protocol_error:
      return wire::Observation::PEER_PROTOCOL_ERROR;
  }
  return wire::Observation::KIND_UNSET;
}

}  // namespace

SmppChannel::SmppChannel(Settings settings)
    : settings_(std::move(settings)),
      outbox_(settings_, static_cast<std::uint16_t>(std::random_device{}()),
              {[this](wire::Result&& result) { link_->result(std::move(result)); },
               [this](wire::Receipt&& receipt) { link_->receipt(std::move(receipt)); }}),
      inbox_(settings_,
             {[this](wire::Receipt&& receipt, std::function<void()> durable) {
                link_->receipt(std::move(receipt), std::move(durable));
              },
              [this](wire::Reply&& reply, std::function<void()> durable) {
                link_->reply(std::move(reply), std::move(durable));
              },
              [this](const Inbox::Origin& origin) {
                return slots_.at(origin.line).line->answer_inbound(origin.epoch, origin.command, origin.sequence, 0);
              },
              [this](std::string_view reason) {
                if (dropped_log_.pass())
                  log::warning("smpp.dropped",
                               "an inbound message was answered and dropped: {} ({} more since the last line)", reason,
                               dropped_log_.dropped());
              }}),
      pace_(settings_.rate),
      breaker_(kBreakerLimit, kBreakerPauseMs),
      alive_(std::make_shared<bool>(true)) {}

SmppChannel::~SmppChannel() { *alive_ = false; }

// Twice what can be under way, so that the next deliveries are at hand when answers come.
std::uint32_t SmppChannel::window() const {
  return static_cast<std::uint32_t>(2 * settings_.submitting() * settings_.window);
}

LinkOptions SmppChannel::link_options() const {
  LinkOptions options;
  options.window = window();
  return options;
}

LinkHandlers SmppChannel::link_handlers() {
  LinkHandlers handlers;
  handlers.deliver = [this](wire::Deliver&& deliver) {
    outbox_.add(std::move(deliver), outbox_now());
    pump_soon();
  };
  // Sessions may have changed between the link's hello and this.
  handlers.welcome = [this](const wire::Welcome&) {
    health_.clear();
    tell_health();
  };
  handlers.cancel = [this](const wire::Attempt& attempt) { outbox_.cancel(attempt); };
  return handlers;
}

Status SmppChannel::start(Loop& loop, Link& link) {
  loop_ = &loop;
  link_ = &link;
  if (settings_.tls) {
    Result<SslContext> tls = make_tls_client(settings_.tls_files);
    if (!tls) return fail(tls.what());
    tls_ = std::move(*tls);
  }
  tick_timer_ = std::make_unique<Timer>(loop, [this] { tick(); });
  pump_timer_ = std::make_unique<Timer>(loop, [this] { pump(); });
  slots_.resize(settings_.binds.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].line = make_line(i);
  tell_health();
  for (const Slot& slot : slots_) slot.line->start();
  tick_timer_->start(kTick);
  return {};
}

std::unique_ptr<Line> SmppChannel::make_line(std::size_t index) {
  Line::Handlers handlers;
  handlers.answered = [this, index](const Action& answer) { on_answered(*slots_[index].line, answer); };
  handlers.inbound = [this, index](Line& line, const Pdu& pdu) {
    inbox_.take(pdu, {index, line.epoch(), pdu.header.command, pdu.header.sequence}, inbox_now());
  };
  handlers.changed = [this, index](Line&) { on_changed(slots_[index]); };
  handlers.seen = [this](Line::Seen seen, std::string_view reason, const std::string& object) {
    note(seen, reason, object);
  };
  return std::make_unique<Line>(*loop_, settings_, tls_.get(), index, std::random_device{}(), std::move(handlers));
}

void SmppChannel::on_answered(Line& line, const Action& answer) {
  const Outbox::Now now = outbox_now();
  if (answer.kind == Action::Kind::answered) {
    if (answer.outcome == Action::Outcome::accepted) breaker_.good();
    if (answer.outcome == Action::Outcome::timed_out) breaker_.bad(now.steady);
    if (answer.outcome == Action::Outcome::refused) {
      const StatusClass meaning = settings_.statuses.of(answer.status);
      if (meaning == StatusClass::config || answer.status == status::kSystemError) breaker_.bad(now.steady);
      if (refused_log_.pass())
        log::warning("smpp.refused", "a submit was refused with {} {} ({} more refusals since the last line)",
                     reason_word(answer.status), status_name(answer.status), refused_log_.dropped());
    }
  }
  switch (outbox_.answered(answer, now)) {
    case Outbox::Advice::none:
      break;
    case Outbox::Advice::slow_down:
      line.slow_down(answer.status);
      pace_.throttled(now.steady);
      break;
    case Outbox::Advice::reconnect:
      line.reconnect("bind-state");
      break;
  }
  pump_soon();
}

void SmppChannel::on_changed(Slot& slot) {
  if (!slot.line->bound() && slot.message) outbox_.release(*std::exchange(slot.message, std::nullopt), outbox_now());
  tell_health();
  pump_soon();
}

void SmppChannel::pump_soon() {
  if (std::exchange(pump_due_, true)) return;
  loop_->defer([this, alive = alive_] {
    if (*alive) pump();
  });
}

// Sends one part over the session if it has room; false when it cannot send now.
bool SmppChannel::feed(Slot& slot, Outbox::Now now) {
  while (slot.line->submitting() && slot.line->can_submit(now.steady)) {
    if (!slot.message) slot.message = outbox_.next_message(now);
    if (!slot.message) return false;
    const std::optional<Outbox::Part> part = outbox_.next_part(*slot.message, now);
    if (!part) {
      outbox_.release(*std::exchange(slot.message, std::nullopt), now);
      continue;
    }
    pace_.take(now.steady, /*urgent=*/true);   // pump() has looked
    if (const Status packed = slot.line->submit(part->submit, part->ticket, now.steady); !packed) {
      log::error("smpp.pack", "{}", packed.what());
      outbox_.unsendable(part->ticket, "unsendable");
    }
    return true;
  }
  return false;
}

// Spreads what waits over the sessions that have room, one part each in turn, as fast as the account may.
void SmppChannel::pump() {
  pump_due_ = false;
  const Outbox::Now now = outbox_now();
  const auto may_send = [&] { return pace_.next(now.steady, outbox_.urgent()) <= now.steady; };
  for (bool sent = true; sent && may_send();) {
    sent = false;
    for (std::size_t i = 0; i < slots_.size() && may_send(); ++i)
      sent = feed(slots_[(turn_ + i) % slots_.size()], now) || sent;
  }
  if (!slots_.empty()) turn_ = (turn_ + 1) % slots_.size();
  for (const Slot& slot : slots_) slot.line->flush();
  const bool work = outbox_.waiting() || std::any_of(slots_.begin(), slots_.end(),
                                                     [](const Slot& slot) { return slot.message.has_value(); });
  std::int64_t at = outbox_.next_retry();
  if (work && !may_send()) at = std::min(at, pace_.next(now.steady, outbox_.urgent()));
  if (at != kForever) pump_timer_->start(std::chrono::milliseconds(std::max<std::int64_t>(1, at - now.steady)));
  look_for_end();
}

void SmppChannel::tick() {
  tick_timer_->start(kTick);
  inbox_.tick(inbox_now());
  const bool any_bound = std::any_of(slots_.begin(), slots_.end(),
                                     [](const Slot& slot) { return slot.line->bound() && slot.line->submitting(); });
  std::int64_t retry_after = 1'000;
  for (const Slot& slot : slots_) {
    if (slot.line->retry_at() != 0) retry_after = std::max(retry_after, slot.line->retry_at() - steady_ms());
  }
  outbox_.sweep(outbox_now(), any_bound ? kForever : kUnboundPatienceMs,
                static_cast<std::uint32_t>(std::min<std::int64_t>(retry_after, 60'000)));
  for (const auto& [what, count] : std::exchange(seen_, {})) {
    wire::Observation observation;
    observation.set_kind(kind_of(std::get<0>(what)));
    observation.set_reason(std::get<1>(what));
    observation.set_object(std::get<2>(what));
    observation.set_count(count);
    link_->observe(std::move(observation));
  }
  tell_health();
  look_for_end();
}

void SmppChannel::note(Line::Seen seen, std::string_view reason, const std::string& object) {
  ++seen_[{seen, std::string(reason), object}];
}

void SmppChannel::tell_health() {
  std::size_t bound = 0, submitting = 0;
  std::string trouble;
  for (const Slot& slot : slots_) {
    if (slot.line->bound()) ++bound;
    if (slot.line->bound() && slot.line->submitting()) ++submitting;
    if (!slot.line->bound() && trouble.empty()) trouble = slot.line->last_trouble();
  }
  std::string detail = fmt::format("bound to {} of {}", bound, slots_.size());
  if (bound < slots_.size() && !trouble.empty()) detail += " (" + trouble + ")";
  const bool resting = breaker_.open(steady_ms());
  if (resting) detail += ", resting: the SMS centre refuses everything";
  const bool up = submitting > 0 && !resting;
  const std::string told = (up ? "+" : "-") + detail;
  if (told == health_) return;
  health_ = told;
  link_->health(up, detail, window());
}

void SmppChannel::drain(std::function<void()> done) {
  done_ = std::move(done);
  inbox_.flush(inbox_now());
  outbox_.drain(outbox_now());
  for (const Slot& slot : slots_) slot.line->unbind();
  look_for_end();
}

void SmppChannel::look_for_end() {
  const bool ended = std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.line->ended(); });
  if (!done_ || !ended || !outbox_.empty()) return;
  std::exchange(done_, nullptr)();
}

}  // namespace postern::smpp
