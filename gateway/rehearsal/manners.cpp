// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/manners.hpp"

namespace postern::rehearsal {
namespace {

constexpr Level kNone{};
constexpr Level kUsual{.busy = 600, .throttled = 300, .unsure = 60, .refused = 400, .lost = 800, .late = 500, .doubled = 400, .early = 300, .failed = 700, .lies = 4,
                       .off = 2500, .gateway_crashes = 3, .full_disks = 1, .clock_jumps = 2, .crashes = 3, .cuts = 20, .outages = 1, .halts = 1, .jump = 30 * kSecond};
constexpr Level kHeavy{.busy = 6000, .throttled = 3000, .unsure = 1500, .refused = 3000, .lost = 8000, .late = 5000, .doubled = 4000, .early = 4000, .failed = 6000, .lies = 100,
                       .off = 8000, .gateway_crashes = 40, .full_disks = 8, .clock_jumps = 16, .crashes = 40, .cuts = 150, .outages = 10, .halts = 6, .jump = kHour};

// Small times often, long ones now and then: half of them within `middle`, none beyond sixteen times that.
TimeMs around(TimeMs middle, Chance& chance) {
  TimeMs most = middle;
  while (most < middle * 16 && chance.percent(30)) most *= 2;
  return chance.from_to(most / 8 + 1, most);
}

struct Pace {
  TimeMs answer = 0, delivery = 0, reading = 0;
  bool receipts = false;
};

Pace pace_of(Channel channel) {
  switch (channel) {
    case Channel::push: return {150, 900, 30 * kSecond, false};   // that it arrived the bank's app tells
    case Channel::sms: return {250, 3 * kSecond, 0, true};
    case Channel::whatsapp:
    case Channel::viber:
    case Channel::telegram: return {300, 2 * kSecond, 40 * kSecond, true};
    case Channel::email: return {700, 0, 0, false};
    case Channel::voice: return {kSecond, 25 * kSecond, 0, true};
  }
  return {};
}

// Why it can never arrive this way; empty: it can.
std::string_view dead_end(Channel channel, const Customer& customer) {
  switch (channel) {
    case Channel::push: return customer.app_lives ? "" : "token-unregistered";
    case Channel::whatsapp:
    case Channel::viber:
    case Channel::telegram: return customer.on_whatsapp ? "" : "not-a-user";
    case Channel::email: return customer.mail_lives ? "" : "no-mailbox";
    case Channel::sms:
    case Channel::voice: return "";
  }
  return "";
}

}  // namespace

std::optional<Faults> faults_named(std::string_view name) {
  if (name == "none") return Faults::none;
  if (name == "usual") return Faults::usual;
  if (name == "heavy") return Faults::heavy;
  return std::nullopt;
}

const Level& level_of(Faults faults) { return faults == Faults::none ? kNone : faults == Faults::usual ? kUsual : kHeavy; }

Fate fate_of(Channel channel, const Customer& customer, const Level& level, bool asked, Chance& chance) {
  const Pace pace = pace_of(channel);
  Fate fate;
  fate.after = around(pace.answer, chance);
  if (const std::string_view dead = dead_end(channel, customer); !dead.empty()) {
    fate.kind = wire::Result::REFUSED;
    fate.reason = dead;
    return fate;
  }
  std::uint64_t roll = chance.below(100'000);
  const auto falls = [&roll](unsigned share) {
    if (roll < share) return true;
    roll -= share;
    return false;
  };
  if (falls(level.busy)) {
    fate.kind = wire::Result::RETRY;
    fate.reason = "provider-busy";
    if (chance.percent(50)) fate.retry_after_ms = static_cast<std::uint32_t>(around(5 * kSecond, chance));
    return fate;
  }
  if (falls(level.throttled)) {
    fate.kind = wire::Result::THROTTLED;
    fate.reason = "too-fast";
    fate.retry_after_ms = static_cast<std::uint32_t>(around(2 * kSecond, chance));
    return fate;
  }
  if (falls(level.refused)) {
    fate.kind = wire::Result::REFUSED;
    fate.reason = "provider-refused";
    return fate;
  }
  fate.taken = true;
  if (falls(level.unsure)) {
    fate.kind = wire::Result::UNKNOWN;
    fate.reason = "no-answer";
    fate.after = 30 * kSecond;
    fate.taken = chance.percent(50);
    if (!fate.taken) return fate;
  }
  fate.receipts = pace.receipts;
  if (pace.delivery == 0) return fate;
  fate.fails = chance.below(100'000) < level.failed;
  fate.delivered = around(pace.delivery, chance);
  if (channel == Channel::sms && chance.below(100'000) < level.off) fate.delivered = chance.from_to(10 * kMinute, 30 * kHour);
  if (!fate.fails && pace.reading > 0 && customer.reads) fate.read = fate.delivered + around(pace.reading, chance);
  if (!fate.fails && asked && channel != Channel::push && customer.answers && chance.percent(90)) fate.replied = std::max(fate.read, fate.delivered) + around(20 * kSecond, chance);
  return fate;
}

}  // namespace postern::rehearsal
