// SPDX-License-Identifier: Apache-2.0
// Purpose: the keys of postern-sql's file; README.md explains each. Used by: postern-sql, at start, with
// --check and with --dry-run. Threads: one. Ownership: owns the password.
// Errors: faults are noted in the file's list with their place.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "connectors/protocol/settings.hpp"
#include "connectors/sources/sql/database.hpp"
#include "connectors/sources/sql/table.hpp"
#include "crypto/secret.hpp"

namespace postern::sql {

struct Settings {
  DatabaseOptions database;  // `password` points at the one below
  Secret password;
  std::optional<TableName> table;  // always there when the file had no fault
  std::string claimed_by;
  std::size_t batch = 0, window = 0, largest_row = 0;
  std::chrono::milliseconds poll{0}, lease{0};
  bool write_progress = false;
  std::string default_region;
  bool mobile_only = false;
};

Result<std::unique_ptr<Settings>> read_settings(Section root);

}  // namespace postern::sql
