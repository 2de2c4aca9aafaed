// SPDX-License-Identifier: Apache-2.0
// Random conditions, written out and parsed, against a second evaluator that walks the tree they were made from and shares
// no code with the product's.
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "tests/unit/policy/made_vocabulary.hpp"

namespace postern::policy {
namespace {

struct Literal {
  std::string spelled, text;
  std::int64_t number = 0;
};

struct Node {
  enum class Kind { leaf, negation, conjunction, disjunction } kind = Kind::leaf;
  std::vector<std::unique_ptr<Node>> parts;
  // of a leaf
  std::string name, op;
  std::size_t field = 0;
  Type type = Type::text;      // of the literals
  std::vector<Literal> literals;
};
using Tree = std::unique_ptr<Node>;

// ---- the other evaluator ----

bool fits_pattern(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') return fits_pattern(pattern.substr(1), text) || (!text.empty() && fits_pattern(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && fits_pattern(pattern.substr(1), text.substr(1));
}

bool has_piece(const std::string& text, const std::string& piece) {
  for (std::size_t at = 0; at + piece.size() <= text.size(); ++at)
    if (text.substr(at, piece.size()) == piece) return true;
  return false;
}

std::optional<std::int64_t> number_in(const std::string& text) {
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (text.size() == first || text.find_first_not_of("0123456789", first) != std::string::npos) return std::nullopt;
  return std::stoll(text);
}

template <class T>
bool compare(const std::string& op, const T& value, const std::vector<T>& literals) {
  bool among = false;
  for (const T& literal : literals) among = among || literal == value;
  if (op == "==" || op == "in") return among;
  if (op == "!=" || op == "not in") return !among;
  if (op == "<") return value < literals[0];
  if (op == "<=") return !(literals[0] < value);
  if (op == ">") return literals[0] < value;
  return !(value < literals[0]);
}

bool leaf_holds(const Node& leaf, const Row& facts) {
  const Value& value = facts[leaf.field];
  const bool known = value.index() != 0;
  if (leaf.op == "is known" || leaf.op == "is missing") return known == (leaf.op == "is known");
  if (!known) return false;
  if (leaf.op.empty()) return std::get<bool>(value);
  std::vector<std::string> texts;
  std::vector<std::int64_t> numbers;
  for (const Literal& literal : leaf.literals) {
    texts.push_back(literal.text);
    numbers.push_back(literal.number);
  }
  if (leaf.type == Type::boolean) return compare<std::int64_t>(leaf.op, std::get<bool>(value) ? 1 : 0, numbers);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return compare(leaf.op, *number, numbers);
  const std::string text(std::get<std::string_view>(value));
  if (leaf.type == Type::integer) {
    const std::optional<std::int64_t> read = number_in(text);
    return read.has_value() && compare(leaf.op, *read, numbers);
  }
  if (leaf.op == "contains") return has_piece(text, texts[0]);
  if (leaf.op == "starts with") return text.substr(0, texts[0].size()) == texts[0];
  if (leaf.op == "ends with") return text.size() >= texts[0].size() && text.substr(text.size() - texts[0].size()) == texts[0];
  if (leaf.op == "matches") return fits_pattern(texts[0], text);
  return compare(leaf.op, text, texts);
}

bool tree_holds(const Node& node, const Row& facts) {
  if (node.kind == Node::Kind::leaf) return leaf_holds(node, facts);
  if (node.kind == Node::Kind::negation) return !tree_holds(*node.parts[0], facts);
  bool all = true, any = false;
  for (const Tree& part : node.parts) {
    const bool holds = tree_holds(*part, facts);
    all = all && holds;
    any = any || holds;
  }
  return node.kind == Node::Kind::conjunction ? all : any;
}

// ---- making ----

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t end) { return random_() % end; }
  template <class T>
  const T& one_of(const std::vector<T>& all) { return all[below(all.size())]; }

  Tree tree(int depth) {
    Tree node = std::make_unique<Node>();
    const std::size_t choice = depth == 0 ? 0 : below(5);
    if (choice < 2) {
      make_leaf(*node);
    } else if (choice == 2) {
      node->kind = Node::Kind::negation;
      node->parts.push_back(tree(depth - 1));
    } else {
      node->kind = choice == 3 ? Node::Kind::conjunction : Node::Kind::disjunction;
      for (std::size_t count = 2 + below(2); count > 0; --count) node->parts.push_back(tree(depth - 1));
    }
    return node;
  }

  // With the parentheses it needs, and some that it does not.
  std::string written(const Node& node, int binds) {
    const int own = node.kind == Node::Kind::disjunction ? 0 : node.kind == Node::Kind::conjunction ? 1 : 2;
    std::string out;
    if (node.kind == Node::Kind::leaf) {
      out = node.name + space() + written_op(node.op) + literals(node);
    } else if (node.kind == Node::Kind::negation) {
      out = "not" + space() + written(*node.parts[0], 2);
    } else {
      for (const Tree& part : node.parts)
        out += (out.empty() ? "" : space() + (own == 0 ? "or" : "and") + space()) + written(*part, own + 1);
    }
    return own < binds || below(8) == 0 ? "(" + out + ")" : out;
  }

  Row facts() {
    Row all(kFirstMember + 3);
    for (const std::size_t field : {kCategory, kCountry, kText, kLocale}) all[field] = one_of(kTexts);
    for (const std::size_t field : {kAmount, kBalance, kAge, kTime}) all[field] = one_of(kNumbers);
    all[kAge] = static_cast<std::int64_t>(below(6)) * 1000;
    all[kTime] = static_cast<std::int64_t>(below(6));
    all[kPremium] = below(2) == 0;
    for (std::size_t i = 0; i < 3; ++i) all[kFirstMember + i] = one_of(kTexts);
    for (Value& value : all)
      if (below(5) == 0) value = {};
    return all;
  }

