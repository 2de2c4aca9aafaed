// SPDX-License-Identifier: Apache-2.0
// Turns tokens into terms, each of which knows where to go when it held and when it did not; `and`, `or`, `not` and
// parentheses leave no trace but these ways.
#include <algorithm>
#include <array>

#include "gateway/policy/condition/tokens.hpp"

namespace postern::policy {

class Parser {
 public:
  Parser(std::string_view source, std::vector<Token> tokens, Vocabulary& vocabulary) : tokens_(std::move(tokens)), vocabulary_(vocabulary) { made_.text_ = source; }

  std::expected<Condition, Fault> run() {
    std::expected<Ways, Fault> ways = any_of();
    if (!ways) return std::unexpected(std::move(ways.error()));
    if (now().is(")")) return refuse(now(), "no ( is open here: take the ) away, or write its ( before");
    if (now().kind != Token::Kind::end) return refuse(now(), "before " + quoted(now().spelled) + " stands a whole condition; join the next one with and or or");
    lead(ways->held, Condition::kHolds);
    lead(ways->not_held, Condition::kFails);
    return std::move(made_);
  }

 private:
  using Op = Condition::Op;
  using Term = Condition::Term;
  // A way out of a term that does not yet know where it leads.
  struct Way {
    std::size_t term = 0;
    bool held = false;
  };
  struct Ways {
    std::vector<Way> held, not_held;
  };
  struct Operator {
    std::string_view first, second;
    Op op;
  };
  static constexpr std::array<Operator, 14> kOperators{{{"==", "", Op::equal},
                                                        {"!=", "", Op::unequal},
                                                        {"<", "", Op::less},
                                                        {"<=", "", Op::at_most},
                                                        {">", "", Op::more},
                                                        {">=", "", Op::at_least},
                                                        {"in", "", Op::in},
                                                        {"not", "in", Op::not_in},
                                                        {"contains", "", Op::contains},
                                                        {"starts", "with", Op::starts},
                                                        {"ends", "with", Op::ends},
                                                        {"matches", "", Op::matches},
                                                        {"is", "known", Op::known},
                                                        {"is", "missing", Op::missing}}};

  static std::unexpected<Fault> refuse(const Token& at, std::string what) { return std::unexpected(Fault{at.offset, std::move(what)}); }

  const Token& now() const { return tokens_[at_]; }
  // The last token is the end, which nothing passes.
  const Token& after() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }

  void lead(const std::vector<Way>& ways, std::uint16_t target) {
    for (const Way& way : ways) (way.held ? made_.terms_[way.term].if_held : made_.terms_[way.term].if_not) = target;
  }
  static void append(std::vector<Way>& all, const std::vector<Way>& more) { all.insert(all.end(), more.begin(), more.end()); }
  std::uint16_t next_term() const { return static_cast<std::uint16_t>(made_.terms_.size()); }

  std::expected<Ways, Fault> any_of() {
    std::expected<Ways, Fault> left = all_of();
    while (left && now().is("or")) {
      take();
      lead(left->not_held, next_term());
      std::expected<Ways, Fault> right = all_of();
      if (!right) return right;
      append(left->held, right->held);
      left->not_held = std::move(right->not_held);
    }
    return left;
  }

  std::expected<Ways, Fault> all_of() {
    std::expected<Ways, Fault> left = one();
    while (left && now().is("and")) {
      take();
      lead(left->held, next_term());
      std::expected<Ways, Fault> right = one();
      if (!right) return right;
      append(left->not_held, right->not_held);
      left->held = std::move(right->held);
    }
    return left;
  }

  std::expected<Ways, Fault> one() {
    const bool negated = now().is("not");
    if (!negated && !now().is("(")) return term();
    const Token opening = take();
    if (++nesting_ > Condition::kMaxNesting) return refuse(opening, "parentheses and not stand more than 16 deep in each other; make two conditions of it");
    std::expected<Ways, Fault> inner = negated ? one() : any_of();
    --nesting_;
    if (!inner) return inner;
    if (negated) {
      std::swap(inner->held, inner->not_held);
      return inner;
    }
    if (now().kind == Token::Kind::end) return refuse(opening, "this ( is never closed: write its )");
    if (!now().is(")")) return refuse(now(), "before " + quoted(now().spelled) + " stands a whole condition; close the ( or join the next one with and or or");
    take();
    return inner;
  }

