// SPDX-License-Identifier: Apache-2.0
// What one decision costs in a world where many messages wait: engine::advance on one of them, with the bank's policy (quiet hours, a cap
// that looks at what its customer got, a list) asked where the engine asks it. One JSON line:
//   engine_bench [--waiting 1000000] [--samples 20000] [--folder DIR]
// `..._first_p50_us` is a message that nobody has looked at: what it says is read from the store and opened. The others are decisions on a message
// that the turn has read already, as it is for every message that it sends.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gateway/vault/gate.hpp"
#include "tests/support/house.hpp"

namespace {

using namespace postern;
using namespace postern::vault;
using Clock = std::chrono::steady_clock;

constexpr const char* kPolicy = R"(time_zone = "Europe/Kyiv"
[quiet_hours]
spans = ["21:00-08:00"]
categories = ["service", "marketing"]
[[caps]]
name = "all"
categories = ["service", "marketing"]
limit = 1000
period = "day"
[[lists]]
name = "objected"
kind = "never"
file = "never.txt"
)";
constexpr std::size_t kFrame = 1000;

class Samples {
 public:
  template <class Work>
  auto timed(const Work& work) {
    const auto begun = Clock::now();
    auto result = work();
    each_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begun).count());
    return result;
  }
  double at(double share) {
    std::ranges::sort(each_);
    return each_.empty() ? 0 : each_[std::min(each_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(each_.size())))];
  }

 private:
  std::vector<double> each_;
};

// Messages that wait for a connector which never comes; the ids of about `samples` of them, evenly.
std::vector<MessageId> fill(House& house, std::size_t waiting, std::size_t samples) {
  const PeerId api = house.join("api");
  std::vector<MessageId> kept;
  const std::size_t every = std::max<std::size_t>(1, waiting / samples);
  for (std::size_t done = 0; done < waiting; done += kFrame) {
    wire::ToVault submits;
    for (std::size_t i = done; i < std::min(done + kFrame, waiting); ++i) {
      wire::Submit& submit = *submits.add_submit();
      submit = House::submit("sms", "38067" + std::to_string(1'000'000 + i), wire::SERVICE);
      submit.set_tag(i + 1);
    }
    house.say(api, std::move(submits));
    house.turn();
    for (const wire::Verdict& verdict : house.verdicts(api)) {
      if (verdict.outcome() != wire::Verdict::STORED) std::fprintf(stderr, "a message was not accepted\n"), std::exit(1);
      if (verdict.tag() % every == 0) kept.push_back(*MessageId::parse(verdict.id()));
    }
  }
  return kept;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t waiting = 1'000'000, samples = 20'000;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--waiting") == 0 && i + 1 < argc) waiting = std::max(std::strtoull(argv[++i], nullptr, 10), 1ULL);
    else if (std::strcmp(argv[i], "--samples") == 0 && i + 1 < argc) samples = std::max(std::strtoull(argv[++i], nullptr, 10), 1ULL);
    else if (std::strcmp(argv[i], "--folder") == 0 && i + 1 < argc) setenv("TMPDIR", argv[++i], 1);
    else return std::fprintf(stderr, "usage: engine_bench [--waiting N] [--samples N] [--folder DIR]\n"), 2;
  }
  House house({}, {}, {}, std::nullopt, false, kPolicy);
  const std::vector<MessageId> kept = fill(house, waiting, samples);
  Gate policy(house.vault().context());
  Samples first, handed, sent, delivered, due;
  std::size_t asked = 0;
  const engine::Rules rules;
  // A turn for some thousand messages, as much as one may touch; nothing is changed: each decision is on a copy of the flight.
  for (std::size_t begin = 0; begin < kept.size(); begin += 2000) {
    const Status done = house.vault().turn([&](Turn& turn) {
      const engine::Route route = [](const Flight&, const Step&) { return ConnectorId{1}; };
      const engine::Gate gate = [&](const Flight& flight, const Step& step) { return ++asked, policy.ask(turn, flight, step); };
      for (std::size_t i = begin; i < std::min(begin + 2000, kept.size()); ++i) {
        const Flight* flight = turn.find(kept[i].key);
        if (flight == nullptr || flight->attempts.empty()) std::fprintf(stderr, "a message does not wait for its connector\n"), std::exit(1);
        Flight cold = *flight, warm = *flight;
        const auto advance = [&](Flight& which, const engine::Input& input) { return [&] { return engine::advance(which, input, turn.now(), rules, route, gate); }; };
        (void)first.timed(advance(cold, engine::Handed{0, 1}));
        engine::Outcome out = handed.timed(advance(warm, engine::Handed{0, 1}));
        engine::Result result;
        result.receipts = true;
        engine::Receipt receipt;
        receipt.all_parts = true;
        out.ignored = out.ignored || sent.timed(advance(warm, result)).ignored || delivered.timed(advance(warm, receipt)).ignored;
        if (out.ignored || warm.state != MessageState::reached) std::fprintf(stderr, "the engine did not take a message to its end\n"), std::exit(1);
        Flight late = *flight;
        (void)due.timed([&] { return engine::advance(late, engine::Due{}, late.deadline_ms + 1, rules, route, gate); });
        if (late.state != MessageState::expired) std::fprintf(stderr, "a message did not end at its deadline\n"), std::exit(1);
      }
    });
    if (!done) return std::fprintf(stderr, "%s\n", done.what().c_str()), 1;
  }
  if (asked < 2 * kept.size()) return std::fprintf(stderr, "the policy was not asked\n"), 1;
  std::printf("{\"bench\":\"engine\",\"waiting\":%zu,\"samples\":%zu,\"advance_with_policy_p50_us\":%.2f,\"advance_with_policy_p99_us\":%.2f,\"advance_with_policy_first_p50_us\":%.2f,"
              "\"result_p50_us\":%.2f,\"receipt_p50_us\":%.2f,\"deadline_p50_us\":%.2f}\n",
              waiting, kept.size(), handed.at(0.5), handed.at(0.99), first.at(0.5), sent.at(0.5), delivered.at(0.5), due.at(0.5));
  return 0;
}
