// SPDX-License-Identifier: Apache-2.0
// posternd: the vault. Talks to: connectors over the bus socket, administrators over the control socket;
// both Unix sockets on this host, which systemd opens for it. Reads no byte that came from outside the bank's host, holds every key.
// A takeover of this process yields everything; that is why it has no network and parses so little.
//
//   posternd --config FILE [--check] | --version
// Exit codes: 0 ended as asked; 1 could not start; 2 wrong command line or configuration.

#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <string_view>

#include "connectors/protocol/log.hpp"
#include "gateway/posternd.hpp"

namespace {

int usage(const char* why) {
  std::fprintf(stderr, "posternd: %s\nusage: posternd --config FILE [--check] | --version\n", why);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace postern;
  std::signal(SIGPIPE, SIG_IGN);
  // Without fast bins: glibc puts them all together again whenever somebody asks for more than a kilobyte, which here is all the time. The
  // small pieces come from its caches for a thread as before.
  mallopt(M_MXFAST, 0);
  if (const Status hard = harden_process(); !hard) {
    std::fprintf(stderr, "posternd: %s\n", hard.what().c_str());
    return 1;
  }
  std::string path;
  bool check = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--version") return std::printf("posternd %s\n", POSTERN_VERSION) > 0 ? 0 : 1;
    if (word == "--check") check = true;
    else if (word == "--config" && i + 1 < argc) path = argv[++i];
    else return usage("unknown argument");
  }
  if (path.empty()) return usage("--config FILE is missing");
  Result<std::shared_ptr<const config::Config>> config = config::load(path);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.what().c_str());
    return 2;
  }
  if (check) return std::printf("%s: good\n", path.c_str()) > 0 ? 0 : 1;

  log::open("posternd");
  Loop loop;
  Posternd posternd(loop, path, *config);
  Signal terminate(loop, SIGTERM, [&] { loop.stop(); });
  Signal interrupt(loop, SIGINT, [&] { loop.stop(); });
  Signal hangup(loop, SIGHUP, [&] { posternd.reload_from_signal(); });
  if (const Status started = posternd.start(); !started) {
    log::error("vault.start", "{}", started.what());
    return 1;
  }
  loop.run();
  if (posternd.failed()) return 1;
  posternd.stop();
  return 0;
}
