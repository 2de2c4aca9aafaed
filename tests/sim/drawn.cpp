// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/drawn.hpp"

namespace postern::sim {

Manners draw_manners(Chance& chance) {
  Manners m;
  const auto some = [&chance](unsigned most) { return chance.percent(40) ? static_cast<unsigned>(chance.below(most + 1)) : 0U; };
  m.refuses = some(50), m.retries = some(50), m.throttles = some(40), m.unsure = some(30), m.silent = some(20);
  m.fails = some(40), m.reads = some(90), m.answers = some(60);
  m.loses = some(50), m.doubles = some(50), m.early = some(50), m.lies = some(20);
  m.receipts = chance.percent(80);
  m.echoes = chance.percent(50);
  m.latency = chance.one_of<TimeMs>({50, 1000, 20'000});
  m.delivery = chance.one_of<TimeMs>({1000, 20'000, 10 * kMinute});
  return m;
}

Submission draw_submission(Chance& chance, std::uint64_t number) {
  Submission s;
  s.number = number;
  s.key = "key-" + std::to_string(number);
  Flight& f = s.flight;
  f.category = kCategories[chance.below(kCategories.size())];
  f.person = static_cast<std::uint64_t>(chance.from_to(1, 3));
  f.reference = "r" + std::to_string(number);
  f.escalate = chance.percent(12);
  const bool journey = !f.escalate && chance.percent(15);
  if (journey || chance.percent(10)) f.stop_on = {"upload"};
  const std::int64_t stages = chance.from_to(1, 4);
  for (std::int64_t stage = 0; stage < stages; ++stage) {
    const bool last = stage + 1 == stages;
    if (!last && chance.percent(12)) {
      Step pause;
      pause.pause = true;
      pause.wait_ms = static_cast<std::uint32_t>(chance.from_to(1000, 3 * kMinute));
      f.plan.push_back(pause);
      continue;
    }
    const std::int64_t steps = chance.percent(25) ? chance.from_to(2, 3) : 1;
    for (std::int64_t i = 0; i < steps; ++i) {
      Step step;
      step.channel = chance.one_of({Channel::push, Channel::sms, Channel::whatsapp, Channel::email});
      step.until = f.escalate ? Until::replied : journey ? Until::event : chance.one_of({Until::sent, Until::delivered, Until::delivered, Until::delivered, Until::read, Until::replied});
      if (i == 0 && !(last && chance.percent(60)) && !chance.percent(10)) step.wait_ms = static_cast<std::uint32_t>(1000 + chance.delay(4 * kMinute));
      step.together = i > 0;
      if (chance.percent(20)) step.validity_ms = static_cast<std::uint32_t>(chance.from_to(1000, kMinute));
      f.plan.push_back(step);
    }
  }
  const TimeMs life = chance.percent(20) ? chance.from_to(3000, kMinute) : kMinute + chance.delay(kHour);
  f.deadline_ms = life;
  if (chance.percent(15)) f.send_at_ms = chance.from_to(1, life - 1);
  if (f.send_at_ms != 0 && chance.percent(40)) f.start_on = {"transaction"};
  return s;
}

Content content_for(std::vector<Step>& plan) {
  Content content;
  for (Step& step : plan) {
    if (step.pause) continue;
    step.payload = static_cast<std::uint8_t>(content.payloads.size());
    Payload payload;
    payload.channel = step.channel;
    payload.text = "x";
    content.payloads.push_back(std::move(payload));
  }
  return content;
}

std::optional<Fate> draw_fate(Chance& chance, const Manners& m, bool calm) {
  unsigned roll = calm ? 1000U : static_cast<unsigned>(chance.below(100));
  const auto falls = [&roll](unsigned share) {
    if (roll < share) return true;
    roll -= share;
    return false;
  };
  if (falls(m.silent)) return std::nullopt;
  Fate fate;
  if (falls(m.refuses)) fate.kind = wire::Result::REFUSED;
  else if (falls(m.retries)) fate.kind = wire::Result::RETRY;
  else if (falls(m.throttles)) fate.kind = wire::Result::THROTTLED;
  else if (falls(m.unsure)) fate.kind = wire::Result::UNKNOWN;
  if ((fate.kind == wire::Result::RETRY || fate.kind == wire::Result::THROTTLED) && chance.percent(60))
    fate.retry_after_ms = static_cast<std::uint32_t>(1 + chance.delay(kMinute));
  // Of what is in doubt the provider may well have taken it.
  fate.taken = fate.kind == wire::Result::SENT || (fate.kind == wire::Result::UNKNOWN && chance.percent(50));
  if (chance.percent(20)) fate.parts = chance.from_to(2, 3);
  return fate;
}

wire::ToVault draw_lie(Chance& chance, MessageKey key) {
  wire::ToVault frame;
  const auto about = [&](wire::Attempt& attempt) {
    attempt.set_message(chance.percent(90) ? static_cast<std::uint64_t>(key) : chance.next() >> 2);
    attempt.set_number(static_cast<std::uint32_t>(chance.below(4)));
  };
  if (chance.percent(50)) {
    wire::Receipt& receipt = *frame.add_receipt();
    if (chance.percent(70)) about(*receipt.mutable_attempt());
    else receipt.set_provider_id("invented-" + std::to_string(chance.below(100)));
    receipt.set_progress(chance.one_of({wire::SENT, wire::DELIVERED, wire::READ, wire::REPLIED, wire::REFUSED}));
    return frame;
  }
  wire::Result& result = *frame.add_result();
  about(*result.mutable_attempt());
  result.set_kind(chance.one_of({wire::Result::SENT, wire::Result::RETRY, wire::Result::REFUSED, wire::Result::UNKNOWN, wire::Result::THROTTLED}));
  result.set_receipts(chance.percent(50));
  result.set_reason("lie");
  return frame;
}

}  // namespace postern::sim
