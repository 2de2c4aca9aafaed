// SPDX-License-Identifier: Apache-2.0
// simulate --seeds FROM-TO [--commit NAME]
// simulate --replay SEED
//
// Plays a world for each seed and holds the gateway against its promises. Exit code 0: all were kept; 1: one was broken, and the
// seed, the commit and the last things that happened are printed; 2: wrong arguments.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "connectors/protocol/log.hpp"
#include "tests/sim/world.hpp"

namespace {

using postern::sim::Verdict;

struct Seeds {
  std::uint64_t from = 0, to = 0;
};

// "7" or "1-1000".
bool read_seeds(const char* text, Seeds& seeds) {
  char* end = nullptr;
  seeds.from = seeds.to = std::strtoull(text, &end, 10);
  if (end == text) return false;
  if (*end == '\0') return true;
  const char* second = end + 1;
  seeds.to = std::strtoull(second, &end, 10);
  return second[-1] == '-' && end != second && *end == '\0' && seeds.to >= seeds.from;
}

// The end of a text, whole lines.
std::string last_lines(const std::string& text, int lines) {
  std::size_t at = text.size();
  while (at > 0 && lines-- > 0) {
    at = text.rfind('\n', at - 2);
    if (at == std::string::npos) return text;
  }
  return text.substr(at + 1);
}

int usage() {
  std::fputs("usage: simulate --seeds FROM-TO [--commit NAME] | --replay SEED\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Seeds seeds;
  bool many = false, replay = false;
  std::string commit = POSTERN_COMMIT;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seeds") == 0) many = read_seeds(argv[i + 1], seeds);
    else if (std::strcmp(argv[i], "--replay") == 0) replay = read_seeds(argv[i + 1], seeds);
    else if (std::strcmp(argv[i], "--commit") == 0) commit = argv[i + 1];
    else return usage();
  }
  if (argc % 2 == 0 || many == replay) return usage();
  postern::log::open("simulate", postern::log::Level::error);
  const postern::sim::Ground ground(1'800'000'000'000);

  if (replay) {
    const Verdict verdict = postern::sim::play(seeds.from, ground, /*trace=*/true);
    std::fputs(verdict.trace.c_str(), stdout);
    std::printf("seed %llu, events %016llx%s%s\n", static_cast<unsigned long long>(seeds.from), static_cast<unsigned long long>(verdict.digest),
                verdict.violation.empty() ? "" : ", violation: ", verdict.violation.c_str());
    return verdict.violation.empty() ? 0 : 1;
  }

  Verdict sum;
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t seed = seeds.from; seed <= seeds.to; ++seed) {
    const Verdict verdict = postern::sim::play(seed, ground, /*trace=*/false);
    sum.digest = (sum.digest ^ verdict.digest) * 0x100000001b3ULL;
    sum.simulated_ms += verdict.simulated_ms;
    sum.messages += verdict.messages;
    sum.turns += verdict.turns;
    sum.hand_overs += verdict.hand_overs;
    sum.crashes += verdict.crashes;
    if (verdict.violation.empty()) continue;
    const Verdict told = postern::sim::play(seed, ground, /*trace=*/true);
    std::printf("%s\nseed %llu of commit %s: %s\nplay it again: simulate --replay %llu\n", last_lines(told.trace, 40).c_str(), static_cast<unsigned long long>(seed),
                commit.c_str(), verdict.violation.c_str(), static_cast<unsigned long long>(seed));
    if (told.digest != verdict.digest || told.violation != verdict.violation) std::puts("and the second time it went another way: the simulator itself is at fault");
    return 1;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const auto played = static_cast<double>(seeds.to - seeds.from + 1);
  std::printf("seeds %llu-%llu of commit %s: 0 violations, events %016llx\n", static_cast<unsigned long long>(seeds.from), static_cast<unsigned long long>(seeds.to),
              commit.c_str(), static_cast<unsigned long long>(sum.digest));
  std::printf("%llu messages, %llu turns, %llu deliveries, %llu crashes; %.1f s, %.0f seeds/s, %.0f x real time\n", static_cast<unsigned long long>(sum.messages),
              static_cast<unsigned long long>(sum.turns), static_cast<unsigned long long>(sum.hand_overs), static_cast<unsigned long long>(sum.crashes), seconds,
              played / seconds, static_cast<double>(sum.simulated_ms) / 1000 / seconds);
  return 0;
}
