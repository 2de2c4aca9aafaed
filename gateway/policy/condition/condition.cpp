// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/condition/condition.hpp"

#include <cstring>

#include <algorithm>
#include <charconv>

namespace postern::policy {
namespace {

std::optional<std::int64_t> integer_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// memmem() of the C library stays linear whatever the two texts are; string_view::find() does not. It takes no null pointer,
// which an empty text may have; a piece is never empty.
bool contains(std::string_view text, std::string_view piece) {
  return text.size() >= piece.size() && memmem(text.data(), text.size(), piece.data(), piece.size()) != nullptr;
}

const Value& value_at(Facts facts, std::size_t index) {
  static constexpr Value kNothing;
  return index < facts.size() ? facts[index] : kNothing;
}

}  // namespace

bool Condition::evaluate(Facts facts) const {
  std::uint16_t at = 0;
  while (at < terms_.size()) at = holds(terms_[at], facts) ? terms_[at].if_held : terms_[at].if_not;
  return at == kHolds;
}

bool Condition::holds(const Term& term, Facts facts) const {
  const Value& value = value_at(facts, term.field);
  const bool known = is_known(value, term.field_type);
  if (term.op == Op::known) return known;
  if (term.op == Op::missing) return !known;
  if (!known) return false;
  if (term.type == Type::text) return holds_for_text(term, std::get<std::string_view>(value));
  if (const bool* yes = std::get_if<bool>(&value)) return holds_for_number(term, *yes ? 1 : 0);
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) return holds_for_number(term, *number);
  const std::optional<std::int64_t> read = integer_in(std::get<std::string_view>(value));
  return read && holds_for_number(term, *read);
}

bool Condition::holds_for_number(const Term& term, std::int64_t value) const {
  const std::span literals = std::span(numbers_).subspan(term.first, term.count);
  switch (term.op) {
    case Op::equal: return value == literals[0];
    case Op::unequal: return value != literals[0];
    case Op::less: return value < literals[0];
    case Op::at_most: return value <= literals[0];
    case Op::more: return value > literals[0];
    case Op::at_least: return value >= literals[0];
    case Op::in: return std::ranges::find(literals, value) != literals.end();
    case Op::not_in: return std::ranges::find(literals, value) == literals.end();
    case Op::known:
    case Op::missing:
    case Op::contains:
    case Op::starts:
    case Op::ends:
    case Op::matches: break;  // not of numbers: the parser makes none
  }
  return false;
}

bool Condition::holds_for_text(const Term& term, std::string_view value) const {
  if (term.op == Op::matches) return patterns_[term.first].matches(value);
  const std::span literals = std::span(texts_).subspan(term.first, term.count);
  switch (term.op) {
    case Op::equal: return value == literals[0];
    case Op::unequal: return value != literals[0];
    case Op::in: return std::ranges::find(literals, value) != literals.end();
    case Op::not_in: return std::ranges::find(literals, value) == literals.end();
    case Op::contains: return contains(value, literals[0]);
    case Op::starts: return value.starts_with(literals[0]);
    case Op::ends: return value.ends_with(literals[0]);
    case Op::known:
    case Op::missing:
    case Op::less:
    case Op::at_most:
    case Op::more:
    case Op::at_least:
    case Op::matches: break;  // texts have no order: the parser makes none of these
  }
  return false;
}

std::vector<Condition::Asked> Condition::explain(Facts facts) const {
  std::vector<Asked> all;
  std::uint16_t next = 0;
  for (std::uint16_t i = 0; i < terms_.size(); ++i) {
    const Term& term = terms_[i];
    Asked asked;
    asked.term = text_.substr(term.begin, static_cast<std::size_t>(term.end - term.begin));
    asked.field = text_.substr(term.begin, static_cast<std::size_t>(term.name_end - term.begin));
    asked.value = written(value_at(facts, term.field), term.field_type);
    asked.held = holds(term, facts);
    asked.decided = i == next;
    if (asked.decided) next = asked.held ? term.if_held : term.if_not;
    all.push_back(std::move(asked));
  }
  return all;
}

}  // namespace postern::policy
