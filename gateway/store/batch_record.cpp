// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/batch_record.hpp"

#include <algorithm>
#include <concepts>
#include <type_traits>

namespace postern::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxBlob = 64 * 1024 * 1024;   // what one row holds is bounded far below

enum class Part : std::uint8_t {
  contents = 1,
  content_keys = 2,
  dropped_contents = 3,
  persons = 4,
  erased_persons = 5,
  recipients = 6,
  dropped_recipients = 7,
  kept = 8,
  inserts = 9,
  updates = 10,
  places = 11,
  dropped_places = 12,
  journeys = 13,
  dropped_journeys = 14,
  sightings = 15,
  dropped_sightings = 16,
  idempotency = 17,
  providers = 18,
  parked = 19,
  unparked = 20,
  events = 21,
  cursors = 22,
  conversations = 23,
  names = 24,
  purged = 25,
  purged_events = 26,
  orphan_idempotency = 27,
  orphan_providers = 28,
  orphan_conversations = 29,
  leaves = 30,
  audit_mark = 31,
  drop_parked_before = 32,
  generation_above = 33,
  suspect = 34,
  sum_before = 35,
  branches = 36,
};

// A field is written or read by the same description of its row, so that the two cannot differ.
class Writing {
 public:
  explicit Writing(Bytes& out) : out_(out) {}
  void operator()(std::unsigned_integral auto v) {
    if constexpr (sizeof v == 1) out_.u8(v);
    else if constexpr (sizeof v == 2) out_.u16(v);
    else if constexpr (sizeof v == 4) out_.u32(v);
    else out_.u64(v);
  }
  void operator()(std::int64_t v) { out_.i64(v); }
  void operator()(Category v) { out_.u8(static_cast<std::uint8_t>(v)); }
  void operator()(Kept v) { out_.u8(static_cast<std::uint8_t>(v)); }
  void operator()(const Bytes& v) { out_.view32(v); }
  void operator()(const std::string& v) { out_.view32(as_bytes(v)); }
  void operator()(const std::array<std::uint8_t, 16>& v) { out_.raw(ByteView(v)); }

 private:
  ByteWriter out_;
};

class Reading {
 public:
  explicit Reading(ByteReader& in) : in_(in) {}
  void operator()(std::unsigned_integral auto& v) {
    if constexpr (sizeof v == 1) v = in_.u8();
    else if constexpr (sizeof v == 2) v = in_.u16();
    else if constexpr (sizeof v == 4) v = in_.u32();
    else v = in_.u64();
  }
  void operator()(bool& v) { v = number(0, 1) == 1; }
  void operator()(std::int64_t& v) { v = in_.i64(); }
  void operator()(Category& v) { v = static_cast<Category>(number(static_cast<std::uint8_t>(kCategories.front()), static_cast<std::uint8_t>(kCategories.back()))); }
  void operator()(Kept& v) { v = static_cast<Kept>(in_.u8()); }
  void operator()(Bytes& v) {
    const ByteView bytes = in_.view32(kMaxBlob);
    v.assign(bytes.begin(), bytes.end());
  }
  void operator()(std::string& v) { v = as_text(in_.view32(kMaxBlob)); }
  void operator()(std::array<std::uint8_t, 16>& v) {
    const ByteView bytes = in_.view(v.size());
    std::ranges::copy(bytes, v.begin());
  }

 private:
  std::uint8_t number(std::uint8_t least, std::uint8_t most) {
    const std::uint8_t v = in_.u8();
    if (v < least || v > most) in_.spoil();
    return v;
  }
  ByteReader& in_;
};

// A row that is written is constant, one that is read is not.
template <class T, class Row>
concept Is = std::same_as<std::remove_const_t<T>, Row>;

void fields(auto& io, Is<Batch::Content> auto& row) { io(row.key), io(row.sealed); }
void fields(auto& io, Is<PersonRow> auto& row) { io(row.person), io(row.wrapped); }
void fields(auto& io, Is<BranchRow> auto& row) { io(row.id), io(row.wrapped); }
void fields(auto& io, Is<RecipientRow> auto& row) { io(row.person), io(row.sealed); }
void fields(auto& io, Is<Queue> auto& row) { io(row.connector), io(row.handed); }
void fields(auto& io, Is<FlightRow> auto& row) { io(row.key), fields(io, row.queue), io(row.lane), io(row.wake_ms), io(row.data); }
void fields(auto& io, Is<Batch::Place> auto& row) { io(row.key), fields(io, row.queue), io(row.lane); }
void fields(auto& io, Is<Batch::Journey> auto& row) { io(row.person), io(row.key); }
void fields(auto& io, Is<SightingRow> auto& row) { io(row.person), io(row.key), io(row.at_ms), io(row.category), io(row.client), io(row.weight), io(row.digest); }
void fields(auto& io, Is<IdempotencyRow> auto& row) { io(row.client), io(row.hash), io(row.key), io(row.random), io(row.fingerprint); }
void fields(auto& io, Is<ProviderRow> auto& row) { io(row.connector), io(row.id), io(row.key), io(row.attempt), io(row.part), io(row.all_parts); }
void fields(auto& io, Is<ParkedRow> auto& row) { io(row.connector), io(row.id), io(row.at_ms), io(row.data); }
void fields(auto& io, Is<Orphans::Idempotency> auto& row) { io(row.client), io(row.hash), io(row.message); }
void fields(auto& io, Is<Orphans::Provider> auto& row) { io(row.connector), io(row.id), io(row.message); }
void fields(auto& io, Is<Orphans::Conversation> auto& row) { io(row.pseudonym), io(row.message); }
void fields(auto& io, Is<StateSum> auto& row) { io(row.high), io(row.low); }
template <class First, class Second>
void fields(auto& io, std::pair<First, Second>& row) { io(row.first), io(row.second); }
template <class First, class Second>
void fields(auto& io, const std::pair<First, Second>& row) { io(row.first), io(row.second); }
void fields(auto& io, std::integral auto& number) { io(number); }

