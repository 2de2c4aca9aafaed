// SPDX-License-Identifier: Apache-2.0
// Purpose: one bound session with its connection: carries out what the Session says, cuts and decodes
// what the peer sends, packs what leaves. Used by: SmppChannel. Threads: the loop's.
// Ownership: owns its Session and Transport; the settings, the TLS context and the loop outlive it.
// Handlers may submit, answer and unbind, but not destroy the Line. Errors: end in handlers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "connectors/channels/smpp/pdu.hpp"
#include "connectors/channels/smpp/session.hpp"
#include "connectors/channels/smpp/settings.hpp"
#include "connectors/channels/smpp/transport.hpp"
#include "connectors/protocol/log.hpp"
#include "connectors/protocol/loop.hpp"

namespace postern::smpp {

class Line {
 public:
  // Something for the audit log, see wire.proto's Observation.
  enum class Seen { bound, unbound, tls_refused, protocol_error };

  struct Handlers {
    std::function<void(const Action&)> answered;     // also late_answer
    std::function<void(Line&, const Pdu&)> inbound;  // answer it with answer_inbound()
    std::function<void(Line&)> changed;              // bound, lost, slowed down or ended
    std::function<void(Seen, std::string_view reason, const std::string& object)> seen;
  };

  Line(Loop& loop, const Settings& settings, SSL_CTX* tls, std::size_t index, std::uint32_t seed, Handlers handlers);

  void start();
  void unbind();  // changed() tells when ended()

  bool bound() const { return session_.bound(); }
  bool ended() const { return session_.ended(); }
  bool submitting() const { return session_.submitting(); }
  bool can_submit(std::int64_t now) const { return session_.can_submit(now); }
  std::size_t outstanding() const { return session_.outstanding(); }
  std::int64_t retry_at() const { return session_.retry_at(); }
  const std::string& last_trouble() const { return trouble_; }  // for health: "ESME_RINVPASWD"

  // Queues one submit_sm; flush() lets what was queued leave together. Errors: it cannot be packed.
  Status submit(const SubmitSm& submit, std::uint64_t ticket, std::int64_t now);
  void flush();

  void slow_down(std::uint32_t status);
  void reconnect(std::string_view reason);

  // `epoch` names the connection on which the PDU came: an answer for an older one is dropped and gives
  // false, as SMPP has no way to give it any more. The peer then sends the PDU again.
  std::uint64_t epoch() const { return epoch_; }
  bool answer_inbound(std::uint64_t epoch, std::uint32_t command, std::uint32_t sequence, std::uint32_t status);

 private:
  void run_actions(const Pdu* pdu);
  void carry_out(const Action& action, const Pdu* pdu);
  void open();
  void close(std::string_view reason);
  void bind(std::uint32_t sequence);
  std::size_t on_data(ByteView stream);
  void on_fault(const Fault& fault);
  void on_flood(const Pdu& pdu);
  void on_closed(const Transport::Closed& why);
  void rearm();
  Transport::Peer peer() const;
  std::string name() const;

  Loop& loop_;
  const Settings& settings_;
  SSL_CTX* tls_;
  std::size_t index_, turn_ = 0;
  Handlers handlers_;
  Session session_;
  std::unique_ptr<Transport> transport_;
  Timer timer_;
  Bytes batch_;  // packed in this turn, not yet given to the transport
  std::vector<Action> actions_;
  bool running_ = false;  // inside run_actions()
  bool reading_ = false;  // inside on_data()
  std::uint64_t epoch_ = 0;
  std::size_t inbound_open_ = 0;  // inbound PDUs of this epoch without an answer
  bool was_bound_ = false;
  std::string trouble_;
  log::LogLimit odd_log_, fault_log_, stray_log_;
};

}  // namespace postern::smpp
