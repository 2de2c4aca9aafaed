// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/decided.hpp"

#include <algorithm>
#include <functional>

namespace postern::policy {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kCounted = 1, kCut = 2, kKnown = 4, kGiven = 8, kWithdrawn = 16, kSpeed = 32, kSame = 64, kFlags = 127;
constexpr std::size_t kFlagsAt = 9;
constexpr std::size_t kMaxZone = 64, kMaxRule = 48, kMaxPassed = 4;

// Seven bits a byte, the lowest first; the last byte has its top bit clear and is not 0 unless it is the only one.
void put_number(ByteWriter& out, std::uint64_t value) {
  for (; value > 0x7f; value >>= 7) out.u8(static_cast<std::uint8_t>(value | 0x80));
  out.u8(static_cast<std::uint8_t>(value));
}

std::uint64_t take_number(ByteReader& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 63; shift += 7) {
    const std::uint8_t byte = in.u8();
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) in.spoil();
      return value;
    }
  }
  in.spoil();
  return 0;
}

// Instants stand as their distance from the question, small ones in few bytes, the sign in the lowest bit.
void put_distance(ByteWriter& out, std::int64_t distance) {
  distance = std::clamp(distance, -(std::int64_t{1} << 60), std::int64_t{1} << 60);
  put_number(out, distance < 0 ? static_cast<std::uint64_t>(-distance) * 2 - 1 : static_cast<std::uint64_t>(distance) * 2);
}

std::int64_t take_distance(ByteReader& in) {
  const std::uint64_t value = take_number(in);
  if (value > std::uint64_t{1} << 61) in.spoil();
  const auto half = static_cast<std::int64_t>(value / 2);
  return value % 2 == 0 ? half : -half - 1;
}

// An instant that may be none.
void put_instant(ByteWriter& out, TimeMs at, TimeMs now) {
  out.u8(at != 0);
  if (at != 0) put_distance(out, at - now);
}

TimeMs take_instant(ByteReader& in, TimeMs now) {
  const std::uint8_t given = in.u8();
  if (given > 1) in.spoil();
  const TimeMs at = given == 1 ? now + take_distance(in) : 0;
  if (given == 1 && at == 0) in.spoil();
  return at;
}

void put_text(ByteWriter& out, std::string_view text, std::size_t limit) { out.text8(cut_utf8(text, limit)); }

std::string take_text(ByteReader& in, std::size_t limit) {
  std::string text = in.text8();
  if (text.size() > limit) in.spoil();
  return text;
}

Category take_category(ByteReader& in) {
  const auto category = static_cast<Category>(in.u8());
  if (std::ranges::find(kCategories, category) == std::end(kCategories)) in.spoil();
  return category;
}

void put_answer(ByteWriter& out, const Answer& answer, TimeMs now) {
  out.u8(static_cast<std::uint8_t>(answer.kind));
  put_instant(out, answer.until_ms, now);
  put_text(out, answer.rule, kMaxRule);
  const std::size_t passed = std::min(answer.passed.size(), kMaxPassed);
  out.u8(static_cast<std::uint8_t>(passed));
  for (std::size_t i = 0; i < passed; ++i) put_text(out, answer.passed[i], kMaxRule);
}

Answer take_answer(ByteReader& in, TimeMs now) {
  Answer answer;
  const std::uint8_t kind = in.u8();
  if (kind > static_cast<std::uint8_t>(Answer::Kind::skip)) in.spoil();
  answer.kind = static_cast<Answer::Kind>(kind);
  answer.until_ms = take_instant(in, now);
  answer.rule = take_text(in, kMaxRule);
  const std::uint8_t passed = in.u8();
  if (passed > kMaxPassed) in.spoil();
  for (std::size_t i = 0; i < passed && in.ok(); ++i) answer.passed.push_back(take_text(in, kMaxRule));
  return answer;
}

}  // namespace

Question Decided::question(std::string_view address, const Zone* own) const {
  Question q;
  q.category = category;
  q.address = address;
  q.now = now;
  q.zone = own;
  q.sent = sent;
  q.weight = weight;
  q.counted = counted;
  q.consent = consent;
  q.speed = speed;
  q.turn_ms = turn_ms;
  q.same_ms = same_ms;
  return q;
}

bool Decided::fits(const Answer& hold) const {
  const auto before = [&](TimeMs end) { return end == 0 || hold.until_ms < end; };
  return hold.until_ms == 0 || (before(deadline_ms) && before(stage_end_ms));
}

std::uint64_t version_of(std::string_view sha256) {
  Bytes bytes;
  if (sha256.size() < 16 || !from_hex(sha256.substr(0, 16), bytes)) return 0;
  return ByteReader(bytes).u64();
}

void keep_newest(std::vector<Sighting>& sent, bool& cut) {
  std::ranges::sort(sent, std::greater<>(), &Sighting::at_ms);
  cut = sent.size() > kMaxSeen;
  if (cut) sent.resize(kMaxSeen);
}