// Calls visit(part, rows) for each list of rows but the last, in the order of their numbers.
template <class B, class Visit>
void each_list(B& b, const Visit& visit) {
  visit(Part::contents, b.contents);
  visit(Part::content_keys, b.content_keys);
  visit(Part::dropped_contents, b.dropped_contents);
  visit(Part::persons, b.persons);
  visit(Part::erased_persons, b.erased_persons);
  visit(Part::recipients, b.recipients);
  visit(Part::dropped_recipients, b.dropped_recipients);
  visit(Part::kept, b.kept);
  visit(Part::inserts, b.inserts);
  visit(Part::updates, b.updates);
  visit(Part::places, b.places);
  visit(Part::dropped_places, b.dropped_places);
  visit(Part::journeys, b.journeys);
  visit(Part::dropped_journeys, b.dropped_journeys);
  visit(Part::sightings, b.sightings);
  visit(Part::dropped_sightings, b.dropped_sightings);
  visit(Part::idempotency, b.idempotency);
  visit(Part::providers, b.providers);
  visit(Part::parked, b.parked);
  visit(Part::unparked, b.unparked);
  visit(Part::events, b.events);
  visit(Part::cursors, b.cursors);
  visit(Part::conversations, b.conversations);
  visit(Part::names, b.names);
  visit(Part::purged, b.purged);
  visit(Part::purged_events, b.purged_events);
  visit(Part::orphan_idempotency, b.purged_orphans.idempotency);
  visit(Part::orphan_providers, b.purged_orphans.providers);
  visit(Part::orphan_conversations, b.purged_orphans.conversations);
}

}  // namespace

void encode(const Batch& batch, Bytes& out) {
  ByteWriter head(out);
  Writing io(out);
  head.u8(kVersion);
  const auto begin = [&head](Part part) { head.u8(static_cast<std::uint8_t>(part)); };
  const auto list = [&](Part part, const auto& rows) {
    if (rows.empty()) return;
    begin(part);
    head.u32(static_cast<std::uint32_t>(rows.size()));
    for (const auto& row : rows) fields(io, row);
  };
  each_list(batch, list);
  if (!batch.leaves.empty()) {
    begin(Part::leaves);
    head.u32(static_cast<std::uint32_t>(batch.leaves.size()));
    for (const Batch::LeafRow& leaf : batch.leaves) io(leaf.sequence), io(*leaf.data);
  }
  if (!batch.audit_mark.empty()) begin(Part::audit_mark), io(batch.audit_mark);
  if (batch.drop_parked_before != 0) begin(Part::drop_parked_before), io(batch.drop_parked_before);
  if (batch.generation_above != 0) begin(Part::generation_above), io(batch.generation_above);
  if (batch.suspect) begin(Part::suspect), io(*batch.suspect);
  if (batch.sum_before) begin(Part::sum_before), fields(io, *batch.sum_before);
  list(Part::branches, batch.branches);
}

std::optional<ReadBatch> decode_batch(ByteView bytes) {
  ByteReader in(bytes);
  Reading io(in);
  ReadBatch read;
  Batch& batch = read.batch;
  if (in.u8() != kVersion) return std::nullopt;
  int last = 0;
  while (in.ok() && in.left() > 0) {
    const int number = in.u8();
    if (number <= last) return std::nullopt;
    last = number;
    bool known = false;
    const auto is = [number, &known](Part part) {
      const bool it_is = static_cast<int>(part) == number;
      known = known || it_is;
      return it_is;
    };
    // What is empty is not written.
    const auto count = [&in] {
      const std::uint32_t rows = in.u32();
      if (rows == 0) in.spoil();
      return rows;
    };
    const auto some = [&in](bool there) {
      if (!there) in.spoil();
    };
    const auto list = [&](Part part, auto& rows) {
      if (is(part))
        for (std::uint32_t left = count(); left > 0 && in.ok(); --left) fields(io, rows.emplace_back());
    };
    each_list(batch, list);
    if (is(Part::leaves))
      for (std::uint32_t left = count(); left > 0 && in.ok(); --left) {
        Batch::LeafRow& leaf = batch.leaves.emplace_back();
        leaf.data = &read.leaves.emplace_back();
        io(leaf.sequence), io(read.leaves.back());
      }
    if (is(Part::audit_mark)) io(batch.audit_mark), some(!batch.audit_mark.empty());
    if (is(Part::drop_parked_before)) io(batch.drop_parked_before), some(batch.drop_parked_before != 0);
    if (is(Part::generation_above)) io(batch.generation_above), some(batch.generation_above != 0);
    if (is(Part::suspect)) io(batch.suspect.emplace());
    if (is(Part::sum_before)) fields(io, batch.sum_before.emplace());
    list(Part::branches, batch.branches);
    if (!known) return std::nullopt;
  }
  return in.finish() ? std::optional(std::move(read)) : std::nullopt;
}

}  // namespace postern::store
