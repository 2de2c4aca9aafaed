// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/settings.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

namespace postern {
namespace {

constexpr std::size_t kMaxFile = 4 * 1024 * 1024;
constexpr std::size_t kMaxCredential = 64 * 1024;

std::string placed(const std::string& path, const toml::source_position& at) {
  return path + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

std::optional<std::chrono::milliseconds> duration_of(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc{} || count < 0 || count > 1'000'000'000) return std::nullopt;
  if (unit == "ms") return std::chrono::milliseconds(count);
  if (unit == "s") return std::chrono::seconds(count);
  if (unit == "m") return std::chrono::minutes(count);
  if (unit == "h") return std::chrono::hours(count);
  if (unit == "d") return std::chrono::hours(24 * count);
  return std::nullopt;
}

std::string spoken(std::chrono::milliseconds span) {
  const auto ms = span.count();
  if (ms % 86'400'000 == 0 && ms > 0) return std::to_string(ms / 86'400'000) + "d";
  if (ms % 3'600'000 == 0 && ms > 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms % 60'000 == 0 && ms > 0) return std::to_string(ms / 60'000) + "m";
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  return std::to_string(ms) + "ms";
}

// toml++ keeps keys sorted; people read files from top to bottom.
template <class Wanted>
std::vector<std::string> names_in_file_order(const toml::table& table, const Wanted& wanted) {
  std::vector<std::tuple<toml::source_index, toml::source_index, std::string>> placed_names;
  for (const auto& [name, value] : table)
    if (wanted(value)) placed_names.emplace_back(name.source().begin.line, name.source().begin.column, std::string(name.str()));
  std::ranges::sort(placed_names);
  std::vector<std::string> names;
  for (auto& [line, column, name] : placed_names) names.push_back(std::move(name));
  return names;
}

}  // namespace

struct Section::Node {
  const toml::table* table = nullptr;   // nullptr: an absent section, which has no keys
  std::string name;                     // for faults of absent sections
  toml::source_position place{};
  std::set<std::string, std::less<>> known;

