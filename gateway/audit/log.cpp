// SPDX-License-Identifier: Apache-2.0
#include "gateway/audit/log.hpp"

#include <algorithm>

namespace postern::audit {
namespace {

Place place_of(std::uint64_t sequence) { return {"leaf", "body", sequence, 1}; }

}  // namespace

std::uint64_t Log::append(Leaf leaf, const Body& body, std::int64_t utc_us, std::uint64_t steady_us) {
  leaf.sequence = mark_.tree.size();
  leaf.utc_us = utc_us;
  leaf.steady_us = steady_us;
  leaf.previous = mark_.previous;
  if (!body.empty()) leaf.body = keys_.seal(Purpose::audit_body, place_of(leaf.sequence), encode(body));
  Entry entry{leaf.sequence, encode(leaf), {}};
  entry.hash = leaf_hash(entry.leaf);
  mark_.tree.append(entry.hash);
  mark_.previous = entry.hash;
  fresh_.push_back(std::move(entry));
  return leaf.sequence;
}

std::optional<Body> Log::open(const Leaf& leaf) const {
  if (leaf.body.empty()) return Body{};
  Bytes plain;
  if (!keys_.open(Purpose::audit_body, place_of(leaf.sequence), leaf.body, plain)) return std::nullopt;
  return decode_body(plain);
}

Bytes encode(const Log::Mark& mark) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.u64(mark.tree.size());
  out.raw(mark.previous);
  for (const Hash& peak : mark.tree.peaks()) out.raw(peak);
  return bytes;
}

std::optional<Log::Mark> decode_mark(ByteView bytes) {
  ByteReader in(bytes);
  Log::Mark mark;
  if (in.u8() != 1) return std::nullopt;
  const std::uint64_t size = in.u64();
  std::ranges::copy(in.view(mark.previous.size()), mark.previous.begin());
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
