// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/settings.hpp"

#include <gtest/gtest.h>

namespace postern::email {
namespace {

std::string faults_of(const std::string& text) {
  auto file = SettingsFile::parse(text, "/etc/postern/email.toml");
  if (!file) return file.what();
  const auto settings = read_settings((*file)->root());
  const Status finished = (*file)->finish();
  return finished ? (settings ? "" : settings.what()) : finished.what();
}

constexpr const char* kLeast =
    "hosts = [\"relay.bank.test\"]\nca = \"ca.pem\"\nhello = \"gw.bank.test\"\nsender = \"info@bank.test\"\n";

TEST(EmailSettings, NameWhatIsMissing) {
  const std::string faults = faults_of("");
  for (const char* key : {"'hosts'", "'ca'", "'hello'", "'sender'"})
    EXPECT_NE(faults.find(key), std::string::npos) << key;
}

TEST(EmailSettings, RefuseWrongValuesWithTheirPlace) {
  const struct {
    const char* line;
    const char* said;
  } rows[] = {
      {"tls = \"none\"", "'tls'"},
      {"port = 0", "'port'"},
      {"user = \"gw\"", "'password'"},
      {"password = \"p\"", "needs `user`"},
      {"return_path = \"x\"", "'return_path'"},
      {"notify = [\"never\"]", "'notify'"},
      {"connections = 65", "'connections'"},
      {"server_name = \"a b\"", "'server_name'"},
      {"certificate = \"c.pem\"", "'certificate'"},
      {"colour = \"red\"", "colour"},
      {"[unsubscribe]\nurl = \"http://u.bank.test/\"", "'url'"},
      {"[timeouts]\ndata_end = \"2h\"", "'data_end'"},
      {"[[dkim]]\ndomain = \"bank.test\"\nselector = \"s\"", "'key'"},
  };
  for (const auto& row : rows) {
    const std::string faults = faults_of(kLeast + std::string(row.line) + "\n");
    EXPECT_NE(faults.find(row.said), std::string::npos) << row.line << "\n" << faults;
    EXPECT_NE(faults.find("/etc/postern/email.toml:"), std::string::npos) << row.line;
  }
}

TEST(EmailSettings, RefuseAHostWithAPort) {
  EXPECT_NE(faults_of("hosts = [\"relay.bank.test:25\"]\n").find("without a port"), std::string::npos);
}

}  // namespace
}  // namespace postern::email
