// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/settings.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

using namespace std::chrono_literals;

// Reads `text` with `read` and gives every fault.
std::string faults(const std::string& text, const std::function<void(Section&)>& read) {
  Result<std::unique_ptr<SettingsFile>> file = SettingsFile::parse(text, "f.toml");
  if (!file) return file.what();
  Section root = (*file)->root();
  read(root);
  const Status done = (*file)->finish();
  return done ? "" : done.what();
}

TEST(Settings, GiveEachKindOfValue) {
  EXPECT_EQ(faults("t = \"a\"\nn = 5\nb = true\nd = \"10s\"\nl = [\"x\", \"y\"]\nc = \"two\"\n",
                   [](Section& s) {
                     EXPECT_EQ(s.text("t"), "a");
                     EXPECT_EQ(s.text("none", "other"), "other");
                     EXPECT_EQ(s.integer("n", std::nullopt, 1, 10), 5);
                     EXPECT_EQ(s.integer("none", 7, 1, 10), 7);
                     EXPECT_TRUE(s.boolean("b", false));
                     EXPECT_EQ(s.duration("d", std::nullopt, 1s, 60s), 10s);
                     EXPECT_EQ(s.duration("none", 3s, 1s, 60s), 3s);
                     EXPECT_EQ(s.texts("l"), (std::vector<std::string>{"x", "y"}));
                     EXPECT_TRUE(s.texts("none").empty());
                     EXPECT_EQ(s.choice<int>("c", std::nullopt, {{"one", 1}, {"two", 2}}), 2);
                     EXPECT_EQ(s.choice<int>("none", 9, {{"one", 1}, {"two", 2}}), 9);
                   }),
            "");
}

TEST(Settings, AnUnknownKeyIsRefusedWithItsPlace) {
  EXPECT_EQ(faults("known = \"a\"\n\n  unknwon = 1\n", [](Section& s) { s.text("known"); }),
            "f.toml:3:3: unknown key 'unknwon'; remove it or correct its spelling");
  EXPECT_EQ(faults("[part]\nx = 1\n", [](Section& s) { s.section("part"); }).substr(0, 10), "f.toml:2:1");
  EXPECT_EQ(faults("[[item]]\na = 1\n[[item]]\nb = 1\n",
                   [](Section& s) {
                     for (Section& item : s.sections("item")) item.integer("a", 1, 0, 9);
                   })
                .substr(0, 10),
            "f.toml:4:1");
}

TEST(Settings, AMissingKeyIsRefusedWithTheNameOfItsTable) {
  EXPECT_EQ(faults("", [](Section& s) { s.text("host"); }), "f.toml:1:1: 'host' is missing; add host = \"...\"");
  EXPECT_EQ(faults("x = 1\n[server]\n", [](Section& s) {
              s.integer("x", 0, 0, 9);
              Section server = s.section("server");
              server.text("host");
            }),
            "f.toml:2:1: [server] 'host' is missing; add host = \"...\"");
  EXPECT_NE(faults("", [](Section& s) { s.section("server").text("host"); }).find("[server] 'host' is missing"), std::string::npos);
  EXPECT_NE(faults("", [](Section& s) { s.integer("n", std::nullopt, 1, 5); }).find("'n' is missing; add a number from 1 to 5"), std::string::npos);
}

