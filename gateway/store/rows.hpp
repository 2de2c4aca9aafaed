// SPDX-License-Identifier: Apache-2.0
// Purpose: rows as the state sum sees them, and the sum itself: one number over everything that the store
// holds, so that a row that was changed, removed, added or put back behind the store's back does not go
// unnoticed. Used by: the store's implementations. Threads: plain values.
// Claim and format: crypto/DESIGN.md, "State sum". Errors: none.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"
#include "gateway/store/store.hpp"

namespace postern::store {

class Statement;

// Numbers stand in the sum: they never change their meaning.
enum class Table : std::uint8_t { flight = 1, content, idempotency, provider, parked, event, conversation, cursor, name, content_key, person, place, journey, sighting, recipient, kept, branch };
inline constexpr std::array<Table, 17> kTables{Table::flight, Table::content, Table::idempotency, Table::provider, Table::parked,
                                              Table::event,  Table::conversation, Table::cursor, Table::name,
                                               Table::content_key, Table::person, Table::place, Table::journey, Table::sighting,
                                               Table::recipient, Table::kept, Table::branch};

// One row: its key is (number, second, tail), of which each table uses what it needs, and orders its rows by; the rest is
// what the row says. Views are not owned.
struct Row {
  Table table = Table::flight;
  std::int64_t number = 0, second = 0;
  ByteView tail;
  std::array<std::int64_t, 3> values{};
  ByteView text, data;
};

Row row_of(const FlightRow& row);
Row row_of(const Batch::Content& row, Table table = Table::content);   // or content_key
Row row_of(const PersonRow& row);
Row row_of(const BranchRow& row);
Row row_of(const IdempotencyRow& row);
Row row_of(const ProviderRow& row);
Row row_of(std::int64_t number, const ParkedRow& row);
Row event_row(ClientId client, std::uint64_t sequence);
Row conversation_row(std::uint64_t pseudonym, MessageKey key);
Row cursor_row(ConnectorId connector, std::uint64_t sequence);
Row place_row(const Batch::Place& place);
Row row_of(const SightingRow& row);
Row row_of(const RecipientRow& row);
Row kept_row(Kept what, ByteView data);
Row journey_row(const Batch::Journey& journey);
Row name_row(std::uint16_t id, std::string_view name);

// The columns of a table in the order in which row_of() reads them, its name, and the columns of its key.
const char* columns_of(Table table);
const char* name_of(Table table);
const char* key_of(Table table);
// The row under a statement that selected columns_of(table); its views live until the statement is stepped again.
Row row_of(Table table, const Statement& statement);

// What a flight's `queue` and a provider id's `part` are on disk.
inline constexpr std::int64_t kNoQueue = -1;
inline constexpr std::uint8_t kAllParts = 255;
inline std::int64_t word_of(Queue queue) { return queue.connector == 0 ? kNoQueue : queue.connector * 2 + (queue.handed ? 1 : 0); }

// What a further place is on disk: the queue and the lane in one number.
inline std::int64_t word_of(Queue queue, std::uint8_t lane) { return word_of(queue) * 8 + lane; }

// What a sighting's category and client are on disk.
inline std::int64_t word_of(const SightingRow& row) { return static_cast<std::int64_t>(row.category) << 16 | row.client; }

// A place in the order of all rows: a walk has passed a row that is not greater.
struct Position {
  Table table = Table::flight;
  std::int64_t number = INT64_MIN, second = INT64_MIN;
  Bytes tail;

  bool passed(const Row& row) const;
};

// The value of one row: a pseudo-random function of all of it, under the first 16 bytes of the sum's key: SipHash-2-4 with 128 bits.
// Nobody sees a value or a sum without the keys that could change the store anyway, and at the size of our rows it costs a quarter
// of keyed BLAKE2b.
StateSum value_of(const Secret& key, const Row& row);

// A sum as it stands in the store and in leaves: 16 bytes, big-endian.
inline constexpr std::size_t kSumBytes = 16;
void encode(const StateSum& sum, Bytes& out);
std::optional<StateSum> decode_sum(ByteView bytes);

// Values of flights that were read or written lately, so that changing one needs no second look at its old row. Bounded; a
// value that is not here is computed from the row. 1.5 MiB.
class ValueMemo {
 public:
  const StateSum* find(MessageKey key) const {
    const Slot& slot = slots_[place_of(key)];
    return slot.key == key ? &slot.value : nullptr;
  }
  void keep(MessageKey key, const StateSum& value) { slots_[place_of(key)] = {key, value}; }
  void drop(MessageKey key) {
    if (Slot& slot = slots_[place_of(key)]; slot.key == key) slot.key = 0;
  }
  void clear() { slots_.assign(kSlots, {}); }

 private:
  struct Slot {
    MessageKey key = 0;
    StateSum value;
  };
  static constexpr std::size_t kSlots = 65'536;
  static std::size_t place_of(MessageKey key) { return static_cast<std::size_t>((static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15ULL) >> 48); }
  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
};

}  // namespace postern::store