  std::expected<Ways, Fault> term() {
    const Token field = now();
    if (const std::optional<std::string> why = no_field(field)) return refuse(field, *why);
    if (made_.terms_.size() == Condition::kMaxTerms) return refuse(field, "a condition has at most 64 terms; make two conditions of it");
    const std::expected<Vocabulary::Known, Vocabulary::Missing> known = vocabulary_.take(field.spelled);
    if (!known && known.error() == Vocabulary::Missing::too_many_members)
      return refuse(field, "more than 256 different names of open families are asked about; ask about fewer");
    if (!known) return refuse(field, "there is no field " + quoted(field.spelled) + "; " + vocabulary_.advice(field.spelled));
    take();
    Term term;
    term.field = known->index;
    term.field_type = term.type = known->type;
    term.begin = static_cast<std::uint16_t>(field.offset);
    term.name_end = static_cast<std::uint16_t>(field.offset + field.spelled.size());
    if (std::expected<void, Fault> good = question(term, field, known->open); !good) return std::unexpected(std::move(good.error()));
    const Token& last = tokens_[at_ - 1];
    term.end = static_cast<std::uint16_t>(last.offset + last.spelled.size());
    if (known->open && std::ranges::find(made_.needs_, known->index, &Member::index) == made_.needs_.end())
      made_.needs_.push_back({std::string(field.spelled), known->index});
    made_.terms_.push_back(term);
    const std::size_t number = made_.terms_.size() - 1;
    return Ways{{{number, true}}, {{number, false}}};
  }

  // Why no term can begin here.
  static std::optional<std::string> no_field(const Token& token) {
    if (token.kind == Token::Kind::end) return "the condition ends here; a field is expected, as in amount >= 1000";
    if (token.kind == Token::Kind::literal) return "a comparison begins with its field: amount >= 1000, not 1000 <= amount";
    if (token.kind == Token::Kind::sign || is_keyword(token.spelled)) return "a field is expected here, not " + quoted(token.spelled);
    return std::nullopt;
  }

  // "amount is an integer", of a field or a literal.
  static std::string typed(const Token& token, Type type) { return quoted(token.spelled) + " is " + std::string(with_article(type)); }

  // What stands behind the field: an operator and its literals, or nothing behind a boolean.
  std::expected<void, Fault> question(Term& term, const Token& field, bool open) {
    const Token sign = now();
    const auto found = std::ranges::find_if(kOperators, [&](const Operator& o) { return sign.is(o.first) && (o.second.empty() || after().is(o.second)); });
    if (found == kOperators.end()) return no_operator(term, field);
    take();
    if (!found->second.empty()) take();
    term.op = found->op;
    switch (term.op) {
      case Op::known:
      case Op::missing: return {};
      case Op::equal:
      case Op::unequal: return single(term, field, open);
      case Op::less:
      case Op::at_most:
      case Op::more:
      case Op::at_least:
        if (term.type == Type::boolean || (term.type == Type::text && !open))
          return refuse(sign, std::string(sign.spelled) + " orders integers, durations and times of day; " + typed(field, term.type));
        return single(term, field, open);
      case Op::in:
      case Op::not_in: return list(term, field, open);
      case Op::contains:
      case Op::starts:
      case Op::ends:
      case Op::matches:
        if (term.type != Type::text) return refuse(sign, std::string(sign.spelled) + " asks about a text; " + typed(field, term.type));
        return single(term, field, false);
    }
    return {};
  }

  std::expected<void, Fault> no_operator(Term& term, const Token& field) {
    std::string seconds;
    for (const Operator& o : kOperators)
      if (!o.second.empty() && now().is(o.first)) seconds += (seconds.empty() ? "" : " or ") + std::string(o.second);
    if (!seconds.empty()) return refuse(after(), "behind " + std::string(now().spelled) + " comes " + seconds);
    if (term.type == Type::boolean) {
      term.op = Op::equal;
      hold(term, {true});
      return {};
    }
    const bool over = now().kind == Token::Kind::end || now().is("and") || now().is("or") || now().is(")");
    const std::string name = quoted(field.spelled), wanted = typed(field, term.type) + "; behind it comes what is asked, as in " + name + " == " +
                                                             std::string(example_of(term.type)) + " or " + name + " is known";
    return over ? refuse(field, wanted) : refuse(now(), quoted(now().spelled) + " is no operator: " + wanted);
  }

  std::expected<void, Fault> single(Term& term, const Token& field, bool open) {
    const Token literal = now();
    if (auto good = fits(term, literal, field, open); !good) return good;
    take();
    if (term.op == Op::matches) {
      const std::optional<Wildcard> pattern = Wildcard::of(literal.text);
      if (!pattern) return refuse(literal, "a pattern has at most 63 bytes besides its stars; shorten it, or ask with contains, starts with or ends with");
      term.first = static_cast<std::uint16_t>(made_.patterns_.size());
      made_.patterns_.push_back(*pattern);
      return {};
    }
    if (literal.text.empty() && (term.op == Op::contains || term.op == Op::starts || term.op == Op::ends))
      return refuse(literal, "every text has an empty text in it; write " + quoted(field.spelled) + " is known");
    if (term.type == Type::text) hold_texts(term, {literal.text});
    else hold(term, {literal.number});
    return {};
  }

