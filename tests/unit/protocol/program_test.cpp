// SPDX-License-Identifier: Apache-2.0
// The skeleton of a connector's main(): command line, settings, a start that fails, the drain.
#include "connectors/protocol/program.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

class Plain final : public Connector {
 public:
  explicit Plain(bool starts) : starts_(starts) {}
  LinkOptions link_options() const override { return {}; }
  LinkHandlers link_handlers() override { return {}; }
  Status start(Loop& loop, Link& link) override {
    link_ = &link;
    tick_ = std::make_unique<Timer>(loop, [] {});
    tick_->start(std::chrono::hours(1));
    if (!starts_) return fail("the port is taken");
    // Ends itself as the service manager would.
    end_ = std::make_unique<Timer>(loop, [] { raise(SIGTERM); });
    end_->start(std::chrono::milliseconds(10));
    return {};
  }
  void drain(std::function<void()> done) override { done(); }

 private:
  bool starts_;
  Link* link_ = nullptr;
  std::unique_ptr<Timer> tick_, end_;
};

class Program : public testing::Test {
 protected:
  static int run(std::vector<std::string> words, bool starts = true) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    ConnectorProgram program;
    program.name = "postern-test";
    program.build = [starts](Section root) -> Result<std::unique_ptr<Connector>> {
      if (root.text("own", "") == "bad") return fail("'own' is bad");
      return std::make_unique<Plain>(starts);
    };
    return run_connector(static_cast<int>(argv.size()), argv.data(), program);
  }
  // In a process of its own: run_connector() hardens the one it runs in.
  static void ends(const std::vector<std::string>& words, int code, const std::string& said, bool starts = true) {
    EXPECT_EXIT(::_exit(run(words, starts)), testing::ExitedWithCode(code), said);
  }
  std::string config(const std::string& text) {
    write_all(folder / "c.toml", text);
    return folder / "c.toml";
  }
  TempFolder folder;
};

TEST_F(Program, AWrongCommandLineEndsWith2AndUsage) {
  ends({"postern-test"}, 2, "--config FILE is missing");
  ends({"postern-test", "--nonsense"}, 2, "unknown argument '--nonsense'");
  ends({"postern-test", "--config"}, 2, "usage: postern-test --config FILE");
}

TEST_F(Program, WrongSettingsEndWith2AndTheirPlace) {
  ends({"postern-test", "--config", folder / "none.toml"}, 2, "cannot be read");
  ends({"postern-test", "--config", config("name = \"x\"\nunknown = 1\n")}, 2, "c.toml:2:1: unknown key 'unknown'");
  ends({"postern-test", "--config", config("own = \"y\"\n")}, 2, "'name' is missing");
  ends({"postern-test", "--config", config("name = \"x\"\nown = \"bad\"\n")}, 2, "'own' is bad");
  ends({"postern-test", "--config", config("name = \"x\"\nlog = \"loud\"\n")}, 2, "debug, info, warning, error");
}

TEST_F(Program, CheckAndVersionEndWith0) {
  ends({"postern-test", "--version"}, 0, "");
  ends({"postern-test", "--config", config("name = \"x\"\n"), "--check"}, 0, "");
}

TEST_F(Program, AStartThatFailsEndsWith1AndItsReason) {
  ends({"postern-test", "--config", config("name = \"x\"\nvault = \"/nowhere/bus.sock\"\n")}, 1, "process.start the port is taken", /*starts=*/false);
}

TEST_F(Program, SigtermDrainsAndEndsWith0) {
  ends({"postern-test", "--config", config("name = \"x\"\nvault = \"/nowhere/bus.sock\"\n")}, 0, "process.drain");
}

}  // namespace
}  // namespace postern
