// SPDX-License-Identifier: Apache-2.0
// Which processes make the sandbox bank, in the order of their start.
#include <csignal>

#include "connectors/sandbox/database.hpp"
#include "connectors/sandbox/files.hpp"
#include "connectors/sandbox/supervisor.hpp"
#include "connectors/sandbox/world.hpp"

namespace postern::sandbox {
namespace {

struct ConnectorUnit {
  const char *name, *folder, *program;
  int stage;
};
// Channels first, so that the first message has a way out; sources last.
constexpr int kWorldStage = 0, kDatabaseStage = 1, kVaultStage = 2, kChannelStage = 3, kSourceStage = 4;
constexpr ConnectorUnit kConnectors[] = {
    {"network-a", "connectors/channels/smpp", "postern-smpp", kChannelStage},
    {"network-b", "connectors/channels/smpp", "postern-smpp", kChannelStage},
    {"push", "connectors/channels/push", "postern-push", kChannelStage},
    {"whatsapp", "connectors/channels/messenger", "postern-messenger", kChannelStage},
    {"email", "connectors/channels/email", "postern-email", kChannelStage},
    {"hook", "connectors/sources/hook", "postern-hook", kSourceStage},
    {"https", "connectors/sources/https", "postern-https", kSourceStage},
    {"sql", "connectors/sources/sql", "postern-sql", kSourceStage}};

}  // namespace

Status Supervisor::list_units() {
  const Result<std::string> tool = find_program("admin", "postern");
  if (!tool) return fail(tool.what());
  postern_ = *tool;
  const auto add = [&](const std::string& name, int stage, std::vector<std::string> words, int stop_signal,
                       std::function<Result<bool>(pid_t)> ready) {
    Unit unit;
    unit.name = name;
    unit.stage = stage;
    unit.command = {std::move(words), bank_.path("log/" + name + ".log"), stop_signal};
    unit.stop_signal = stop_signal;
    unit.ready = std::move(ready);
    units_.push_back(std::move(unit));
  };

  const Result<std::string> own = find_program("connectors/sandbox", "postern-sandbox");
  if (!own) return fail(own.what());
  std::vector<std::string> world{*own, "world", bank_.folder()};
  if (phones_ == Phones::ignored) world.push_back("--no-phones");
  add("world", kWorldStage, std::move(world), SIGTERM, [this](pid_t pid) -> Result<bool> {
    return read_file(bank_.path(std::string(kWorldReady))).value_or("") == std::to_string(pid) + "\n";
  });

  add("database", kDatabaseStage, {*own, "database", bank_.folder()}, SIGTERM, [this](pid_t pid) -> Result<bool> {
    return read_file(bank_.path(std::string(kDatabaseReady))).value_or("") == std::to_string(pid) + "\n";
  });

  const Result<std::string> vault = find_program("gateway", "posternd");
  if (!vault) return fail(vault.what());
  add("posternd", kVaultStage, {*vault, "--config", bank_.path("etc/posternd.toml")}, SIGTERM,
      [this](pid_t) -> Result<bool> {
        const Finished told = postern({"status", "--json"});
        return told.out.starts_with("{");
      });

  for (const ConnectorUnit& each : kConnectors) {
    const Result<std::string> program = find_program(each.folder, each.program);
    if (!program) return fail(program.what());
    add(each.name, each.stage, {*program, "--config", bank_.path(std::string("etc/connectors/") + each.name + ".toml")},
        SIGTERM, [this, name = std::string(each.name)](pid_t) { return connector_ready(name); });
  }
  return {};
}

}  // namespace postern::sandbox
