// SPDX-License-Identifier: Apache-2.0
// Texts for the content guard: findings lie inside the text, in order, few; the same text has the same; a card number that is
// put behind any text is found, and so is a broken character.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "gateway/policy/content_guard.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern::policy;
  static const ContentRules kRules = [] {
    constexpr std::array<std::string_view, 4> kNames{"bank.example", "*.bank.example", "pay.com", "xn--80ab2al.xn--j1amh"};
    ContentRules rules;
    rules.domains = *DomainList::make(kNames);
    return rules;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<Finding> findings = check(text, kRules);
  if (findings.size() > 64) std::abort();
  for (const Finding& finding : findings)
    if (finding.length == 0 || finding.offset > text.size() || finding.length > text.size() - finding.offset) std::abort();
  if (!std::ranges::is_sorted(findings, {}, &Finding::offset) || check(text, kRules) != findings) std::abort();
  if (findings.size() < 60 && size < 60'000) {
    const std::string more = std::string(text) + "x\xff 5555555555554444";
    const std::vector<Finding> known = check(more, kRules);
    if (std::ranges::find(known, FindingKind::card, &Finding::kind) == known.end() || std::ranges::find(known, FindingKind::invalid_utf8, &Finding::kind) == known.end()) std::abort();
  }
  const std::array<std::string_view, 1> entry{text};
  (void)DomainList::make(entry);
  return 0;
}
