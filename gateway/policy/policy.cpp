// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/policy.hpp"

#include <algorithm>

#include "gateway/policy/characters.hpp"

namespace postern::policy {
namespace {

constexpr std::int64_t kDay = 24LL * 3600 * 1000;

// A calendar day has at most 25 hours, and a zone may jump by a day.
std::int64_t longest(const Cap& cap) {
  if (cap.period == Period::rolling) return cap.rolling_ms;
  return cap.period == Period::day ? 3 * kDay : 9 * kDay;
}

bool counts(CategoryMask mask, Category category) { return (mask & mask_of(category)) != 0; }

}  // namespace

const SpeedRule* Policy::speed_of(Category category, std::string_view template_name, std::string_view client) const {
  const auto names = [](const std::vector<std::string>& all, std::string_view one) { return all.empty() || std::ranges::find(all, one) != all.end(); };
  const auto found = std::ranges::find_if(speeds, [&](const SpeedRule& rule) {
    return counts(rule.categories, category) && names(rule.templates, template_name) && names(rule.clients, client);
  });
  return found == speeds.end() ? nullptr : &*found;
}

std::int64_t Policy::duplicate_ms(Category category) const {
  std::int64_t longest = 0;
  for (const DuplicateRule& rule : duplicates)
    if (counts(rule.categories, category)) longest = std::max(longest, rule.window_ms);
  return longest;
}

std::int64_t Policy::memory_ms(Category category) const {
  std::int64_t memory = duplicate_ms(category);
  for (const Cap& cap : caps)
    if (counts(cap.categories, category)) memory = std::max(memory, longest(cap));
  return memory;
}

std::string folded_word(std::string_view text) {
  std::string word;
  std::size_t keep = 0;   // up to the last character that is more than a stop or a space
  for (std::size_t at = 0; at < text.size();) {
    const Decoded c = decode(text, at);
    at += c.size;
    const bool loose = is_space(c.code) || (c.code < 0x80 && std::string_view(".,;:!?\"'()[]<>*_-").find(static_cast<char>(c.code)) != std::string_view::npos);
    if (loose && word.empty()) continue;
    append_utf8(word, c.valid ? folded(c.code) : U'?');
    if (!loose) keep = word.size();
  }
  word.resize(keep);
  return word;
}

bool says_stop(const ConsentRules& rules, std::string_view reply) {
  constexpr std::size_t kLongest = 64;
  if (rules.stop_words.empty() || reply.size() > kLongest) return false;
  return std::ranges::find(rules.stop_words, folded_word(reply)) != rules.stop_words.end();
}

// Lists first: what is never written to is not held either. Then what passes by itself when time goes on; of several holds the longest.
Answer ask(const Policy& policy, const Question& q) {
  Answer answer;
  for (const ListRule& rule : policy.lists) {
    if (!counts(rule.categories, q.category) || !q.address_known) continue;
    const bool listed = rule.list.find(q.address).has_value();
    if (listed == (rule.kind == ListRule::Kind::only)) continue;
    answer.kind = Answer::Kind::skip;
    answer.rule = "list-" + rule.name;
    return answer;
  }
  // Nobody can opt out of codes and warnings.
  if (!passes(q.category)) {
    const bool missing = q.consent == ConsentState::none && counts(policy.consent.required, q.category);
    if (missing || q.consent == ConsentState::withdrawn) {
      answer.kind = Answer::Kind::skip;
      answer.rule = missing ? "no-consent" : "opted-out";
      return answer;
    }
  }
  const auto stop = [&](std::string rule, TimeMs until) {
    if (passes(q.category)) {
      answer.passed.push_back(std::move(rule));
      return;
    }
    const Answer::Kind kind = until == 0 ? Answer::Kind::skip : Answer::Kind::hold;
    if (answer.kind == Answer::Kind::skip || (answer.kind == Answer::Kind::hold && kind == Answer::Kind::hold && until <= answer.until_ms)) return;
    answer.kind = kind;
    answer.until_ms = until;
    answer.rule = std::move(rule);
  };
  const Zone* zone = q.zone != nullptr ? q.zone : policy.zone ? &*policy.zone : nullptr;
  if (zone != nullptr && counts(policy.quiet_categories, q.category))
    if (const std::optional<TimeMs> until = policy.quiet.quiet_until(q.now, *zone)) stop("quiet-hours", *until);
  if (zone != nullptr && !q.counted && !policy.caps.empty()) {
    const Decision decision = allowed_at(policy.caps, q.sent, q.category, q.weight, q.now, *zone);
    if (decision.cap) stop("cap-" + policy.caps[*decision.cap].name, decision.verdict.at_ms);
  }
  const std::int64_t window = policy.duplicate_ms(q.category);
  // A time to come was written before a clock went back: it is as good as now.
  if (q.same_ms && !q.counted && window > 0 && std::min(*q.same_ms, q.now) + window > q.now) stop("duplicate", std::min(*q.same_ms, q.now) + window);
  if (!q.speed.empty() && q.turn_ms > q.now) stop("speed-" + std::string(q.speed), q.turn_ms);
  return answer;
}

}  // namespace postern::policy
