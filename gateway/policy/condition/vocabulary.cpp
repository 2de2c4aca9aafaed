// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/condition/vocabulary.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace postern::policy {
namespace {

constexpr std::uint16_t kMaxIndex = 511;
constexpr std::array<std::string_view, 14> kKeywords{"and",  "or",      "not", "in",    "contains", "starts", "ends",
                                                     "with", "matches", "is",  "known", "missing",  "true",   "false"};

bool is_letter(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

// Words joined by single dots; the first begins with a letter, so that it is no number.
bool is_name(std::string_view name) {
  if (name.empty() || name.size() > Vocabulary::kMaxName || !is_letter(name.front()) || name.back() == '.') return false;
  return name.find("..") == std::string_view::npos && std::ranges::all_of(name, [](char c) { return is_word(c) || c == '.'; });
}

// How many letters must be put in, taken out or changed.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string two_digits(std::int64_t number) { return (number < 10 ? "0" : "") + std::to_string(number); }

std::string written_duration(std::int64_t ms) {
  static constexpr std::pair<std::int64_t, std::string_view> kUnits[] = {{604'800'000, "w"}, {86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1000, "s"}};
  for (const auto& [unit, name] : kUnits)
    if (ms != 0 && ms % unit == 0) return std::to_string(ms / unit) + std::string(name);
  return ms == 0 ? "0s" : std::to_string(ms) + "ms";
}

std::string written_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '.' : c;
  }
  return out + '"';
}

}  // namespace

std::string_view with_article(Type type) {
  switch (type) {
    case Type::boolean: return "a boolean";
    case Type::integer: return "an integer";
    case Type::text: return "a text";
    case Type::duration: return "a duration";
    case Type::time: return "a time of day";
  }
  return "?";
}

std::string_view example_of(Type type) {
  switch (type) {
    case Type::boolean: return "true";
    case Type::integer: return "1000";
    case Type::text: return "\"abc\"";
    case Type::duration: return "5m";
    case Type::time: return "09:30";
  }
  return "?";
}

bool is_known(const Value& value, Type type) {
  switch (type) {
    case Type::boolean: return std::holds_alternative<bool>(value);
    case Type::text: return std::holds_alternative<std::string_view>(value);
    case Type::integer:
    case Type::duration:
    case Type::time: return std::holds_alternative<std::int64_t>(value);
  }
  return false;
}

std::optional<std::string> written(const Value& value, Type type) {
  if (!is_known(value, type)) return std::nullopt;
  switch (type) {
    case Type::boolean: return std::get<bool>(value) ? "true" : "false";
    case Type::text: return written_text(std::get<std::string_view>(value));
    case Type::integer: return std::to_string(std::get<std::int64_t>(value));
    case Type::duration: return written_duration(std::get<std::int64_t>(value));
    case Type::time: {
      const std::int64_t minutes = std::get<std::int64_t>(value);
      if (minutes < 0 || minutes >= 24 * 60) return std::to_string(minutes) + " minutes";
      return two_digits(minutes / 60) + ":" + two_digits(minutes % 60);
    }
  }
  return std::nullopt;
}

bool is_keyword(std::string_view word) { return std::ranges::find(kKeywords, word) != kKeywords.end(); }

Result<Vocabulary> Vocabulary::of(std::vector<Field> fields) {
  Vocabulary made;
  std::set<std::string, std::less<>> names;
  std::set<std::uint16_t> indexes;
  for (Field& field : fields) {
    const bool family = field.name.ends_with(".*");
    const std::string_view stem = family ? std::string_view(field.name).substr(0, field.name.size() - 2) : std::string_view(field.name);
    if (!is_name(stem)) return fail("the field '" + field.name + "' must be named by words of letters, digits and underscores, joined by dots, 64 bytes at most");
    if (is_keyword(stem)) return fail("the field '" + field.name + "' has the name of a word of the language");
    if (!names.insert(field.name).second) return fail("the field '" + field.name + "' stands twice in the vocabulary");
    if (family) {
      if (field.type != Type::text && field.type != Type::integer) return fail("the open family '" + field.name + "' must be of texts or integers");
      field.name.pop_back();
      made.families_.push_back(std::move(field));
      continue;
    }
    if (field.index > kMaxIndex) return fail("the field '" + field.name + "' has an index above " + std::to_string(kMaxIndex));
    if (!indexes.insert(field.index).second) return fail("the field '" + field.name + "' has the index of another field");
    made.first_member_ = std::max<std::size_t>(made.first_member_, field.index + 1U);
    made.fields_.push_back(std::move(field));
  }
  return made;
}

std::expected<Vocabulary::Known, Vocabulary::Missing> Vocabulary::take(std::string_view name) {
  if (const auto found = std::ranges::find(fields_, name, &Field::name); found != fields_.end()) return Known{found->type, found->index, false};
  if (name.size() > kMaxName) return std::unexpected(Missing::no_such_field);
  for (const Field& family : families_) {
    if (!name.starts_with(family.name) || name.size() == family.name.size()) continue;
    if (const auto found = std::ranges::find(members_, name, &Member::name); found != members_.end()) return Known{family.type, found->index, true};
    if (members_.size() == kMaxMembers) return std::unexpected(Missing::too_many_members);
    members_.push_back({std::string(name), static_cast<std::uint16_t>(size())});
    return Known{family.type, members_.back().index, true};
  }
  return std::unexpected(Missing::no_such_field);
}

std::string Vocabulary::advice(std::string_view unknown) const {
  const Field* nearest = nullptr;
  std::size_t least = std::min<std::size_t>(std::max<std::size_t>(2, unknown.size() / 3), 5) + 1;
  if (unknown.size() <= kMaxName) {
    for (const Field& field : fields_) {
      if (const std::size_t far = distance(unknown, field.name); far < least) {
        least = far;
        nearest = &field;
      }
    }
  }
  if (nearest != nullptr) return "did you mean " + nearest->name + "?";
  std::string all = "there are: ";
  for (const Field& field : fields_) all += field.name + ", ";
  for (const Field& family : families_) all += family.name + "*, ";
  if (fields_.empty() && families_.empty()) return "the vocabulary is empty";
  all.resize(all.size() - 2);
  return all;
}

}  // namespace postern::policy
