// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/email_channel.hpp"

#include <algorithm>
#include <utility>

#include "connectors/protocol/wire.pb.h"

namespace postern::email {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kFirstBackoff = 1s, kLastBackoff = 60s;
// A fault that a person must mend is not mended in a second.
constexpr std::chrono::milliseconds kConfigBackoff = 10s;
constexpr std::chrono::milliseconds kFirstPause = 1s, kLastPause = 60s;
constexpr std::chrono::milliseconds kFewerLanes = 5s;
constexpr std::chrono::milliseconds kSweep = 1s;
// Before the skeleton's own deadline of 10 s, so that every attempt still gets its result.
constexpr std::chrono::milliseconds kDrainLimit = 7s;

wire::Result::Kind kind_of(Fate fate) {
  switch (fate) {
    case Fate::sent:
      return wire::Result::SENT;
    case Fate::retry:
      return wire::Result::RETRY;
    case Fate::refused:
      return wire::Result::REFUSED;
    case Fate::unknown:
      return wire::Result::UNKNOWN;
    case Fate::throttled:
      return wire::Result::THROTTLED;
  }
  return wire::Result::UNKNOWN;
}

Outcome plain(Fate fate, std::string reason, std::chrono::milliseconds retry_after = 0ms) {
  Outcome outcome;
  outcome.fate = fate;
  outcome.reason = std::move(reason);
  outcome.retry_after = retry_after;
  return outcome;
}

bool same(const wire::Attempt& a, const wire::Attempt& b) {
  return a.message() == b.message() && a.number() == b.number();
}

}  // namespace

EmailChannel::EmailChannel(std::unique_ptr<Settings> settings)
    : settings_(std::move(settings)),
      alive_(std::make_shared<bool>(true)),
      backoff_(kFirstBackoff),
      pause_(kFirstPause) {}

EmailChannel::~EmailChannel() { *alive_ = false; }

LinkOptions EmailChannel::link_options() const {
  LinkOptions options;
  options.window = settings_->window;
  return options;
}

LinkHandlers EmailChannel::link_handlers() {
  LinkHandlers handlers;
  handlers.welcome = [this](const wire::Welcome&) { tell_health(); };
  handlers.deliver = [this](wire::Deliver&& one) { deliver(std::move(one)); };
  handlers.cancel = [this](const wire::Attempt& attempt) { cancel(attempt); };
  return handlers;
}

Status EmailChannel::start(Loop& loop, Link& link) {
  loop_ = &loop;
  link_ = &link;
  sweep_ = std::make_unique<Timer>(loop, [this] { sweep(); });
  retry_ = std::make_unique<Timer>(loop, [this] { pump(); });
  drain_limit_ = std::make_unique<Timer>(loop, [this] { finish_drain(); });
  set_health(false, "connecting to the relay");
  sweep_->start(kSweep);
  open_lane();
  return {};
}

void EmailChannel::deliver(wire::Deliver&& one) {
  if (draining_) return answer(one.attempt(), plain(Fate::retry, "restart", 1s), /*receipts=*/false);
  if (relay_ == Relay::down) {
    Outcome outcome = down_because_;
    outcome.retry_after = std::chrono::milliseconds(std::max<std::int64_t>(retry_at_ms_ - steady_ms(), 1000));
    return answer(one.attempt(), outcome, /*receipts=*/false);
  }
  waiting_.push_back(std::move(one));
  pump();
}

void EmailChannel::cancel(const wire::Attempt& attempt) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const wire::Deliver& d) { return same(d.attempt(), attempt); });
  if (found != waiting_.end()) {
    waiting_.erase(found);
    return answer(attempt, plain(Fate::refused, "cancelled"), /*receipts=*/false);
  }
  for (const auto& lane : lanes_) {
    if (lane->attempt && same(*lane->attempt, attempt)) lane->connection->cancel();
  }
}

// Gives waiting deliveries to connections that can take one, and opens connections for the rest.
void EmailChannel::pump() {
  if (draining_) return;
  const std::int64_t now = steady_ms();
  if (now < paused_until_ms_) return retry_->start(std::chrono::milliseconds(paused_until_ms_ - now));
  for (const auto& lane : lanes_) {
    while (!waiting_.empty() && !lane->gone && !lane->attempt && lane->connection->ready() &&
           steady_ms() >= paused_until_ms_) {
      const wire::Deliver next = std::move(waiting_.front());
      waiting_.pop_front();
      send(*lane, next);
    }
  }
  open_lanes();
}

