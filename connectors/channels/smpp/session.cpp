// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/session.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace postern::smpp {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kLastSequence = 0x7fffffff;  // SMPP 3.4 section 5.1.4
constexpr std::int64_t kMaxEnquiryWait = 10'000;
constexpr int kEnquiriesMissed = 2;
constexpr std::size_t kMaxLate = 4096;
// A session that stood this long was good: its loss is tried again at once.
constexpr std::int64_t kStable = 10'000;
// The skeleton ends the process 10 s after drain(): answers and unbind_resp share that time.
constexpr std::int64_t kDrainAnswers = 5'000, kUnbindAnswer = 3'000;
// After the peer's unbind it still owes the answers that it has already made.
constexpr std::int64_t kLeaveAnswers = 2'000;
constexpr std::int64_t kThrottlePause = 1'000, kQueuePause = 5'000, kMaxPause = 60'000;

}  // namespace

Session::Session(const SessionSettings& settings, std::uint32_t seed) : settings_(settings), random_(seed) {}

void Session::take_actions(std::vector<Action>& out) {
  out.clear();
  out.swap(actions_);
}

Action& Session::act(Action::Kind kind) {
  Action& action = actions_.emplace_back();
  action.kind = kind;
  return action;
}

void Session::send_header(std::uint32_t command, std::uint32_t status, std::uint32_t sequence) {
  Action& action = act(Action::Kind::send_header);
  action.command = command;
  action.status = status;
  action.sequence = sequence;
}

void Session::start(std::int64_t now) {
  if (ending_) return;
  state_ = State::connecting;
  deadline_ = now + settings_.connect_timeout_ms;
  act(Action::Kind::connect);
}

void Session::connected(std::int64_t now) {
  if (state_ != State::connecting) return;
  state_ = State::binding;
  deadline_ = now + settings_.bind_timeout_ms;
  last_received_ = now;
  request_ = next_sequence();
  act(Action::Kind::send_bind).sequence = request_;
}

void Session::close(std::string_view reason) {
  if (state_ == State::closing || state_ == State::ended) return;
  state_ = State::closing;
  act(Action::Kind::close).reason = reason;
}

void Session::lost(std::int64_t now, std::uint64_t written) {
  // In the order in which they were sent; what had begun to leave is in doubt (see session.hpp).
  for (const Due& due : due_) {
    const auto found = pending_.find(due.sequence);
    if (found == pending_.end()) continue;
    Action& action = act(Action::Kind::answered);
    action.ticket = found->second.ticket;
    action.outcome = found->second.offset < written ? Action::Outcome::lost : Action::Outcome::not_sent;
  }
  pending_.clear();
  due_.clear();
  late_.clear();
  late_order_.clear();
  enquiry_.reset();
  enquiries_missed_ = 0;
  sequence_ = 0;
  if (ending_ || state_ == State::ended) {
    state_ = State::ended;
    act(Action::Kind::ended);
    return;
  }
  const bool stood = bound_at_ != 0 && now - bound_at_ >= kStable;
  bound_at_ = 0;
  if (failure_ == BindFailure::none) failure_ = BindFailure::transient;
  if (stood || failure_ != last_failure_) failures_ = 0;
  last_failure_ = failure_;
  state_ = State::waiting;
  deadline_ = now + pause_ms();
  failure_ = BindFailure::none;
}

// How long until the next try, by what went wrong: a wrong password tried often locks the account; an
// old session that still stands ends with the peer's inactivity timer.
std::int64_t Session::pause_ms() {
  const int tries = failures_++;
  const auto doubled = [&](std::int64_t first, std::int64_t most) {
    return tries > 20 ? most : std::min(first << tries, most);
  };
  std::int64_t pause = 0;
  switch (failure_) {
    case BindFailure::none:
    case BindFailure::transient:
      pause = doubled(1'000, 60'000);
      break;
    case BindFailure::credentials:
      pause = doubled(60'000, 300'000);
      break;
    case BindFailure::busy:
      pause = 60'000;
      break;
    case BindFailure::throttled:
      pause = 30'000;
      break;
  }
  return pause * std::uniform_int_distribution<std::int64_t>(800, 1200)(random_) / 1000;
}

std::uint32_t Session::bind_command() const {
  switch (settings_.kind) {
    case BindKind::transceiver:
      return command::kBindTransceiver;
    case BindKind::transmitter:
      return command::kBindTransmitter;
    case BindKind::receiver:
      return command::kBindReceiver;
  }
  return command::kBindTransceiver;
}

std::uint32_t Session::next_sequence() {
  do {
    sequence_ = sequence_ >= kLastSequence ? 1 : sequence_ + 1;
  } while (pending_.contains(sequence_) || sequence_ == enquiry_);
  return sequence_;
}

