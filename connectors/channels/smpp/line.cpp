// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/line.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "crypto/secret.hpp"

namespace postern::smpp {
namespace {

SessionSettings session_settings(const Settings& settings, std::size_t index) {
  SessionSettings session;
  session.kind = settings.binds.at(index);
  session.window = settings.window;
  session.enquire_link_ms = settings.enquire_link.count();
  session.response_timeout_ms = settings.response_timeout.count();
  session.bind_timeout_ms = settings.bind_timeout.count();
  session.connect_timeout_ms = settings.connect_timeout.count();
  return session;
}

std::uint32_t bind_command(BindKind kind) {
  switch (kind) {
    case BindKind::transceiver:
      return command::kBindTransceiver;
    case BindKind::transmitter:
      return command::kBindTransmitter;
    case BindKind::receiver:
      return command::kBindReceiver;
  }
  return command::kBindTransceiver;
}

}  // namespace

Line::Line(Loop& loop, const Settings& settings, SSL_CTX* tls, std::size_t index, std::uint32_t seed, Handlers handlers)
    : loop_(loop),
      settings_(settings),
      tls_(tls),
      index_(index),
      handlers_(std::move(handlers)),
      session_(session_settings(settings, index), seed),
      timer_(loop, [this] {
        session_.tick(steady_ms());
        run_actions(nullptr);
        // A pause that has ended lets submits flow again.
        if (session_.bound()) handlers_.changed(*this);
      }) {}

std::string Line::name() const {
  return settings_.hosts.at(index_ % settings_.hosts.size()) + ":" + std::to_string(settings_.port);
}

Transport::Peer Line::peer() const {
  return {settings_.hosts.at(index_ % settings_.hosts.size()), settings_.port, settings_.server_name, tls_, turn_};
}

void Line::start() {
  session_.start(steady_ms());
  run_actions(nullptr);
}

void Line::unbind() {
  session_.unbind(steady_ms());
  run_actions(nullptr);
}

void Line::slow_down(std::uint32_t status) {
  session_.slow_down(steady_ms(), status);
  rearm();
}

void Line::reconnect(std::string_view reason) {
  session_.reconnect(steady_ms(), reason);
  run_actions(nullptr);
}

Status Line::submit(const SubmitSm& submit, std::uint64_t ticket, std::int64_t now) {
  const std::uint32_t sequence = session_.submit(ticket, now, transport_->queued() + batch_.size());
  Status packed = pack_submit(submit, sequence, batch_);
  if (!packed) session_.take_back(sequence);
  return packed;
}

void Line::flush() {
  if (!batch_.empty() && transport_) transport_->write(batch_);
  wipe_text(batch_);
  rearm();
}

bool Line::answer_inbound(std::uint64_t epoch, std::uint32_t command, std::uint32_t sequence, std::uint32_t status) {
  if (epoch != epoch_ || !transport_) return false;
  if (inbound_open_ > 0) --inbound_open_;
  // Packing can fail for no value that decode() lets through.
  if (pack_inbound_response(command | command::kResponse, status, sequence, batch_) && !running_ && !reading_) flush();
  return true;
}

// Handlers may call back into this object; the actions that follow from that are run here too, in order.
void Line::run_actions(const Pdu* pdu) {
  if (std::exchange(running_, true)) return;
  for (session_.take_actions(actions_); !actions_.empty(); session_.take_actions(actions_)) {
    for (const Action& action : actions_) carry_out(action, pdu);
  }
  running_ = false;
  if (!reading_) flush();
}

void Line::carry_out(const Action& action, const Pdu* pdu) {
  switch (action.kind) {
    case Action::Kind::connect:
      return open();
    case Action::Kind::close:
      return close(action.reason);
    case Action::Kind::send_bind:
      return bind(action.sequence);
    case Action::Kind::send_header:
      if (const Status packed = pack_header(action.command, action.status, action.sequence, batch_); !packed)
        log::error("smpp.pack", "{}", packed.what());
      return;
    case Action::Kind::bound:
      was_bound_ = true;
      trouble_.clear();
      log::info("smpp.bound", "session {} is bound to {}", index_ + 1, name());
      handlers_.seen(Seen::bound, "bound", name());
      return handlers_.changed(*this);
    case Action::Kind::bind_refused:
      trouble_ = std::string(status_name(action.status));
      if (trouble_.empty()) trouble_ = reason_word(action.status);
      log::error("smpp.bind-refused",
                 "{} refused the bind of '{}' with {}: check system_id, password and the number of binds", name(),
                 settings_.system_id, trouble_);
      return;
    case Action::Kind::answered:
    case Action::Kind::late_answer:
      return handlers_.answered(action);
    case Action::Kind::inbound:
      if (pdu == nullptr) return;
      if (inbound_open_ >= settings_.inbound_window) return on_flood(*pdu);
      ++inbound_open_;
      return handlers_.inbound(*this, *pdu);
    case Action::Kind::stray:
      if (stray_log_.pass())
        log::warning("smpp.stray", "{} answered request {}, which nothing waits for ({} more since the last line)",
                     name(), action.sequence, stray_log_.dropped());
      return;
    case Action::Kind::ended:
      return handlers_.changed(*this);
  }
}

// The vault is slow or away: the SMS centre keeps what it has and sends it later (section 5.1.3).
void Line::on_flood(const Pdu& pdu) {
  const std::uint32_t response = pdu.header.command | command::kResponse;
  if (const Status packed = pack_inbound_response(response, status::kReceiverTemporary, pdu.header.sequence, batch_);
      !packed)
    log::error("smpp.pack", "{}", packed.what());
}

void Line::open() {
  ++epoch_;
  inbound_open_ = 0;
  wipe_text(batch_);
  transport_ = std::make_unique<Transport>(
      loop_, peer(),
      Transport::Handlers{[this](const std::string& description) {
                            log::debug("smpp.connected", "connected to {} ({})", name(), description);
                            session_.connected(steady_ms());
                            run_actions(nullptr);
                          },
                          [this](ByteView stream) { return on_data(stream); },
                          [this](const Transport::Closed& why) { on_closed(why); }});
}

void Line::bind(std::uint32_t sequence) {
  Bind request;
  request.command = bind_command(settings_.binds.at(index_));
  request.system_id = settings_.system_id;
  request.password = settings_.password.text();
  request.system_type = settings_.system_type;
  request.interface_version = settings_.interface_version;
  request.address_range = settings_.address_range;
  if (const Status packed = pack_bind(request, sequence, batch_); !packed) log::error("smpp.pack", "{}", packed.what());
}

// Says what is packed, then ends the connection; the session learns how much of it had left.
void Line::close(std::string_view reason) {
  if (!batch_.empty() && transport_) transport_->write(batch_);
  wipe_text(batch_);
  const std::uint64_t written = transport_ ? transport_->written() : 0;
  transport_.reset();
  ++epoch_;
  ++turn_;
  if (std::exchange(was_bound_, false)) {
    if (trouble_.empty()) trouble_ = reason;
    log::info("smpp.unbound", "session {} with {} ended ({})", index_ + 1, name(), reason);
    handlers_.seen(Seen::unbound, reason, name());
  } else if (trouble_.empty()) {
    trouble_ = reason;
  }
  session_.lost(steady_ms(), written);
  handlers_.changed(*this);
}

void Line::on_closed(const Transport::Closed& why) {
  if (why.word == "tls") {
    handlers_.seen(Seen::tls_refused, why.tls_reason, why.fingerprint.empty() ? name() : why.fingerprint);
    log::error("smpp.tls", "{}: {}: check ca, certificate and server_name", name(), why.detail);
    trouble_ = "tls-" + why.tls_reason;
  } else {
    log::warning("smpp.lost", "{}: {}", name(), why.detail);
    trouble_ = why.word;
  }
  close(why.word);
  run_actions(nullptr);
}

std::size_t Line::on_data(ByteView stream) {
  const std::int64_t now = steady_ms();
  const std::uint64_t epoch = epoch_;
  std::size_t taken = 0;
  // What one read brings is answered in one write.
  reading_ = true;
  while (epoch == epoch_) {
    const Cut cut = cut_frame(stream.subspan(taken));
    if (cut.kind == Cut::Kind::need_more) break;
    if (cut.kind == Cut::Kind::lost) {
      log::error("smpp.framing", "{} sent a PDU length that cannot be; the connection is closed", name());
      handlers_.seen(Seen::protocol_error, "framing", name());
      session_.framing_lost(now);
      run_actions(nullptr);
      break;
    }
    const ByteView frame = stream.subspan(taken, cut.length);
    taken += cut.length;
    const auto pdu = decode(frame, {settings_.max_parameters});
    if (!pdu) {
      on_fault(pdu.error());
      continue;
    }
    if (!pdu->odd.empty() && odd_log_.pass())
      log::warning("smpp.odd", "{} sent a {} with {} ({} more since the last line)", name(),
                   command_name(pdu->header.command), pdu->odd, odd_log_.dropped());
    session_.received(*pdu, now);
    run_actions(&*pdu);
  }
  reading_ = false;
  flush();
  return taken;
}

void Line::on_fault(const Fault& fault) {
  if (fault_log_.pass())
    log::warning("smpp.pdu", "{} sent a {} that cannot be read: {} ({} more since the last line)", name(),
                 command_name(fault.header.command), fault.what, fault_log_.dropped());
  handlers_.seen(Seen::protocol_error, "pdu", name());
  const std::uint32_t command = fault.header.command, sequence = fault.header.sequence;
  Status packed;
  switch (fault.answer) {
    case Fault::Answer::none:
      return;
    case Fault::Answer::generic_nack:
      packed = pack_header(command::kGenericNack, fault.status, sequence, batch_);
      break;
    case Fault::Answer::response:
      packed = command == command::kDeliverSm || command == command::kDataSm
                   ? pack_inbound_response(command | command::kResponse, fault.status, sequence, batch_)
                   : pack_header(command::kGenericNack, fault.status, sequence, batch_);
      break;
  }
  if (!packed) log::error("smpp.pack", "{}", packed.what());
}

void Line::rearm() {
  const std::int64_t at = session_.next_deadline();
  if (at == std::numeric_limits<std::int64_t>::max()) return timer_.stop();
  timer_.start(std::chrono::milliseconds(std::max<std::int64_t>(0, at - steady_ms())));
}

}  // namespace postern::smpp
