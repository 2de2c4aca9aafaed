// SPDX-License-Identifier: Apache-2.0
// postern-witness: cosigns the checkpoints of audit logs on another host, so that nobody can show two histories of a
// log or put an old one back unseen. README.md is its manual.
// SECURITY: reads requests of anybody who reaches its port (of holders of a certificate where it asks for one); holds
// its own signing key. A takeover can vouch for false histories of its logs; it reads no message and no log.
#include <csignal>
#include <cstdio>
#include <string_view>

#include "admin/witness/service.hpp"

namespace {

using namespace postern;

constexpr std::chrono::seconds kDrainDeadline{5};
constexpr int kDone = 0, kFailed = 1, kUsage = 2;

int failed(const std::string& what, int code) {
  std::fprintf(stderr, "postern-witness: %s\n", what.c_str());
  return code;
}

int keygen(const std::string& path, const std::string& name) {
  const Result<witness::Key> key = witness::Key::make(path, name);
  if (!key) return failed(key.what(), kFailed);
  std::printf("%s\n", verifier_key(key->verifier()).c_str());
  return kDone;
}

Status write_port(const std::string& path, std::uint16_t port) {
  const std::string half = path + ".new";
  std::FILE* file = std::fopen(half.c_str(), "w");
  const bool written = file != nullptr && std::fprintf(file, "%u\n", static_cast<unsigned>(port)) > 0;
  if (file == nullptr || std::fclose(file) != 0 || !written || std::rename(half.c_str(), path.c_str()) != 0) return fail("port_file " + path + " cannot be written");
  return {};
}

int serve(const std::string& path, bool check) {
  Result<std::unique_ptr<SettingsFile>> file = SettingsFile::read(path);
  if (!file) return failed(file.what(), kUsage);
  const witness::Settings settings = witness::read_settings((*file)->root());
  if (const Status finished = (*file)->finish(); !finished) return failed(finished.what(), kUsage);
  if (check) return std::printf("%s: good\n", path.c_str()), kDone;

  log::open("postern-witness", settings.level);
  Loop loop;
  Result<std::unique_ptr<witness::Service>> service = witness::Service::open(loop, settings);
  if (!service) return failed(service.what(), kFailed);
  if (!settings.port_file.empty())
    if (const Status wrote = write_port(settings.port_file, (*service)->port()); !wrote) return failed(wrote.what(), kFailed);
  log::info("witness.listening", "port {}, {} logs, as {}", (*service)->port(), settings.logs.size(), (*service)->verifier().name);
  Timer late(loop, [&loop] { loop.stop(); });
  const auto end = [&] {
    late.start(kDrainDeadline);
    (*service)->drain([&loop] { loop.defer([&loop] { loop.stop(); }); });
  };
  Signal terminate(loop, SIGTERM, end), interrupt(loop, SIGINT, end);
  loop.run();
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (const Status hard = harden_process(); !hard) return failed(hard.what(), kFailed);
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "--version") return std::printf("postern-witness %s\n", POSTERN_VERSION), kDone;
  if (words.size() == 3 && words[0] == "keygen") return keygen(argv[2], argv[3]);
  if (words.size() == 2 && words[0] == "--config") return serve(argv[2], /*check=*/false);
  if (words.size() == 3 && words[0] == "--config" && words[2] == "--check") return serve(argv[2], /*check=*/true);
  const bool asked = words.size() == 1 && words[0] == "--help";
  std::fprintf(asked ? stdout : stderr,
               "usage: postern-witness --config FILE [--check]    serve, or check the settings\n"
               "       postern-witness keygen FILE NAME           make a key; prints its verifier key\n"
               "       postern-witness --version\n"
               "Example:\n  postern-witness keygen /etc/postern-witness/key witness.bank.example/one\n"
               "Exit codes: 0 done, 1 failed, 2 wrong command line or settings.\n");
  return asked ? kDone : kUsage;
}
