// SPDX-License-Identifier: Apache-2.0
#include "gateway/domain/flight.hpp"

#include <algorithm>

namespace postern {
namespace {

constexpr std::uint8_t kFirstVersion = 1, kSecondVersion = 2, kThirdVersion = 3, kVersion = 4;

// Times are kept as differences from the acceptance in 5 bytes: 17 years in milliseconds, to either side, for a clock that was put
// back makes times before it. 0 is no time; what is not before the acceptance is one more than its difference.
constexpr std::int64_t kFurthest = (std::int64_t{1} << 39) - 2;

void write_time(ByteWriter& out, TimeMs base, TimeMs at) {
  const std::int64_t difference = std::clamp<std::int64_t>(at - base, -kFurthest, kFurthest);
  const auto value = static_cast<std::uint64_t>(at == 0 ? 0 : difference < 0 ? difference : difference + 1);
  out.u8(static_cast<std::uint8_t>(value >> 32));
  out.u32(static_cast<std::uint32_t>(value));
}

TimeMs read_time(ByteReader& in, TimeMs base) {
  const std::uint64_t high = in.u8(), low = in.u32();
  const std::int64_t value = static_cast<std::int64_t>((high << 32 | low) << 24) >> 24;   // with its sign
  return value == 0 ? 0 : base + (value < 0 ? value : value - 1);
}

bool known(Channel channel) { return name_of(channel) != "?"; }
bool known(AttemptState state) { return name_of(state) != "?"; }
bool known(MessageState state) { return name_of(state) != "?"; }
bool known(Until until) { return name_of(until) != "?"; }
bool known(Category category) { return name_of(category) != "?"; }

constexpr std::uint32_t kAllNews = (1U << 28) - 1;

}  // namespace

std::uint32_t news_bit(Channel channel, AttemptState progress) {
  return 1U << ((static_cast<unsigned>(channel) - static_cast<unsigned>(Channel::push)) * 4 + static_cast<unsigned>(progress) - static_cast<unsigned>(AttemptState::sent));
}

std::uint32_t Flight::news() const {
  std::uint32_t news = 0;
  for (const Attempt& a : attempts)
    for (const AttemptState progress : {AttemptState::sent, AttemptState::delivered, AttemptState::read, AttemptState::replied})
      if (a.state >= progress && a.state <= AttemptState::replied) news |= news_bit(plan[a.step].channel, progress);
  return news;
}

std::size_t Flight::stage_end(std::size_t first) const {
  std::size_t end = first + 1;
  while (end < plan.size() && plan[end].together) ++end;
  return std::min(end, plan.size());
}

Queue Flight::queue() const {
  for (auto attempt = attempts.rbegin(); attempt != attempts.rend(); ++attempt) {
    if (attempt->state == AttemptState::ready) return {attempt->connector, /*handed=*/false};
    if (attempt->state == AttemptState::handed) return {attempt->connector, /*handed=*/true};
  }
  return {};
}

std::vector<Queue> Flight::other_queues() const {
  std::vector<Queue> others;
  const Queue first = queue();
  for (const Attempt& attempt : attempts) {
    if (attempt.state != AttemptState::ready && attempt.state != AttemptState::handed) continue;
    const Queue place{attempt.connector, attempt.state == AttemptState::handed};
    if (place != first && std::ranges::find(others, place) == others.end()) others.push_back(place);
  }
  return others;
}

std::optional<std::size_t> Flight::ready_for(ConnectorId connector) const {
  for (std::size_t i = attempts.size(); i-- > 0;)
    if (attempts[i].state == AttemptState::ready && attempts[i].connector == connector) return i;
  return std::nullopt;
}

TimeMs Flight::wake_ms() const {
  if (is_final(state)) return 0;
  if (send_at_ms != 0 && state == MessageState::scheduled) return std::min(deadline_ms, send_at_ms);
  TimeMs wake = deadline_ms;
  if (step_end_ms != 0) wake = std::min(wake, step_end_ms);
  for (const Step& s : plan)
    if (s.again_ms != 0) wake = std::min(wake, s.again_ms);
  return wake;
}

Bytes encode(const Flight& f) {
  Bytes bytes;
  bytes.reserve(96 + f.attempts.size() * 48 + f.reference.size());
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.u64(f.id.random);
  out.u16(f.client);
  out.u16(f.template_id);
  out.u8(static_cast<std::uint8_t>(f.category));
  out.u8(static_cast<std::uint8_t>(f.state));
  out.u8(static_cast<std::uint8_t>((f.escalate ? 1 : 0) | (f.held_back ? 2 : 0) | (f.no_more ? 4 : 0) | (f.put_back ? 8 : 0)));
  out.text8(std::string_view(f.reason).substr(0, 255));
  out.text8(f.reference);
  out.u64(f.recipient);
  out.u64(f.person);
  out.text8(f.network);
  out.i64(f.accepted_ms);
  write_time(out, f.accepted_ms, f.deadline_ms);
  write_time(out, f.accepted_ms, f.send_at_ms);
  write_time(out, f.accepted_ms, f.ended_ms);
  write_time(out, f.accepted_ms, f.step_end_ms);
  out.u64(f.last_leaf);
  out.u8(f.step);
  out.u8(static_cast<std::uint8_t>(f.plan.size()));
  for (const Step& s : f.plan) {
    out.u8(static_cast<std::uint8_t>(s.channel));
    out.u8(static_cast<std::uint8_t>(s.until));
    out.u8(static_cast<std::uint8_t>((s.pause ? 1 : 0) | (s.together ? 2 : 0) | (s.validity_ms != 0 ? 4 : 0) | (s.again_ms != 0 ? 8 : 0) | (s.held ? 16 : 0) |
                                     (s.only_if != 0 ? 32 : 0) | (s.unless != 0 ? 64 : 0)));
    out.u32(s.wait_ms);
    out.u8(s.payload);
    if (s.validity_ms != 0) out.u32(s.validity_ms);
    if (s.again_ms != 0) write_time(out, f.accepted_ms, s.again_ms);
    if (s.only_if != 0) out.u32(s.only_if);
    if (s.unless != 0) out.u32(s.unless);
  }
  for (const auto* events : {&f.stop_on, &f.start_on}) {
    out.u8(static_cast<std::uint8_t>(events->size()));
    for (const std::string& event : *events) out.text8(event);
  }
  out.u8(static_cast<std::uint8_t>(f.attempts.size()));
  for (const Attempt& a : f.attempts) {
    out.u8(a.step);
    out.u16(a.connector);
    out.u8(static_cast<std::uint8_t>(a.state));
    out.u8(static_cast<std::uint8_t>((a.receipts ? 1 : 0) | (a.in_doubt ? 2 : 0) | (a.throttled ? 4 : 0)));
    out.u8(a.parts);
    out.u64(a.parts_done);
    out.u64(a.instance);
    write_time(out, f.accepted_ms, a.handed_ms);
    write_time(out, f.accepted_ms, a.changed_ms);
    out.text8(std::string_view(a.reason).substr(0, 255));
  }
  return bytes;
}

std::optional<Flight> decode_flight(MessageKey key, ByteView row) {
  ByteReader in(row);
  Flight f;
  const std::uint8_t version = in.u8();
  if (version < kFirstVersion || version > kVersion) return std::nullopt;
  const bool first = version == kFirstVersion;
  f.id = {key, in.u64()};
  f.client = in.u16();
  if (version > kSecondVersion) f.template_id = in.u16();
  f.category = static_cast<Category>(in.u8());
  f.state = static_cast<MessageState>(in.u8());
  const std::uint8_t marks = first ? 0 : in.u8();
  f.escalate = (marks & 1) != 0;
  f.held_back = (marks & 2) != 0;
  f.no_more = (marks & 4) != 0;
  f.put_back = (marks & 8) != 0;
  f.reason = in.text8();
  f.reference = in.text8();
  f.recipient = in.u64();
  f.person = in.u64();
  f.network = in.text8();
  f.accepted_ms = in.i64();
  f.deadline_ms = read_time(in, f.accepted_ms);
  f.send_at_ms = read_time(in, f.accepted_ms);
  f.ended_ms = read_time(in, f.accepted_ms);
  f.step_end_ms = read_time(in, f.accepted_ms);
  const TimeMs retry_ms = first ? read_time(in, f.accepted_ms) : 0;
  f.last_leaf = in.u64();
  f.step = in.u8();
  const std::uint8_t steps = in.u8();
  if (steps > kMaxSteps || f.step > steps) return std::nullopt;
  bool good = known(f.category) && known(f.state) && marks < 16;
  for (std::uint8_t i = 0; i < steps && in.ok(); ++i) {
    Step s;
    s.channel = static_cast<Channel>(in.u8());
    s.until = static_cast<Until>(in.u8());
    const std::uint8_t flags = first ? 0 : in.u8();
    s.pause = (flags & 1) != 0;
    s.together = (flags & 2) != 0;
    s.held = (flags & 16) != 0;
    s.wait_ms = in.u32();
    s.payload = in.u8();
    if ((flags & 4) != 0) s.validity_ms = in.u32();
    if ((flags & 8) != 0) s.again_ms = read_time(in, f.accepted_ms);
    if ((flags & 32) != 0) s.only_if = in.u32();
    if ((flags & 64) != 0) s.unless = in.u32();
    if (first && i == f.step) s.again_ms = retry_ms;
    good = good && known(s.channel) && known(s.until) && flags < 128 && s.only_if <= kAllNews && s.unless <= kAllNews && !(s.together && i == 0);
    f.plan.push_back(s);
  }
  const auto read_events = [&in, &good](std::vector<std::string>& events) {
    const std::uint8_t count = in.u8();
    good = good && count <= kMaxEvents;
    for (std::uint8_t i = 0; i < count && in.ok() && good; ++i) events.push_back(in.text8());
  };
  if (version > kFirstVersion) read_events(f.stop_on);
  if (version > kThirdVersion) read_events(f.start_on);
  const std::uint8_t attempts = in.u8();
  if (attempts > kMaxAttempts) return std::nullopt;
  for (std::uint8_t i = 0; i < attempts && in.ok(); ++i) {
    Attempt a;
    a.step = in.u8();
    a.connector = in.u16();
    a.state = static_cast<AttemptState>(in.u8());
    const std::uint8_t flags = in.u8();
    a.receipts = (flags & 1) != 0;
    a.in_doubt = (flags & 2) != 0;
    a.throttled = (flags & 4) != 0;
    a.parts = in.u8();
    a.parts_done = in.u64();
    a.instance = in.u64();
    a.handed_ms = read_time(in, f.accepted_ms);
    a.changed_ms = read_time(in, f.accepted_ms);
    a.reason = in.text8();
    good = good && known(a.state) && a.step < steps;
    f.attempts.push_back(std::move(a));
  }
  if (!in.finish() || !good) return std::nullopt;
  return f;
}

}  // namespace postern
