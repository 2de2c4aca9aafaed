// SPDX-License-Identifier: Apache-2.0
// Conditions: the first line is the text that fields have, the rest a condition. A fault has its place within the text and
// leaves no members behind; a condition agrees with its own explanation and with what its text says once more.
#include <cstdlib>

#include "gateway/policy/condition/condition.hpp"

namespace {

using namespace postern::policy;

constexpr std::size_t kFields = 5;

Vocabulary vocabulary_of_all_types() {
  return *Vocabulary::of({{"category", Type::text, 0}, {"amount", Type::integer, 1}, {"premium", Type::boolean, 2}, {"age", Type::duration, 3},
                          {"time", Type::time, 4}, {"param.*", Type::text, 0}, {"count.*", Type::integer, 0}});
}

bool explanation_agrees(const Condition& condition, Facts facts) {
  const auto all = condition.explain(facts);
  if (all.empty() || !all.front().decided || all.size() > Condition::kMaxTerms) return false;
  for (const Condition::Asked& asked : all)
    if (!asked.term.starts_with(asked.field) || condition.text().find(asked.term) == std::string::npos || (asked.value && asked.value->empty())) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  const std::string_view value = all.substr(0, end), source = end == std::string_view::npos ? std::string_view() : all.substr(end + 1);
  Vocabulary vocabulary = vocabulary_of_all_types();
  const auto condition = Condition::parse(source, vocabulary);
  if (!condition) {
    if (condition.error().offset > source.size() || condition.error().what.empty() || condition.error().what.size() > 400 || vocabulary.size() != kFields) std::abort();
    return 0;
  }
  if (condition->text() != source || vocabulary.size() != kFields + condition->needs().size()) std::abort();
  std::vector<Value> facts(vocabulary.size());
  const std::vector<Value> nothing(facts.size());
  const auto number = static_cast<std::int64_t>(value.size());
  facts = {value, number * 100, !value.empty(), number * 1000, number % 1440};
  for (const Member& member : condition->needs()) facts.emplace_back(member.name.starts_with("param.") ? Value(value) : Value(number));
  const bool answer = condition->evaluate(facts), in_the_dark = condition->evaluate(nothing);
  if (!explanation_agrees(*condition, facts) || !explanation_agrees(*condition, nothing)) std::abort();
  if (in_the_dark != condition->evaluate({})) std::abort();
  // Its opposite, which only the limits may refuse, and both together, of which one holds.
  const std::string opposite = "not (" + std::string(source) + ")", both = "(" + std::string(source) + ") or " + opposite;
  if (const auto other = Condition::parse(opposite, vocabulary); other && (other->evaluate(facts) == answer || other->evaluate(nothing) == in_the_dark)) std::abort();
  if (const auto either = Condition::parse(both, vocabulary); either && (!either->evaluate(facts) || !either->evaluate(nothing))) std::abort();
  return 0;
}
