// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/tally.hpp"

#include <bit>

namespace postern::rehearsal {
namespace {

constexpr unsigned kStepBits = 5;   // 32 steps to each doubling
constexpr std::size_t kMaxEntries = 1'000'000;

std::uint16_t step_of(std::uint64_t ms) {
  if (ms < (1U << kStepBits)) return static_cast<std::uint16_t>(ms);
  const auto doubling = static_cast<unsigned>(std::bit_width(ms)) - 1 - kStepBits;
  return static_cast<std::uint16_t>((doubling << kStepBits) + (ms >> doubling));
}

// The longest time of a step.
std::uint64_t end_of(std::uint16_t step) {
  if (step < (2U << kStepBits)) return step;
  const unsigned doubling = (step >> kStepBits) - 1;
  return ((static_cast<std::uint64_t>(step & ((1U << kStepBits) - 1)) + (1U << kStepBits) + 1) << doubling) - 1;
}

using Counts = std::map<std::string, std::uint64_t>;

void add_to(Counts& to, const Counts& from) {
  for (const auto& [name, count] : from) to[name] += count;
}

void write(ByteWriter& out, const Counts& counts) {
  out.u32(static_cast<std::uint32_t>(counts.size()));
  for (const auto& [name, count] : counts) {
    out.text16(cut_utf8(name, 1000));
    out.u64(count);
  }
}

bool read(ByteReader& in, Counts& counts) {
  const std::uint32_t size = in.u32();
  if (size > kMaxEntries) return false;
  for (std::uint32_t i = 0; i < size && in.ok(); ++i) {
    std::string name = in.text16();
    counts[std::move(name)] = in.u64();
  }
  return in.ok();
}

template <class Number, std::size_t N>
void write(ByteWriter& out, const std::array<Number, N>& numbers) {
  for (const Number number : numbers) out.u64(static_cast<std::uint64_t>(number));
}

template <class Number, std::size_t N>
void read(ByteReader& in, std::array<Number, N>& numbers) {
  for (Number& number : numbers) number = static_cast<Number>(in.u64());
}

template <class Number, std::size_t N>
void add_to(std::array<Number, N>& to, const std::array<Number, N>& from) {
  for (std::size_t i = 0; i < N; ++i) to[i] += from[i];
}

}  // namespace

void Times::add(TimeMs ms) {
  ++steps_[step_of(ms < 0 ? 0 : static_cast<std::uint64_t>(ms))];
  ++count_;
}

void Times::add(const Times& other) {
  for (const auto& [step, count] : other.steps_) steps_[step] += count;
  count_ += other.count_;
}

TimeMs Times::within(std::uint64_t of_thousand) const {
  const std::uint64_t wanted = (count_ * of_thousand + 999) / 1000;
  std::uint64_t seen = 0;
  for (const auto& [step, count] : steps_)
    if ((seen += count) >= wanted) return static_cast<TimeMs>(end_of(step));
  return 0;
}

void Times::encode(ByteWriter& out) const {
  out.u32(static_cast<std::uint32_t>(steps_.size()));
  for (const auto& [step, count] : steps_) {
    out.u16(step);
    out.u64(count);
  }
}

bool Times::decode(ByteReader& in) {
  const std::uint32_t size = in.u32();
  for (std::uint32_t i = 0; i < size && in.ok(); ++i) {
    const std::uint16_t step = in.u16();
    count_ += steps_[step] = in.u64();
  }
  return in.ok();
}

void Row::add(const Row& other) {
  add_to(counts, other.counts);
  add_to(reasons, other.reasons);
  add_to(rules, other.rules);
  add_to(reached_by, other.reached_by);
  add_to(sent_by, other.sent_by);
  add_to(cost, other.cost);
  to_reach.add(other.to_reach);
}

void Tally::add(const Tally& other) {
  for (const auto& [key, row] : other.rows) rows[key].add(row);
  add_to(submits, other.submits);
  add_to(faults, other.faults);
  add_to(said, other.said);
  add_to(kept, other.kept);
  add_to(facts, other.facts);
  broken.insert(broken.end(), other.broken.begin(), other.broken.end());
}

Bytes encode(const Tally& tally) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u32(static_cast<std::uint32_t>(tally.rows.size()));
  for (const auto& [key, row] : tally.rows) {
    for (const std::string& word : key) out.text16(cut_utf8(word, 1000));
    write(out, row.counts);
    write(out, row.reasons);
    write(out, row.rules);
    write(out, row.reached_by);
    write(out, row.sent_by);
    write(out, row.cost);
    row.to_reach.encode(out);
  }
  for (const Counts* counts : {&tally.submits, &tally.faults, &tally.said, &tally.kept, &tally.facts}) write(out, *counts);
  out.u32(static_cast<std::uint32_t>(tally.broken.size()));
  for (const std::string& what : tally.broken) out.text16(cut_utf8(what, 10'000));
  return bytes;
}

std::optional<Tally> decode_tally(ByteView bytes) {
  ByteReader in(bytes);
  Tally tally;
  const std::uint32_t rows = in.u32();
  for (std::uint32_t i = 0; i < rows && in.ok(); ++i) {
    RowKey key;
    for (std::string& word : key) word = in.text16();
    Row& row = tally.rows[key];
    read(in, row.counts);
    if (!read(in, row.reasons) || !read(in, row.rules)) return std::nullopt;
    read(in, row.reached_by);
    read(in, row.sent_by);
    read(in, row.cost);
    if (!row.to_reach.decode(in)) return std::nullopt;
  }
  for (Counts* counts : {&tally.submits, &tally.faults, &tally.said, &tally.kept, &tally.facts})
    if (!read(in, *counts)) return std::nullopt;
  const std::uint32_t broken = in.u32();
  for (std::uint32_t i = 0; i < broken && in.ok(); ++i) tally.broken.push_back(in.text16());
  if (!in.finish()) return std::nullopt;
  return tally;
}

}  // namespace postern::rehearsal
