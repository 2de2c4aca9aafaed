// SPDX-License-Identifier: Apache-2.0
// Purpose: reads a TOML file so that a wrong key, type or value is refused with file:line:column and
// a sentence that says what would be right. Used by: every process, at start and on reload.
// Threads: one. Ownership: a Section views its SettingsFile, which must outlive it.
// Errors: getters never fail one by one; they note the fault and return the default, and
// SettingsFile::finish() reports every fault of the file, unknown keys included. Secrets never stand
// in a file: credential() reads them from the credentials directory.
//
//   auto file = SettingsFile::read(path);            // syntax errors here
//   Section root = file->root();
//   const std::string host = root.text("host");      // required: no default
//   const auto wait = root.duration("wait", 30s, 1s, 10min);
//   if (Status ok = file->finish(); !ok) ...         // all faults, one a line
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/secret.hpp"

namespace postern {

class SettingsFile;

// One table of the file. Every getter marks its key as known.
class Section {
 public:
  bool has(std::string_view key) const;               // does not mark the key as known

  std::string text(std::string_view key);                                   // required, not empty
  std::string text(std::string_view key, std::string_view otherwise);       // optional
  std::int64_t integer(std::string_view key, std::optional<std::int64_t> otherwise, std::int64_t least, std::int64_t most);
  bool boolean(std::string_view key, bool otherwise);
  // "500ms", "10s", "5m", "72h", "3d"
  std::chrono::milliseconds duration(std::string_view key, std::optional<std::chrono::milliseconds> otherwise,
                                     std::chrono::milliseconds least, std::chrono::milliseconds most);
  std::vector<std::string> texts(std::string_view key);                     // optional list of strings

  // One of the given words.
  template <class E>
  E choice(std::string_view key, std::optional<E> otherwise, std::initializer_list<std::pair<std::string_view, E>> words) {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : words) names.push_back(name);
    const std::optional<std::size_t> picked = pick(key, !otherwise.has_value(), names);
    return picked ? (words.begin() + static_cast<std::ptrdiff_t>(*picked))->second : otherwise.value_or(words.begin()->second);
  }

  // A file: a bare name among the credentials of the unit, anything else relative to the settings
  // file; made absolute, must exist when given.
  std::string path(std::string_view key);                                   // required
  std::string path(std::string_view key, std::string_view otherwise);       // optional

  // The content of the credential that the key names, found as path() finds it.
  Secret credential(std::string_view key);                                  // required
  std::optional<Secret> optional_credential(std::string_view key);

  Section section(std::string_view key);                                    // [key]; empty when absent
  std::vector<Section> sections(std::string_view key);                      // [[key]]
  std::vector<std::pair<std::string, Section>> named_sections(std::string_view key);  // [key.NAME], in file order

  // Names of the tables directly inside this one, in file order.
  std::vector<std::string> table_names() const;

  // Every key of this table with a text value, in file order (free-form maps such as placeholder types).
  std::vector<std::pair<std::string, std::string>> all_texts();

  // Notes a fault at the place of `key` (or of the table when the key is absent).
  void fault(std::string_view key, std::string what);
  std::string where(std::string_view key) const;                            // "file:line:column"

 private:
  friend class SettingsFile;
  struct Node;
  Section(SettingsFile* file, std::shared_ptr<Node> node) : file_(file), node_(std::move(node)) {}
  std::optional<std::size_t> pick(std::string_view key, bool required, const std::vector<std::string_view>& names);
  std::string placed_file(const std::string& name) const;
  std::optional<std::string> text_value(std::string_view key, bool required);

  SettingsFile* file_;
  std::shared_ptr<Node> node_;
};

class SettingsFile {
 public:
  static Result<std::unique_ptr<SettingsFile>> read(const std::string& path);
  static Result<std::unique_ptr<SettingsFile>> parse(std::string text, const std::string& path);
  ~SettingsFile();

  Section root();
  // Every fault noted so far and every key that no getter asked for, one per line; success when none.
  Status finish();
  const std::string& path() const { return path_; }

 private:
  friend class Section;
  SettingsFile() = default;
  struct Document;
  std::unique_ptr<Document> document_;
  std::string path_;
  struct Fault {
    std::uint32_t line, column;
    std::string what;
  };
  void note(std::uint32_t line, std::uint32_t column, std::string what);
  std::vector<Fault> faults_;
};

}  // namespace postern
