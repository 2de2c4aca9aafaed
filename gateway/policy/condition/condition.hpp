// SPDX-License-Identifier: Apache-2.0
// Purpose: conditions of scenarios and policy: "amount >= 1000 and not (country in ["UA", "PL"])". Typed, without loops,
// variables or calls; checked against a vocabulary when it is loaded, so that asking it cannot fail.
// Used by: the configuration (parses), the vault (asks), `postern explain` (why). Threads: immutable once parsed.
// Errors: a fault with the byte offset into the condition's text. Limits: 2,000 bytes, 64 terms, nesting 16.
// The language, for the people who write it: gateway/policy/condition/CONDITIONS.md.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/policy/condition/vocabulary.hpp"
#include "gateway/policy/condition/wildcard.hpp"

namespace postern::policy {

// Why a condition is refused: a sentence that says what is wrong and what would be right. The caller adds file and line.
struct Fault {
  std::size_t offset = 0;  // bytes from the condition's first
  std::string what;
};

class Condition {
 public:
  static constexpr std::size_t kMaxBytes = 2000, kMaxTerms = 64, kMaxNesting = 16;

  // The vocabulary gives out indexes for members of open families; a condition that is refused leaves it as it was.
  [[nodiscard]] static std::expected<Condition, Fault> parse(std::string_view text, Vocabulary& vocabulary);

  // Total: at most 64 terms are asked, each once, nothing is allocated. A comparison with what is not known is false.
  bool evaluate(Facts facts) const;

  const std::string& text() const { return text_; }
  // The members of open families it asks about, each once: what the caller must put into the facts besides the fields.
  const std::vector<Member>& needs() const { return needs_; }

  // One term and how it came out. The value is a customer's: for eyes that may see it, never for a log.
  struct Asked {
    std::string term;                  // as it stands in the condition
    std::string field;
    std::optional<std::string> value;  // as a condition would write it; nothing: not known
    bool held = false;
    bool decided = false;              // evaluate() came by it; the others would not have changed the answer
  };
  std::vector<Asked> explain(Facts facts) const;

 private:
  friend class Parser;
  Condition() = default;

  enum class Op : std::uint8_t { known, missing, equal, unequal, less, at_most, more, at_least, in, not_in, contains, starts, ends, matches };
  // Ends of the way through the terms, beyond every term's number.
  static constexpr std::uint16_t kHolds = 0xffff, kFails = 0xfffe;
  // One question. Its answer says which term comes next; it is always a later one, or the end.
  struct Term {
    Op op = Op::known;
    Type field_type = Type::text;
    Type type = Type::text;            // of the literals: integer when an open text is read as one
    std::uint16_t field = 0;           // index into Facts
    std::uint16_t if_held = kHolds, if_not = kFails;
    std::uint16_t first = 0, count = 0;               // its literals among numbers_, texts_ or patterns_
    std::uint16_t begin = 0, name_end = 0, end = 0;   // its place in text_
  };
  bool holds(const Term& term, Facts facts) const;
  bool holds_for_number(const Term& term, std::int64_t value) const;
  bool holds_for_text(const Term& term, std::string_view value) const;

  std::string text_;
  std::vector<Term> terms_;
  std::vector<std::int64_t> numbers_;
  std::vector<std::string> texts_;
  std::vector<Wildcard> patterns_;
  std::vector<Member> needs_;
};

}  // namespace postern::policy
