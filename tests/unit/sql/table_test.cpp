// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/table.hpp"

#include <gtest/gtest.h>

#include "connectors/sources/sql/sqlstate.hpp"

namespace postern::sql {
namespace {

TableName outbox() { return *TableName::parse("outbox.messages"); }

std::vector<Column> fitting() {
  std::vector<Column> columns;
  const std::pair<const char*, const char*> all[] = {{"id", "bigint"},
                                                     {"message_key", "character varying"},
                                                     {"category", "text"},
                                                     {"template", "text"},
                                                     {"scenario", "text"},
                                                     {"locale", "text"},
                                                     {"recipient_ref", "text"},
                                                     {"phone", "numeric"},
                                                     {"email", "text"},
                                                     {"push_token", "text"},
                                                     {"push_platform", "text"},
                                                     {"variables", "jsonb"},
                                                     {"deadline", "timestamp with time zone"},
                                                     {"send_at", "timestamp with time zone"},
                                                     {"priority", "smallint"},
                                                     {"status", "smallint"},
                                                     {"claimed_by", "character varying"},
                                                     {"claimed_at", "timestamp with time zone"},
                                                     {"message_id", "uuid"},
                                                     {"error", "character varying"},
                                                     {"progress", "text"},
                                                     {"progress_at", "timestamp with time zone"},
                                                     {"outcome", "text"},
                                                     {"outcome_reason", "text"},
                                                     {"outcome_at", "timestamp with time zone"}};
  for (const auto& [name, type] : all) columns.push_back(Column{name, type, 0});
  return columns;
}

TEST(TableName, IsTwoPlainIdentifiers) {
  EXPECT_EQ(outbox().text(), "outbox.messages");
  for (const char* bad :
       {"", "messages", "a.b.c", "A.b", "a.b; DROP TABLE x", "a.\"b\"", "1a.b", "a.", ".b", "a .b", "a.b-c"})
    EXPECT_FALSE(TableName::parse(bad)) << bad;
  EXPECT_FALSE(TableName::parse("a." + std::string(64, 'b')));
  EXPECT_FALSE(TableName::parse(std::string_view("a.b\0c", 5)));
}

TEST(Table, FitsWhenEveryColumnIsThere) {
  EXPECT_TRUE(faults_of(outbox(), fitting()).empty());
  for (std::size_t i = 0; i < fitting().size(); ++i) {
    std::vector<Column> columns = fitting();
    const std::string gone = columns[i].name;
    columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(i));
    const std::vector<std::string> faults = faults_of(outbox(), columns);
    ASSERT_EQ(faults.size(), 1u) << gone;
    EXPECT_EQ(faults[0], "outbox.messages has no column " + gone);
  }
}

TEST(Table, TellsATypeOrALengthThatCannotWork) {
  std::vector<Column> columns = fitting();
  for (Column& column : columns) {
    if (column.name == "deadline") column.type = "text";
    if (column.name == "error") column.limit = 100;
  }
  const std::vector<std::string> faults = faults_of(outbox(), columns);
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_EQ(faults[0], "outbox.messages.deadline is text; it must be timestamp with time zone");
  EXPECT_EQ(faults[1], "outbox.messages.error takes 100 characters; it must take 200");
  EXPECT_EQ(faults_of(outbox(), {}).size(), 1u);
}

TEST(Array, QuotesWhatItsElementsHold) {
  EXPECT_EQ(array_of({}), "{}");
  EXPECT_EQ(array_of({"1", "2"}), R"({"1","2"})");
  EXPECT_EQ(array_of({R"(a"b\c)", "", "{,}", "NULL"}), R"({"a\"b\\c","","{,}","NULL"})");
}

TEST(Ddl, NamesTheGrantsAndQuotesAnOddRole) {
  const std::string ddl = outbox_ddl(outbox(), "Postern Reader", "wake");
  EXPECT_NE(ddl.find("TO \"Postern Reader\";"), std::string::npos);
  EXPECT_NE(ddl.find("NOTIFY wake;"), std::string::npos);
  EXPECT_EQ(ddl.find("GRANT INSERT"), std::string::npos);
}

TEST(SqlState, SaysWhatToDo) {
  for (const char* state : {"40001", "40P01", "55P03", "53300", "53100", "57014"})
    EXPECT_EQ(class_of(state), FailureClass::retry) << state;
  for (const char* state : {"", "08006", "08P01", "57P01", "57P02", "57P03", "25006"})
    EXPECT_EQ(class_of(state), FailureClass::reconnect) << state;
  for (const char* state : {"42P01", "42501", "28P01", "3D000", "XX000"})
    EXPECT_EQ(class_of(state), FailureClass::config) << state;
  for (const char* state : {"22P02", "22001", "23505"}) EXPECT_EQ(class_of(state), FailureClass::data) << state;
}

TEST(SqlState, LetsNoMessageThatMayQuoteARowIntoTheLog) {
  EXPECT_TRUE(text_is_safe("42P01"));
  EXPECT_TRUE(text_is_safe("57P01"));
  for (const char* state : {"22P02", "22001", "23505", "P0001", "42601", "42804", ""})
    EXPECT_FALSE(text_is_safe(state)) << state;
}

}  // namespace
}  // namespace postern::sql