bool Session::can_submit(std::int64_t now) const {
  return state_ == State::bound && submitting() && pending_.size() < settings_.window && now >= paused_until_;
}

std::uint32_t Session::submit(std::uint64_t ticket, std::int64_t now, std::uint64_t offset) {
  const std::uint32_t sequence = next_sequence();
  late_.erase(sequence);
  pending_.emplace(sequence, Pending{ticket, offset});
  due_.push_back({sequence, now + settings_.response_timeout_ms});
  return sequence;
}

void Session::take_back(std::uint32_t sequence) { pending_.erase(sequence); }

void Session::slow_down(std::int64_t now, std::uint32_t status) {
  std::int64_t pause = kThrottlePause;
  if (status == status::kQueueFull) {
    // Every answer of one full window says the same thing: it counts once in each pause.
    if (now < paused_until_) return;
    queue_pause_ms_ = now - queue_full_at_ < kMaxPause && queue_full_at_ != 0 ? std::min(queue_pause_ms_ * 2, kMaxPause)
                                                                              : kQueuePause;
    queue_full_at_ = now;
    pause = queue_pause_ms_;
  }
  paused_until_ = std::max(paused_until_, now + pause);
}

void Session::reconnect(std::int64_t, std::string_view reason) {
  if (state_ == State::bound || state_ == State::binding) close(reason);
}

void Session::framing_lost(std::int64_t) {
  send_header(command::kGenericNack, status::kInvalidLength, 0);
  close("framing");
}

void Session::unbind(std::int64_t now) {
  if (ending_) return;
  ending_ = true;
  switch (state_) {
    case State::idle:
    case State::waiting:
      state_ = State::ended;
      act(Action::Kind::ended);
      return;
    case State::connecting:
    case State::binding:
      return close("drain");
    case State::bound:
      state_ = State::draining;
      deadline_ = now + kDrainAnswers;
      return advance_ending(now);
    case State::leaving:
    case State::draining:
    case State::unbinding:
    case State::closing:
    case State::ended:
      return;
  }
}

// Moves an ending session on when nothing is outstanding any more, or its time is over.
void Session::advance_ending(std::int64_t now) {
  const bool over = now >= deadline_;
  if (state_ == State::draining && (pending_.empty() || over)) {
    state_ = State::unbinding;
    deadline_ = now + kUnbindAnswer;
    request_ = next_sequence();
    send_header(command::kUnbind, 0, request_);
  } else if (state_ == State::leaving && (pending_.empty() || over)) {
    send_header(command::kUnbind | command::kResponse, 0, request_);
    close("peer-unbind");
  } else if (state_ == State::unbinding && over) {
    close("unbind-timeout");
  }
}

void Session::received(const Pdu& pdu, std::int64_t now) {
  if (state_ == State::closing || state_ == State::ended) return;
  // Any octet of sense proves the link (SMPP 3.4 section 2.7.2 leaves that to the implementation).
  last_received_ = now;
  enquiries_missed_ = 0;
  if (pdu.is_response())
    on_response(pdu, now);
  else
    on_request(pdu, now);
  if (state_ == State::draining || state_ == State::leaving) advance_ending(now);
}

void Session::settle(std::uint32_t sequence, std::uint32_t status, std::string_view message_id) {
  Action::Kind kind = Action::Kind::answered;
  std::uint64_t ticket = 0;
  if (const auto found = pending_.find(sequence); found != pending_.end()) {
    ticket = found->second.ticket;
    pending_.erase(found);
    while (!due_.empty() && !pending_.contains(due_.front().sequence)) due_.pop_front();
  } else if (const auto late = late_.find(sequence); late != late_.end()) {
    kind = Action::Kind::late_answer;
    ticket = late->second;
    late_.erase(late);
  } else {
    act(Action::Kind::stray).sequence = sequence;
    return;
  }
  Action& action = act(kind);
  action.ticket = ticket;
  action.outcome = status == status::kOk ? Action::Outcome::accepted : Action::Outcome::refused;
  action.status = status;
  action.message_id = message_id;
}

