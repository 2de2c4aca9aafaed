// SPDX-License-Identifier: Apache-2.0
// Purpose: one row of the outbox table as a submit of the connector protocol, or the reason why it is
// none. Used by: postern-sql, its dry run, its fuzz target. Threads: one RowMapper on one thread.
// Ownership: cells view the database's answer; a submit owns its content.
// Errors: the content of a row is foreign. Whatever does not fit quarantines that row with a code and a
// sentence that hold no value of it; other rows are untouched.
// Limits: kMaxVariables variables, names of 64 and values of 8192 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "connectors/protocol/wire.pb.h"
#include "connectors/sources/sql/table.hpp"

namespace postern::sql {

inline constexpr std::size_t kMaxVariables = 100;
inline constexpr std::size_t kMaxVariableName = 64;
inline constexpr std::size_t kMaxVariableValue = 8192;

// As the database gave it, in the order of Cell; nothing stands for NULL.
using Row = std::array<std::optional<std::string_view>, kCells>;

struct Quarantine {
  std::string code;    // stable word: "row-too-large", "phone-malformed", "variables-malformed"
  std::string detail;  // a sentence for the bank's own column `error`
};

struct Mapped {
  std::int64_t id = 0;
  std::variant<wire::Submit, Quarantine> what;
};

class RowMapper {
 public:
  // `default_region` reads phone numbers written nationally; empty: E.164 only.
  RowMapper(std::string default_region, bool mobile_only);
  ~RowMapper();

  // Nothing when even the id cannot be read.
  std::optional<Mapped> map(const Row& row, std::int64_t now_ms);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// SHA-256 over everything of a submit that its key stands for; the same for the same row in every
// version of the database and in any order of the variables. 32 bytes.
std::string fingerprint_of(const wire::Submit& submit);

// 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text);

}  // namespace postern::sql
