// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/table.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace postern::sql {
namespace {

// Every content column as text, so that a column of another type than the DDL's is a row's fault and not
// the statement's. A row over the limit is not pulled at all: its cells are NULL. `isfinite` keeps
// 'infinity' from failing the whole batch.
std::string cells_of(std::string_view source, std::string_view largest) {
  static constexpr std::array<std::string_view, 10> kContent = {"category",      "template", "scenario", "locale",
                                                                "recipient_ref", "phone",    "email",    "push_token",
                                                                "push_platform", "variables"};
  std::string sizes, content;
  for (const std::string_view column : kContent) {
    sizes += fmt::format("{}coalesce(octet_length({}.{}::text), 0)", sizes.empty() ? "" : " + ", source, column);
    content += fmt::format(", CASE WHEN s.bytes <= {} THEN {}.{}::text END", largest, source, column);
  }
  const auto moment = [&](std::string_view column) {
    return fmt::format(
        ", CASE WHEN {0}.{1} IS NULL THEN NULL WHEN isfinite({0}.{1}) THEN (extract(epoch FROM {0}.{1}) * 1000)::int8 "
        "ELSE -1 END",
        source, column);
  };
  return fmt::format(
      "SELECT {0}.id, left({0}.message_key::text, 65), s.bytes > {1}{2}{3}{4} FROM {0} CROSS JOIN LATERAL (SELECT {5} "
      "AS bytes) AS s",
      source, largest, content, moment("deadline"), moment("send_at"), sizes);
}

std::string claim(const std::string& table, std::string_view which) {
  return fmt::format(
      "WITH next AS (SELECT id FROM {0} WHERE {1} LIMIT $2 FOR UPDATE SKIP LOCKED), "
      "taken AS (UPDATE {0} AS o SET status = 1, claimed_by = $1, claimed_at = clock_timestamp() FROM next WHERE o.id "
      "= next.id RETURNING o.*) "
      "{2} ORDER BY taken.priority, taken.id",
      table, which, cells_of("taken", "$3::int8"));
}

// A role's name as an identifier of SQL.
std::string quoted(std::string_view role) {
  if (is_identifier(role)) return std::string(role);
  std::string out = "\"";
  for (const char c : role) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 63 && letter(text.front()) && std::all_of(text.begin(), text.end(), inner);
}

Result<TableName> TableName::parse(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || !is_identifier(text.substr(0, dot)) || !is_identifier(text.substr(dot + 1)))
    return fail("must be schema.table in lower-case letters, digits and underscores, such as \"outbox.messages\"");
  TableName name;
  name.text_ = text;
  name.table_ = text.substr(dot + 1);
  return name;
}

std::vector<Statement> Statements::served() const {
  return {claim, claim_lapsed, recover, renew, release, accept, reject, finish, progress, blank};
}

