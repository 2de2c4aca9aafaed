// SPDX-License-Identifier: Apache-2.0
// Purpose: the contract of the durable store. One turn of the vault reads what it needs and then
// commits one Batch: message rows, states, idempotency keys and audit leaves become durable together
// or not at all. Used by: the vault. Implementations: embedded (SQLCipher), and one in memory
// for the simulator and tests; one contract test suite (tests/contract/store_contract.hpp) runs on each.
// Threads: the thread that opened it. Ownership: values.
// Errors: reading errors are returned; a failed commit leaves the store as it was before the batch,
// and the caller must drop what it holds of that batch. A failed sync is never tried again: the store
// answers every later call with an error and the process must start anew.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

// A sum over rows, modulo 2^64 in each of its two lanes; the order of the rows does not matter.
struct StateSum {
  std::uint64_t high = 0, low = 0;
  StateSum& operator+=(const StateSum& other) { high += other.high, low += other.low; return *this; }
  StateSum& operator-=(const StateSum& other) { high -= other.high, low -= other.low; return *this; }
  bool operator==(const StateSum&) const = default;
};

// What the store says of itself, as of its last commit.
struct State {
  std::uint64_t generation = 0;  // one more with every commit
  StateSum sum;                  // over every row except leaves, which the audit tree covers, under the sum's key
  bool suspect = false;          // a scrub found that the store was altered behind its back
};

// Rows that belong to a message of key `message`.
struct Orphans {
  struct Idempotency {
    ClientId client;
    std::array<std::uint8_t, 16> hash;
    MessageKey message;
  };
  struct Provider {
    ConnectorId connector;
    std::string id;
    MessageKey message;
  };
  struct Conversation {
    std::uint64_t pseudonym;
    MessageKey message;
  };
  std::vector<Idempotency> idempotency;
  std::vector<Provider> providers;
  std::vector<Conversation> conversations;

  bool empty() const { return idempotency.empty() && providers.empty() && conversations.empty(); }
};
// Where a walk for orphans stands; begins with the default.
struct OrphanPlace {
  int table = 0;
  std::int64_t number = INT64_MIN;
  Bytes tail;
  bool done = false;
};

// The key of a person who has one beside the tree of keys, wrapped by the ring.
struct PersonRow {
  std::uint64_t person = 0;
  Bytes wrapped;
};

// A branch of the tree of persons' keys (crypto/key_tree.hpp), wrapped by the ring.
struct BranchRow {
  std::uint64_t id = 0;         // below 2^61
  Bytes wrapped;
};

// That a message has reached out to a person, for the caps of the policy. Once for each message.
struct SightingRow {
  std::uint64_t person = 0;
  MessageKey key = 0;
  TimeMs at_ms = 0;
  Category category = Category::service;
  ClientId client = 0;
  std::uint32_t weight = 1;
  Bytes digest{};               // keyed, of what it said, by which a second one is known as the same; empty: nobody asks
};

// What the gateway knows of a person beside messages: addresses, preferences, consents.
struct RecipientRow {
  std::uint64_t person = 0;
  Bytes sealed;
};

// Small state of which there is one of each kind. Numbers stand in the store: they never change their meaning.
enum class Kept : std::uint8_t {
  velocity = 1,                 // what the guard against pumping has learned
  halts = 2,                    // what administrators have halted
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
  std::vector<BranchRow> branches;             // the same
  std::vector<std::uint64_t> erased_persons;   // with their sightings, journeys and recipient rows
  std::vector<RecipientRow> recipients;        // new ones, and ones that changed
  std::vector<std::uint64_t> dropped_recipients;
  std::vector<std::pair<Kept, Bytes>> kept;    // in place of what was kept
  std::vector<FlightRow> inserts, updates;
  // Further places of a message that stands in several queues at a time; its row holds the first.
  struct Place {
    MessageKey key;
    Queue queue;
    std::uint8_t lane;
  };
  std::vector<Place> places, dropped_places;
  // Messages of a person that an event of the bank's systems may end.
  struct Journey {
    std::uint64_t person;
    MessageKey key;
  };
  std::vector<Journey> journeys, dropped_journeys;
  std::vector<SightingRow> sightings, dropped_sightings;
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
  // Retention. A message goes with its content, and only if it has ended; one that is not there is no fault.
  std::vector<MessageKey> purged;
  std::vector<std::pair<ClientId, std::uint64_t>> purged_events;
  Orphans purged_orphans;
  std::uint64_t generation_above = 0;   // the commit's generation is greater than this: the store goes on after an accepted roll-back
  std::optional<bool> suspect;
  std::optional<StateSum> sum_before;   // what the rows add up to as they are, without this batch: after an accepted alteration

