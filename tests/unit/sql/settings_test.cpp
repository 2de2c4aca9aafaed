// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/settings.hpp"

#include <gtest/gtest.h>

namespace postern::sql {
namespace {

std::string faults_of_file(const std::string& text) {
  auto file = SettingsFile::parse(text, "/etc/postern/sql.toml");
  if (!file) return file.what();
  static_cast<void>(read_settings((*file)->root()));
  const Status finished = (*file)->finish();
  return finished ? "" : finished.what();
}

TEST(SqlSettings, NameWhatIsMissing) {
  const std::string faults = faults_of_file("");
  for (const char* key : {"'hosts'", "'database'", "'user'", "'ca'", "'password'"})
    EXPECT_NE(faults.find(key), std::string::npos) << key;
}

TEST(SqlSettings, RefuseWhatCouldWeakenOrWidenTheConnection) {
  const struct {
    const char* line;
    const char* said;
  } rows[] = {
      {"hosts = [\"/var/run/postgresql\"]", "no certificate to verify"},
      {"hosts = [\"a,b\"]", "'hosts'"},
      {"database = \"core sslmode=disable\"", "'database'"},
      {"user = \"x' y\"", "'user'"},
      {"sslmode = \"disable\"", "sslmode"},
      {"table = \"m\"", "'table'"},
      {"table = \"outbox.m; drop\"", "'table'"},
      {"channel = \"x; drop\"", "'channel'"},
      {"batch = 1001", "'batch'"},
      {"lease = \"1s\"", "'lease'"},
      {"largest_row = 2000000", "'largest_row'"},
      {"default_region = \"XX\"", "'default_region'"},
      {"certificate = \"c.pem\"", "'certificate'"},
  };
  for (const auto& row : rows) {
    const std::string faults = faults_of_file(row.line);
    EXPECT_NE(faults.find(row.said), std::string::npos) << row.line << "\n" << faults;
    EXPECT_NE(faults.find("/etc/postern/sql.toml:1"), std::string::npos) << row.line;
  }
}

}  // namespace
}  // namespace postern::sql
