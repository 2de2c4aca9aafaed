// SPDX-License-Identifier: Apache-2.0
#include "gateway/audit/log.hpp"

#include <algorithm>

namespace postern::audit {
namespace {

Place place_of(std::uint64_t sequence) { return {"leaf", "body", sequence, 1}; }

}  // namespace

std::uint64_t Log::append(Leaf leaf, const Body& body, std::int64_t utc_us, std::uint64_t steady_us, const FieldKey* person) {
  leaf.utc_us = utc_us;
  leaf.steady_us = steady_us;
  if (!body.empty()) {
    const Place place = place_of(mark_.tree.size());
    leaf.body_kind = person == nullptr ? BodyKind::log : BodyKind::person;
    leaf.body = person == nullptr ? keys_.seal(Purpose::audit_body, place, encode(body)) : person->seal(keys_, Purpose::audit_body, place, encode(body));
  }
  return add(std::move(leaf));
}

std::uint64_t Log::append_open(Leaf leaf, const Body& body, std::int64_t utc_us, std::uint64_t steady_us) {
  leaf.utc_us = utc_us;
  leaf.steady_us = steady_us;
  leaf.body_kind = BodyKind::open;
  leaf.body = encode(body);
  return add(std::move(leaf));
}

std::uint64_t Log::add(Leaf&& leaf) {
  leaf.sequence = mark_.tree.size();
  leaf.epoch = mark_.epoch;
  leaf.previous = mark_.previous;
  // A clock that was set back must not turn the log's order around.
  leaf.utc_us = mark_.utc_us = std::max(leaf.utc_us, mark_.utc_us);
  if (leaf.type == EventType::epoch_begun) ++mark_.epoch;
  Entry entry{leaf.sequence, encode(leaf), {}};
  entry.hash = leaf_hash(entry.leaf);
  mark_.tree.append(entry.hash);
  mark_.previous = entry.hash;
  fresh_.push_back(std::move(entry));
  return leaf.sequence;
}

std::optional<Body> Log::open(const Leaf& leaf) const {
  if (leaf.body_kind == BodyKind::none) return Body{};
  if (leaf.body_kind == BodyKind::open) return decode_body(leaf.body);
  Bytes plain;
  if (leaf.body_kind != BodyKind::log || !keys_.open(Purpose::audit_body, place_of(leaf.sequence), leaf.body, plain)) return std::nullopt;
  return decode_body(plain);
}

std::optional<Body> Log::open(const Leaf& leaf, const FieldKey& person) const {
  Bytes plain;
  if (leaf.body_kind != BodyKind::person || !person.open(keys_, Purpose::audit_body, place_of(leaf.sequence), leaf.body, plain)) return std::nullopt;
  return decode_body(plain);
}

std::optional<std::uint64_t> Log::person_of(const Leaf& leaf) const {
  return leaf.body_kind == BodyKind::person ? FieldKey::holder_of(keys_, leaf.body) : std::nullopt;
}

Bytes encode(const Log::Mark& mark) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.u64(mark.tree.size());
  out.raw(mark.previous);
  out.u32(mark.epoch);
  out.i64(mark.utc_us);
  for (const Hash& peak : mark.tree.peaks()) out.raw(peak);
  return bytes;
}

std::optional<Log::Mark> decode_mark(ByteView bytes) {
  ByteReader in(bytes);
  Log::Mark mark;
  if (in.u8() != 1) return std::nullopt;
  const std::uint64_t size = in.u64();
  std::ranges::copy(in.view(mark.previous.size()), mark.previous.begin());
  mark.epoch = in.u32();
  mark.utc_us = in.i64();
  std::vector<Hash> peaks;
  while (in.ok() && in.left() > 0) {
    Hash peak{};
    const ByteView bytes_of_peak = in.view(peak.size());
    std::ranges::copy(bytes_of_peak, peak.begin());
    peaks.push_back(peak);
  }
  std::optional<MerkleFrontier> tree = MerkleFrontier::resume(size, std::move(peaks));
  if (!in.finish() || !tree) return std::nullopt;
  mark.tree = std::move(*tree);
  return mark;
}

}  // namespace postern::audit