void Session::on_response(const Pdu& pdu, std::int64_t now) {
  const std::uint32_t sequence = pdu.header.sequence;
  if (pdu.header.command == command::kGenericNack) {
    // Without a number, or about a length: the two sides no longer agree where PDUs begin.
    if (sequence != 0 && state_ != State::binding)
      settle(sequence, pdu.header.status == 0 ? status::kInvalidCommand : pdu.header.status, {});
    if (sequence == 0 || state_ == State::binding || pdu.header.status == status::kInvalidLength) close("generic-nack");
    return;
  }
  if (pdu.header.command == (command::kSubmitSm | command::kResponse))
    return settle(sequence, pdu.header.status, pdu.message_id);
  if (pdu.header.command == (command::kEnquireLink | command::kResponse)) {
    if (enquiry_ == sequence) enquiry_.reset();
    return;
  }
  if (pdu.header.command == (bind_command() | command::kResponse) && state_ == State::binding && sequence == request_)
    return on_bind_response(pdu, now);
  if (pdu.header.command == (command::kUnbind | command::kResponse) && state_ == State::unbinding &&
      sequence == request_)
    return close("unbound");
  act(Action::Kind::stray).sequence = sequence;
}

void Session::on_bind_response(const Pdu& pdu, std::int64_t now) {
  if (pdu.header.status != 0) {
    failure_ = bind_failure_of(pdu.header.status);
    act(Action::Kind::bind_refused).status = pdu.header.status;
    return close("bind-refused");
  }
  state_ = State::bound;
  bound_at_ = now;
  paused_until_ = 0;
  act(Action::Kind::bound);
}

void Session::on_request(const Pdu& pdu, std::int64_t now) {
  const std::uint32_t response = pdu.header.command | command::kResponse, sequence = pdu.header.sequence;
  switch (pdu.header.command) {
    case command::kEnquireLink:
      return send_header(response, 0, sequence);
    case command::kDeliverSm:
    case command::kDataSm:
      // A peer that delivers before its bind_resp has passed us is early, not wrong.
      act(Action::Kind::inbound).sequence = sequence;
      return;
    case command::kUnbind:
      if (state_ == State::unbinding || state_ == State::binding) {
        send_header(response, 0, sequence);
        return close("peer-unbind");
      }
      if (state_ == State::leaving) return;
      state_ = State::leaving;
      request_ = sequence;
      deadline_ = now + kLeaveAnswers;
      return;
    case command::kOutbind:
    case command::kAlertNotification:
      return;  // have no response, and we asked for neither
    default:
      return send_header(command::kGenericNack, status::kInvalidCommand, sequence);
  }
}

void Session::expire_submits(std::int64_t now) {
  while (!due_.empty() && due_.front().at <= now) {
    const std::uint32_t sequence = due_.front().sequence;
    due_.pop_front();
    const auto found = pending_.find(sequence);
    if (found == pending_.end()) continue;
    Action& action = act(Action::Kind::answered);
    action.ticket = found->second.ticket;
    action.outcome = Action::Outcome::timed_out;
    late_.emplace(sequence, found->second.ticket);
    late_order_.push_back(sequence);
    pending_.erase(found);
    if (late_order_.size() > kMaxLate) {
      late_.erase(late_order_.front());
      late_order_.pop_front();
    }
  }
}

void Session::keep_alive(std::int64_t now) {
  if (enquiry_ && now >= enquiry_deadline_) {
    enquiry_.reset();
    if (++enquiries_missed_ >= kEnquiriesMissed) return close("enquire-link");
  }
  const bool silent = now - last_received_ >= settings_.enquire_link_ms || enquiries_missed_ > 0;
  if (enquiry_ || !silent) return;
  enquiry_ = next_sequence();
  enquiry_deadline_ = now + std::min(kMaxEnquiryWait, settings_.response_timeout_ms);
  send_header(command::kEnquireLink, 0, *enquiry_);
}

void Session::tick(std::int64_t now) {
  switch (state_) {
    case State::waiting:
      if (now >= deadline_) start(now);
      return;
    case State::connecting:
      if (now >= deadline_) close("connect-timeout");
      return;
    case State::binding:
      if (now >= deadline_) close("bind-timeout");
      return;
    case State::bound:
      if (now >= paused_until_) paused_until_ = 0;
      expire_submits(now);
      keep_alive(now);
      return;
    case State::leaving:
    case State::draining:
    case State::unbinding:
      expire_submits(now);
      advance_ending(now);
      return;
    case State::idle:
    case State::closing:
    case State::ended:
      return;
  }
}

std::int64_t Session::next_deadline() const {
  switch (state_) {
    case State::waiting:
    case State::connecting:
    case State::binding:
    case State::unbinding:
      return deadline_;
    case State::leaving:
    case State::draining:
      return due_.empty() ? deadline_ : std::min(deadline_, due_.front().at);
    case State::bound: {
      std::int64_t next = enquiry_ ? enquiry_deadline_ : last_received_ + settings_.enquire_link_ms;
      if (!due_.empty()) next = std::min(next, due_.front().at);
      return paused_until_ != 0 ? std::min(next, paused_until_) : next;
    }
    case State::idle:
    case State::closing:
    case State::ended:
      return kNever;
  }
  return kNever;
}

}  // namespace postern::smpp
