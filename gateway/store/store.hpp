// SPDX-License-Identifier: Apache-2.0
// Purpose: the contract of the durable store. One turn of the vault reads what it needs and then
// commits one Batch: message rows, states, idempotency keys and audit leaves become durable together
// or not at all. Used by: the vault. Implementations: embedded (SQLCipher); one contract test suite
// (tests/contract/store_contract.hpp) runs on each.
// Threads: the thread that opened it. Ownership: values.
// Errors: reading errors are returned; a failed commit leaves the store as it was before the batch,
// and the caller must drop what it holds of that batch. A failed sync is never tried again: the store
// answers every later call with an error and the process must start anew.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/result.hpp"
#include "gateway/domain/flight.hpp"

namespace postern::store {

struct FlightRow {
  MessageKey key = 0;
  Queue queue;
  std::uint8_t lane = 0;
  TimeMs wake_ms = 0;           // 0: none
  Bytes data;                   // encode(Flight)
};

struct IdempotencyRow {
  ClientId client = 0;
  std::array<std::uint8_t, 16> hash{};
  MessageKey key = 0;
  std::uint64_t random = 0;     // the rest of the message's id
  std::array<std::uint8_t, 16> fingerprint{};
};

// A provider's id of one part of one attempt, by which receipts find their message.
struct ProviderRow {
  ConnectorId connector = 0;
  std::string id;
  MessageKey key = 0;
  std::uint8_t attempt = 0;     // index
  std::uint8_t part = 0;
  bool all_parts = false;       // the id stands for the whole attempt
};

// A receipt or reply that came before the result that names its provider id.
struct ParkedRow {
  ConnectorId connector = 0;
  std::string id;
  TimeMs at_ms = 0;
  Bytes data;
};

// A person's key, wrapped by the ring.
struct PersonRow {
  std::uint64_t person = 0;
  Bytes wrapped;
};

struct Batch {
  struct Content {
    MessageKey key;
    Bytes sealed;
  };
  std::vector<Content> contents;
  std::vector<Content> content_keys;           // of contents that have a key of their own, wrapped
  std::vector<MessageKey> dropped_contents;    // with their keys
  std::vector<PersonRow> persons;              // new ones, and ones wrapped anew
  std::vector<std::uint64_t> erased_persons;
  std::vector<FlightRow> inserts, updates;
  std::vector<IdempotencyRow> idempotency;
  std::vector<ProviderRow> providers;
  std::vector<ParkedRow> parked;
  std::vector<std::pair<ConnectorId, std::string>> unparked;
  TimeMs drop_parked_before = 0;  // 0: none
  struct LeafRow {
    std::uint64_t sequence;
    const Bytes* data;          // valid during commit()
  };
  std::vector<LeafRow> leaves;
  Bytes audit_mark;             // empty: unchanged
  std::vector<std::pair<ClientId, std::uint64_t>> events;       // client, leaf sequence + 1 (the cursor)
  std::vector<std::pair<ConnectorId, std::uint64_t>> cursors;   // pull sources: events dealt with
  std::vector<std::pair<std::uint64_t, MessageKey>> conversations;  // pseudonym of an address -> last message that awaits a reply
  std::vector<std::pair<std::uint16_t, std::string>> names;     // new small numbers of configured names

  bool empty() const {
    return contents.empty() && content_keys.empty() && dropped_contents.empty() && persons.empty() && erased_persons.empty() && inserts.empty() && updates.empty() && idempotency.empty() && providers.empty() && parked.empty() &&
           unparked.empty() && drop_parked_before == 0 && leaves.empty() && events.empty() && cursors.empty() && conversations.empty() && names.empty();
  }
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Status commit(const Batch& batch) = 0;
  // Folds the journal into the file and empties it, so that no older version of a row stands in it.
  virtual Status fold() = 0;
  // False after a failed sync: the process must end and start anew.
  virtual bool usable() const = 0;

  virtual Result<std::optional<FlightRow>> load(MessageKey key) = 0;
  virtual Result<std::optional<Bytes>> content(MessageKey key) = 0;
  virtual Result<std::optional<Bytes>> content_key(MessageKey key) = 0;
  virtual Result<std::optional<Bytes>> person(std::uint64_t person) = 0;
  // Persons greater than `after`, in order; nothing for the beginning.
  virtual Result<std::vector<PersonRow>> persons(std::optional<std::uint64_t> after, std::size_t limit) = 0;
  virtual Result<std::optional<IdempotencyRow>> idempotency(ClientId client, const std::array<std::uint8_t, 16>& hash) = 0;
  virtual Result<std::optional<ProviderRow>> provider(ConnectorId connector, const std::string& id) = 0;
  virtual Result<std::uint64_t> parked_count() = 0;
  virtual Result<std::vector<ParkedRow>> parked(ConnectorId connector, const std::string& id) = 0;
  virtual Result<std::optional<MessageKey>> conversation(std::uint64_t pseudonym) = 0;

  // Flights whose wake time has come, earliest first.
  virtual Result<std::vector<FlightRow>> due(TimeMs now, std::size_t limit) = 0;
  virtual Result<std::optional<TimeMs>> next_due() = 0;
  // Flights of one lane in a connector's queue with a key greater than `after`, in key order.
  virtual Result<std::vector<FlightRow>> queued(Queue queue, std::uint8_t lane, MessageKey after, std::size_t limit) = 0;

  // Audit leaves [from, from + count).
  virtual Result<std::vector<Bytes>> leaves(std::uint64_t from, std::size_t count) = 0;
  virtual Result<Bytes> audit_mark() = 0;                            // empty for a new store
  // Cursors (leaf sequence + 1) of a client's events after `after`.
  virtual Result<std::vector<std::uint64_t>> events(ClientId client, std::uint64_t after, std::size_t limit) = 0;
  virtual Result<std::uint64_t> cursor(ConnectorId connector) = 0;
  virtual Result<std::vector<std::pair<std::uint16_t, std::string>>> names() = 0;
  virtual Result<MessageKey> newest_key() = 0;                       // 0 for a new store
  virtual Result<std::uint64_t> waiting() = 0;                       // flights that have not ended

  // Flights with keys greater than `after`, in key order: searches page through all of them.
  virtual Result<std::vector<FlightRow>> scan(MessageKey after, std::size_t limit) = 0;
};

}  // namespace postern::store