void EmailChannel::open_lanes() {
  const std::int64_t now = steady_ms();
  if (now < retry_at_ms_) return retry_->start(std::chrono::milliseconds(retry_at_ms_ - now));
  const auto usable = static_cast<std::size_t>(
      std::count_if(lanes_.begin(), lanes_.end(), [](const auto& lane) { return !lane->gone; }));
  if (relay_ != Relay::up || waiting_.empty()) {
    // One connection tells whether there is a relay; a crowd would only knock harder.
    const bool look = relay_ != Relay::up || now - last_seen_ms_ >= settings_->probe.count();
    if (look && usable == 0) open_lane();
    return;
  }
  const std::size_t wanted = waiting_.size() > connecting() ? waiting_.size() - connecting() : 0;
  for (std::size_t i = 0; i < wanted && usable + i < settings_->connections; ++i) open_lane();
}

std::size_t EmailChannel::connecting() const {
  return static_cast<std::size_t>(std::count_if(
      lanes_.begin(), lanes_.end(), [](const auto& lane) { return !lane->gone && !lane->connection->was_ready(); }));
}

void EmailChannel::open_lane() {
  lanes_.push_back(std::make_unique<Lane>());
  Lane* lane = lanes_.back().get();
  lane->host = host_;
  const std::string& host = settings_->hosts[host_ % settings_->hosts.size()];
  Connection::Peer peer{host, settings_->port, settings_->server_name.empty() ? host : settings_->server_name,
                        settings_->tls.get()};
  lane->connection = std::make_unique<Connection>(
      *loop_, std::move(peer), settings_->session,
      Connection::Handlers{[this, lane] { on_ready(*lane); },
                           [this, lane](const Outcome& outcome) { on_outcome(*lane, outcome); },
                           [this, lane](const std::optional<Outcome>& failure) { on_ended(*lane, failure); }});
}

void EmailChannel::on_ready(Lane& lane) {
  lane.idle_since_ms = steady_ms();
  go_up(lane);
  if (draining_ || lane.sent >= settings_->messages_per_connection) return lane.connection->quit();
  pump();
}

void EmailChannel::send(Lane& lane, const wire::Deliver& one) {
  const std::int64_t now = wall_ms();
  if (static_cast<std::uint64_t>(now) >= one.expires_ms())
    return answer(one.attempt(), plain(Fate::refused, "expired"), /*receipts=*/false);
  Result<Mail> mail = make_mail(*settings_, one, now);
  if (!mail) {
    Outcome outcome = plain(Fate::refused, mail.what());
    outcome.address_dead = mail.what() == "mail-to";
    if (mail.what() == "mail-dkim")
      log::error("email.dkim", "a mail could not be signed and was not sent; see the DKIM keys");
    return answer(one.attempt(), outcome, /*receipts=*/false);
  }
  lane.attempt = one.attempt();
  ++lane.sent;
  lane.connection->send(std::move(*mail));
}

void EmailChannel::on_outcome(Lane& lane, const Outcome& outcome) {
  if (!lane.attempt) return;
  const wire::Attempt attempt = *std::exchange(lane.attempt, std::nullopt);
  const std::vector<std::string>& notify = settings_->session.notify;
  const bool receipts =
      lane.connection->offers_dsn() && std::find(notify.begin(), notify.end(), "SUCCESS") != notify.end();
  answer(attempt, outcome, receipts);
  if (outcome.fate == Fate::sent) {
    pause_ = kFirstPause;
    backoff_ = kFirstBackoff;
  }
  if (outcome.fate == Fate::throttled) slow_down();
  if (outcome.relay == RelayFault::alarm) note_alarm(outcome);
  if (outcome.relay == RelayFault::down) go_down(outcome);
}

void EmailChannel::on_ended(Lane& lane, const std::optional<Outcome>& failure) {
  const bool served = lane.connection->was_ready();
  lane.gone = true;
  if (failure && lane.connection->was_ready() && failure->fate == Fate::throttled) slow_down();
  remove_gone();
  if (draining_) {
    const bool busy = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& other) { return !other->gone; });
    if (!busy) finish_drain();
    return;
  }
  // A relay that ends a connection which has served is within its rights (RFC 5321 section 4.5.3.2.7).
  if (failure && !served) return relay_failed(lane, *failure);
  pump();
}

// The lane's own callback may be running: it goes when this turn of the loop is over.
void EmailChannel::remove_gone() {
  if (std::exchange(removal_due_, true)) return;
  loop_->defer([this, alive = alive_] {
    if (!*alive) return;
    removal_due_ = false;
    std::erase_if(lanes_, [](const auto& lane) { return lane->gone; });
  });
}

// A connection failed before it could serve.
void EmailChannel::relay_failed(const Lane& lane, const Outcome& failure) {
  if (any_was_ready()) {
    // The relay serves us, only not on more connections.
    retry_at_ms_ = steady_ms() + kFewerLanes.count();
    return pump();
  }
  if (relay_ == Relay::up) relay_ = Relay::unknown;
  if (lane.host != host_) return pump();  // its fellow has told the same about that host
  ++host_;
  if (++failures_in_row_ < settings_->hosts.size()) return pump();
  go_down(failure);
}

bool EmailChannel::any_was_ready() const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return !lane->gone && lane->connection->was_ready(); });
}

