// SPDX-License-Identifier: Apache-2.0
// Purpose: the tables of the embedded store, and how a store of an older version comes to them. Used by: the embedded store.
// Threads: one. Every step is one transaction that also sets the version: after a kill at any instant the store has
// either the old schema or the new one, whole.
// Errors: a store of a newer version is refused; a step that fails leaves the version before it.
#pragma once

#include <functional>
#include <span>

#include "crypto/secret.hpp"
#include "gateway/store/sqlite.hpp"

namespace postern::store {

inline constexpr std::int64_t kSchema = 5;

// What a step may need. Its sum key is the one that the store is opened with.
struct Migration {
  sqlite3* db;
  const Secret& sum_key;
};
struct SchemaStep {
  std::int64_t to;                                   // from one less
  std::function<Status(const Migration&)> change;    // within a transaction that migrate() opens and commits
};
std::span<const SchemaStep> schema_steps();

// Makes the tables of a new store, or takes the steps that an older one lacks. `passed` is told each instant at which a kill
// could fall ("begun", "changed", "marked", "committed"); for tests.
using Passed = std::function<void(std::int64_t to, const char* instant)>;
Status migrate(sqlite3* db, const Secret& sum_key, std::span<const SchemaStep> steps = schema_steps(), const Passed& passed = {});

}  // namespace postern::store
