// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/program.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/unix_listener.hpp"

namespace postern {
namespace {

constexpr std::chrono::seconds kDrainDeadline{10};

struct Arguments {
  std::string config;
  bool check = false, version = false;
};

Result<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--check") arguments.check = true;
    else if (word == "--version") arguments.version = true;
    else if (word == "--config" && i + 1 < argc) arguments.config = argv[++i];
    else return fail("unknown argument '" + std::string(word) + "'");
  }
  if (!arguments.version && arguments.config.empty()) return fail("--config FILE is missing");
  return arguments;
}

struct Common {
  std::string name, vault;
  log::Level level = log::Level::info;
};

Common read_common(Section& root) {
  Common common;
  common.name = root.text("name");
  common.vault = root.text("vault", "/run/postern/bus/" + own_user_name());
  common.level = root.choice<log::Level>("log", log::Level::info,
                                         {{"debug", log::Level::debug},
                                          {"info", log::Level::info},
                                          {"warning", log::Level::warning},
                                          {"error", log::Level::error}});
  return common;
}

// Ends the process when everything is settled, or at the drain deadline.
class Ending {
 public:
  Ending(Loop& loop, Link& link) : loop_(loop), link_(link), poll_(loop, [this] { look(); }), deadline_(loop, [this] { late(); }) {}

  void begin(Connector& connector) {
    if (std::exchange(begun_, true)) return;
    log::info("process.drain", "finishing what is under way");
    deadline_.start(kDrainDeadline);
    connector.drain([this] {
      done_ = true;
      look();
    });
  }

 private:
  // The connector is done; its last facts may still be on their way into the vault.
  void look() {
    if (!done_) return;
    if (link_.settled()) {
      link_.drained();
      loop_.defer([this] { loop_.stop(); });
      return;
    }
    poll_.start(std::chrono::milliseconds(5));
  }
  void late() {
    log::warning("process.drain-late", "the drain deadline passed; what is unanswered becomes unknown");
    loop_.stop();
  }

  Loop& loop_;
  Link& link_;
  Timer poll_, deadline_;
  bool begun_ = false, done_ = false;
};

}  // namespace

int run_connector(int argc, char** argv, const ConnectorProgram& program) {
  std::signal(SIGPIPE, SIG_IGN);
  if (const Status hard = harden_process(); !hard) {
    std::fprintf(stderr, "%s: %s\n", program.name.c_str(), hard.what().c_str());
    return 1;
  }
  const Result<Arguments> arguments = parse(argc, argv);
  if (!arguments) {
    std::fprintf(stderr, "%s: %s\nusage: %s --config FILE [--check] | --version\n", program.name.c_str(),
                 arguments.what().c_str(), program.name.c_str());
    return 2;
  }
  if (arguments->version) {
    std::printf("%s %s\n", program.name.c_str(), POSTERN_VERSION);
    return 0;
  }
  const auto refused = [&](const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return 2;
  };
  Result<std::unique_ptr<SettingsFile>> file = SettingsFile::read(arguments->config);
  if (!file) return refused(file.what());
  Section root = (*file)->root();
  const Common common = read_common(root);
  Result<std::unique_ptr<Connector>> connector = program.build(root);
  if (const Status finished = (*file)->finish(); !finished) return refused(finished.what());
  if (!connector) return refused(arguments->config + ": " + connector.what());
  if (arguments->check) {
    std::printf("%s: good\n", arguments->config.c_str());
    return 0;
  }

  log::open(common.name, common.level);
  Loop loop;
  LinkOptions options = (*connector)->link_options();
  options.socket = common.vault;
  options.connector = common.name;
  options.software = program.name + " " POSTERN_VERSION;
  LinkHandlers handlers = (*connector)->link_handlers();
  Ending* ending_ptr = nullptr;
  handlers.drain = [&, ask = handlers.drain] {
    if (ask) ask();
    if (ending_ptr != nullptr) ending_ptr->begin(**connector);
  };
  Link link(loop, std::move(options), std::move(handlers));
  Ending ending(loop, link);
  ending_ptr = &ending;
  Signal terminate(loop, SIGTERM, [&] { ending.begin(**connector); });
  Signal interrupt(loop, SIGINT, [&] { ending.begin(**connector); });
  if (const Status started = (*connector)->start(loop, link); !started) {
    log::error("process.start", "{}", started.what());
    connector->reset();  // before the link and the loop that it uses
    return 1;
  }
  link.start();
  loop.run();
  connector->reset();
  return 0;
}

}  // namespace postern
