// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/rows.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "gateway/store/sqlite.hpp"

namespace postern::store {
namespace {

void put(std::uint8_t*& at, std::uint64_t v) {
  for (int shift = 56; shift >= 0; shift -= 8) *at++ = static_cast<std::uint8_t>(v >> shift);
}

}  // namespace

Row row_of(const FlightRow& row) { return {Table::flight, row.key, 0, {}, {word_of(row.queue), row.lane, row.wake_ms}, {}, row.data}; }
Row row_of(const Batch::Content& row, Table table) { return {table, row.key, 0, {}, {}, {}, row.sealed}; }
Row row_of(const PersonRow& row) { return {Table::person, static_cast<std::int64_t>(row.person), 0, {}, {}, {}, row.wrapped}; }
Row row_of(const BranchRow& row) { return {Table::branch, static_cast<std::int64_t>(row.id), 0, {}, {}, {}, row.wrapped}; }
Row row_of(const IdempotencyRow& row) {
  return {Table::idempotency, row.client, 0, row.hash, {row.key, static_cast<std::int64_t>(row.random), 0}, {}, row.fingerprint};
}
Row row_of(const ProviderRow& row) {
  return {Table::provider, row.connector, 0, as_bytes(row.id), {row.key, row.attempt, row.all_parts ? kAllParts : row.part}, {}, {}};
}
Row row_of(std::int64_t number, const ParkedRow& row) { return {Table::parked, number, 0, {}, {row.connector, row.at_ms, 0}, as_bytes(row.id), row.data}; }
Row event_row(ClientId client, std::uint64_t sequence) { return {Table::event, client, static_cast<std::int64_t>(sequence), {}, {}, {}, {}}; }
Row conversation_row(std::uint64_t pseudonym, MessageKey key) {
  return {Table::conversation, static_cast<std::int64_t>(pseudonym), 0, {}, {key, 0, 0}, {}, {}};
}
Row cursor_row(ConnectorId connector, std::uint64_t sequence) {
  return {Table::cursor, connector, 0, {}, {static_cast<std::int64_t>(sequence), 0, 0}, {}, {}};
}
Row place_row(const Batch::Place& place) { return {Table::place, word_of(place.queue, place.lane), place.key, {}, {}, {}, {}}; }
Row row_of(const SightingRow& row) {
  return {Table::sighting, static_cast<std::int64_t>(row.person), row.key, {}, {row.at_ms, word_of(row), row.weight}, {}, row.digest};
}
Row row_of(const RecipientRow& row) { return {Table::recipient, static_cast<std::int64_t>(row.person), 0, {}, {}, {}, row.sealed}; }
Row kept_row(Kept what, ByteView data) { return {Table::kept, static_cast<std::int64_t>(what), 0, {}, {}, {}, data}; }
Row journey_row(const Batch::Journey& journey) { return {Table::journey, static_cast<std::int64_t>(journey.person), journey.key, {}, {}, {}, {}}; }
Row name_row(std::uint16_t id, std::string_view name) { return {Table::name, id, 0, {}, {}, as_bytes(name), {}}; }

const char* columns_of(Table table) {
  switch (table) {
    case Table::flight: return "k, queue, lane, wake, data";
    case Table::content: return "k, sealed";
    case Table::idempotency: return "client, hash, k, random, fingerprint";
    case Table::provider: return "connector, id, k, attempt, part";
    case Table::parked: return "n, connector, id, at, data";
    case Table::event: return "client, seq";
    case Table::conversation: return "who, k";
    case Table::cursor: return "connector, seq";
    case Table::name: return "id, name";
    case Table::content_key: return "k, wrapped";
    case Table::person: return "id, wrapped";
    case Table::place: return "place, k";
    case Table::journey: return "person, k";
    case Table::sighting: return "person, k, at, who, weight, digest";
    case Table::recipient: return "person, sealed";
    case Table::kept: return "id, data";
    case Table::branch: return "id, wrapped";
  }
  return "";
}

const char* name_of(Table table) {
  switch (table) {
    case Table::flight: return "flight";
    case Table::content: return "content";
    case Table::idempotency: return "idempotency";
    case Table::provider: return "provider";
    case Table::parked: return "parked";
    case Table::event: return "event";
    case Table::conversation: return "conversation";
    case Table::cursor: return "cursor";
    case Table::name: return "name";
    case Table::content_key: return "content_key";
    case Table::person: return "person";
    case Table::place: return "place";
    case Table::journey: return "journey";
    case Table::sighting: return "sighting";
    case Table::recipient: return "recipient";
    case Table::kept: return "kept";
    case Table::branch: return "branch";
  }
  return "";
}

const char* key_of(Table table) {
  switch (table) {
    case Table::flight:
    case Table::content:
    case Table::content_key: return "k";
    case Table::idempotency: return "client, hash";
    case Table::provider: return "connector, id";
    case Table::parked: return "n";
    case Table::event: return "client, seq";
    case Table::place: return "place, k";
    case Table::journey:
    case Table::sighting: return "person, k";
    case Table::conversation: return "who";
    case Table::cursor: return "connector";
    case Table::name:
    case Table::kept:
    case Table::branch:
    case Table::person: return "id";
    case Table::recipient: return "person";
  }
  return "";
}

Row row_of(Table table, const Statement& s) {
  Row row;
  row.table = table;
  row.number = s.integer(0);
  switch (table) {
    case Table::flight:
      row.values = {s.is_null(1) ? kNoQueue : s.integer(1), s.integer(2), s.is_null(3) ? 0 : s.integer(3)};
      row.data = s.view(4);
      break;
    case Table::content:
    case Table::content_key:
    case Table::recipient:
    case Table::kept:
    case Table::branch:
    case Table::person: row.data = s.view(1); break;
    case Table::idempotency:
      row.tail = s.view(1);
      row.values = {s.integer(2), s.integer(3), 0};
      row.data = s.view(4);
      break;
    case Table::provider:
      row.tail = s.view(1);
      row.values = {s.integer(2), s.integer(3), s.integer(4)};
      break;
    case Table::parked:
      row.values = {s.integer(1), s.integer(3), 0};
      row.text = s.view(2);
      row.data = s.view(4);
      break;
    case Table::event:
    case Table::place:
    case Table::journey: row.second = s.integer(1); break;
    case Table::sighting:
      row.second = s.integer(1);
      row.values = {s.integer(2), s.integer(3), s.integer(4)};
      row.data = s.view(5);
      break;
    case Table::conversation:
    case Table::cursor: row.values = {s.integer(1), 0, 0}; break;
    case Table::name: row.text = s.view(1); break;
  }
  return row;
}

bool Position::passed(const Row& row) const {
  const auto mine = std::tie(table, number, second);
  const auto theirs = std::tie(row.table, row.number, row.second);
  if (mine != theirs) return theirs < mine;
  return !std::ranges::lexicographical_compare(tail, row.tail);
}

// Everything of fixed length in front; the lengths of the rest make the whole unambiguous.
StateSum value_of(const Secret& key, const Row& row) {
  constexpr std::size_t kHead = 1 + 7 * 8;
  const std::size_t size = kHead + row.tail.size() + row.text.size() + row.data.size();
  std::array<std::uint8_t, 1024> small;
  Bytes large;
  if (size > small.size()) large.resize(size);
  std::uint8_t* const begin = large.empty() ? small.data() : large.data();
  std::uint8_t* at = begin;
  *at++ = static_cast<std::uint8_t>(row.table);
  put(at, static_cast<std::uint64_t>(row.number));
  put(at, static_cast<std::uint64_t>(row.second));
  for (const std::int64_t value : row.values) put(at, static_cast<std::uint64_t>(value));
  put(at, row.tail.size());
  put(at, row.text.size());
  for (const ByteView part : {row.tail, row.text, row.data}) at = std::copy(part.begin(), part.end(), at);
  std::array<std::uint8_t, crypto_shorthash_siphashx24_BYTES> out{};
  crypto_shorthash_siphashx24(out.data(), begin, size, key.bytes().data());
  return *decode_sum(out);
}

void encode(const StateSum& sum, Bytes& out) {
  ByteWriter to(out);
  to.u64(sum.high);
  to.u64(sum.low);
}

std::optional<StateSum> decode_sum(ByteView bytes) {
  ByteReader in(bytes);
  StateSum sum;
  sum.high = in.u64();
  sum.low = in.u64();
  if (!in.finish()) return std::nullopt;
  return sum;
}

}  // namespace postern::store
