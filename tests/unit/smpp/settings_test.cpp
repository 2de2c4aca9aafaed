// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/settings.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "connectors/protocol/wire.pb.h"

namespace postern::smpp {
namespace {

using namespace std::chrono_literals;

// A folder with the files that settings name.
class SmppSettings : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "smpp-settings-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    for (const char* name : {"provider-ca.pem", "postern-smpp.pem", "postern-smpp.key"}) write(name, "x\n");
    write("password", "not-the-real-one\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
    chmod((folder / name).c_str(), 0600);
  }
  // Reads the text as the program does.
  Settings read(const std::string& text) {
    auto file = SettingsFile::parse(text, (folder / "smpp.toml").string());
    if (!file) {
      faults = file.what();
      return {};
    }
    Section root = (*file)->root();
    root.text("name");
    root.text("vault", "");
    root.text("log", "");
    Settings settings = read_settings(root);
    const Status finished = (*file)->finish();
    faults = finished ? "" : finished.what();
    return settings;
  }
  static std::string base() {
    return "name = 'x'\nhosts = ['smsc.example']\nca = 'provider-ca.pem'\nsystem_id = 'bankgw'\npassword = "
           "'password'\n";
  }

  std::filesystem::path folder;
  std::string faults;
};

std::string readme() {
  std::ifstream in(POSTERN_SOURCE_DIR "/connectors/channels/smpp/README.md");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_F(SmppSettings, ReadsTheExampleOfTheReadme) {
  const std::string text = readme();
  const std::size_t begin = text.find("```toml\n") + 8;
  const Settings settings = read(text.substr(begin, text.find("```", begin) - begin));
  EXPECT_EQ(faults, "");
  EXPECT_EQ(settings.hosts.size(), 2U);
  EXPECT_EQ(settings.binds, (std::vector{BindKind::transceiver, BindKind::transceiver}));
  EXPECT_EQ(settings.window, 20U);
  EXPECT_EQ(settings.password.text(), "not-the-real-one");
  EXPECT_EQ(settings.max_validity, 48h);
  EXPECT_EQ(settings.priority.at(wire::OTP), 3);
  EXPECT_EQ(settings.priority.at(wire::TRANSACTION), 1);
  EXPECT_EQ(settings.statuses.of(0x401), StatusClass::throttle);
  EXPECT_EQ(settings.statuses.of(0x410), StatusClass::number);
}

TEST_F(SmppSettings, HasTheDefaultsThatTheReadmeTells) {
  const Settings settings = read(base());
  EXPECT_EQ(faults, "");
  EXPECT_EQ(settings.port, 2776);
  EXPECT_TRUE(settings.tls);
  EXPECT_EQ(settings.window, 10U);
  EXPECT_EQ(settings.rate, 100U);
  EXPECT_EQ(settings.enquire_link, 30s);
  EXPECT_EQ(settings.response_timeout, 30s);
  EXPECT_EQ(settings.max_parts, 6U);
  EXPECT_EQ(settings.max_validity, 72h);
  EXPECT_EQ(settings.inbound_window, 500U);
  EXPECT_EQ(settings.max_parameters, 128U);
  EXPECT_FALSE(settings.receipts.accept_plain);
  EXPECT_EQ(settings.long_messages, LongMessages::udh8);
}

TEST_F(SmppSettings, RefusesPlainTcpToAnotherMachine) {
  read(
      "name = 'x'\nhosts = ['127.0.0.1', 'smsc.example']\ntls = false\nsystem_id = 'x'\npassword = "
      "'password'\n");
  EXPECT_NE(faults.find("'tls' may be false only"), std::string::npos) << faults;
  const Settings local = read(
      "name = 'x'\nhosts = ['127.0.0.1', '::1', 'localhost']\ntls = false\nsystem_id = 'x'\npassword = "
      "'password'\n");
  EXPECT_EQ(faults, "");
  EXPECT_FALSE(local.tls);
}

TEST_F(SmppSettings, SaysWhatIsWrongAndWhere) {
  const auto refused = [&](const std::string& line, const std::string& wanted) {
    read(base() + line + "\n");
    EXPECT_NE(faults.find(wanted), std::string::npos) << line << " gave: " << faults;
    EXPECT_NE(faults.find("smpp.toml:6"), std::string::npos) << faults;
  };
  refused("wind0w = 5", "wind0w");
  refused("window = 1001", "window");
  refused("sender = 'a-sender-of-more-than-20-characters'", "sender");
  refused("id_in_receipt = 'dec'", "id_in_response");
  refused("certificate = 'postern-smpp.pem'", "key");
  refused("bind = 'both'", "bind");
  refused("system_type = 'thirteen-long'", "system_type");
}

TEST_F(SmppSettings, RefusesAStatusMapThatMakesNoSense) {
  read(base() + "[status]\n'0x0401' = 'sometimes'\n'1025' = 'retry'\n'0x' = 'retry'\n");
  EXPECT_NE(faults.find("must be one of"), std::string::npos);
  EXPECT_NE(faults.find("'1025' is no command_status"), std::string::npos);
  EXPECT_NE(faults.find("'0x' is no command_status"), std::string::npos);
}

TEST_F(SmppSettings, OpensBothKindsOfSessionsWhenSeparate) {
  const Settings settings = read(base() + "bind = 'separate'\nbinds = 2\n");
  EXPECT_EQ(settings.binds.size(), 4U);
  EXPECT_EQ(settings.submitting(), 2U);
}

// A key that operators cannot find in the README does not exist for them.
TEST_F(SmppSettings, TellsEveryKeyInTheReadme) {
  const std::string text = readme();
  std::ifstream source(POSTERN_SOURCE_DIR "/connectors/channels/smpp/settings.cpp");
  std::stringstream code;
  code << source.rdbuf();
  std::set<std::string> keys;
  for (const std::string call : {"root.text(\"", "root.texts(\"", "root.integer(\"", "root.boolean(\"",
                                 "root.duration(\"", "root.path(\"", "root.credential(\"", "root, \"", "flag(\""}) {
    for (std::size_t at = code.str().find(call); at != std::string::npos; at = code.str().find(call, at + 1)) {
      const std::size_t begin = at + call.size();
      keys.insert(code.str().substr(begin, code.str().find('"', begin) - begin));
    }
  }
  EXPECT_GE(keys.size(), 35U);
  for (const std::string& key : keys) EXPECT_NE(text.find("`" + key + "`"), std::string::npos) << key;
}

}  // namespace
}  // namespace postern::smpp