  // Empty again; the longest lists, which each turn fills, keep their memory.
  void clear() {
    Batch fresh;
    const auto keep = [](auto& old, auto& in) { old.clear(), in.swap(old); };
    keep(contents, fresh.contents);
    keep(persons, fresh.persons);
    keep(inserts, fresh.inserts);
    keep(updates, fresh.updates);
    keep(idempotency, fresh.idempotency);
    keep(providers, fresh.providers);
    keep(leaves, fresh.leaves);
    keep(events, fresh.events);
    *this = std::move(fresh);
  }
  bool empty() const {
    return contents.empty() && content_keys.empty() && dropped_contents.empty() && persons.empty() && branches.empty() && erased_persons.empty() && recipients.empty() && dropped_recipients.empty() && kept.empty() && inserts.empty() &&
           updates.empty() && places.empty() && dropped_places.empty() && journeys.empty() && dropped_journeys.empty() && sightings.empty() && dropped_sightings.empty() && idempotency.empty() && providers.empty() && parked.empty() && unparked.empty() && drop_parked_before == 0 && leaves.empty() &&
           events.empty() && cursors.empty() && conversations.empty() && names.empty() && purged.empty() && purged_events.empty() && purged_orphans.empty() &&
           generation_above == 0 && !suspect && !sum_before;
  }
};

// The store as it was at one instant, as bytes: written to a file, they are that store. While it lives the store goes on,
// and keeps what is new beside the old. Ends before its store does.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual std::uint64_t size() const = 0;
  // Fills `out` from `offset`; all of it lies within size().
  virtual Status read(std::uint64_t offset, std::span<std::uint8_t> out) = 0;
};

// What an error begins with that says that an old copy was put back.
inline constexpr std::string_view kRolledBack = "rolled back: ";

class Store {
 public:
  virtual ~Store() = default;

  virtual Status commit(const Batch& batch) = 0;
  // Folds the journal into the file and empties it, so that no older version of a row stands in it. Errors: a snapshot is being
  // read; the disk.
  virtual Status fold() = 0;
  // False after a failed sync: the process must end and start anew.
  virtual bool usable() const = 0;
  // The last commit failed because the disk is full.
  virtual bool full() const = 0;
  virtual State state() const = 0;

  virtual Result<std::optional<FlightRow>> load(MessageKey key) = 0;
  virtual Result<std::optional<Bytes>> content(MessageKey key) = 0;
  virtual Result<std::optional<Bytes>> content_key(MessageKey key) = 0;
  virtual Result<std::optional<Bytes>> person(std::uint64_t person) = 0;
  // Persons greater than `after`, in order; nothing for the beginning.
  virtual Result<std::vector<PersonRow>> persons(std::optional<std::uint64_t> after, std::size_t limit) = 0;
  virtual Result<std::optional<Bytes>> branch(std::uint64_t id) = 0;
  // Branches greater than `after`, in order.
  virtual Result<std::vector<BranchRow>> branches(std::uint64_t after, std::size_t limit) = 0;
  virtual Result<std::optional<IdempotencyRow>> idempotency(ClientId client, const std::array<std::uint8_t, 16>& hash) = 0;
  virtual Result<std::optional<ProviderRow>> provider(ConnectorId connector, const std::string& id) = 0;
  virtual Result<std::uint64_t> parked_count() = 0;
  virtual Result<std::vector<ParkedRow>> parked(ConnectorId connector, const std::string& id) = 0;
  virtual Result<std::optional<MessageKey>> conversation(std::uint64_t pseudonym) = 0;

  // Messages of this person that an event may end, oldest first.
  virtual Result<std::vector<MessageKey>> journeys(std::uint64_t person, std::size_t limit) = 0;

  // What has reached out to this person, in the order of the messages' keys.
  virtual Result<std::vector<SightingRow>> sightings(std::uint64_t person) = 0;

  virtual Result<std::optional<Bytes>> recipient(std::uint64_t person) = 0;
  virtual Result<bool> has_recipients() = 0;
  virtual Result<std::optional<Bytes>> kept(Kept what) = 0;

  // Flights whose wake time has come, earliest first.
  virtual Result<std::vector<FlightRow>> due(TimeMs now, std::size_t limit) = 0;
  virtual Result<std::optional<TimeMs>> next_due() = 0;
  // Flights of one lane in a connector's queue, by their row or by a further place, with a key greater than `after`, in key order.
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
  // Looks at `limit` rows and gives those that are older than `before` and whose message is not there any more.
  virtual Result<Orphans> orphans(OrphanPlace& place, MessageKey before, std::size_t limit) = 0;

  // ---- scrub: every row is read again, in pieces, while commits go on between the pieces ----
  // The sum over all rows as they are on the disk, to be held against state().sum when done. The first call after one that
  // was done begins anew. Errors: a row or page that cannot be read, an index that does not fit its table.
  struct Recount {
    bool done = false;
    std::uint64_t rows = 0;      // so far
    StateSum sum;                // valid when done
  };
  virtual Result<Recount> recount(std::size_t rows) = 0;
  // Checks what holds the rows, whether anything reads it or not: pages and their codes. Errors: the first that does not hold.
  struct MediaCheck {
    bool done = false;
    std::uint64_t checked = 0;   // bytes so far
  };
  virtual Result<MediaCheck> check_media(std::size_t bytes) = 0;

  // Gives up to `bytes` that deleted rows have left back to the file system.
  struct Compaction {
    std::uint64_t freed = 0, left = 0;   // bytes
  };
  virtual Result<Compaction> compact(std::size_t bytes) = 0;

  // Errors: one is being taken already; the disk.
  virtual Result<std::unique_ptr<Snapshot>> snapshot() = 0;
  // One lives: nothing can be folded.
  virtual bool snapshot_taken() const = 0;
};

}  // namespace postern::store