 private:
  inline static const std::vector<Value> kTexts{std::string_view(""), std::string_view("a"), std::string_view("ab"), std::string_view("abba"), std::string_view("-3"),
                                                std::string_view("5"), std::string_view("05"), std::string_view("b\"\\"), std::string_view("5 ")};
  inline static const std::vector<Value> kNumbers{std::int64_t{-3}, std::int64_t{0}, std::int64_t{5}, std::int64_t{6}};

  std::string space() { return one_of<std::string>({" ", " ", "  ", "\n", "\t "}); }
  std::string written_op(const std::string& op) {
    const std::size_t gap = op.find(' ');
    return gap == std::string::npos ? op : op.substr(0, gap) + space() + op.substr(gap + 1);
  }

  std::string literals(const Node& leaf) {
    if (leaf.literals.empty()) return "";
    std::string out;
    for (const Literal& literal : leaf.literals) out += (out.empty() ? "" : ", ") + literal.spelled;
    return space() + (leaf.op == "in" || leaf.op == "not in" ? "[" + out + "]" : out);
  }

  Literal literal(Type type, const std::string& op) {
    if (type == Type::text) {
      static const std::vector<std::string> kAny{"", "a", "ab", "abba", "5", "b\"\\", "b"}, kPieces{"a", "b", "ab", "ba", "\\"}, kPatterns{"*", "a*", "?", "*b?a", "a**a", "??", "", "*\"*"};
      Literal made{"\"", one_of(op == "matches" ? kPatterns : op == "contains" || op == "starts with" || op == "ends with" ? kPieces : kAny), 0};
      for (const char c : made.text) made.spelled += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
      made.spelled += '"';
      return made;
    }
    const auto number = static_cast<std::int64_t>(below(6));
    if (type == Type::boolean) return number % 2 == 0 ? Literal{"false", "", 0} : Literal{"true", "", 1};
    if (type == Type::duration) return {std::to_string(number) + "s", "", number * 1000};
    if (type == Type::time) return {"00:0" + std::to_string(number), "", number};
    const std::int64_t shifted = number * 3 - 3;
    return {std::to_string(shifted), "", shifted};
  }

  void make_leaf(Node& leaf) {
    static const std::vector<std::tuple<std::string, std::size_t, Type>> kFields{
        {"category", kCategory, Type::text}, {"amount", kAmount, Type::integer}, {"text", kText, Type::text}, {"balance", kBalance, Type::integer},
        {"premium", kPremium, Type::boolean}, {"age", kAge, Type::duration}, {"time", kTime, Type::time}, {"recipient.locale", kLocale, Type::text}, {"param.x", 0, Type::text}};
    const auto& [name, field, type] = one_of(kFields);
    const bool open = name == "param.x";
    leaf.name = open ? "param.x" + std::to_string(below(3)) : name;
    leaf.field = field;
    leaf.type = open && below(2) == 0 ? Type::integer : type;
    std::vector<std::string> ops{"==", "!=", "in", "not in", "is known", "is missing"};
    if (leaf.type == Type::text) ops.insert(ops.end(), {"contains", "starts with", "ends with", "matches"});
    else if (leaf.type != Type::boolean) ops.insert(ops.end(), {"<", "<=", ">", ">="});
    else ops.insert(ops.end(), {"", "", "", ""});
    leaf.op = one_of(ops);
    if (leaf.op.empty() || leaf.op.starts_with("is ")) return;
    const std::size_t count = leaf.op == "in" || leaf.op == "not in" ? 1 + below(4) : 1;
    for (std::size_t i = 0; i < count; ++i) leaf.literals.push_back(literal(leaf.type, leaf.op));
  }

  std::mt19937 random_;
};

void place_members(Node& node, const Condition& condition) {
  for (const Tree& part : node.parts) place_members(*part, condition);
  for (const Member& member : condition.needs())
    if (member.name == node.name) node.field = member.index;
}

std::size_t leaves(const Node& node) {
  if (node.kind == Node::Kind::leaf) return 1;
  std::size_t count = 0;
  for (const Tree& part : node.parts) count += leaves(*part);
  return count;
}

TEST(RandomConditions, HoldAsTheirTreesDo) {
  Maker maker(20261130);
  std::size_t tried = 0, yes = 0, most = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Tree tree = maker.tree(1 + i % 5);
    const std::string text = maker.written(*tree, 0);
    const std::size_t terms = leaves(*tree);
    if (terms > Condition::kMaxTerms || text.size() > Condition::kMaxBytes) continue;
    Vocabulary vocabulary = made_vocabulary();
    const auto parsed = Condition::parse(text, vocabulary);
    ASSERT_TRUE(parsed.has_value()) << text << "\n" << parsed.error().offset << ": " << parsed.error().what;
    place_members(*tree, *parsed);
    most = std::max(most, terms);
    for (int times = 0; times < 5; ++times) {
      const Row facts = maker.facts();
      const bool expected = tree_holds(*tree, facts);
      ASSERT_EQ(parsed->evaluate(facts), expected) << text;
      ++tried;
      yes += expected ? 1U : 0U;
      if (times == 0) {
        const auto explained = parsed->explain(facts);
        ASSERT_EQ(explained.size(), terms) << text;
        ASSERT_TRUE(explained[0].decided);
      }
    }
  }
  EXPECT_GT(tried, 80'000U);
  EXPECT_GT(yes, tried / 4);
  EXPECT_LT(yes, tried * 3 / 4);
  EXPECT_GT(most, 30U);
}

}  // namespace
}  // namespace postern::policy
