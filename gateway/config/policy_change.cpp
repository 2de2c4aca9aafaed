// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/policy_change.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace postern::config {
namespace {

constexpr std::size_t kMaxChange = 4096, kMaxParts = 4;

std::optional<toml::table> parsed(const std::string& text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

// Exactly one value: a line break in it must not bring further keys.
bool is_value(std::string_view value) {
  const std::optional<toml::table> table = parsed("value = " + std::string(value) + "\n");
  return table && table->size() == 1 && table->contains("value");
}

// The byte at which a line and column begin; columns count characters.
std::size_t offset_of(const std::string& text, const toml::source_position& at) {
  std::size_t offset = 0;
  for (toml::source_index line = 1; line < at.line; ++line) {
    const std::size_t end = text.find('\n', offset);
    if (end == std::string::npos) return text.size();
    offset = end + 1;
  }
  for (toml::source_index column = 1; column < at.column && offset < text.size(); ++column) {
    ++offset;
    while (offset < text.size() && (static_cast<unsigned char>(text[offset]) & 0xc0) == 0x80) ++offset;
  }
  return offset;
}

struct Change {
  std::vector<std::string> parts;
  std::string key, value;       // the key as it was written
};

Result<Change> read_change(std::string_view text) {
  const std::string usage = "write a change as KEY=VALUE, such as caps.daily.limit=4 or 'quiet_hours.spans=[\"22:00-07:00\"]'";
  const std::size_t sign = text.find('=');
  if (text.size() > kMaxChange || sign == std::string_view::npos || sign == 0 || sign + 1 == text.size()) return fail(usage);
  Change change{{}, std::string(text.substr(0, sign)), std::string(text.substr(sign + 1))};
  std::size_t from = 0;
  for (std::size_t to = 0; to != std::string::npos && from <= change.key.size(); from = to + 1) {
    to = change.key.find('.', from);
    change.parts.push_back(change.key.substr(from, to == std::string::npos ? to : to - from));
    const std::string& part = change.parts.back();
    const bool word = !part.empty() && std::ranges::all_of(part, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
    if (!word || change.parts.size() > kMaxParts) return fail("'" + change.key.substr(0, 100) + "' is no key; " + usage);
    if (to == std::string::npos) break;
  }
  if (is_value(change.value)) return change;
  const bool lone = change.value.find_first_of("\"\\\n\r[]{}") == std::string::npos && is_value("\"" + change.value + "\"");
  if (!lone) return fail("the value of '" + change.key + "' is none that the policy's file could hold; " + usage);
  change.value = "\"" + change.value + "\"";
  return change;
}

// The entry of a list of tables that gives itself this name.
const toml::table* entry_named(const toml::array& array, const std::string& name, std::string& all) {
  for (const toml::node& item : array) {
    const toml::table* table = item.as_table();
    const std::optional<std::string> own = table == nullptr ? std::nullopt : (*table)["name"].value<std::string>();
    if (!own) continue;
    if (*own == name) return table;
    all += (all.empty() ? "" : ", ") + *own;
  }
  return nullptr;
}

// Where the change belongs: the node that has the value now, or the table that is to get the key, or how much of the way is there.
struct Found {
  const toml::node* value = nullptr;
  const toml::table* table = nullptr;   // of the last part that is there
  std::size_t depth = 0;                // how many parts led to it
};

Result<Found> find(const toml::table& root, const Change& change) {
  Found found{nullptr, &root, 0};
  while (found.depth < change.parts.size()) {
    const toml::node* node = found.table->get(change.parts[found.depth]);
    if (node == nullptr) return found;
    const bool last = found.depth + 1 == change.parts.size();
    if (const toml::table* table = node->as_table(); table != nullptr && !last) {
      found.table = table;
      ++found.depth;
    } else if (const toml::array* array = node->as_array(); array != nullptr && array->is_array_of_tables()) {
      const std::string& list = change.parts[found.depth];
      if (found.depth + 2 >= change.parts.size()) return fail("'" + change.key + "' names no value: say which entry of '" + list + "' and which key of it, such as " + list + ".NAME.KEY");
      std::string all;
      found.table = entry_named(*array, change.parts[found.depth + 1], all);
      if (found.table == nullptr) return fail("'" + change.key + "': there is no '" + change.parts[found.depth + 1] + "' among '" + list + "'; there are: " + all);
      found.depth += 2;
    } else if (node->is_table()) {
      return fail("'" + change.key + "' is a table; name a key in it");
    } else if (!last) {
      return fail("'" + change.key + "': '" + change.parts[found.depth] + "' is a value and has nothing in it");
    } else {
      found.value = node;
      return found;
    }
  }
  return fail("'" + change.key + "' is a table; name a key in it");
}

// The new line goes below the table's head, where the reader looks for the table's keys.
std::string with_new_line(const std::string& text, const Found& found, const Change& change) {
  std::string section;
  for (std::size_t i = found.depth; i + 1 < change.parts.size(); ++i) section += (section.empty() ? "" : ".") + change.parts[i];
  const std::string line = change.parts.back() + " = " + change.value + "\n";
  if (!section.empty()) return text + (text.ends_with('\n') ? "" : "\n") + "[" + section + "]\n" + line;
  if (found.depth == 0) return line + text;
  const std::size_t head = offset_of(text, found.table->source().begin);
  const std::size_t end = text.find('\n', head);
  return end == std::string::npos ? text + "\n" + line : text.substr(0, end + 1) + line + text.substr(end + 1);
}

}  // namespace

Result<std::string> change_policy(const std::string& text, std::string_view wanted) {
  const Result<Change> change = read_change(wanted);
  if (!change) return fail(change.what());
  const std::optional<toml::table> before = parsed(text);
  if (!before) return fail("the policy cannot be read");
  const Result<Found> found = find(*before, *change);
  if (!found) return fail(found.what());
  std::string changed;
  if (found->value == nullptr) {
    changed = with_new_line(text, *found, *change);
  } else {
    const std::size_t from = offset_of(text, found->value->source().begin), to = offset_of(text, found->value->source().end);
    changed = text.substr(0, from) + change->value + text.substr(std::max(from, to));
  }
  // What was written must be what is read back at that place, whatever the file looks like there.
  const std::optional<toml::table> after = parsed(changed);
  const std::optional<toml::table> alone = parsed("value = " + change->value + "\n");
  const Result<Found> now = after ? find(*after, *change) : Result<Found>(fail("unreadable"));
  const toml::node* value = alone ? alone->get("value") : nullptr;
  const bool same = now && now->value != nullptr && value != nullptr && now->value->type() == value->type() &&
                    (!value->is_array() || *value->as_array() == *now->value->as_array());
  if (!same) return fail("'" + change->key + "' cannot be changed where it stands; write it on a line of its own in the policy's file");
  return changed;
}

}  // namespace postern::config
