// SPDX-License-Identifier: Apache-2.0
// Purpose: what an SMS centre brings: delivery receipts become wire::Receipt, customers' messages become
// wire::Reply, and each PDU is answered only when the vault has made it durable. Used by: SmppChannel.
// Threads: one; times are given. Ownership: the handlers' owner outlives it.
// Errors: what nobody can use (a receipt without an id, a binary message, a message to a port) is answered
// as taken, so that the SMS centre does not repeat it for ever, and counted.
// Limits: parts of a long message wait for each other, see Joiner; the parts' answers wait kHoldMs at
// most, because some SMS centres send the next part only after the answer to the last. From then until the
// message is whole its parts live in memory alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/channels/smpp/frame.hpp"
#include "connectors/channels/smpp/joiner.hpp"
#include "connectors/channels/smpp/settings.hpp"
#include "connectors/protocol/wire.pb.h"

namespace postern::smpp {

class Inbox {
 public:
  static constexpr std::int64_t kHoldMs = 2'000;

  // Where an answer goes: the session, its connection, and the request.
  struct Origin {
    std::size_t line = 0;
    std::uint64_t epoch = 0;
    std::uint32_t command = 0, sequence = 0;
  };
  struct Handlers {
    std::function<void(wire::Receipt&&, std::function<void()> durable)> receipt;
    std::function<void(wire::Reply&&, std::function<void()> durable)> reply;
    // False when the connection is gone: the peer will send the PDU again.
    std::function<bool(const Origin&)> taken;
    // Something was dropped: "receipt-without-id", "binary", "port".
    std::function<void(std::string_view reason)> dropped;
  };
  // Milliseconds: `steady` for waiting, `wall` for the record.
  struct Now {
    std::int64_t steady = 0, wall = 0;
  };

  Inbox(const Settings& settings, Handlers handlers);

  // One deliver_sm or data_sm.
  void take(const Pdu& pdu, const Origin& origin, Now now);
  // Call about once a second.
  void tick(Now now);
  // Gives out unfinished messages: the process is about to end.
  void flush(Now now);
  bool idle() const { return joiner_.waiting() == 0; }

 private:
  struct Held {
    Origin origin;
    std::int64_t deadline = 0;
  };
  // A message whose answer may not have reached the peer: the same one again has the same id.
  struct Seen {
    std::string id;
    std::int64_t until = 0;
  };

  void take_receipt(const DeliveryReceipt& receipt, const Origin& origin);
  void take_message(const Pdu& pdu, const Origin& origin, Now now);
  void give(std::vector<Joiner::Joined>& joined, Now now);
  void reply(const Joiner::Joined& message, std::vector<Origin> origins, Now now);
  std::string id_of(const Joiner::Joined& message, Now now, std::string& content);

  const Settings& settings_;
  Handlers handlers_;
  Joiner joiner_;
  std::uint64_t next_tag_ = 1;
  std::unordered_map<std::uint64_t, Held> held_;  // by the tag of a waiting part
  std::unordered_map<std::string, Seen> seen_;    // by a hash of the content
};

}  // namespace postern::smpp