TEST(Settings, AWrongTypeOrRangeIsRefusedWithItsPlace) {
  EXPECT_EQ(faults("t = 5\n", [](Section& s) { s.text("t"); }), "f.toml:1:1: 't' must be a text in quotes");
  EXPECT_EQ(faults("t = \"\"\n", [](Section& s) { s.text("t"); }), "f.toml:1:1: 't' must be a text in quotes, not empty");
  EXPECT_EQ(faults("n = \"5\"\n", [](Section& s) { s.integer("n", 1, 0, 9); }), "f.toml:1:1: 'n' must be a whole number from 0 to 9");
  EXPECT_EQ(faults("n = 10\n", [](Section& s) { s.integer("n", 1, 0, 9); }), "f.toml:1:1: 'n' must be a whole number from 0 to 9");
  EXPECT_EQ(faults("n = 1.5\n", [](Section& s) { s.integer("n", 1, 0, 9); }), "f.toml:1:1: 'n' must be a whole number from 0 to 9");
  EXPECT_EQ(faults("b = 1\n", [](Section& s) { s.boolean("b", true); }), "f.toml:1:1: 'b' must be true or false");
  EXPECT_EQ(faults("l = \"x\"\n", [](Section& s) { s.texts("l"); }), "f.toml:1:1: 'l' must be a list of texts: [\"a\", \"b\"]");
  EXPECT_EQ(faults("l = [\"x\",\n  2]\n", [](Section& s) { s.texts("l"); }), "f.toml:2:3: 'l' must hold texts in quotes only");
  EXPECT_EQ(faults("c = \"three\"\n", [](Section& s) { s.choice<int>("c", 1, {{"one", 1}, {"two", 2}}); }),
            "f.toml:1:1: 'c' must be one of: one, two");
  EXPECT_EQ(faults("s = 1\n", [](Section& s) { s.section("s"); }), "f.toml:1:1: 's' must be a table: [s]");
  EXPECT_EQ(faults("s = 1\n", [](Section& s) { s.sections("s"); }), "f.toml:1:1: 's' must be a list of tables: [[s]]");
}

TEST(Settings, ABadDurationIsRefusedAndAGoodOneRead) {
  const std::pair<const char*, std::chrono::milliseconds> good[] = {{"500ms", 500ms}, {"10s", 10s}, {"5m", 5min}, {"72h", 72h}, {"3d", 72h}, {"1000ms", 1s}};
  for (const auto& [text, wanted] : good) {
    EXPECT_EQ(faults(std::string("d = \"") + text + "\"", [&](Section& s) { EXPECT_EQ(s.duration("d", std::nullopt, 0ms, 100h), wanted); }), "");
  }
  for (const char* text : {"10", "s", "10 s", "-1s", "1.5s", "10S", "10sec", "0s", "2h", "99999999999999999999s", ""}) {
    const std::string said = faults(std::string("d = \"") + text + "\"", [](Section& s) { s.duration("d", 5s, 1s, 1h); });
    EXPECT_EQ(said, "f.toml:1:1: 'd' must be a duration such as \"10s\" or \"5m\", from 1s to 1h") << text;
  }
  EXPECT_NE(faults("d = 10\n", [](Section& s) { s.duration("d", 5s, 1s, 1h); }).find("must be a text in quotes"), std::string::npos);
}

TEST(Settings, AllFaultsAreToldAtOnceFromTopToBottom) {
  std::string text;
  for (int i = 1; i <= 12; ++i) text += "unknown" + std::to_string(i) + " = 1\n";
  const std::string all = faults(text, [](Section&) {});
  std::size_t at = 0;
  for (int i = 1; i <= 12; ++i) {
    const std::size_t found = all.find("f.toml:" + std::to_string(i) + ":1:", at);
    ASSERT_NE(found, std::string::npos) << "line " << i << " is missing or out of order:\n" << all;
    at = found;
  }
}

TEST(Settings, ASyntaxErrorHasItsPlace) {
  EXPECT_EQ(faults("a = \"x\"\nb = \n", [](Section&) {}).substr(0, 9), "f.toml:2:");
  EXPECT_FALSE(SettingsFile::parse("a = 1\na = 2\n", "f.toml").has_value()) << "a key twice";
  EXPECT_FALSE(SettingsFile::parse("\xff\xfe", "f.toml").has_value());
  EXPECT_FALSE(SettingsFile::read("/no/such/file.toml").has_value());
}

