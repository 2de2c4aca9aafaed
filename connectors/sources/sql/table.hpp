// SPDX-License-Identifier: Apache-2.0
// Purpose: the outbox table: its name, its columns, the statements that touch it, and the DDL that makes
// it. Used by: postern-sql, the sandbox (which creates it) and the tests. Threads: plain values.
// Ownership: plain values. Errors: a name that is not a plain identifier is refused; nothing else of the
// outside ever becomes part of a statement's text, every value travels as a parameter.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"

namespace postern::sql {

// "schema.table", both plain lower-case identifiers ([a-z_][a-z0-9_]*, at most 63 bytes), which PostgreSQL
// reads without quotes.
class TableName {
 public:
  static Result<TableName> parse(std::string_view text);
  const std::string& text() const { return text_; }
  const std::string& table() const { return table_; }

 private:
  std::string text_, table_;
};

// A plain identifier in the sense above.
bool is_identifier(std::string_view text);

// Row states, as they stand in the column `status`.
enum class RowStatus { fresh = 0, claimed = 1, accepted = 2, rejected = 3, done = 4 };

// Columns of the claim statements' answer, in order.
enum class Cell : std::size_t {
  id,
  message_key,
  too_large,
  category,
  template_name,
  scenario,
  locale,
  recipient_ref,
  phone,
  email,
  push_token,
  push_platform,
  variables,
  deadline_ms,
  send_at_ms
};
inline constexpr std::size_t kCells = 15;

struct Statement {
  std::string_view name;  // of the prepared statement
  std::string sql;
};

// Parameters are told beside each; arrays run in parallel, one element a row.
struct Statements {
  Statement claim;         // claimed_by, limit, largest row in bytes -> cells
  Statement claim_lapsed;  // claimed_by, limit, largest row in bytes, lease in ms -> cells
  Statement recover;       // claimed_by -> nothing; what an earlier process left claimed is new again
  Statement renew;         // ids, claimed_by
  Statement release;       // ids, claimed_by
  Statement accept;        // ids, message ids
  Statement reject;        // ids, error texts
  Statement finish;        // keys, message ids, outcomes, reasons, times in ms
  Statement progress;      // keys, message ids, words, times in ms
  Statement blank;         // count -> as many blanks
  Statement columns;       // table name -> name, type, size limit of each column
  Statement look;          // limit, largest row in bytes -> cells of rows that would be claimed
  Statement count;         // lease in ms -> new, lapsed, claimed, accepted, rejected, done

  // Those to prepare for serving; `columns` comes before, `look` and `count` are for the dry run alone.
  std::vector<Statement> served() const;
};
Statements statements_for(const TableName& table);

// The table, its indexes and the trigger that wakes the connector, for the bank's database administrator.
// `reader` is the role of postern-sql, which gets the least that the statements above need.
std::string outbox_ddl(const TableName& table, std::string_view reader, std::string_view channel);

// A column as PostgreSQL describes it; `limit` is the number of characters of a varchar, 0 without one.
struct Column {
  std::string name, type;
  int limit = 0;
};
// What is wrong with the table for our purpose, one sentence a fault; empty when it fits.
std::vector<std::string> faults_of(const TableName& table, const std::vector<Column>& columns);

// An array literal of text elements.
std::string array_of(const std::vector<std::string>& elements);

inline constexpr int kErrorLimit = 200;     // characters of `error`
inline constexpr int kReasonLimit = 64;     // characters of `outcome_reason`
inline constexpr int kClaimedByLimit = 64;  // characters of `claimed_by`

}  // namespace postern::sql
