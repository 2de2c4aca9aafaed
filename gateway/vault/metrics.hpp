// SPDX-License-Identifier: Apache-2.0
// Purpose: what the vault counts, and its text form for Prometheus (exposition format 0.0.4).
// Used by: gateway/vault. Threads: one. Labels are bounded: configured names and our own words only.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/domain/words.hpp"

namespace postern::vault {

// "0.045", of millionths.
std::string price_text(std::int64_t millionths);

// Counts times in buckets of a fixed ladder, in microseconds.
class Histogram {
 public:
  static constexpr std::array<std::uint64_t, 14> kEdges{100,    250,    500,     1'000,   2'500,     5'000,     10'000,
                                                        25'000, 50'000, 100'000, 500'000, 1'000'000, 5'000'000, 60'000'000};
  void add(std::uint64_t us) {
    std::size_t at = 0;
    while (at < kEdges.size() && us > kEdges[at]) ++at;
    ++counts_[at];
    sum_ += us;
    ++count_;
  }
  void write(std::string& out, std::string_view name, std::string_view help) const;

 private:
  std::array<std::uint64_t, kEdges.size() + 1> counts_{};
  std::uint64_t sum_ = 0, count_ = 0;
};

struct Metrics {
  std::map<std::pair<std::string, std::string>, std::uint64_t> verdicts;     // client, outcome
  std::map<std::pair<std::string, std::string>, std::uint64_t> results;      // connector, kind
  std::map<std::pair<std::string, std::string>, std::uint64_t> receipts;     // connector, progress
  std::map<std::pair<std::string, std::string>, std::uint64_t> observations; // connector, kind
  std::array<std::uint64_t, kLanes> accepted{};
  std::map<std::pair<std::string, std::string>, std::uint64_t> ended;        // category, state
  struct Twice {
    std::uint64_t count = 0;
    std::int64_t cost = 0;                                                   // in millionths of the bank's currency
  };
  std::map<std::string, Twice> twice;                                        // double contacts by category
  std::map<std::pair<std::string, std::string>, std::uint64_t> settled;      // attempts in doubt: category, how
  std::uint64_t in_doubt = 0, double_contacts = 0, unmatched = 0, leaves = 0, commits = 0, commit_failures = 0;
  std::uint64_t waiting = 0;                                                 // accepted and not ended
  std::uint64_t prefixes_closed = 0, prefix_refusals = 0;
  Histogram commit_us;

  std::string text(const std::map<std::string, std::array<std::uint64_t, 4>>& connectors, bool accepting) const;
};

}  // namespace postern::vault