TEST(Settings, NamedTablesComeInTheOrderOfTheFile) {
  EXPECT_EQ(faults("[c.zebra]\nx = 1\n[c.ape]\nx = 2\n", [](Section& s) {
              std::vector<std::string> names;
              for (auto& [name, section] : s.named_sections("c")) {
                names.push_back(name);
                section.integer("x", 0, 0, 9);
              }
              EXPECT_EQ(names, (std::vector<std::string>{"zebra", "ape"}));
            }),
            "");
  EXPECT_NE(faults("[c]\nzebra = 1\n", [](Section& s) { s.named_sections("c"); }).find("must be a table: [c.zebra]"), std::string::npos);
}

class Files : public testing::Test {
 protected:
  Files() { unsetenv("CREDENTIALS_DIRECTORY"); }
  ~Files() override { unsetenv("CREDENTIALS_DIRECTORY"); }
  void given(const std::string& name, const std::string& content, unsigned mode = 0400) {
    write_all(folder / name, content);
    chmod((folder / name).c_str(), mode);
  }
  std::string read(const std::string& text, const std::function<void(Section&)>& work) {
    std::filesystem::remove(folder / "f.toml");
    write_all(folder / "f.toml", text);
    Result<std::unique_ptr<SettingsFile>> file = SettingsFile::read(folder / "f.toml");
    EXPECT_TRUE(file.has_value());
    Section root = (*file)->root();
    work(root);
    const Status done = (*file)->finish();
    return done ? "" : done.what();
  }
  TempFolder folder;
};

TEST_F(Files, PathsAreTakenFromTheFoldersOfTheirFile) {
  given("ca.pem", "x");
  EXPECT_EQ(read("ca = \"ca.pem\"", [&](Section& s) { EXPECT_EQ(s.path("ca"), folder / "ca.pem"); }), "");
  EXPECT_NE(read("ca = \"none.pem\"", [&](Section& s) { s.path("ca"); }).find("there is no file"), std::string::npos);
  EXPECT_NE(read("", [&](Section& s) { s.path("ca"); }).find("is missing"), std::string::npos);
  EXPECT_EQ(read("", [&](Section& s) { EXPECT_EQ(s.path("ca", ""), ""); }), "");
}

TEST_F(Files, CredentialsComeFromTheirFileOrTheCredentialsDirectory) {
  given("password", "beside");
  EXPECT_EQ(read("password = \"password\"", [](Section& s) { EXPECT_EQ(s.credential("password").text(), "beside"); }), "");
  std::filesystem::create_directory(folder / "creds");
  given("creds/password", "from systemd");
  setenv("CREDENTIALS_DIRECTORY", (folder / "creds").c_str(), 1);
  EXPECT_EQ(read("password = \"password\"", [](Section& s) { EXPECT_EQ(s.credential("password").text(), "from systemd"); }), "");
  EXPECT_EQ(read("", [](Section& s) { EXPECT_FALSE(s.optional_credential("password").has_value()); }), "");
}

TEST_F(Files, ACredentialThatIsMissingEmptyOrOpenToOthersIsRefused) {
  const auto said = [&](const std::string& text) { return read(text, [](Section& s) { (void)s.credential("password"); }); };
  EXPECT_NE(said("").find("'password' is missing"), std::string::npos);
  EXPECT_NE(said("password = \"none\""), "");
  EXPECT_NE(said("password = \"\""), "") << "no name is no credential";
  given("empty", "");
  EXPECT_NE(said("password = \"empty\""), "") << "an empty password is none";
  given("open", "hunter2-hunter2", 0444);
  const std::string open = said("password = \"open\"");
  EXPECT_NE(open, "");
  EXPECT_EQ(open.find("hunter2"), std::string::npos);
}

TEST_F(Files, ASecretNeverStandsInAFault) {
  const std::string said = read("password = \"none\"\nother = 5\n", [](Section& s) { (void)s.credential("password"); });
  EXPECT_NE(said.find("unknown key 'other'"), std::string::npos);
}

TEST_F(Files, AFileOverFourMebibytesIsRefused) {
  write_all(folder / "big.toml", "#" + std::string(4 * 1024 * 1024, 'x'));
  EXPECT_FALSE(SettingsFile::read(folder / "big.toml").has_value());
}

}  // namespace
}  // namespace postern