// version 1 | policy 8 | flags 1 | category 1 | step 1 | channel 1 | now 8 | zone | weight | deadline | stage's end | answer |
// where its flag is set: speed's rule and turn; when the same was sent | count 1, for each: age, category 1, client, weight
Bytes encode(const Decided& facts) {
  Bytes bytes;
  bytes.reserve(96 + std::min(facts.sent.size(), kMaxSeen) * 9);
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.u64(facts.policy);
  out.u8(static_cast<std::uint8_t>((facts.counted ? kCounted : 0) | (facts.sent_cut ? kCut : 0) | (facts.sent_known ? kKnown : 0) |
                                   (facts.consent == ConsentState::given ? kGiven : facts.consent == ConsentState::withdrawn ? kWithdrawn : 0) |
                                   (facts.speed.empty() ? 0 : kSpeed) | (facts.same_ms ? kSame : 0)));
  out.u8(static_cast<std::uint8_t>(facts.category));
  out.u8(facts.step);
  out.u8(static_cast<std::uint8_t>(facts.channel));
  out.i64(facts.now);
  put_text(out, facts.zone, kMaxZone);
  put_number(out, facts.weight);
  put_instant(out, facts.deadline_ms, facts.now);
  put_instant(out, facts.stage_end_ms, facts.now);
  put_answer(out, facts.answer, facts.now);
  if (!facts.speed.empty()) {
    put_text(out, facts.speed, kMaxRule);
    put_distance(out, facts.turn_ms - facts.now);
  }
  if (facts.same_ms) put_distance(out, facts.now - *facts.same_ms);
  const std::size_t count_at = bytes.size();
  out.u8(0);
  for (std::size_t i = 0; i < std::min(facts.sent.size(), kMaxSeen); ++i) {
    const Sighting& one = facts.sent[i];
    const std::size_t before = bytes.size();
    put_distance(out, facts.now - one.at_ms);
    out.u8(static_cast<std::uint8_t>(one.category));
    put_number(out, one.client);
    put_number(out, one.weight);
    if (bytes.size() > kMaxDecided) {
      bytes.resize(before);
      bytes[kFlagsAt] = static_cast<std::uint8_t>(bytes[kFlagsAt] | kCut);
      break;
    }
    bytes[count_at] = static_cast<std::uint8_t>(i + 1);
  }
  return bytes;
}

std::optional<Decided> decode_decided(ByteView bytes) {
  ByteReader in(bytes);
  if (bytes.size() > kMaxDecided || in.u8() != kVersion) return std::nullopt;
  Decided facts;
  facts.policy = in.u64();
  const std::uint8_t flags = in.u8();
  if (flags > kFlags) in.spoil();
  facts.counted = (flags & kCounted) != 0;
  facts.sent_cut = (flags & kCut) != 0;
  facts.sent_known = (flags & kKnown) != 0;
  if ((flags & kGiven) != 0 && (flags & kWithdrawn) != 0) in.spoil();
  facts.consent = (flags & kGiven) != 0 ? ConsentState::given : (flags & kWithdrawn) != 0 ? ConsentState::withdrawn : ConsentState::none;
  facts.category = take_category(in);
  facts.step = in.u8();
  const std::uint8_t channel = in.u8();
  if (facts.step >= kMaxSteps || name_of(static_cast<Channel>(channel)) == "?") in.spoil();
  facts.channel = static_cast<Channel>(channel);
  facts.now = in.i64();
  if (facts.now < kFirstMs || facts.now > kLastMs) return std::nullopt;
  facts.zone = take_text(in, kMaxZone);
  const auto small = [&in](std::uint64_t most) {
    const std::uint64_t value = take_number(in);
    if (value > most) in.spoil();
    return value;
  };
  facts.weight = static_cast<std::uint32_t>(small(UINT32_MAX));
  facts.deadline_ms = take_instant(in, facts.now);
  facts.stage_end_ms = take_instant(in, facts.now);
  facts.answer = take_answer(in, facts.now);
  if ((flags & kSpeed) != 0) {
    facts.speed = take_text(in, kMaxRule);
    if (facts.speed.empty()) in.spoil();
    facts.turn_ms = facts.now + take_distance(in);
  }
  if ((flags & kSame) != 0) facts.same_ms = facts.now - take_distance(in);
  const std::uint8_t seen = in.u8();
  if (seen > kMaxSeen) in.spoil();
  for (std::size_t i = 0; i < seen && in.ok(); ++i) {
    Sighting one;
    one.at_ms = facts.now - take_distance(in);
    one.category = take_category(in);
    one.client = static_cast<ClientId>(small(UINT16_MAX));
    one.weight = static_cast<std::uint32_t>(small(UINT32_MAX));
    facts.sent.push_back(one);
  }
  if (!in.finish()) return std::nullopt;
  return facts;
}

}  // namespace postern::policy
