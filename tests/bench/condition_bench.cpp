// SPDX-License-Identifier: Apache-2.0
// What a condition costs: one of five terms, all of which are asked, on a message whose text has 160 letters. One JSON line:
//   condition_bench [--samples N]
// A sample is the mean of 100 evaluations, so that reading the clock does not count; `p50_ns` is the samples' median.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gateway/policy/condition/condition.hpp"

namespace {

using namespace postern::policy;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kCondition =
    "category == \"marketing\" and amount >= 1000 and not (country in [\"UA\", \"PL\"]) and text contains \"code\" and param.balance > 0";
constexpr std::size_t kTogether = 100;

double ns_since(Clock::time_point begun) { return std::chrono::duration<double, std::nano>(Clock::now() - begun).count(); }

}  // namespace

int main(int argc, char** argv) {
  std::size_t samples = 20'000;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--samples") == 0 && i + 1 < argc) samples = std::max(std::strtoull(argv[++i], nullptr, 10), 1ULL);
    else return std::fprintf(stderr, "usage: condition_bench [--samples N]\n"), 2;
  }
  Vocabulary vocabulary = *Vocabulary::of({{"category", Type::text, 0}, {"amount", Type::integer, 1}, {"country", Type::text, 2}, {"text", Type::text, 3}, {"param.*", Type::text, 0}});
  std::vector<double> parsing;
  for (int i = 0; i < 1000; ++i) {
    const auto begun = Clock::now();
    if (!Condition::parse(kCondition, vocabulary)) return 1;
    parsing.push_back(ns_since(begun));
  }
  const auto condition = Condition::parse(kCondition, vocabulary);
  if (!condition) return std::fprintf(stderr, "%s\n", condition.error().what.c_str()), 1;
  std::string text(156, 'x');
  for (std::size_t i = 5; i < text.size(); i += 6) text[i] = i % 12 == 5 ? ' ' : 'c';
  text += "code";
  std::vector<Value> facts{std::string_view("marketing"), std::int64_t{0}, std::string_view("DE"), std::string_view(text), std::string_view("125000")};
  std::vector<double> each;
  std::size_t held = 0;
  for (std::size_t sample = 0; sample < samples; ++sample) {
    facts[1] = static_cast<std::int64_t>(1000 + sample);  // no two are the same question
    const auto begun = Clock::now();
    for (std::size_t i = 0; i < kTogether; ++i) held += condition->evaluate(facts) ? 1U : 0U;
    each.push_back(ns_since(begun) / static_cast<double>(kTogether));
  }
  if (held != samples * kTogether) return std::fprintf(stderr, "the condition did not hold\n"), 1;
  std::ranges::sort(each);
  std::ranges::sort(parsing);
  std::printf("{\"bench\":\"condition\",\"terms\":%zu,\"evaluations\":%zu,\"p50_ns\":%.1f,\"p99_ns\":%.1f,\"parse_p50_us\":%.1f}\n", condition->explain(facts).size(),
              samples * kTogether, each[samples / 2], each[samples * 99 / 100], parsing[parsing.size() / 2] / 1e3);
  return 0;
}