  toml::source_position place_of(std::string_view key) const;
};

struct SettingsFile::Document {
  toml::table table;
  std::vector<std::shared_ptr<Section::Node>> nodes;
};

SettingsFile::~SettingsFile() = default;

Result<std::unique_ptr<SettingsFile>> SettingsFile::read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(path + ": cannot be read; check that it exists and who may read it");
  std::string text(kMaxFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxFile) return fail(path + ": is larger than 4 MiB");
  return parse(std::move(text), path);
}

Result<std::unique_ptr<SettingsFile>> SettingsFile::parse(std::string text, const std::string& path) {
  std::unique_ptr<SettingsFile> file(new SettingsFile);
  file->path_ = path;
  file->document_ = std::make_unique<Document>();
  try {
    file->document_->table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return fail(placed(path, error.source().begin) + ": " + std::string(error.description()));
  }
  return file;
}

Section SettingsFile::root() {
  auto node = std::make_shared<Section::Node>();
  node->table = &document_->table;
  node->place = {1, 1};
  document_->nodes.push_back(node);
  return {this, std::move(node)};
}

Status SettingsFile::finish() {
  // Two sections may view one table (a getter asked twice): a key is known when any of them knows it.
  std::map<const toml::table*, std::set<std::string, std::less<>>> known;
  for (const auto& node : document_->nodes)
    if (node->table != nullptr) known[node->table].insert(node->known.begin(), node->known.end());
  for (const auto& [table, keys] : known)
    for (const auto& [key, value] : *table)
      if (!keys.contains(key.str()))
        note(key.source().begin.line, key.source().begin.column, "unknown key '" + std::string(key.str()) + "'; remove it or correct its spelling");
  if (faults_.empty()) return {};
  std::ranges::stable_sort(faults_, {}, [](const Fault& fault) { return std::pair(fault.line, fault.column); });
  std::string all;
  for (const Fault& fault : faults_)
    all += (all.empty() ? "" : "\n") + path_ + ":" + std::to_string(fault.line) + ":" + std::to_string(fault.column) + ": " + fault.what;
  return fail(std::move(all));
}

bool Section::has(std::string_view key) const { return node_->table != nullptr && node_->table->contains(key); }

// Where the key stands; where its table begins when it is absent.
toml::source_position Section::Node::place_of(std::string_view key) const {
  if (table != nullptr)
    for (const auto& [name_in_file, value] : *table)
      if (name_in_file.str() == key) return name_in_file.source().begin;
  return place;
}

std::string Section::where(std::string_view key) const { return placed(file_->path_, node_->place_of(key)); }

void Section::fault(std::string_view key, std::string what) {
  const toml::source_position at = node_->place_of(key);
  file_->note(at.line, at.column, std::move(what));
}

void SettingsFile::note(std::uint32_t line, std::uint32_t column, std::string what) { faults_.push_back({line, column, std::move(what)}); }

std::optional<std::string> Section::text_value(std::string_view key, bool required) {
  node_->known.emplace(key);
  const toml::node* node = node_->table == nullptr ? nullptr : node_->table->get(key);
  if (node == nullptr) {
    if (required)
      fault(key, (node_->name.empty() ? std::string() : "[" + node_->name + "] ") + "'" + std::string(key) +
                     "' is missing; add " + std::string(key) + " = \"...\"");
    return std::nullopt;
  }
  const toml::value<std::string>* value = node->as_string();
  if (value == nullptr || (required && value->get().empty())) {
    fault(key, "'" + std::string(key) + "' must be a text in quotes" + (value != nullptr ? ", not empty" : ""));
    return std::nullopt;
  }
  return value->get();
}

std::string Section::text(std::string_view key) { return text_value(key, /*required=*/true).value_or(""); }

std::string Section::text(std::string_view key, std::string_view otherwise) {
  return text_value(key, /*required=*/false).value_or(std::string(otherwise));
}

std::int64_t Section::integer(std::string_view key, std::optional<std::int64_t> otherwise, std::int64_t least, std::int64_t most) {
  node_->known.emplace(key);
  const std::int64_t fallback = otherwise.value_or(least);
  const toml::node* node = node_->table == nullptr ? nullptr : node_->table->get(key);
  if (node == nullptr) {
    if (!otherwise) fault(key, "'" + std::string(key) + "' is missing; add a number from " + std::to_string(least) + " to " + std::to_string(most));
    return fallback;
  }
  const toml::value<std::int64_t>* value = node->as_integer();
  if (value == nullptr || value->get() < least || value->get() > most) {
    fault(key, "'" + std::string(key) + "' must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return fallback;
  }
  return value->get();
}

bool Section::boolean(std::string_view key, bool otherwise) {
  node_->known.emplace(key);
  const toml::node* node = node_->table == nullptr ? nullptr : node_->table->get(key);
  if (node == nullptr) return otherwise;
  const toml::value<bool>* value = node->as_boolean();
  if (value == nullptr) fault(key, "'" + std::string(key) + "' must be true or false");
  return value == nullptr ? otherwise : value->get();
}

std::chrono::milliseconds Section::duration(std::string_view key, std::optional<std::chrono::milliseconds> otherwise,
                                            std::chrono::milliseconds least, std::chrono::milliseconds most) {
  const std::chrono::milliseconds fallback = otherwise.value_or(least);
  const bool given = has(key);
  const std::optional<std::string> text = text_value(key, !otherwise.has_value());
  if (!text) return fallback;
  const std::optional<std::chrono::milliseconds> span = duration_of(*text);
  if (!span || *span < least || *span > most) {
    if (given) fault(key, "'" + std::string(key) + "' must be a duration such as \"10s\" or \"5m\", from " + spoken(least) + " to " + spoken(most));
    return fallback;
  }
  return *span;
}

std::vector<std::string> Section::texts(std::string_view key) {
  node_->known.emplace(key);
  std::vector<std::string> all;
  const toml::node* node = node_->table == nullptr ? nullptr : node_->table->get(key);
  if (node == nullptr) return all;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    fault(key, "'" + std::string(key) + "' must be a list of texts: [\"a\", \"b\"]");
    return all;
  }
  for (const toml::node& item : *array) {
    if (const toml::value<std::string>* value = item.as_string(); value != nullptr) all.push_back(value->get());
    else file_->note(item.source().begin.line, item.source().begin.column, "'" + std::string(key) + "' must hold texts in quotes only");
  }
  return all;
}

std::optional<std::size_t> Section::pick(std::string_view key, bool required, const std::vector<std::string_view>& names) {
  const std::optional<std::string> text = text_value(key, required);
  if (!text) return std::nullopt;
  if (const auto found = std::ranges::find(names, *text); found != names.end())
    return static_cast<std::size_t>(found - names.begin());
  std::string list;
  for (const std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string(name);
  fault(key, "'" + std::string(key) + "' must be one of: " + list);
  return std::nullopt;
}

// A bare name is first looked for among the credentials that the unit gives; anything relative stands
// beside the settings file.
std::string Section::placed_file(const std::string& name) const {
  std::error_code ignored;
  if (const char* folder = std::getenv("CREDENTIALS_DIRECTORY"); folder != nullptr && name.find('/') == std::string::npos)
    if (const std::filesystem::path given = std::filesystem::path(folder) / name; std::filesystem::exists(given, ignored)) return given.string();
  const std::filesystem::path beside = std::filesystem::absolute(std::filesystem::path(file_->path_)).parent_path() / name;
  return beside.lexically_normal().string();
}

std::string Section::path(std::string_view key) {
  const std::string given = text(key);
  return given.empty() ? given : path(key, "");
}

std::string Section::path(std::string_view key, std::string_view otherwise) {
  const std::string given = text(key, otherwise);
  if (given.empty()) return given;
  const std::filesystem::path full = placed_file(given);
  std::error_code ignored;
  if (!std::filesystem::exists(full, ignored)) fault(key, "'" + std::string(key) + "': there is no file " + full.string());
  return full.string();
}

Secret Section::credential(std::string_view key) {
  if (!has(key)) {
    (void)text(key);
    return {};
  }
  std::optional<Secret> secret = optional_credential(key);
  return secret ? std::move(*secret) : Secret();
}

std::optional<Secret> Section::optional_credential(std::string_view key) {
  if (!has(key)) return std::nullopt;
  const std::string name = text(key);  // an empty name is a fault
  if (name.empty()) return std::nullopt;
  const std::filesystem::path full = placed_file(name);
  Result<Secret> secret = read_secret_file(full.c_str(), kMaxCredential);
  if (!secret) {
    fault(key, "'" + std::string(key) + "': " + secret.what());
    return std::nullopt;
  }
  if (secret->empty()) {
    fault(key, "'" + std::string(key) + "': the credential is empty");
    return std::nullopt;
  }
  return std::move(*secret);
}

Section Section::section(std::string_view key) {
  node_->known.emplace(key);
  auto node = std::make_shared<Node>();
  node->name = (node_->name.empty() ? "" : node_->name + ".") + std::string(key);
  node->place = node_->place;
  if (const toml::node* found = node_->table == nullptr ? nullptr : node_->table->get(key); found != nullptr) {
    node->table = found->as_table();
    node->place = found->source().begin;
    if (node->table == nullptr) fault(key, "'" + std::string(key) + "' must be a table: [" + node->name + "]");
  }
  file_->document_->nodes.push_back(node);
  return {file_, std::move(node)};
}

std::vector<Section> Section::sections(std::string_view key) {
  node_->known.emplace(key);
  std::vector<Section> all;
  const toml::node* found = node_->table == nullptr ? nullptr : node_->table->get(key);
  if (found == nullptr) return all;
  const toml::array* array = found->as_array();
  const std::string name = (node_->name.empty() ? "" : node_->name + ".") + std::string(key);
  if (array == nullptr) {
    fault(key, "'" + std::string(key) + "' must be a list of tables: [[" + name + "]]");
    return all;
  }
  for (const toml::node& item : *array) {
    auto node = std::make_shared<Node>();
    node->name = name;
    node->place = item.source().begin;
    node->table = item.as_table();
    if (node->table == nullptr) file_->note(node->place.line, node->place.column, "'" + name + "' must hold tables only");
    file_->document_->nodes.push_back(node);
    all.push_back(Section(file_, std::move(node)));
  }
  return all;
}

std::vector<std::pair<std::string, Section>> Section::named_sections(std::string_view key) {
  Section parent = section(key);
  std::vector<std::pair<std::string, Section>> all;
  if (parent.node_->table == nullptr) return all;
  for (const std::string& name : names_in_file_order(*parent.node_->table, [](const toml::node&) { return true; }))
    all.emplace_back(name, parent.section(name));
  return all;
}

std::vector<std::string> Section::table_names() const {
  if (node_->table == nullptr) return {};
  return names_in_file_order(*node_->table, [](const toml::node& value) { return value.is_table(); });
}

std::vector<std::pair<std::string, std::string>> Section::all_texts() {
  std::vector<std::pair<std::string, std::string>> all;
  if (node_->table == nullptr) return all;
  for (const std::string& name : names_in_file_order(*node_->table, [](const toml::node& value) { return !value.is_table() && !value.is_array(); }))
    if (std::optional<std::string> value = text_value(name, /*required=*/false)) all.emplace_back(name, std::move(*value));
  return all;
}

}  // namespace postern
