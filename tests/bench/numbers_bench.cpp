// SPDX-License-Identifier: Apache-2.0
// The portability index: how long an import of that many ported numbers takes, and what a look-up costs, of numbers drawn at random of
// which every second one is ported. One JSON line:
//   numbers_bench [--ported 1000000] [--lookups 1000000] [--folder DIR]
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "gateway/numbers/portability.hpp"

namespace {

using namespace postern;
using Clock = std::chrono::steady_clock;
constexpr std::size_t kTogether = 100;

double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

std::string number_of(std::uint64_t n) { return "38067" + std::to_string(10'000'000 + n); }

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t ported = 1'000'000, lookups = 1'000'000;
  std::string folder = std::filesystem::temp_directory_path();
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--ported") == 0 && i + 1 < argc) ported = std::clamp(std::strtoull(argv[++i], nullptr, 10), 1ULL, 40'000'000ULL);
    else if (std::strcmp(argv[i], "--lookups") == 0 && i + 1 < argc) lookups = std::max(std::strtoull(argv[++i], nullptr, 10), 1ULL);
    else if (std::strcmp(argv[i], "--folder") == 0 && i + 1 < argc) folder = argv[++i];
    else return std::fprintf(stderr, "usage: numbers_bench [--ported N] [--lookups N] [--folder DIR]\n"), 2;
  }
  const std::string csv = folder + "/numbers-bench-" + std::to_string(getpid()) + ".csv", index_file = csv + ".idx";
  {
    std::ofstream out(csv);
    out << "kind,number,network,date\nrange,38067,25503,\nrange,38050,25501,\n";
    // Every second number, so that half of what is asked is found.
    for (std::uint64_t n = 0; n < ported; ++n) out << "ported," << number_of(2 * n) << ",25501,2026-05-02\n";
  }
  auto begun = Clock::now();
  const Result<numbers::IndexFacts> facts = numbers::import_csv(csv, index_file);
  const double import_s = seconds_since(begun);
  begun = Clock::now();
  const auto index = facts ? numbers::PortabilityIndex::open(index_file) : fail(facts.what());
  const double open_s = seconds_since(begun);
  const auto bytes = facts ? std::filesystem::file_size(index_file) : 0;
  std::filesystem::remove(csv);
  std::filesystem::remove(index_file);
  if (!index) return std::fprintf(stderr, "%s\n", index.what().c_str()), 1;
  std::minstd_rand random(1);
  std::vector<std::string> asked(kTogether);
  std::vector<double> each;
  std::uint64_t found = 0;
  for (std::uint64_t done = 0; done < lookups; done += kTogether) {
    for (std::string& number : asked) number = number_of(random() % (2 * ported));
    const auto from = Clock::now();
    for (const std::string& number : asked) {
      const auto network = (*index)->find(number);
      found += network && network->ported ? 1U : 0U;
    }
    each.push_back(seconds_since(from) * 1e9 / kTogether);
  }
  if (found == 0 || found == each.size() * kTogether) return std::fprintf(stderr, "half of the numbers should have been found as ported\n"), 1;
  std::ranges::sort(each);
  std::printf("{\"bench\":\"numbers\",\"ported\":%llu,\"lookups\":%zu,\"lookup_p50_ns\":%.0f,\"lookup_p99_ns\":%.0f,\"import_s\":%.2f,\"open_s\":%.3f,\"index_mib\":%.1f}\n",
              static_cast<unsigned long long>(ported), each.size() * kTogether, each[each.size() / 2], each[each.size() * 99 / 100], import_s, open_s, static_cast<double>(bytes) / (1 << 20));
  return 0;
}