void EmailChannel::go_down(const Outcome& failure) {
  const bool news = relay_ != Relay::down || down_because_.reason != failure.reason;
  relay_ = Relay::down;
  failures_in_row_ = 0;
  down_because_ = failure;
  down_because_.relay = RelayFault::none;
  const bool config = failure.relay == RelayFault::down;
  down_because_.fate = config ? Fate::refused : Fate::retry;
  down_because_.address_dead = false;
  if (config) backoff_ = std::max(backoff_, kConfigBackoff);
  retry_at_ms_ = steady_ms() + backoff_.count();
  down_because_.retry_after = backoff_;
  if (news) {
    log::error("email.relay.down", "the relay cannot be used: {}; trying again in {} s", failure.reason,
               backoff_.count() / 1000);
    set_health(false, failure.reason);
  }
  backoff_ = std::min(backoff_ * 2, kLastBackoff);
  answer_waiting(down_because_);
  retry_->start(std::chrono::milliseconds(retry_at_ms_ - steady_ms()));
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (!lanes_[i]->gone && !lanes_[i]->attempt) lanes_[i]->connection->quit();
  }
}

void EmailChannel::go_up(const Lane& lane) {
  failures_in_row_ = 0;
  last_seen_ms_ = steady_ms();
  retry_at_ms_ = 0;
  if (relay_ == Relay::up) return;
  relay_ = Relay::up;
  const std::string& host = settings_->hosts[lane.host % settings_->hosts.size()];
  log::info("email.relay.up", "{} takes mail over {}", host, lane.connection->tls_description());
  set_health(true, "relay " + host);
}

void EmailChannel::set_health(bool up, std::string detail) {
  healthy_ = up;
  health_detail_ = std::move(detail);
  tell_health();
}

// Again with every welcome: what changed while the vault was away or being greeted has not reached it.
void EmailChannel::tell_health() { link_->health(healthy_, health_detail_, settings_->window); }

void EmailChannel::answer_waiting(const Outcome& outcome) {
  for (const wire::Deliver& one : std::exchange(waiting_, {})) answer(one.attempt(), outcome, /*receipts=*/false);
}

void EmailChannel::answer(const wire::Attempt& attempt, const Outcome& outcome, bool receipts) {
  wire::Result result;
  *result.mutable_attempt() = attempt;
  result.set_kind(kind_of(outcome.fate));
  if (!outcome.provider_id.empty()) result.add_provider_id(outcome.provider_id);
  result.set_receipts(outcome.fate == Fate::sent && receipts);
  if (outcome.fate == Fate::retry || outcome.fate == Fate::throttled)
    result.set_retry_after_ms(static_cast<std::uint32_t>(std::max<std::int64_t>(outcome.retry_after.count(), 1)));
  result.set_reason(outcome.reason);
  result.set_address_dead(outcome.address_dead);
  link_->result(std::move(result));
}

void EmailChannel::slow_down() {
  paused_until_ms_ = steady_ms() + pause_.count();
  log::info("email.relay.slow", "the relay finds us too fast; waiting {} s", pause_.count() / 1000);
  pause_ = std::min(pause_ * 2, kLastPause);
}

void EmailChannel::note_alarm(const Outcome& outcome) {
  if (!alarm_limit_.pass()) return;
  log::error("email.policy",
             "the relay refuses our mail by policy ({}; {} more such lines held back); see sender, SPF, DKIM and the "
             "relay's rules",
             outcome.reason, alarm_limit_.dropped());
}

// Once a second: what has waited past its deadline, connections idle for too long, a look at the relay.
void EmailChannel::sweep() {
  sweep_->start(kSweep);
  const auto now_wall = static_cast<std::uint64_t>(wall_ms());
  const std::int64_t now = steady_ms();
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    if (now_wall < one->expires_ms()) {
      ++one;
      continue;
    }
    answer(one->attempt(), plain(Fate::refused, "expired"), /*receipts=*/false);
    one = waiting_.erase(one);
  }
  for (const auto& lane : lanes_) {
    if (!lane->gone && !lane->attempt && lane->connection->ready() &&
        now - lane->idle_since_ms >= settings_->idle.count())
      lane->connection->quit();
  }
  pump();
}

void EmailChannel::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  answer_waiting(plain(Fate::retry, "restart", 1s));
  bool busy = false;
  for (const auto& lane : lanes_) {
    if (!lane->gone) lane->connection->quit();
    busy = busy || !lane->gone;
  }
  if (!busy) return finish_drain();
  drain_limit_->start(kDrainLimit);
}

// What is still under way ends here: in doubt when its final dot has left, else to be tried again.
void EmailChannel::finish_drain() {
  const std::function<void()> done = std::exchange(drained_, {});
  if (!done) return;
  drain_limit_->stop();
  for (const auto& lane : lanes_) {
    if (!lane->gone) lane->connection->abandon("restart");
  }
  done();
}

}  // namespace postern::email