  std::expected<void, Fault> list(Term& term, const Token& field, bool open) {
    if (!now().is("[")) return refuse(now(), "behind in comes a list, as in " + quoted(field.spelled) + " in [" + std::string(example_of(term.type)) + "]");
    const Token opening = take();
    if (now().is("]")) return refuse(now(), "the list is empty, so that nothing is in it; write what may be");
    std::vector<std::int64_t> numbers;
    std::vector<std::string> texts;
    while (true) {
      // The first one says how an open text is read; the others are of its type.
      const bool first = numbers.empty() && texts.empty();
      if (!first && now().kind == Token::Kind::literal && now().type != term.type)
        return refuse(now(), "a list holds values of one type; its first is " + std::string(with_article(term.type)) + ", " + typed(now(), now().type));
      if (auto good = fits(term, now(), field, open && first); !good) return good;
      const Token& literal = take();
      if (term.type == Type::text) texts.push_back(literal.text);
      else numbers.push_back(literal.number);
      if (now().is("]")) break;
      if (now().kind == Token::Kind::end) return refuse(opening, "this [ is never closed: write its ]");
      if (!now().is(",")) return refuse(now(), "between the values of a list stand commas, behind the last one a ]");
      take();
    }
    take();
    if (term.type == Type::text) hold_texts(term, std::move(texts));
    else hold(term, numbers);
    return {};
  }

  // Whether the literal may be compared with the field; an integer makes an open text be read as one.
  std::expected<void, Fault> fits(Term& term, const Token& literal, const Token& field, bool open) {
    const std::string type(with_article(term.type)), example(example_of(term.type)), spelled = quoted(literal.spelled);
    if (literal.kind == Token::Kind::end) return refuse(literal, "the condition ends here; " + type + " is expected, such as " + example);
    if (literal.is("[")) return refuse(literal, "a list stands behind in or not in only; here comes " + type + " such as " + example);
    if (literal.kind == Token::Kind::word && !is_keyword(literal.spelled)) {
      if (term.type == Type::text) return refuse(literal, spelled + " stands without quotes; a text stands in quotes: \"" + spelled + "\"");
      return refuse(literal, spelled + " is no value; a field is compared with a value, here " + type + " such as " + example);
    }
    if (literal.kind != Token::Kind::literal) return refuse(literal, type + " is expected here, such as " + example + ", not " + spelled);
    const std::string given = typed(literal, literal.type);
    const bool ordered = term.op == Op::less || term.op == Op::at_most || term.op == Op::more || term.op == Op::at_least;
    if (open && term.type == Type::text && literal.type == Type::integer) term.type = Type::integer;
    else if (ordered && term.type == Type::text)
      return refuse(literal, quoted(field.spelled) + " is put in order as an integer, " + given + "; write an integer such as 1000");
    if (literal.type != term.type)
      return refuse(literal, typed(field, term.type) + ", " + given + "; write " + type + " such as " + example);
    return {};
  }

  void hold(Term& term, const std::vector<std::int64_t>& numbers) {
    term.first = static_cast<std::uint16_t>(made_.numbers_.size());
    term.count = static_cast<std::uint16_t>(numbers.size());
    made_.numbers_.insert(made_.numbers_.end(), numbers.begin(), numbers.end());
  }
  void hold_texts(Term& term, std::vector<std::string> texts) {
    term.first = static_cast<std::uint16_t>(made_.texts_.size());
    term.count = static_cast<std::uint16_t>(texts.size());
    for (std::string& text : texts) made_.texts_.push_back(std::move(text));
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0, nesting_ = 0;
  Vocabulary& vocabulary_;
  Condition made_;
};

std::expected<Condition, Fault> Condition::parse(std::string_view text, Vocabulary& vocabulary) {
  if (text.size() > kMaxBytes) return std::unexpected(Fault{kMaxBytes, "a condition has at most 2,000 bytes; make two conditions of it"});
  std::expected<std::vector<Token>, Fault> tokens = tokens_of(text);
  if (!tokens) return std::unexpected(std::move(tokens.error()));
  const std::size_t members = vocabulary.members();
  std::expected<Condition, Fault> made = Parser(text, std::move(*tokens), vocabulary).run();
  if (!made) vocabulary.keep_members(members);
  return made;
}

}  // namespace postern::policy