Statements statements_for(const TableName& name) {
  const std::string& table = name.text();
  Statements s;
  s.claim = {"claim", claim(table, "status = 0 ORDER BY priority, id")};
  s.claim_lapsed = {
      "claim_lapsed",
      claim(table,
            "status = 1 AND claimed_at < clock_timestamp() - $4::int8 * interval '1 millisecond' ORDER BY claimed_at")};
  s.blank = {"blank", "SELECT pg_catalog.repeat(' ', $1::integer)"};
  s.recover = {
      "recover",
      fmt::format("UPDATE {} SET status = 0, claimed_by = NULL, claimed_at = NULL WHERE status = 1 AND claimed_by = $1",
                  table)};
  s.renew = {
      "renew",
      fmt::format(
          "UPDATE {} SET claimed_at = clock_timestamp() WHERE id = ANY ($1::int8[]) AND status = 1 AND claimed_by = $2",
          table)};
  s.release = {"release", fmt::format("UPDATE {} SET status = 0, claimed_by = NULL, claimed_at = NULL WHERE id = ANY "
                                      "($1::int8[]) AND status = 1 AND claimed_by = $2",
                                      table)};
  // Whoever claims the row now, the vault has it: the key makes it the same message for everybody.
  s.accept = {
      "accept",
      fmt::format("UPDATE {} AS o SET status = 2, message_id = v.message_id, error = NULL "
                  "FROM unnest($1::int8[], $2::uuid[]) AS v(id, message_id) WHERE o.id = v.id AND o.status IN (0, 1)",
                  table)};
  s.reject = {
      "reject",
      fmt::format("UPDATE {} AS o SET status = 3, error = v.error "
                  "FROM unnest($1::int8[], $2::text[]) AS v(id, error) WHERE o.id = v.id AND o.status IN (0, 1)",
                  table)};
  // An event may be here before the acceptance was written, and events of the client's other messages may
  // carry a reference that is somebody else's key: message_id decides.
  s.finish = {
      "finish",
      fmt::format(
          "UPDATE {} AS o SET status = 4, message_id = v.message_id, outcome = v.outcome, outcome_reason = v.reason, "
          "outcome_at = to_timestamp(v.at / 1000.0), error = NULL "
          "FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::int8[]) AS v(key, message_id, outcome, "
          "reason, at) "
          "WHERE o.message_key = v.key AND (o.message_id IS NULL OR o.message_id = v.message_id) AND o.status IN (0, "
          "1, 2)",
          table)};
  s.progress = {
      "progress",
      fmt::format("UPDATE {} AS o SET progress = v.word, progress_at = to_timestamp(v.at / 1000.0) "
                  "FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int8[]) AS v(key, message_id, word, at) "
                  "WHERE o.message_key = v.key AND (o.message_id IS NULL OR o.message_id = v.message_id) AND o.status "
                  "IN (0, 1, 2)",
                  table)};
  s.columns = {"columns",
               "SELECT attname, format_type(atttypid, NULL), CASE WHEN atttypid = 'varchar'::regtype AND atttypmod > 4 "
               "THEN atttypmod - 4 ELSE 0 END "
               "FROM pg_attribute WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped"};
  s.look = {"look", fmt::format("WITH next AS (SELECT * FROM {} WHERE status = 0 ORDER BY priority, id LIMIT $1) {} "
                                "ORDER BY next.priority, next.id",
                                table, cells_of("next", "$2::int8"))};
  s.count = {
      "count",
      fmt::format(
          "SELECT count(*) FILTER (WHERE status = 0), "
          "count(*) FILTER (WHERE status = 1 AND claimed_at < clock_timestamp() - $1::int8 * interval '1 "
          "millisecond'), "
          "count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2), count(*) FILTER (WHERE status = 3), "
          "count(*) FILTER (WHERE status = 4) FROM {}",
          table)};
  return s;
}

