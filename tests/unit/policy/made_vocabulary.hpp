// SPDX-License-Identifier: Apache-2.0
// A small vocabulary with a field of each type and two open families, and rows of facts for it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "gateway/policy/condition/condition.hpp"

namespace postern::policy {

enum MadeField : std::uint16_t { kCategory, kAmount, kCountry, kText, kBalance, kPremium, kAge, kTime, kLocale, kFirstMember };

inline Vocabulary made_vocabulary() {
  return *Vocabulary::of({{"category", Type::text, kCategory},
                          {"amount", Type::integer, kAmount},
                          {"country", Type::text, kCountry},
                          {"text", Type::text, kText},
                          {"balance", Type::integer, kBalance},
                          {"premium", Type::boolean, kPremium},
                          {"age", Type::duration, kAge},
                          {"time", Type::time, kTime},
                          {"recipient.locale", Type::text, kLocale},
                          {"param.*", Type::text, 0},
                          {"count.*", Type::integer, 0}});
}

inline Value whole(std::int64_t number) { return number; }
inline Value yes_or_no(bool answer) { return answer; }
inline Value words(std::string_view text) { return text; }

using Row = std::vector<Value>;
inline Row row(std::initializer_list<std::pair<std::uint16_t, Value>> values) {
  Row all(kFirstMember + 8);
  for (const auto& [index, value] : values) all[index] = value;
  return all;
}

// "yes", "no", or "OFFSET: why it is refused".
inline std::string asked(std::string_view condition, const Row& facts) {
  Vocabulary vocabulary = made_vocabulary();
  const auto parsed = Condition::parse(condition, vocabulary);
  if (!parsed) return std::to_string(parsed.error().offset) + ": " + parsed.error().what;
  return parsed->evaluate(facts) ? "yes" : "no";
}

}  // namespace postern::policy