std::string outbox_ddl(const TableName& name, std::string_view reader, std::string_view channel) {
  const std::string schema = name.text().substr(0, name.text().find('.'));
  return fmt::format(R"(CREATE TABLE {0} (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_key    varchar(64) NOT NULL UNIQUE,  -- the bank's own name for the message; sent once for each key
  category       varchar(16) NOT NULL,         -- otp, security, transaction, service, marketing
  template       varchar(64) NOT NULL,
  scenario       varchar(64),                  -- NULL: the category's default
  locale         varchar(35),
  recipient_ref  varchar(128),
  phone          varchar(40),
  email          varchar(254),
  push_token     text,
  push_platform  varchar(8),                   -- fcm, apns, hms
  variables      jsonb,                        -- one object of texts, numbers and booleans
  deadline       timestamptz,                  -- nothing is sent after it
  send_at        timestamptz,
  priority       smallint GENERATED ALWAYS AS (CASE category WHEN 'otp' THEN 0 WHEN 'security' THEN 1
                   WHEN 'transaction' THEN 2 WHEN 'service' THEN 3 ELSE 4 END) STORED,
  created_at     timestamptz NOT NULL DEFAULT now(),
  -- written by postern-sql
  status         smallint NOT NULL DEFAULT 0,  -- 0 new, 1 claimed, 2 accepted, 3 rejected, 4 done
  claimed_by     varchar(64),
  claimed_at     timestamptz,
  message_id     uuid,
  error          varchar(200),                 -- why it was rejected
  progress       varchar(16),                  -- sent, delivered, read, replied
  progress_at    timestamptz,
  outcome        varchar(16),                  -- reached, failed, expired, cancelled, suppressed
  outcome_reason varchar(64),
  outcome_at     timestamptz
);
CREATE INDEX {1}_new ON {0} (priority, id) WHERE status = 0;
CREATE INDEX {1}_claimed ON {0} (claimed_at) WHERE status = 1;

-- One wake-up for each statement that inserts, however many rows it has.
CREATE FUNCTION {0}_wake() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS
  $$ BEGIN NOTIFY {3}; RETURN NULL; END $$;
CREATE TRIGGER {1}_wake AFTER INSERT ON {0} FOR EACH STATEMENT EXECUTE FUNCTION {0}_wake();

GRANT USAGE ON SCHEMA {4} TO {2};
GRANT SELECT, UPDATE (status, claimed_by, claimed_at, message_id, error, progress, progress_at, outcome,
  outcome_reason, outcome_at) ON {0} TO {2};
)",
                     name.text(), name.table(), quoted(reader), channel, schema);
}

std::vector<std::string> faults_of(const TableName& table, const std::vector<Column>& columns) {
  if (columns.empty()) return {"there is no table " + table.text() + ", or the role may not see it"};
  struct Need {
    std::string_view name;
    std::string_view types;  // words between '|'; empty: any, it is read as text
    int limit;               // a varchar must take this many characters
  };
  constexpr std::string_view kText = "|character varying|text|", kTime = "|timestamp with time zone|";
  const std::array<Need, 25> needs = {{{"id", "|bigint|integer|", 0},
                                       {"message_key", kText, 0},
                                       {"category", "", 0},
                                       {"template", "", 0},
                                       {"scenario", "", 0},
                                       {"locale", "", 0},
                                       {"recipient_ref", "", 0},
                                       {"phone", "", 0},
                                       {"email", "", 0},
                                       {"push_token", "", 0},
                                       {"push_platform", "", 0},
                                       {"variables", "", 0},
                                       {"deadline", kTime, 0},
                                       {"send_at", kTime, 0},
                                       {"priority", "", 0},
                                       {"status", "|smallint|integer|", 0},
                                       {"claimed_by", kText, kClaimedByLimit},
                                       {"claimed_at", kTime, 0},
                                       {"message_id", "|uuid|", 0},
                                       {"error", kText, kErrorLimit},
                                       {"progress", kText, 16},
                                       {"progress_at", kTime, 0},
                                       {"outcome", kText, 16},
                                       {"outcome_reason", kText, kReasonLimit},
                                       {"outcome_at", kTime, 0}}};
  std::vector<std::string> faults;
  for (const Need& need : needs) {
    const auto found =
        std::find_if(columns.begin(), columns.end(), [&](const Column& column) { return column.name == need.name; });
    if (found == columns.end()) {
      faults.push_back(fmt::format("{} has no column {}", table.text(), need.name));
    } else if (!need.types.empty() && need.types.find("|" + found->type + "|") == std::string_view::npos) {
      faults.push_back(fmt::format("{}.{} is {}; it must be {}", table.text(), need.name, found->type,
                                   need.types.substr(1, need.types.find('|', 1) - 1)));
    } else if (need.limit > 0 && found->limit > 0 && found->limit < need.limit) {
      faults.push_back(
          fmt::format("{}.{} takes {} characters; it must take {}", table.text(), need.name, found->limit, need.limit));
    }
  }
  return faults;
}

std::string array_of(const std::vector<std::string>& elements) {
  std::string out = "{";
  for (const std::string& element : elements) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : element) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

}  // namespace postern::sql
